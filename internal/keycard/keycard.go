// Package keycard is a client for the policy operations of the Keycard API.
//
// It reads all three generations of the API and sends the newest by default.
// Types without write methods are what commands that only look are built on.
package keycard

import (
	"net/http"
	"time"
)

// DefaultBaseURL is the production API.
const DefaultBaseURL = "https://api.keycard.ai"

// A Config says where the API is and how to authenticate.
type Config struct {
	BaseURL   string // "" is DefaultBaseURL; plain http only to loopback
	TokenURL  string // "" is derived from BaseURL
	UserAgent string

	// Exactly one of these: client credentials, a ready bearer, or a command
	// that prints one. All empty is an error, unless Transport is set.
	ClientID, ClientSecret string
	Token                  string
	TokenCommand           string

	// Transport is used instead of the network, for the embedded local zone; no
	// credential is needed then.
	Transport http.RoundTripper

	// Timing, for tests; zero values are the defaults in brackets.
	Timeout    time.Duration // of one request, and of TokenCommand [30 s]
	RetryBase  time.Duration // first backoff [500 ms]
	RetryMax   time.Duration // cap of a backoff and of Retry-After [60 s]
	LookupFor  time.Duration // how long a lost create is looked up, and a 404 below an own create doubted [10 s]
	MaxRetries int           // of one request [4]; negative: none

	ScopeType bool // send G2's scope_type instead of target_type

	// Trace, if set, is called after every request attempt, that for an access
	// token included. It never sees a secret, and it may be called by several
	// goroutines at once.
	Trace func(Trace)

	// OnSecret, if set, is called with every secret before it is first used: the
	// configured ones within New or NewReader, fetched tokens as they come, from
	// any goroutine. It is for whoever keeps secrets out of the program's output.
	OnSecret func(string)
}

// A Trace tells about one request attempt.
type Trace struct {
	Method, Path string // path with query
	Status       int    // 0: no answer
	RequestID    string // sent as X-Client-Request-ID
	Duration     time.Duration
	ServerTime   time.Time // the answer's Date (RFC 9110, section 6.6.1), to the second; zero if it has none
	Attempt      int       // from 1
	Err          error     // why there was no usable answer; nil when Status tells it all
}

// A Reader reads one zone. It has no method that writes. It is safe for
// concurrent use.
type Reader struct {
	c    *caller
	zone string
}

// A Client reads and writes one zone. It is safe for concurrent use; the service
// asks that versions of one policy are created one after another.
type Client struct {
	*Reader
}

// NewReader returns a client that can only read. It makes no request. An error
// means that cfg or zoneID is unusable; it never holds a secret.
func NewReader(cfg Config, zoneID string) (*Reader, error) {
	if err := checkID("zone", zoneID); err != nil {
		return nil, err
	}
	c, err := newCaller(cfg)
	if err != nil {
		return nil, err
	}
	return &Reader{c: c, zone: zoneID}, nil
}

// New returns a client that can write. Its errors are those of [NewReader].
func New(cfg Config, zoneID string) (*Client, error) {
	r, err := NewReader(cfg, zoneID)
	if err != nil {
		return nil, err
	}
	return &Client{Reader: r}, nil
}

// ZoneID is the zone of this client.
func (r *Reader) ZoneID() string { return r.zone }

// Secrets are the values that must not be shown: the configured client secret
// or bearer, and the access tokens fetched so far. The client id is no secret.
func (r *Reader) Secrets() []string { return r.c.secrets.list() }

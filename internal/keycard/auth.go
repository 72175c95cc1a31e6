package keycard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	// defaultLifetime of a token that doesn't say when it expires.
	defaultLifetime = 5 * time.Minute

	// A token is renewed this long before it expires, or when a tenth of its
	// lifetime is left if that is later.
	renewBefore = 60 * time.Second

	// maxToken bounds a bearer: servers refuse headers far smaller than this.
	maxToken = 64 << 10
)

// auth supplies the bearer of requests. Many goroutines may ask at once; a new
// token is fetched by one of them while the others wait.
type auth struct {
	fetch func(context.Context) (token string, lifetime time.Duration, err error) // nil: value never changes
	now   func() time.Time

	mu      sync.Mutex
	value   string // "" sends no Authorization
	renewAt time.Time
	call    *tokenCall // the fetch under way
}

// A tokenCall is one fetch and those who wait for it. It outlives the request
// that began it while anyone else still waits.
type tokenCall struct {
	cancel  context.CancelFunc
	waiting int // guarded by auth.mu
	done    chan struct{}
	token   string
	err     error
}

// newAuth chooses the one way to authenticate that cfg has.
func newAuth(cfg Config, c *caller) (*auth, error) {
	a := &auth{now: time.Now}
	client := cfg.ClientID != "" || cfg.ClientSecret != ""
	switch {
	case client && cfg.Token != "", client && cfg.TokenCommand != "", cfg.Token != "" && cfg.TokenCommand != "":
		return nil, errors.New("several ways to authenticate: give client credentials, a token or a token command")
	case client && (cfg.ClientID == "" || cfg.ClientSecret == ""):
		return nil, errors.New("client credentials are incomplete: both client id and client secret are needed")
	case client:
		address := c.base + tokenPath
		if cfg.TokenURL != "" {
			var err error
			if address, err = parseAddress("token URL", cfg.TokenURL); err != nil {
				return nil, err
			}
		}
		c.secrets.add(cfg.ClientSecret)
		a.fetch = (&credentials{c: c, url: address, id: cfg.ClientID, secret: cfg.ClientSecret}).fetch
	case cfg.Token != "":
		if !isBearer(cfg.Token) {
			return nil, errors.New("the token has characters that no token has, such as spaces or line breaks")
		}
		c.secrets.add(cfg.Token)
		a.value = cfg.Token
	case cfg.TokenCommand != "":
		a.fetch = (&tokenCommand{c: c, command: cfg.TokenCommand}).fetch
	case cfg.Transport == nil:
		return nil, errors.New("no credentials: give client credentials, a token or a token command")
	}
	return a, nil
}

// isBearer tells whether s can be sent as a bearer: visible ASCII, RFC 6750,
// section 2.1, taken widely.
func isBearer(s string) bool {
	return s != "" && len(s) <= maxToken && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// token returns a bearer that is valid for now, or "" when none is needed.
func (a *auth) token(ctx context.Context) (string, error) {
	a.mu.Lock()
	if a.fetch == nil || a.value != "" && a.now().Before(a.renewAt) {
		defer a.mu.Unlock()
		return a.value, ctx.Err()
	}
	call := a.call
	if call == nil {
		fctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		call = &tokenCall{cancel: cancel, done: make(chan struct{})}
		a.call = call
		go a.run(fctx, call)
	}
	call.waiting++
	a.mu.Unlock()

	select {
	case <-call.done:
		return call.token, call.err
	case <-ctx.Done():
		a.mu.Lock()
		if call.waiting--; call.waiting == 0 {
			call.cancel()
			if a.call == call { // who comes now shouldn't join a cancelled call
				a.call = nil
			}
		}
		a.mu.Unlock()
		return "", fmt.Errorf("waiting for an access token: %w", ctx.Err())
	}
}

func (a *auth) run(ctx context.Context, call *tokenCall) {
	start := a.now()
	token, lifetime, err := a.fetch(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	call.token, call.err = token, err
	if a.call == call {
		a.call = nil
		if err == nil {
			a.value, a.renewAt = token, start.Add(lifetime-min(renewBefore, lifetime/10))
		}
	}
	call.cancel()
	close(call.done)
}

// expire forgets a token that the API refused. It reports whether asking for
// another one makes sense.
func (a *auth) expire(token string) bool {
	if a.fetch == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.value == token { // else somebody has renewed it already
		a.value = ""
	}
	return true
}

// credentials fetch tokens with OAuth's client credentials grant.
type credentials struct {
	c               *caller
	url, id, secret string
}

// fetch asks for a token, again after network errors, 429 and 5xx.
func (k *credentials) fetch(ctx context.Context) (string, time.Duration, error) {
	op := "POST " + tokenPath
	for n := 0; ; n++ {
		start := time.Now()
		call := &tokenTrip{credentials: k, attempt: n + 1}
		token, err := k.exchange(ctx, call)
		a := call.reply
		if err == nil {
			return token.AccessToken, lifetime(token, start), nil
		}
		if a == nil {
			return "", 0, k.c.hide(fmt.Errorf("%s: %w", op, err))
		}
		q := &request{method: http.MethodPost, path: tokenPath}
		transient := a.err != nil && !a.stopped && !permanent(a.err) && !errors.Is(a.err, errTooLarge) ||
			a.err == nil && (a.status == http.StatusTooManyRequests || a.status >= 500)
		switch {
		case !transient || n >= k.c.maxRetries:
			if a.err == nil && a.status >= 200 && a.status < 300 {
				return "", 0, k.refused(op, a, err)
			}
			return "", 0, k.c.failure(q, a, final)
		}
		wait := k.c.backoff(n)
		if d, ok := a.retryAfter(time.Now()); ok {
			wait = min(d, k.c.retryMax)
		}
		if err := sleep(ctx, wait); err != nil {
			return "", 0, fmt.Errorf("%w, while waiting to repeat: %w", err, k.c.failure(q, a, final))
		}
	}
}

// refused is the error of an answer that has status 200 and no usable token.
func (k *credentials) refused(op string, a *reply, err error) error {
	if d := readError(a.body); d.code != "" {
		return &Error{
			Op: op, Status: a.status, RequestID: a.requestID, Raw: a.body[:min(len(a.body), maxRaw)],
			Code: k.c.secrets.redact(d.code), Message: clip(k.c.secrets.redact(d.message)),
		}
	}
	return k.c.hide(fmt.Errorf("%s (request id %s): unusable answer with status %d: %w", op, a.requestID, a.status, err))
}

// exchange makes one call. The library writes and reads the messages of
// RFC 6749. It escapes both parts of Basic credentials, as section 2.3.1 says,
// but this API takes them as they are, so the credentials are added by
// tokenTrip and the library is given none.
func (k *credentials) exchange(ctx context.Context, call *tokenTrip) (*oauth2.Token, error) {
	cfg := clientcredentials.Config{TokenURL: k.url, AuthStyle: oauth2.AuthStyleInParams}
	token, err := cfg.Token(context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: call}))
	if err != nil {
		return nil, err
	}
	switch {
	case !isBearer(token.AccessToken):
		return nil, errors.New("access_token has characters that no token has")
	case token.TokenType != "" && !strings.EqualFold(token.TokenType, "bearer"):
		return nil, fmt.Errorf("token_type %q is not Bearer", token.TokenType)
	}
	k.c.secrets.add(token.AccessToken)
	return token, nil
}

// lifetime is how long a token fetched at start is valid.
func lifetime(t *oauth2.Token, start time.Time) time.Duration {
	if t.Expiry.IsZero() || !t.Expiry.After(start) {
		return defaultLifetime
	}
	return t.Expiry.Sub(start)
}

// A tokenTrip is the transport of one token call. It reads the whole answer, so
// that what went wrong with it is known in reply, and hides redirects from
// http.Client, which would follow them.
type tokenTrip struct {
	*credentials
	attempt int
	reply   *reply
}

func (t *tokenTrip) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	req.Body.Close()
	if err != nil {
		return nil, err
	}
	path := tokenPath
	if u, err := url.Parse(t.url); err == nil {
		path = u.EscapedPath()
	}
	req.SetBasicAuth(t.id, t.secret)
	header := http.Header{
		"Authorization": req.Header["Authorization"],
		"Content-Type":  req.Header["Content-Type"],
	}
	a := t.c.send(req.Context(), req.Method, t.url, path, header, body, t.attempt)
	t.reply = a
	if a.err != nil {
		return nil, a.err
	}
	out := a.header.Clone()
	out.Del("Location")
	// The library reads text/plain as a form. The API has only JSON.
	out.Set("Content-Type", "application/json")
	return &http.Response{
		StatusCode: a.status, Status: http.StatusText(a.status), Header: out,
		Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: req,
	}, nil
}

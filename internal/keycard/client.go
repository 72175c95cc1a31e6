package keycard

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

const (
	defaultTimeout    = 30 * time.Second
	defaultRetryBase  = 500 * time.Millisecond
	defaultRetryMax   = 60 * time.Second
	defaultLookupFor  = 10 * time.Second
	defaultMaxRetries = 4

	// maxAnswer bounds the body of an answer. A page of 100 policy versions with
	// text and JSON stays well below; the reader's memory is what it protects.
	maxAnswer = 32 << 20

	// maxDoublings bounds the pause between two looks for an object that a
	// replica doesn't have yet: with the default first pause, to 2 s.
	maxDoublings = 2

	// maxConns per host: policies are published in parallel, and the default of
	// two idle connections would open a new one for most requests.
	maxConns = 16
)

// A caller sends requests to one API: it authenticates, retries and traces.
type caller struct {
	base      string // without a trailing slash
	userAgent string
	transport http.RoundTripper
	network   bool // transport is net/http's, which reports connections
	auth      *auth
	secrets   *secrets
	trace     func(Trace)

	targetField string // the name of target_type in requests

	timeout, retryBase, retryMax, lookupFor time.Duration
	maxRetries                              int

	mu  sync.Mutex
	own map[string]bool // ids of objects that this client created
}

func newCaller(cfg Config) (*caller, error) {
	c := &caller{
		userAgent:  cmp.Or(cfg.UserAgent, "policypin"),
		transport:  cfg.Transport,
		secrets:    &secrets{onAdd: cfg.OnSecret},
		trace:      cfg.Trace,
		timeout:    cmp.Or(cfg.Timeout, defaultTimeout),
		retryBase:  cmp.Or(cfg.RetryBase, defaultRetryBase),
		retryMax:   cmp.Or(cfg.RetryMax, defaultRetryMax),
		lookupFor:  cmp.Or(cfg.LookupFor, defaultLookupFor),
		maxRetries: cmp.Or(cfg.MaxRetries, defaultMaxRetries),
		own:        map[string]bool{},
	}
	c.targetField = "target_type"
	if cfg.ScopeType {
		c.targetField = "scope_type"
	}
	var err error
	if c.base, err = parseAddress("base URL", cmp.Or(cfg.BaseURL, DefaultBaseURL)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if c.transport == nil {
		c.network = true
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = maxConns
		c.transport = t
	}
	if c.auth, err = newAuth(cfg, c); err != nil {
		return nil, err
	}
	return c, nil
}

// remember notes an object that this client created, see [caller.doubts].
func (c *caller) remember(id string) {
	c.mu.Lock()
	c.own[id] = true
	c.mu.Unlock()
}

// forget undoes remember: a 404 for an archived set is no lag.
func (c *caller) forget(id string) {
	c.mu.Lock()
	delete(c.own, id)
	c.mu.Unlock()
}

// doubts tells whether a 404 for q may come from a replica that lags behind a
// create of this client. Any other 404 is final.
func (c *caller) doubts(q *request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := func(id string) bool { return c.own[id] }
	return slices.ContainsFunc(q.ids, own) || slices.ContainsFunc(q.refs, own)
}

// do sends q until it is answered for good, by the rules of [reply.judge], and
// decodes the answer. It returns the number of attempts.
func (c *caller) do(ctx context.Context, q *request) (attempts int, err error) {
	var retries, doubts int
	var doubted time.Time // when the first 404 came
	replayed := false
	for {
		token, err := c.auth.token(ctx)
		if err != nil {
			return attempts, fmt.Errorf("%s: %w", c.op(q), err)
		}
		attempts++
		a := c.attempt(ctx, q, token, attempts)
		verdict := a.judge(q.creates())
		if verdict == succeeded {
			if a.err = q.decode(a.body, a.header); a.err == nil {
				return attempts, nil
			}
			a.err = c.hide(fmt.Errorf("unusable answer with status %d: %w", a.status, a.err))
			verdict = a.judge(q.creates())
		}
		if a.status == http.StatusUnauthorized && a.err == nil && !replayed && c.auth.expire(token) {
			replayed = true
			continue
		}
		var wait time.Duration
		switch {
		case verdict == again && retries < c.maxRetries:
			wait = c.backoff(retries)
			retries++
			if d, ok := a.retryAfter(time.Now()); ok {
				wait = min(d, c.retryMax)
			}
		case a.status == http.StatusNotFound && a.err == nil && c.doubts(q):
			if doubts == 0 {
				doubted = time.Now()
			}
			left := c.lookupFor - time.Since(doubted)
			if left <= 0 {
				return attempts, c.failure(q, a, verdict)
			}
			wait = min(c.backoff(min(doubts, maxDoublings)), left)
			doubts++
		default:
			return attempts, c.failure(q, a, verdict)
		}
		if err := sleep(ctx, wait); err != nil {
			return attempts, fmt.Errorf("%w, while waiting to repeat: %w", err, c.failure(q, a, final))
		}
	}
}

// failure is the error of an attempt that isn't repeated.
func (c *caller) failure(q *request, a *reply, v verdict) error {
	var err error
	if a.err != nil {
		err = fmt.Errorf("%s (request id %s): %w", c.op(q), a.requestID, a.err)
	} else {
		err = c.answerError(c.op(q), a)
	}
	if v == lost {
		return fmt.Errorf("%w: %w", ErrAmbiguous, err)
	}
	return err
}

// op names q in errors.
func (c *caller) op(q *request) string { return c.secrets.redact(q.op()) }

// attempt sends q once and reads the whole answer.
func (c *caller) attempt(ctx context.Context, q *request, token string, n int) *reply {
	url := c.base + q.path
	path := q.path
	if q.query != "" {
		url += "?" + q.query
		path += "?" + q.query
	}
	header := http.Header{}
	if q.body != nil {
		header.Set("Content-Type", "application/json")
	}
	if q.ifMatch != "" {
		header.Set("If-Match", q.ifMatch)
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return c.send(ctx, q.method, url, path, header, q.body, n)
}

// send makes one round trip. A redirect is never followed: the API has none,
// and a credential must not travel along. It doesn't use http.Client, which
// would follow, and whose errors repeat the URL.
func (c *caller) send(ctx context.Context, method, url, path string, header http.Header, body []byte, n int) *reply {
	a := &reply{requestID: uuid.NewString()}
	start := time.Now()
	tctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var connected atomic.Bool
	rctx := httptrace.WithClientTrace(tctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	a.err = func() error {
		req, err := http.NewRequestWithContext(rctx, method, url, bytes.NewReader(body))
		if err != nil {
			a.unsent = true
			return err
		}
		req.Header = header
		req.Header.Set("Accept", "application/json")
		req.Header.Set("User-Agent", c.userAgent)
		req.Header.Set("X-Client-Request-ID", a.requestID)
		resp, err := c.transport.RoundTrip(req)
		if err != nil {
			a.unsent = dialFailed(err) || c.network && !connected.Load()
			return err
		}
		defer resp.Body.Close()
		a.status, a.header = resp.StatusCode, resp.Header
		a.body, err = readAll(resp.Body)
		return err
	}()
	if a.err != nil {
		if tctx.Err() != nil && ctx.Err() == nil {
			a.err = fmt.Errorf("no complete answer within %v", c.timeout)
		}
		a.stopped = ctx.Err() != nil
		a.err = c.hide(a.err)
	}
	if c.trace != nil {
		c.trace(Trace{
			Method: method, Path: c.secrets.redact(path), Status: a.status, RequestID: a.requestID,
			Duration: time.Since(start), ServerTime: serverTime(a.header), Attempt: n, Err: a.err,
		})
	}
	return a
}

// serverTime is the Date of an answer, the zero time if it has none that can be
// read.
func serverTime(h http.Header) time.Time {
	t, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t
}

// errTooLarge ends the reading of an answer that may have no end.
var errTooLarge = fmt.Errorf("the answer is larger than %d MiB", maxAnswer>>20)

func readAll(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, errTooLarge
	}
	return body, nil
}

// sleep waits, unless ctx ends before or is sure to.
func sleep(ctx context.Context, d time.Duration) error {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return context.DeadlineExceeded
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// hidden is an error whose text could repeat what the server sent.
type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string { return h.text }
func (h *hidden) Unwrap() error { return h.err }

// hide removes secrets and control characters from the text of err.
func (c *caller) hide(err error) error {
	if h, ok := err.(*hidden); ok {
		return h
	}
	return &hidden{text: visible(clip(c.secrets.redact(err.Error()))), err: err}
}

package keycard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A fault answers one attempt badly.
type fault func(w http.ResponseWriter)

func status(code int, headers ...string) fault {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		answer(w, code, jsonObject{"status": code, "code": "x", "message": "m"})
	}
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	conn.Close()
}

// raw writes bytes in place of an HTTP answer.
func raw(text string) fault {
	return func(w http.ResponseWriter) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprint(conn, text)
		conn.Close()
	}
}

// cutShort announces more than it sends.
func cutShort(code int) fault {
	return raw(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"id\":\"p1\"", code))
}

// half is a whole HTTP answer with half a JSON value.
func half(w http.ResponseWriter) {
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, `{"id":"p1","na`)
}

// The operations whose rules differ, each on policy p1.
var (
	read   = func(c *Client) error { _, err := c.Policy(context.Background(), "p1"); return err }
	create = func(c *Client) error { _, err := c.CreatePolicy(context.Background(), "n-p1", ""); return err }
	rename = func(c *Client) error {
		_, err := c.RenamePolicy(context.Background(), &Policy{ID: "p1"}, "n-p1")
		return err
	}
	archive = func(c *Client) error { _, err := c.ArchivePolicy(context.Background(), "p1"); return err }
	list    = func(c *Client) error {
		for _, err := range c.Policies(context.Background(), ListOptions{}) {
			if err != nil {
				return err
			}
		}
		return nil
	}
)

func TestRetryRules(t *testing.T) {
	tests := []struct {
		name     string
		do       func(*Client) error
		faults   []fault // of the first attempts; then a success
		attempts int
		want     error // nil: success; errAny: any error that isn't ErrAmbiguous
	}{
		{"a read repeats after 500", read, []fault{status(500)}, 2, nil},
		{"a read repeats after 503 and 502", read, []fault{status(503), status(502)}, 3, nil},
		{"a read repeats after 408", read, []fault{status(408)}, 2, nil},
		{"a read repeats after 429", read, []fault{status(429)}, 2, nil},
		{"a read repeats after a lost connection", read, []fault{hangUp}, 2, nil},
		{"a read repeats after a body that is cut short", read, []fault{cutShort(200)}, 2, nil},
		{"a read repeats after half a JSON value", read, []fault{half}, 2, nil},
		{"a read repeats after garbage", read, []fault{raw("SSH-2.0-x\r\n")}, 2, nil},
		{"a read gives up", read, []fault{status(500), status(500), status(500), status(500), status(500)}, 4, errAny},
		{"a read doesn't repeat after 400", read, []fault{status(400)}, 1, errAny},
		{"a read doesn't repeat after 401 with a fixed token", read, []fault{status(401)}, 1, ErrUnauthorized},
		{"a read doesn't repeat after 403", read, []fault{status(403)}, 1, ErrForbidden},
		{"a read doesn't repeat after 404", read, []fault{status(404)}, 1, ErrNotFound},
		{"a read doesn't repeat after 409", read, []fault{status(409)}, 1, ErrConflict},
		{"a read repeats after 409 if told to", read, []fault{status(409, "x-should-retry", "true")}, 2, nil},
		{"a read doesn't repeat after 500 if told not to", read, []fault{status(500, "x-should-retry", "false")}, 1, errAny},
		{"a read doesn't repeat after 429 if told not to", read, []fault{status(429, "x-should-retry", "false")}, 1, errAny},
		{"a list repeats its page", list, []fault{status(500)}, 2, nil},
		{"a rename repeats after 500", rename, []fault{status(500)}, 2, nil},
		{"a rename repeats after a lost connection", rename, []fault{hangUp}, 2, nil},
		{"a rename doesn't repeat after 412", rename, []fault{status(412)}, 1, ErrPrecondition},
		{"an archive repeats after 503", archive, []fault{status(503)}, 2, nil},
		{"an archive doesn't repeat after 409", archive, []fault{status(409)}, 1, ErrConflict},
		{"a create repeats after 429", create, []fault{status(429), status(429)}, 3, nil},
		{"a create gives up after 429", create, []fault{status(429), status(429), status(429), status(429)}, 4, errAny},
		{"a create doesn't repeat after 429 if told not to", create, []fault{status(429, "x-should-retry", "false")}, 1, errAny},
		{"a create is lost after 500", create, []fault{status(500)}, 1, ErrAmbiguous},
		{"a create is lost after 503 with Retry-After", create, []fault{status(503, "Retry-After", "1")}, 1, ErrAmbiguous},
		{"a create is lost after 500, whatever the server advises", create, []fault{status(500, "x-should-retry", "true")}, 1, ErrAmbiguous},
		{"a create is lost after 500 without advice to repeat", create, []fault{status(500, "x-should-retry", "false")}, 1, ErrAmbiguous},
		{"a create is lost after 408", create, []fault{status(408)}, 1, ErrAmbiguous},
		{"a create is lost when the connection is", create, []fault{hangUp}, 1, ErrAmbiguous},
		{"a create is lost when its answer is cut short", create, []fault{cutShort(201)}, 1, ErrAmbiguous},
		{"a create is lost when its answer is half a value", create, []fault{half}, 1, ErrAmbiguous},
		{"a create is lost when the answer has no id", create, []fault{status(201)}, 1, ErrAmbiguous},
		{"a create is lost after 204", create, []fault{func(w http.ResponseWriter) { w.WriteHeader(204) }}, 1, ErrAmbiguous},
		{"a create doesn't repeat after 400", create, []fault{status(400)}, 1, errAny},
		{"a create doesn't repeat after 404", create, []fault{status(404)}, 1, ErrNotFound},
		{"a create doesn't repeat after 409", create, []fault{status(409)}, 1, ErrConflict},
		{"a create repeats after 409 if told to", create, []fault{status(409, "x-should-retry", "true")}, 2, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var n atomic.Int32
			s, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if i := int(n.Add(1)); i <= len(tt.faults) {
					tt.faults[i-1](w)
					return
				}
				if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/policies") {
					answer(w, 200, jsonObject{"items": []any{}, "pagination": jsonObject{}})
					return
				}
				answer(w, 200, aPolicy("p1"))
			})
			cfg.MaxRetries = 3
			err := tt.do(client(t, cfg))
			if got := s.count(); got != tt.attempts {
				t.Errorf("got %d attempts, want %d: %v", got, tt.attempts, s.calls)
			}
			switch {
			case tt.want == nil && err != nil:
				t.Errorf("got error %v, want none", err)
			case tt.want == errAny && (err == nil || errors.Is(err, ErrAmbiguous)):
				t.Errorf("got %v, want an error that isn't ambiguous", err)
			case tt.want != nil && tt.want != errAny && !errors.Is(err, tt.want):
				t.Errorf("got %v, want %v", err, tt.want)
			case tt.want != ErrAmbiguous && errors.Is(err, ErrAmbiguous):
				t.Errorf("got an ambiguous error: %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), "/zones/z1/policies") {
				t.Errorf("got %q, want the operation in it", err)
			}
		})
	}
}

var errAny = errors.New("any error")

func TestNothingIsSentToAClosedPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, cfg := serve(t, func(http.ResponseWriter, *http.Request) {})
	cfg.BaseURL = "http://" + l.Addr().String()
	cfg.MaxRetries = 2
	var attempts atomic.Int32
	cfg.Trace = func(Trace) { attempts.Add(1) }
	err = create(client(t, cfg))
	if err == nil || errors.Is(err, ErrAmbiguous) {
		t.Errorf("got %v, want an error that isn't ambiguous", err)
	}
	if got := attempts.Load(); got != 3 {
		t.Errorf("got %d attempts, want 3: nothing was sent", got)
	}
}

func TestAConnectionThatNeverBecomesOneIsNotAmbiguous(t *testing.T) {
	// The server takes the connection and says nothing that TLS knows, so that
	// no request can have been sent.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	_, cfg := serve(t, func(http.ResponseWriter, *http.Request) {})
	cfg.BaseURL = "https://" + l.Addr().String()
	err = create(client(t, cfg))
	if err == nil || errors.Is(err, ErrAmbiguous) {
		t.Errorf("got %v, want an error that isn't ambiguous", err)
	}
}

func TestADistrustedCertificateIsNotTriedAgain(t *testing.T) {
	_, cfg := serve(t, func(http.ResponseWriter, *http.Request) {})
	tls := newTLSServer(t)
	cfg.BaseURL = tls
	var attempts atomic.Int32
	cfg.Trace = func(Trace) { attempts.Add(1) }
	if err := read(client(t, cfg)); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want an error about the certificate", err)
	}
	if got := attempts.Load(); got != 1 {
		t.Errorf("got %d attempts, want 1", got)
	}
}

func TestAPauseEndsWithTheContext(t *testing.T) {
	s, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) { status(429, "Retry-After", "30")(w) })
	cfg.RetryMax = time.Minute
	c := client(t, cfg)
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := c.CreatePolicy(ctx, "n", "")
	var answer *Error
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &answer) || answer.Status != 429 {
		t.Errorf("got %v, want the deadline and the 429", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err = c.CreatePolicy(ctx, "n", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
	if got := s.count(); got != 2 {
		t.Errorf("got %d requests, want 2", got)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name    string
		headers []string
		want    time.Duration // 0: none
	}{
		{"none", nil, 0},
		{"seconds", []string{"Retry-After", "3"}, 3 * time.Second},
		{"fractional seconds", []string{"Retry-After", "0.25"}, 250 * time.Millisecond},
		{"milliseconds win", []string{"Retry-After", "3", "Retry-After-Ms", "12.5"}, 12500 * time.Microsecond},
		{"a date, by our clock", []string{"Retry-After", "Sun, 01 Mar 2026 12:00:09 GMT"}, 9 * time.Second},
		{"a date, by the server's clock", []string{"Retry-After", "Sun, 01 Mar 2026 15:00:09 GMT", "Date", "Sun, 01 Mar 2026 15:00:04 GMT"}, 5 * time.Second},
		{"a date in the past", []string{"Retry-After", "Sun, 01 Mar 2020 12:00:09 GMT"}, 0},
		{"a negative number", []string{"Retry-After", "-3"}, 0},
		{"not a number", []string{"Retry-After-Ms", "NaN"}, 0},
		{"infinity", []string{"Retry-After", "Inf"}, 24 * time.Hour},
		{"huge", []string{"Retry-After", "1e300"}, 24 * time.Hour},
		{"garbage", []string{"Retry-After", "soon"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &reply{header: http.Header{}}
			for i := 0; i < len(tt.headers); i += 2 {
				a.header.Set(tt.headers[i], tt.headers[i+1])
			}
			got, ok := a.retryAfter(now)
			if got != tt.want || ok != (tt.want != 0) {
				t.Errorf("got %v %v, want %v", got, ok, tt.want)
			}
		})
	}
}

func TestRetryAfterIsCapped(t *testing.T) {
	var n atomic.Int32
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			status(503, "Retry-After", "86400")(w)
			return
		}
		answer(w, 200, aPolicy("p1"))
	})
	start := time.Now()
	if err := read(client(t, cfg)); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d < cfg.RetryMax || d > 5*time.Second {
		t.Errorf("waited %v, want about %v", d, cfg.RetryMax)
	}
}

func TestBackoff(t *testing.T) {
	c := &caller{retryBase: 500 * time.Millisecond, retryMax: 60 * time.Second}
	for n := range 200 {
		whole := float64(c.retryMax)
		if n < 7 {
			whole = math.Min(whole, float64(c.retryBase)*math.Pow(2, float64(n)))
		}
		got := float64(c.backoff(n))
		if got < whole*0.749 || got > whole {
			t.Errorf("pause %d: got %v, want %v or up to a quarter less", n, time.Duration(got), time.Duration(whole))
		}
	}
}

func TestA404BelowAnOwnCreateIsDoubted(t *testing.T) {
	var misses atomic.Int32
	misses.Store(2)
	s, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/policies"):
			answer(w, 201, aPolicy("mine"))
		case misses.Add(-1) >= 0 || strings.Contains(r.URL.Path, "other"):
			status(404)(w)
		case r.Method == http.MethodPost:
			answer(w, 201, jsonObject{"id": "v1", "policy_id": "mine", "version": 1, "schema_version": "s", "sha": "x"})
		default:
			answer(w, 200, aPolicy("mine"))
		}
	})
	cfg.MaxRetries = 1 // not what bounds these
	c := client(t, cfg)
	ctx := context.Background()
	if err := create(c); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Policy(ctx, "mine"); err != nil {
		t.Errorf("read: got %v", err)
	}
	if got, want := s.count(), 1+3; got != want {
		t.Errorf("read: got %d requests, want %d", got, want)
	}
	misses.Store(3)
	if _, err := c.CreatePolicyVersion(ctx, "mine", "s", "permit(principal, action, resource);"); err != nil {
		t.Errorf("create: got %v", err)
	}
	if got, want := s.count(), 1+3+4; got != want {
		t.Errorf("create: got %d requests, want %d", got, want)
	}
	if _, err := c.Policy(ctx, "other"); !errors.Is(err, ErrNotFound) {
		t.Errorf("somebody else's: got %v, want ErrNotFound", err)
	}
	if got, want := s.count(), 1+3+4+1; got != want {
		t.Errorf("somebody else's: got %d requests, want %d", got, want)
	}
	misses.Store(1 << 20)
	start := time.Now()
	if _, err := c.Policy(ctx, "mine"); !errors.Is(err, ErrNotFound) {
		t.Errorf("gone: got %v, want ErrNotFound", err)
	}
	if d := time.Since(start); d < cfg.LookupFor || d > 10*cfg.LookupFor {
		t.Errorf("gone: looked for %v, want about %v", d, cfg.LookupFor)
	}
}

func TestARepeatedWriteKnowsItsOwnWork(t *testing.T) {
	ctx := context.Background()
	archived := aPolicy("p1")
	archived["archived_at"] = "2026-01-02T00:00:00Z"
	renamed := aPolicy("p1")
	renamed["name"] = "new"
	tests := []struct {
		name    string
		refusal int
		now     jsonObject // what a GET answers; nil: 404
		do      func(*Client) error
		want    error
	}{
		{"a rename that had worked", 412, renamed, func(c *Client) error {
			_, err := c.RenamePolicy(ctx, &Policy{ID: "p1", ETag: `"1"`}, "new")
			return err
		}, nil},
		{"a rename that somebody else's change stopped", 412, aPolicy("p1"), func(c *Client) error {
			_, err := c.RenamePolicy(ctx, &Policy{ID: "p1", ETag: `"1"`}, "new")
			return err
		}, ErrPrecondition},
		{"a set's rename that had worked", 412, renamed, func(c *Client) error {
			_, err := c.RenamePolicySet(ctx, &PolicySet{ID: "p1", ETag: `"1"`}, "new")
			return err
		}, nil},
		{"an archive that had worked", 409, archived, archive, nil},
		{"an archive that is refused", 409, aPolicy("p1"), archive, ErrConflict},
		{"a set's archive that had worked", 412, archived, func(c *Client) error {
			_, err := c.ArchivePolicySet(ctx, &PolicySet{ID: "p1", ETag: `"1"`})
			return err
		}, nil},
		{"a set's archive that hid the set", 404, nil, func(c *Client) error {
			s, err := c.ArchivePolicySet(ctx, &PolicySet{ID: "p1"})
			if err == nil && s.ArchivedAt == nil {
				return errors.New("archived_at is missing")
			}
			return err
		}, nil},
		{"a set's archive that is refused", 409, aPolicy("p1"), func(c *Client) error {
			_, err := c.ArchivePolicySet(ctx, &PolicySet{ID: "p1"})
			return err
		}, ErrConflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var writes atomic.Int32
			_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodGet && tt.now == nil:
					status(404)(w)
				case r.Method == http.MethodGet:
					answer(w, 200, tt.now)
				case writes.Add(1) == 1:
					hangUp(w)
				default:
					status(tt.refusal)(w)
				}
			})
			err := tt.do(client(t, cfg))
			if tt.want == nil && err != nil || !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if got := writes.Load(); got != 2 {
				t.Errorf("got %d writes, want 2", got)
			}
		})
	}
}

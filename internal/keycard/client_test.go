package keycard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func newTLSServer(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = discard()
	s.TLS = &tls.Config{}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var reached atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		answer(w, 200, aPolicy("p1"))
	}))
	defer other.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{other.URL + "/x", "/zones/z1/elsewhere", "http://%zz/"} {
			s, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", target)
				w.WriteHeader(code)
			})
			cfg.Token, cfg.ClientID, cfg.ClientSecret = "", "id", "a-client-secret"
			for name, do := range map[string]func(*Client) error{"read": read, "create": create} {
				// The redirect of the token call comes first.
				before := s.count()
				err := do(client(t, cfg))
				if err == nil || errors.Is(err, ErrAmbiguous) || !strings.Contains(err.Error(), "redirect") {
					t.Errorf("%d, %s, with a client secret: got %v", code, name, err)
				}
				ready := cfg
				ready.ClientID, ready.ClientSecret, ready.Token = "", "", "a-ready-bearer"
				err = do(client(t, ready))
				if err == nil || errors.Is(err, ErrAmbiguous) || !strings.Contains(err.Error(), "redirected") {
					t.Errorf("%d, %s: got %v", code, name, err)
				}
				if got := s.count() - before; got != 2 {
					t.Errorf("%d, %s to %s: got %d requests, want 2", code, name, target, got)
				}
			}
		}
	}
	if got := reached.Load(); got != 0 {
		t.Errorf("the other origin got %d requests, want none", got)
	}
}

func TestARedirectNamesTheOriginAlone(t *testing.T) {
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://login.example.com/a?token=a-ready-bearer&x=1")
		w.WriteHeader(302)
	})
	err := read(client(t, cfg))
	if err == nil || !strings.Contains(err.Error(), "redirected to https://login.example.com;") {
		t.Errorf("got %v", err)
	}
}

func TestIDsAreEscapedOneSegmentEach(t *testing.T) {
	var path string
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.EscapedPath()
		status(404)(w)
	})
	c := client(t, cfg)
	ctx := context.Background()
	for id, want := range map[string]string{
		"a/b":       "/zones/z1/policies/a%2Fb",
		"a?b#c":     "/zones/z1/policies/a%3Fb%23c",
		"../../x":   "/zones/z1/policies/..%2F..%2Fx",
		"a%2Fb":     "/zones/z1/policies/a%252Fb",
		"ä b":       "/zones/z1/policies/%C3%A4%20b",
		"pol:1@2+3": "/zones/z1/policies/pol:1@2+3",
	} {
		if _, err := c.Policy(ctx, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: got %v", id, err)
		}
		if path != want {
			t.Errorf("%q: got path %q, want %q", id, path, want)
		}
	}
	path = ""
	for _, id := range []string{"", ".", "..", "a\nb", "a\x00b", strings.Repeat("x", 2000)} {
		if _, err := c.Policy(ctx, id); err == nil || path != "" {
			t.Errorf("%.20q: got error %v and path %q, want a refusal and no request", id, err, path)
		}
		if _, err := New(cfg, id); err == nil {
			t.Errorf("zone %.20q: got no error", id)
		}
	}
}

func TestAddresses(t *testing.T) {
	good := map[string]string{
		"https://api.example.com":         "https://api.example.com",
		"https://api.example.com/":        "https://api.example.com",
		"https://api.example.com/base/v1": "https://api.example.com/base/v1",
		"http://localhost:8080":           "http://localhost:8080",
		"http://127.0.0.1":                "http://127.0.0.1",
		"http://127.9.8.7:1":              "http://127.9.8.7:1",
		"http://[::1]:80":                 "http://[::1]:80",
		"":                                DefaultBaseURL,
	}
	for raw, want := range good {
		c, err := newCaller(Config{BaseURL: raw, Token: "a-ready-bearer"})
		if err != nil || c.base != want {
			t.Errorf("%q: got %v, want %q", raw, err, want)
		}
	}
	bad := map[string]string{
		"http://api.example.com":           "plain http",
		"http://localhost.example.com":     "plain http",
		"http://127.0.0.1.example.com":     "plain http",
		"http://0.0.0.0":                   "plain http",
		"http://[::ffff:10.0.0.1]":         "plain http",
		"ftp://api.example.com":            "must use https",
		"api.example.com":                  "absolute",
		"https:api.example.com":            "absolute",
		"https://":                         "absolute",
		"//api.example.com":                "must use https",
		"https://user:pa55word@a.example":  "user name",
		"https://a.example?x=pa55word":     "query",
		"https://a.example/?":              "query",
		"https://a.example/#":              "fragment",
		"https://user:pa55word%zz@example": "not a valid URL",
		"https://a.example:pa55word":       "not a valid URL",
	}
	for raw, want := range bad {
		for name, cfg := range map[string]Config{
			"base URL":  {BaseURL: raw, Token: "a-ready-bearer"},
			"token URL": {TokenURL: raw, ClientID: "id", ClientSecret: "a-client-secret"},
		} {
			_, err := New(cfg, "z1")
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %q: got %v, want an error with %q", name, raw, err, want)
			} else if strings.Contains(err.Error(), "pa55word") {
				t.Errorf("%s %q: the error repeats the password: %v", name, raw, err)
			}
		}
	}
}

func TestABasePathIsKept(t *testing.T) {
	s, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 200, aPolicy("p1")) })
	cfg.BaseURL += "/gateway/"
	if err := read(client(t, cfg)); err != nil {
		t.Fatal(err)
	}
	if got, want := s.calls[0], "GET /gateway/zones/z1/policies/p1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTrace(t *testing.T) {
	var n atomic.Int32
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1:
			status(503)(w)
		case 2:
			raw("SSH-2.0-x\r\n")(w)
		default:
			answer(w, 200, aPolicy("p1"))
		}
	})
	var mu sync.Mutex
	var got []Trace
	cfg.Trace = func(tr Trace) { mu.Lock(); got = append(got, tr); mu.Unlock() }
	if _, err := client(t, cfg).PolicyVersion(context.Background(), "p1", "v1", "cedar"); err == nil {
		t.Error("got no error for a policy in place of a version")
	}
	want := []int{503, 0, 200}
	if len(got) != len(want) {
		t.Fatalf("got %d traces, want %d: %+v", len(got), len(want), got)
	}
	ids := map[string]bool{}
	for i, tr := range got {
		if tr.Status != want[i] || tr.Attempt != i+1 || tr.Method != "GET" || tr.Path != "/zones/z1/policies/p1/versions/v1?format=cedar" || tr.Duration <= 0 {
			t.Errorf("attempt %d: got %+v", i+1, tr)
		}
		if (tr.Err != nil) != (tr.Status == 0) {
			t.Errorf("attempt %d: got error %v", i+1, tr.Err)
		}
		if since := time.Since(tr.ServerTime); tr.Status != 0 && (since < -time.Second || since > time.Minute) || tr.Status == 0 && !tr.ServerTime.IsZero() {
			t.Errorf("attempt %d: got the server's time %v", i+1, tr.ServerTime)
		}
		ids[tr.RequestID] = true
	}
	if len(ids) != 3 {
		t.Errorf("got %d request ids, want one for each attempt", len(ids))
	}
}

func TestATransportNeedsNoCredential(t *testing.T) {
	var header http.Header
	cfg := Config{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		header = r.Header
		w := httptest.NewRecorder()
		answer(w, 200, aPolicy("p1"))
		return w.Result(), nil
	})}
	if err := read(client(t, cfg)); err != nil {
		t.Fatal(err)
	}
	if got := header.Get("Authorization"); got != "" {
		t.Errorf("got Authorization %q, want none", got)
	}
	// A transport that isn't net/http's may have sent something: no reports of
	// connections mean nothing.
	cfg.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("broken pipe") })
	if err := create(client(t, cfg)); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("got %v, want ErrAmbiguous", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTimeouts(t *testing.T) {
	release := make(chan struct{})
	s, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select { // answers too late
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	cfg.Timeout = 30 * time.Millisecond
	cfg.MaxRetries = 1
	c := client(t, cfg)
	if err := read(c); err == nil || !strings.Contains(err.Error(), "no complete answer within 30ms") {
		t.Errorf("read: got %v", err)
	}
	if got := s.count(); got != 2 {
		t.Errorf("read: got %d attempts, want 2", got)
	}
	if err := create(c); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("create: got %v, want ErrAmbiguous", err)
	}
	if got := s.count(); got != 3 {
		t.Errorf("create: got %d attempts, want 1", got-2)
	}
}

func TestASlowBodyRunsIntoTheTimeout(t *testing.T) {
	release := make(chan struct{})
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"id":`)
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	cfg.Timeout = 30 * time.Millisecond
	cfg.MaxRetries = -1
	if err := read(client(t, cfg)); err == nil || !strings.Contains(err.Error(), "no complete answer within") {
		t.Errorf("got %v", err)
	}
}

func TestAnEndlessBodyIsCutOff(t *testing.T) {
	s, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	cfg.Timeout = time.Minute
	c := client(t, cfg)
	if err := read(c); !errors.Is(err, errTooLarge) || errors.Is(err, ErrAmbiguous) {
		t.Errorf("read: got %v, want %v", err, errTooLarge)
	}
	if got := s.count(); got != 1 {
		t.Errorf("read: got %d attempts, want 1", got)
	}
	if err := create(c); !errors.Is(err, errTooLarge) || !errors.Is(err, ErrAmbiguous) {
		t.Errorf("create: got %v, want %v and ErrAmbiguous", err, errTooLarge)
	}
}

func TestTheContextIsHonoured(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	s, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	_, err := client(t, cfg).CreatePolicy(ctx, "n", "")
	if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrAmbiguous) {
		t.Errorf("a create under way: got %v, want Canceled and ErrAmbiguous", err)
	}
	_, err = client(t, cfg).CreatePolicy(ctx, "n", "")
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrAmbiguous) {
		t.Errorf("a create that didn't begin: got %v, want Canceled alone", err)
	}
	if got := s.count(); got != 1 {
		t.Errorf("got %d requests, want 1", got)
	}
}

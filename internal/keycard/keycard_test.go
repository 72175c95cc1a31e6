package keycard

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// A service is a real HTTP server on loopback whose answers the test decides.
// It records what it was asked.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	calls []string // method and path with query, in order
}

// serve starts a server with handler and returns it with a configuration that
// points to it, with short pauses.
func serve(t *testing.T, handler http.HandlerFunc) (*service, Config) {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls = append(s.calls, r.Method+" "+r.URL.RequestURI())
		s.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	return s, Config{
		BaseURL: s.URL, Token: "a-ready-bearer",
		Timeout: 5 * time.Second, RetryBase: time.Millisecond, RetryMax: 20 * time.Millisecond, LookupFor: 200 * time.Millisecond,
	}
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

func client(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg, "z1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

type jsonObject = map[string]any

func aPolicy(id string) jsonObject {
	return jsonObject{"id": id, "zone_id": "z1", "name": "n-" + id, "owner_type": "customer", "created_at": "2026-01-01T00:00:00Z"}
}

func TestASingleRead(t *testing.T) {
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.Header.Get("Authorization"), "Bearer a-ready-bearer"; got != want {
			t.Errorf("Authorization: got %q, want %q", got, want)
		}
		if r.Header.Get("User-Agent") != "policypin" || len(r.Header.Get("X-Client-Request-ID")) != 36 {
			t.Errorf("headers: got %v", r.Header)
		}
		w.Header().Set("ETag", `W/"7"`)
		answer(w, 200, aPolicy("p1"))
	})
	p, err := client(t, cfg).Policy(context.Background(), "p1")
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "n-p1" || p.ETag != `W/"7"` || p.CreatedAt.Year() != 2026 {
		t.Errorf("got %+v", p)
	}
}

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

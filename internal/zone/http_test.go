package zone

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestOverHTTP does with a real connection what the other tests do in process.
func TestOverHTTP(t *testing.T) {
	s := fixture(t, withFaults(t, "GET /…/policies/pol_none:drop", "GET /…/policies/pol_kept_1:truncate"))
	server := httptest.NewServer(s)
	defer server.Close()
	get := func(path string) (*http.Response, string, error) {
		resp, err := http.Get(server.URL + "/zones/" + LocalZoneID + path)
		if err != nil {
			return nil, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp, string(b), err
	}
	resp, body, err := get("/policy-sets/ps_active_1")
	if err != nil || resp.StatusCode != 200 || resp.ContentLength != int64(len(body)) || resp.Header.Get("ETag") == "" {
		t.Errorf("got %v, %v, %q", resp, err, body)
	}
	if _, _, err := get("/policies/pol_none"); err == nil {
		t.Error("a dropped answer arrived")
	}
	if resp, body, err := get("/policies/pol_kept_1"); !errors.Is(err, io.ErrUnexpectedEOF) || body == "" {
		t.Errorf("a truncated answer: got %v, %q, %v", resp, body, err)
	}
	resp, body, err = get("/policies%2Fpol_kept_1")
	if err != nil || resp.StatusCode != 404 {
		t.Errorf("an encoded slash: got %v, %q, %v", resp, body, err)
	}
	r, _ := http.NewRequest("PUT", server.URL+"/zones/"+LocalZoneID+"/policies", nil)
	resp, err = http.DefaultClient.Do(r)
	if err != nil || resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, POST" {
		t.Errorf("PUT: got %v, %v", resp, err)
	}
	resp.Body.Close()
	resp, err = http.Post(server.URL+"/zones/"+LocalZoneID+"/policies", "application/json", strings.NewReader(strings.Repeat(" ", maxBodyBytes+1)))
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: got %v, %v", resp, err)
	}
	resp.Body.Close()
}

func TestServeStopsGracefully(t *testing.T) {
	s := open(t, withFaults(t, "GET /…:delay=100ms"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	time.AfterFunc(30*time.Millisecond, cancel)
	resp, err := http.Get("http://" + l.Addr().String() + "/zones/" + LocalZoneID + "/policies")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("a request that was running: got %v, %v", resp, err)
	}
	resp.Body.Close()
	if err := <-served; err != nil {
		t.Errorf("Serve: got %v, want nil after its stop", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := open(t).Serve(context.Background(), l); err == nil {
		t.Error("got no error")
	}
}

func TestTransportHonoursTheContext(t *testing.T) {
	s := open(t, withFaults(t, "GET /…:delay=10s"))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", "http://x/zones/"+LocalZoneID+"/policies", nil)
	for range 2 { // while it waits, and when it has ended before
		if _, err := s.Transport().RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
	}
}

// A panicking store stands for any mistake in a handler.
type panicking struct{ store }

func (panicking) view(func(reader) error) error { panic("a mistake") }

func TestPanicsDontEscape(t *testing.T) {
	s := open(t)
	good := s.zones[LocalZoneID]
	s.zones[LocalZoneID] = panicking{good}
	if a := do(t, s, "GET", "policies", ""); a.status != 500 || a.text("code") != "internal_error" {
		t.Errorf("got %d %s, want 500", a.status, a.raw)
	}
	s.zones[LocalZoneID] = good
	if err := good.update(func(*writer) error { panic("a mistake") }); err == nil {
		t.Error("a panic in a writer: got no error")
	}
	must(t, s, "POST", "policies", `{"name":"after"}`)
}

func TestAfterClose(t *testing.T) {
	s := open(t, inFile(t.TempDir()+"/zone.db"))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	for _, method := range []string{"GET", "POST"} {
		if a := do(t, s, method, "policies", `{"name":"x"}`); a.status != http.StatusServiceUnavailable {
			t.Errorf("%s after Close: got %d, want 503", method, a.status)
		}
	}
}

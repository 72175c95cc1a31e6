package faultproxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// childURL makes this test binary a client that can be killed: it sends three
// requests and prints each answer.
const childURL = "FAULTPROXY_TEST_CHILD_URL"

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		for n := range 3 {
			answer, err := post(http.DefaultClient, fmt.Sprintf("%s/%d", url, n+1), "body")
			fmt.Println(answer, err)
			if err != nil { // the kill is on its way, however busy the machine is
				time.Sleep(time.Minute)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A recorder answers every request with its path and body, and counts them.
type recorder struct {
	mu   sync.Mutex
	seen []string
}

func (s *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.seen = append(s.seen, r.URL.Path)
	s.mu.Unlock()
	fmt.Fprintf(w, "%s:%s", r.URL.Path, body)
}

func (s *recorder) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

func start(t *testing.T, upstream http.Handler) *Proxy {
	t.Helper()
	server := httptest.NewServer(upstream)
	t.Cleanup(server.Close)
	proxy, err := Start(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	return proxy
}

func post(c *http.Client, url, body string) (string, error) {
	resp, err := c.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d after %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	return string(answer), err
}

func TestFaults(t *testing.T) {
	tests := []struct {
		fault     Fault
		answer    string   // to the second of three requests
		err       string   // part of its error, "" for none
		forwarded []string // what the server saw
	}{
		{Fault{}, "/2:two", "", []string{"/1", "/2", "/3"}},
		{Fault{At: 9, Action: Drop}, "/2:two", "", []string{"/1", "/2", "/3"}},
		{Fault{At: 2, Action: Drop}, "", "EOF", []string{"/1", "/2", "/3"}},
		{Fault{At: 2, Action: Refuse}, "", "EOF", []string{"/1", "/3"}},
		{Fault{At: 2, Action: TooManyRequests, RetryAfter: time.Second}, `{"message":"Too Many Requests"}`, `status 429 after "1"`, []string{"/1", "/3"}},
		{Fault{At: 2, Action: TooManyRequests}, `{"message":"Too Many Requests"}`, `status 429 after "0"`, []string{"/1", "/3"}},
		{Fault{At: 2, Action: Unavailable}, `{"message":"Service Unavailable"}`, "status 503", []string{"/1", "/3"}},
		{Fault{At: 2, Action: Unavailable, Times: 2}, `{"message":"Service Unavailable"}`, "status 503", []string{"/1"}},
		{Fault{At: 2, Action: Truncate}, "/2:", "unexpected EOF", []string{"/1", "/2", "/3"}},
	}
	for _, tt := range tests {
		t.Run(tt.fault.String(), func(t *testing.T) {
			server := &recorder{}
			proxy := start(t, server)
			proxy.Arm(tt.fault)
			// One connection for each request, so that the client has no reason
			// to repeat one by itself.
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

			post(client, proxy.URL+"/1", "one")
			answer, err := post(client, proxy.URL+"/2?q=1", "two")
			post(client, proxy.URL+"/3", "three")

			if answer != tt.answer {
				t.Errorf("got answer %q, want %q", answer, tt.answer)
			}
			if got := fmt.Sprint(err); (err == nil) != (tt.err == "") || !strings.Contains(got, tt.err) {
				t.Errorf("got error %v, want %q", err, tt.err)
			}
			if got := server.requests(); !slices.Equal(got, tt.forwarded) {
				t.Errorf("the server saw %q, want %q", got, tt.forwarded)
			}
			want := []Request{{"POST", "/1"}, {"POST", "/2?q=1"}, {"POST", "/3"}}
			if got := proxy.Requests(); !slices.Equal(got, want) {
				t.Errorf("the proxy saw %q, want %q", got, want)
			}
			if got, want := proxy.Fired(), tt.fault.At == 2; got != want {
				t.Errorf("fired: got %t, want %t", got, want)
			}
		})
	}
}

func TestTruncateWithoutBody(t *testing.T) {
	proxy := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	proxy.Arm(Fault{At: 1, Action: Truncate})
	if answer, err := post(http.DefaultClient, proxy.URL, ""); err == nil {
		t.Errorf("got answer %q, want an error", answer)
	}
}

func TestKill(t *testing.T) {
	tests := []struct {
		fault     Fault
		forwarded []string
		printed   string // by the child, at least and at most
	}{
		{Fault{At: 2, Action: KillBefore}, []string{"/1"}, "/1:body <nil>\n"},
		{Fault{At: 2, Action: KillAfterForward}, []string{"/1", "/2"}, "/1:body <nil>\n"},
		{Fault{At: 2, Action: KillAfterAnswer, Grace: 300 * time.Millisecond}, []string{"/1", "/2"}, "/1:body <nil>\n/2:body <nil>\n"},
	}
	for _, tt := range tests {
		t.Run(tt.fault.String(), func(t *testing.T) {
			server := &recorder{}
			proxy := start(t, server)
			proxy.Arm(tt.fault)
			printed, err := runChild(t, proxy)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Exited() {
				t.Errorf("the child ended with %v, want death by a signal", err)
			}
			// In its grace the third request may get as far as the proxy, which
			// ends its connection, so the child may print that.
			if got, _, _ := strings.Cut(printed, ` Post "`); got != tt.printed {
				t.Errorf("the child printed %q, want %q", got, tt.printed)
			}
			if got := server.requests(); !slices.Equal(got, tt.forwarded) {
				t.Errorf("the server saw %q, want %q", got, tt.forwarded)
			}
			if got := proxy.Requests(); len(got) != 2 {
				t.Errorf("the proxy counted %q, want two requests", got)
			}

			proxy.Arm(Fault{})
			if _, err := runChild(t, proxy); err != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}

// runChild runs a client behind the proxy, to be killed, and returns what it
// printed.
func runChild(t *testing.T, proxy *Proxy) (string, error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childURL+"="+proxy.URL)
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	proxy.Aim(func() { cmd.Process.Kill() })
	err = cmd.Wait()
	return out.String(), err
}

// TestStreams sends one chunk at a time and waits for its echo: neither
// direction may be held back until it is complete.
func TestStreams(t *testing.T) {
	proxy := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		rc.Flush()
		chunk := make([]byte, 8)
		for {
			n, err := r.Body.Read(chunk)
			w.Write(chunk[:n])
			rc.Flush()
			if err != nil {
				return
			}
		}
	}))
	body, feed := io.Pipe()
	t.Cleanup(func() { feed.Close() })
	resp, err := http.Post(proxy.URL, "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, word := range []string{"first", "second", "third"} {
		io.WriteString(feed, word)
		got := make([]byte, len(word))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != word {
			t.Fatalf("got %q, %v, want %q", got, err, word)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	for _, upstream := range []string{"", "localhost", "http://127.0.0.1/base", "http://[bad"} {
		if p, err := Start(upstream); err == nil {
			p.Close()
			t.Errorf("Start(%q) succeeded", upstream)
		}
	}
}

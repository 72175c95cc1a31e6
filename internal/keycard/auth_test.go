package keycard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// What a client secret may look like: every character that an encoding changes.
	testID     = "id/with:odd+chars"
	testSecret = `s3cret/+&=%<">~ü`
)

// issue serves tokens tok-1, tok-2, … and policies for whoever has the newest.
func issue(t *testing.T, expiresIn string) (s *service, cfg Config, tokens *atomic.Int32) {
	tokens = new(atomic.Int32)
	s, cfg = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != tokenPath {
			if got, want := r.Header.Get("Authorization"), fmt.Sprintf("Bearer tok-%d", tokens.Load()); got != want {
				status(401)(w)
				return
			}
			answer(w, 200, aPolicy("p1"))
			return
		}
		// Parts of Basic credentials are raw here, unlike RFC 6749, 2.3.1.
		id, secret, ok := r.BasicAuth()
		// An id with a colon can't be told from the secret; the service has none.
		if !ok || id+":"+secret != testID+":"+testSecret {
			t.Errorf("got Basic %q %q", id, secret)
		}
		if err := r.ParseForm(); err != nil || len(r.PostForm) != 1 || r.PostForm.Get("grant_type") != "client_credentials" {
			t.Errorf("got form %v (%v), want the grant type alone", r.PostForm, err)
		}
		if r.Header.Get("User-Agent") != "policypin" || r.Header.Get("X-Client-Request-ID") == "" {
			t.Errorf("got headers %v", r.Header)
		}
		fmt.Fprintf(w, `{"access_token":"tok-%d","token_type":"Bearer"%s}`, tokens.Add(1), expiresIn)
	})
	cfg.Token, cfg.ClientID, cfg.ClientSecret = "", testID, testSecret
	return s, cfg, tokens
}

func TestOneTokenForAHundredRequests(t *testing.T) {
	s, cfg, tokens := issue(t, `,"expires_in":3600`)
	c := client(t, cfg)
	all := func() {
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := read(c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	all()
	if got := tokens.Load(); got != 1 {
		t.Errorf("got %d token calls, want 1", got)
	}
	// A token that is refused for all is replaced once.
	tokens.Store(7)
	all()
	if got := tokens.Load(); got != 8 {
		t.Errorf("after a refusal: got %d token calls, want 1", got-7)
	}
	for _, call := range s.calls {
		if strings.Contains(call, "tok-") {
			t.Errorf("a token is in a URL: %s", call)
		}
	}
}

func TestATokenIsRenewedInTime(t *testing.T) {
	tests := []struct {
		name      string
		expiresIn string
		valid     time.Duration // the last moment at which it is still used
		renewed   time.Duration // the first at which it isn't
	}{
		{"an hour: a minute before", `,"expires_in":3600`, 3538 * time.Second, 3541 * time.Second},
		{"a minute: a tenth before", `,"expires_in":60`, 52 * time.Second, 55 * time.Second},
		{"a number in a string", `,"expires_in":"60"`, 52 * time.Second, 55 * time.Second},
		{"not said: five minutes", ``, 268 * time.Second, 271 * time.Second},
		{"zero: five minutes", `,"expires_in":0`, 268 * time.Second, 271 * time.Second},
		{"negative: five minutes", `,"expires_in":-5`, 268 * time.Second, 271 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, cfg, tokens := issue(t, tt.expiresIn)
			c := client(t, cfg)
			var shift atomic.Int64
			c.c.auth.now = func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
			for _, step := range []struct {
				at   time.Duration
				want int32
			}{{0, 1}, {tt.valid, 1}, {tt.renewed, 2}} {
				shift.Store(int64(step.at))
				if err := read(c); err != nil {
					t.Fatal(err)
				}
				if got := tokens.Load(); got != step.want {
					t.Errorf("after %v: got %d tokens, want %d", step.at, got, step.want)
				}
			}
		})
	}
}

func TestARefusedTokenIsReplacedOnce(t *testing.T) {
	var tokens, requests atomic.Int32
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == tokenPath {
			fmt.Fprintf(w, `{"access_token":"tok-%d"}`, tokens.Add(1))
			return
		}
		requests.Add(1)
		status(401)(w)
	})
	cfg.Token, cfg.ClientID, cfg.ClientSecret = "", testID, testSecret
	for name, do := range map[string]func(*Client) error{"read": read, "create": create} {
		tokens.Store(0)
		requests.Store(0)
		err := do(client(t, cfg))
		if !errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrAmbiguous) {
			t.Errorf("%s: got %v, want ErrUnauthorized", name, err)
		}
		if tokens.Load() != 2 || requests.Load() != 2 {
			t.Errorf("%s: got %d token calls and %d requests, want 2 and 2", name, tokens.Load(), requests.Load())
		}
	}
}

func TestTokenCalls(t *testing.T) {
	good := func(w http.ResponseWriter) { fmt.Fprint(w, `{"access_token":"tok-1","token_type":"bearer"}`) }
	body := func(code int, text string) fault {
		return func(w http.ResponseWriter) { w.WriteHeader(code); fmt.Fprint(w, text) }
	}
	tests := []struct {
		name     string
		faults   []fault
		attempts int
		want     string // in the error; "" for success
	}{
		{"429 is repeated", []fault{status(429), good}, 2, ""},
		{"500 is repeated", []fault{status(500), good}, 2, ""},
		{"a lost connection is repeated", []fault{hangUp, good}, 2, ""},
		{"an answer that is cut short is repeated", []fault{cutShort(200), good}, 2, ""},
		{"a plain text type doesn't matter", []fault{func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/plain")
			good(w)
		}}, 1, ""},
		{"it gives up", []fault{status(500), status(500), status(500)}, 3, "500"},
		{"401 is final", []fault{body(401, `{"error":"invalid_client","error_description":"no such client"}`)}, 1, "401 Unauthorized (invalid_client): no such client"},
		{"400 is final", []fault{status(400)}, 1, "400"},
		{"404 is final", []fault{status(404)}, 1, "404"},
		{"an error with status 200", []fault{body(200, `{"error":"invalid_client","error_description":"no"}`)}, 1, "invalid_client"},
		{"no token", []fault{body(200, `{"token_type":"Bearer"}`)}, 1, "missing access_token"},
		{"a token with a line break", []fault{body(200, `{"access_token":"a\r\nX-Evil: 1"}`)}, 1, "characters that no token has"},
		{"another token type", []fault{body(200, `{"access_token":"abcdef","token_type":"mac"}`)}, 1, "not Bearer"},
		{"not JSON", []fault{body(200, `<html>`)}, 1, "unusable answer"},
		{"an empty answer", []fault{body(200, ``)}, 1, "unusable answer"},
		{"a number for a token", []fault{body(200, `{"access_token":7}`)}, 1, "unusable answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var n atomic.Int32
			_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != tokenPath {
					answer(w, 200, aPolicy("p1"))
					return
				}
				tt.faults[min(int(n.Add(1)), len(tt.faults))-1](w)
			})
			cfg.Token, cfg.ClientID, cfg.ClientSecret, cfg.MaxRetries = "", testID, testSecret, 2
			err := create(client(t, cfg))
			if got := int(n.Load()); got != tt.attempts {
				t.Errorf("got %d token calls, want %d", got, tt.attempts)
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if errors.Is(err, ErrAmbiguous) {
				t.Errorf("got %v: a create that was never sent is not ambiguous", err)
			}
			if err != nil && !strings.Contains(err.Error(), tokenPath) {
				t.Errorf("got %v, want the token call in it", err)
			}
		})
	}
}

func TestWaitingForATokenEndsWithTheContext(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != tokenPath {
			answer(w, 200, aPolicy("p1"))
			return
		}
		if err := r.ParseForm(); err != nil { // net/http sees the client go once the body is read
			t.Error(err)
		}
		once.Do(func() { close(arrived) })
		select {
		case <-release:
			fmt.Fprint(w, `{"access_token":"tok-1"}`)
		case <-r.Context().Done():
		}
	})
	cfg.Token, cfg.ClientID, cfg.ClientSecret = "", testID, testSecret
	c := client(t, cfg)
	first, cancel := context.WithCancel(context.Background())
	failed, worked := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.Policy(first, "p1"); failed <- err }()
	<-arrived
	go func() { worked <- read(c) }()
	for { // until the second waits as well
		c.c.auth.mu.Lock()
		waiting := c.c.auth.call.waiting
		c.c.auth.mu.Unlock()
		if waiting == 2 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: got %v, want Canceled", err)
	}
	close(release)
	if err := <-worked; err != nil {
		t.Errorf("the second shares the call of the first, but not its end: got %v", err)
	}
}

func TestATokenCallThatNobodyWaitsForIsStopped(t *testing.T) {
	stopped := make(chan struct{})
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil { // net/http sees the client go once the body is read
			t.Error(err)
		}
		<-r.Context().Done()
		close(stopped)
	})
	cfg.Token, cfg.ClientID, cfg.ClientSecret = "", testID, testSecret
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := client(t, cfg).Policy(ctx, "p1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	select {
	case <-stopped:
	case <-time.After(4 * time.Second): // below the timeout of the request
		t.Error("the token call went on")
	}
}

func TestATokenURLOfItsOwn(t *testing.T) {
	tokens, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"access_token":"tok-1"}`) })
	api, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 200, aPolicy("p1")) })
	cfg.Token, cfg.ClientID, cfg.ClientSecret, cfg.TokenURL = "", testID, testSecret, tokens.URL+"/oauth/token"
	if err := read(client(t, cfg)); err != nil {
		t.Fatal(err)
	}
	if api.count() != 1 || len(tokens.calls) != 1 || tokens.calls[0] != "POST /oauth/token" {
		t.Errorf("got %v and %v", api.calls, tokens.calls)
	}
}

func TestWaysToAuthenticate(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
		want string
	}{
		{"none", Config{}, "no credentials"},
		{"client and token", Config{ClientID: "i", ClientSecret: "a-secret", Token: "a-token"}, "several ways"},
		{"client and command", Config{ClientID: "i", ClientSecret: "a-secret", TokenCommand: "x"}, "several ways"},
		{"token and command", Config{Token: "a-token", TokenCommand: "x"}, "several ways"},
		{"id alone", Config{ClientID: "i"}, "incomplete"},
		{"secret alone", Config{ClientSecret: "a-secret"}, "incomplete"},
		{"a token with a line break", Config{Token: "a-token\n"}, "characters that no token has"},
		{"a token with an accent", Config{Token: "a-tokén"}, "characters that no token has"},
	}
	for _, tt := range tests {
		_, err := New(tt.cfg, "z1")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		} else if strings.Contains(err.Error(), "a-") {
			t.Errorf("%s: the error holds a secret: %v", tt.name, err)
		}
	}
}

func TestTokenCommand(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the commands are for a POSIX shell")
	}
	count := filepath.Join(t.TempDir(), "count")
	tests := []struct {
		name, command string
		want          string // in the error; "" for success
	}{
		{"its output is trimmed", "printf ' tok-1\\n\\n'", ""},
		{"it is read by the shell", "x=tok; echo \"$x-$((0+1))\"", ""},
		{"what it complains about is shown", "echo 'not signed in' >&2; exit 3", "exit status 3: not signed in"},
		{"what it printed is not, even in its complaints", "echo half-a-token; echo got half-a-token >&2; exit 1", "exit status 1: got ***"},
		{"control characters are escaped", "printf '\\033[31mno' >&2; exit 1", `\x1b[31mno`},
		{"nothing", "true", "it printed nothing"},
		{"two lines", "printf 'one-token\\ntwo-token\\n'; echo two-token >&2", "not a single token: ***"},
		{"too much", "head -c 200000 /dev/zero | tr '\\0' x", "not a single token"},
		{"no end", "sleep 3", "no end within"},
		{"a child that keeps the pipe", "sleep 3 & exit 4", "exit status 4"},
		{"a child that keeps the pipe of a good answer", "echo tok-1; sleep 3 &", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Authorization"); got != "Bearer tok-1" {
					t.Errorf("got %q", got)
				}
				answer(w, 200, aPolicy("p1"))
			})
			cfg.Token, cfg.TokenCommand, cfg.Timeout = "", tt.command, 300*time.Millisecond
			err := read(client(t, cfg))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "-token") {
				t.Errorf("the error holds what the command printed: %v", err)
			}
		})
	}

	// It runs again when its token is refused, and only then.
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer tok-xx" {
			status(401)(w)
			return
		}
		answer(w, 200, aPolicy("p1"))
	})
	cfg.Token, cfg.TokenCommand = "", fmt.Sprintf("printf x >>'%s'; echo tok-$(cat '%s')", count, count)
	c := client(t, cfg)
	for range 3 {
		if err := read(c); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := c.Secrets(), []string{"tok-x", "tok-xx"}; strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got secrets %q, want %q", got, want)
	}
}

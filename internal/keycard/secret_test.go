package keycard

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/policypin/policypin/internal/redact"
)

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

// echoes are the ways in which a server could repeat a secret.
var echoes = map[string]func(string) string{
	"plain":           func(s string) string { return s },
	"query":           url.QueryEscape,
	"path":            url.PathEscape,
	"lower escapes":   func(s string) string { return percent.ReplaceAllStringFunc(url.QueryEscape(s), strings.ToLower) },
	"hex":             func(s string) string { return hex.EncodeToString([]byte(s)) },
	"base64":          func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 url":      func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
	"Basic":           func(s string) string { return base64.StdEncoding.EncodeToString([]byte(testID + ":" + s)) },
	"inside base64":   func(s string) string { return base64.StdEncoding.EncodeToString([]byte("{" + s + "}")) },
	"base64 in a URL": func(s string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s))) },
	"quoted":          strconv.Quote,
	"JSON": func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			panic(err)
		}
		return string(b)
	},
}

// leaks tells whether text holds any recognizable form of secret.
func leaks(text, secret string) bool {
	for _, echo := range echoes {
		if strings.Contains(text, echo(secret)) {
			return true
		}
	}
	var known redact.Secrets
	known.Add(secret)
	return known.String(text) != text
}

func TestSecretsAreNeverInErrorsOrTraces(t *testing.T) {
	const token = "eyJhbGciOi.J9/tok+en==~x"
	for name, echo := range echoes {
		for shape, body := range map[string]func(string) string{
			"message": func(e string) string {
				return mustJSON(jsonObject{"status": 400, "code": "bad", "message": "you sent " + e})
			},
			"code":    func(e string) string { return mustJSON(jsonObject{"status": 400, "code": e, "message": "m"}) },
			"details": func(e string) string { return mustJSON(jsonObject{"message": "m", "details": []any{e}}) },
			"id":      func(e string) string { return mustJSON(jsonObject{"message": "m", "request_id": e}) },
			"text":    func(e string) string { return "<p>" + e + "</p>" },
			"broken":  func(e string) string { return `{"id":"p1","name":"n","created_at":` + mustJSON("at "+e) + `}` },
			"zone":    func(e string) string { return `{"id":"p1","name":"n","zone_id":` + mustJSON(e) + `}` },
		} {
			for _, code := range []int{200, 400, 401, 500} {
				for _, secret := range []string{token, testSecret} {
					_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
						if r.URL.Path == tokenPath && secret == token {
							fmt.Fprint(w, mustJSON(jsonObject{"access_token": token}))
							return
						}
						w.WriteHeader(code)
						fmt.Fprint(w, body(echo(secret)))
					})
					cfg.Token, cfg.ClientID, cfg.ClientSecret, cfg.MaxRetries = "", testID, testSecret, -1
					var mu sync.Mutex
					var traced strings.Builder
					cfg.Trace = func(tr Trace) { mu.Lock(); fmt.Fprintf(&traced, "%+v\n", tr); mu.Unlock() }
					err := create(client(t, cfg))
					if err == nil {
						t.Fatalf("%s in %s, %d: got no error", name, shape, code)
					}
					var e *Error
					text := err.Error()
					if errors.As(err, &e) {
						text += e.Message + e.Code + e.RequestID
					}
					if leaks(text, secret) {
						t.Errorf("%s in %s, %d: the error leaks: %v", name, shape, code, text)
					}
					if leaks(traced.String(), secret) {
						t.Errorf("%s in %s, %d: the trace leaks: %s", name, shape, code, traced.String())
					}
				}
			}
		}
	}
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestSecretsInWhatIsNotHTTP(t *testing.T) {
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		raw("you-sent-" + strings.Fields(r.Header.Get("Authorization"))[1] + "\r\n\r\n")(w)
	})
	cfg.MaxRetries = -1
	err := read(client(t, cfg))
	if err == nil || leaks(err.Error(), cfg.Token) || !strings.Contains(err.Error(), redact.Mask) {
		t.Errorf("got %v, want an error with %s", err, redact.Mask)
	}
}

func TestSecretsInAPath(t *testing.T) {
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) { status(404)(w) })
	cfg.Trace = func(tr Trace) {
		if leaks(tr.Path, cfg.Token) {
			t.Errorf("got path %q", tr.Path)
		}
	}
	_, err := client(t, cfg).Policy(context.Background(), cfg.Token)
	if err == nil || leaks(err.Error(), cfg.Token) {
		t.Errorf("got %v", err)
	}
}

func TestSecretsAreReported(t *testing.T) {
	_, cfg, tokens := issue(t, "")
	var mu sync.Mutex
	var told []string
	cfg.OnSecret = func(s string) { mu.Lock(); told = append(told, s); mu.Unlock() }
	c := client(t, cfg)
	if got, want := c.Secrets(), []string{testSecret}; !slices.Equal(got, want) {
		t.Errorf("at first: got %q, want %q", got, want)
	}
	if err := read(c); err != nil {
		t.Fatal(err)
	}
	tokens.Store(1)
	c.c.auth.expire("tok-1")
	if err := read(c); err != nil {
		t.Fatal(err)
	}
	want := []string{testSecret, "tok-1", "tok-2"}
	if got := c.Secrets(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if got, want := c.c.secrets.redact("id "+testID+", token tok-2."), "id "+testID+", token ***."; got != want {
		t.Errorf("got %q, want %q: the client id is no secret", got, want)
	}
}

func TestAShortSecretDoesNotBlotOutWords(t *testing.T) {
	s := &secrets{}
	s.add("ab")
	if got, want := s.redact("about cabs"), "about cabs"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

package keycard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/jws"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/zone"
)

// keysOf reads the key set of a zone that says it is at an address, and returns
// the headers with which the address was asked.
func keysOf(t *testing.T, zoneSays func(base string) string, answer http.HandlerFunc) ([]byte, []http.Header, error) {
	t.Helper()
	var asked []http.Header
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Clone())
		answer(w, r)
	}))
	defer keys.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(zoneSays(keys.URL)))
	}))
	defer api.Close()
	r, err := keycard.NewReader(keycard.Config{
		BaseURL: api.URL, Token: "not-a-real-token-0001", RetryBase: time.Millisecond, MaxRetries: 2,
	}, "zone_1")
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.KeySet(context.Background())
	return text, asked, err
}

func TestKeySet(t *testing.T) {
	at := func(base string) string {
		return `{"id":"zone_1","protocols":{"oauth2":{"jwks_uri":"` + base + `/jwks"}}}`
	}
	good := func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"keys":[]}`)) }
	calls := 0
	for _, tt := range []struct {
		name   string
		zone   func(string) string
		answer http.HandlerFunc
		want   string // part of the error; "" for the keys
		asked  int
	}{
		{"another origin than the API's", at, good, "", 1},
		{"an answer at the second try", at, func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			good(w, r)
		}, "", 2},
		{"no answer at all", at, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "503", 3},
		{"nothing there", at, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "404", 1},
		{"a redirect", at, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, "302", 1},
		{"plain http to another machine", func(string) string {
			return `{"id":"zone_1","protocols":{"oauth2":{"jwks_uri":"http://keys.example.com/jwks"}}}`
		}, good, "https", 0},
		{"a file", func(string) string {
			return `{"id":"zone_1","protocols":{"oauth2":{"jwks_uri":"file:///etc/keys"}}}`
		}, good, "absolute URL", 0},
		{"no address", func(string) string { return `{"id":"zone_1"}` }, good, "doesn't say where its keys are", 0},
		{"another zone", func(base string) string { return strings.Replace(at(base), "zone_1", "zone_2", 1) }, good, "zone_2", 0},
		{"an address of another type", func(string) string { return `{"id":"zone_1","protocols":{"oauth2":{"jwks_uri":7}}}` }, good, "jwks_uri", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, asked, err := keysOf(t, tt.zone, tt.answer)
			if tt.want == "" && (err != nil || string(text) != `{"keys":[]}`) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %s, %v, want %q", text, err, tt.want)
			}
			if len(asked) != tt.asked {
				t.Errorf("the address was asked %d times, want %d", len(asked), tt.asked)
			}
			for _, h := range asked {
				if h.Get("Authorization") != "" {
					t.Error("a credential was sent along")
				}
			}
		})
	}
}

func TestKeySetOfTheLocalZone(t *testing.T) {
	c := open(t, zone.Options{}, nil)
	text, err := c.KeySet(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := jws.ParseKeySet(text); err != nil || len(keys.IDs()) != 1 {
		t.Errorf("got %s, %v, want one key", text, err)
	}
}

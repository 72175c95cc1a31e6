package zone

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func withAuth(o *Options) {
	o.NoAuth = false
	o.Tokens = []string{"ready-bearer"}
	o.ClientID, o.ClientSecret = "client", "s%cret +"
}

func token(t *testing.T, s *Server, body, user, password string) answer {
	t.Helper()
	headers := []string{"Content-Type", "application/x-www-form-urlencoded"}
	if user != "" {
		r, _ := http.NewRequest("POST", "/", nil)
		r.SetBasicAuth(user, password)
		headers = append(headers, "Authorization", r.Header.Get("Authorization"))
	}
	return do(t, s, "POST", "/service-account-token", body, headers...)
}

func TestTokens(t *testing.T) {
	s := open(t, withAuth)
	const grant = "grant_type=client_credentials"
	for _, test := range []struct {
		name, body, user, password string
		status                     int
		want                       string
	}{
		{"Basic", grant, "client", "s%cret +", 200, ""},
		{"Basic, form-encoded", grant, "client", "s%25cret+%2B", 200, ""},
		{"form fields", grant + "&client_id=client&client_secret=s%25cret+%2B", "", "", 200, ""},
		{"both", grant + "&client_id=client", "client", "s%cret +", 400, "invalid_request"},
		{"neither", grant, "", "", 401, "invalid_client"},
		{"a wrong secret", grant, "client", "secret", 401, "invalid_client"},
		{"a wrong client", grant, "other", "s%cret +", 401, "invalid_client"},
		{"another grant", "grant_type=password", "client", "s%cret +", 400, "unsupported_grant_type"},
		{"no grant", "", "client", "s%cret +", 400, "invalid_request"},
		{"a body that isn't a form", "%zz", "client", "s%cret +", 400, "invalid_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := token(t, s, test.body, test.user, test.password)
			if a.status != test.status || a.text("error") != test.want {
				t.Fatalf("got %d %s, want %d %s", a.status, a.raw, test.status, test.want)
			}
			if strings.Contains(a.raw, "s%cret") {
				t.Errorf("the answer has the secret: %s", a.raw)
			}
			if test.status != 200 {
				return
			}
			if a.text("token_type") != "Bearer" || a.text("expires_in") != "3600" {
				t.Errorf("answer: got %s", a.raw)
			}
			p := must(t, s, "POST", "policies", `{"name":"`+strings.ReplaceAll(test.name, ",", "")+`"}`, "Authorization", "Bearer "+a.text("access_token"))
			if p.text("created_by") != "client" {
				t.Errorf("created_by: got %q, want the client", p.text("created_by"))
			}
		})
	}
	if a := do(t, s, "GET", "/service-account-token", ""); a.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: got %d, want 405", a.status)
	}
}

func TestBearers(t *testing.T) {
	s := open(t, withAuth)
	good := token(t, s, "grant_type=client_credentials", "client", "s%cret +").text("access_token")
	text, sum, _ := strings.Cut(good, ".")
	for _, test := range []struct {
		name, header string
		status       int
	}{
		{"no header", "", 401},
		{"another scheme", "Basic cmVhZHktYmVhcmVy", 401},
		{"an empty token", "Bearer ", 401},
		{"an unknown token", "Bearer nope", 401},
		{"a token without its signature", "Bearer " + text + ".", 401},
		{"a token with another content", "Bearer x" + text + "." + sum, 401},
		{"a ready bearer", "Bearer ready-bearer", 200},
		{"the scheme in lower case", "bearer ready-bearer", 200},
		{"an issued token", "Bearer " + good, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := []string{"Authorization", test.header}
			if test.header == "" {
				headers = nil
			}
			a := do(t, s, "GET", "policies", "", headers...)
			if a.status != test.status {
				t.Errorf("got %d %s, want %d", a.status, a.raw, test.status)
			}
			if a.status == 401 && (a.text("code") != "unauthorized" || a.header.Get("WWW-Authenticate") == "") {
				t.Errorf("got %s with %v", a.raw, a.header)
			}
		})
	}
	// Whoever has no token learns nothing about what exists.
	if a := do(t, s, "GET", "/zones/none", ""); a.status != 401 {
		t.Errorf("an unknown zone without a token: got %d, want 401", a.status)
	}
	if a := do(t, open(t, withAuth), "GET", "policies", "", "Authorization", "Bearer "+good); a.status != 401 {
		t.Errorf("a token of another process: got %d, want 401", a.status)
	}
}

func TestTokenLifetime(t *testing.T) {
	s := open(t, withAuth, func(o *Options) { o.TokenLifetime = 20 * time.Millisecond })
	a := token(t, s, "grant_type=client_credentials", "client", "s%cret +")
	if got := a.text("expires_in"); got != "0" {
		t.Errorf("expires_in: got %q, want 0 whole seconds", got)
	}
	time.Sleep(30 * time.Millisecond)
	got := do(t, s, "GET", "policies", "", "Authorization", "Bearer "+a.text("access_token"))
	if got.status != 401 || !strings.Contains(got.text("message"), "expired") {
		t.Errorf("after its lifetime: got %d %s", got.status, got.raw)
	}

	s = open(t, withAuth, func(o *Options) { o.TokenLifetime = -1 })
	a = token(t, s, "grant_type=client_credentials", "client", "s%cret +")
	if _, ok := a.body["expires_in"]; ok {
		t.Errorf("expires_in is left out: got %s", a.raw)
	}
	must(t, s, "GET", "policies", "", "Authorization", "Bearer "+a.text("access_token"))
}

// TestNoCredentialsNoEntry: a server without any accepts no empty ones.
func TestNoCredentialsNoEntry(t *testing.T) {
	s := open(t, func(o *Options) { o.NoAuth, o.Tokens = false, []string{""} })
	if a := token(t, s, "grant_type=client_credentials&client_id=&client_secret=", "", ""); a.status != 401 {
		t.Errorf("empty credentials: got %d, want 401", a.status)
	}
	if a := do(t, s, "GET", "policies", "", "Authorization", "Bearer "); a.status != 401 {
		t.Errorf("an empty bearer: got %d, want 401", a.status)
	}
}

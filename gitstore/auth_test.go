package gitstore

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/policypin/policypin/internal/gittest"
)

const secret = "s3cr3t/t0ken+x"

func getenv(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// secretSite serves a site to x-access-token with the secret.
func secretSite(t *testing.T) (*site, string) {
	s := newSite(t, 1)
	return s, gittest.Serve(t, s.root, gittest.ServeOptions{User: "x-access-token", Password: secret}).URL + "/remote.git"
}

func TestCredentialsAreFound(t *testing.T) {
	pair := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + secret))
	for name, c := range map[string]struct {
		env    []string
		config func(t *testing.T, s *site, host string)
		user   string
	}{
		"POLICYPIN_GIT_TOKEN before GITHUB_TOKEN": {env: []string{"POLICYPIN_GIT_TOKEN", secret, "GITHUB_TOKEN", "wrong"}},
		"GITHUB_TOKEN before the URL":             {env: []string{"GITHUB_TOKEN", secret}, user: "a:b@"},
		"the URL":                                 {user: "x-access-token:" + url.QueryEscape(secret) + "@"},
		"extraheader in .git/config": {config: func(t *testing.T, s *site, host string) {
			gittest.Git(t, s.work, "config", "http."+host+"/.extraheader", "AUTHORIZATION: basic "+pair)
		}},
		"extraheader behind includeIf, as actions/checkout leaves it": {config: func(t *testing.T, s *site, host string) {
			file := filepath.Join(t.TempDir(), "git-credentials.config")
			text := fmt.Sprintf("[http %q]\n\textraheader = AUTHORIZATION: basic %s\n", host+"/", pair)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			dir := gittest.Git(t, s.work, "rev-parse", "--absolute-git-dir")
			gittest.Git(t, s.work, "config", "includeIf.gitdir:"+dir+".path", file)
		}},
		"a credential helper": {config: func(t *testing.T, s *site, host string) {
			gittest.Git(t, s.work, "config", "credential.helper", "!f() { test $1 = get && echo username=x-access-token && echo password="+secret+"; }; f")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, remoteURL := secretSite(t)
			host := strings.TrimSuffix(remoteURL, "/remote.git")
			if c.config != nil {
				c.config(t, s, host)
			}
			remoteURL = strings.Replace(remoteURL, "http://", "http://"+c.user, 1)
			o := origin(t, openRepo(t, s.work, nil), RemoteOptions{Name: remoteURL, Getenv: getenv(c.env...)})
			if err := o.CheckPush(t.Context()); err != nil {
				t.Fatal(err)
			}
			results, err := o.PushPins(t.Context(), []*Pin{pinOf(t, s.tip(), "agents", 1)})
			pushed(t, results, err)
			if strings.Contains(o.Name(), secret) || strings.Contains(o.Name(), "@") {
				t.Errorf("the name shows the user: %s", o.Name())
			}
		})
	}
}

// Which credential goes where, for servers that aren't on this machine.
func TestCredentialsStayWhereTheyBelong(t *testing.T) {
	s := newSite(t, 1)
	repo := openRepo(t, s.work, nil)
	both := []string{"GITHUB_TOKEN", "gh-token"}
	for _, c := range []struct {
		url  string
		env  []string
		want string // source; "" for none
	}{
		{"https://github.com/o/r", both, "GITHUB_TOKEN"},
		{"https://GitHub.com:443/o/r", both, "GITHUB_TOKEN"},
		{"https://github.com.evil.example/o/r", both, ""},
		{"https://gitlab.example/o/r", both, ""},
		{"http://github.com/o/r", both, ""},
		{"https://github.com/o/r", append([]string{"GITHUB_SERVER_URL", "https://ghe.example"}, both...), ""},
		{"https://ghe.example/o/r", append([]string{"GITHUB_SERVER_URL", "https://ghe.example"}, both...), "GITHUB_TOKEN"},
		{"https://gitlab.example/o/r", []string{"POLICYPIN_GIT_TOKEN", "token"}, "POLICYPIN_GIT_TOKEN"},
		{"http://gitlab.example/o/r", []string{"POLICYPIN_GIT_TOKEN", "token"}, ""},
		{"http://user:password@gitlab.example/o/r", nil, ""},
		{"https://user:password@gitlab.example/o/r", nil, "the user in the URL"},
		{"http://localhost:8080/o/r", both, "GITHUB_TOKEN"},
		{"http://[::1]:8080/o/r", both, "GITHUB_TOKEN"},
		{"http://127.0.0.1.evil.example/o/r", both, ""},
	} {
		e, err := repo.endpoint(c.url, getenv(c.env...))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if m := e.auth.method(t.Context()); m != nil {
			got = m.Name()
		}
		if got != c.want {
			t.Errorf("%s with %q: got %q, want %q", c.url, c.env, got, c.want)
		}
		if e.at.Password != "" || strings.Contains(e.shown, "password") {
			t.Errorf("%s: the password stays in the endpoint: %s", c.url, e.shown)
		}
	}
}

// Servers may repeat what they were sent.
func TestNoSecretInErrors(t *testing.T) {
	for _, status := range []int{401, 403, 404, 500} {
		echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			user, password, _ := r.BasicAuth()
			fmt.Fprintf(w, "\x1b[31myou sent %s: %s %s %s %s", r.Header.Get("Authorization"), user, password, url.QueryEscape(password), strings.Repeat("x", 1<<20))
		}))
		defer echo.Close()
		s := newSite(t, 1)
		withUser := strings.Replace(echo.URL, "://", "://bob:hunter22@", 1) + "/remote.git"
		o := origin(t, openRepo(t, s.work, nil), RemoteOptions{Name: withUser, Getenv: getenv("POLICYPIN_GIT_TOKEN", secret)})
		_, err := o.PushPins(t.Context(), []*Pin{pinOf(t, s.tip(), "agents", 1)})
		if err == nil {
			t.Fatalf("status %d is a success", status)
		}
		for _, bad := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte("x-access-token:" + secret)), "hunter22", "\x1b"} {
			if strings.Contains(err.Error(), bad) {
				t.Errorf("status %d: the error shows %q: %.300s", status, bad, err)
			}
		}
		if len(err.Error()) > 2*maxWords {
			t.Errorf("status %d: the error has %d bytes", status, len(err.Error()))
		}
		if got := errors.Is(err, ErrAccess); got != (status != 500) {
			t.Errorf("status %d: ErrAccess is %v: %.300s", status, got, err)
		}
		if status == 401 && !strings.Contains(err.Error(), "POLICYPIN_GIT_TOKEN") {
			t.Errorf("the error doesn't say which credential was refused: %.300s", err)
		}
	}
}

// A redirect to another origin is followed without credentials, for a listing
// as for a push.
func TestRedirectCarriesNoCredentials(t *testing.T) {
	s := newSite(t, 1)
	var leaked, seen atomic.Int32
	other := gittest.Serve(t, s.root, gittest.ServeOptions{Wrap: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen.Add(1)
			if r.Header.Get("Authorization") != "" {
				leaked.Add(1)
			}
			h.ServeHTTP(w, r)
		})
	}})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	defer front.Close()
	o := origin(t, openRepo(t, s.work, nil), RemoteOptions{Name: front.URL + "/remote.git", Getenv: getenv("POLICYPIN_GIT_TOKEN", secret)})
	if _, err := o.Refs(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := o.PushPins(t.Context(), []*Pin{pinOf(t, s.tip(), "agents", 1)}); err != nil {
		t.Error(err)
	}
	if seen.Load() == 0 || leaked.Load() > 0 {
		t.Errorf("%d of %d requests to the other server carried credentials", leaked.Load(), seen.Load())
	}
}

func TestRemoteIsFoundByNameOrURL(t *testing.T) {
	s := newSite(t, 1)
	open := func(name string) (Origin, error) {
		r := openRepo(t, s.work, nil)
		return r.Remote(RemoteOptions{Name: name})
	}
	gittest.Git(t, s.work, "config", "url."+s.root+"/.insteadOf", "short:")
	gittest.Git(t, s.work, "remote", "add", "mirror", "short:remote.git")
	rel, err := filepath.Rel(s.work, s.bare)
	if err != nil {
		t.Fatal(err)
	}
	gittest.Git(t, s.work, "remote", "add", "relative", rel)
	for name, want := range map[string]string{
		"":                  "origin (" + s.bare + ")",
		"origin":            "origin (" + s.bare + ")",
		"mirror":            "mirror (" + s.bare + ")",
		"relative":          "relative (" + s.bare + ")",
		s.bare:              s.bare,
		"short:remote.git":  s.bare,
		"file://" + s.bare:  "file://" + s.bare,
		"git@host.ex:a/b":   "ssh://git@host.ex/a/b",
		"https://u:p@h.ex/": "https://h.ex/",
	} {
		o, err := open(name)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if o.Name() != want {
			t.Errorf("%q: got %s, want %s", name, o.Name(), want)
		}
		if strings.Contains(want, s.bare) {
			if refs, err := o.Refs(t.Context()); err != nil || refs.Head != "main" {
				t.Errorf("%q: got %v, %v", name, refs, err)
			}
		}
	}
	if _, err := open("nowhere"); !errors.Is(err, ErrNoRemote) {
		t.Errorf("an unknown name: got %v", err)
	}
	if _, err := open("git://host.ex/x"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("git://: got %v", err)
	}
	for _, u := range []string{"ext::sh -c x", "codecommit::eu-west-1://policies"} {
		if _, err := open(u); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "helper of git") {
			t.Errorf("%s: got %v", u, err)
		}
	}
	if _, err := open("https://u:hunter22@ho st/%zz"); err == nil || strings.Contains(err.Error(), "hunter22") {
		t.Errorf("a broken URL: got %v", err)
	}
	gittest.Git(t, s.work, "remote", "rename", "origin", "upstream")
	if _, err := open(""); !errors.Is(err, ErrNoRemote) {
		t.Errorf("no origin among several: got %v", err)
	}
	gittest.Git(t, s.work, "remote", "remove", "mirror")
	gittest.Git(t, s.work, "remote", "remove", "relative")
	if o, err := open(""); err != nil || o.Name() != "upstream ("+s.bare+")" {
		t.Errorf("the only remote: got %v, %v", o, err)
	}
}

func TestPushURLIsUsedForPushes(t *testing.T) {
	s := newSite(t, 1)
	readOnly := gittest.Serve(t, s.root, gittest.ServeOptions{Wrap: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.String(), "receive-pack") {
				http.Error(w, "read only", http.StatusForbidden)
				return
			}
			h.ServeHTTP(w, r)
		})
	}})
	gittest.Git(t, s.work, "remote", "set-url", "origin", readOnly.URL+"/remote.git")
	gittest.Git(t, s.work, "remote", "set-url", "--push", "origin", s.bare)
	o := origin(t, openRepo(t, s.work, nil), RemoteOptions{})
	results, err := o.PushPins(t.Context(), []*Pin{pinOf(t, s.tip(), "agents", 1)})
	pushed(t, results, err)
}

func TestEmptyAndMissingRemotes(t *testing.T) {
	s := newSite(t, 1)
	clone := openRepo(t, s.work, nil)
	gittest.Git(t, s.root, "init", "-q", "--bare", "-b", "main", filepath.Join(s.root, "empty.git"))
	server := gittest.Serve(t, s.root, gittest.ServeOptions{}).URL
	for _, base := range []string{s.root, "file://" + s.root, server} {
		refs, err := origin(t, clone, RemoteOptions{Name: base + "/empty.git"}).Refs(t.Context())
		if err != nil || len(refs.All) != 0 {
			t.Errorf("%s/empty.git: got %v, %v", base, refs, err)
		} else if _, _, ok := refs.Branch(""); ok {
			t.Errorf("%s/empty.git has a default branch", base)
		}
		if _, err := origin(t, clone, RemoteOptions{Name: base + "/none.git"}).Refs(t.Context()); err == nil || !strings.Contains(err.Error(), "repository not found") {
			t.Errorf("%s/none.git: got %v", base, err)
		} else if errors.Is(err, ErrAccess) != (base == server) { // where no credentials are asked for, they don't help
			t.Errorf("%s/none.git: got %v, ErrAccess %v", base, err, base != server)
		} else if errors.Is(err, ErrUnreachable) != (base != server) {
			t.Errorf("%s/none.git: got %v, ErrUnreachable %v", base, err, base == server)
		}
		if _, err := origin(t, clone, RemoteOptions{Name: base + "/remote.git"}).TreeAt(t.Context(), Hash{1}, "."); !errors.Is(err, ErrNoRevision) {
			t.Errorf("%s: a commit that isn't there: got %v", base, err)
		}
	}
}

func TestRemoteOfAnotherObjectFormat(t *testing.T) {
	s := newSite(t, 1)
	other := filepath.Join(s.root, "other")
	gittest.Git(t, s.root, "init", "-q", "--object-format=sha256", other)
	gittest.Git(t, other, "commit", "-q", "--allow-empty", "-m", "one")
	server := gittest.Serve(t, s.root, gittest.ServeOptions{}).URL
	for _, u := range []string{other, server + "/other/.git"} {
		_, err := origin(t, openRepo(t, s.work, nil), RemoteOptions{Name: u}).Refs(t.Context())
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "isn't sha1") {
			t.Errorf("%s: got %v", u, err)
		}
	}
}

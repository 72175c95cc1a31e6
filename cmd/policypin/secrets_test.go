package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Not one of these is anybody's secret.
var testSecrets = map[string]string{
	"KEYCARD_API_CLIENT_SECRET": "not+a/real=client&secret-01",
	"KEYCARD_API_TOKEN":         "not+a/real=api&token-02",
	"POLICYPIN_GIT_TOKEN":       "not+a/real=git&token-03",
	"GITHUB_TOKEN":              "not+a/real=hub&token-04",
}

// leaks lists the secrets that a text shows, in any of the forms that a person
// would recognize or decode.
func leaks(text string, secrets ...string) []string {
	var found []string
	for _, s := range secrets {
		for _, form := range []string{
			s, url.QueryEscape(s), url.PathEscape(s), strings.ToLower(url.QueryEscape(s)),
			base64.StdEncoding.EncodeToString([]byte(s)), base64.URLEncoding.EncodeToString([]byte(s)),
			strings.ReplaceAll(s, "&", `\u0026`),
		} {
			if strings.Contains(text, form) {
				found = append(found, form)
			}
		}
		// The middle of "id:secret" in base64, as in a Basic header, cut at each
		// of the three places.
		for before := range 3 {
			code := base64.StdEncoding.EncodeToString([]byte("abc"[:before] + s))
			if strings.Contains(text, code[4:len(code)-4]) {
				found = append(found, code)
			}
		}
	}
	return found
}

// echoing is a service that refuses everything, and says in every place it has
// what it was sent and these secrets, in many forms.
func echoing(t *testing.T, status int, secrets []string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		fmt.Fprintf(&b, "you sent %q; ", r.Header.Values("Authorization"))
		for _, s := range secrets {
			fmt.Fprintf(&b, "%s %s %s %s; ", s, url.QueryEscape(s),
				base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte("xy"+s)))
		}
		w.Header().Set("X-Request-Id", secrets[0])
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":%q,"message":%q,"code":%q}`, b.String(), b.String(), b.String())
	}))
	t.Cleanup(server.Close)
	return server
}

// TestNoSecretIsShown runs every command that talks to a zone against a service
// that echoes secrets, in every format and with every way to authenticate.
func TestNoSecretIsShown(t *testing.T) {
	dir := secretsProject(t)
	commands := [][]string{
		{"versions", "list"}, {"versions", "list", "main"}, {"versions", "show", "main", "active"},
		{"versions", "policies", "--cedar", "main", "active"}, {"versions", "archive", "--yes", "main", "v1"},
		{"schema", "fetch"}, {"schema", "upgrade", "2026-03-16"}, {"import"}, {"repin", "--local", "main", "v1"},
		{"versions", "unused", "--local"}, {"versions", "archive-policy", "--local", "--yes", "employees-read"}, {"log", "--local", "--active"}, {"diff", "zone:far"},
		{"plan", "--local"}, {"publish", "--local"}, {"activate", "--local", "main"},
		{"validate"}, {"digest"}, {"diff"}, {"impact"}, {"version"}, {"validate", "--rev", testSecrets["GITHUB_TOKEN"]},
		{"versions", "list", testSecrets["GITHUB_TOKEN"]}, {"--target", testSecrets["POLICYPIN_GIT_TOKEN"], "versions", "list"},
		{testSecrets["GITHUB_TOKEN"]}, {"validate", "--" + testSecrets["GITHUB_TOKEN"]},
	}
	logins := map[string]map[string]string{
		"token":              {"KEYCARD_API_CLIENT_SECRET": ""},
		"client credentials": {"KEYCARD_API_TOKEN": "", "KEYCARD_API_CLIENT_ID": "sa-1"},
		"token command":      {"KEYCARD_API_TOKEN": "", "KEYCARD_API_CLIENT_SECRET": "", "KEYCARD_API_TOKEN_COMMAND": "echo not+a/real=printed-05"},
	}
	ran, echoed := 0, 0
	for _, status := range []int{401, 409, 500} {
		for login, changes := range logins {
			env := map[string]string{"POLICYPIN_TEST_RETRY_BASE": "1ms", "POLICYPIN_TEST_LOOKUP_FOR": "1ms"}
			maps.Copy(env, testSecrets)
			maps.Copy(env, changes)
			secrets := []string{"not+a/real=printed-05"}
			if login != "token command" {
				secrets = nil
			}
			for name := range testSecrets {
				if env[name] != "" {
					secrets = append(secrets, env[name])
				}
			}
			env["KEYCARD_API_BASE_URL"] = echoing(t, status, secrets).URL
			for _, args := range commands {
				for _, format := range []string{formatText, formatJSON} {
					full := append([]string{"--target", "far"}, args...)
					if format == formatJSON {
						full = withFormat(args)
					}
					got := call(t, dir, env, full...)
					if found := leaks(got.stdout+got.stderr, secrets...); len(found) > 0 {
						t.Errorf("%d, %s, %q: output has %q", status, login, full, found)
					}
					ran++
					if strings.Contains(got.stderr, "***") {
						echoed++
					}
				}
			}
		}
	}
	t.Logf("%d runs, %d of them had something to mask", ran, echoed)
	if echoed < 100 {
		t.Errorf("only %d of %d runs had something to mask: the test doesn't test much", echoed, ran)
	}
}

// withFormat puts --format json where a command line takes it: right after the
// command's words.
func withFormat(args []string) []string {
	n := 1
	if args[0] == "versions" || args[0] == "schema" {
		n = 2
	}
	full := append([]string{"--target", "far"}, args[:min(n, len(args))]...)
	return append(append(full, "--format", formatJSON), args[min(n, len(args)):]...)
}

// secretsProject is a committed project with a target that is reached by HTTP.
func secretsProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if got := call(t, dir, nil, "init"); got.status != 0 {
		t.Fatalf("init: %s", got.stderr)
	}
	project := "apiVersion: policypin.dev/v1\nkind: Project\ntargets:\n  far:\n    zone_id: zone_far\n    active: main\n"
	if err := os.WriteFile(filepath.Join(dir, "policypin.yaml"), []byte(project), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "."},
		{"-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "-m", "one"},
	} {
		cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return dir
}

// A redirect to another origin carries no credential, and a project file can't
// choose the address.
func TestCredentialsStayAtTheirAddress(t *testing.T) {
	dir := secretsProject(t)
	var elsewhere []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, r.Header.Get("Authorization"))
		w.WriteHeader(404)
	}))
	defer other.Close()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	env := map[string]string{"POLICYPIN_TEST_RETRY_BASE": "1ms", "KEYCARD_API_BASE_URL": server.URL, "KEYCARD_API_TOKEN": testSecrets["KEYCARD_API_TOKEN"]}
	got := call(t, dir, env, "versions", "list", "--target", "far")
	if got.status != statusFailed || asked == 0 {
		t.Errorf("got status %d after %d requests, want %d", got.status, asked, statusFailed)
	}
	for _, header := range elsewhere {
		if header != "" {
			t.Errorf("the other origin got the credential")
		}
	}

	for _, key := range []string{"api_url", "base_url", "url"} {
		project := "apiVersion: policypin.dev/v1\nkind: Project\ntargets:\n  far:\n    zone_id: zone_far\n    " + key + ": " + other.URL + "\n"
		if err := os.WriteFile(filepath.Join(dir, "policypin.yaml"), []byte(project), 0o666); err != nil {
			t.Fatal(err)
		}
		before := len(elsewhere)
		got := call(t, dir, env, "versions", "list", "--target", "far")
		if got.status != statusProblems || len(elsewhere) != before {
			t.Errorf("%s in the project file: got status %d and %d requests, want %d and none", key, got.status, len(elsewhere)-before, statusProblems)
		}
	}
}

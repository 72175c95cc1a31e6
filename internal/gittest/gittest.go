// Package gittest runs the system's git for tests: repositories that are built
// by commands, and a server that speaks Git over http.
package gittest

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Env is the environment that [Git] and the server run git with: no
// configuration of the machine, and an identity.
func Env() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=/nonexistent",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com",
		"GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com",
		"GIT_AUTHOR_DATE=2026-03-01T10:00:00Z", "GIT_COMMITTER_DATE=2026-03-01T10:00:00Z",
	}
}

// Git runs git in dir and returns what it prints, without the last newline. The
// test fails if git does.
func Git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = Env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// Commit writes files, by slash path, into the work tree dir, and commits them.
// It returns the commit's id.
func Commit(t testing.TB, dir, message string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		Git(t, dir, "add", "--", name)
	}
	Git(t, dir, "commit", "-q", "--allow-empty", "-m", message)
	return Git(t, dir, "rev-parse", "HEAD")
}

// Hook installs an executable hook in the bare repository dir.
func Hook(t testing.TB, dir, name, script string) {
	t.Helper()
	path := filepath.Join(dir, "hooks", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o777); err != nil {
		t.Fatal(err)
	}
}

// ServeOptions say how a server behaves. The zero value lets everybody read
// and push.
type ServeOptions struct {
	// User and Password are asked for by Basic authentication, if Password is
	// set.
	User, Password string
	// Wrap may put a handler in front of the server, which counts requests or
	// breaks them.
	Wrap func(http.Handler) http.Handler
}

// A Server serves the repositories below a folder.
type Server struct {
	URL string // http://127.0.0.1:port, without a slash at the end
}

// Serve runs git http-backend for the repositories below root, each at its path,
// until the test ends.
func Serve(t testing.TB, root string, opts ServeOptions) *Server {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	env := append(Env(), "GIT_PROJECT_ROOT="+root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=tester")
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if opts.Password != "" && (user != opts.User || password != opts.Password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		// REMOTE_USER makes http-backend allow pushes.
		(&cgi.Handler{Path: git, Args: []string{"http-backend"}, Env: env}).ServeHTTP(w, r)
	})
	if opts.Wrap != nil {
		h = opts.Wrap(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &Server{URL: s.URL}
}

package gitstore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// The URLs are those that git fetches from and pushes to.
func TestRemoteURLsAreThoseOfGit(t *testing.T) {
	g := newGitRepo(t)
	global := filepath.Join(t.TempDir(), "gitconfig")
	t.Setenv("GIT_CONFIG_GLOBAL", global)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	included := filepath.Join(t.TempDir(), "included")
	write(included, `
[url "https://included.example/"]
	insteadOf = inc:
`)
	write(global, `
[include]
	path = `+included+`
[url "https://git.example/"]
	insteadOf = git@git.example:
	insteadOf = ssh://git@git.example/
	insteadOf = git://git.example/
[url "https://mirror.example/"]
	insteadOf = https://git.example/team/
[url "ssh://git@push.example/"]
	pushInsteadOf = https://push.example/
`)
	g.write("../local", `
[remote "scp"]
	url = git@git.example:team/policies.git
[remote "ssh"]
	url = ssh://git@git.example/team/policies.git
[remote "old"]
	url = git://git.example/policies
[remote "longest"]
	url = https://git.example/team/policies
[remote "push"]
	url = https://push.example/policies
[remote "own push"]
	url = https://push.example/policies
	pushurl = https://push.example/other
[remote "rewritten.push"]
	url = https://a.example/policies
	pushurl = git@git.example:policies
[remote "several"]
	url = inc:first
	url = inc:second
[remote "from.include"]
	url = inc:project
[remote "plain"]
	url = https://Plain.example/A%20b
`)
	g.git("config", "include.path", filepath.Join(filepath.Dir(g.dir), "local"))
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "url.https://env.example/.insteadOf")
	t.Setenv("GIT_CONFIG_VALUE_0", "env:")
	g.git("remote", "add", "environment", "env:policies")
	t.Setenv("GIT_CONFIG", global) // means something to git config alone
	r := g.open()
	for _, name := range []string{"scp", "ssh", "old", "longest", "push", "own push", "rewritten.push", "several", "plain", "from.include", "environment"} {
		got, fetch, push, err := r.remoteURLs(name)
		if err != nil || got != name {
			t.Errorf("%s: got %q, %v", name, got, err)
			continue
		}
		if want := g.git("remote", "get-url", name); fetch != want {
			t.Errorf("%s: fetch from %s, want %s", name, fetch, want)
		}
		if want := g.git("remote", "get-url", "--push", name); push != want {
			t.Errorf("%s: push to %s, want %s", name, push, want)
		}
	}
	for u, want := range map[string][2]string{
		"ssh://git@git.example/x": {"https://git.example/x", "https://git.example/x"},
		"https://push.example/x":  {"https://push.example/x", "ssh://git@push.example/x"},
	} {
		if name, fetch, push, err := r.remoteURLs(u); err != nil || name != "" || fetch != want[0] || push != want[1] {
			t.Errorf("%s: got %q, %s, %s, %v", u, name, fetch, push, err)
		}
	}
}

// Without git, the files that go-git reads are better than nothing.
func TestRemoteURLsWithoutGit(t *testing.T) {
	g := newGitRepo(t)
	g.git("config", "url.https://git.example/.insteadOf", "git@git.example:")
	g.git("config", "--add", "url.https://git.example/.insteadOf", "ssh://git@git.example/")
	g.git("remote", "add", "first", "git@git.example:policies")
	g.git("config", "url.ssh://git@git.example/.pushInsteadOf", "https://push.example/")
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[url \"https://home.example/\"]\n\tinsteadOf = home:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "none"))
	t.Setenv("PATH", t.TempDir())
	r := g.open()
	if name, fetch, push, err := r.remoteURLs(""); err != nil || name != "first" || fetch != "https://git.example/policies" || push != fetch {
		t.Errorf("got %q, %s, %s, %v", name, fetch, push, err)
	}
	if _, fetch, _, err := r.remoteURLs("home:policies"); err != nil || fetch != "https://home.example/policies" {
		t.Errorf("a rule of the user: got %s, %v", fetch, err)
	}
	if _, _, push, err := r.remoteURLs("https://push.example/x"); err != nil || push != "ssh://git@git.example/x" {
		t.Errorf("a rule for pushes: got %s, %v", push, err)
	}
	if _, _, _, err := r.remoteURLs("nowhere"); !errors.Is(err, ErrNoRemote) {
		t.Errorf("an unknown name: got %v", err)
	}
}

func TestNoRemoteIsConfigured(t *testing.T) {
	r := newGitRepo(t).open()
	if _, _, _, err := r.remoteURLs(""); !errors.Is(err, ErrNoRemote) {
		t.Errorf("got %v, want ErrNoRemote", err)
	}
}

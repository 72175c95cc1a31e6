package gitstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenTakesSettingsThatDoNotMatter(t *testing.T) {
	g := newGitRepo(t)
	want := g.commit("one", "a", "a")
	for _, setting := range [][2]string{
		{"branch.main.rebase", "merges"},
		{"branch.main.merge", "odd"},
		{"remote.origin.url", "https://example.com/x.git"},
		{"remote.origin.fetch", "^refs/heads/dependabot/*"},
		{"remote.origin.push", ":"},
		{"remote.nourl.fetch", "+refs/heads/*:refs/remotes/nourl/*"},
		{"url.https://elsewhere.example/.pushInsteadOf", "ssh://"},
		{"pack.window", "1k"},
		{"alias.x", `!f() { echo "a;b#c"; }; f`},
		{"includeIf.gitdir:/nowhere.path", "nowhere"},
	} {
		g.git("config", setting[0], setting[1])
	}
	r := g.open()
	if got, err := r.Resolve("main"); err != nil || got != want {
		t.Errorf("got %s, %v", got, err)
	}
	cfg, err := r.git.Config()
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Remotes) != 1 || cfg.Remotes["origin"].URLs[0] != "https://example.com/x.git" {
		t.Errorf("remotes: got %v", cfg.Remotes)
	}
	if err := r.store.SetConfig(cfg); err == nil {
		t.Error("SetConfig: got no error")
	}
	g.write(".git/config", "[core\n")
	if _, err := Open(g.dir, nil); err == nil || !strings.Contains(err.Error(), "config") {
		t.Errorf("malformed configuration: got %v", err)
	}
}

// Git is older than the layout that git config writes.
func TestConfigIsReadInEveryLayout(t *testing.T) {
	g := newGitRepo(t)
	want := g.commit("one", "a", "a")
	linked := filepath.Join(t.TempDir(), "linked")
	if err := os.Mkdir(linked, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"[core] repositoryformatversion = 0\n\tworktree = " + linked + "\n",
		"[CORE]\nRepositoryFormatVersion=0\nWorkTree = " + linked + "\n[branch.main]\n\tremote = origin\n",
		"\xef\xbb\xbf[core]repositoryformatversion=0\n[core]worktree=" + linked + " ; a comment\r\n[remote \"a.b\"] url = x\n",
	} {
		g.writeIn("config", text)
		if got := g.git("rev-parse", "--show-toplevel"); got != linked {
			t.Fatalf("%q: git says %s", text, got)
		}
		r := g.open()
		if got, err := r.Resolve("main"); err != nil || got != want || r.Root() != linked {
			t.Errorf("%q: got %s, %v in %s", text, got, err, r.Root())
		}
	}
	g.writeIn("config", "[core] bare\n\trepositoryformatversion = 0\n")
	if r := g.open(); r.Root() != "" {
		t.Errorf("bare without a value: got %s", r.Root())
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Open(g.dir, nil); err == nil || !strings.Contains(err.Error(), "config") {
		t.Errorf("without git: got %v", err)
	}
}

func TestConfigKeepsRulesForURLs(t *testing.T) {
	g := newGitRepo(t)
	g.git("config", "url.https://example.com/.insteadOf", "ex:")
	g.git("config", "remote.origin.url", "ex:a/b.git")
	cfg, err := g.open().git.Config()
	if err != nil {
		t.Fatal(err)
	}
	remote := cfg.Remotes["origin"]
	if remote == nil || remote.URLs[0] != "https://example.com/a/b.git" {
		t.Errorf("got %v", remote)
	}
}

func TestCoreSettingsAreThoseOfTheWorkTree(t *testing.T) {
	g := newGitRepo(t)
	g.git("config", "extensions.worktreeConfig", "true")
	g.git("config", "core.bare", "yes")
	if r := openRepo(t, g.dir, nil); r.Root() != "" {
		t.Errorf("bare: got root %q", r.Root())
	}
	g.git("config", "--worktree", "core.bare", "false")
	if r := openRepo(t, g.dir, nil); r.Root() != g.dir {
		t.Errorf("bare, and not so for this work tree: got root %q", r.Root())
	}
}

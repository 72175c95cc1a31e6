package gitstore

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A gitRepo is a real repository, made and questioned by the system's git.
type gitRepo struct {
	t   testing.TB
	dir string
}

// isolateGit keeps the machine's and the user's Git settings out of a test.
func isolateGit(t testing.TB) {
	t.Helper()
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL":   os.DevNull,
		"GIT_CONFIG_SYSTEM":   os.DevNull,
		"GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME":     "Ann", "GIT_AUTHOR_EMAIL": "ann@example.com",
		"GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.com",
		"GIT_AUTHOR_DATE": "2026-03-01T12:00:00+0200", "GIT_COMMITTER_DATE": "2026-03-01T12:00:00+0200",
		"LC_ALL": "C",
	} {
		t.Setenv(name, value)
	}
}

// newGitRepo makes an empty repository whose branch is main.
func newGitRepo(t testing.TB, initArgs ...string) *gitRepo {
	t.Helper()
	isolateGit(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	g := &gitRepo{t, filepath.Join(dir, "repo")}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	g.git(append([]string{"init", "-q", "-b", "main"}, initArgs...)...)
	return g
}

// git runs git in the repository and returns what it prints, without the last
// newline.
func (g *gitRepo) git(args ...string) string {
	g.t.Helper()
	return g.gitIn("", args...)
}

func (g *gitRepo) gitIn(stdin string, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = g.dir
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSuffix(string(out), "\n")
}

// write writes a file in the work tree.
func (g *gitRepo) write(name, content string) {
	g.t.Helper()
	path := filepath.Join(g.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// commit writes files, given as name and content in turn, and commits all.
func (g *gitRepo) commit(message string, files ...string) Hash {
	g.t.Helper()
	for i := 0; i+1 < len(files); i += 2 {
		g.write(files[i], files[i+1])
	}
	g.git("add", "-A")
	g.git("commit", "-q", "--allow-empty", "-m", message)
	return g.hash("HEAD")
}

// hash is what git says a revision is.
func (g *gitRepo) hash(rev string) Hash {
	g.t.Helper()
	h, err := ParseHash(g.git("rev-parse", "--verify", rev))
	if err != nil {
		g.t.Fatal(err)
	}
	return h
}

// open opens the repository with this package.
func (g *gitRepo) open() *Repo {
	g.t.Helper()
	return openRepo(g.t, g.dir, nil)
}

func openRepo(t testing.TB, dir string, env map[string]string) *Repo {
	t.Helper()
	r, err := Open(dir, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("closing %s: %v", dir, err)
		}
	})
	return r
}

func TestOpenFindsTheRepositoryFromASubfolder(t *testing.T) {
	g := newGitRepo(t)
	want := g.commit("one", "a/b/c.txt", "c")
	r := openRepo(t, filepath.Join(g.dir, "a", "b"), nil)
	if r.Root() != g.dir {
		t.Errorf("Root: got %s, want %s", r.Root(), g.dir)
	}
	if got := filepath.Join(g.dir, ".git"); r.GitDir() != got || r.CommonDir() != got {
		t.Errorf("GitDir, CommonDir: got %s, %s, want %s", r.GitDir(), r.CommonDir(), got)
	}
	if got, err := r.Resolve("HEAD"); err != nil || got != want {
		t.Errorf("HEAD: got %s, %v, want %s", got, err, want)
	}
	if rel, err := r.Rel(filepath.Join(g.dir, "a", "b")); err != nil || rel != "a/b" {
		t.Errorf("Rel: got %q, %v", rel, err)
	}
	if rel, err := r.Rel(g.dir); err != nil || rel != "." {
		t.Errorf("Rel of the root: got %q, %v", rel, err)
	}
	if _, err := r.Rel(filepath.Dir(g.dir)); err == nil {
		t.Error("Rel of a folder outside: got no error")
	}
}

// exitStatus runs a git command that may fail.
func exitStatus(g *gitRepo, args ...string) error {
	cmd := exec.Command("git", args...)
	cmd.Dir = g.dir
	return cmd.Run()
}

func TestRelNamesAFolderThatCannotBeRead(t *testing.T) {
	r := newGitRepo(t).open()
	dir := filepath.Join(r.Root(), "a\xff")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("no such names here: %v", err)
	}
	if got, err := r.Rel(dir); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), `"a\xff"`) {
		t.Errorf("got %q, %v", got, err)
	}
}

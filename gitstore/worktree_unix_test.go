//go:build unix

package gitstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/fstest"
)

func TestWorkTreeIsAFileSystem(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "p/a", "committed", "p/q/b", "b", "top", "t")
	g.write("p/a", "edited")
	g.write("p/untracked", "u")
	r := g.open()
	for dir, files := range map[string][]string{
		".": {"p/a", "p/q/b", "p/untracked", "top"},
		"p": {"a", "q/b", "untracked"},
	} {
		fsys, err := r.WorkTree(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := fstest.TestFS(fsys, files...); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
	fsys, err := r.WorkTree("p")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(fsys, "a"); err != nil || string(got) != "edited" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := fs.ReadFile(fsys, "../top"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("path that leads out: got %v", err)
	}
	var pe *fs.PathError
	if _, err := fs.ReadFile(fsys, "nowhere"); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &pe) || pe.Path != "nowhere" {
		t.Errorf("missing file: got %v", err)
	}
	if _, err := r.WorkTree("nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: got %v", err)
	}
	if _, err := r.WorkTree("top"); err == nil {
		t.Error("file as a folder: got no error")
	}
}

func TestWorkTreeHidesGit(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "a", "a")
	fsys, err := g.open().WorkTree(".")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := fs.ReadDir(fsys, "."); err != nil || len(list) != 1 || list[0].Name() != "a" {
		t.Errorf("got %v, %v", list, err)
	}
	for _, name := range []string{".git", ".git/config", ".GIT/config"} {
		if _, err := fsys.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want not exist", name, err)
		}
	}
}

func TestWorkTreeIsNotLeft(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "p/a", "a", "q/b", "b")
	secret := filepath.Join(filepath.Dir(g.dir), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"p/absolute": secret,
		"p/relative": "../../secret",
		"p/folder":   "../..",
		"p/loop":     "loop",
		"p/inside":   "../q/b",
	} {
		if err := os.Symlink(target, filepath.Join(g.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(g.dir, "p", "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	fsys, err := g.open().WorkTree("p")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := fs.ReadDir(fsys, "."); err != nil || len(list) != 7 {
		t.Errorf("all entries are listed: got %v, %v", list, err)
	}
	for _, name := range []string{"absolute", "relative", "folder/secret", "loop", "pipe"} {
		if got, err := fs.ReadFile(fsys, name); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
		if f, err := fsys.Open(name); err == nil {
			f.Close()
			t.Errorf("%s: it was opened", name)
		}
	}
	if got, err := fs.ReadFile(fsys, "inside"); err != nil || string(got) != "b" {
		t.Errorf("link inside the work tree: got %q, %v", got, err)
	}
}

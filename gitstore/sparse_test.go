package gitstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// What a sparse checkout leaves out is not gone: git shows no change for it.
func TestASparseCheckoutIsWhole(t *testing.T) {
	for name, args := range map[string][]string{
		"cone":         {"set", "--cone", "p"},
		"patterns":     {"set", "--no-cone", "/p/", "/top"},
		"sparse index": {"set", "--cone", "--sparse-index", "p"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGitRepo(t)
			g.commit("one", "p/a", "a", "p/gone", "gone", "q/b", "b", "q/r/c", "c", "top", "t")
			g.git(append([]string{"sparse-checkout"}, args...)...)
			if _, err := os.Stat(filepath.Join(g.dir, "q", "b")); !os.IsNotExist(err) {
				t.Fatal("q is checked out: the test shows nothing")
			}
			g.write("p/a", "edited")
			if err := os.Remove(filepath.Join(g.dir, "p", "gone")); err != nil {
				t.Fatal(err)
			}
			r := g.open()
			for dir, files := range map[string][]string{".": {"p/a", "q/b", "q/r/c", "top"}, "p": {"a"}} {
				fsys, err := r.WorkTree(dir)
				if err != nil {
					t.Fatal(err)
				}
				if err := fstest.TestFS(fsys, files...); err != nil {
					t.Errorf("%s: %v", dir, err)
				}
			}
			fsys, err := r.WorkTree(".")
			if err != nil {
				t.Fatal(err)
			}
			for path, want := range map[string]string{"p/a": "edited", "q/b": "b", "q/r/c": "c"} {
				if got, err := fs.ReadFile(fsys, path); err != nil || string(got) != want {
					t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
				}
			}
			if _, err := fs.Stat(fsys, "p/gone"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file that was deleted: got %v", err)
			}

			// One that is on disk all the same is what is on disk.
			if err := os.MkdirAll(filepath.Join(g.dir, "q", "r"), 0o777); err != nil {
				t.Fatal(err)
			}
			g.write("q/b", "on disk")
			if fsys, err = g.open().WorkTree("."); err != nil {
				t.Fatal(err)
			}
			for path, want := range map[string]string{"q/b": "on disk", "q/r/c": "c"} {
				if got, err := fs.ReadFile(fsys, path); err != nil || string(got) != want {
					t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
				}
			}
			if err := fstest.TestFS(fsys, "p/a", "q/b", "q/r/c", "top"); err != nil {
				t.Error(err)
			}
		})
	}
}

package gitstore

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestTreeAtIsAFileSystem(t *testing.T) {
	g := newGitRepo(t)
	c := g.commit("one", "top.txt", "top", "p/a.cedar", "a", "p/q/b.cedar", "b", "p/a/x", "x", "p/a.b/y", "y", "p/a0", "0")
	r := g.open()
	root, err := r.TreeAt(c, ".")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(root, "top.txt", "p/a.cedar", "p/q/b.cedar", "p/a/x", "p/a.b/y", "p/a0"); err != nil {
		t.Error(err)
	}
	sub, err := r.TreeAt(c, "p/q")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(sub, "b.cedar"); err != nil || string(got) != "b" {
		t.Errorf("b.cedar: got %q, %v", got, err)
	}
}

package gitstore

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/go-git/go-git/v5/plumbing"
)

func TestTreeAtIsAFileSystem(t *testing.T) {
	g := newGitRepo(t)
	c := g.commit("one", "top.txt", "top", "p/a.cedar", "a", "p/q/b.cedar", "b", "p/a/x", "x", "p/a.b/y", "y", "p/a0", "0",
		"p/empty", "", "p/grüße 世界.txt", "odd", "p/tab\tand\x01.txt", "control")
	g.git("gc", "-q")
	r := g.open()
	root, err := r.TreeAt(c, ".")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(root, "top.txt", "p/a.cedar", "p/q/b.cedar", "p/a/x", "p/a.b/y", "p/a0", "p/empty",
		"p/grüße 世界.txt", "p/tab\tand\x01.txt"); err != nil {
		t.Error(err)
	}
	sub, err := r.TreeAt(c, "p/q")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(sub, "b.cedar"); err != nil || string(got) != "b" {
		t.Errorf("b.cedar: got %q, %v", got, err)
	}
	below, err := fs.Sub(root, "p")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(below, "q/b.cedar"); err != nil {
		t.Error(err)
	}
	for _, dir := range []string{"nowhere", "p/nowhere", "top.txt/x"} {
		if _, err := r.TreeAt(c, dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("TreeAt(%s): got %v, want not exist", dir, err)
		}
	}
	if _, err := r.TreeAt(c, "top.txt"); err == nil {
		t.Error("TreeAt of a file: got no error")
	}
	if _, err := r.TreeAt(c, "../x"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("path that leads out: got %v, want invalid", err)
	}
	if _, err := r.TreeAt(Hash{1}, "."); !errors.Is(err, ErrNoRevision) {
		t.Errorf("unknown commit: got %v", err)
	}
}

func TestTreeAtDoesNotSeeTheWorkTree(t *testing.T) {
	g := newGitRepo(t)
	c := g.commit("one", "a", "committed\n")
	g.write("a", "staged\n")
	g.git("add", "a")
	g.write("a", "edited\r\n")
	g.git("config", "core.autocrlf", "true")
	fsys, err := g.open().TreeAt(c, ".")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(fsys, "a"); err != nil || string(got) != "committed\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSymbolicLinkIsListedAndNotOpened(t *testing.T) {
	g := newGitRepo(t)
	if err := os.Symlink("../elsewhere", filepath.Join(g.dir, "link")); err != nil {
		t.Fatal(err)
	}
	c := g.commit("one", "a", "a")
	r := g.open()
	tree, err := r.TreeAt(c, ".")
	if err != nil {
		t.Fatal(err)
	}
	staged, err := r.Index(".")
	if err != nil {
		t.Fatal(err)
	}
	for name, fsys := range map[string]fs.FS{"tree": tree, "index": staged} {
		list, err := fs.ReadDir(fsys, ".")
		if err != nil || len(list) != 2 || list[1].Name() != "link" || list[1].Type() != fs.ModeSymlink {
			t.Errorf("%s: ReadDir: got %v, %v", name, list, err)
		}
		if info, err := fs.Stat(fsys, "link"); err != nil || info.Mode().Type() != fs.ModeSymlink || info.Size() != int64(len("../elsewhere")) {
			t.Errorf("%s: Stat: got %v, %v", name, info, err)
		}
		if _, err := fsys.Open("link"); err == nil || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("%s: Open: got %v", name, err)
		}
		if _, err := fs.ReadFile(fsys, "link"); err == nil || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("%s: ReadFile: got %v", name, err)
		}
		if _, err := fs.ReadFile(fsys, "link/x"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: file below a link: got %v", name, err)
		}
	}
}

func TestModesAreGits(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "plain", "p", "run", "r", "d/x", "x")
	g.git("update-index", "--chmod=+x", "run")
	g.git("commit", "-q", "-m", "two")
	fsys, err := g.open().TreeAt(g.hash("HEAD"), ".")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"plain": 0o444, "run": 0o555, "d": fs.ModeDir | 0o555} {
		if info, err := fs.Stat(fsys, name); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

// plant commits a tree that git mktree would refuse. It is written as entries
// of mode, name and the id of the blob.
func (g *gitRepo) plant(entries ...string) Hash {
	g.t.Helper()
	blob := parsedHash(g.t, g.gitIn("content", "hash-object", "-w", "--stdin"))
	sub := parsedHash(g.t, g.gitIn("100644 blob "+blob.String()+"\tx\n", "mktree"))
	var raw strings.Builder
	for _, e := range entries {
		h := blob
		if strings.HasPrefix(e, "40000 ") {
			h = sub
		}
		raw.WriteString(e + "\x00" + string(h[:]))
	}
	tree := g.gitIn(raw.String(), "hash-object", "-w", "-t", "tree", "--literally", "--stdin")
	return parsedHash(g.t, g.git("commit-tree", "-m", "planted", tree))
}

func parsedHash(t testing.TB, s string) Hash {
	t.Helper()
	h, err := ParseHash(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHostileTreeIsRefused(t *testing.T) {
	g := newGitRepo(t)
	r := g.open()
	tests := map[string][]string{
		"name that leads up":         {"100644 .."},
		"name of the folder itself":  {"100644 ."},
		"git directory":              {"40000 .git"},
		"git directory in capitals":  {"40000 .GIT"},
		"empty name":                 {"100644 "},
		"name with a slash":          {"100644 a/b"},
		"same name twice":            {"100644 a", "100644 a"},
		"file and folder":            {"100644 a", "100644 a.b", "40000 a"},
		"not in order":               {"100644 b", "100644 a"},
		"unknown mode":               {"10644 a"},
		"mode that is no number":     {"1009 a"},
		"mode that is far too large": {"777777777777 a"},
	}
	for name, entries := range tests {
		t.Run(name, func(t *testing.T) {
			c := g.plant(entries...)
			fsys, err := r.TreeAt(c, ".")
			if err != nil {
				return
			}
			if list, err := fs.ReadDir(fsys, "."); err == nil {
				t.Errorf("ReadDir: got %v", list)
			}
			if got, err := fs.ReadFile(fsys, "a"); err == nil {
				t.Errorf("ReadFile: got %q", got)
			}
			if changes, err := r.ChangedPaths(Hash{}, c, "."); err == nil {
				t.Errorf("ChangedPaths: got %v", changes)
			}
		})
	}
}

func TestOldModesAndOddNamesAreRead(t *testing.T) {
	g := newGitRepo(t)
	r := g.open()
	c := g.plant("100664 a", "40000 d", "100644 latin\xe9", "100644 z\\y")
	fsys, err := r.TreeAt(c, ".")
	if err != nil {
		t.Fatal(err)
	}
	list, err := fs.ReadDir(fsys, ".")
	if err != nil || len(list) != 4 {
		t.Fatalf("got %v, %v", list, err)
	}
	for _, name := range []string{"a", "d/x", "z\\y"} {
		if got, err := fs.ReadFile(fsys, name); err != nil || string(got) != "content" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	// fs.FS has only names in UTF-8.
	if _, err := fsys.Open("latin\xe9"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("name that isn't UTF-8: got %v", err)
	}
}

func TestLargeFileIsRefused(t *testing.T) {
	g := newGitRepo(t)
	if err := os.Truncate(writeEmpty(t, filepath.Join(g.dir, "large")), MaxFileBytes+1); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(writeEmpty(t, filepath.Join(g.dir, "streamed")), largeObjectBytes+1); err != nil {
		t.Fatal(err)
	}
	c := g.commit("one")
	r := g.open()
	tree, err := r.TreeAt(c, ".")
	if err != nil {
		t.Fatal(err)
	}
	disk, err := r.WorkTree(".")
	if err != nil {
		t.Fatal(err)
	}
	for name, fsys := range map[string]fs.FS{"tree": tree, "work tree": disk} {
		if _, err := fs.ReadFile(fsys, "large"); err == nil || !strings.Contains(err.Error(), "limit") {
			t.Errorf("%s: got %v", name, err)
		}
		if info, err := fs.Stat(fsys, "large"); err != nil || info.Size() != MaxFileBytes+1 {
			t.Errorf("%s: Stat: got %v, %v", name, info, err)
		}
		if got, err := fs.ReadFile(fsys, "streamed"); err != nil || len(got) != largeObjectBytes+1 {
			t.Errorf("%s: streamed: got %d bytes, %v", name, len(got), err)
		}
	}
}

func writeEmpty(t *testing.T, name string) string {
	t.Helper()
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// countedObjects counts what is read.
type countedObjects struct {
	objects
	trees, blobs int
}

func (c *countedObjects) read(t plumbing.ObjectType, h Hash) ([]byte, error) {
	switch t {
	case plumbing.TreeObject:
		c.trees++
	case plumbing.BlobObject:
		c.blobs++
	}
	return c.objects.read(t, h)
}

func TestOpeningOneFileReadsOnlyTheFoldersAboveIt(t *testing.T) {
	g := newGitRepo(t)
	var files []string
	for _, dir := range []string{"a", "b", "c"} {
		for _, name := range []string{"x", "y", "z"} {
			files = append(files, dir+"/"+name+"/f", dir+name)
		}
	}
	c := g.commit("many", files...)
	r := g.open()
	counted := &countedObjects{objects: stored{r.store}}
	tree, err := commitTree(counted, c)
	if err != nil {
		t.Fatal(err)
	}
	fsys, err := newObjectFS(counted, &treeListing{newTreeReader(counted), tree}, ".")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f, err := fsys.Open("b/y/f")
		if err != nil {
			t.Fatal(err)
		}
		if counted.trees != 3 || counted.blobs != 0 {
			t.Errorf("after Open: %d trees and %d blobs were read, want 3 and 0", counted.trees, counted.blobs)
		}
		f.Close()
	}
	if _, err := fs.ReadFile(fsys, "b/y/f"); err != nil || counted.trees != 3 || counted.blobs != 1 {
		t.Errorf("after ReadFile: %v, %d trees, %d blobs, want 3 and 1", err, counted.trees, counted.blobs)
	}
}

func TestReadingIsSafeForConcurrentUse(t *testing.T) {
	g := newGitRepo(t)
	c := g.commit("one", "p/a", "a", "p/b", "b", "q/c", "c", "q/r/d", "d")
	g.git("gc", "-q")
	r := g.open()
	fsys, err := r.TreeAt(c, ".")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for _, name := range []string{"p/a", "p/b", "q/c", "q/r/d"} {
				got, err := fs.ReadFile(fsys, name)
				if err != nil || string(got) != name[len(name)-1:] {
					t.Errorf("%s: got %q, %v", name, got, err)
				}
			}
			if _, err := r.Resolve("HEAD"); err != nil {
				t.Error(err)
			}
			if _, err := r.Resolve(c.Short()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

func TestClosedFileSaysSo(t *testing.T) {
	g := newGitRepo(t)
	fsys, err := g.open().TreeAt(g.commit("one", "d/a", "a"), ".")
	if err != nil {
		t.Fatal(err)
	}
	f, err := fsys.Open("d/a")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); err != nil || string(got) != "a" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Read: got %v", err)
	}
	if _, err := f.Stat(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Stat: got %v", err)
	}
	d, err := fsys.Open("d")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read(make([]byte, 1)); err == nil {
		t.Error("reading a folder: got no error")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.(fs.ReadDirFile).ReadDir(1); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("ReadDir: got %v", err)
	}
}

func FuzzParseTree(f *testing.F) {
	id := strings.Repeat("\x01", 20)
	f.Add([]byte("100644 a\x00" + id + "40000 b\x00" + id))
	f.Add([]byte("120000 l\x00" + id + "160000 s\x00" + id))
	f.Add([]byte("100644 ..\x00" + id))
	f.Add([]byte("100644 a\x00short"))
	f.Add([]byte("100644"))
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, err := parseTree(content)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, e := range entries {
			if e.name == "" || e.name == "." || e.name == ".." || strings.Contains(e.name, "/") || seen[e.name] {
				t.Errorf("name %q got through", e.name)
			}
			seen[e.name] = true
			if got, ok := lookup(entries, e.name); !ok || got != e {
				t.Errorf("%q is not found", e.name)
			}
		}
	})
}

package gitstore

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// On random histories with merges, the commit that last changed a path is the
// one that git log names.
func TestLastChangeIsThatOfGit(t *testing.T) {
	g := newGitRepo(t)
	random := rand.New(rand.NewPCG(7, 5))
	names := []string{"a", "a.b", "p", "p/q", "p/q/a", "p/r", "z"}
	blobs := []string{g.gitIn("1", "hash-object", "-w", "--stdin"), g.gitIn("2", "hash-object", "-w", "--stdin")}
	type state map[string]string // path to mode and blob
	write := func(s state) string {
		g.git("read-tree", "--empty")
		lines := ""
		for name, entry := range s {
			lines += entry + "\t" + name + "\n"
		}
		g.gitIn(lines, "update-index", "--add", "--index-info")
		return g.git("write-tree")
	}
	var commits []string
	var states []state
	for i := range 60 {
		s := state{}
		args := []string{"commit-tree", "-m", fmt.Sprint(i)}
		parents := 0
		if i > 0 && random.IntN(20) > 0 { // now and then history begins again
			parents = 1 + random.IntN(3)
		}
		for _, p := range random.Perm(i)[:min(i, parents)] {
			p = max(p, i-1-random.IntN(6)) // mostly recent ones
			args = append(args, "-p", commits[p])
			for name, entry := range states[p] {
				if _, taken := s[name]; !taken && random.IntN(4) > 0 {
					s[name] = entry
				} else if len(args) == 5 {
					s[name] = entry
				}
			}
		}
		if parents != 2 || random.IntN(2) == 0 {
			for range random.IntN(3) {
				name := names[random.IntN(len(names))]
				if random.IntN(3) == 0 {
					delete(s, name)
				} else {
					s[name] = []string{"100644 ", "100755 "}[random.IntN(2)] + blobs[random.IntN(2)]
				}
			}
		}
		for name := range s { // a file and a folder can't have one name
			for other := range s {
				if strings.HasPrefix(other, name+"/") {
					delete(s, name)
				}
			}
		}
		commits, states = append(commits, g.git(append(args, write(s))...)), append(states, s)
	}
	r := g.open()
	merged, removed := 0, 0
	for i, rev := range commits {
		f, err := r.Changes(names[:i%len(names)]...)
		if err != nil {
			t.Fatal(err)
		}
		from, err := ParseHash(rev)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range names {
			want := g.git("log", "-1", "--format=%H", rev, "--", path)
			walk := 1000
			c, err := f.Last(from, path, &walk)
			got := ""
			if err == nil {
				got = c.Hash.String()
			} else if !errors.Is(err, ErrUnchanged) {
				t.Fatal(err)
			}
			if got != want {
				t.Errorf("commit %d, %s: got %q, want %q", i, path, got, want)
			}
			if len(c.Parents) > 1 {
				merged++
			}
			if _, there := states[i][path]; !there && want != "" {
				removed++
			}
		}
	}
	if merged < 10 || removed < 10 {
		t.Errorf("%d answers are merges and %d are removals: the histories don't test much", merged, removed)
	}
}

func TestLastChangeHasLimits(t *testing.T) {
	g := newGitRepo(t)
	first := g.commit("one", "p/a", "1")
	for i := range 5 {
		g.commit("more", "b", fmt.Sprint(i))
	}
	head := g.hash("HEAD")
	r := g.open()
	f, err := r.Changes()
	if err != nil {
		t.Fatal(err)
	}
	walk := 5
	if c, err := f.Last(head, "p/a", &walk); !errors.Is(err, ErrTooFar) || walk != 0 {
		t.Errorf("got %s, %v with %d left", c.Hash, err, walk)
	}
	walk = 6
	if c, err := f.Last(head, "p/a", &walk); err != nil || c.Hash != first || c.Subject != "one" {
		t.Errorf("got %s %q, %v", c.Hash, c.Subject, err)
	}
	walk = 10
	if _, err := f.Last(head, "../a", &walk); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a path outside: got %v", err)
	}
	if _, err := f.Last(head, "p/none", &walk); !errors.Is(err, ErrUnchanged) {
		t.Errorf("a path that never was: got %v", err)
	}
	if _, err := f.Last(Hash{1}, "p/a", &walk); !errors.Is(err, ErrNoRevision) {
		t.Errorf("a commit that isn't here: got %v", err)
	}
}

// A shallow boundary looks to git as if it had made every file. It hasn't.
func TestLastChangeBeyondShallowBoundary(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "a", "1", "b", "1")
	boundary := g.commit("two", "b", "2")
	head := g.commit("three", "c", "3")
	clone := t.TempDir()
	g.git("clone", "-q", "--depth", "2", "file://"+g.dir, clone)
	r, err := Open(clone, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := r.Changes()
	if err != nil {
		t.Fatal(err)
	}
	walk := 100
	for _, path := range []string{"a", "b"} {
		_, err = f.Last(head, path, &walk)
		if !errors.Is(err, ErrShallow) || !strings.Contains(err.Error(), boundary.Short()) {
			t.Errorf("%s: got %v, want the boundary %s named", path, err, boundary.Short())
		}
	}
	if c, err := f.Last(head, "c", &walk); err != nil || c.Hash != head {
		t.Errorf("got %s, %v", c.Hash, err)
	}
}

// A repository often begins with a commit without files, whose tree isn't
// stored.
func TestCommitWithoutFiles(t *testing.T) {
	g := newGitRepo(t)
	empty := g.commit("empty")
	full := g.commit("one", "a", "1")
	r := g.open()
	f, err := r.Changes()
	if err != nil {
		t.Fatal(err)
	}
	walk := 10
	if c, err := f.Last(full, "a", &walk); err != nil || c.Hash != full {
		t.Errorf("got %s, %v", c.Hash, err)
	}
	fsys, err := r.TreeAt(empty, ".")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := fs.ReadDir(fsys, "."); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v", list, err)
	}
	if changes, err := r.ChangedPaths(empty, full, "."); err != nil || len(changes) != 1 {
		t.Errorf("got %v, %v", changes, err)
	}
}

// A clone without trees fetches those of many commits with one request.
func TestLastChangeInACloneWithoutTrees(t *testing.T) {
	g := newGitRepo(t)
	want := g.commit("first", "p/a", "1")
	for i := range 40 {
		g.commit("more", "other", fmt.Sprint(i))
	}
	g.git("rm", "-q", "-r", ".")
	g.git("commit", "-q", "-m", "nothing")
	g.commit("back", "p/a", "1", "other", "x")
	head := g.commit("last", "other", "last")
	g.git("config", "uploadpack.allowFilter", "true")
	g.git("config", "uploadpack.allowAnySHA1InWant", "true")
	dir := filepath.Join(filepath.Dir(g.dir), "treeless")
	g.git("clone", "-q", "--no-checkout", "--filter=tree:0", "file://"+g.dir, dir)
	fetches := func() int {
		packs, err := filepath.Glob(filepath.Join(dir, ".git", "objects", "pack", "*.promisor"))
		if err != nil {
			t.Fatal(err)
		}
		return len(packs)
	}
	before := fetches()
	f, err := openRepo(t, dir, nil).Changes("p/a")
	if err != nil {
		t.Fatal(err)
	}
	walk := 100
	if c, err := f.Last(head, "p/a", &walk); err != nil || c.Subject != "back" {
		t.Errorf("got %v, %v", c, err)
	}
	if c, err := f.Last(g.hash("HEAD~3"), "p/a", &walk); err != nil || c.Hash != want {
		t.Errorf("got %v, %v, want %s", c, err, want)
	}
	if n := fetches() - before; n == 0 || n > 3 {
		t.Errorf("%d fetches", n)
	}
}

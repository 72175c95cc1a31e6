package gitstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// writeIn writes a file of the Git directory.
func (g *gitRepo) writeIn(name, text string) {
	g.t.Helper()
	file := filepath.Join(g.dir, ".git", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// A crash leaves an empty file behind. What was packed long ago isn't the answer.
func TestDamagedBranchIsNotWhatWasPacked(t *testing.T) {
	for name, text := range map[string]string{
		"empty":               "",
		"zero bytes":          strings.Repeat("\x00", 41),
		"something else":      "garbage\n",
		"too short":           "0123456789abcdef\n",
		"an id that goes on":  strings.Repeat("1", 41) + "\n",
		"no object":           strings.Repeat("0", 40) + "\n",
		"a name that is none": "ref: \n",
	} {
		t.Run(name, func(t *testing.T) {
			g := newGitRepo(t)
			g.commit("old", "a", "1")
			g.git("branch", "other")
			g.git("pack-refs", "--all")
			g.commit("new", "a", "2")
			g.writeIn("refs/heads/main", text)
			r := g.open()
			for _, rev := range []string{"HEAD", "main", "refs/heads/main", "HEAD~1"} {
				h, err := r.Resolve(rev)
				if !errors.Is(err, ErrDamagedRef) || !strings.Contains(err.Error(), "refs/heads/main") {
					t.Errorf("%s: got %s, %v, want an error that names the branch", rev, h, err)
				}
			}
			if _, err := r.Resolve("other"); err != nil {
				t.Errorf("another branch: %v", err)
			}
			if _, err := r.Local().Refs(t.Context()); !errors.Is(err, ErrDamagedRef) {
				t.Errorf("the refs: got %v, want ErrDamagedRef", err)
			}
			if _, err := r.StagedPaths("."); !errors.Is(err, ErrDamagedRef) {
				t.Errorf("what is staged: got %v, want ErrDamagedRef", err)
			}
		})
	}
}

func TestDamagedHeadIsNamed(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "a", "1")
	g.writeIn("HEAD", "")
	r := g.open()
	if _, err := r.Resolve("HEAD"); !errors.Is(err, ErrDamagedRef) || !strings.Contains(err.Error(), "HEAD: its file is empty") {
		t.Errorf("got %v, want an error that names HEAD", err)
	}
	if _, err := r.Resolve("main"); err != nil {
		t.Errorf("a branch: %v", err)
	}
}

// Beside refs there are locks of git at work, and files that others leave.
func TestRefsAreListedAroundWhatIsNone(t *testing.T) {
	g := historyRepo(t)
	g.git("pack-refs", "--all")
	g.git("update-ref", "refs/heads/main", "HEAD~1") // over a packed one
	g.git("update-ref", "refs/heads/new", "HEAD")
	want := map[string]Hash{"HEAD": g.hash("HEAD")}
	for line := range strings.SplitSeq(g.git("for-each-ref", "--format=%(objectname) %(refname) %(symref)"), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 2 {
			want[fields[1]] = g.hash(fields[0])
		}
	}
	for _, name := range []string{"refs/heads/main.lock", "refs/tags/policypin/x.lock", "refs/heads/damaged", "packed-refs.lock"} {
		g.writeIn(name, "")
	}
	for _, name := range []string{"refs/.DS_Store", "refs/heads/.DS_Store", "refs/tags/policypin/.DS_Store"} {
		g.writeIn(name, "Bud1\x00\x00")
	}
	refs, err := g.open().Local().Refs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range want {
		if refs.All[name] != h {
			t.Errorf("%s: got %s, want %s", name, refs.All[name], h)
		}
	}
	for name := range refs.All {
		if _, ok := want[name]; !ok {
			t.Errorf("listed %s, which git doesn't", name)
		}
	}
}

// A pin that can't be seen would be written again.
func TestDamagedPinIsNotPassedBy(t *testing.T) {
	g := historyRepo(t)
	g.writeIn("refs/tags/policypin/production/agents/v12", "")
	r := g.open()
	if _, err := r.Local().Refs(t.Context()); !errors.Is(err, ErrDamagedRef) || !strings.Contains(err.Error(), "agents/v12") {
		t.Errorf("got %v, want an error that names the pin", err)
	}
	g.writeIn("packed-refs", "# pack-refs with: peeled fully-peeled sorted \n<<<<<<< ours\n")
	if err := os.Remove(filepath.Join(g.dir, ".git", "refs", "tags", "policypin", "production", "agents", "v12")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Local().Refs(t.Context()); !errors.Is(err, ErrDamagedRef) {
		t.Errorf("packed-refs in conflict: got %v, want ErrDamagedRef", err)
	}
}

// Old tools make a second work tree of links to the parts of the first.
func TestGitDirectoryOfLinks(t *testing.T) {
	g := historyRepo(t)
	g.git("branch", "packed")
	g.git("pack-refs", "--all")
	g.git("update-ref", "refs/heads/loose", "HEAD~1")
	other := filepath.Join(t.TempDir(), "other")
	if err := os.MkdirAll(filepath.Join(other, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config", "refs", "objects", "packed-refs"} {
		if err := os.Symlink(filepath.Join(g.dir, ".git", name), filepath.Join(other, ".git", name)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	// So was a symbolic ref written, once.
	if err := os.Symlink("refs/heads/loose", filepath.Join(other, ".git", "HEAD")); err != nil {
		t.Fatal(err)
	}
	w := &gitRepo{t, other}
	r := w.open()
	for _, rev := range []string{"HEAD", "main", "loose", "packed", "twice"} {
		if got, err := r.Resolve(rev); err != nil || got != w.hash(rev+"^{commit}") {
			t.Errorf("%s: got %s, %v", rev, got, err)
		}
	}
	refs, err := r.Local().Refs(t.Context())
	if err != nil || refs.Head != "loose" || refs.All["HEAD"] != w.hash("HEAD") || refs.All["refs/heads/packed"] != w.hash("packed") {
		t.Errorf("got %+v, %v", refs, err)
	}
	results, err := r.Local().PushPins(t.Context(), []*Pin{pinOf(t, w.hash("HEAD"), "agents", 1)})
	pushed(t, results, err)
	if got := g.git("cat-file", "-t", "refs/tags/policypin/production/agents/v1"); got != "tag" {
		t.Errorf("the pin is a %s", got)
	}
}

// A linked work tree has a HEAD and some refs of its own.
func TestRefsOfALinkedWorkTree(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "a", "1")
	linked := filepath.Join(filepath.Dir(g.dir), "linked")
	g.git("worktree", "add", "-q", "-b", "side", linked)
	w := &gitRepo{t, linked}
	want := w.commit("two", "b", "2")
	w.git("update-ref", "refs/worktree/mine", "HEAD")
	r := w.open()
	for _, rev := range []string{"HEAD", "side", "refs/worktree/mine"} {
		if got, err := r.Resolve(rev); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", rev, got, err, want)
		}
	}
	refs, err := r.Local().Refs(t.Context())
	if err != nil || refs.Head != "side" || refs.All["HEAD"] != want || refs.All["refs/heads/main"] != g.hash("main") {
		t.Errorf("got %+v, %v", refs, err)
	}
}

// Git takes the names of branches as bytes.
func TestBranchWhoseNameIsNotUTF8(t *testing.T) {
	const name = "caf\xe9"
	g := newGitRepo(t)
	want := g.commit("one", "a", "1")
	if file, err := os.Create(filepath.Join(t.TempDir(), name)); err != nil {
		t.Skipf("no such names here: %v", err)
	} else {
		file.Close()
	}
	g.git("checkout", "-q", "-b", name)
	for _, packed := range []bool{false, true} {
		if packed {
			g.git("pack-refs", "--all")
		}
		r := g.open()
		for _, rev := range []string{"HEAD", name} {
			if got, err := r.Resolve(rev); err != nil || got != want {
				t.Errorf("packed %v: %q: got %s, %v, want %s", packed, rev, got, err, want)
			}
		}
	}
}

func TestRefsStayInTheGitDirectory(t *testing.T) {
	g := newGitRepo(t)
	id := g.commit("one", "a", "1").String() + "\n"
	for name, text := range map[string]string{"outside": id, "../outside": id, "refs/heads/deep/er": id} {
		g.writeIn(name, text)
	}
	r := g.open()
	for _, name := range []string{"../outside", "refs/../outside", "refs/heads/../../../outside", "refs//heads/main", "refs/heads/", "/refs/heads/main", ".", "", filepath.ToSlash(filepath.Join(g.dir, "outside"))} {
		if ref, err := r.store.Reference(plumbing.ReferenceName(name)); !errors.Is(err, plumbing.ErrReferenceNotFound) {
			t.Errorf("%q: got %v, %v", name, ref, err)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"", "ref: refs/heads/main\n", "ref:", "\x00", strings.Repeat("a", 40), strings.Repeat("a", 40) + "\tbranch", strings.Repeat("0", 40) + "\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, why := parseRef("refs/heads/main", text)
		if (ref == nil) == (why == "") {
			t.Fatalf("%q: got %v and %q", text, ref, why)
		}
		if ref != nil && ref.Type() == plumbing.HashReference && !strings.HasPrefix(strings.ToLower(text), ref.Hash().String()) {
			t.Errorf("%q: got %s", text, ref.Hash())
		}
	})
}

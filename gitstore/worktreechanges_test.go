package gitstore

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
)

func isCedar(file string) bool { return path.Ext(file) == ".cedar" }

// bruteDiffers reads all wanted files of two file systems.
func bruteDiffers(t *testing.T, a, b fs.FS) []string {
	t.Helper()
	contents := [2]map[string][]byte{{}, {}}
	for i, fsys := range []fs.FS{a, b} {
		err := fs.WalkDir(fsys, ".", func(file string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && isCedar(file) {
				contents[i][file], err = fs.ReadFile(fsys, file)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var list []string
	for file, text := range contents[0] {
		if other, ok := contents[1][file]; !ok || !bytes.Equal(text, other) {
			list = append(list, file)
		}
	}
	for file := range contents[1] {
		if _, ok := contents[0][file]; !ok {
			list = append(list, file)
		}
	}
	slices.Sort(list)
	return list
}

// Whatever happens to a work tree, what differs is what reading all of it shows.
func TestWorkTreeChangesAreThoseOfReadingAll(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	g := newGitRepo(t)
	g.write(".gitignore", "ignored.cedar\n")
	for i := range 30 {
		g.write(fmt.Sprintf("p/a%d/f%d.cedar", i%5%4, i), fmt.Sprintf("permit %d\n", i))
	}
	first := g.commit("one", "other.txt", "x", "q.cedar", "outside p")
	r := g.open()
	for step := range 40 {
		n := random.IntN(35) // some are new
		file := fmt.Sprintf("p/a%d/f%d.cedar", n%5%4, n)
		at := filepath.Join(g.dir, filepath.FromSlash(file))
		switch random.IntN(8) {
		case 0:
			_ = os.Remove(at) // or it isn't there
		case 1:
			_ = os.Chmod(at, 0o755)
		case 2:
			g.write("p/a1/ignored.cedar", fmt.Sprint(step))
		case 3: // back to what was committed, at a later time
			if text, err := os.ReadFile(at); err == nil {
				g.write(file, string(text))
			}
		case 4:
			g.git("add", "-A")
		case 5:
			_ = os.RemoveAll(at)
			g.write(file+"/deep.cedar", "x")
		case 6:
			_ = os.RemoveAll(at)
			g.write(file, fmt.Sprintf("permit %d\r\n", step))
		default:
			_ = os.RemoveAll(at)
			g.write(file, "permit 1\n") // of another file's content and length
		}
		for _, dir := range []string{".", "p"} {
			disk, err := r.WorkTree(dir)
			if err != nil {
				t.Fatal(err)
			}
			commit, err := r.TreeAt(first, dir)
			if err != nil {
				t.Fatal(err)
			}
			index, err := r.Index(dir)
			if err != nil {
				t.Fatal(err)
			}
			got, ok, err := r.WorkTreeSince(first, dir, isCedar)
			if want := bruteDiffers(t, commit, disk); err != nil || !ok || !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d, commit and work tree of %s: got %q, %v, %v, want %q", seed, step, dir, got, ok, err, want)
			}
			got, ok, err = r.WorkTreeUnstaged(dir, isCedar)
			if want := bruteDiffers(t, index, disk); err != nil || !ok || !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d, index and work tree of %s: got %q, %v, %v, want %q", seed, step, dir, got, ok, err, want)
			}
			var staged []string
			changes, err := r.StagedSince(first, dir)
			for _, c := range changes {
				if isCedar(c.Path) && c.From != c.To {
					staged = append(staged, c.Path)
				}
			}
			slices.Sort(staged)
			if want := bruteDiffers(t, commit, index); err != nil || !slices.Equal(staged, want) {
				t.Fatalf("seed %d, step %d, commit and index of %s: got %q, %v, want %q", seed, step, dir, staged, err, want)
			}
		}
	}
}

// A checkout that converts line ends has other files than the commit, which git
// calls unchanged.
func TestWorkTreeChangesAreOfBytes(t *testing.T) {
	g := newGitRepo(t)
	head := g.commit("one", "a.cedar", "permit\n", ".gitattributes", "*.cedar text eol=crlf\n")
	if err := os.Remove(filepath.Join(g.dir, "a.cedar")); err != nil {
		t.Fatal(err)
	}
	g.git("checkout", "-q", "--", "a.cedar")
	if got := g.git("status", "--porcelain"); got != "" {
		t.Fatalf("git says %q", got)
	}
	if got, ok, err := g.open().WorkTreeSince(head, ".", isCedar); err != nil || !ok || !slices.Equal(got, []string{"a.cedar"}) {
		t.Errorf("got %q, %v, %v, want a.cedar", got, ok, err)
	}
}

func TestWorkTreeChangesAndLinks(t *testing.T) {
	g := newGitRepo(t)
	head := g.commit("one", "p/a.cedar", "permit\n")
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(g.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("p/a.cedar", "plain.txt")
	link("nothing", "b.cedar")
	if got, ok, err := g.open().WorkTreeSince(head, ".", isCedar); err != nil || !ok || !slices.Equal(got, []string{"b.cedar"}) {
		t.Errorf("links to files: got %q, %v, %v, want b.cedar", got, ok, err)
	}
	link("p", "folder")
	if got, ok, err := g.open().WorkTreeSince(head, ".", isCedar); err != nil || ok {
		t.Errorf("a link to a folder: got %q, %v, %v, want it not to be known", got, ok, err)
	}
}

// What a sparse checkout leaves out is unchanged.
func TestWorkTreeChangesInASparseCheckout(t *testing.T) {
	g := newGitRepo(t)
	head := g.commit("one", "in/a.cedar", "permit\n", "out/b.cedar", "permit\n")
	g.git("sparse-checkout", "set", "in")
	g.write("in/c.cedar", "permit\n")
	if got, ok, err := g.open().WorkTreeSince(head, ".", isCedar); err != nil || !ok || !slices.Equal(got, []string{"in/c.cedar"}) {
		t.Errorf("got %q, %v, %v, want in/c.cedar", got, ok, err)
	}
}

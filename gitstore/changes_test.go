package gitstore

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"testing"
)

func TestChangedPathsAreThoseOfGit(t *testing.T) {
	g := newGitRepo(t)
	random := rand.New(rand.NewPCG(1, 2))
	var commits []Hash
	names := []string{"p", "a", "a.b", "a0", "z", "p.x"}
	// Random trees change files to folders and back.
	for i := range 12 {
		g.git("rm", "-r", "-q", "--ignore-unmatch", "--cached", ".")
		staged := ""
		for range 6 {
			blob := g.gitIn(fmt.Sprint(random.IntN(3)), "hash-object", "-w", "--stdin")
			name := names[random.IntN(len(names))]
			for range random.IntN(3) {
				name += "/" + names[random.IntN(len(names))]
			}
			mode := []string{"100644", "100755", "120000"}[random.IntN(3)]
			staged += mode + " " + blob + "\t" + name + "\n"
		}
		g.gitIn(staged, "update-index", "--replace", "--add", "--index-info")
		g.git("commit", "-q", "--allow-empty", "-m", fmt.Sprint(i))
		commits = append(commits, g.hash("HEAD"))
	}
	r := g.open()
	for _, a := range commits {
		for _, b := range commits[:4] {
			got, err := r.ChangedPaths(a, b, ".")
			if want := g.rawDiff(a.String(), b.String()); err != nil || rawChanges(got) != want {
				t.Errorf("%s..%s: got %v\n%swant\n%s", a.Short(), b.Short(), err, rawChanges(got), want)
			}
			got, err = r.ChangedPaths(a, b, "p")
			if want := g.rawDiff("--relative=p/", a.String(), b.String()); err != nil || rawChanges(got) != want {
				t.Errorf("%s..%s below p: got %v\n%swant\n%s", a.Short(), b.Short(), err, rawChanges(got), want)
			}
		}
	}
}

func TestChangedPathsFromNothing(t *testing.T) {
	g := newGitRepo(t)
	c := g.commit("one", "p/a", "a", "p/q/b", "b", "x", "x")
	r := g.open()
	got, err := r.ChangedPaths(Hash{}, c, "p")
	if err != nil || len(got) != 2 || got[0] != (PathChange{"a", Hash{}, g.hash("HEAD:p/a")}) || got[1].Path != "q/b" {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := r.ChangedPaths(c, Hash{}, "p"); err != nil || len(got) != 2 || !got[0].To.IsZero() {
		t.Errorf("to nothing: got %v, %v", got, err)
	}
	for _, dir := range []string{"nowhere", "x"} {
		if got, err := r.ChangedPaths(Hash{}, c, dir); err != nil || len(got) != 0 {
			t.Errorf("%s: got %v, %v", dir, got, err)
		}
	}
	if _, err := r.ChangedPaths(Hash{1}, c, "."); !errors.Is(err, ErrNoRevision) {
		t.Errorf("unknown commit: got %v", err)
	}
	if _, err := r.ChangedPaths(c, c, "/p"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("absolute path: got %v", err)
	}
}

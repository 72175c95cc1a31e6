package gitstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// datedRepo has one, in 2020; from it two, in 2021, and side, in 2023 though it
// was written in 1999; their merge, in 2024.
func datedRepo(t *testing.T) (g *gitRepo, one, two Hash) {
	t.Helper()
	g = newGitRepo(t)
	commit := func(year, author string) Hash {
		t.Setenv("GIT_COMMITTER_DATE", year+"-01-01T00:00:00Z")
		t.Setenv("GIT_AUTHOR_DATE", author+"-01-01T00:00:00Z")
		return g.commit(year, year, year)
	}
	one = commit("2020", "2020")
	g.git("checkout", "-q", "-b", "side")
	commit("2023", "1999")
	g.git("checkout", "-q", "-")
	two = commit("2021", "2021")
	t.Setenv("GIT_COMMITTER_DATE", "2024-01-01T00:00:00Z")
	g.git("merge", "-q", "-m", "merge", "side")
	return g, one, two
}

func TestAsOf(t *testing.T) {
	g, one, two := datedRepo(t)
	head := g.hash("HEAD")
	side := g.hash("side")
	r := g.open()
	for _, c := range []struct {
		moment string
		want   []Hash
	}{
		{"2019-06-01", nil},
		{"2020-01-01", []Hash{one}},
		{"2020-06-01", []Hash{one}},
		{"2021-06-01", []Hash{two, one}}, // on one side there was only one
		{"2023-06-01", []Hash{two, side}},
		{"2024-06-01", []Hash{head}},
	} {
		moment, err := time.Parse(time.DateOnly, c.moment)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.AsOf(head, moment)
		byID := func(a, b Hash) int { return strings.Compare(a.String(), b.String()) }
		slices.SortFunc(got, byID)
		slices.SortFunc(c.want, byID)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v, want %v", c.moment, got, err, c.want)
		}
	}
	if _, err := r.AsOf(Hash{1}, time.Now()); !errors.Is(err, ErrNoRevision) {
		t.Errorf("unknown commit: got %v", err)
	}
}

// What a shallow clone lacks is fetched, and only if it is needed.
func TestAsOfInAShallowClone(t *testing.T) {
	g, one, _ := datedRepo(t)
	head := g.hash("HEAD")
	dir := t.TempDir()
	g.git("clone", "-q", "--depth=1", "file://"+g.dir, dir)
	r := openRepo(t, dir, nil)
	moment := time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC)
	if _, err := r.AsOf(head, moment); !errors.Is(err, ErrShallow) {
		t.Errorf("without the remote: got %v, want ErrShallow", err)
	}
	var progress []string
	origin, err := r.Remote(RemoteOptions{Name: "origin", Progress: func(s string) { progress = append(progress, s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { origin.Close() })
	if got, err := origin.AsOf(context.Background(), head, time.Now()); err != nil || !slices.Equal(got, []Hash{head}) || len(progress) > 0 {
		t.Errorf("now: got %v, %v, fetched %v, want %v and nothing fetched", got, err, progress, head)
	}
	if got, err := origin.AsOf(context.Background(), head, moment); err != nil || !slices.Equal(got, []Hash{one}) {
		t.Errorf("2020: got %v, %v, want %v", got, err, one)
	}
}

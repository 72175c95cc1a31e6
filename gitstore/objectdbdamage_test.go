package gitstore

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A byte that changed on disk gives an error or, where it doesn't matter, the
// right content.
func TestDamageIsNotRead(t *testing.T) {
	g := newGitRepo(t)
	edits(g, 0, 8)
	g.git("repack", "-qad")
	g.git("prune-packed")
	want := catFile(t, g)
	pack := g.packs()[0]
	for _, file := range []string{pack, strings.TrimSuffix(pack, ".pack") + ".idx"} {
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		failed := 0
		random := rand.New(rand.NewPCG(1, 1))
		for range 60 {
			bad := bytes.Clone(good)
			if n := random.IntN(len(bad)); random.IntN(4) == 0 {
				bad = bad[:n]
			} else {
				bad[n] ^= 1 << random.IntN(8)
			}
			if err := os.WriteFile(file, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			db := dbOf(t, g, true)
			for h, w := range want {
				got, err := db.read(h)
				if err != nil {
					failed++
				} else if got.kind != w.kind || !bytes.Equal(got.content, w.content) {
					t.Fatalf("%s: %s: got another object", filepath.Base(file), h)
				}
			}
			db.close()
		}
		if failed == 0 {
			t.Errorf("%s: no damage was noticed", filepath.Base(file))
		}
		if err := os.WriteFile(file, good, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A pack that is cut off while it is mapped is an error, not the end of the
// process.
func TestAMappedPackMayShrink(t *testing.T) {
	g := newGitRepo(t)
	edits(g, 0, 40)
	g.git("repack", "-qad")
	g.git("prune-packed")
	h := g.hash("HEAD")
	db := dbOf(t, g, true)
	if _, err := db.read(h); err != nil {
		t.Fatal(err)
	}
	want := catFile(t, g)
	pack := g.packs()[0]
	for _, file := range []string{pack, strings.TrimSuffix(pack, ".pack") + ".idx"} {
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(file, 0); err != nil {
			t.Fatal(err)
		}
		db.cache.clear()
		failed := 0
		for h := range want {
			if _, err := db.read(h); err != nil {
				failed++
			}
		}
		if failed != len(want) {
			t.Errorf("%s: %d of %d objects were read from an empty file", filepath.Base(file), len(want)-failed, len(want))
		}
	}
}

func TestAClosedDatabaseReadsNothing(t *testing.T) {
	g := newGitRepo(t)
	c := g.commit("one", "a", "x")
	g.git("repack", "-qad")
	g.git("prune-packed")
	db := dbOf(t, g, true)
	if _, err := db.read(c); err != nil {
		t.Fatal(err)
	}
	if err := db.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.read(c); err == nil {
		t.Error("got no error")
	}
}

package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
)

// catFile is what git says of every object of a repository: the witness.
func catFile(t testing.TB, g *gitRepo) map[Hash]rawObject {
	t.Helper()
	objects := map[Hash]rawObject{}
	out := g.gitIn("", "cat-file", "--batch-all-objects", "--unordered", "--batch")
	if out == "" {
		return objects
	}
	r := strings.NewReader(out + "\n")
	for r.Len() > 0 {
		var id, kind string
		var size int
		if _, err := fmt.Fscanf(r, "%s %s %d\n", &id, &kind, &size); err != nil {
			t.Fatal(err)
		}
		content := make([]byte, size+1) // a line feed follows
		if _, err := io.ReadFull(r, content); err != nil {
			t.Fatal(err)
		}
		h, err := ParseHash(id)
		if err != nil {
			t.Fatal(err)
		}
		typ, err := plumbing.ParseObjectType(kind)
		if err != nil {
			t.Fatal(err)
		}
		objects[h] = rawObject{typ, content[:size]}
	}
	return objects
}

// dbOf is the object database of a repository as openStore finds it.
func dbOf(t testing.TB, g *gitRepo, mapping bool) *objectDB {
	t.Helper()
	gitDir := filepath.Join(g.dir, ".git")
	alternates, err := alternateDirs(filepath.Join(gitDir, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	dirs := []string{filepath.Join(gitDir, "objects")}
	for _, dir := range alternates {
		dirs = append(dirs, filepath.Join(dir, "objects"))
	}
	db := newObjectDB(dirs)
	db.mapping = mapping
	t.Cleanup(func() { db.close() })
	return db
}

// edits commits versions of a few files that differ a little, so that git
// makes long chains of deltas.
func edits(g *gitRepo, from, to int) {
	for i := from; i < to; i++ {
		files := []string{"p/new" + strconv.Itoa(i), fmt.Sprintf("permit %d\n", i)}
		for _, name := range []string{"p/a", "p/b"} {
			var text strings.Builder
			for line := range 400 {
				fmt.Fprintf(&text, "%s line %d is %d\n", name, line, max(line, i)*line%(7+i))
			}
			files = append(files, name, text.String())
		}
		g.commit("edit "+strconv.Itoa(i), files...)
	}
	g.git("tag", "-a", "-m", "a tag", fmt.Sprintf("v%d", to))
}

// stores are repositories in which objects lie in every way that git knows.
var stores = []struct {
	name string
	make func(g *gitRepo)
}{
	{"loose", func(g *gitRepo) { edits(g, 0, 12) }},
	{"packed, with long chains of deltas", func(g *gitRepo) {
		edits(g, 0, 60)
		g.git("repack", "-qadf", "--depth=200", "--window=60")
		g.git("prune-packed")
	}},
	{"packed, with bases by id", func(g *gitRepo) {
		edits(g, 0, 30)
		g.git("-c", "repack.useDeltaBaseOffset=false", "repack", "-qadf")
	}},
	{"packed without compression", func(g *gitRepo) {
		edits(g, 0, 10)
		g.git("-c", "core.compression=0", "repack", "-qadfF")
	}},
	{"many packs and loose objects", func(g *gitRepo) {
		for i := range 8 {
			edits(g, 4*i, 4*i+4)
			if i < 7 {
				g.git("repack", "-qd")
			}
		}
	}},
	{"a multi-pack-index and a commit-graph", func(g *gitRepo) {
		edits(g, 0, 10)
		g.git("repack", "-qd")
		edits(g, 10, 20)
		g.git("repack", "-qd")
		g.git("multi-pack-index", "write")
		g.git("commit-graph", "write", "--reachable")
	}},
	{"an index with 8-byte offsets", func(g *gitRepo) {
		edits(g, 0, 20)
		g.git("repack", "-qad")
		g.git("index-pack", "--index-version=2,0x100", g.packs()[0])
	}},
	{"a thin pack that was completed", func(g *gitRepo) {
		edits(g, 0, 10)
		g.git("repack", "-qad")
		origin := filepath.Join(filepath.Dir(g.dir), "origin")
		g.git("clone", "-q", "--bare", g.dir, origin)
		edits(g, 10, 20)
		have := g.git("rev-parse", "HEAD")
		g.git("push", "-q", origin, "main")
		g.git("reset", "-q", "--hard", "HEAD~10")
		g.git("reflog", "expire", "--expire=all", "--all")
		g.git("tag", "-d", "v20")
		g.git("gc", "-q", "--prune=now")
		g.git("-c", "fetch.unpackLimit=1", "fetch", "-q", origin, "main")
		if got := g.git("rev-parse", "FETCH_HEAD"); got != have || len(g.packs()) != 2 {
			g.t.Fatalf("fetched %s in %d packs, want %s in 2", got, len(g.packs()), have)
		}
	}},
	{"alternates of alternates", func(g *gitRepo) {
		edits(g, 0, 6)
		g.git("repack", "-qad")
		edits(g, 6, 9)
		one, two := filepath.Join(filepath.Dir(g.dir), "one"), filepath.Join(filepath.Dir(g.dir), "two")
		g.git("clone", "-q", "--shared", g.dir, one)
		g.dir = one
		edits(g, 9, 12)
		g.git("clone", "-q", "--shared", one, two)
		g.dir = two
		edits(g, 12, 15)
	}},
	{"large and empty objects", func(g *gitRepo) {
		noise := make([]byte, 3<<20)
		random := rand.NewChaCha8([32]byte{1})
		random.Read(noise)
		g.commit("large", "noise", string(noise), "zeros", strings.Repeat("\x00", 40<<20), "empty", "")
		g.git("-c", "core.bigFileThreshold=1g", "repack", "-qad")
		g.commit("loose", "more", string(noise[1:]))
	}},
	{"nothing", func(*gitRepo) {}},
}

func (g *gitRepo) packs() []string {
	list, err := filepath.Glob(filepath.Join(g.dir, ".git/objects/pack/*.pack"))
	if err != nil {
		g.t.Fatal(err)
	}
	return list
}

// Our reader, with and without mapped files, go-git's, and the store that has
// both give every object as git does.
func TestReadersAgreeWithGit(t *testing.T) {
	for _, tt := range stores {
		t.Run(tt.name, func(t *testing.T) {
			g := newGitRepo(t)
			tt.make(g)
			want := catFile(t, g)
			r := g.open()
			absent := Hash{1, 2, 3}
			for _, mapping := range []bool{true, false} {
				db := dbOf(t, g, mapping)
				for h, w := range want {
					got, err := db.read(h)
					if err != nil || got.kind != w.kind || !bytes.Equal(got.content, w.content) {
						t.Fatalf("mapping %v: %s: got %s of %d bytes, %v; want %s of %d bytes", mapping, h, got.kind, len(got.content), err, w.kind, len(w.content))
					}
					if n, err := db.size(h); err != nil || n != int64(len(w.content)) {
						t.Fatalf("size of %s: got %d, %v, want %d", h, n, err, len(w.content))
					}
					if ok, err := db.has(h); !ok || err != nil {
						t.Fatalf("has %s: got %v, %v", h, ok, err)
					}
				}
				if _, err := db.read(absent); !errors.Is(err, errMissing) {
					t.Errorf("an id that isn't there: got %v, want errMissing", err)
				}
				if ok, err := db.has(absent); ok || err != nil {
					t.Errorf("has an id that isn't there: got %v, %v", ok, err)
				}
			}
			for h, w := range want {
				got, err := stored{r.store}.read(w.kind, h)
				if err != nil || !bytes.Equal(got, w.content) {
					t.Fatalf("store: %s: got %d bytes, %v; want %d", h, len(got), err, len(w.content))
				}
				prefix, err := r.store.HashesWithPrefix(h[:4])
				if err != nil || len(prefix) != 1 || prefix[0] != fromHash(h) {
					t.Fatalf("prefix of %s: got %v, %v", h, prefix, err)
				}
			}
			if _, err := (stored{r.store}).read(plumbing.BlobObject, absent); !errors.Is(err, errMissing) {
				t.Errorf("store: an id that isn't there: got %v, want errMissing", err)
			}
			if len(r.store.alternates) > 0 {
				return // go-git alone doesn't see them
			}
			theirs := newStorage(osfs.New(filepath.Join(g.dir, ".git")), cache.NewObjectLRUDefault())
			defer theirs.Close()
			for h, w := range want {
				obj, err := theirs.EncodedObject(plumbing.AnyObject, fromHash(h))
				if err != nil {
					t.Fatal(err)
				}
				got, err := readAll(obj)
				if err != nil || got.kind != w.kind || !bytes.Equal(got.content, w.content) {
					t.Fatalf("go-git: %s: got %s of %d bytes, %v; want %s of %d bytes", h, got.kind, len(got.content), err, w.kind, len(w.content))
				}
			}
		})
	}
}

// go-git 5.19 doesn't read them either, and git has not made them since 2008, so
// that there is an error is enough.
func TestAnIndexOfVersion1IsForeign(t *testing.T) {
	g := newGitRepo(t)
	c := g.commit("one", "a", "x")
	g.git("-c", "pack.indexVersion=1", "repack", "-qad")
	g.git("prune-packed")
	db := dbOf(t, g, true)
	if _, err := db.read(c); !errors.Is(err, errForeign) {
		t.Errorf("read: got %v, want errForeign", err)
	}
	if _, err := db.has(c); !errors.Is(err, errForeign) {
		t.Errorf("has: got %v, want errForeign", err)
	}
	if _, err := g.open().Commit(c); err == nil || errors.Is(err, ErrNoRevision) {
		t.Errorf("through go-git: got %v, want an error that says more", err)
	}
	later := g.commit("two", "a", "y")
	if _, err := db.read(later); err != nil {
		t.Errorf("a loose object beside it: %v", err)
	}
}

func TestAnObjectOfAnotherTypeIsNotFound(t *testing.T) {
	g := newGitRepo(t)
	c := g.commit("one", "a", "x")
	r := g.open()
	if _, err := (stored{r.store}).read(plumbing.TreeObject, c); !errors.Is(err, errMissing) {
		t.Errorf("a commit as a tree: got %v, want errMissing", err)
	}
}

func TestTooLargeObjectsAreRefused(t *testing.T) {
	for _, loose := range []bool{true, false} {
		g := newGitRepo(t)
		g.commit("large", "zeros", strings.Repeat("\x00", maxObjectBytes+1))
		if !loose {
			g.git("repack", "-qad")
		}
		h := g.hash("HEAD:zeros")
		if _, err := dbOf(t, g, true).read(h); !errors.Is(err, errTooLarge) {
			t.Errorf("loose %v: got %v, want errTooLarge", loose, err)
		}
		r := g.open()
		if _, err := (stored{r.store}).read(plumbing.BlobObject, h); !errors.Is(err, errTooLarge) {
			t.Errorf("loose %v: the store: got %v, want errTooLarge", loose, err)
		}
		if obj, err := r.store.EncodedObject(plumbing.BlobObject, fromHash(h)); err != nil || obj.Size() != maxObjectBytes+1 {
			t.Errorf("loose %v: as a stream: got %v, %v", loose, obj, err)
		}
	}
}

// What another process packs, adds and removes is found; what it has taken away
// can still be read.
func TestReadingWhileGitRepacks(t *testing.T) {
	g := newGitRepo(t)
	edits(g, 0, 10)
	db := dbOf(t, g, true)
	steps := []func(){
		func() { g.git("repack", "-qd") },
		func() { edits(g, 10, 15) },
		func() { g.git("repack", "-qd") },
		func() { edits(g, 15, 20) },
		func() { g.git("gc", "-q", "--prune=now") },
		func() { g.git("repack", "-qadf", "--depth=3") },
		func() { edits(g, 20, 25); g.git("gc", "-q", "--prune=now") },
	}
	for i, step := range steps {
		want := catFile(t, g)
		stop, done := make(chan struct{}), make(chan error, 2)
		for range cap(done) {
			go func() {
				done <- func() error {
					for {
						for h, w := range want {
							if got, err := db.read(h); err != nil || !bytes.Equal(got.content, w.content) {
								return fmt.Errorf("%s: got %d bytes, %v; want %d", h, len(got.content), err, len(w.content))
							}
						}
						select {
						case <-stop:
							return nil
						default:
						}
					}
				}()
			}()
		}
		step()
		close(stop)
		for range cap(done) {
			if err := <-done; err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
		}
		for h, w := range catFile(t, g) {
			if got, err := db.read(h); err != nil || !bytes.Equal(got.content, w.content) {
				t.Fatalf("after step %d: %s: got %d bytes, %v; want %d", i, h, len(got.content), err, len(w.content))
			}
		}
	}
}

func BenchmarkReadObjects(b *testing.B) {
	g := newGitRepo(b)
	edits(g, 0, 60)
	g.git("repack", "-qadf", "--depth=50")
	want := catFile(b, g)
	for b.Loop() {
		db := dbOf(b, g, true)
		for h := range want {
			if _, err := db.read(h); err != nil {
				b.Fatal(err)
			}
		}
		db.close()
	}
}

package gitstore

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/gittest"
)

func TestFullCloneFetchesOnlyWhatIsNew(t *testing.T) {
	s := newSite(t, 100)
	clone := s.clone("file://" + s.bare)
	before := gitFiles(t, clone.GitDir())
	said := 0
	o := origin(t, clone, RemoteOptions{Progress: func(string) { said++ }})
	old := s.tip()
	for _, c := range []struct {
		desc, anc Hash
		want      bool
	}{{old, s.commits[0], true}, {s.commits[0], old, false}, {s.commits[50], s.commits[49], true}, {old, Hash{1}, false}} {
		if ok, err := o.Descends(t.Context(), c.desc, c.anc); ok != c.want || err != nil {
			t.Errorf("%s from %s: got %v, %v", c.desc.Short(), c.anc.Short(), ok, err)
		}
	}
	if _, err := o.TreeAt(t.Context(), s.commits[3], "."); err != nil {
		t.Error(err)
	}
	if said != 0 {
		t.Errorf("a full clone fetched %d times", said)
	}
	tip := s.commit(map[string]string{"new.txt": "new"})
	s.push()
	if ok, err := o.Descends(t.Context(), tip, s.commits[0]); !ok || err != nil {
		t.Errorf("the new tip: got %v, %v", ok, err)
	}
	if said != 1 {
		t.Errorf("%d fetches for one new commit", said)
	}
	fsys, err := o.TreeAt(t.Context(), tip, ".")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := fs.ReadFile(fsys, "new.txt"); string(text) != "new" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	// The branch is rewritten: what it had isn't below its tip.
	gittest.Git(t, s.work, "commit", "-q", "--amend", "-m", "amended")
	gittest.Git(t, s.work, "push", "-q", "--force", "origin", "main")
	amended := mustHash(t, gittest.Git(t, s.work, "rev-parse", "HEAD"))
	if ok, err := o.Descends(t.Context(), amended, tip); ok || err != nil {
		t.Errorf("the rewritten tip from the former one: got %v, %v", ok, err)
	}
	if ok, err := o.Descends(t.Context(), amended, old); !ok || err != nil {
		t.Errorf("the rewritten tip from the commit before: got %v, %v", ok, err)
	}
	if _, err := o.Descends(t.Context(), Hash{1}, old); !errors.Is(err, ErrNoRevision) {
		t.Errorf("an unknown commit: got %v", err)
	}
	after := gitFiles(t, clone.GitDir())
	if len(after) != len(before) {
		t.Errorf("the clone had %d files and has %d", len(before), len(after))
	}
}

// Pins of many commits are read in one small fetch.
func TestPinsAreFetchedWithoutFiles(t *testing.T) {
	for _, filter := range []string{"true", "false"} {
		t.Run("filter="+filter, func(t *testing.T) {
			s := newSite(t, 5)
			s.commit(map[string]string{"big.txt": rand.Text() + strings.Repeat(rand.Text(), 40000)})
			s.push()
			gittest.Git(t, s.bare, "config", "uploadpack.allowFilter", filter)
			var fetches, bytes atomic.Int64
			url := gittest.Serve(t, s.root, gittest.ServeOptions{Wrap: func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost {
						fetches.Add(1)
						w = counting{w, &bytes}
					}
					h.ServeHTTP(w, r)
				})
			}}).URL + "/remote.git"
			clone := s.clone(url, "--depth=1")
			var pins []*Pin
			for i, c := range s.commits {
				pins = append(pins, pinOf(t, c, "agents", i+1))
			}
			if _, err := openRepo(t, s.work, nil).Local().PushPins(t.Context(), pins); err != nil {
				t.Fatal(err)
			}
			gittest.Git(t, s.work, "push", "-q", "--tags", "origin")
			fetches.Store(0)
			bytes.Store(0)
			var made []string
			o := origin(t, clone, RemoteOptions{TempMade: func(dir string) { made = append(made, dir) }})
			for range 2 {
				if got := listPins(t, o); len(got) != len(pins) || !got[3].Equal(pins[3]) {
					t.Errorf("got %v", got)
				}
			}
			if fetches.Load() != 1 {
				t.Errorf("%d fetches, want 1", fetches.Load())
			}
			if n := bytes.Load(); n > 20000 {
				t.Errorf("the fetch brought %d bytes", n)
			}
			if len(made) != 1 {
				t.Fatalf("told of the temporary folders %q, want one", made)
			}
			if _, err := os.Stat(made[0]); err != nil {
				t.Error(err)
			}
		})
	}
}

type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

func TestPartialClone(t *testing.T) {
	s := newSite(t, 20)
	gittest.Git(t, s.bare, "config", "uploadpack.allowFilter", "true")
	gittest.Git(t, s.bare, "config", "uploadpack.allowAnySHA1InWant", "true")
	for _, filter := range []string{"--filter=blob:none", "--filter=tree:0"} {
		clone := s.clone("file://"+s.bare, filter, "--depth=1")
		o := origin(t, clone, RemoteOptions{})
		if ok, err := o.Descends(t.Context(), s.tip(), s.commits[0]); !ok || err != nil {
			t.Errorf("%s: history: got %v, %v", filter, ok, err)
		}
		fsys, err := o.TreeAt(t.Context(), s.commits[3], "policies")
		if err != nil {
			t.Fatal(err)
		}
		if text, err := fs.ReadFile(fsys, "a.cedar"); len(text) != 4*8 || err != nil {
			t.Errorf("%s: got %d bytes, %v", filter, len(text), err)
		}
		results, err := o.PushPins(t.Context(), []*Pin{pinOf(t, s.tip(), "agents", 1)})
		pushed(t, results, err)
		gittest.Git(t, clone.Root(), "fsck")
	}
}

// A server that doesn't answer, and a hook that doesn't end, are left when the
// context ends.
func TestContextEndsRequests(t *testing.T) {
	s := newSite(t, 1)
	clone := openRepo(t, s.work, nil)
	release := make(chan struct{})
	hung := gittest.Serve(t, s.root, gittest.ServeOptions{Wrap: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })
	}}).URL + "/remote.git"
	t.Cleanup(func() { close(release) })
	gittest.Hook(t, s.bare, "pre-receive", "exec sleep 5")
	for _, url := range []string{hung, s.bare} {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("interrupted"))
		start := time.Now()
		results, err := origin(t, clone, RemoteOptions{Name: url}).PushPins(ctx, []*Pin{pinOf(t, s.tip(), "agents", 1)})
		cancel()
		if err == nil && len(results) == 1 {
			err = results[0].Err
		}
		if err == nil || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("%s: got %v, want the context's cause", url, err)
		}
		if d := time.Since(start); d > 4*time.Second {
			t.Errorf("%s: took %s", url, d)
		}
	}
}

package gitstore

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/policypin/policypin/internal/gittest"
)

func withVersionID(id string) func(*Record) { return func(r *Record) { r.VersionID = id } }

func pinOf(t *testing.T, commit Hash, set string, version int, changes ...func(*Record)) *Pin {
	t.Helper()
	rec := testRecord(set, version)
	for _, change := range changes {
		change(&rec)
	}
	return testPin(t, commit, rec)
}

// listPins lists and reads all pins of production.
func listPins(t *testing.T, o Origin) []*Pin {
	t.Helper()
	refs, err := o.Refs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, odd := refs.Pins("production")
	if len(odd) > 0 {
		t.Errorf("odd refs: %q", odd)
	}
	pins, err := o.ReadPins(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	return pins
}

// The rules of pushing are the same for the clone itself and for a remote.
func eachOrigin(t *testing.T, test func(t *testing.T, s *site, o Origin)) {
	t.Run("local", func(t *testing.T) {
		s := newSite(t, 3)
		test(t, s, openRepo(t, s.work, nil).Local())
	})
	t.Run("path", func(t *testing.T) {
		s := newSite(t, 3)
		test(t, s, origin(t, openRepo(t, s.work, nil), RemoteOptions{}))
	})
	t.Run("http", func(t *testing.T) {
		s := newSite(t, 3)
		url := gittest.Serve(t, s.root, gittest.ServeOptions{}).URL + "/remote.git"
		test(t, s, origin(t, s.clone(url, "--depth=1"), RemoteOptions{}))
	})
}

func TestPushingTwiceIsPushingOnce(t *testing.T) {
	eachOrigin(t, func(t *testing.T, s *site, o Origin) {
		if err := o.CheckPush(t.Context()); err != nil {
			t.Fatal(err)
		}
		pins := []*Pin{pinOf(t, s.tip(), "agents", 1), pinOf(t, s.tip(), "ops/é", 7)}
		for round := range 2 {
			results, err := o.PushPins(t.Context(), pins)
			if err != nil {
				t.Fatal(err)
			}
			for i, res := range results {
				if res.Err != nil || res.New != (round == 0) || res.Pin.Object != pins[i].Object {
					t.Errorf("round %d, pin %d: got %+v", round, i, res)
				}
			}
		}
		read := listPins(t, o)
		if len(read) != 2 || read[0].Set != "agents" || read[1].Set != "ops/é" || read[1].Number != 7 {
			t.Fatalf("got %v", read)
		}
		for i := range read {
			if string(read[i].Raw) != string(pins[i].Raw) || read[i].Commit != s.tip() {
				t.Errorf("pin %d is read back as\n%s", i, read[i].Raw)
			}
		}
	})
}

func TestFirstWrittenPinWins(t *testing.T) {
	eachOrigin(t, func(t *testing.T, s *site, o Origin) {
		first := pinOf(t, s.tip(), "agents", 1)
		results, err := o.PushPins(t.Context(), []*Pin{first})
		pushed(t, results, err)

		evidence := pinOf(t, s.tip(), "agents", 1, func(r *Record) { r.Approvals = nil })
		results, err = o.PushPins(t.Context(), []*Pin{evidence})
		if res := pushed(t, results, err); res.New || res.Pin.Object != first.Object || len(res.Pin.Record.Approvals) != 1 {
			t.Errorf("an equal pin: got %+v, want the one that is there", res)
		}

		other := pinOf(t, s.tip(), "agents", 1, withVersionID("psv_other"))
		more := pinOf(t, s.tip(), "agents", 2)
		results, err = o.PushPins(t.Context(), []*Pin{other, more})
		if err != nil {
			t.Fatal(err)
		}
		err = results[0].Err
		if !errors.Is(err, ErrPinExists) {
			t.Fatalf("another pin: got %v, want ErrPinExists", err)
		}
		for _, want := range []string{"psv_9c", "psv_other", s.tip().Short(), first.Name, "policypin@localhost", "b7b7b7b7b7b7"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the conflict doesn't show %q: %v", want, err)
			}
		}
		if results[1].Err != nil || !results[1].New {
			t.Errorf("the pin beside it: got %+v", results[1])
		}
		if read := listPins(t, o); len(read) != 2 || read[0].Object != first.Object {
			t.Errorf("the first pin has moved: %v", read)
		}
	})
}

func TestBadPinsAreNamed(t *testing.T) {
	eachOrigin(t, func(t *testing.T, s *site, o Origin) {
		dir := s.bare
		if _, ok := o.(local); ok {
			dir = s.work
		}
		gittest.Git(t, dir, "tag", "policypin/production/light/v1", "main")
		gittest.Git(t, dir, "tag", "-a", "-m", "hello", "policypin/production/note/v1", "main")
		gittest.Git(t, dir, "tag", "policypin/production/odd", "main")
		gittest.Git(t, dir, "tag", "policypin/productions/agents/v1", "main")
		refs, err := o.Refs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		list, odd := refs.Pins("production")
		if len(odd) != 1 || odd[0] != "refs/tags/policypin/production/odd" {
			t.Errorf("odd: got %q", odd)
		}
		if len(list) != 2 {
			t.Fatalf("got %v", list)
		}
		for i, want := range []string{"light/v1: it is a lightweight tag", "note/v1: the message"} {
			_, err := o.ReadPins(t.Context(), list[i:i+1])
			if !errors.Is(err, ErrBadPin) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want ErrBadPin with %q", list[i].Name, err, want)
			}
		}
		results, err := o.PushPins(t.Context(), []*Pin{pinOf(t, s.tip(), "note", 1)})
		if err != nil || !errors.Is(results[0].Err, ErrPinExists) {
			t.Errorf("pushing over a bad pin: got %v, %v", results, err)
		}
	})
}

func TestRefusedPushHasTheServersWords(t *testing.T) {
	s := newSite(t, 1)
	gittest.Hook(t, s.bare, "pre-receive", `echo "error: GH013: Repository rule violations found" >&2; echo "Cannot create ref due to creations being restricted." >&2; exit 1`)
	clone := openRepo(t, s.work, nil)
	pin := pinOf(t, s.tip(), "agents", 1)
	for _, url := range []string{s.bare, gittest.Serve(t, s.root, gittest.ServeOptions{}).URL + "/remote.git"} {
		results, err := origin(t, clone, RemoteOptions{Name: url}).PushPins(t.Context(), []*Pin{pin})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{pin.Name, "pre-receive hook declined", "remote: error: GH013", "creations being restricted"} {
			if err := results[0].Err; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", url, err, want)
			}
		}
	}
	if out := gittest.Git(t, s.work, "tag"); out != "" {
		t.Errorf("the refused pin is in the clone: %s", out)
	}
}

func TestOneOfTwoPinsIsRefused(t *testing.T) {
	s := newSite(t, 1)
	gittest.Hook(t, s.bare, "update", `case "$1" in */ops/*) echo "no ops here" >&2; exit 1;; esac`)
	o := origin(t, openRepo(t, s.work, nil), RemoteOptions{})
	results, err := o.PushPins(t.Context(), []*Pin{pinOf(t, s.tip(), "agents", 1), pinOf(t, s.tip(), "ops", 1)})
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Err != nil || !results[0].New {
		t.Errorf("agents: got %+v", results[0])
	}
	if err := results[1].Err; err == nil || !strings.Contains(err.Error(), "no ops here") {
		t.Errorf("ops: got %v", err)
	}
}

// A server that takes one ref in a push gets one in a push.
func TestLimitOfRefsInAPush(t *testing.T) {
	s := newSite(t, 1)
	gittest.Hook(t, s.bare, "pre-receive", `test "$(wc -l)" -le 1 || { echo "Pushes can not update more than 1 branch or tag." >&2; exit 1; }`)
	o := origin(t, openRepo(t, s.work, nil), RemoteOptions{})
	var pins []*Pin
	for i := range 3 {
		pins = append(pins, pinOf(t, s.tip(), fmt.Sprint("set", i), 1))
	}
	results, err := o.PushPins(t.Context(), pins)
	if err != nil {
		t.Fatal(err)
	}
	for i, res := range results {
		if res.Err != nil || !res.New {
			t.Errorf("pin %d: got %+v", i, res)
		}
	}
}

// The answer to a push is lost, before or after the server has done it.
func TestPushWithALostAnswer(t *testing.T) {
	for name, arrives := range map[string]bool{"after": true, "before": false} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, 1)
			var posts atomic.Int32
			first := func(r *http.Request) bool { return r.Method == http.MethodPost && posts.Add(1) == 1 }
			wrap := dropAnswers(first)
			if !arrives {
				wrap = func(h http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if first(r) {
							panic(http.ErrAbortHandler)
						}
						h.ServeHTTP(w, r)
					})
				}
			}
			url := gittest.Serve(t, s.root, gittest.ServeOptions{Wrap: wrap}).URL + "/remote.git"
			o := origin(t, openRepo(t, s.work, nil), RemoteOptions{Name: url})
			pin := pinOf(t, s.tip(), "agents", 1)
			results, err := o.PushPins(t.Context(), []*Pin{pin})
			if res := pushed(t, results, err); !res.New || res.Pin.Object != pin.Object {
				t.Errorf("got %+v", res)
			}
			if got := gittest.Git(t, s.bare, "rev-parse", pin.Name); got != pin.Object.String() {
				t.Errorf("the remote has %s, want %s", got, pin.Object)
			}
		})
	}
}

// Two runs push different content under one name at once: one wins, the other
// is told.
func TestPushRace(t *testing.T) {
	s := newSite(t, 1)
	clone := openRepo(t, s.work, nil)
	for round := 1; round <= 5; round++ {
		var results [2]PushResult
		var wg sync.WaitGroup
		for i := range results {
			o := origin(t, clone, RemoteOptions{})
			pin := pinOf(t, s.tip(), "agents", round, withVersionID(fmt.Sprint("psv_", i)))
			wg.Go(func() {
				res, err := o.PushPins(t.Context(), []*Pin{pin})
				if err != nil {
					t.Error(err)
					return
				}
				results[i] = res[0]
			})
		}
		wg.Wait()
		won := 0
		for _, res := range results {
			if res.Err == nil && res.New {
				won++
			} else if !errors.Is(res.Err, ErrPinExists) {
				t.Errorf("round %d: got %+v, want ErrPinExists", round, res)
			}
		}
		if won != 1 {
			t.Errorf("round %d: %d pushes won", round, won)
		}
	}
}

// A ref that another process is creating isn't overwritten.
func TestCreateRefHonoursGitsLock(t *testing.T) {
	s := newSite(t, 1)
	r := openRepo(t, s.work, nil)
	if err := r.createRef("refs/tags/a", s.tip()); err != nil {
		t.Fatal(err)
	}
	if err := r.createRef("refs/tags/a", Hash{1}); err == nil {
		t.Error("a ref was created twice")
	}
	if err := r.createRef("refs/tags/a/b/c", Hash{1}); err == nil || !strings.Contains(err.Error(), "refs/tags/a is a ref") {
		t.Errorf("a ref below another: got %v", err)
	}
	gittest.Git(t, s.work, "pack-refs", "--all")
	if err := r.createRef("refs/tags/a", Hash{1}); err == nil {
		t.Error("a packed ref was created twice")
	}
	if err := r.createRef("refs/tags/a/b/c", Hash{1}); err == nil {
		t.Error("a ref below another was created")
	}
	if left, _ := filepath.Glob(filepath.Join(r.CommonDir(), "refs", "tags", "*.lock")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if got := gittest.Git(t, s.work, "rev-parse", "a"); got != s.tip().String() {
		t.Errorf("got %s, want %s", got, s.tip())
	}
}

// git pack-refs takes away the folders that it has emptied.
func TestCreateRefWhileFoldersGo(t *testing.T) {
	s := newSite(t, 1)
	r := openRepo(t, s.work, nil)
	folder := filepath.Join(r.CommonDir(), "refs", "tags", "policypin", "local", "main")
	done := make(chan struct{})
	var removing sync.WaitGroup
	removing.Go(func() {
		for {
			select {
			case <-done:
				return
			default: // each fails as long as there is something in it
				os.Remove(folder)
				os.Remove(filepath.Dir(folder))
			}
		}
	})
	for i := range 300 {
		name := fmt.Sprintf("refs/tags/policypin/local/main/v%d", i)
		if err := r.createRef(name, s.tip()); err != nil {
			t.Errorf("%s: %v", name, err)
			break
		}
		if err := os.Remove(filepath.Join(folder, fmt.Sprintf("v%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	removing.Wait()
}

// Local: HEAD is the tip, on a branch, detached, or unborn.
func TestLocalHead(t *testing.T) {
	s := newSite(t, 2)
	o := openRepo(t, s.work, nil).Local()
	check := func(wantBranch string, wantTip Hash, wantOK bool) {
		t.Helper()
		refs, err := o.Refs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		branch, tip, ok := refs.Branch("")
		if branch != wantBranch || tip != wantTip || ok != wantOK {
			t.Errorf("got %s at %s (%v), want %s at %s (%v)", branch, tip, ok, wantBranch, wantTip, wantOK)
		}
	}
	check("main", s.tip(), true)
	gittest.Git(t, s.work, "checkout", "-q", s.commits[0].String())
	check("HEAD", s.commits[0], true)
	gittest.Git(t, s.work, "checkout", "-q", "--orphan", "new")
	check("new", Hash{}, false)
	refs, err := o.Refs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, tip, ok := refs.Branch("main"); !ok || tip != s.tip() {
		t.Errorf("main: got %s (%v)", tip, ok)
	}
	l, err := o.Lock(t.Context(), "zone_1", LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if ctx := l.Context(t.Context()); ctx.Err() != nil || l.Release(ctx) != nil {
		t.Error("the local lock isn't a no-op")
	}
	results, err := o.PushPins(t.Context(), []*Pin{pinOf(t, Hash{1}, "agents", 1)})
	if err != nil || !errors.Is(results[0].Err, ErrNoRevision) {
		t.Errorf("a pin of a missing commit: got %v, %v", results, err)
	}
}

// Only the tag is sent: its commit must be on the remote.
func TestPinOfACommitThatWasNotPushed(t *testing.T) {
	s := newSite(t, 1)
	commit := s.commit(map[string]string{"a": "a"})
	o := origin(t, openRepo(t, s.work, nil), RemoteOptions{})
	results, err := o.PushPins(t.Context(), []*Pin{pinOf(t, commit, "agents", 1)})
	if err != nil || results[0].Err == nil || !strings.Contains(results[0].Err.Error(), "missing necessary objects") {
		t.Errorf("got %v, %v", results, err)
	}
	if out := gittest.Git(t, s.work, "tag") + gittest.Git(t, s.bare, "tag"); out != "" {
		t.Errorf("a tag was made: %s", out)
	}
	if results, err := o.PushPins(t.Context(), nil); len(results) != 0 || err != nil {
		t.Errorf("no pins: got %v, %v", results, err)
	}
}

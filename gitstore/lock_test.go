package gitstore

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/gittest"
)

// quick are intervals for tests. A push through git http-backend takes 20 to
// 100 ms on a busy machine, so they can't be much shorter.
func quick(holder string) LockOptions {
	return LockOptions{Renew: 200 * time.Millisecond, Expire: 2 * time.Second, TakeOver: 3 * time.Second, Wait: -1, Holder: holder}
}

// lockSite is a site served over http, with an origin for each contender.
func lockSite(t *testing.T, opts gittest.ServeOptions) (*site, func() Origin) {
	s := newSite(t, 1)
	url := gittest.Serve(t, s.root, opts).URL + "/remote.git"
	clone := s.clone(url)
	return s, func() Origin { return origin(t, clone, RemoteOptions{}) }
}

func lockValue(t *testing.T, s *site) string {
	return gittest.Git(t, s.bare, "for-each-ref", "--format=%(objectname) %(contents:subject)", "refs/policypin/")
}

func TestLockIsHeldRenewedAndReleased(t *testing.T) {
	s, open := lockSite(t, gittest.ServeOptions{})
	gittest.Git(t, s.bare, "config", "receive.fsckObjects", "true")
	before := gitFiles(t, s.bare)
	l, err := open().Lock(t.Context(), "zone/1", quick("ann's run\n\x1b[31m7"))
	if err != nil {
		t.Fatal(err)
	}
	first := lockValue(t, s)
	if _, subject, _ := strings.Cut(first, " "); subject != "policypin lock, held by ann's run  [31m7" {
		t.Errorf("the value says %q", subject)
	}
	if got := gittest.Git(t, s.bare, "for-each-ref", "--format=%(refname)", "refs/policypin"); got != "refs/policypin/lock/zone%2F1" {
		t.Errorf("the ref is %q", got)
	}
	gittest.Git(t, s.bare, "fsck", "--strict")

	_, err = open().Lock(t.Context(), "zone/1", LockOptions{Holder: "bob"})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "ann's run") {
		t.Errorf("a second lock: got %v, want ErrLocked that names ann's run", err)
	}
	other, err := open().Lock(t.Context(), "zone_2", quick("bob"))
	if err != nil {
		t.Errorf("the lock of another zone: %v", err)
	} else if err := other.Release(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, "a renewal", func() bool { return lockValue(t, s) != first })
	ctx := l.Context(t.Context())
	time.Sleep(2500 * time.Millisecond) // past Expire
	if err := context.Cause(ctx); err != nil {
		t.Errorf("the lock was lost although it is renewed: %v", err)
	}
	for range 2 {
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := lockValue(t, s); got != "" {
		t.Errorf("after the release there is still %q", got)
	}
	for name := range gitFiles(t, s.bare) {
		if _, ok := before[name]; !ok && !strings.HasPrefix(name, "objects/") {
			t.Errorf("the remote gained %s", name)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 200 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no %s within 10 s", what)
}

// Many contenders, one at a time.
func TestLockExcludes(t *testing.T) {
	_, open := lockSite(t, gittest.ServeOptions{})
	var inside, entered atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		o := open()
		wg.Go(func() {
			for range 2 {
				opts := quick("racer")
				opts.TakeOver = time.Minute
				l, err := o.Lock(t.Context(), "zone_1", opts)
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				time.Sleep(20 * time.Millisecond)
				entered.Add(1)
				inside.Add(-1)
				if err := l.Release(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if entered.Load() != 8 {
		t.Errorf("%d entered, want 8", entered.Load())
	}
}

// A holder that stops renewing has lost the lock before a waiter takes it over.
func TestLockOfADeadHolderIsTakenOver(t *testing.T) {
	var cut atomic.Bool
	_, open := lockSite(t, gittest.ServeOptions{Wrap: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if cut.Load() && r.UserAgent() != "" && r.Header.Get("Authorization") != "" {
				panic(http.ErrAbortHandler)
			}
			h.ServeHTTP(w, r)
		})
	}})
	clone := open().(*remote).repo
	holder := origin(t, clone, RemoteOptions{Getenv: func(name string) string {
		return map[string]string{"POLICYPIN_GIT_TOKEN": "the-holder"}[name]
	}})
	dead, err := holder.Lock(t.Context(), "zone_1", quick("dead"))
	if err != nil {
		t.Fatal(err)
	}
	held := dead.Context(t.Context())
	cut.Store(true)

	var saw atomic.Pointer[string]
	opts := quick("heir")
	opts.Waiting = func(holder string, _ time.Duration) { saw.Store(&holder) }
	heir, err := open().Lock(t.Context(), "zone_1", opts)
	if err != nil {
		t.Fatal(err)
	}
	if held.Err() == nil {
		t.Error("the lock was taken over before its holder knew that it had lost it")
	} else if !errors.Is(context.Cause(held), ErrLockLost) {
		t.Errorf("the holder's cause is %v", context.Cause(held))
	}
	if s := saw.Load(); s == nil || *s != "dead" {
		t.Errorf("the waiter was told %v, want dead", s)
	}
	cut.Store(false)
	if err := dead.Release(t.Context()); err != nil {
		t.Errorf("releasing the lost lock: %v", err)
	}
	if err := heir.Context(t.Context()).Err(); err != nil {
		t.Errorf("the heir lost the lock to its former holder's release: %v", err)
	}
	if err := heir.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLockCanBeBroken(t *testing.T) {
	_, open := lockSite(t, gittest.ServeOptions{})
	l, err := open().Lock(t.Context(), "zone_1", quick("ann"))
	if err != nil {
		t.Fatal(err)
	}
	opts := quick("bob")
	opts.Break, opts.Wait = true, 0
	b, err := open().Lock(t.Context(), "zone_1", opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx := l.Context(t.Context())
	select {
	case <-ctx.Done():
		if err := context.Cause(ctx); !errors.Is(err, ErrLockLost) || !strings.Contains(err.Error(), "taken over by bob") {
			t.Errorf("the cause is %v", err)
		}
	case <-time.After(1500 * time.Millisecond): // before Expire
		t.Error("the holder didn't notice")
	}
	for _, l := range []*Lock{l, b} {
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestLockWaitsAsLongAsItIsTold(t *testing.T) {
	_, open := lockSite(t, gittest.ServeOptions{})
	l, err := open().Lock(t.Context(), "zone_1", quick("ann"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release(t.Context())
	opts := quick("bob")
	opts.Wait = 700 * time.Millisecond
	start := time.Now()
	if _, err := open().Lock(t.Context(), "zone_1", opts); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	if d := time.Since(start); d < opts.Wait {
		t.Errorf("gave up after %s, want at least %s", d, opts.Wait)
	}
	opts.Wait = -1
	ctx, cancel := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, errors.New("interrupted"))
	defer cancel()
	if _, err := open().Lock(ctx, "zone_1", opts); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v, want the context's cause", err)
	}
}

func TestLockRefused(t *testing.T) {
	s, open := lockSite(t, gittest.ServeOptions{})
	gittest.Hook(t, s.bare, "update", `case "$1" in refs/policypin/*) echo "GH013: Repository rule violations found for $1." >&2; exit 1;; esac`)
	_, err := open().Lock(t.Context(), "zone_1", quick("ann"))
	if !errors.Is(err, ErrLockRefused) || !strings.Contains(err.Error(), "GH013: Repository rule violations") {
		t.Errorf("got %v, want ErrLockRefused with the server's words", err)
	}
	gittest.Hook(t, s.bare, "update", "exit 0")
	gittest.Git(t, s.bare, "config", "transfer.hideRefs", "refs/policypin")
	if _, err = open().Lock(t.Context(), "zone_1", quick("ann")); !errors.Is(err, ErrLockRefused) {
		t.Errorf("hidden refs: got %v, want ErrLockRefused", err)
	}
}

// Where refs can't be deleted, a released lock says so.
func TestLockIsFreeWhereRefsCannotBeDeleted(t *testing.T) {
	s, open := lockSite(t, gittest.ServeOptions{})
	gittest.Hook(t, s.bare, "update", `case "$3" in 0000*) echo "deletions are restricted" >&2; exit 1;; esac`)
	opts := quick("ann")
	opts.Wait = 0
	for range 2 {
		l, err := open().Lock(t.Context(), "zone_1", opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := lockValue(t, s); !strings.HasSuffix(got, "policypin lock, released") {
			t.Errorf("after the release: %q", got)
		}
	}
}

// Every answer to a push may be lost: the lock is still taken once, renewed and
// released.
func TestLockSurvivesLostAnswers(t *testing.T) {
	var posts atomic.Int32
	s, open := lockSite(t, gittest.ServeOptions{Wrap: dropAnswers(func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "git-receive-pack") && posts.Add(1)%2 == 1
	})})
	l, err := open().Lock(t.Context(), "zone_1", quick("ann"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := l.Context(t.Context())
	time.Sleep(2500 * time.Millisecond)
	if ctx.Err() != nil {
		t.Errorf("the lock was lost: %v", context.Cause(ctx))
	}
	if err := l.Release(t.Context()); err != nil {
		t.Error(err)
	}
	if got := lockValue(t, s); got != "" {
		t.Errorf("after the release there is still %q", got)
	}
	if n := posts.Load(); n < 5 {
		t.Errorf("only %d pushes were made; the test shows nothing", n)
	}
}

// dropAnswers lets the server do what a request asks for, and then closes the
// connection.
func dropAnswers(drop func(*http.Request) bool) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !drop(r) {
				h.ServeHTTP(w, r)
				return
			}
			h.ServeHTTP(discard{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		})
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func TestLockIntervalsMustMakeSense(t *testing.T) {
	_, open := lockSite(t, gittest.ServeOptions{})
	for _, opts := range []LockOptions{{Renew: time.Minute}, {Expire: time.Hour}, {TakeOver: time.Second}, {Renew: -1}} {
		if _, err := open().Lock(t.Context(), "zone_1", opts); err == nil {
			t.Errorf("%+v is accepted", opts)
		}
	}
}

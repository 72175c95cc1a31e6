package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/faultproxy"
	"github.com/policypin/policypin/internal/gittest"
)

// A second clone of the same remote, as another machine has it.
func (s *stage) cloneAs(name, commit string) string {
	s.Helper()
	dir := s.dir + "/" + name
	gittest.Git(s, s.dir, "clone", "-q", s.git.URL+"/project.git", dir)
	gittest.Git(s, dir, "checkout", "-q", "--detach", commit)
	return dir
}

func (s *stage) fairEnv() []string { return append(env(s.api.URL), fairLock...) }

// TestTwoPublishersOfTheSameCommit publishes one commit from two machines at the
// same time, again and again.
func TestTwoPublishersOfTheSameCommit(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 2
	}
	base := published(t)
	want, _, _, _ := undisturbed(t, base)
	for i := range rounds {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s := newStage(t, base)
			head := s.world.git("rev-parse", "HEAD")
			var ps []*process
			for _, name := range []string{"one", "two"} {
				dir := s.cloneAs(name, head)
				ps = append(ps, start(t, dir, s.fairEnv(), "publish", "--target", "production", "--activate"))
			}
			for _, p := range ps {
				if code, out := p.wait(t); code != 0 {
					t.Errorf("exit %d\n%s", code, out)
				}
			}
			if got := s.look(s.zone); !got.equal(want) {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

// TestAdjacentCommitsInEveryOrder publishes two commits that follow each other,
// one before the other, the other way round, and at the same time.
func TestAdjacentCommitsInEveryOrder(t *testing.T) {
	base := published(t)
	older := base.git("rev-parse", "HEAD")
	// The second commit changes another policy, and needs the git server.
	git := gittest.Serve(t, base.dir+"/git", gittest.ServeOptions{})
	base.git("remote", "set-url", "origin", git.URL+"/project.git")
	newer := base.commit("newer", map[string]string{"policies/agent.cedar": policy("bots")})

	for _, order := range []string{"older first", "newer first", "together", "together again", "newer a little later"} {
		t.Run(order, func(t *testing.T) {
			s := newStage(t, base)
			run := map[string]func() *process{}
			for name, commit := range map[string]string{"older": older, "newer": newer} {
				dir := s.cloneAs(name, commit)
				run[name] = func() *process {
					return start(t, dir, s.fairEnv(), "publish", "--target", "production", "--activate")
				}
			}
			var first, second *process
			var code [2]int
			var out [2]string
			switch {
			case order == "older first":
				first = run["older"]()
				code[0], out[0] = first.wait(t)
				second = run["newer"]()
				code[1], out[1] = second.wait(t)
			case order == "newer first":
				second = run["newer"]()
				code[1], out[1] = second.wait(t)
				first = run["older"]()
				code[0], out[0] = first.wait(t)
			default:
				first = run["older"]()
				if order == "newer a little later" {
					time.Sleep(60 * time.Millisecond)
				}
				second = run["newer"]()
				code[0], out[0] = first.wait(t)
				code[1], out[1] = second.wait(t)
			}
			if code[0] != 0 && code[0] != 5 {
				t.Errorf("older commit: exit %d, want 0 or 5\n%s", code[0], out[0])
			}
			if code[0] == 0 && !strings.Contains(out[0], "superseded") {
				t.Errorf("older commit: not said to be superseded\n%s", out[0])
			}
			if code[1] != 0 {
				t.Errorf("newer commit: exit %d\n%s", code[1], out[1])
			}
			got := s.look(s.zone)
			if got.Active != "agents v2" || fmt.Sprint(got.Versions["agents"]) != "[1 2]" {
				t.Errorf("got %s\nwant agents v2 active, and nothing else of agents", got)
			}
			pin := gittest.Git(t, s.remote(), "rev-parse", "refs/tags/policypin/production/agents/v2^{commit}")
			if pin != newer {
				t.Errorf("agents v2 is pinned on %s, want the newer commit %s", pin, newer)
			}
			last := got.Policies["agent"]
			if !strings.Contains(last[len(last)-1], "bots") {
				t.Errorf("the newest content of agent is %q", last[len(last)-1])
			}
		})
	}
}

// TestALateApprovalCannotUndoARevert is the case that branch rules can't catch:
// A is published, B waits for its approval, C reverts B, then B is approved.
func TestALateApprovalCannotUndoARevert(t *testing.T) {
	base := published(t)
	git := gittest.Serve(t, base.dir+"/git", gittest.ServeOptions{})
	base.git("remote", "set-url", "origin", git.URL+"/project.git")
	s := newStage(t, base)
	if code, out := s.publisher().wait(t); code != 0 { // A
		t.Fatalf("A: exit %d\n%s", code, out)
	}
	a := s.look(s.zone)
	b := s.commit("B", map[string]string{"policies/agent.cedar": policy("everybody at all")})
	s.commit("C reverts B", map[string]string{"policies/agent.cedar": policy("agents")})
	dir := s.cloneAs("approved", b)
	p := start(t, dir, s.fairEnv(), "publish", "--target", "production", "--activate")
	code, out := p.wait(t)
	if code != 0 || !strings.Contains(out, "superseded") {
		t.Errorf("B: exit %d, want 0 and superseded\n%s", code, out)
	}
	if got := s.look(s.zone); !got.equal(a) {
		t.Errorf("got %s\nwant A's %s", got, a)
	}
}

// TestAKilledHolderOfTheLock kills a publisher while it holds the lock; another
// one, which waits for it, goes on by itself.
func TestAKilledHolderOfTheLock(t *testing.T) {
	base := published(t)
	want, _, _, _ := undisturbed(t, base)
	s := newStage(t, base)
	head := s.world.git("rev-parse", "HEAD")
	one, two := s.cloneAs("one", head), s.cloneAs("two", head)
	locked := func() bool {
		return gittest.Git(t, s.remote(), "for-each-ref", "--format=%(refname)", "refs/policypin/lock") != ""
	}
	// The first request to the zone is made under the lock.
	s.api.Arm(faultproxy.Fault{At: 1, Action: faultproxy.KillBefore})
	holder := start(t, one, s.env(), "publish", "--target", "production", "--activate")
	s.api.Aim(holder.kill)
	holder.wait(t)
	s.api.Arm(faultproxy.Fault{})
	if !locked() {
		t.Fatal("the holder was killed, but there is no lock")
	}
	waiter := start(t, two, s.env(), "publish", "--target", "production", "--activate")
	code, out := waiter.wait(t)
	if code != 0 {
		t.Fatalf("the waiter: exit %d\n%s", code, out)
	}
	if !strings.Contains(out, "lock") {
		t.Errorf("the waiter doesn't say that it waits for the lock\n%s", out)
	}
	if got := s.look(s.zone); !got.equal(want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if locked() {
		t.Error("the lock is still there")
	}
	tags := strings.Fields(gittest.Git(t, s.remote(), "tag", "-l", "policypin/*"))
	slices.Sort(tags)
	if len(tags) != 6 {
		t.Errorf("tags: got %v, want two for each of three sets", tags)
	}
}

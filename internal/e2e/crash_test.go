package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/faultproxy"
	"github.com/policypin/policypin/internal/gittest"
)

// change is the commit whose publish is disturbed: a changed policy that two
// sets share, a new policy, and entries that stay as they are.
func change() map[string]string {
	return map[string]string{
		"policies/shared.cedar":    policy("staff"),
		"policies/auditor.cedar":   policy("auditors"),
		"policy-sets/readers.yaml": manifest("readers", "shared", "reader", "auditor"),
		"policy-sets/agents.yaml":  manifest("agents", "agent", "shared", "auditor", "default-user-grants@3"),
	}
}

// published is a world in which everything but the change is published and
// active.
func published(t *testing.T) *world {
	w := newWorld(t)
	w.commit("start", project(t))
	z := w.serve()
	git := gittest.Serve(t, w.dir+"/git", gittest.ServeOptions{})
	w.git("remote", "set-url", "origin", git.URL+"/project.git")
	e := append(env(z.url), patientLock...)
	w.mustPublish(e)
	p := start(t, w.clone(), e, "activate", "--target", "production", "--replace-active", activeID(z), "agents")
	if code, out := p.wait(t); code != 0 {
		t.Fatalf("activate: exit %d\n%s", code, out)
	}
	w.commit("change", change())
	z.stop()
	return w
}

// activeID is the id of the version that decides.
func activeID(z *zoneProcess) string {
	z.Helper()
	var all list[policySet]
	z.get("/policy-sets?limit=100", &all)
	for _, s := range all.Items {
		if s.ActiveVersionID != nil {
			return *s.ActiveVersionID
		}
	}
	return ""
}

// A stage is a copy of a world with its servers behind proxies.
type stage struct {
	*world
	zone *zoneProcess
	api  *faultproxy.Proxy // before policypin serve
	git  *faultproxy.Proxy // before git http-backend
}

func newStage(t testing.TB, from *world) *stage {
	t.Helper()
	s := &stage{world: copyOf(t, from)}
	s.zone = s.serve()
	server := gittest.Serve(t, s.dir+"/git", gittest.ServeOptions{})
	var err error
	if s.api, err = faultproxy.Start(s.zone.url); err != nil {
		t.Fatal(err)
	}
	if s.git, err = faultproxy.Start(server.URL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.api.Close(); s.git.Close() })
	s.world.git("remote", "set-url", "origin", s.git.URL+"/project.git")
	return s
}

func (s *stage) env() []string { return append(env(s.api.URL), patientLock...) }

// publisher starts the publish that is disturbed.
func (s *stage) publisher() *process {
	return start(s, s.clone(), s.env(), "publish", "--target", "production", "--activate")
}

// undisturbed publishes without a fault, and returns the picture afterwards and
// how many requests each side got.
func undisturbed(t *testing.T, base *world) (want picture, api, git int, took time.Duration) {
	t.Helper()
	s := newStage(t, base)
	begin := time.Now()
	code, out := s.publisher().wait(t)
	took = time.Since(begin)
	if code != 0 {
		t.Fatalf("undisturbed publish: exit %d\n%s", code, out)
	}
	want = s.look(s.zone)
	for _, set := range sets {
		switch got := fmt.Sprint(want.Versions[set]); {
		case set == "admins" || set == "readers" || set == "agents":
			if got != "[1 2]" {
				t.Fatalf("undisturbed: policy set %s has versions %s, want [1 2]", set, got)
			}
		}
	}
	if len(want.Tags) != 6 || want.Active != "agents v2" {
		t.Fatalf("undisturbed: got %s", want)
	}
	return want, len(s.api.Requests()), len(s.git.Requests()), took
}

// TestAFaultAtEachRequest breaks each request of a publish in each way, on both
// sides in turn, runs the same command again, and expects the world of an
// undisturbed run: one version and one pin for each set, the same tag objects,
// nothing spare.
func TestAFaultAtEachRequest(t *testing.T) {
	base := published(t)
	want, apis, gits, _ := undisturbed(t, base)
	points := 0
	t.Run("points", func(t *testing.T) {
		for _, side := range []struct {
			name string
			n    int
		}{{"api", apis}, {"git", gits}} {
			for at := 1; at <= side.n; at++ {
				for _, action := range faultproxy.Actions {
					if testing.Short() && (at+len(action))%7 != 0 {
						continue
					}
					points++
					t.Run(fmt.Sprintf("%s %s at %d", side.name, action, at), func(t *testing.T) {
						t.Parallel()
						s := newStage(t, base)
						proxy := s.api
						if side.name == "git" {
							proxy = s.git
						}
						proxy.Arm(faultproxy.Fault{At: at, Action: action})
						p := s.publisher()
						proxy.Aim(p.kill)
						code, out := p.wait(t)
						if action.Kills() && code == 0 && action != faultproxy.KillAfterAnswer {
							t.Fatalf("the publisher survived\n%s", out)
						}
						proxy.Arm(faultproxy.Fault{})
						if code != 0 {
							out = s.mustPublish(s.env(), "--activate")
						}
						if got := s.look(s.zone); !got.equal(want) {
							t.Errorf("after a second run: got %s\nwant %s\nfirst run: exit %d\n%s", got, want, code, out)
						}
						gittest.Git(t, s.remote(), "fsck", "--strict")
					})
				}
			}
		}
	})
	t.Logf("tried %d points: %d requests to the zone and %d to git, %d ways each", points, apis, gits, len(faultproxy.Actions))
	fmt.Printf("e2e: a fault at each request: %d points\n", points)
}

// TestKillsAtRandomTimes kills the publisher 200 times, whenever.
func TestKillsAtRandomTimes(t *testing.T) {
	kills := 200
	if testing.Short() {
		kills = 10
	}
	base := published(t)
	want, _, _, took := undisturbed(t, base)
	rng := rand.New(rand.NewPCG(1, 2))
	t.Run("kills", func(t *testing.T) {
		for i := range kills {
			after := time.Duration(rng.Int64N(int64(took * 3 / 2)))
			t.Run(fmt.Sprintf("%d after %v", i, after.Round(time.Millisecond)), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, base)
				p := s.publisher()
				time.Sleep(after)
				p.kill()
				s.mustPublish(s.env(), "--activate")
				if got := s.look(s.zone); !got.equal(want) {
					t.Errorf("got %s\nwant %s", got, want)
				}
			})
		}
	})
	fmt.Printf("e2e: kills at random times: %d\n", kills)
}

package publish_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/publish"
)

// in moves a project's files into a folder of the repository.
func in(dir string, files map[string]string) map[string]string {
	moved := map[string]string{}
	for name, text := range files {
		moved[dir+"/"+name] = text
	}
	return moved
}

// publishIn publishes HEAD's project of a folder.
func (w *driftWorld) publishIn(dir string, opts publish.Options) (*publish.Receipt, error) {
	w.Helper()
	src := w.source(w.head())
	src.Dir = dir
	return publish.Publish(context.Background(), w.client(), src, opts)
}

func (w *driftWorld) foundIn(dir string) []string {
	w.Helper()
	src := w.source(w.head())
	src.Dir = dir
	d, err := publish.FindDrift(context.Background(), w.client().Reader, src, publish.DriftOptions{})
	if err != nil {
		w.Fatal(err)
	}
	var got []string
	for _, f := range d.Findings {
		got = append(got, brief(f))
	}
	return got
}

// Two projects of a repository that each have a source for a policy of one name,
// in one zone: docs/publish.md says what becomes of it.
func TestProjectsThatShareAPolicyName(t *testing.T) {
	for _, c := range []struct{ name, pins string }{{"and pins", ""}, {"and have pins of their own", "    pins: bots\n"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newDriftWorld(t)
			bots := w.project()
			delete(bots, "policy-sets/agents.yaml")
			bots["policypin.yaml"] = strings.Replace(withoutActive, "    branch", c.pins+"    branch", 1)
			bots["policy-sets/bots.yaml"] = set("bots", "finance", "ops")
			bots["policies/finance.cedar"] = policy("robots")
			w.write(in("agents", w.project()))
			w.commit(in("bots", bots))
			first, err := w.publishIn("agents", publish.Options{Activate: true, ReplaceActive: w.active()})
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.publishIn("bots", publish.Options{})
			if c.pins != "" {
				w.refused(err, publish.Foreign)
				_, err = w.publishIn("bots", publish.Options{Adopt: []string{"finance"}})
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := w.publishIn("agents", publish.Options{Activate: true})
			if err != nil || again.Sets[0].Status != publish.Unchanged || again.Sets[0].VersionID != first.Sets[0].VersionID {
				t.Errorf("the first project again: got %+v, %v, want its version as it was", again, err)
			}
			want := [2][]string{}
			if c.pins != "" {
				want = [2][]string{
					{"policy-version-added policy-version agents finance by publisher (information)"},
					{"activated-elsewhere foreign agents v1 by publisher"},
				}
			}
			for i, dir := range []string{"agents", "bots"} {
				if got := w.foundIn(dir); !slices.Equal(got, want[i]) {
					t.Errorf("drift of %s: got %q, want %q", dir, got, want[i])
				}
			}
		})
	}
}

package publish_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
)

// commitIn commits files at the time of day of the zone's creations, in a year.
// Those are all on the first of January 2026.
func (w *driftWorld) commitIn(year string, files map[string]string) {
	w.Helper()
	w.write(files)
	w.git("add", "-A")
	w.run(w.clone, "env", "GIT_COMMITTER_DATE="+year+"-03-01T00:00:00Z", "git", "commit", "-q", "--allow-empty", "-m", "a change")
	w.git("push", "-q", "origin", "HEAD")
}

// fill makes versions of agents with the account that publishes later, as an
// earlier tool would, and activates the last.
func (w *driftWorld) fill(versions int) {
	w.Helper()
	ctx, c := context.Background(), w.client()
	set, err := c.CreatePolicySet(ctx, "agents", "zone")
	if err != nil {
		w.Fatal(err)
	}
	finance, err := c.CreatePolicy(ctx, "finance", "")
	if err != nil {
		w.Fatal(err)
	}
	var last *keycard.PolicySetVersion
	for i := range versions {
		v, err := c.CreatePolicyVersion(ctx, finance.ID, "2026-06-18", policy(strings.Repeat("x", i+1)))
		if err != nil {
			w.Fatal(err)
		}
		last, err = c.CreateSetVersion(ctx, set.ID, "2026-06-18", []keycard.ManifestEntry{{PolicyID: finance.ID, VersionID: v.ID}})
		if err != nil {
			w.Fatal(err)
		}
	}
	if _, err := c.Activate(ctx, set.ID, last.ID); err != nil {
		w.Fatal(err)
	}
}

// imported is the project that holds what fill made last.
func (w *driftWorld) imported(versions int) map[string]string {
	w.Helper()
	files := w.project()
	files["policy-sets/agents.yaml"] = set("agents", "finance")
	files["policies/finance.cedar"] = policy(strings.Repeat("x", versions))
	delete(files, "policies/ops.cedar")
	return files
}

func (w *driftWorld) found() []string {
	w.Helper()
	var got []string
	for _, f := range w.mustDrift(publish.DriftOptions{}).Findings {
		got = append(got, brief(f))
	}
	return got
}

// Versions that are older than the project lost no pin.
func TestDriftBefore(t *testing.T) {
	const (
		bare    = "unknown-version before agents v2 by publisher (information)"
		deleted = "pin-damaged missing agents"
	)
	for _, s := range []struct {
		name string
		do   func(w *driftWorld)
		want []string
	}{
		{
			name: "an import's set was adopted",
			do: func(w *driftWorld) {
				w.commitIn("2026", w.imported(3))
				w.mustPublish(w.head(), publish.Options{})
			},
			want: []string{bare},
		},
		{
			name: "the project is older than the import, and had other sets",
			do: func(w *driftWorld) {
				files := w.imported(3)
				delete(files, "policy-sets/agents.yaml")
				files["policy-sets/bots.yaml"] = set("bots", "finance")
				w.commitIn("2025", files)
				w.commitIn("2026", w.imported(3))
				w.mustPublish(w.head(), publish.Options{})
			},
			want: []string{bare},
		},
		{
			name: "a set was taken over with other content",
			do: func(w *driftWorld) {
				w.commitIn("2026", w.imported(3))
				w.commitIn("2026", map[string]string{"policies/finance.cedar": policy("finance")})
				w.mustPublish(w.head(), publish.Options{Adopt: []string{"agents", "finance"}, Activate: true, ReplaceActive: w.active()})
			},
			want: []string{"unknown-version before agents v3 by publisher (information)"},
		},
		{
			name: "a version was made later, and has no pin either",
			do: func(w *driftWorld) {
				w.commitIn("2026", w.imported(3))
				first := w.mustPublish(w.head(), publish.Options{})
				if _, err := copyVersion(context.Background(), w.client(), first); err != nil {
					w.Fatal(err)
				}
			},
			want: []string{"unknown-version newer agents v4 by publisher", bare},
		},
		{
			name: "an older version decides",
			do: func(w *driftWorld) {
				w.commitIn("2026", w.imported(3))
				first := w.mustPublish(w.head(), publish.Options{})
				for v, err := range w.client().SetVersions(context.Background(), first.PolicySetID, listAll) {
					if err != nil {
						w.Fatal(err)
					}
					if v.Version == 1 {
						if _, err := w.client().Activate(context.Background(), first.PolicySetID, v.ID); err != nil {
							w.Fatal(err)
						}
					}
				}
			},
			want: []string{"activated-elsewhere unpinned agents v1 by publisher", bare},
		},
		{
			// The branch declared it all the time, so they may have been published.
			name: "the oldest pin was deleted",
			do: func(w *driftWorld) {
				w.commitIn("2025", w.imported(3))
				w.mustPublish(w.head(), publish.Options{})
				w.commitIn("2026", map[string]string{"policies/finance.cedar": policy("finance")})
				w.mustPublish(w.head(), publish.Options{Activate: true})
				w.git("push", "-q", "origin", ":refs/tags/policypin/production/agents/v3")
				w.forgetTags()
			},
			want: []string{deleted + " v3 by publisher", deleted + " v2 by publisher", deleted + " v1 by publisher"},
		},
		{
			name: "the oldest pin was deleted, and the set renamed since",
			do: func(w *driftWorld) {
				files := w.imported(3)
				w.commitIn("2025", files)
				w.mustPublish(w.head(), publish.Options{})
				w.git("mv", "policy-sets/agents.yaml", "policy-sets/clerks.yaml")
				w.commitIn("2026", map[string]string{
					"policypin.yaml":          strings.Replace(projectFile, "active: agents", "active: clerks", 1),
					"policy-sets/clerks.yaml": strings.Replace(set("clerks", "finance"), "name: clerks\n", "name: clerks\nwas: agents\n", 1),
					"policies/finance.cedar":  policy("finance"),
				})
				w.mustPublish(w.head(), publish.Options{Activate: true, AcceptProjectChange: "renamed"})
				w.commitIn("2026", map[string]string{"policy-sets/clerks.yaml": set("clerks", "finance")})
				w.git("push", "-q", "origin", ":refs/tags/policypin/production/agents/v3")
				w.forgetTags()
			},
			want: []string{
				"pin-damaged missing clerks v3 by publisher", "pin-damaged missing clerks v2 by publisher", "pin-damaged missing clerks v1 by publisher",
			},
		},
		{
			name: "the project was in another folder then",
			do: func(w *driftWorld) {
				old := map[string]string{}
				for name, text := range w.imported(3) {
					old["deep/down/"+name] = text
				}
				w.commitIn("2025", old)
				w.git("rm", "-q", "-r", "deep")
				w.commitIn("2026", w.imported(3))
				w.mustPublish(w.head(), publish.Options{})
			},
			want: []string{deleted + " v2 by publisher", deleted + " v1 by publisher"},
		},
		{
			// Nobody knows what the history that was left behind declared.
			name: "history was rewritten",
			do: func(w *driftWorld) {
				w.commitIn("2025", w.imported(3))
				w.mustPublish(w.head(), publish.Options{})
				w.git("checkout", "-q", "--orphan", "again")
				w.commitIn("2026", map[string]string{"policies/finance.cedar": policy("finance")})
				w.git("push", "-q", "--force", "origin", "HEAD:main")
				w.mustPublish(w.head(), publish.Options{NewBase: "cleaned up", Activate: true})
				w.git("push", "-q", "origin", ":refs/tags/policypin/production/agents/v3")
				w.forgetTags()
			},
			want: []string{deleted + " v3 by publisher", deleted + " v2 by publisher", deleted + " v1 by publisher"},
		},
		{
			name: "somebody tagged a commit as the oldest pin",
			do: func(w *driftWorld) {
				w.commitIn("2026", w.imported(3))
				w.mustPublish(w.head(), publish.Options{})
				w.git("push", "-q", "origin", "HEAD:refs/tags/policypin/production/agents/v1")
			},
			want: []string{"pin-damaged missing agents v2 by publisher", "pin-damaged lightweight agents v1"},
		},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := newDriftWorld(t)
			w.fill(3)
			s.do(w)
			if got := w.found(); !slices.Equal(got, s.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(s.want, "\n  "))
			}
		})
	}
}

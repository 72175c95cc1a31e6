package report

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/impact"
	"github.com/policypin/policypin/manifest"
)

// gone are the changes of a project file that is removed, for targets with these
// names.
func gone(targets ...string) []manifest.Change {
	var list []manifest.Change
	for i, name := range targets {
		list = append(list, manifest.Change{Field: "targets." + name + ".zone_id", From: fmt.Sprint("zone_", i)})
		if i == 0 {
			list = append(list, manifest.Change{Field: "targets." + name + ".active", From: "agents"})
		}
	}
	return append(list, manifest.Change{Field: "schemas", From: "schemas/{version}.cedarschema"})
}

// A project that is removed ends nothing, whatever a comparison of its policies
// with none comes to.
func TestRemovedProject(t *testing.T) {
	c := sample()
	c.Plan, c.Problems, c.Drift = nil, nil, nil
	c.Diff = &manifest.Diff{
		Project: gone("production", "a.zone_id"),
		Sets:    []manifest.SetDiff{{Name: "agents", Kind: manifest.Removed, Entries: []manifest.EntryDiff{{Policy: "p", Kind: manifest.Removed, FromText: "permit(principal, action, resource);\n"}}}},
	}
	text := render(t, c, CommentBudget)
	at := 0
	for _, want := range []string{
		"### The project is removed, and nothing in a zone changes with that\n", "what is active there goes on deciding", "#### Zones\n",
		"- target `production`, zone `zone_0`: the policy set that was activated there is `agents`\n", "- target `a.zone_id`, zone `zone_1`\n",
		"#### Policy sets\n", "- `agents`: removed with 1 entry\n", "<details><summary>base ",
	} {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("the page lacks %q after its first %d bytes:\n%s", want, at, text)
		}
		at += i
	}
	for _, not := range []string{"arrow", "iden", "permit", "(none)", "decision test"} {
		if strings.Contains(text, not) {
			t.Errorf("the page has %q:\n%s", not, text)
		}
	}
	c.Impact, c.Tests = &impact.Report{}, nil
	if again := render(t, c, CommentBudget); again != text {
		t.Errorf("what was found about decisions changes the page:\n%s", again)
	}
	if c.Empty() {
		t.Error("a removed project is no news")
	}
	// A project that comes, or whose schemas move, stays.
	c.Diff.Project[len(c.Diff.Project)-1] = manifest.Change{Field: "schemas", From: "a/{version}", To: "b/{version}"}
	if strings.Contains(render(t, c, CommentBudget), "is removed") {
		t.Error("a project that stays is said to be removed")
	}
}

func TestRemovedProjectOfHostileText(t *testing.T) {
	for seed := range 60 {
		g := generator{rand.New(rand.NewPCG(uint64(seed), 13))}
		c := g.comment(1 + g.IntN(60))
		var names []string
		for range g.IntN(300) {
			names = append(names, g.text())
		}
		if c.Diff == nil {
			c.Diff = &manifest.Diff{}
		}
		c.Diff.Project = append(c.Diff.Project, gone(names...)...)
		budget := MinBudget + g.IntN(CommentBudget)
		page := render(t, c, budget)
		if !strings.Contains(page, "is removed, and nothing") || !harmless(t, page, budget) {
			t.Fatalf("seed %d, budget %d", seed, budget)
		}
	}
}

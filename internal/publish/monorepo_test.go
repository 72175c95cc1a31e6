package publish_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/publish"
)

// Two projects of one repository that publish to one target leave each other's
// policy sets alone.
func TestTwoProjectsOfARepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bots := map[string]string{}
	for name, text := range w.project() {
		switch name {
		case "policy-sets/agents.yaml":
			name, text = "policy-sets/bots.yaml", set("bots", "crawler")
		case "policypin.yaml":
			text = strings.Replace(text, "active: agents", "active: bots", 1)
		case "policies/finance.cedar":
			name, text = "policies/crawler.cedar", policy("crawler")
		case "policies/ops.cedar":
			continue
		}
		bots["bots/"+name] = text
	}
	w.commit(w.project())
	commit := w.commit(bots)
	w.mustPublish(commit, publish.Options{Activate: true, ReplaceActive: w.active()})

	c := w.client()
	src := w.source(commit)
	src.Dir = "bots"
	rc, err := publish.Publish(t.Context(), c, src, publish.Options{})
	if err != nil || len(rc.Sets) != 1 || rc.Sets[0].Name != "bots" {
		t.Fatalf("publishing the other project: %+v, %v", rc, err)
	}
	if len(rc.Notes) > 0 {
		t.Errorf("the plan has notes about the other project's set: %q", rc.Notes)
	}
	details := func(dir string) []string {
		t.Helper()
		src := w.source(w.head())
		src.Dir = dir
		d, err := publish.FindDrift(t.Context(), c.Reader, src, publish.DriftOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, f := range d.Findings {
			found = append(found, f.Kind+" "+f.Detail+" "+f.Set)
		}
		return found
	}
	if got := details("."); got != nil {
		t.Errorf("drift of the first project: %q, want none", got)
	}
	// One zone has one active version, so both can't be content.
	if got, want := details("bots"), []string{"activated-elsewhere other-set agents"}; !slices.Equal(got, want) {
		t.Errorf("drift of the second project: %q, want %q", got, want)
	}

	// When the other project is gone, so is its excuse.
	w.git("rm", "-q", "-r", "bots")
	w.commit(nil)
	if got, want := details("."), []string{"undeclared inactive bots"}; !slices.Equal(got, want) {
		t.Errorf("drift after the second project was removed: %q, want %q", got, want)
	}
}

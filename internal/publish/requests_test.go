package publish_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/publish"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A typical publish: one policy of a set of 120 changed, one is new, and the
// version is activated. The list of its requests is a promise about speed.
func TestTheRequestsOfATypicalPublish(t *testing.T) {
	w := newWorld(t)
	files := w.project()
	names := []string{"default-user-grants@3"}
	for i := range 119 {
		name := fmt.Sprintf("team-%03d", i)
		files["policies/"+name+".cedar"] = policy(name)
		names = append(names, name)
	}
	delete(files, "policies/finance.cedar")
	delete(files, "policies/ops.cedar")
	files["policy-sets/agents.yaml"] = set("agents", names...)
	first := w.commit(files)
	w.requests.take()
	w.mustPublish(first, publish.Options{Activate: true, ReplaceActive: w.active()})
	w.requests.take()

	w.mustPublish(first, publish.Options{Activate: true})
	unchanged := w.requests.take()

	typical := w.commit(map[string]string{
		"policies/team-007.cedar": policy("changed"),
		"policies/new.cedar":      policy("new"),
		"policy-sets/agents.yaml": set("agents", append(names, "new")...),
	})
	w.mustPublish(typical, publish.Options{Activate: true})
	changed := w.requests.take()

	for _, list := range [][]string{unchanged, changed} {
		for i, r := range list {
			list[i] = cursor.ReplaceAllString(r, "after=CURSOR")
		}
	}
	got := "# nothing to do\n" + strings.Join(unchanged, "\n") + "\n\n# one policy changed, one new, activated\n" + strings.Join(sortCreates(changed), "\n") + "\n"
	const golden = "testdata/requests.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("requests: got\n%s\nwant\n%s", got, want)
	}
	// The counts that are promised for n entries and p changed policies:
	// reads per set ⌈n/100⌉+2, ⌈p/100⌉ for changed policies, 2 per run, 2 with
	// --activate; one create per changed policy, two per new one, one per set,
	// one PATCH. A name that no pin knows is searched once more.
	reads := 0
	for _, r := range changed {
		if strings.HasPrefix(r, "GET ") {
			reads++
		}
	}
	if limit := (2 + 2) + 1 + 2 + 2 + 1; reads > limit {
		t.Errorf("%d reads, want at most %d", reads, limit)
	}
	if writes := len(changed) - reads; writes != 1+2+1+1 {
		t.Errorf("%d writes, want 5", writes)
	}
}

// A cursor names a row, whose number depends on which create came first.
var cursor = regexp.MustCompile(`after=[^&]+`)

// sortCreates orders what runs in parallel.
func sortCreates(list []string) []string {
	from := slices.IndexFunc(list, func(r string) bool { return strings.HasPrefix(r, "POST ") })
	to := from
	for to < len(list) && strings.Contains(list[to], "/policies") && strings.HasPrefix(list[to], "POST ") {
		to++
	}
	slices.Sort(list[from:to])
	return list
}

// A forged pin can name other ids, but content always comes from the commit.
func TestAForgedPinDoesNotGetAnotherVersionPublished(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{})
	c := w.client()
	evil, err := c.CreatePolicy(ctx, "evil", "")
	if err != nil {
		t.Fatal(err)
	}
	ev, err := c.CreatePolicyVersion(ctx, evil.ID, "2026-06-18", policy("attackers"))
	if err != nil {
		t.Fatal(err)
	}
	// The attacker re-creates the tag with a record that maps finance to evil.
	tag := w.run(w.remote, "git", "cat-file", "-p", "policypin/production/agents/v1")
	var lines []string
	for _, line := range strings.Split(tag, "\n") {
		if strings.Contains(line, `"policy":"finance"`) || strings.Contains(line, `"policy": "finance"`) {
			line = strings.NewReplacer("pol_finance_1", evil.ID, "pv_finance-1_1", ev.ID, "pv_finance_1_1", ev.ID).Replace(line)
			if !strings.Contains(line, evil.ID) {
				t.Fatalf("the record has no id to forge: %s", line)
			}
		}
		lines = append(lines, line)
	}
	forged := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(w.remote+"/forged", []byte(forged), 0o666); err != nil {
		t.Fatal(err)
	}
	object := w.run(w.remote, "git", "hash-object", "-t", "tag", "-w", "forged")
	w.run(w.remote, "git", "update-ref", "refs/tags/policypin/production/agents/v1", object)
	w.git("tag", "-d", "policypin/production/agents/v1")

	rc, err := w.publish(w.commit(nil), publish.Options{Activate: true, ReplaceActive: w.active()})
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	got := agents(rc)
	for v, err := range c.SetVersionPolicies(ctx, got.PolicySetID, got.VersionID, listAll) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(v.CedarRaw, "attackers") {
			t.Errorf("the forged content was published as v%d", got.Version)
		}
	}
	if w.active() != got.VersionID {
		t.Errorf("active is %s, want the honest version %s", w.active(), got.VersionID)
	}
}

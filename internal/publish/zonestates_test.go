package publish_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/publish"
)

// With another schema every policy needs a version that was validated against
// it, whatever its text.
func TestAnotherSchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{})
	schema, err := os.ReadFile("../zone/schemas/2026-03-16.cedarschema")
	if err != nil {
		t.Fatal(err)
	}
	commit := w.commit(map[string]string{
		"schemas/2026-03-16.cedarschema": string(schema),
		"policy-sets/agents.yaml":        strings.Replace(set("agents", "finance", "ops"), "2026-06-18", "2026-03-16", 1),
	})
	rc, err := w.publish(commit, publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := agents(rc); got.Version != 2 || rc.Created.PolicyVersions != 2 || rc.Created.Policies != 0 {
		t.Errorf("got %+v, created %+v, want v2 with two policy versions", got, rc.Created)
	}
	// Back again: the newest versions have another schema, older ones count.
	commit = w.commit(map[string]string{"policy-sets/agents.yaml": set("agents", "finance", "ops")})
	if rc, err = w.publish(commit, publish.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := agents(rc); got.Version != 3 || rc.Created.SetVersions != 1 {
		t.Errorf("back: got %+v, created %+v, want v3", got, rc.Created)
	}
	if got := w.mustPublish(commit, publish.Options{}); got.Status != publish.Unchanged {
		t.Errorf("again: got %+v, want unchanged", got)
	}
}

func TestWhatWasArchivedInTheZone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	t.Run("the pinned version", func(t *testing.T) {
		w := newWorld(t)
		v1 := w.mustPublish(w.commit(w.project()), publish.Options{})
		if _, err := w.client().ArchiveSetVersion(ctx, v1.PolicySetID, v1.VersionID); err != nil {
			t.Fatal(err)
		}
		got := w.mustPublish(w.head(), publish.Options{})
		if got.Version != 2 || !strings.Contains(got.Reason, "v1 is archived") {
			t.Errorf("got %+v, want v2 because v1 is archived", got)
		}
		if got := w.mustPublish(w.head(), publish.Options{}); got.Status != publish.Unchanged {
			t.Errorf("again: got %+v, want unchanged", got)
		}
	})
	t.Run("a version of a policy", func(t *testing.T) {
		w := newWorld(t)
		w.mustPublish(w.commit(w.project()), publish.Options{})
		c := w.client()
		id := w.policyIDs()["finance"]
		for v, err := range c.PolicyVersions(ctx, id, listAll) {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.ArchivePolicyVersion(ctx, id, v.ID); err != nil {
				t.Fatal(err)
			}
		}
		got := w.mustPublish(w.head(), publish.Options{})
		if got.Version != 2 || !strings.Contains(got.Reason, "finance") || !strings.Contains(got.Reason, "archived") {
			t.Errorf("got %+v, want v2 because a version of finance is archived", got)
		}
		if got := w.mustPublish(w.head(), publish.Options{}); got.Status != publish.Unchanged {
			t.Errorf("again: got %+v, want unchanged", got)
		}
	})
	t.Run("the set", func(t *testing.T) {
		w := newWorld(t)
		v1 := w.mustPublish(w.commit(w.project()), publish.Options{})
		live, err := w.client().PolicySet(ctx, v1.PolicySetID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.client().ArchivePolicySet(ctx, live); err != nil {
			t.Fatal(err)
		}
		commit := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
		_, err = w.publish(commit, publish.Options{})
		r := w.refused(err, publish.Archived)
		if !strings.Contains(r.Message, v1.PolicySetID) || !strings.Contains(r.Hint, "pins") {
			t.Errorf("refusal: got %+v", r)
		}
		// The way out that the hint gives.
		files := map[string]string{"policypin.yaml": strings.Replace(projectFile, "    branch", "    pins: again\n    branch", 1)}
		if got := w.mustPublish(w.commit(files), publish.Options{Adopt: []string{"finance"}}); got.Tag != "policypin/again/agents/v1" {
			t.Errorf("under other pins: got %+v", got)
		}
	})
}

func TestATargetWithoutSets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	empty := strings.Replace(withoutActive, "targets:", "manifests: []\ntargets:", 1)
	commit := w.commit(map[string]string{"policypin.yaml": empty})
	rc, err := w.publish(commit, publish.Options{})
	if err != nil || len(rc.Sets) != 0 {
		t.Errorf("got %+v, %v, want nothing to do", rc, err)
	}
	_, err = w.publish(commit, publish.Options{Activate: true})
	w.refused(err, publish.NoTarget)
	files := w.project()
	files["policypin.yaml"] = projectFile
	w.mustPublish(w.commit(files), publish.Options{Activate: true, ReplaceActive: w.active()})
	w.git("rm", "-q", "-r", "policy-sets", "policies")
	w.commit(map[string]string{"policypin.yaml": empty})
	plan, err := w.plan("", publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Notes) == 0 || !strings.Contains(plan.Notes[0], "agents is not declared") {
		t.Errorf("notes: got %q, want first that agents still decides", plan.Notes)
	}
}

// A zone with more policies than a page holds, of ours and of others.
func TestAZoneWithSeveralPages(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("creates 380 policies")
	}
	ctx := context.Background()
	w := newWorld(t)
	for i := range 130 {
		if _, err := w.client().CreatePolicy(ctx, fmt.Sprintf("theirs-%03d", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	files := w.project()
	names := []string{"default-user-grants@3"}
	for i := range 250 {
		name := fmt.Sprintf("team-%03d", i)
		files["policies/"+name+".cedar"] = policy(name)
		names = append(names, name)
	}
	delete(files, "policies/finance.cedar")
	delete(files, "policies/ops.cedar")
	files["policy-sets/agents.yaml"] = set("agents", names...)
	first := w.commit(files)
	w.mustPublish(first, publish.Options{})
	w.requests.take()
	if got := w.mustPublish(first, publish.Options{}); got.Status != publish.Unchanged {
		t.Errorf("again: got %+v, want unchanged", got)
	}
	if n := len(w.requests.take()); n > 2+3+2 {
		t.Errorf("%d requests for nothing, want at most 7", n)
	}
	for i := range 130 { // more than filter[id] takes
		files[fmt.Sprintf("policies/team-%03d.cedar", i)] = policy(fmt.Sprint("changed-", i))
	}
	rc, err := w.publish(w.commit(files), publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if rc.Created.PolicyVersions != 130 || rc.Created.Policies != 0 {
		t.Errorf("created %+v, want 130 policy versions", rc.Created)
	}
	ids := map[string]bool{}
	for v, err := range w.client().SetVersionPolicies(ctx, agents(rc).PolicySetID, agents(rc).VersionID, listAll) {
		if err != nil {
			t.Fatal(err)
		}
		ids[v.PolicyID] = true
	}
	if len(ids) != 251 {
		t.Errorf("v2 has %d policies, want 251", len(ids))
	}
}

// A rollback is undone by the next publish with a word only.
func TestPublishingAfterARollback(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	v1 := w.mustPublish(w.commit(w.project()), publish.Options{Activate: true, ReplaceActive: w.active()})
	w.mustPublish(w.commit(map[string]string{"policies/finance.cedar": policy("treasury")}), publish.Options{Activate: true})
	if _, err := publish.Activate(ctx, w.client(), w.source(w.head()), "agents", "previous", publish.Options{}); err != nil {
		t.Fatal(err)
	}
	commit := w.commit(map[string]string{"policies/finance.cedar": policy("treasurers")})
	if got := w.mustPublish(commit, publish.Options{}); got.Version != 3 || w.active() != v1.VersionID {
		t.Errorf("without --activate: got %+v with %s active", got, w.active())
	}
	commit = w.commit(map[string]string{"policies/finance.cedar": policy("cashiers")})
	_, err := w.publish(commit, publish.Options{Activate: true})
	r := w.refused(err, publish.ActiveChanged)
	if !strings.Contains(r.Hint, v1.VersionID) || !reflect.DeepEqual(w.versions("agents"), []int{1, 2, 3}) {
		t.Errorf("got %+v, versions %v", r, w.versions("agents"))
	}
	plan, err := w.plan("", publish.Options{Activate: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.mustPublish(commit, publish.Options{Activate: true, Expected: plan}); got.VersionID != w.active() {
		t.Errorf("with the plan: got %+v with %s active", got, w.active())
	}
}

// A set's target_type can't be changed, and only a zone's set decides there.
func TestSetsForUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	first := w.commit(files)
	w.mustPublish(first, publish.Options{Activate: true, ReplaceActive: w.active()})
	files["policy-sets/agents.yaml"] = strings.Replace(files["policy-sets/agents.yaml"], "entries:", "target_type: user\nentries:", 1)
	_, err := w.publish(w.commit(files), publish.Options{})
	w.refused(err, publish.Mismatch)

	files["policypin.yaml"] = strings.Replace(projectFile, "active: agents", "active: people", 1)
	files["policy-sets/people.yaml"] = strings.Replace(set("people", "finance", "ops"), "entries:", "target_type: user\nentries:", 1)
	w.git("rm", "-q", "policy-sets/agents.yaml")
	delete(files, "policy-sets/agents.yaml")
	_, err = w.publish(w.commit(files), publish.Options{Activate: true, AcceptProjectChange: "for people"})
	w.refused(err, publish.NoTarget)
}

// What a pin's push says about the binding is what the zone says.
func TestARefusedPinOfWhatIsActive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.commit(w.project())
	v1 := w.mustPublish(commit, publish.Options{Activate: true, ReplaceActive: w.active()})
	w.run(w.remote, "git", "tag", "-d", v1.Tag)
	w.git("tag", "-d", v1.Tag)
	hook := filepath.Join(w.remote, "hooks", "update")
	if err := os.MkdirAll(filepath.Dir(hook), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hook, []byte("#!/bin/sh\ncase $1 in refs/tags/*) echo not here >&2; exit 1;; esac\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := w.publish(commit, publish.Options{})
	if err == nil || !strings.Contains(err.Error(), "v1 of agents exists, is not pinned and active") || !strings.Contains(err.Error(), "not here") {
		t.Errorf("got %v, want v1 to be active and the server's words", err)
	}
	if err := os.Remove(hook); err != nil {
		t.Fatal(err)
	}
	if got := w.mustPublish(commit, publish.Options{}); got.Tag != v1.Tag || got.VersionID != v1.VersionID {
		t.Errorf("again: got %+v, want v1 pinned", got)
	}
}

// A description is sent once. A later difference is information.
func TestAnotherDescription(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	describe := func(text string) string {
		return strings.Replace(set("agents", "finance", "ops"), "finance.cedar\n", "finance.cedar\n    description: "+text+"\n", 1)
	}
	files := w.project()
	files["policy-sets/agents.yaml"] = describe("Before")
	w.mustPublish(w.commit(files), publish.Options{})
	rc, err := w.publish(w.commit(map[string]string{"policy-sets/agents.yaml": describe("After")}), publish.Options{})
	if err != nil || agents(rc).Status != publish.Unchanged || len(rc.Notes) > 0 {
		t.Errorf("got %+v, %v, want unchanged", rc, err)
	}
	rc, err = w.publish(w.commit(map[string]string{"policies/finance.cedar": policy("treasury")}), publish.Options{})
	if err != nil || agents(rc).Version != 2 || !strings.Contains(strings.Join(rc.Notes, "\n"), `"Before"`) {
		t.Errorf("got %+v, %v, want v2 and a note about the description", rc, err)
	}
}

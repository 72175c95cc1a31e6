package publish_test

import (
	"context"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/publish"
)

// forge replaces text, given as old and new, in a pin and pushes the result
// under a name, as somebody with push access to tags can.
func (w *world) forge(pin, name string, edits ...string) {
	w.Helper()
	tag := w.run(w.remote, "git", "cat-file", "-p", pin) + "\n"
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(tag, edits[i]) {
			w.Fatalf("the pin has no %q to forge:\n%s", edits[i], tag)
		}
	}
	w.write(map[string]string{".git/forged": strings.NewReplacer(edits...).Replace(tag)})
	object := w.git("hash-object", "-t", "tag", "-w", ".git/forged")
	w.git("push", "-q", "--force", "origin", object+":refs/tags/"+name)
	w.git("update-ref", "-d", "refs/tags/"+name)
}

const agentsV1 = "policypin/production/agents/v1"

// An entry by number has no source to compare with, so the id that a forged pin
// gives for its name must not be believed.
func TestAForgedPinDoesNotSwapAnEntryByNumber(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{})
	c := w.client()
	evil, err := c.CreatePolicy(ctx, "evil", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := c.CreatePolicyVersion(ctx, evil.ID, "2026-06-18", policy("attackers")); err != nil {
			t.Fatal(err)
		}
	}
	w.forge(agentsV1, agentsV1, w.policyIDs()["default-user-grants"], evil.ID)
	for _, files := range []map[string]string{nil, {"policies/finance.cedar": policy("treasury")}} {
		rc, err := w.publish(w.commit(files), publish.Options{})
		if err != nil {
			w.refused(err, publish.Mismatch)
			continue
		}
		got := agents(rc)
		for v, err := range c.SetVersionPolicies(ctx, got.PolicySetID, got.VersionID, listAll) {
			if err != nil {
				t.Fatal(err)
			}
			if v.PolicyID == evil.ID {
				t.Errorf("the forged content was published as v%d", got.Version)
			}
		}
	}
}

// With a forged pin, somebody could keep an entry that the commit removes in
// place of one that it keeps.
func TestAForgedPinDoesNotKeepARemovedEntry(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	c := w.client()
	theirs, err := c.CreatePolicy(ctx, "theirs", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := c.CreatePolicyVersion(ctx, theirs.ID, "2026-06-18", policy("attackers")); err != nil {
			t.Fatal(err)
		}
	}
	files := w.project()
	files["policy-sets/agents.yaml"] = set("agents", "finance", "ops", "theirs@3", "default-user-grants@3")
	w.mustPublish(w.commit(files), publish.Options{})
	w.forge(agentsV1, agentsV1, w.policyIDs()["default-user-grants"], theirs.ID)
	rc, err := w.publish(w.commit(map[string]string{"policy-sets/agents.yaml": set("agents", "finance", "ops", "default-user-grants@3")}), publish.Options{})
	if err != nil {
		w.refused(err, publish.Mismatch)
		return
	}
	got := agents(rc)
	for v, err := range c.SetVersionPolicies(ctx, got.PolicySetID, got.VersionID, listAll) {
		if err != nil {
			t.Fatal(err)
		}
		if v.PolicyID == theirs.ID {
			t.Errorf("the removed entry is in v%d", got.Version)
		}
	}
}

// A tag that can't be read must not stand in the way of a rollback of another
// set.
func TestARollbackIsNotBlockedByADamagedPin(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	v1 := w.mustPublish(w.commit(w.project()), publish.Options{Activate: true, ReplaceActive: w.active()})
	w.mustPublish(w.commit(map[string]string{"policies/finance.cedar": policy("treasury")}), publish.Options{Activate: true})
	w.git("push", "-q", "origin", "HEAD:refs/tags/policypin/production/aaa/v1", "HEAD:refs/tags/policypin/production/zzz/v7")
	for range 5 {
		rc, err := publish.Activate(ctx, w.client(), w.source(w.head()), "agents", "v1", publish.Options{})
		if err != nil {
			t.Fatalf("rollback: %v", err)
		}
		if w.active() != v1.VersionID || rc.Activation.Version != 1 {
			t.Fatalf("rollback: active is %s, want %s", w.active(), v1.VersionID)
		}
		if _, err := publish.Activate(ctx, w.client(), w.source(w.head()), "agents", "v2", publish.Options{}); err != nil {
			t.Fatalf("forward: %v", err)
		}
	}
}

// A set that was renamed in the console is still the same set.
func TestTheRollbackGoesByIDs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	v1 := w.mustPublish(w.commit(w.project()), publish.Options{Activate: true, ReplaceActive: w.active()})
	w.mustPublish(w.commit(map[string]string{"policies/finance.cedar": policy("treasury")}), publish.Options{Activate: true})
	live, err := w.client().PolicySet(ctx, v1.PolicySetID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client().RenamePolicySet(ctx, live, "Agents in production"); err != nil {
		t.Fatal(err)
	}
	if _, err := publish.Activate(ctx, w.client(), w.source(w.head()), "agents", "previous", publish.Options{}); err != nil {
		t.Fatalf("rollback: %v", err)
	}
	if w.active() != v1.VersionID {
		t.Errorf("active is %s, want %s", w.active(), v1.VersionID)
	}
}

// A branch that was set back is a rewritten history: the last pin is not newer
// than the commit in any sense that the branch knows.
func TestABranchThatWasSetBackNeedsANewBase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{})
	w.mustPublish(w.commit(map[string]string{"policies/finance.cedar": policy("treasury")}), publish.Options{})
	w.git("reset", "-q", "--hard", "HEAD~1")
	w.git("push", "-q", "--force", "origin", "main")
	_, err := w.publish(w.head(), publish.Options{})
	w.refused(err, publish.Diverged)
	if got := w.mustPublish(w.head(), publish.Options{NewBase: "set back"}); got.Status != publish.Published || got.Version != 3 {
		t.Errorf("with a new base: got %+v, want v3", got)
	}
}

// Pins of a zone that the target had before say nothing about ids of this one.
func TestPinsOfAnotherZoneGiveNoIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{})
	w.forge(agentsV1, agentsV1, zoneID, "zone_old", "pol_finance_1", "pol_old")
	w.git("rm", "-q", "policy-sets/agents.yaml")
	commit := w.commit(map[string]string{"policypin.yaml": withoutActive, "policy-sets/bots.yaml": set("bots", "finance", "ops")})
	rc, err := w.publish(commit, publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if rc.Created.Policies != 0 || rc.Sets[0].Version != 1 {
		t.Errorf("got %+v, want bots v1 of the policies that are there", rc)
	}
}

// refs of the remote that have a pin's name and aren't one.
func TestTagsThatAreNoPins(t *testing.T) {
	t.Parallel()
	for name, push := range map[string]func(w *world, name string){
		"lightweight": func(w *world, name string) { w.git("push", "-q", "origin", "HEAD:refs/tags/"+name) },
		"of a newer format": func(w *world, name string) {
			w.forge(agentsV1, name, agentsV1, name, "agents v1 in", "agents v2 in", `"format": 1,`, `"format": 99,`)
		},
		"with trailing junk": func(w *world, name string) {
			w.forge(agentsV1, name, agentsV1, name, "agents v1 in", "agents v2 in", `"version": 1,`, `"version": 2,`, "Policypin-Set-Digest", "X-Junk: 1\nPolicypin-Set-Digest")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mustPublish(w.commit(w.project()), publish.Options{})
			push(w, "policypin/production/agents/v2")
			_, err := w.publish(w.commit(map[string]string{"policies/finance.cedar": policy("x")}), publish.Options{})
			if err == nil || !strings.Contains(err.Error(), "agents/v2") {
				t.Fatalf("got %v, want an error that names the tag", err)
			}
			if got := w.versions("agents"); len(got) != 1 {
				t.Errorf("versions: got %v, want the first only", got)
			}
		})
	}
	t.Run("without a number", func(t *testing.T) {
		w := newWorld(t)
		w.mustPublish(w.commit(w.project()), publish.Options{})
		w.git("push", "-q", "origin", "HEAD:refs/tags/policypin/production/agents/v02")
		rc, err := w.publish(w.head(), publish.Options{})
		if err != nil || !strings.Contains(strings.Join(rc.Notes, "\n"), "agents/v02") {
			t.Errorf("got %v, %v, want a note about the tag", rc, err)
		}
	})
}

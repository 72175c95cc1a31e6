package publish_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/gittest"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
)

func (w *world) plan(commit string, opts publish.Options) (*publish.Plan, error) {
	w.Helper()
	src := w.source(w.head())
	if commit != "" {
		h, err := src.Repo.Resolve(commit)
		if err != nil {
			w.Fatal(err)
		}
		src.Commit = h
	}
	return publish.Prepare(context.Background(), w.client().Reader, src, opts)
}

func TestEveryKindOfCloneMakesTheSamePlan(t *testing.T) {
	w := newWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{})
	for _, text := range []string{"a", "b", "c"} {
		w.commit(map[string]string{"policies/finance.cedar": policy(text)})
	}
	w.git("push", "-q", "origin", "HEAD:refs/heads/other")
	full, err := w.plan("", publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if full.Digest == "" || full.Sets[0].Action != publish.Update {
		t.Fatalf("full clone: got %+v", full)
	}
	for _, flags := range [][]string{{"--depth=1"}, {"--single-branch", "--branch=main", "--no-tags"}, {"--depth=2"}} {
		clone := filepath.Join(t.TempDir(), "clone")
		gittest.Git(t, w.clone, append(append([]string{"clone", "-q"}, flags...), "file://"+w.remote, clone)...)
		other := &world{TB: t, remote: w.remote, clone: clone, zone: w.zone, requests: w.requests}
		got, err := other.plan("", publish.Options{})
		if err != nil {
			t.Fatalf("%v: %v", flags, err)
		}
		if got.Digest != full.Digest {
			t.Errorf("%v: plan digest %s, want %s", flags, got.Digest, full.Digest)
		}
	}
	clone := filepath.Join(t.TempDir(), "clone")
	gittest.Git(t, w.clone, "clone", "-q", "--depth=1", "file://"+w.remote, clone)
	other := &world{TB: t, remote: w.remote, clone: clone, zone: w.zone, requests: w.requests}
	if got := other.mustPublish(other.head(), publish.Options{}); got.Version != 2 {
		t.Errorf("from a depth-1 clone: got %+v, want v2", got)
	}
	if out, err := exec.Command("git", "-C", clone, "fsck", "--strict").CombinedOutput(); err != nil || strings.Contains(string(out), "dangling") {
		t.Errorf("git fsck in the depth-1 clone: %v\n%s", err, out)
	}
	if got := gittest.Git(t, clone, "log", "--oneline"); strings.Count(got, "\n") != 0 || got == "" {
		t.Errorf("git log in the depth-1 clone: got %q, want one commit", got)
	}
}

func TestARebasedBranchPublishes(t *testing.T) {
	w := newWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{})
	w.git("checkout", "-q", "-b", "feature")
	w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	w.git("checkout", "-q", "main")
	w.mustPublish(w.commit(map[string]string{"policies/ops.cedar": policy("operations")}), publish.Options{})
	w.git("checkout", "-q", "feature")
	w.git("rebase", "-q", "main")
	w.git("checkout", "-q", "main")
	w.git("merge", "-q", "--ff-only", "feature")
	w.git("push", "-q", "origin", "main")
	if got := w.mustPublish(w.head(), publish.Options{}); got.Version != 3 {
		t.Errorf("got %+v, want v3", got)
	}
}

func TestRenames(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	first := w.mustPublish(w.commit(w.project()), publish.Options{})
	ids := w.policyIDs()

	renamed := strings.Replace(set("agents", "treasury", "ops", "default-user-grants@3"),
		"  - policy: treasury\n", "  - policy: treasury\n    was: finance\n", 1)
	w.git("mv", "policies/finance.cedar", "policies/treasury.cedar")
	v2 := w.mustPublish(w.commit(map[string]string{"policy-sets/agents.yaml": renamed}), publish.Options{})
	if got := w.policyIDs(); got["treasury"] != ids["finance"] || got["finance"] != "" {
		t.Errorf("policies: got %v, want treasury with the id of finance, %s", got, ids["finance"])
	}
	if v2.PolicySetID != first.PolicySetID {
		t.Errorf("the set changed its id from %s to %s", first.PolicySetID, v2.PolicySetID)
	}
	// With was: still there, nothing more happens.
	if got := w.mustPublish(w.commit(nil), publish.Options{}); got.Status != publish.Unchanged {
		t.Errorf("again: got %+v, want unchanged", got)
	}

	w.git("mv", "policy-sets/agents.yaml", "policy-sets/bots.yaml")
	bots := strings.Replace(renamed, "name: agents\n", "name: bots\nwas: agents\n", 1)
	commit := w.commit(map[string]string{
		"policy-sets/bots.yaml": bots,
		"policypin.yaml":        strings.Replace(projectFile, "active: agents", "active: bots", 1),
	})
	rc, err := w.publish(commit, publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := rc.Sets[0]
	if got.PolicySetID != first.PolicySetID || got.Tag != "policypin/production/bots/v2" {
		t.Errorf("renamed set: got %+v", got)
	}
	live, err := w.client().PolicySet(ctx, first.PolicySetID)
	if err != nil || live.Name != "bots" {
		t.Errorf("the zone's set: got %+v, %v, want the name bots", live, err)
	}
	if rc, err = w.publish(w.commit(nil), publish.Options{}); err != nil || rc.Sets[0].Status != publish.Unchanged {
		t.Errorf("again: got %+v, %v, want unchanged", rc, err)
	}
	commit = w.commit(map[string]string{"policies/treasury.cedar": policy("treasurers")})
	if rc, err = w.publish(commit, publish.Options{}); err != nil || rc.Sets[0].Version != 3 {
		t.Errorf("next: got %+v, %v, want v3", rc, err)
	}
}

// policyIDs are the ids of the zone's policies by name.
func (w *world) policyIDs() map[string]string {
	w.Helper()
	ids := map[string]string{}
	for p, err := range w.client().Policies(context.Background(), listAll) {
		if err != nil {
			w.Fatal(err)
		}
		ids[p.Name] = p.ID
	}
	return ids
}

func TestASetWithoutPinsAdoptsWhatIsThere(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(w.project())
	w.mustPublish(commit, publish.Options{})
	w.run(w.remote, "git", "tag", "-d", "policypin/production/agents/v1")
	w.git("tag", "-d", "policypin/production/agents/v1")
	got := w.mustPublish(commit, publish.Options{})
	if got.Version != 1 || got.Status != publish.Published {
		t.Errorf("got %+v, want v1 pinned again", got)
	}
	// With other content it is foreign.
	w.run(w.remote, "git", "tag", "-d", "policypin/production/agents/v1")
	w.git("tag", "-d", "policypin/production/agents/v1")
	changed := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	_, err := w.publish(changed, publish.Options{Adopt: []string{"finance"}})
	w.refused(err, publish.Foreign)
	if got := w.mustPublish(changed, publish.Options{Adopt: []string{"finance", "agents"}}); got.Version != 2 {
		t.Errorf("adopted: got %+v, want v2", got)
	}
}

func TestNewerVersionsWithoutAPin(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	v1 := w.mustPublish(w.commit(w.project()), publish.Options{})
	c := w.client()
	live, err := c.SetVersion(ctx, v1.PolicySetID, v1.VersionID)
	if err != nil {
		t.Fatal(err)
	}
	entries := live.Entries
	for i := range entries {
		entries[i].SHA = ""
	}
	// A version of other content is reported and not touched, and is not used.
	other, err := c.CreateSetVersion(ctx, v1.PolicySetID, "2026-06-18", entries[:1])
	if err != nil {
		t.Fatal(err)
	}
	rc, err := w.publish(w.head(), publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := agents(rc); got.Status != publish.Unchanged || !strings.Contains(strings.Join(rc.Notes, "\n"), other.ID) {
		t.Errorf("got %+v with notes %q, want unchanged and a note about %s", got, rc.Notes, other.ID)
	}
	// The content that a crashed run left is pinned, not created again.
	change := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	pv, err := c.CreatePolicyVersion(ctx, w.policyIDs()["finance"], "2026-06-18", policy("treasury"))
	if err != nil {
		t.Fatal(err)
	}
	var left []keycard.ManifestEntry
	for _, e := range live.Entries {
		if e.PolicyID == pv.PolicyID {
			e.VersionID = pv.ID
		}
		left = append(left, e)
	}
	crashed, err := c.CreateSetVersion(ctx, v1.PolicySetID, "2026-06-18", left)
	if err != nil {
		t.Fatal(err)
	}
	got := w.mustPublish(change, publish.Options{})
	if got.VersionID != crashed.ID || got.Status != publish.Published {
		t.Errorf("got %+v, want %s pinned", got, crashed.ID)
	}
	if got := w.versions("agents"); !reflect.DeepEqual(got, []int{1, 2, 3}) {
		t.Errorf("versions: got %v, want [1 2 3]", got)
	}
}

func TestAMissingNumberAndAWrongSHAAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"number": set("agents", "finance", "default-user-grants@99"),
		"policy": set("agents", "finance", "nobody@1"),
		"sha": set("agents", "finance", "default-user-grants@3") +
			"    sha: " + strings.Repeat("ab", 32) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			files := w.project()
			files["policy-sets/agents.yaml"] = text
			delete(files, "policies/ops.cedar")
			_, err := w.publish(w.commit(files), publish.Options{})
			w.refused(err, publish.Mismatch)
			if ids := w.policyIDs(); ids["finance"] != "" {
				t.Errorf("a refused publish created finance")
			}
		})
	}
}

func TestTheTargetsProjectChange(t *testing.T) {
	w := newWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{})
	w.git("push", "-q", "origin", "HEAD:refs/heads/elsewhere")
	w.git("checkout", "-q", "-b", "elsewhere")
	commit := w.commit(map[string]string{
		"policypin.yaml":         strings.Replace(projectFile, "branch: main", "branch: elsewhere", 1),
		"policies/finance.cedar": policy("anybody"),
	})
	_, err := w.publish(commit, publish.Options{})
	w.refused(err, publish.ProjectChange)
	got := w.mustPublish(commit, publish.Options{AcceptProjectChange: "we moved"})
	if got.Version != 2 {
		t.Errorf("accepted: got %+v, want v2", got)
	}
}

func TestAPinThatTheZoneDoesNotKnowIsRefused(t *testing.T) {
	w := newWorld(t)
	first := w.mustPublish(w.commit(w.project()), publish.Options{})
	tag := w.run(w.remote, "git", "cat-file", "-p", first.Tag)
	forged := strings.ReplaceAll(strings.ReplaceAll(tag, first.VersionID, "psv_forged"), "agents/v1", "agents/v9")
	forged = strings.NewReplacer(`"version": 1,`, `"version": 9,`, "agents v1 in", "agents v9 in").Replace(forged)
	w.write(map[string]string{"forged": forged + "\n"})
	object := w.git("hash-object", "-t", "tag", "-w", "forged")
	w.git("push", "-q", "origin", object+":refs/tags/policypin/production/agents/v9")
	_, err := w.publish(w.commit(map[string]string{"policies/finance.cedar": policy("x")}), publish.Options{})
	r := w.refused(err, publish.PinName)
	if !strings.Contains(r.Message, "psv_forged") {
		t.Errorf("the refusal doesn't name the version: %s", r.Message)
	}
}

func TestOfflinePlan(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(w.project())
	plan, err := publish.PrepareOffline(context.Background(), w.source(commit), publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Digest != "" || !plan.Offline || plan.Sets[0].Action != publish.Create || plan.Sets[0].SetDigest == "" {
		t.Errorf("got %+v", plan)
	}
	w.mustPublish(commit, publish.Options{})
	if plan, err = publish.PrepareOffline(context.Background(), w.source(commit), publish.Options{}); err != nil || !plan.Empty() {
		t.Errorf("after the publish: got %+v, %v, want an empty plan", plan, err)
	}
}

func TestASetForUsersIsFoundAgain(t *testing.T) {
	w := newWorld(t)
	files := w.project()
	files["policy-sets/agents.yaml"] = strings.Replace(set("agents", "finance", "ops"), "entries:", "target_type: user\nentries:", 1)
	commit := w.commit(files)
	w.mustPublish(commit, publish.Options{})
	w.run(w.remote, "git", "tag", "-d", "policypin/production/agents/v1")
	w.git("tag", "-d", "policypin/production/agents/v1")
	if got := w.mustPublish(commit, publish.Options{}); got.Version != 1 {
		t.Errorf("got %+v, want v1 pinned again", got)
	}
}

package publish_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/publish"
)

// withoutActive is the project file of a target with several sets, none of which
// is named to decide.
var withoutActive = strings.Replace(projectFile, "    active: agents\n", "", 1)

// statuses are the sets of a receipt, each with its status and version.
func (w *world) statuses(commit func() (*publish.Receipt, error)) map[string]string {
	w.Helper()
	rc, err := commit()
	if err != nil {
		w.Fatalf("publish: %v", err)
	}
	got := map[string]string{}
	for _, s := range rc.Sets {
		got[s.Name] = s.Status + " v" + string(rune('0'+s.Version))
	}
	return got
}

// publishes commits files, publishes that, and compares what became of each set.
func (w *world) publishes(what string, files map[string]string, want map[string]string) {
	w.Helper()
	commit := w.commit(files)
	got := w.statuses(func() (*publish.Receipt, error) { return w.publish(commit, publish.Options{}) })
	if !reflect.DeepEqual(got, want) {
		w.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// Two sets can hold different versions of one policy with equal content. Neither
// gets a new version for it.
func TestEachSetKeepsItsOwnVersionOfASharedPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	files["policypin.yaml"] = withoutActive
	files["policy-sets/bots.yaml"] = set("bots", "finance")
	w.publishes("first", files, map[string]string{"agents": "published v1", "bots": "published v1"})
	w.git("rm", "-q", "policy-sets/agents.yaml", "policies/ops.cedar")
	w.publishes("without agents", map[string]string{"policies/finance.cedar": policy("treasury")}, map[string]string{"bots": "published v2"})
	w.publishes("reverted", map[string]string{"policies/finance.cedar": policy("finance")}, map[string]string{"bots": "published v3"})
	delete(files, "policypin.yaml")
	w.publishes("with agents again", files, map[string]string{"agents": "unchanged v1", "bots": "unchanged v3"})
}

func TestANameOfARenamedSetIsNotTakenForThatSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	files["policypin.yaml"] = withoutActive
	w.publishes("first", files, map[string]string{"agents": "published v1"})
	w.git("mv", "policy-sets/agents.yaml", "policy-sets/bots.yaml")
	bots := set("bots", "finance", "ops", "default-user-grants@3")
	w.publishes("renamed", map[string]string{"policy-sets/bots.yaml": strings.Replace(bots, "name: bots\n", "name: bots\nwas: agents\n", 1)},
		map[string]string{"bots": "published v1"})
	commit := w.commit(map[string]string{"policy-sets/bots.yaml": bots, "policy-sets/agents.yaml": set("agents", "ops")})
	_, err := w.publish(commit, publish.Options{})
	r := w.refused(err, publish.PinName)
	if !strings.Contains(r.Message, "agents") || !strings.Contains(r.Message, "bots") {
		t.Errorf("the refusal names one set only: %s", r.Message)
	}
	if got := w.versions("bots"); !reflect.DeepEqual(got, []int{1}) {
		t.Errorf("versions of bots: got %v, want [1]", got)
	}
}

func TestASetIsNotRenamedToTheNameOfAnotherSetsPins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	files["policypin.yaml"] = withoutActive
	files["policy-sets/bots.yaml"] = set("bots", "finance")
	w.publishes("first", files, map[string]string{"agents": "published v1", "bots": "published v1"})
	w.git("rm", "-q", "policy-sets/agents.yaml")
	bots := strings.Replace(files["policy-sets/agents.yaml"], "name: agents\n", "name: bots\nwas: agents\n", 1)
	_, err := w.publish(w.commit(map[string]string{"policy-sets/bots.yaml": bots}), publish.Options{})
	w.refused(err, publish.PinName)
}

// The last pin of a set that is gone still has the old name of a policy.
func TestANewPolicyIsNotTakenForARenamedOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	files["policypin.yaml"] = withoutActive
	files["policy-sets/abc.yaml"] = set("abc", "finance")
	w.publishes("first", files, map[string]string{"agents": "published v1", "abc": "published v1"})
	w.git("rm", "-q", "policy-sets/abc.yaml")
	w.git("mv", "policies/finance.cedar", "policies/treasury.cedar")
	renamed := strings.Replace(set("agents", "treasury", "ops"), "  - policy: treasury\n", "  - policy: treasury\n    was: finance\n", 1)
	w.publishes("renamed", map[string]string{"policy-sets/agents.yaml": renamed}, map[string]string{"agents": "published v2"})
	old := w.policyIDs()["treasury"]
	w.publishes("a new finance", map[string]string{
		"policy-sets/agents.yaml": set("agents", "treasury", "finance", "ops"),
		"policies/finance.cedar":  policy("financiers"),
	}, map[string]string{"agents": "published v3"})
	if ids := w.policyIDs(); ids["treasury"] != old || ids["finance"] == "" || ids["finance"] == old {
		t.Errorf("policies: got %v, want treasury to keep %s and finance to be new", ids, old)
	}
}

func TestOnePolicyTwiceIsRefusedBeforeAnythingIsCreated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var id, version string
	for p, err := range w.client().Policies(context.Background(), listAll) {
		if err != nil {
			t.Fatal(err)
		}
		if p.Name == "default-user-grants" {
			id, version = p.ID, p.LatestVersionID
		}
	}
	files := w.project()
	files["policy-sets/agents.yaml"] = strings.Replace(set("agents", "finance", "ops", "default-user-grants@3"), "entries:\n", "targets: [production]\nentries:\n", 1) +
		"  - policy_id: " + id + "\n    policy_version_id: " + version + "\n"
	_, err := w.publish(w.commit(files), publish.Options{})
	r := w.refused(err, publish.Mismatch)
	if !strings.Contains(r.Message, id) || !strings.Contains(r.Message, "default-user-grants") {
		t.Errorf("refusal: got %q", r.Message)
	}
	if ids := w.policyIDs(); ids["finance"] != "" {
		t.Error("a refused publish created finance")
	}
}

func TestASetThatWasRenamedLongAgoIsDeclared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	commit := w.commit(files)
	w.mustPublish(commit, publish.Options{Activate: true, ReplaceActive: w.active()})
	w.git("mv", "policy-sets/agents.yaml", "policy-sets/bots.yaml")
	bots := set("bots", "finance", "ops", "default-user-grants@3")
	w.publishes("renamed", map[string]string{
		"policypin.yaml":        strings.Replace(projectFile, "active: agents", "active: bots", 1),
		"policy-sets/bots.yaml": strings.Replace(bots, "name: bots\n", "name: bots\nwas: agents\n", 1),
	}, map[string]string{"bots": "published v1"})
	w.commit(map[string]string{"policy-sets/bots.yaml": bots})
	plan, err := w.plan("", publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Notes) > 0 || !plan.Empty() {
		t.Errorf("plan: got notes %q and steps %v, want none", plan.Notes, plan.Steps)
	}
	// The other way round: what decides is in no manifest any more.
	w.git("rm", "-q", "policy-sets/bots.yaml", "policies/finance.cedar")
	w.commit(map[string]string{"policypin.yaml": withoutActive, "policy-sets/others.yaml": set("others", "ops")})
	if plan, err = w.plan("", publish.Options{}); err != nil {
		t.Fatal(err)
	}
	if len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], "bots is not declared") || !strings.Contains(plan.Notes[0], "v1 still decides") {
		t.Errorf("notes: got %q, want one about bots", plan.Notes)
	}
}

package publish_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/publish"
)

func TestPublishingTwiceIsPublishingOnce(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(w.project())
	first := w.mustPublish(commit, publish.Options{})
	if first.Status != publish.Published || first.Version != 1 || first.Tag != "policypin/production/agents/v1" {
		t.Fatalf("first publish: got %+v", first)
	}
	second := w.mustPublish(commit, publish.Options{})
	if second.Status != publish.Unchanged || second.TagObject != first.TagObject {
		t.Errorf("second publish: got %+v, want unchanged with tag object %s", second, first.TagObject)
	}
	if got := w.versions("agents"); !reflect.DeepEqual(got, []int{1}) {
		t.Errorf("versions: got %v, want [1]", got)
	}
	if got := w.run(w.remote, "git", "cat-file", "-t", "policypin/production/agents/v1"); got != "tag" {
		t.Errorf("the pin is a %s, want an annotated tag", got)
	}
	w.run(w.remote, "git", "fsck", "--strict")
}

func TestWhatIsPublished(t *testing.T) {
	w := newWorld(t)
	base := w.commit(w.project())
	w.mustPublish(base, publish.Options{})
	step := func(name string, files map[string]string, status string, version int) {
		t.Helper()
		got := w.mustPublish(w.commit(files), publish.Options{})
		if got.Status != status || got.Version != version {
			t.Errorf("%s: got %s v%d, want %s v%d", name, got.Status, got.Version, status, version)
		}
	}
	step("a comment changes nothing", map[string]string{"policies/finance.cedar": "// why\n" + policy("finance")}, publish.Unchanged, 1)
	step("layout changes nothing", map[string]string{"policies/finance.cedar": strings.ReplaceAll(policy("finance"), " ", "\n")}, publish.Unchanged, 1)
	step("order changes nothing", map[string]string{"policy-sets/agents.yaml": set("agents", "default-user-grants@3", "ops", "finance")}, publish.Unchanged, 1)
	step("line ends change nothing", map[string]string{"policies/ops.cedar": strings.ReplaceAll(policy("ops"), "\n", "\r\n")}, publish.Unchanged, 1)
	step("content changes", map[string]string{"policies/finance.cedar": policy("treasury")}, publish.Published, 2)
	step("a revert is a new version", map[string]string{"policies/finance.cedar": policy("finance")}, publish.Published, 3)
	step("a new entry", map[string]string{"policies/hr.cedar": policy("hr"), "policy-sets/agents.yaml": set("agents", "finance", "ops", "hr", "default-user-grants@3")}, publish.Published, 4)
	step("a removed entry", map[string]string{"policy-sets/agents.yaml": set("agents", "finance", "ops", "default-user-grants@3"), "policies/hr.cedar": ""}, publish.Published, 5)
}

func TestTheWorkTreeAndTheIndexAreNeverPublished(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(w.project())
	w.git("config", "core.autocrlf", "true")
	w.write(map[string]string{"policies/finance.cedar": policy("staged")})
	w.git("add", "-A")
	w.write(map[string]string{"policies/finance.cedar": policy("dirty"), "policies/ops.cedar": strings.ReplaceAll(policy("ops"), "\n", "\r\n")})
	w.mustPublish(commit, publish.Options{})
	body := w.requestBodies()
	if strings.Contains(body, "dirty") || strings.Contains(body, "staged") || !strings.Contains(body, "finance") {
		t.Errorf("the zone holds %s, want the commit's content", body)
	}
}

// requestBodies is the text of all policies in the zone.
func (w *world) requestBodies() string {
	w.Helper()
	ctx, c := context.Background(), w.client()
	var b strings.Builder
	for p, err := range c.Policies(ctx, listAll) {
		if err != nil {
			w.Fatal(err)
		}
		for v, err := range c.PolicyVersions(ctx, p.ID, listAll) {
			if err != nil {
				w.Fatal(err)
			}
			b.WriteString(v.CedarRaw)
		}
	}
	return b.String()
}

func TestAnOlderCommitIsSuperseded(t *testing.T) {
	w := newWorld(t)
	a := w.commit(w.project())
	w.mustPublish(a, publish.Options{})
	b := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	w.commit(map[string]string{"policies/finance.cedar": policy("finance")}) // C reverts B
	got := w.mustPublish(b, publish.Options{Activate: true})
	if got.Status != publish.Superseded {
		t.Fatalf("B after C: got %+v, want superseded", got)
	}
	if got := w.versions("agents"); !reflect.DeepEqual(got, []int{1}) {
		t.Errorf("versions: got %v, want [1]", got)
	}
	behind := w.mustPublish(b, publish.Options{BehindTip: true})
	if behind.Status != publish.Published || behind.Version != 2 {
		t.Errorf("with --behind-tip: got %+v, want v2", behind)
	}
	if got := w.mustPublish(a, publish.Options{BehindTip: true}); got.Status != publish.Superseded {
		t.Errorf("behind the pin: got %+v, want superseded whatever the flags", got)
	}
}

func TestACommitThatIsNotOnTheBranchIsRefused(t *testing.T) {
	w := newWorld(t)
	w.commit(w.project())
	w.git("checkout", "-q", "-b", "feature")
	commit := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	_, err := w.publish(commit, publish.Options{})
	w.refused(err, publish.Unreachable)
	if tags := w.tags(); tags != nil {
		t.Errorf("tags: got %v, want none", tags)
	}
	w.git("checkout", "-q", "main")
	w.git("merge", "-q", "--squash", "feature")
	if got := w.mustPublish(w.commit(nil), publish.Options{}); got.Version != 1 {
		t.Errorf("squash-merged: got %+v, want v1", got)
	}
}

func TestARewrittenHistoryNeedsANewBase(t *testing.T) {
	w := newWorld(t)
	w.commit(w.project())
	w.mustPublish(w.commit(map[string]string{"policies/finance.cedar": policy("a")}), publish.Options{})
	w.git("reset", "-q", "--hard", "HEAD~1")
	w.write(map[string]string{"policies/finance.cedar": policy("b")})
	w.git("commit", "-q", "-a", "-m", "rewritten")
	w.git("push", "-q", "--force", "origin", "main")
	_, err := w.publish(w.head(), publish.Options{})
	w.refused(err, publish.Diverged)
	got := w.mustPublish(w.head(), publish.Options{NewBase: "history was rewritten"})
	if got.Version != 2 {
		t.Fatalf("with a new base: got %+v, want v2", got)
	}
	if pin := w.run(w.remote, "git", "cat-file", "-p", got.Tag); !strings.Contains(pin, "history was rewritten") {
		t.Errorf("the pin doesn't record the reason:\n%s", pin)
	}
}

func TestActivation(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(w.project())
	platform := w.active()
	_, err := w.publish(commit, publish.Options{Activate: true})
	w.refused(err, publish.ActiveChanged)
	if tags := w.tags(); tags != nil {
		t.Errorf("a refused activation left pins: %v", tags)
	}
	plan, err := publish.Prepare(context.Background(), w.client().Reader, w.source(commit), publish.Options{Activate: true})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Activate.ReplacesVersionID != platform {
		t.Errorf("the plan replaces %q, want %q", plan.Activate.ReplacesVersionID, platform)
	}
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	approved, err := publish.ParsePlan(data)
	if err != nil {
		t.Fatal(err)
	}
	v1 := w.mustPublish(commit, publish.Options{Activate: true, Expected: approved})
	if got := w.active(); got != v1.VersionID {
		t.Errorf("active: got %s, want %s", got, v1.VersionID)
	}
	// The approved plan still fits when there is nothing left to do.
	w.mustPublish(commit, publish.Options{Activate: true, Expected: approved})

	v2 := w.mustPublish(w.commit(map[string]string{"policies/finance.cedar": policy("treasury")}), publish.Options{Activate: true})
	if got := w.active(); got != v2.VersionID {
		t.Errorf("active: got %s, want %s", got, v2.VersionID)
	}
	rc, err := publish.Activate(context.Background(), w.client(), w.source(w.head()), "agents", "previous", publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.active(); got != v1.VersionID || rc.Activation.Status != publish.WasActivated {
		t.Errorf("after the rollback: active %s, want %s; %+v", got, v1.VersionID, rc.Activation)
	}
}

func TestAStalePlanIsRefused(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(w.project())
	plan, err := publish.Prepare(context.Background(), w.client().Reader, w.source(commit), publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	next := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	_, err = w.publish(next, publish.Options{Expected: plan})
	w.refused(err, publish.StalePlan)
	if got := w.versions("agents"); got != nil {
		t.Errorf("versions: got %v, want none", got)
	}
}

func TestForeignObjects(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	c := w.client()
	p, err := c.CreatePolicy(ctx, "finance", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreatePolicyVersion(ctx, p.ID, "2026-06-18", policy("somebody else")); err != nil {
		t.Fatal(err)
	}
	commit := w.commit(w.project())
	_, err = w.publish(commit, publish.Options{})
	r := w.refused(err, publish.Foreign)
	if r.Policy != "finance" || !strings.Contains(r.Message, p.ID) || !strings.Contains(r.Hint, "--adopt finance") {
		t.Errorf("refusal: got %+v", r)
	}
	got := w.mustPublish(commit, publish.Options{Adopt: []string{"finance"}})
	if got.Version != 1 {
		t.Errorf("adopted: got %+v", got)
	}

	// Equal content needs no word.
	w2 := newWorld(t)
	p, err = w2.client().CreatePolicy(ctx, "finance", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w2.client().CreatePolicyVersion(ctx, p.ID, "2026-06-18", "// theirs\n"+policy("finance")); err != nil {
		t.Fatal(err)
	}
	rc, err := w2.publish(w2.commit(w2.project()), publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if rc.Created.Policies != 1 || rc.Created.PolicyVersions != 1 {
		t.Errorf("created %+v, want one policy and one version: the other is there already", rc.Created)
	}
}

func TestAPlatformPolicyCannotHaveASource(t *testing.T) {
	w := newWorld(t)
	files := w.project()
	files["policy-sets/agents.yaml"] = set("agents", "default-user-grants")
	files["policies/default-user-grants.cedar"] = policy("mine")
	_, err := w.publish(w.commit(files), publish.Options{Adopt: []string{"default-user-grants"}})
	w.refused(err, publish.Platform)
}

func TestAnArchivedPolicyIsRecreatedOnlyWhenAsked(t *testing.T) {
	w := newWorld(t)
	files := w.project()
	w.mustPublish(w.commit(files), publish.Options{})
	w.mustPublish(w.commit(map[string]string{"policy-sets/agents.yaml": set("agents", "ops")}), publish.Options{})
	for p, err := range w.client().Policies(context.Background(), listAll) {
		if err != nil {
			t.Fatal(err)
		}
		if p.Name == "ops" {
			if _, err := w.client().ArchivePolicy(context.Background(), p.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	commit := w.commit(map[string]string{"policies/ops.cedar": policy("operations")})
	_, err := w.publish(commit, publish.Options{})
	w.refused(err, publish.Archived)
	if got := w.mustPublish(commit, publish.Options{Recreate: []string{"ops"}}); got.Version != 3 {
		t.Errorf("recreated: got %+v, want v3", got)
	}
}

func TestTheGateForRemovedEntries(t *testing.T) {
	w := newWorld(t)
	files := w.project()
	files["policypin.yaml"] = projectFile + "gates:\n  max_removed_entries: 1\n"
	w.mustPublish(w.commit(files), publish.Options{})
	// Loosening the gate in the same change doesn't help.
	commit := w.commit(map[string]string{
		"policypin.yaml":          projectFile + "gates:\n  max_removed_entries: 9\n",
		"policy-sets/agents.yaml": set("agents", "ops"),
	})
	_, err := w.publish(commit, publish.Options{})
	w.refused(err, publish.Gate)
	if got := w.mustPublish(commit, publish.Options{AcceptProjectChange: "fewer grants"}); got.Version != 2 {
		t.Errorf("accepted: got %+v, want v2", got)
	}
}

package publish_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/publish"
)

// wide allows everybody everything.
const wide = "permit (principal, action, resource);\n"

// closed publishes a commit and wants a gate to refuse it.
func (w *world) closed(commit gitstore.Hash, opts publish.Options, gate string) {
	w.Helper()
	_, err := w.publish(commit, opts)
	if r := w.refused(err, publish.Gate); r.Gate != gate {
		w.Errorf("got gate %s (%s), want %s", r.Gate, r.Message, gate)
	}
}

// strict publishes a project with gates that its first version would not pass.
func (w *world) strict(gates string) map[string]string {
	w.Helper()
	files := w.narrow("widened: allow")
	files["policypin.yaml"], files["policies/ops.cedar"] = gated(gates), nothing
	w.mustPublish(w.commit(files), publish.Options{})
	return files
}

// drop removes files, so that the next commit doesn't have them.
func (w *world) drop(names ...string) {
	w.Helper()
	w.git(append([]string{"rm", "-q", "--cached"}, names...)...)
	for _, name := range names {
		if err := os.Remove(filepath.Join(w.clone, name)); err != nil {
			w.Fatal(err)
		}
	}
}

// Looser gates would judge the next commit once they are pinned, so a harmless
// commit with them takes an approval of its own.
func TestGatesAreNotLoosenedByAHarmlessCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.strict("widened: refuse, uncovered: approve, max_removed_entries: 2")
	const loose = "widened: approve, max_removed_entries: 3"
	alone := w.commit(map[string]string{"policypin.yaml": gated(loose)})
	if got := w.mustPublish(alone, publish.Options{}); got.Status != publish.Unchanged {
		t.Fatalf("without a new version there is no pin that says so: got %+v", got)
	}
	harmless := w.commit(map[string]string{"policies/ops.cedar": "\n" + strings.Replace(nothing, "forbid", "@note(\"x\")\nforbid", 1)})
	w.closed(harmless, publish.Options{Approvals: approvals("widened", "uncovered")}, "loosened_gates")
	p := w.prepared(harmless, publish.Options{})
	if want := "the project file loosens the gates of the last pin: max_removed_entries from 2 to 3, widened from refuse to approve, uncovered from approve to allow"; !strings.Contains(p.Refusals[0].Message, want) {
		t.Errorf("got %q, want %q in it", p.Refusals[0].Message, want)
	}
	label := p.ApprovalLabel("loosened_gates")
	if offline := w.offline(harmless, publish.Options{}).ApprovalLabel("loosened_gates"); label == "" || offline != label {
		t.Errorf("labels: got %q and offline %q", label, offline)
	}
	// The label is for these words, and not for looser ones beside the same policies.
	looser := w.commit(map[string]string{"policypin.yaml": gated("")})
	if got := w.prepared(looser, publish.Options{}).ApprovalLabel("loosened_gates"); got == label || got == "" {
		t.Errorf("for other words: got %q, want another label than %q", got, label)
	}
	back := w.commit(map[string]string{"policypin.yaml": gated(loose)})
	got := w.mustPublish(back, publish.Options{Approvals: approvals("loosened_gates")})
	if got.Version != 3 || w.recorded(got.Tag) != "loosened_gates: meant, by ada (flag)" {
		t.Errorf("got %+v with approvals %q", got, w.recorded(got.Tag))
	}
	w.mustPublish(w.commit(map[string]string{"policies/ops.cedar": wide}), publish.Options{Approvals: approvals("widened")})
}

// A target under another name has no pins, and so no gates from before. What is
// in the zone isn't its own then.
func TestATargetUnderAnotherNameTakesNothingOver(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]*strings.Replacer{
		"another target": strings.NewReplacer("production", "prod"),
		"other pins":     strings.NewReplacer("    branch:", "    pins: prod\n    branch:"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.strict("widened: refuse")
			project := edit.Replace(projectFile)
			target := func(commit gitstore.Hash) publish.Source {
				src := w.source(commit)
				if name == "another target" {
					src.Target = "prod"
				}
				return src
			}
			files := map[string]string{"policypin.yaml": project, "policies/ops.cedar": wide}
			_, err := publish.Publish(context.Background(), w.client(), target(w.commit(files)), publish.Options{})
			w.refused(err, publish.Foreign)
			files = map[string]string{
				"policypin.yaml":          strings.Replace(project, "active: agents", "active: others", 1),
				"policy-sets/others.yaml": set("others", "anybody"), "policies/anybody.cedar": wide,
			}
			w.drop("policy-sets/agents.yaml")
			before := w.active()
			_, err = publish.Publish(context.Background(), w.client(), target(w.commit(files)), publish.Options{Activate: true})
			w.refused(err, publish.ActiveChanged)
			if w.active() != before {
				t.Error("another version is active now")
			}
		})
	}
}

// A set that moves into another folder keeps its gates, whatever was published
// from that folder before.
func TestASetKeepsItsGatesInAnotherFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.narrow("widened: approve")
	other := map[string]string{
		"policypin.yaml":                 strings.Replace(projectFile, "    active: agents\n", "", 1),
		"schemas/2026-06-18.cedarschema": files["schemas/2026-06-18.cedarschema"],
		"policy-sets/decoy.yaml":         set("decoy", "decoy"),
		"policies/decoy.cedar":           nothing,
	}
	w.commit(in("x", other))
	src := func(commit gitstore.Hash) publish.Source {
		s := w.source(commit)
		s.Dir = "x"
		return s
	}
	ctx := context.Background()
	// Even the decoy takes a word about its gates.
	_, err := publish.Publish(ctx, w.client(), src(w.head()), publish.Options{})
	if r := w.refused(err, publish.Gate); r.Gate != "loosened_gates" {
		t.Errorf("got %+v", r)
	}
	if _, err := publish.Publish(ctx, w.client(), src(w.head()), publish.Options{Approvals: approvals("loosened_gates")}); err != nil {
		t.Fatal(err)
	}
	moved := in("x", map[string]string{
		"policy-sets/agents.yaml": set("agents", "finance", "ops"),
		"policies/finance.cedar":  files["policies/finance.cedar"], "policies/ops.cedar": wide,
	})
	for name := range files {
		w.drop(name)
	}
	p, err := publish.Prepare(ctx, w.client().Reader, src(w.commit(moved)), publish.Options{})
	if p == nil {
		t.Fatal(err)
	}
	if got := gateStates(p); got != "widened refused, loosened_gates refused" {
		t.Errorf("got %q: %v", got, err)
	}
}

// A set that was pinned long ago and allows more can't take the place of the one
// that decides by being declared again.
func TestAnOldSetDoesNotTakeOverWithoutAWord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	files["policypin.yaml"] = strings.Replace(gated("widened: approve"), "    active: agents\n", "", 1)
	delete(files, "policy-sets/agents.yaml")
	delete(files, "policies/finance.cedar")
	files["policies/ops.cedar"] = wide
	files["policy-sets/old.yaml"] = set("old", "ops")
	opts := publish.Options{Activate: true, ReplaceActive: w.active(), Approvals: approvals("widened", "platform_policies")}
	if _, err := w.publish(w.commit(files), opts); err != nil {
		t.Fatal(err)
	}
	// agents replaces it, and allows less.
	w.drop("policy-sets/old.yaml")
	narrow := map[string]string{"policies/finance.cedar": policy("finance"), "policy-sets/agents.yaml": set("agents", "finance")}
	w.mustPublish(w.commit(narrow), publish.Options{Activate: true})
	// And back: nothing is published, but more is allowed.
	w.drop("policy-sets/agents.yaml")
	again := w.commit(map[string]string{"policy-sets/old.yaml": set("old", "ops")})
	before := w.active()
	w.closed(again, publish.Options{Activate: true}, "widened")
	if w.active() != before {
		t.Fatal("it decides without a word")
	}
	// A new version of it that loses something is compared with what decides, too.
	less := w.commit(map[string]string{"policies/ops.cedar": strings.Replace(wide, "action", `action == Keycard::Action::"Access"`, 1)})
	w.closed(less, publish.Options{Activate: true}, "widened")
	if _, err := w.publish(less, publish.Options{Activate: true, Approvals: approvals("widened")}); err != nil || w.active() == before {
		t.Errorf("approved: got %v, active %s", err, w.active())
	}
}

// A set under another name, with no word of what it was, is compared with what
// decides, and so is one that comes back after its pin.
func TestANewNameHidesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.narrow("widened: approve")
	if _, err := w.publish(w.head(), publish.Options{Activate: true, ReplaceActive: w.active(), Approvals: approvals("platform_policies", "widened")}); err != nil {
		t.Fatal(err)
	}
	w.drop("policy-sets/agents.yaml")
	project := strings.ReplaceAll(files["policypin.yaml"], "    active: agents\n", "")
	renamed := w.commit(map[string]string{"policypin.yaml": project, "policy-sets/robots.yaml": set("robots", "finance", "ops"), "policies/ops.cedar": wide})
	w.closed(renamed, publish.Options{}, "widened")
	w.drop("policy-sets/robots.yaml")
	w.commit(map[string]string{"policy-sets/idle.yaml": set("idle", "finance")})
	if _, err := w.publish(w.head(), publish.Options{}); err != nil {
		t.Fatal(err)
	}
	w.drop("policy-sets/idle.yaml")
	back := w.commit(map[string]string{"policy-sets/agents.yaml": files["policy-sets/agents.yaml"], "policies/ops.cedar": wide})
	w.closed(back, publish.Options{}, "widened")
}

// A pin that was moved to a commit without a project has no gates to hold, and
// isn't taken for one with loose gates.
func TestAPinWithoutAProjectOpensNoGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.commit(map[string]string{"README": "nothing yet\n"})
	w.strict("widened: refuse")
	for _, pin := range w.tags() {
		w.forge(pin, pin, w.run(w.remote, "git", "rev-parse", pin+"^{commit}"), before.String())
	}
	commit := w.commit(map[string]string{"policypin.yaml": projectFile, "policies/ops.cedar": wide})
	_, err := w.publish(commit, publish.Options{})
	if r := w.refused(err, publish.ProjectChange); !strings.Contains(r.Message, "has no project file that can be read") {
		t.Errorf("got %q", r.Message)
	}
	w.mustPublish(commit, publish.Options{AcceptProjectChange: "we know"})
}

// A run that ended between its version and the pin has recorded nothing, so the
// next one asks again, and the pin has what that was told.
func TestAnApprovalIsAskedAgainBeforeThePin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.narrow("widened: approve")
	commit := w.commit(map[string]string{"policies/ops.cedar": wide})
	next := w.requests.next
	made := false
	w.intercept(func(r *http.Request) *http.Response {
		if made {
			return &http.Response{StatusCode: 400, Header: http.Header{}, Body: http.NoBody, Request: r}
		}
		made = made || r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/policy-sets/")
		return nil
	})
	if _, err := w.publish(commit, publish.Options{Approvals: approvals("widened")}); err == nil {
		t.Fatal("the run wasn't interrupted")
	}
	w.requests.next = next
	if got := w.versions("agents"); len(got) != 2 || len(w.tags()) != 1 {
		t.Fatalf("got versions %v and tags %v, want a version without a pin", got, w.tags())
	}
	w.closed(commit, publish.Options{}, "widened")
	if got := w.mustPublish(commit, publish.Options{Approvals: approvals("widened")}); got.Version != 2 || w.recorded(got.Tag) != "widened: meant, by ada (flag)" {
		t.Errorf("got %+v with approvals %q", got, w.recorded(got.Tag))
	}
	w.mustPublish(commit, publish.Options{}) // the pin has it: nothing to do
}

package publish_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/publish"
)

// gated is the project file with gates.
func gated(gates string) string { return projectFile + "gates: {" + gates + "}\n" }

// gateStates are the gates of a plan, as "gate state", of agents alone.
func gateStates(p *publish.Plan) string {
	var list []string
	for _, g := range p.Gates {
		if g.Set == "agents" {
			list = append(list, g.Gate+" "+g.State)
		}
	}
	return strings.Join(list, ", ")
}

func approvals(gates ...string) (list []gitstore.Approval) {
	for _, gate := range gates {
		list = append(list, gitstore.Approval{Gate: gate, Reason: "meant", By: "ada", Source: "flag"})
	}
	return list
}

// nothing is a policy that denies all.
const nothing = "forbid (principal, action, resource);\n"

// everything passes all gates of a first publish.
var everything = publish.Options{Approvals: approvals("widened", "uncovered")}

// prepared makes a plan, refused or not.
func (w *world) prepared(commit gitstore.Hash, opts publish.Options) *publish.Plan {
	w.Helper()
	p, err := publish.Prepare(context.Background(), w.client().Reader, w.source(commit), opts)
	if p == nil {
		w.Fatalf("plan: %v", err)
	}
	return p
}

func (w *world) offline(commit gitstore.Hash, opts publish.Options) *publish.Plan {
	w.Helper()
	p, err := publish.PrepareOffline(context.Background(), w.source(commit), opts)
	if p == nil {
		w.Fatalf("offline plan: %v", err)
	}
	return p
}

// narrow publishes a project with gates, whose policies leave much to allow.
func (w *world) narrow(gates string) map[string]string {
	w.Helper()
	files := w.project()
	files["policypin.yaml"] = gated(gates)
	files["policy-sets/agents.yaml"] = set("agents", "finance", "ops")
	w.mustPublish(w.commit(files), everything)
	return files
}

// recorded are the gates that a pin's approvals name.
func (w *world) recorded(tag string) string {
	w.Helper()
	var list []string
	for _, a := range w.readPin(tag).Record.Approvals {
		list = append(list, a.Gate+": "+a.Reason+", by "+a.By+" ("+a.Source+")")
	}
	return strings.Join(list, "; ")
}

func TestWidenedAccessTakesAnApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.narrow("widened: approve")
	commit := w.commit(map[string]string{"policies/ops.cedar": policy("everybody")})
	_, err := w.publish(commit, publish.Options{Approvals: approvals("max_removed_entries")})
	r := w.refused(err, publish.Gate)
	for _, want := range []string{
		"policy set agents: compared with " + agentsV1 + ", ", " requests that were tried are now allowed, such as Keycard::User::",
		", by ops (policies/ops.cedar:1:1)",
	} {
		if !strings.Contains(r.Message, want) {
			t.Errorf("message: got %q, want %q in it", r.Message, want)
		}
	}
	if r.Set != "agents" || r.Gate != "widened" || !strings.Contains(r.Hint, "--approve widened=REASON") || !strings.HasPrefix(r.Label, "policypin/widened@") {
		t.Errorf("got %+v", r)
	}
	if got := w.versions("agents"); len(got) != 1 {
		t.Errorf("versions: got %v, want nothing new", got)
	}
	// What isn't needed is no harm, and isn't recorded.
	got := w.mustPublish(commit, publish.Options{Approvals: approvals("widened", "uncovered", "platform_policies")})
	if got.Version != 2 || w.recorded(got.Tag) != "widened: meant, by ada (flag)" {
		t.Errorf("got %+v with approvals %q", got, w.recorded(got.Tag))
	}
	// What allows less needs none.
	got = w.mustPublish(w.commit(map[string]string{"policy-sets/agents.yaml": set("agents", "finance"), "policies/ops.cedar": ""}), publish.Options{})
	if got.Version != 3 || w.recorded(got.Tag) != "" {
		t.Errorf("got %+v with approvals %q", got, w.recorded(got.Tag))
	}
}

// A forbid that goes widens, too: what denied is named with its place then.
func TestARemovedForbidIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	files["policypin.yaml"] = gated("widened: approve")
	files["policies/ops.cedar"] = "\nforbid (principal, action == Keycard::Action::\"WriteTools\", resource);\n"
	files["policy-sets/agents.yaml"] = set("agents", "finance", "ops")
	w.mustPublish(w.commit(files), everything)
	commit := w.commit(map[string]string{"policy-sets/agents.yaml": set("agents", "finance"), "policies/ops.cedar": ""})
	_, err := w.publish(commit, publish.Options{})
	r := w.refused(err, publish.Gate)
	if !strings.Contains(r.Message, "by finance (policies/finance.cedar:1:1), which was denied by ops (policies/ops.cedar:2:1)") {
		t.Errorf("got %q", r.Message)
	}
}

func TestARefusedGateTakesNoApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.narrow("widened: allow")
	files["policypin.yaml"], files["policies/ops.cedar"] = gated("widened: refuse"), nothing
	w.mustPublish(w.commit(files), publish.Options{})
	commit := w.commit(map[string]string{"policies/ops.cedar": policy("everybody")})
	_, err := w.publish(commit, everything)
	r := w.refused(err, publish.Gate)
	if r.Label != "" || !strings.Contains(r.Hint, "gates.widened") {
		t.Errorf("got %+v, want no way to approve", r)
	}
	// Not even the commit's own file helps, without a word about that.
	commit = w.commit(map[string]string{"policypin.yaml": gated("widened: approve")})
	_, err = w.publish(commit, publish.Options{Approvals: approvals("widened", "loosened_gates")})
	if r = w.refused(err, publish.Gate); !strings.Contains(r.Hint, "--accept-project-change") {
		t.Errorf("got %+v", r)
	}
	opts := everything
	opts.AcceptProjectChange = "a rule for all"
	got := w.mustPublish(commit, opts)
	if want := "widened: meant, by ada (flag); project-change: a rule for all, by  (flag)"; got.Version != 3 || w.recorded(got.Tag) != want {
		t.Errorf("got %+v with approvals %q, want %q", got, w.recorded(got.Tag), want)
	}
}

// The stricter of two project files counts, for every gate by words.
func TestTheStricterGateCounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ before, after, want string }{
		{"allow", "approve", "widened refused"},
		{"approve", "allow", "widened refused, loosened_gates refused"},
		{"approve", "refuse", "widened refused"},
		{"refuse", "allow", "widened refused, loosened_gates refused"},
		{"allow", "allow", ""},
	} {
		t.Run(tt.before+" then "+tt.after, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.narrow("widened: allow") // so that it can be published at all
			w.mustPublish(w.commit(map[string]string{"policypin.yaml": gated("widened: " + tt.before), "policies/ops.cedar": nothing}), publish.Options{})
			commit := w.commit(map[string]string{"policypin.yaml": gated("widened: " + tt.after), "policies/ops.cedar": policy("everybody")})
			p := w.prepared(commit, publish.Options{})
			if got := gateStates(p); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if refuse := tt.before == "refuse" || tt.after == "refuse"; refuse && p.ApprovalLabel("widened") != "" {
				t.Error("a refusing gate has a label")
			}
			if got := gateStates(w.offline(commit, publish.Options{})); got != tt.want {
				t.Errorf("offline: got %q, want %q", got, tt.want)
			}
		})
	}
}

// What can't be decided is no "not widened".
const uncoverable = "permit (principal is Keycard::Application, action, resource)\nwhen { principal has identifier && principal.identifier like \"urn:*:app:*\" };\n"

func TestUncoveredIsNotNotWidened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.narrow("widened: approve, uncovered: approve")
	narrower := strings.Replace(uncoverable, "when {", "when { false &&", 1)
	files["policies/finance.cedar"] = uncoverable
	w.mustPublish(w.commit(files), everything)
	commit := w.commit(map[string]string{"policies/finance.cedar": narrower})
	p := w.prepared(commit, publish.Options{})
	if got, want := gateStates(p), "widened not-checked, uncovered refused"; got != want {
		t.Fatalf("got %q, want %q: %+v", got, want, p.Gates)
	}
	r := p.Refusals[0]
	if !strings.Contains(r.Message, "it isn't known whether more is allowed: policies/finance.cedar:2:") || r.Gate != "uncovered" || !strings.Contains(r.Hint, "--approve uncovered=") {
		t.Errorf("got %+v", r)
	}
	_, err := w.publish(commit, publish.Options{Approvals: approvals("widened")})
	w.refused(err, publish.Gate)
	if got := w.mustPublish(commit, publish.Options{Approvals: approvals("uncovered")}); w.recorded(got.Tag) != "uncovered: meant, by ada (flag)" {
		t.Errorf("got %+v with approvals %q", got, w.recorded(got.Tag))
	}
}

// Without the gate uncovered, widened says that it doesn't know.
func TestWidenedAloneSaysWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.narrow("widened: approve")
	files["policies/finance.cedar"] = uncoverable
	w.mustPublish(w.commit(files), everything)
	commit := w.commit(map[string]string{"policies/finance.cedar": strings.Replace(uncoverable, "when {", "when { false &&", 1)})
	p := w.prepared(commit, publish.Options{})
	if got := gateStates(p); got != "widened not-checked" || len(p.Refusals) > 0 {
		t.Errorf("got %q with %v", got, p.Refusals)
	}
}

// A first publish is compared with what decides in the zone.
func TestAFirstPublishIsComparedWithTheActiveVersion(t *testing.T) {
	t.Parallel()
	defaults := []string{"default-user-grants@3", "default-app-delegation@1", "default-app-direct-access@1"}
	for name, tt := range map[string]struct {
		policies []string
		want     string
		says     string
	}{
		"the same": {defaults, "widened passed, uncovered passed", "v1 of default-zone-policies, which is active, no request is newly allowed"},
		"more":     {append([]string{"finance"}, defaults...), "widened refused, uncovered passed", "v1 of default-zone-policies, which is active, "},
		"less":     {defaults[:2], "widened passed, uncovered passed", "v1 of default-zone-policies, which is active, no request is newly allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			files := w.project()
			files["policypin.yaml"] = gated("widened: approve, uncovered: approve")
			files["policy-sets/agents.yaml"] = set("agents", tt.policies...)
			files["policies/finance.cedar"] = "permit (principal, action, resource) when { context has impersonate && context.impersonate };\n"
			delete(files, "policies/ops.cedar")
			if name != "more" {
				delete(files, "policies/finance.cedar")
			}
			commit := w.commit(files)
			p := w.prepared(commit, publish.Options{})
			if got := gateStates(p); got != tt.want && !(name == "more" && strings.HasPrefix(got, "widened refused")) {
				t.Errorf("got %q, want %q: %+v", got, tt.want, p.Gates)
			}
			all := ""
			for _, g := range p.Gates {
				all += g.Reason + "\n"
			}
			if !strings.Contains(all, tt.says) {
				t.Errorf("got %q, want %q in it", all, tt.says)
			}
			if got := gateStates(w.offline(commit, publish.Options{})); got != "widened not-checked, uncovered not-checked" {
				t.Errorf("offline: got %q", got)
			}
		})
	}
}

// shared makes a policy in the zone that nobody has a source of.
func (w *world) shared(texts ...string) {
	w.Helper()
	ctx, c := context.Background(), w.client()
	p, err := c.CreatePolicy(ctx, "shared", "")
	if err != nil {
		w.Fatal(err)
	}
	for _, text := range texts {
		if _, err := c.CreatePolicyVersion(ctx, p.ID, "2026-06-18", text); err != nil {
			w.Fatal(err)
		}
	}
}

// The text of an entry by number comes from the zone; offline it isn't known.
func TestEntriesByNumberAreReadFromTheZone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shared(policy("a few"), "\npermit (principal, action, resource);\n", policy("a few")+"\n")
	files := w.narrow("widened: approve, uncovered: approve")
	files["policy-sets/agents.yaml"] = set("agents", "finance", "ops", "shared@1")
	w.mustPublish(w.commit(files), everything)

	wide := w.commit(map[string]string{"policy-sets/agents.yaml": set("agents", "finance", "ops", "shared@2")})
	p := w.prepared(wide, publish.Options{})
	if got := gateStates(p); got != "widened refused, uncovered passed" || !strings.Contains(p.Refusals[0].Message, "by shared (shared v2 in production:") {
		t.Errorf("got %q, %+v", got, p.Refusals)
	}
	if got := gateStates(w.offline(wide, publish.Options{})); got != "widened not-checked, uncovered not-checked" {
		t.Errorf("offline: got %q", got)
	}
	alike := w.commit(map[string]string{"policy-sets/agents.yaml": set("agents", "finance", "ops", "shared@3")})
	if got := gateStates(w.prepared(alike, publish.Options{})); got != "widened passed, uncovered passed" {
		t.Errorf("with equal text: got %q", got)
	}
	if got := w.mustPublish(alike, publish.Options{}); w.recorded(got.Tag) != "" {
		t.Errorf("approvals: got %q", w.recorded(got.Tag))
	}
}

// A pin supplies ids and no content: one that was moved to a commit that allows
// everything doesn't hide that the next version does.
func TestAMovedPinDoesNotHideWhatWidens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.narrow("widened: approve")
	narrow := w.head()
	wide := w.commit(map[string]string{"policies/ops.cedar": "permit (principal, action, resource);\n"})
	w.forge(agentsV1, agentsV1, narrow.String(), wide.String())
	next := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	_, err := w.publish(next, publish.Options{})
	if r := w.refused(err, publish.Gate); r.Gate != "widened" {
		t.Errorf("got %+v", r)
	}
}

// Offline, a pin whose commit has no such set leaves nothing to compare with.
func TestAPinOnACommitWithoutTheSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.commit(map[string]string{"README": "nothing yet\n"})
	w.narrow("widened: approve, uncovered: approve")
	w.forge(agentsV1, agentsV1, w.head().String(), before.String())
	commit := w.commit(map[string]string{"policies/ops.cedar": policy("everybody")})
	p := w.offline(commit, publish.Options{})
	if got := gateStates(p); got != "widened not-checked, uncovered not-checked" || !strings.Contains(p.Gates[0].Reason, "has no such set that can be read") {
		t.Errorf("offline: got %+v", p.Gates)
	}
	if got := gateStates(w.prepared(commit, publish.Options{})); got != "widened refused, uncovered passed" {
		t.Errorf("got %q", got)
	}
}

// The zone's schema says what requests there are. The repository's could be made
// to hide some, so offline a change of it is not covered.
func TestASchemaInTheRepositoryHidesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.narrow("widened: approve, uncovered: approve")
	const schema = "schemas/2026-06-18.cedarschema"
	commit := w.commit(map[string]string{
		schema:               strings.Replace(files[schema], `"WriteTools", `, "", 1),
		"policies/ops.cedar": "permit (principal, action, resource)\nunless { [Keycard::Action::\"Access\", Keycard::Action::\"ReadTools\", Keycard::Action::\"ControlTools\"].contains(action) };\n",
	})
	if got := gateStates(w.prepared(commit, publish.Options{})); !strings.HasPrefix(got, "widened refused") {
		t.Errorf("got %q", got)
	}
	if got := gateStates(w.offline(commit, publish.Options{})); !strings.HasSuffix(got, "uncovered refused") {
		t.Errorf("offline: got %q", got)
	}
}

// Where the zone's schema can't be read, nothing is covered.
func TestASchemaThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "entity;"} {
		w := newWorld(t)
		w.narrow("widened: approve, uncovered: approve")
		commit := w.commit(map[string]string{"policies/ops.cedar": nothing})
		w.intercept(func(req *http.Request) *http.Response {
			if strings.Contains(req.URL.Path, "/policy-schemas/") {
				return answer(200, fmt.Sprintf(`{"version":"2026-06-18","status":"active","cedar_schema":%q}`, text))
			}
			return nil
		})
		p := w.prepared(commit, publish.Options{})
		if got := gateStates(p); got != "widened not-checked, uncovered refused" || !strings.HasSuffix(p.Refusals[0].Message, "the zone's schema 2026-06-18 can't be read here") {
			t.Errorf("schema %q: got %q, %v", text, got, p.Refusals)
		}
	}
}

// A set under a new name is compared with what it was.
func TestARenamedSetIsComparedWithWhatItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.narrow("widened: approve")
	w.git("mv", "policy-sets/agents.yaml", "policy-sets/bots.yaml")
	renamed := strings.Replace(set("bots", "finance", "ops"), "name: bots\n", "name: bots\nwas: agents\n", 1)
	project := strings.Replace(gated("widened: approve"), "active: agents", "active: bots", 1)
	commit := w.commit(map[string]string{"policypin.yaml": project, "policy-sets/bots.yaml": renamed, "policies/ops.cedar": policy("everybody")})
	for what, p := range map[string]*publish.Plan{"online": w.prepared(commit, publish.Options{}), "offline": w.offline(commit, publish.Options{})} {
		if len(p.Gates) != 1 || p.Gates[0].State != publish.GateRefused || p.Gates[0].Set != "bots" || !strings.Contains(p.Gates[0].Reason, agentsV1) {
			t.Errorf("%s: got %+v", what, p.Gates)
		}
	}
}

// Policies of Keycard have names for people, also where a pin knows all policies
// of the project and nobody had to list those of the zone.
func TestLostPoliciesHaveNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.commit(w.project())
	w.mustPublish(first, publish.Options{})
	p := w.prepared(first, publish.Options{Activate: true})
	if got := gateStates(p); got != "platform_policies not-checked" || !strings.Contains(p.Gates[0].Reason, "it lacks default-app-delegation, default-app-direct-access, which") {
		t.Errorf("got %+v", p.Gates)
	}
}

// The set that decides doesn't lose Keycard's policies without a word; one that
// doesn't decide may.
func TestLosingAPolicyOfKeycard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.commit(w.project())
	replaced := publish.Options{Activate: true, ReplaceActive: w.active()}
	p := w.prepared(first, publish.Options{Activate: true})
	if got := gateStates(p); got != "platform_policies not-checked" || !strings.Contains(p.Gates[0].Reason, "default-app-delegation, default-app-direct-access") {
		t.Errorf("a version that isn't ours: got %+v", p.Gates)
	}
	if got := gateStates(w.prepared(first, replaced)); got != "platform_policies approved" {
		t.Errorf("replaced by name: got %q", got)
	}
	v1 := w.mustPublish(first, replaced)
	if got := w.recorded(v1.Tag); got != "replace-active: "+replaced.ReplaceActive+", by  (flag)" {
		t.Errorf("approvals: got %q", got)
	}

	lost := map[string]string{"policy-sets/agents.yaml": set("agents", "finance", "ops"), "policy-sets/bots.yaml": set("bots", "finance")}
	commit := w.commit(lost)
	for what, opts := range map[string]publish.Options{"published": {}, "activated": {Activate: true}} {
		_, err := w.publish(commit, opts)
		r := w.refused(err, publish.Gate)
		if r.Gate != "platform_policies" || r.Set != "agents" || !strings.Contains(r.Message, "it lacks default-user-grants, which Keycard manages and v1 of agents has, which is active") {
			t.Errorf("%s: got %+v", what, r)
		}
	}
	offline := w.offline(commit, publish.Options{})
	if got := gateStates(offline); got != "platform_policies not-checked" || len(offline.Refusals) > 0 {
		t.Errorf("offline: got %q", got)
	}
	got := w.mustPublish(commit, publish.Options{Approvals: approvals("platform_policies")})
	if got.Version != 2 || w.recorded(got.Tag) != "platform_policies: meant, by ada (flag)" {
		t.Errorf("got %+v with approvals %q", got, w.recorded(got.Tag))
	}
	if got := w.recorded("policypin/production/bots/v1"); got != "" {
		t.Errorf("the other set's approvals: got %q", got)
	}
	// Activating it later is asked again: the active version still has them.
	_, err := w.publish(commit, publish.Options{Activate: true})
	w.refused(err, publish.Gate)
	w.mustPublish(commit, publish.Options{Activate: true, Approvals: approvals("platform_policies")})
	if got := gateStates(w.prepared(w.commit(map[string]string{"policies/finance.cedar": policy("x")}), publish.Options{Activate: true})); got != "platform_policies passed" {
		t.Errorf("afterwards: got %q", got)
	}
}

// The pin's entries are enough to count offline what is removed.
func TestRemovedEntriesAreCountedOffline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.narrow("max_removed_entries: 0")
	renamed := strings.Replace(set("agents", "finance", "operations"), "  - policy: operations\n", "  - policy: operations\n    was: ops\n", 1)
	w.git("mv", "policies/ops.cedar", "policies/operations.cedar")
	for what, test := range map[string]struct{ manifest, want string }{
		"renamed": {renamed, "max_removed_entries passed"},
		"removed": {set("agents", "operations"), "max_removed_entries refused"},
	} {
		commit := w.commit(map[string]string{"policy-sets/agents.yaml": test.manifest})
		if got := gateStates(w.offline(commit, publish.Options{})); got != test.want {
			t.Errorf("%s, offline: got %q, want %q", what, got, test.want)
		}
		if got := gateStates(w.prepared(commit, publish.Options{})); got != test.want {
			t.Errorf("%s: got %q, want %q", what, got, test.want)
		}
	}
}

// Gates compare what was read anyway.
func TestGatesAskTheZoneForNothingMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	w.mustPublish(w.commit(files), publish.Options{Activate: true, ReplaceActive: w.active()})
	change := map[string]string{"policies/ops.cedar": policy("everybody")}
	commit := w.commit(change)
	w.requests.take()
	w.prepared(commit, publish.Options{Activate: true})
	without := len(w.requests.take())
	change["policypin.yaml"] = gated("widened: approve, uncovered: approve, max_removed_entries: 0")
	commit = w.commit(change)
	w.requests.take()
	p := w.prepared(commit, publish.Options{Activate: true})
	if with := len(w.requests.take()); with != without || len(p.Gates) != 4 {
		t.Errorf("%d requests with gates, %d without; gates %+v", with, without, p.Gates)
	}
}

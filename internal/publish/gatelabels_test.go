package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/publish"
)

// A plan that was made without gates, or by a build that knew none, doesn't take
// publish out of them; the digest doesn't depend on them.
func TestAPlanFileWithoutGates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.narrow("widened: approve")
	commit := w.commit(map[string]string{"policies/ops.cedar": policy("everybody")})
	refused, approved := w.prepared(commit, publish.Options{}), w.prepared(commit, publish.Options{Approvals: approvals("widened")})
	if refused.Digest == "" || refused.Digest != approved.Digest || gateStates(approved) != "widened approved" {
		t.Errorf("got digests %s and %s, gates %q", refused.Digest, approved.Digest, gateStates(approved))
	}
	text, err := json.Marshal(approved)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	delete(doc, "gates")
	older, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"with gates": text, "without": older} {
		plan, err := publish.ParsePlan(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = w.publish(commit, publish.Options{Expected: plan})
		w.refused(err, publish.Gate)
	}
	plan, err := publish.ParsePlan(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.mustPublish(commit, publish.Options{Expected: plan, Approvals: approvals("widened")}); got.Version != 2 {
		t.Errorf("got %+v", got)
	}
}

// A label names the content that a gate closed for, and the same content has the
// same label in a pull request and when it is published.
func TestApprovalLabels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.narrow("widened: approve")
	commit := w.commit(map[string]string{"policies/ops.cedar": policy("everybody")})
	online, offline := w.prepared(commit, publish.Options{}), w.offline(commit, publish.Options{Merged: true})
	label := online.ApprovalLabel("widened")
	if label != offline.ApprovalLabel("widened") || label != online.Gates[0].Label || online.ApprovalLabel("uncovered") != "" {
		t.Errorf("labels: got %q online, %q offline", label, offline.ApprovalLabel("widened"))
	}
	if got := w.prepared(commit, publish.Options{Approvals: approvals("widened")}).ApprovalLabel("widened"); got != label {
		t.Errorf("approved: got %q, want %q", got, label)
	}
	same := w.commit(map[string]string{"policies/ops.cedar": "// said otherwise\n" + policy("everybody")})
	if got := w.prepared(same, publish.Options{}).ApprovalLabel("widened"); got != label {
		t.Errorf("after a change of layout: got %q, want %q", got, label)
	}
	other := w.commit(map[string]string{"policies/ops.cedar": policy("everybody else")})
	if got := w.prepared(other, publish.Options{}).ApprovalLabel("widened"); got == label || got == "" {
		t.Errorf("after another change: got %q, want another label than %q", got, label)
	}
}

// A label binds enough of the digest that nobody finds a harmless and a harmful
// content with the same one, and GitHub takes it: up to 50 characters, of which it
// doesn't tell the case.
func TestLabelsBindTheContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.narrow("widened: allow")
	commit := w.commit(map[string]string{
		"policypin.yaml":          gated("widened: approve, uncovered: approve, max_removed_entries: 0"),
		"policies/ops.cedar":      "",
		"policies/finance.cedar":  uncoverable,
		"policy-sets/agents.yaml": set("agents", "finance"),
	})
	p := w.prepared(commit, publish.Options{})
	form := regexp.MustCompile(`^policypin/[a-z]+@[a-z2-7]{30}$`)
	seen := map[string]bool{}
	for _, g := range p.Gates {
		if g.State != publish.GateRefused {
			continue
		}
		if len(g.Label) > 50 || !form.MatchString(g.Label) {
			t.Errorf("label of %s: got %q of %d characters", g.Gate, g.Label, len(g.Label))
		}
		seen[g.Label] = true
	}
	if len(seen) < 2 {
		t.Errorf("got %+v, want several gates with labels of their own", p.Gates)
	}
}

// Approvals from elsewhere are asked for when a gate is closed, and not before.
func TestAskingForApprovals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.narrow("widened: approve")
	asked := 0
	var answer []gitstore.Approval
	var failure error
	opts := publish.Options{Ask: func(_ context.Context, p *publish.Plan) ([]gitstore.Approval, error) {
		asked++
		if p.ApprovalLabel("widened") == "" {
			t.Errorf("asked about %+v", p.Gates)
		}
		return answer, failure
	}}
	w.mustPublish(w.commit(map[string]string{"policies/ops.cedar": "forbid (principal, action, resource);\n"}), opts)
	if asked != 0 {
		t.Error("asked without need")
	}
	commit := w.commit(map[string]string{"policies/ops.cedar": policy("everybody")})
	failure = errors.New("nobody answers\nat all")
	answer = approvals("uncovered")
	_, err := w.publish(commit, opts)
	if r := w.refused(err, publish.Gate); !strings.HasSuffix(r.Hint, "; nobody answers; at all") || asked != 1 {
		t.Errorf("asked %d times, got %+v", asked, r)
	}
	failure, answer = nil, []gitstore.Approval{{Gate: "widened", Reason: "label x on #7", By: "grace", Source: "label"}}
	if p := w.offline(commit, opts); len(p.Refusals) > 0 || gateStates(p) != "widened approved" {
		t.Errorf("offline: got %+v", p.Gates)
	}
	rc, err := w.publish(commit, opts)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.recorded(agents(rc).Tag); got != "widened: label x on #7, by grace (label)" {
		t.Errorf("approvals: got %q", got)
	}
	if notes := strings.Join(rc.Notes, "\n"); !strings.HasPrefix(notes, "gate widened of policy set agents: compared with policypin/production/agents/v2, ") || !strings.HasSuffix(notes, "; approved by grace: label x on #7") {
		t.Errorf("notes: got %q", notes)
	}
}

package main

import (
	"context"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/impact"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
)

// section ends the open group of the log, and opens another one. GitHub has no
// groups within groups.
func (a *action) section(name string) {
	a.log.Command("endgroup", nil, "")
	a.log.Command("group", nil, name)
}

// tests runs the decision tests. A failed one is a problem of its line.
func (a *action) tests(p *project, tree *manifest.Tree, problems diag.List) error {
	r := runTests(tree, problems)
	if r == nil {
		return nil
	}
	a.section("policypin test")
	a.comment.Tests = r
	a.outputs["tests"] = "passed"
	if err := report.TestText(a.stdout, a.style(), *r, false); err != nil {
		return err
	}
	a.annotate(p, report.TestProblems(*r))
	for _, note := range report.TestNotes(*r) {
		a.say("note: %s", note)
	}
	a.say("%s", report.TestCount(*r))
	if r.Failed == 0 {
		return nil
	}
	a.outputs["tests"] = "failed"
	if a.in.failOn[failOnProblems] {
		return errProblems
	}
	return nil
}

// What the output widened says.
const (
	widenedYes     = "true"
	widenedNo      = "false"
	widenedUnknown = "unknown" // no widening was found, and there may be one
)

// impact finds which decisions change. What keeps it from that is said, and
// makes no run red: gates do.
func (a *action) impact(tree *manifest.Tree, problems diag.List) error {
	a.section("policypin impact")
	c := a.comment
	c.Impact, c.NoImpact = a.proposal.impact(tree, problems)
	if c.Impact == nil {
		a.outputs["widened"] = widenedUnknown
		if text := "which decisions change isn't known: " + c.NoImpact; problems.Err() == nil {
			a.notice("%s", text)
		} else {
			a.say("%s", report.Clean(text)) // those errors are annotations already
		}
		return nil
	}
	a.outputs["widened"] = widened(c.Impact)
	a.say("access widened: %s", a.outputs["widened"])
	return report.ImpactText(a.stdout, a.style(), report.Impact{From: c.Base, To: c.Head, Report: *c.Impact})
}

// widened is what the output says of a report.
func widened(r *impact.Report) string {
	switch {
	case r.Count(impact.Widened) > 0:
		return widenedYes
	case r.Complete():
		return widenedNo
	}
	return widenedUnknown
}

// askLabels is labelApprovals for a plan, whose page has to come out alike
// wherever it is written.
func (a *action) askLabels(ctx context.Context, plan *publish.Plan) ([]gitstore.Approval, error) {
	a.hints = map[*publish.Refusal]string{}
	for _, r := range plan.Refusals {
		a.hints[r] = r.Hint
	}
	approvals, err := a.labelApprovals(ctx, plan)
	a.labels = approvals
	return approvals, err
}

// beforeLabels is a plan without what GitHub said about labels that are missing.
// That is of the moment, and belongs into the log.
func (a *action) beforeLabels(plan *publish.Plan) *publish.Plan {
	shown := *plan
	shown.Refusals = nil
	for _, r := range plan.Refusals {
		one := *r
		if hint, asked := a.hints[r]; asked {
			one.Hint = hint
		}
		shown.Refusals = append(shown.Refusals, &one)
	}
	return &shown
}

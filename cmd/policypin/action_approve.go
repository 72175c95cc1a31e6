package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/ghaction"
	"github.com/policypin/policypin/internal/publish"
)

// labelApprovals looks for labels that approve the gates that a plan found
// closed: on the pull request of the event, or on the one that brought the commit
// to its branch. A label names the content it approves, so one that was set
// before the last push is another label.
//
// Whoever can set labels could approve, so GitHub is asked who did: it must be a
// person with write access who isn't an author. The error says what is missing;
// the approvals are good whatever it says.
func (a *action) labelApprovals(ctx context.Context, plan *publish.Plan) ([]gitstore.Approval, error) {
	client, err := a.runner.NewClient(a.in.token, "policypin/"+build().Version)
	if err != nil {
		return nil, fmt.Errorf("labels could not be asked for: %w", err)
	}
	pulls, err := a.pulls(ctx, client, plan)
	if err != nil {
		return nil, fmt.Errorf("labels could not be asked for: %w", err)
	}
	authors, err := a.authors(ctx, client, pulls, plan)
	if err != nil {
		return nil, fmt.Errorf("labels could not be asked for: %w", err)
	}
	var approvals []gitstore.Approval
	var errs []error
	for _, gate := range publish.Gates {
		label := plan.ApprovalLabel(gate)
		if label == "" || slices.ContainsFunc(plan.Gates, func(g publish.GateResult) bool {
			return g.Gate == gate && g.State == publish.GateApproved
		}) {
			continue
		}
		approval, err := approvedBy(ctx, client, pulls, authors, gate, label)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		approvals = append(approvals, approval)
		a.notice("gate %s: approved by %s, %s", gate, approval.By, approval.Reason)
	}
	return approvals, errors.Join(errs...)
}

// approvedBy finds the pull request whose label approves a gate.
func approvedBy(ctx context.Context, client *ghaction.Client, pulls []*ghaction.Pull, authors []ghaction.Account, gate, label string) (gitstore.Approval, error) {
	err := fmt.Errorf("the label %s approves it, set by a person with write access who isn't an author", label)
	for _, p := range pulls {
		if !p.Labelled(label) {
			continue
		}
		var login string
		if login, err = client.ApprovedBy(ctx, p, label, authors); err == nil {
			return gitstore.Approval{Gate: gate, Reason: fmt.Sprintf("label %s on #%d", label, p.Number), By: login, Source: "label"}, nil
		}
	}
	return gitstore.Approval{}, err
}

// authors are those who can't approve what a plan says: of the pull requests, and
// of what came to the branch before and was not pinned, so that nobody waits for
// somebody else's pull request to approve what is left of theirs.
func (a *action) authors(ctx context.Context, client *ghaction.Client, pulls []*ghaction.Pull, plan *publish.Plan) (authors []ghaction.Account, err error) {
	labelled := func(p *ghaction.Pull) bool {
		return slices.ContainsFunc(plan.Gates, func(g publish.GateResult) bool { return g.Label != "" && p.Labelled(g.Label) })
	}
	if !slices.ContainsFunc(pulls, labelled) {
		return nil, nil // nobody has approved anything
	}
	for _, p := range pulls {
		list, err := client.PullAuthors(ctx, p)
		if err != nil {
			return nil, err
		}
		authors = append(authors, list...)
	}
	if a.checks() {
		return authors, nil
	}
	since := map[gitstore.Hash]bool{}
	for _, g := range plan.Gates {
		if g.Label == "" || g.Since.IsZero() || g.Since == plan.Commit || since[g.Since] {
			continue
		}
		since[g.Since] = true
		list, err := client.AuthorsSince(ctx, g.Since.String(), plan.Commit.String(), plan.Branch)
		if err != nil {
			return nil, err
		}
		authors = append(authors, list...)
	}
	return authors, nil
}

// checks tells whether this run only looks, at what isn't merged yet.
func (a *action) checks() bool {
	do, _ := a.choose()
	return do == doCheck
}

// pulls are the pull requests whose labels count. What is published was merged,
// whatever the event is about.
func (a *action) pulls(ctx context.Context, client *ghaction.Client, plan *publish.Plan) ([]*ghaction.Pull, error) {
	number := 0
	switch {
	case !a.checks():
		return client.MergedPulls(ctx, plan.Commit.String(), plan.Branch)
	case a.event.PullRequest != nil:
		number = a.event.PullRequest.Number
	case a.event.MergeGroup != nil:
		if number = ghaction.QueuedPull(a.runner.Ref); number == 0 {
			return nil, errors.New("the merge queue doesn't say which pull request this is")
		}
	default:
		return client.MergedPulls(ctx, plan.Commit.String(), plan.Branch)
	}
	p, err := client.Pull(ctx, number)
	if err != nil {
		return nil, err
	}
	return []*ghaction.Pull{p}, nil
}

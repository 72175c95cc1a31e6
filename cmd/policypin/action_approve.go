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
// person with write access who isn't the author. The error says what is missing;
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
	authors := make([]ghaction.Account, len(pulls))
	for i, p := range pulls {
		authors[i] = p.User
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
	err := fmt.Errorf("the label %s approves it, set by a person with write access who isn't the author", label)
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

// pulls are the pull requests whose labels count.
func (a *action) pulls(ctx context.Context, client *ghaction.Client, plan *publish.Plan) ([]*ghaction.Pull, error) {
	number := 0
	switch {
	case a.event.PullRequest != nil:
		number = a.event.PullRequest.Number
	case a.event.MergeGroup != nil:
		if number = ghaction.QueuedPull(a.runner.Ref); number == 0 {
			return nil, errors.New("the merge queue doesn't say which pull request this is")
		}
	default:
		return client.MergedPulls(ctx, plan.Commit.String())
	}
	p, err := client.Pull(ctx, number)
	if err != nil {
		return nil, err
	}
	return []*ghaction.Pull{p}, nil
}

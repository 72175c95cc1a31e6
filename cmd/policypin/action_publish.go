package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/ghaction"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

// publishFlags are the flags of plan and publish, from inputs.
func (a *action) publishFlags() publishOptions {
	return publishOptions{
		rev: "HEAD", activate: a.in.activate, behindTip: a.in.behindTip, replaceActive: a.in.replaceActive,
		approve: *cli.NewStringSlice(a.in.approve...), adopt: *cli.NewStringSlice(a.in.adopt...),
		ask:         a.labelApprovals,
		zoneOptions: a.zoneFlags(),
	}
}

// zoneFlags say where zone and pins are. A checkout with an SSH key leaves a
// remote that a container can't reach; the server's own address takes the token.
func (a *action) zoneFlags() zoneOptions {
	opts := zoneOptions{apiURL: a.in.apiURL}
	if a.in.target == localTarget || a.runner.Repository == "" || a.in.token == "" {
		return opts
	}
	repo, _, err := a.repository()
	if err != nil {
		return opts
	}
	defer repo.Close()
	origin, err := repo.Remote(gitstore.RemoteOptions{})
	if err != nil {
		return opts
	}
	defer origin.Close()
	if strings.HasPrefix(origin.Name(), "origin (ssh:") {
		opts.origin.remote = a.runner.ServerURL + "/" + a.runner.Repository
	}
	return opts
}

// nameTarget makes commands take the target that this run picked.
func (a *action) nameTarget() error {
	p, err := a.committed("HEAD")
	if err != nil {
		return err
	}
	defer p.close()
	t, known := a.pickTarget(p.file)
	switch {
	case known:
		a.global.target.value = t.Name
		return nil
	case a.in.target != "":
		_, err := targetNamed(p.file, a.in.target)
		return err
	}
	return &usage{msg: "the project has several targets, or none but local, and the input target names none", hint: "name one with the input target"}
}

// plan plans the checked out commit, for an approval before it is published.
func (a *action) plan(ctx context.Context) error {
	if err := a.nameTarget(); err != nil {
		return err
	}
	p, err := a.committed("HEAD")
	if err != nil {
		return err
	}
	defer p.close()
	t, err := a.target(p.file)
	if err != nil {
		return err
	}
	src := publish.Source{Repo: p.repo, Commit: p.commit, Dir: p.rel, Target: t.Name}
	plan, err := a.planCommit(ctx, p.project, t, src, false)
	if plan == nil {
		return err
	}
	a.section("policypin impact")
	for _, since := range plan.Decisions.Since {
		if err := report.ImpactText(a.stdout, a.style(), decisionsOf(plan, since)); err != nil {
			return err
		}
	}
	a.section("policypin plan")
	page, perr := a.pageOfPlan(a.beforeLabels(plan), "", nil)
	if perr != nil {
		return perr
	}
	a.comment = &page
	a.outputs["widened"] = widened(&plan.Decisions.Report)
	return a.planned(plan, err)
}

// decisionsOf are those of one set, as the log says them.
func decisionsOf(plan *publish.Plan, since publish.Since) report.Impact {
	one := report.Impact{From: report.Side{Name: since.What}, To: report.Side{Name: "HEAD", Commit: plan.Commit.String()}}
	for _, s := range plan.Decisions.Report.Sets {
		if s.Set == since.Set {
			one.Sets = append(one.Sets, s)
		}
	}
	return one
}

// publish publishes the checked out commit and pins it.
func (a *action) publish(ctx context.Context) error {
	if err := a.nameTarget(); err != nil {
		return err
	}
	run := publishRun{publishOptions: a.publishFlags(), lock: lockFlags{wait: lockWait}, planFile: a.in.planFile}
	receipt, err := publishCommit(ctx, a.world, run)
	a.giveBack() // a pin is written into the clone, too
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := report.ReceiptText(&text, a.style(), receipt); err != nil {
		return err
	}
	a.say("%s", strings.TrimSuffix(text.String(), "\n"))
	for _, note := range receipt.Notes {
		a.notice("%s", note)
	}
	a.summary = append(a.summary, "## policypin published\n\n"+ghaction.Fence(text.String()))
	return a.published(receipt)
}

// published makes outputs of a receipt.
func (a *action) published(r *publish.Receipt) error {
	all, err := json.Marshal(r)
	if err != nil {
		return err
	}
	a.outputs["published"] = string(all)
	a.outputs["plan-digest"] = r.PlanDigest
	changed := r.Activation != nil && r.Activation.Status == publish.WasActivated
	for _, s := range r.Sets {
		changed = changed || s.Status == publish.Published
	}
	a.outputs["changed"] = fmt.Sprint(changed)
	if len(r.Sets) == 1 {
		s := r.Sets[0]
		a.outputs["version-id"], a.outputs["manifest-sha"], a.outputs["set-digest"] = s.VersionID, s.ManifestSHA, s.SetDigest
		a.outputs["tag"] = s.Tag
		if s.Version > 0 {
			a.outputs["version"] = fmt.Sprint(s.Version)
		}
	}
	return nil
}

// drift compares branch, pins and zone.
func (a *action) drift(ctx context.Context) error {
	if err := a.nameTarget(); err != nil {
		return err
	}
	d, err := findDrift(ctx, a.world, driftOptions{zoneOptions: a.zoneFlags()})
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := report.DriftText(&text, a.style(), d); err != nil {
		return err
	}
	a.say("%s", strings.TrimSuffix(text.String(), "\n"))
	a.outputs["drift"] = fmt.Sprint(d.Drifted)
	a.summary = append(a.summary, "## policypin drift\n\n"+ghaction.Fence(text.String()))
	for _, f := range d.Findings {
		text := f.Message
		if f.Set != "" {
			text = "policy set " + f.Set + ": " + text
		}
		note := ghaction.Annotation{Level: ghaction.Warning, Rank: rankFile, Title: "policypin " + f.Kind, Message: report.Clean(text)}
		if f.Information {
			note.Level = ghaction.Notice
		} else if a.in.failOn[failOnDrift] {
			note.Level = ghaction.Error
		}
		a.notes = append(a.notes, note)
	}
	if d.Drifted && a.in.failOn[failOnDrift] {
		return errChanges
	}
	return nil
}

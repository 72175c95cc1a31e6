package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/ghaction"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

// validate reports problems of the checked out files, and nothing else.
func (a *action) validate(context.Context) error {
	p, err := a.findProject()
	if err != nil {
		return err
	}
	defer p.close()
	fsys, _, err := a.checkedOut(p)
	if err != nil {
		return err
	}
	tree, problems, err := manifest.Load(fsys)
	if err != nil {
		return noFile(err)
	}
	a.comment = &report.Comment{Project: p.rel, Problems: problems, Tool: build().Version, Command: "policypin validate"}
	return a.problems(p, tree, problems)
}

// checkedOut is what is checked: the commit, so that a file that a step before
// left in the work tree can't be part of it. Without Git, which checkout leaves
// out where the runner has none, it is the files.
func (a *action) checkedOut(p *project) (fs.FS, gitstore.Hash, error) {
	if p.repo == nil {
		a.notice("there is no .git folder: the files are checked, and nothing can be compared; install Git before actions/checkout")
		fsys, err := p.workTree()
		return fsys, gitstore.Hash{}, err
	}
	fsys, head, err := p.at("HEAD")
	if a.event.Name == ghaction.TargetEvent && head.String() == a.runner.SHA {
		a.notice("%s runs on the branch that is merged into, so this says nothing about the pull request; check that on the event %s",
			ghaction.TargetEvent, ghaction.PullRequestEvent)
	}
	return fsys, head, err
}

// problems shows problems in the log and on the lines they are about.
func (a *action) problems(p *project, tree *manifest.Tree, problems diag.List) error {
	if err := report.Problems(a.stdout, a.style(), problems); err != nil {
		return err
	}
	a.annotate(p, problems)
	if problems.Err() != nil {
		a.say("%s", report.Count(problems))
		if a.in.failOn[failOnProblems] {
			return errProblems
		}
		return nil
	}
	a.say("%s", report.Checked(tree, problems))
	return nil
}

// annotate puts problems on the lines they are about.
func (a *action) annotate(p *project, problems diag.List) {
	for _, problem := range problems {
		note := ghaction.AboutProblem(problem, "")
		note.Rank = rankFile
		note.Message, note.Title = report.CleanLines(note.Message), report.Clean(note.Title)
		file, ok := a.runner.Path(filepath.Join(p.dir, filepath.FromSlash(problem.File)))
		if ok && report.Clean(file) == file {
			note.File = file
		} else {
			note.Message = report.Clean(problem.Position.String()) + ": " + note.Message
		}
		a.notes = append(a.notes, note)
	}
}

// check is what a pull request and a merge queue get: problems, tests, what
// changes, which decisions, and what publishing would do. No secret is needed for it.
func (a *action) check(ctx context.Context) error {
	a.goOffline()
	p, err := a.findProject()
	if (errors.Is(err, errNoProject) || missing(err)) && a.removed(ctx) {
		return errRemoved
	}
	if err != nil {
		return err
	}
	defer p.close()
	if a.above(p) && a.removed(ctx) { // and p is another project
		return errRemoved
	}
	fsys, head, err := a.checkedOut(p)
	if err != nil {
		return err
	}
	if p.repo != nil {
		if err := a.stale(ctx, p.repo, head); err != nil {
			return err
		}
	}
	tree, problems, err := manifest.Load(fsys)
	if err != nil {
		return noFile(err)
	}
	c := &report.Comment{Project: p.rel, Problems: problems, Tool: build().Version}
	a.comment = c
	red := worse(a.problems(p, tree, problems), a.tests(p, tree, problems))
	if p.repo == nil {
		return red // nothing was compared, so the comment, if there is one, stays
	}
	if tree == nil { // the project file says nothing, so there is nothing to compare
		c.Head, c.Full, a.complete = report.Side{Name: "HEAD", Commit: head.String()}, fullReport, true
		a.outputs["widened"] = widenedUnknown
		return errProblems // such a check can't do its work
	}
	if err := a.compare(ctx, p, &side{label: "HEAD", fsys: fsys, commit: head}); err != nil {
		return err
	}
	if a.proposal != nil {
		if err := a.impact(tree, problems); err != nil {
			return err
		}
		page, err := changeComment(a.world, report.Diff{From: c.Base, To: c.Head}, impactOptions{})
		if err != nil {
			return err
		}
		if c.Impact != nil && len(a.proposal.diff.Sets) <= maxCompared { // else the command does more, or fails
			a.changeCommand, c.Command = page.Command, page.Command
		}
	}
	if len(tree.Sets) == 1 {
		if d, err := tree.Digest(tree.Sets[0]); err == nil {
			a.outputs["set-digest"] = d.String()
		}
	}
	if problems.Err() != nil {
		a.complete = true
		return red // such a commit can't be planned
	}
	t, known := a.pickTarget(tree.Project)
	switch {
	case known:
	case a.in.target != "":
		_, err := targetNamed(tree.Project, a.in.target)
		return err
	default:
		a.noTarget(tree.Project)
		a.complete = true
		return red
	}
	if into := a.otherBranch(t); into != "" {
		a.notice("nothing is planned: merging into %s publishes nothing, for target %s publishes another branch", into, t.Name)
		a.complete = true
		return red
	}
	a.section("policypin plan")
	src := publish.Source{Repo: p.repo, Commit: head, Dir: p.rel, Target: t.Name}
	plan, err := a.planCommit(ctx, p, t, src, true)
	if plan == nil {
		return worse(err, red)
	}
	c.Plan, c.Target, a.complete = a.beforeLabels(plan), t.Name, true
	if a.proposal != nil {
		again, err := a.pageOfPlan(plan, a.proposal.base.commit.String(), c.Drift)
		if err != nil {
			return err
		}
		c.Command = again.Command
	}
	return worse(a.planned(plan, err), red)
}

// pageOfPlan is the page that the command plan writes, with the command; base is
// what a pull request is compared with, or "". The command doesn't look for
// drift, so nothing writes a page that tells of some again.
func (a *action) pageOfPlan(plan *publish.Plan, base string, drift *publish.Drift) (report.Comment, error) {
	flags := planOptions{publishOptions: a.publishFlags(), offline: !a.in.online, base: base}
	for _, approval := range a.labels {
		// What a label approved, a flag approves elsewhere.
		flags.approve = *cli.NewStringSlice(append(flags.approve.Value(), approval.Gate+"="+approval.Reason)...)
	}
	c, err := planComment(a.world, plan, flags)
	if c.Drift = drift; drift != nil && drift.Drifted {
		c.Command = ""
	}
	c.Tool = build().Version
	return c, err
}

// worse is what ended the run, or else that problems were found, which have been
// shown already.
func worse(err, red error) error {
	if err != nil {
		return err
	}
	return red
}

// compare finds the base of the event and what changed since.
func (a *action) compare(ctx context.Context, p *project, head *side) error {
	base, err := a.base(p, head.commit)
	if err != nil || base.IsZero() {
		return err
	}
	made, err := a.propose(ctx, p, a.zoneFlags().origin.remote, base, head)
	broken := diag.List{}
	switch {
	case errors.Is(err, gitstore.ErrNoRevision) && a.event.Push != nil:
		a.notice("nothing is compared: %s, which was pushed over, is gone from the remote", base.Short())
		return nil
	case errors.As(err, &broken): // those of the base: a change that mends them can be merged
		c := a.comment
		c.Base, c.Head, c.OnMerge, c.Full = report.Side{Name: base.Short(), Commit: base.String()}, head.report(), true, fullReport
		c.NoImpact = "the project file of the base has errors; the first is at " + firstError(broken)
		a.outputs["widened"] = widenedUnknown
		a.notice("nothing is compared: %s", c.NoImpact)
		return nil
	case err != nil:
		return err
	}
	a.section("policypin diff")
	a.proposal = made
	made.show(a.comment)
	doc := report.Diff{From: made.base.report(), To: made.head.report(), Diff: made.diff}
	a.outputs["changed"] = fmt.Sprint(doc.Changed())
	return report.DiffText(a.stdout, a.style(), doc)
}

// base is the commit that the event compares with, or zero if there is none.
func (a *action) base(p *project, head gitstore.Hash) (gitstore.Hash, error) {
	var none gitstore.Hash
	commit, err := p.repo.Commit(head)
	if err != nil {
		return none, err
	}
	parents := make([]string, len(commit.Parents))
	for i, parent := range commit.Parents {
		parents[i] = parent.String()
	}
	r := a.event.Compare(head.String(), parents)
	if r.Base == "" {
		a.say("the event %s names nothing to compare with", report.Clean(cmp.Or(a.event.Name, "(none)")))
		return none, nil
	}
	base, err := gitstore.ParseHash(r.Base)
	if err != nil {
		return none, fmt.Errorf("the base of the event: %w", err)
	}
	if r.Diverged {
		if ancestor, ok := commonAncestor(p.repo, base, head); ok {
			return ancestor, nil
		}
		a.notice("the merge commit of the pull request isn't checked out, nor its history: what changed on %s in the meantime may show as undone",
			base.Short())
	}
	return base, nil
}

// maxAncestors bounds the search for a common ancestor.
const maxAncestors = 10_000

// commonAncestor finds the newest commit of base that head descends from, along
// first parents of base. ok is false where the clone's history doesn't reach
// that far.
func commonAncestor(repo *gitstore.Repo, base, head gitstore.Hash) (gitstore.Hash, bool) {
	for range maxAncestors {
		on, err := repo.Descends(head, base)
		if on {
			return base, true
		}
		commit, cerr := repo.Commit(base)
		if err != nil || cerr != nil || len(commit.Parents) == 0 {
			return gitstore.Hash{}, false
		}
		base = commit.Parents[0]
	}
	return gitstore.Hash{}, false
}

// planCommit makes a plan: offline, or with the zone where the input says so.
// merged plans the commit as if it were on the branch. Drift is looked for on
// the way, where the zone is asked.
func (a *action) planCommit(ctx context.Context, p *project, t manifest.Target, src publish.Source, merged bool) (*publish.Plan, error) {
	flags := a.publishFlags()
	opts, err := flags.build(a.world)
	if err != nil {
		return nil, err
	}
	opts.Merged, opts.Decisions, opts.Ask = merged, !merged, a.askLabels
	if src.Origin, err = a.origin(p, t, flags.origin); err != nil {
		return nil, err
	}
	defer src.Origin.Close()
	if !a.in.online {
		return publish.PrepareOffline(ctx, src, opts)
	}
	var r *keycard.Reader
	r, done, err := a.readZone(p, t, a.in.apiURL)
	if err != nil {
		return nil, err
	}
	defer done()
	plan, err := publish.Prepare(ctx, r, src, opts)
	if plan != nil && a.comment != nil {
		drift, derr := publish.FindDrift(ctx, r, src, publish.DriftOptions{})
		if derr != nil {
			a.notice("drift was not looked for: %v", derr)
		}
		a.comment.Drift = drift
	}
	return plan, err
}

// planned shows a plan, keeps it in a file, and says whether its refusals make
// the run red.
func (a *action) planned(plan *publish.Plan, refused error) error {
	if err := report.PlanText(a.stdout, a.style(), plan); err != nil {
		return err
	}
	a.outputs["plan-digest"] = plan.Digest
	if _, known := a.outputs["changed"]; !known {
		a.outputs["changed"] = fmt.Sprint(!plan.Empty())
	}
	if len(plan.Sets) == 1 {
		a.outputs["set-digest"] = plan.Sets[0].SetDigest
	}
	var text strings.Builder
	if err := report.PlanJSON(&text, plan); err != nil {
		return err
	}
	a.outputs["plan"] = a.keep("policypin-plan-"+plan.Target+a.suffix()+".json", text.String())
	if refused == nil || a.in.failOn[failOnGates] {
		return refused
	}
	for _, r := range plan.Refusals {
		a.notes = append(a.notes, ghaction.Annotation{
			Level: ghaction.Warning, Rank: rankRun, Title: "policypin " + r.Code, Message: report.Clean(r.Message),
		})
	}
	return nil
}

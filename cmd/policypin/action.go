package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/ghaction"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

func actionCommand(w *world) *cli.Command {
	return &cli.Command{
		Name:  "action",
		Usage: "run as a GitHub Action",
		Description: help{
			text: `What action.yml runs: it does what the event of the job calls for, with inputs
from INPUT_ variables. A pull request is checked, tested, compared and planned, and
gets one comment, which says first what widens access; a push to the target's
branch is published; a schedule looks for drift; anything else is validated.
Results become annotations, the step's summary and outputs. docs/action.md has
the inputs and outputs.`,
			examples: []string{"policypin action"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusChanges, statusRefused, statusInterrupted},
		}.String(),
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			return runAction(c.Context, w)
		},
	}
}

// An action is one run of the Action.
type action struct {
	*world // as commands see it: the log for both streams, inputs for flags

	runner *ghaction.Runner
	log    *ghaction.Log
	in     actionInputs
	event  ghaction.Event

	notes   []ghaction.Annotation
	outputs map[string]string
	comment *report.Comment // what was found so far; nil if nothing was looked at
	// complete tells that comment is the whole result of a check. What broke off
	// in between must not replace what an earlier run has said.
	complete bool
	summary  []string // further parts of the summary, Markdown
	// proposal is what the event compares; its base is read until the end.
	proposal      *proposal
	changeCommand string // writes what the comment says about the change alone
	// labels are the approvals by labels, and hints what refusals said before
	// GitHub was asked for them.
	labels []gitstore.Approval
	hints  map[*publish.Refusal]string
}

// runAction is the whole run. Its error has been shown already: all text goes
// to the log, where none of it can be a command.
func runAction(ctx context.Context, outer *world) error {
	log := ghaction.NewLog(outer.stdout, outer.raw)
	inner := *outer
	inner.stdin, inner.stdout, inner.stderr = strings.NewReader(""), log, log
	inner.terminal = terminals{}
	a := &action{world: &inner, log: log, runner: ghaction.FromEnv(outer.getenv), outputs: map[string]string{}}
	err := a.run(ctx)
	err = a.inWorkspace(err)
	a.noteFailure(err)
	a.finish(ctx)
	status := a.conclude(ctx, err)
	if err := log.Close(); err != nil {
		return err
	}
	if status == statusOK {
		return nil
	}
	return &concluded{status}
}

func (a *action) run(ctx context.Context) error {
	// Before anything else is printed. Only a runner takes a secret in the log for
	// what is to be hidden.
	masked := append([]string{"INPUT_TOKEN"}, secretVariables...)
	for _, name := range masked {
		secret := a.getenv(name)
		a.secrets.Add(secret)
		if a.getenv("GITHUB_ACTIONS") == "true" {
			a.log.Mask(secret)
		}
	}

	var err error
	if a.in, err = readInputs(a.getenv); err != nil {
		return &usage{msg: err.Error(), hint: "docs/action.md has the inputs and their values"}
	}
	a.apply()
	if a.event, err = a.runner.ReadEvent(); err != nil {
		return err
	}
	do, why := a.choose()
	if why != "" {
		a.say("%s", report.Clean(why))
	}
	if do == "" {
		return nil
	}
	a.log.Command("group", nil, "policypin "+do)
	defer a.log.Command("endgroup", nil, "")
	switch do {
	case doCheck:
		return a.check(ctx)
	case doPlan:
		return a.plan(ctx)
	case doPublish:
		return a.publish(ctx)
	case doDrift:
		return a.drift(ctx)
	}
	return a.validate(ctx)
}

// What the Action can do.
const (
	doAuto     = "auto"
	doCheck    = "check" // validate, test, compare, plan as if merged, comment
	doValidate = "validate"
	doPlan     = "plan"
	doPublish  = "publish"
	doDrift    = "drift"
)

// choose says what the event calls for, and why where that may surprise.
func (a *action) choose() (do, why string) {
	if a.in.command != doAuto {
		return a.in.command, ""
	}
	switch e := a.event; e.Name {
	case ghaction.PullRequestEvent:
		if e.PullRequest != nil && !e.PullRequest.Closed {
			return doCheck, ""
		}
	case ghaction.MergeGroupEvent:
		if e.MergeGroup != nil {
			return doCheck, ""
		}
	case ghaction.PushEvent:
		return a.choosePush()
	case ghaction.ScheduleEvent, ghaction.DispatchEvent:
		return doDrift, ""
	}
	return doValidate, ""
}

// choosePush tells a push that publishes from other ones.
func (a *action) choosePush() (do, why string) {
	push := a.event.Push
	if push == nil {
		return doValidate, "the event has no payload: only validating"
	}
	branch, ok := strings.CutPrefix(push.Ref, "refs/heads/")
	switch {
	case push.After == "":
		return "", fmt.Sprintf("%s was deleted: nothing to do", push.Ref)
	case !ok:
		return doValidate, fmt.Sprintf("%s is not a branch: only validating", push.Ref)
	}
	want := a.event.DefaultBranch
	p, err := a.committed("HEAD")
	if err != nil {
		return doValidate, "" // which says what is wrong
	}
	defer p.close()
	t, known := a.pickTarget(p.file)
	if known && t.Branch != "" {
		want = t.Branch
	}
	if a.in.target == "" && !hasZones(p.file) {
		return doValidate, "the project has no target but local: only validating"
	}
	if want != "" && branch != want {
		return doValidate, fmt.Sprintf("%s is not %s, which is published: only validating", branch, want)
	}
	return doPublish, ""
}

// noteFailure makes an annotation of what the run ended with. Problems of files
// have theirs already.
func (a *action) noteFailure(err error) {
	if err == nil || errors.Is(err, errProblems) {
		return
	}
	_, lines, hints := explain(err)
	for i, line := range lines {
		note := ghaction.Annotation{Level: ghaction.Error, Rank: rankRun, Title: "policypin", Message: line}
		if i < len(hints) {
			note.Message += "\n" + hints[i]
		}
		a.notes = append(a.notes, note)
	}
}

// Ranks of annotations: what ended the run, then what stands in files.
const (
	rankRun = iota
	rankFile
)

// notice is something that a reader of the run should know and that isn't wrong.
func (a *action) notice(format string, args ...any) {
	text := report.Clean(fmt.Sprintf(format, args...))
	a.say("note: %s", text)
	a.notes = append(a.notes, ghaction.Annotation{Level: ghaction.Notice, Title: "policypin", Message: text})
}

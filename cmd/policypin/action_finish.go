package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/ghaction"
	"github.com/policypin/policypin/internal/report"
)

// outputNames are the outputs of action.yml. Each is set in every run, to ""
// where it doesn't apply, so that a later step never sees that of another one.
var outputNames = []string{
	"changed", "plan", "plan-digest", "published", "version-id", "version", "manifest-sha", "set-digest", "tag",
	"widened", "tests", "drift", "comment-url", "report",
}

// finish tells what was found, in all places that the runner has. None of it
// can make a run fail: it has succeeded or failed by now.
func (a *action) finish(ctx context.Context) {
	if a.proposal != nil {
		defer a.proposal.close()
	}
	if ctx.Err() == nil {
		a.postComment(ctx)
	}
	if a.comment != nil {
		if text, err := a.renderFull(report.SummaryBudget); err == nil {
			name := "policypin-report"
			if a.in.target != "" { // a step for another target has its own
				name += "-" + a.in.target
			}
			a.outputs["report"] = a.keep(name+a.suffix()+".md", text)
		}
	}
	if err := a.writeSummary(); err != nil && !errors.Is(err, ghaction.ErrNoFile) {
		a.notice("%v", err)
	}
	var outputs []ghaction.Output
	for _, name := range outputNames {
		outputs = append(outputs, ghaction.Output{Name: name, Value: a.secrets.String(a.outputs[name])})
	}
	if err := a.runner.WriteOutputs(outputs); err != nil && !errors.Is(err, ghaction.ErrNoFile) {
		a.notice("later steps lack outputs: %v", err)
	}
	a.log.Annotate(a.notes)
}

// render writes the comment's model as Markdown.
func (a *action) render(c report.Comment, budget int, full string) (string, error) {
	c.Full = full
	var b strings.Builder
	if err := report.Markdown(&b, c, budget); err != nil {
		return "", err
	}
	return a.secrets.String(b.String()), nil
}

// renderFull writes the full report. The command at its end writes a comment,
// which is only the same text where that fits.
func (a *action) renderFull(budget int) (string, error) {
	text, err := a.render(*a.comment, budget, "")
	if err != nil {
		return "", err
	}
	short, err := a.render(*a.comment, report.CommentBudget, a.comment.Full)
	if err != nil || short == text {
		return text, err
	}
	c := *a.comment
	c.Longer = true
	return a.render(c, budget, "")
}

// postComment keeps the one comment of a pull request. What stands in its way is
// a notice: a fork's token may not write, and the check is none the worse.
func (a *action) postComment(ctx context.Context) {
	pr := a.event.PullRequest
	if !a.in.comment || !a.complete || pr == nil || a.runner.EventName != ghaction.PullRequestEvent {
		return
	}
	c := *a.comment
	if c.Empty() {
		// What earlier commits left to publish is no news of this one.
		c.Plan, c.Command = nil, a.changeCommand
	}
	text, err := a.render(c, report.CommentBudget, fullReport)
	if err != nil {
		a.notice("the comment could not be written: %v", err)
		return
	}
	client, err := a.runner.NewClient(a.in.token, "policypin/"+build().Version)
	if err != nil {
		a.notice("no comment: %v", err)
		return
	}
	if err := a.current(ctx, client, pr); err != nil {
		a.notice("no comment: %v", err)
		return
	}
	posted, err := client.Comment(ctx, pr.Number, report.Marker(c.Project), text, !c.Empty())
	a.outputs["comment-url"] = posted.URL
	switch {
	case errors.Is(err, ghaction.ErrReadOnly):
		why := "give the job pull-requests: write"
		switch failed := (*ghaction.APIError)(nil); {
		case errors.As(err, &failed) && failed.Locked():
			why = "the conversation is locked"
		case pr.Fork:
			why = "that of a pull request from a fork never may"
		}
		a.notice("no comment: the token may not write it (%s); the summary has it all. %v", why, err)
	case err != nil:
		a.notice("no comment: %v", err)
	default:
		a.say("comment %s", posted.Did)
	}
}

// current tells whether a pull request is still what this run is about. One that
// is late, or run again, must not put back what an older commit meant, or what
// it meant for another branch. A token that may not ask goes on: the comment says
// which commit it is about.
func (a *action) current(ctx context.Context, client *ghaction.Client, pr *ghaction.PullRequest) error {
	now, err := client.Pull(ctx, pr.Number)
	switch {
	case errors.Is(err, ghaction.ErrReadOnly):
		return nil
	case err != nil: // nor would GitHub answer the rest
		return err
	case now.Head.SHA != "" && now.Head.SHA != pr.HeadSHA, now.Base.Ref != "" && pr.Base != "" && now.Base.Ref != pr.Base:
		return fmt.Errorf("the pull request is of %.12s into %s by now, and this run is about %.12s into %s", now.Head.SHA, now.Base.Ref, pr.HeadSHA, pr.Base)
	}
	return nil
}

// writeSummary writes the full report.
func (a *action) writeSummary() error {
	room := a.runner.SummaryRoom()
	parts := slices.Clone(a.summary)
	for _, n := range a.notes {
		if n.Level == ghaction.Error && n.Rank == rankRun && (a.comment == nil || a.comment.Plan == nil) {
			parts = append(parts, "### policypin\n\n"+ghaction.Fence(n.Message+"\n"))
		}
	}
	if a.comment != nil {
		text, err := a.renderFull(min(room, report.SummaryBudget))
		if err != nil {
			return err
		}
		parts = append(parts, text)
	}
	text := a.secrets.String(strings.Join(parts, "\n"))
	if text == "" {
		return nil
	}
	if len(text) > room && room > 0 {
		text = "## policypin\n\nThe report is too long for the summary; the output `report` names the file that has it.\n"
	}
	return a.runner.WriteSummary(text)
}

// suffix tells files of several projects of one repository apart.
func (a *action) suffix() string {
	if a.comment == nil || a.comment.Project == "." || a.comment.Project == "" {
		return ""
	}
	return "-" + fileName(a.comment.Project)
}

// fileName makes one part of a file name of any text.
func fileName(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, text)
}

// keep writes a file for later steps, and returns its path relative to the
// workspace: it is the same folder in a container and outside, which is true of
// no other. It goes through a root, so that a symbolic link of a pull request
// can't lead it elsewhere.
func (a *action) keep(name, text string) string {
	if a.runner.Workspace == "" {
		return ""
	}
	name = path.Base(fileName(name))
	if err := a.keepFile(name, text); err != nil {
		a.notice("the file %s could not be written: %v", name, err)
		return ""
	}
	return name
}

func (a *action) keepFile(name, text string) error {
	root, err := os.OpenRoot(a.runner.Workspace)
	if err != nil {
		return err
	}
	defer root.Close()
	// Never into a file that is there: it could be a link, or be open.
	if err := root.Remove(name); err != nil && !missing(err) {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(a.secrets.String(text))
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return giveTo(a.runner.Workspace, filepath.Join(a.runner.Workspace, name))
}

// giveBack gives what a run wrote into the clone to whom the clone belongs. In a
// container that is somebody else, and steps after this one could not write
// there any more.
func (a *action) giveBack() {
	p, err := a.findProject()
	if err != nil {
		return
	}
	defer p.close()
	if p.repo == nil {
		return
	}
	dir := p.repo.CommonDir()
	for _, name := range []string{"objects", "refs", "logs", "packed-refs", "shallow"} {
		if err := giveTo(dir, filepath.Join(dir, name)); err != nil && !missing(err) {
			a.notice("what was written into the clone still belongs to another user: %v", err)
			return
		}
	}
}

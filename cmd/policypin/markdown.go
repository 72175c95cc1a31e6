package main

import (
	"regexp"
	"strings"

	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
)

// writeMarkdown writes the page that a pull request gets as its comment, with
// the same limit, so that it can be posted.
func writeMarkdown(w *world, c report.Comment, err error) error {
	if err != nil {
		return err
	}
	c.Tool = build().Version
	return report.Markdown(w.stdout, c, report.CommentBudget)
}

// diffComment is a diff as a comment. Its command names the commits that were
// compared, whatever they were called.
func diffComment(w *world, doc report.Diff, opts diffOptions) (report.Comment, error) {
	p, err := w.findProject()
	if err != nil {
		return report.Comment{}, err
	}
	defer p.close()
	command := []string{"diff", "--format", formatMarkdown}
	if opts.apiURL != "" {
		command = append(command, "--api-url", opts.apiURL)
	}
	for _, s := range []report.Side{doc.From, doc.To} {
		if s.Commit != "" {
			s.Name = s.Commit
		}
		command = append(command, s.Name)
	}
	return report.Comment{
		Project: p.rel, Base: doc.From, Head: doc.To, Diff: &doc.Diff, Command: commandLine(p.rel, command...),
	}, nil
}

// planComment is a plan as a comment.
func planComment(w *world, plan *publish.Plan, opts planOptions) (report.Comment, error) {
	p, err := w.committed(opts.rev)
	if err != nil {
		return report.Comment{}, err
	}
	defer p.close()
	command := []string{"plan", "--format", formatMarkdown, "--target", plan.Target, "--rev", plan.Commit.String()}
	for _, f := range []struct {
		name string
		set  bool
	}{{"--offline", opts.offline}, {"--activate", opts.activate}, {"--behind-tip", opts.behindTip}, {"--local", opts.origin.local}} {
		if f.set {
			command = append(command, f.name)
		}
	}
	for _, f := range []struct {
		name   string
		values []string
	}{
		{"--base", []string{opts.base}}, {"--remote", []string{opts.origin.remote}}, {"--api-url", []string{opts.apiURL}},
		{"--new-base", []string{opts.newBase}}, {"--accept-project-change", []string{opts.acceptProject}},
		{"--adopt", opts.adopt.Value()}, {"--recreate", opts.recreate.Value()}, {"--approve", opts.approve.Value()},
		{"--replace-active", []string{opts.replaceActive}},
	} {
		for _, v := range f.values {
			if v != "" {
				command = append(command, f.name, v)
			}
		}
	}
	c := report.Comment{
		Project: p.rel, Target: plan.Target, Head: report.Side{Commit: plan.Commit.String()}, Plan: plan,
		Command: commandLine(p.rel, command...),
	}
	if plan.Decisions != nil {
		c.Impact, c.Since = &plan.Decisions.Report, plan.Decisions.Since
	}
	return c, nil
}

// bareWord is what no shell changes.
var bareWord = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// commandLine is a command for a POSIX shell in the root of the repository.
// People copy it, so a folder's name must not be able to run anything.
func commandLine(dir string, words ...string) string {
	all := []string{"policypin"}
	if dir != "." {
		all = append(all, "-C", dir)
	}
	all = append(all, words...)
	for i, word := range all {
		all[i] = shellWord(word)
	}
	return strings.Join(all, " ")
}

// shellWord is a word as a POSIX shell reads it back.
func shellWord(word string) string {
	if bareWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

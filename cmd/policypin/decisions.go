package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/impact"
	"github.com/policypin/policypin/internal/policytest"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
)

// decide adds to a page which decisions change, and what the tests of the head
// come to. The head is read already, the problems are its own.
func (p *proposal) decide(c *report.Comment, head *manifest.Tree, problems diag.List) {
	c.Tests = runTests(head, problems)
	c.Impact, c.NoImpact = p.impact(head, problems)
}

// runTests decides the tests of a tree without errors; nil if it has errors, or
// no tests.
func runTests(tree *manifest.Tree, problems diag.List) *policytest.Report {
	if tree == nil || problems.Err() != nil || len(tree.Tests) == 0 {
		return nil
	}
	r := policytest.Run(tree, policytest.Options{})
	return &r
}

// maxCompared bounds the policy sets whose decisions a page compares. One can
// take seconds, and nobody reads that many.
const maxCompared = 20

// impact finds which decisions change, or says why it can't: a base that can't
// be read is no reason to stop, and no reason to say nothing.
func (p *proposal) impact(head *manifest.Tree, problems diag.List) (r *impact.Report, why string) {
	switch {
	case problems.Err() != nil:
		return nil, "the files have errors"
	case len(p.diff.Sets) == 0:
		return &impact.Report{}, ""
	}
	var base *manifest.Tree
	if p.base.fsys != nil {
		tree, problems, err := manifest.Load(p.base.fsys)
		switch {
		case missing(err): // the project wasn't there yet
		case err != nil:
			return nil, fmt.Sprintf("the base can't be read: %v", err)
		case problems.Err() != nil || tree == nil:
			return nil, "the files of the base have errors; the first is at " + firstError(problems)
		}
		base = tree
	}
	var names, rest []string
	for _, s := range p.diff.Sets {
		switch {
		case s.Kind == manifest.Layout:
		case len(names) < maxCompared:
			names = append(names, s.Name)
		default:
			rest = append(rest, s.Name)
		}
	}
	// nil would compare all of them.
	found := impact.Compare(base, head, impact.Options{Sets: append([]string{}, names...)})
	for _, name := range rest {
		found.Sets = append(found.Sets, impact.SetReport{Set: name, Kind: manifest.Changed, Uncovered: []impact.Uncovered{{
			Reason: fmt.Sprintf("it wasn't compared, as %d policy sets change and the first %d of them were", len(names)+len(rest), maxCompared),
		}}})
	}
	return &found, ""
}

func firstError(problems diag.List) string {
	for _, problem := range problems {
		if problem.Severity == diag.Error {
			return problem.Position.String() + ": " + problem.Message
		}
	}
	return manifest.ProjectFile
}

// impactComment is the page of a pull request without a plan: what changed, which
// decisions, and what the tests come to. Its command names commits, whatever they
// were called.
func impactComment(ctx context.Context, w *world, from, to string) (report.Comment, error) {
	var none report.Comment
	if err := notZones(from, to); err != nil {
		return none, err
	}
	p, err := w.findProject()
	if err != nil {
		return none, err
	}
	defer p.close()
	made := &proposal{}
	if made.base, err = w.side(ctx, p, diffOptions{}, from); err != nil {
		return none, err
	}
	if made.head, err = w.side(ctx, p, diffOptions{}, to); err != nil {
		return none, err
	}
	var head *manifest.Tree
	var problems diag.List
	if made.head.fsys != nil {
		if head, problems, err = manifest.Load(made.head.fsys); err != nil {
			return none, noFile(err)
		}
		if err := problems.Err(); err != nil {
			return none, err
		}
	}
	if made.diff, err = w.difference(p, made.base, made.head); err != nil {
		return none, err
	}
	c := made.page(p)
	c.Problems = problems
	made.decide(&c, head, problems)
	return c, nil
}

func writeImpactComment(ctx context.Context, w *world, opts impactOptions, from, to string) error {
	page, err := impactComment(ctx, w, from, to)
	if err := writeMarkdown(w, page, err); err != nil {
		return err
	}
	if i := page.Impact; opts.exitCode && (i == nil || i.Changed() || !i.Complete()) {
		return errChanges
	}
	return nil
}

// page is the comment about a proposal alone, with the command that writes it.
func (p *proposal) page(in *project) report.Comment {
	command := []string{"impact", "--format", formatMarkdown}
	for _, s := range []report.Side{p.base.report(), p.head.report()} {
		if s.Commit != "" {
			s.Name = s.Commit
		}
		command = append(command, s.Name)
	}
	c := report.Comment{Project: in.rel, Tool: build().Version, Command: commandLine(in.rel, command...)}
	p.show(&c)
	return c
}

// notZones refuses what only policypin diff can compare.
func notZones(names ...string) error {
	for _, name := range names {
		if strings.HasPrefix(name, zonePrefix) {
			return &usage{msg: "impact compares states of the repository, not " + name, hint: "name a pin of that zone, such as agents/v12"}
		}
	}
	return nil
}

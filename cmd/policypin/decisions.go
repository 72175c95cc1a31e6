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
	given, err := p.given(head)
	if err != nil {
		return nil, fmt.Sprintf("the requests to try can't be read: %v", err)
	}
	// nil would compare all of them.
	found := impact.Compare(base, head, impact.Options{Sets: append([]string{}, names...), Given: given})
	if err := found.Problems.Err(); err != nil {
		return nil, fmt.Sprintf("the requests to try can't be read: %v", err)
	}
	for _, name := range rest {
		found.Sets = append(found.Sets, impact.SetReport{Set: name, Kind: manifest.Changed, Uncovered: []impact.Uncovered{{
			Reason: fmt.Sprintf("it wasn't compared, as %d policy sets change and the first %d of them were", len(names)+len(rest), maxCompared),
		}}})
	}
	return &found, ""
}

// given reads the requests that were really made, as the head has them.
func (p *proposal) given(head *manifest.Tree) (*impact.Given, error) {
	if head == nil || head.Project == nil || p.head.fsys == nil {
		return nil, nil
	}
	given, problems, err := impact.ReadGiven(p.head.fsys, head.Project)
	if err != nil {
		return nil, err
	}
	return given, problems.Err()
}

func firstError(problems diag.List) string {
	for _, problem := range problems {
		if problem.Severity == diag.Error {
			return problem.Position.String() + ": " + problem.Message
		}
	}
	return manifest.ProjectFile
}

// writeImpactComment writes the page of a pull request without a plan: what
// changed, which decisions, and what the tests come to.
func writeImpactComment(ctx context.Context, w *world, opts impactOptions, from, to string) error {
	found, err := findImpact(ctx, w, opts, from, to)
	if err != nil {
		return err
	}
	doc, err := compare(ctx, w, diffOptions{apiURL: opts.apiURL}, from, to)
	if err != nil {
		return err
	}
	c, err := changeComment(w, doc, opts)
	if err != nil {
		return err
	}
	c.Impact = &found.Report
	if c.Problems, c.Tests, err = w.testsOf(ctx, to); err != nil {
		return err
	}
	if err := writeMarkdown(w, c, nil); err != nil {
		return err
	}
	if opts.exitCode && (found.Changed() || !found.Complete()) {
		return errChanges
	}
	return nil
}

// changeComment is the comment about a change alone, with the command that writes
// it. That names commits, whatever they were called.
func changeComment(w *world, doc report.Diff, opts impactOptions) (report.Comment, error) {
	p, err := w.findProject()
	if err != nil {
		return report.Comment{}, err
	}
	defer p.close()
	command := []string{"impact", "--format", formatMarkdown}
	if opts.online {
		command = append(command, "--online")
	}
	for _, f := range []struct {
		name   string
		values []string
	}{{"--requests", opts.requests.Value()}, {"--entities", opts.entities.Value()}, {"--api-url", optional(opts.apiURL)}} {
		for _, v := range f.values {
			command = append(command, f.name, v)
		}
	}
	for _, s := range []report.Side{doc.From, doc.To} {
		if s.Commit != "" {
			s.Name = s.Commit
		}
		command = append(command, s.Name)
	}
	return report.Comment{
		Project: p.rel, Base: doc.From, Head: doc.To, Diff: &doc.Diff, Full: fullReport, Command: commandLine(p.rel, command...),
	}, nil
}

// testsOf runs the tests of a state, and gives its problems, which are no errors.
func (w *world) testsOf(ctx context.Context, name string) (diag.List, *policytest.Report, error) {
	if strings.HasPrefix(name, zonePrefix) {
		return nil, nil, nil // a zone has none
	}
	p, err := w.findProject()
	if err != nil {
		return nil, nil, err
	}
	defer p.close()
	s, err := w.side(ctx, p, diffOptions{}, name)
	if err != nil || s.fsys == nil {
		return nil, nil, err
	}
	tree, problems, err := manifest.Load(s.fsys)
	if missing(err) {
		return nil, nil, nil // the project is gone
	}
	return problems, runTests(tree, problems), err
}

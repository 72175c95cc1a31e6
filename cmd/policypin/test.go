package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/policytest"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

type testOptions struct {
	filter, rev, set string
	coverage, online bool
	apiURL           string
	format           choice
}

func testCommand(w *world) *cli.Command {
	var opts testOptions
	return &cli.Command{
		Name:  "test",
		Usage: "run the decision tests",
		Description: help{
			text: `Decides each case of the project's test files by the policies of its policy set,
in process, and prints those that don't come out as expected. Reads the work tree;
no request is made.

A policy without a source in the repository, such as one of the platform's, isn't
known here, and results that it could change are counted. With --online its text
is read from the zone of the target.`,
			examples: []string{
				"policypin test",
				"policypin test --coverage",
				"policypin test --filter 'ledger' --rev main",
				"policypin test --format junit > tests.xml",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusInterrupted},
		}.String(),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "filter", Usage: "run only cases whose name or file matches the regular expression `RE`", Destination: &opts.filter},
			&cli.StringFlag{Name: "rev", Usage: "read commit or pin `REVISION` instead of the work tree", Destination: &opts.rev},
			&cli.StringFlag{Name: "set", Usage: "run only cases of policy set `SET`", Destination: &opts.set},
			&cli.BoolFlag{Name: "coverage", Usage: "say how often each policy determined a decision", Destination: &opts.coverage},
			&cli.BoolFlag{Name: "online", Usage: "read policies without a source from the target's zone", Destination: &opts.online},
			apiURLFlag(&opts.apiURL),
			formatFlag(&opts.format, formatText, formatJSON, formatJUnit, formatSARIF, formatGitHub),
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			return test(c.Context, w, opts)
		},
	}
}

func test(ctx context.Context, w *world, opts testOptions) error {
	run := policytest.Options{Set: opts.set}
	if opts.filter != "" {
		var err error
		if run.Filter, err = regexp.Compile(opts.filter); err != nil {
			return &usage{msg: fmt.Sprintf("--filter: %v", err)}
		}
	}
	p, err := w.findProject()
	if err != nil {
		return err
	}
	defer p.close()
	fsys, commit, err := w.tested(ctx, p, opts.rev)
	if err != nil {
		return err
	}
	tree, err := load(fsys)
	if err != nil {
		return err
	}
	if opts.set != "" {
		if _, err := chooseSet(tree, opts.set); err != nil {
			return err
		}
	}
	if opts.online {
		if run.Stored, err = w.storedPolicies(ctx, p, tree, opts); err != nil {
			return err
		}
	}
	result := policytest.Run(tree, run)
	if !commit.IsZero() {
		result.Commit = commit.String()
	}
	if len(result.Cases) == 0 && opts.filter+opts.set != "" {
		// A slip in a filter must not pass for success.
		return noCase(opts)
	}
	if err := w.writeTests(p, fsys, opts, result); err != nil {
		return err
	}
	for _, note := range report.TestNotes(result) {
		w.say("warning: %s", note)
	}
	w.say("%s", report.TestCount(result))
	if result.Failed > 0 {
		return errProblems
	}
	return nil
}

// tested is the project whose tests run: the work tree, or a commit.
func (w *world) tested(ctx context.Context, p *project, rev string) (fs.FS, gitstore.Hash, error) {
	if rev == "" {
		fsys, err := p.workTree()
		return fsys, gitstore.Hash{}, err
	}
	fsys, commit, err := p.at(rev)
	if short := pinNumber.FindStringSubmatch(rev); short != nil && errors.Is(err, gitstore.ErrNoRevision) {
		return w.atPin(ctx, p, short[1], short[2])
	}
	return fsys, commit, err
}

func (w *world) writeTests(p *project, fsys fs.FS, opts testOptions, result policytest.Report) error {
	switch opts.format.value {
	case formatJSON:
		return report.JSON(w.stdout, result)
	case formatJUnit:
		return report.TestJUnit(w.stdout, result, w.inWorkspace(p))
	case formatSARIF:
		return report.TestSARIF(w.stdout, fsys, result, w.inWorkspace(p), build().Version)
	case formatGitHub:
		return report.TestGitHub(w.stdout, result, w.inWorkspace(p))
	}
	return report.TestText(w.stdout, w.style(), result, opts.coverage)
}

// storedPolicies reads the policies without a source that the target's zone has.
func (w *world) storedPolicies(ctx context.Context, p *project, tree *manifest.Tree, opts testOptions) (storedPolicies, error) {
	t, err := w.target(tree.Project)
	if err != nil {
		return nil, err
	}
	r, done, err := w.readZone(p, t, opts.apiURL)
	if err != nil {
		return nil, err
	}
	defer done()
	return readStored(ctx, r, tree.SetsFor(t.Name), opts.set)
}

// noCase says what nothing matched. The filter looks at names and files.
func noCase(opts testOptions) error {
	msg := "no test case"
	if opts.set != "" {
		msg += fmt.Sprintf(" of policy set %q", opts.set)
	}
	if opts.filter == "" {
		return &usage{msg: msg}
	}
	return &usage{
		msg:  fmt.Sprintf("%s has a name or a file that matches %q", msg, opts.filter),
		hint: "policypin test --format json lists the cases; (?i) at the beginning of a filter ignores case",
	}
}

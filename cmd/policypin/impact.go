package main

import (
	"context"
	"fmt"

	"github.com/policypin/policypin/internal/impact"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

type impactOptions struct {
	exitCode bool
	format   choice
}

func impactCommand(w *world) *cli.Command {
	var opts impactOptions
	return &cli.Command{
		Name:      "impact",
		Usage:     "show which decisions change between two states",
		ArgsUsage: "[A [B]]",
		Description: help{
			text: `Makes up requests from what the policies of A and B ask, decides each on both
sides, and shows those that are decided differently: widened (deny to allow),
narrowed, or error-changed. Each has an example, the policies that determine it
on either side, and their lines.

It says "complete" if there can be no others, and otherwise what keeps it from
saying so. A and B are as for policypin diff, except that they can't be a zone:
without A it is HEAD, without B the work tree. No request is made.

With --format markdown it is the page that a pull request gets, without a plan:
the decisions, what changed, and the decision tests of B.`,
			examples: []string{
				"policypin impact",
				"policypin impact --exit-code origin/main HEAD",
				"policypin impact --format json agents/v11 agents/v12",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusChanges},
		}.String(),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "exit-code", Usage: "end with status 4 if decisions change, or if they could and impact can't say", Destination: &opts.exitCode},
			formatFlag(&opts.format, formatText, formatJSON, formatMarkdown),
		},
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 0, "A", "B")
			if err != nil {
				return err
			}
			from, to := "HEAD", workTreeSide
			if len(args) > 0 {
				from = args[0]
			}
			if len(args) > 1 {
				to = args[1]
			}
			if opts.format.value == formatMarkdown {
				return writeImpactComment(c.Context, w, opts, from, to)
			}
			doc, err := findImpact(c.Context, w, from, to)
			if err != nil {
				return err
			}
			if opts.format.value == formatJSON {
				err = report.ImpactJSON(w.stdout, doc)
			} else {
				err = report.ImpactText(w.stdout, w.style(), doc)
			}
			if err == nil && opts.exitCode && (doc.Changed() || !doc.Complete()) {
				return errChanges
			}
			return err
		},
	}
}

func findImpact(ctx context.Context, w *world, from, to string) (report.Impact, error) {
	doc := report.Impact{}
	if err := notZones(from, to); err != nil {
		return doc, err
	}
	p, err := w.findProject()
	if err != nil {
		return doc, err
	}
	defer p.close()
	var sides [2]*side
	for i, name := range []string{from, to} {
		s, err := w.side(ctx, p, diffOptions{}, name)
		if err != nil {
			return doc, err
		}
		if s.fsys != nil {
			// A set that can't be read must not look like one that was removed.
			if s.tree, err = load(s.fsys); missing(err) {
				err = nil // the project wasn't there yet
			}
			if err != nil {
				return doc, fmt.Errorf("%s: %w", s.label, err)
			}
		}
		sides[i] = s
	}
	doc.From, doc.To = sides[0].report(), sides[1].report()
	doc.Report = impact.Compare(sides[0].tree, sides[1].tree, impact.Options{})
	return doc, nil
}

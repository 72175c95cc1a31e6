package main

import (
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

type impactOptions struct {
	exitCode, online   bool
	examples           bool
	requests, entities cli.StringSlice
	apiURL             string
	format             choice
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
narrowed, or error-changed. Each finding says what its requests have in common,
and has examples, with the policies that determine them on either side and their
lines. With --examples these come as JSON too, to decide them again.

The requests of test files, and those of logs that the project has or --requests
names, are tried as well. It says "complete" if there can be no others, and
otherwise what keeps it from saying so. A and B are as for policypin diff:
without A it is HEAD, without B the work tree. No request is made, except for
zone:TARGET, and with --online, which reads policies without a source.

With --format markdown it is the page that a pull request gets, without a plan:
the decisions, what changed, and the decision tests of B.`,
			examples: []string{
				"policypin impact",
				"policypin impact --exit-code origin/main HEAD",
				"policypin impact --format json agents/v11 agents/v12",
				"policypin impact --requests june.jsonl --entities users.json origin/main HEAD",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusChanges, statusInterrupted},
		}.String(),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "exit-code", Usage: "end with status 4 if decisions change, or if they could and impact can't say", Destination: &opts.exitCode},
			&cli.StringSliceFlag{Name: "requests", Usage: "try the requests of the log `FILE` as well, - for stdin, repeatable", Destination: &opts.requests},
			&cli.StringSliceFlag{Name: "entities", Usage: "decide them among the entities of the JSON file `FILE`, - for stdin, repeatable", Destination: &opts.entities},
			&cli.BoolFlag{Name: "examples", Usage: "write the requests of examples and their entities as JSON", Destination: &opts.examples},
			&cli.BoolFlag{Name: "online", Usage: "read policies without a source from the target's zone", Destination: &opts.online},
			apiURLFlag(&opts.apiURL),
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
			doc, err := findImpact(c.Context, w, opts, from, to)
			if err != nil {
				return err
			}
			doc.Requests = opts.examples
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

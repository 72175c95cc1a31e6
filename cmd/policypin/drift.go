package main

import (
	"context"

	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

type driftOptions struct {
	allPins  bool
	exitCode bool
	zoneOptions
}

func driftCommand(w *world) *cli.Command {
	var opts driftOptions
	return &cli.Command{
		Name:  "drift",
		Usage: "compare the branch, the pins and the zone",
		Description: help{
			text: `Says where the tip of the target's branch, its pins and its zone disagree:
unpublished commits, versions that were activated or created elsewhere, sets that
are not declared any more, damaged pins. Each finding names who and when, where
the zone says so, and the command that restores or adopts. Nothing is written.`,
			examples: []string{
				"policypin drift --target production",
				"policypin drift --target production --exit-code --format json",
				"policypin drift --target production --all-pins",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusChanges, statusInterrupted},
		}.String(),
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "exit-code", Usage: "end with status 4 if there is drift", Destination: &opts.exitCode},
			&cli.BoolFlag{Name: "all-pins", Usage: "compare the content of every pin, not only of the last and the active ones", Destination: &opts.allPins},
		}, opts.zoneOptions.flags()...),
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			d, err := findDrift(c.Context, w, opts)
			if err != nil {
				return err
			}
			if opts.format.value == formatJSON {
				err = report.JSON(w.stdout, d)
			} else {
				err = report.DriftText(w.stdout, w.style(), d)
			}
			if err == nil && opts.exitCode && d.Drifted {
				return errChanges
			}
			return err
		},
	}
}

func findDrift(ctx context.Context, w *world, opts driftOptions) (*publish.Drift, error) {
	p, err := w.committed("HEAD")
	if err != nil {
		return nil, err
	}
	defer p.close()
	t, err := w.publishTarget(p.file)
	if err != nil {
		return nil, err
	}
	origin, err := w.origin(p.project, t, opts.origin)
	if err != nil {
		return nil, err
	}
	defer origin.Close()
	r, done, err := w.readZone(p.project, t, opts.apiURL)
	if err != nil {
		return nil, err
	}
	defer done()
	src := publish.Source{Repo: p.repo, Origin: origin, Commit: p.commit, Dir: p.rel, Target: t.Name}
	return publish.FindDrift(ctx, r, src, publish.DriftOptions{AllPins: opts.allPins})
}

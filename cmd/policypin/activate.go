package main

import (
	"context"

	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

type activateOptions struct {
	rev           string
	replaceActive string
	lock          lockFlags
	zoneOptions
}

func activateCommand(w *world) *cli.Command {
	var opts activateOptions
	return &cli.Command{
		Name:      "activate",
		Usage:     "let a pinned version decide; \"previous\" is the way back",
		ArgsUsage: "SET [VERSION]",
		Description: help{
			text: `Binds a pinned version of policy set SET, so that it decides requests. VERSION
is v12 or 12, a pin's tag, or "previous", the pin before the active version;
without it, the newest pin. Only pinned versions are activated, and the zone must
still have what the pin records. Going back on purpose is not held to the
branch's tip.`,
			examples: []string{
				"policypin activate --target production agents",
				"policypin activate --target production agents previous",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusRefused, statusInterrupted},
		}.String(),
		Flags: append(append([]cli.Flag{
			&cli.StringFlag{Name: "rev", Usage: "take the project file of commit `REVISION`", Value: "HEAD", Destination: &opts.rev},
			&cli.StringFlag{Name: "replace-active", Usage: "may replace `VERSION_ID`, which isn't ours", Destination: &opts.replaceActive},
		}, opts.zoneOptions.flags()...), opts.lock.flags()...),
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 1, "SET", "VERSION")
			if err != nil {
				return err
			}
			version := ""
			if len(args) > 1 {
				version = args[1]
			}
			receipt, err := activateVersion(c.Context, w, opts, args[0], version)
			if err != nil {
				return err
			}
			return writeReceipt(w, opts.format.value, receipt, report.ActivationText)
		},
	}
}

func activateVersion(ctx context.Context, w *world, opts activateOptions, set, version string) (*publish.Receipt, error) {
	p, err := w.committed(opts.rev)
	if err != nil {
		return nil, err
	}
	defer p.close()
	t, err := w.publishTarget(p.file)
	if err != nil {
		return nil, err
	}
	popts := publish.Options{ReplaceActive: opts.replaceActive, Progress: w.progress()}
	if popts.Lock, err = opts.lock.build(w); err != nil {
		return nil, err
	}
	origin, err := w.origin(p.project, t, opts.origin)
	if err != nil {
		return nil, err
	}
	defer origin.Close()
	c, done, err := w.writeZone(p.project, t, opts.apiURL, opts.lock.wait)
	if err != nil {
		return nil, err
	}
	defer done()
	src := publish.Source{Repo: p.repo, Origin: origin, Commit: p.commit, Dir: p.rel, Target: t.Name}
	return publish.Activate(ctx, c, src, set, version, popts)
}

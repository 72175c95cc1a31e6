package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

type repinOptions struct {
	rev     string
	version string
	newBase string
	zoneOptions
	lock lockFlags
	sign signFlags
}

func repinCommand(w *world) *cli.Command {
	var opts repinOptions
	return &cli.Command{
		Name:      "repin",
		Usage:     "write a lost pin again, from the commit and the zone",
		ArgsUsage: "SET [vN]",
		Description: help{
			text: `Writes the pin of version vN of policy set SET again, as publish wrote it, once
it is known that the version holds what the commit says: the same schema, and
for each entry the same policy with the same content. Without vN it is the only
version without a pin that does. It refuses if the pin is there, if the content
differs, and if the commit isn't between those of the pins before and after it.
The zone is only read.

Approvals and a signature are lost with the pin; all else comes from the commit
and the zone, so the tag is the same object where there were none. The new pin is
signed as publish signs.`,
			examples: []string{
				"policypin repin --target production --rev 3f2a9c1 agents v12",
				"policypin repin --rev main~2 agents",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusRefused, statusInterrupted},
		}.String(),
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "rev", Usage: "the commit that was published is `REVISION`", Value: "HEAD", Destination: &opts.rev},
			&cli.StringFlag{Name: "version", Usage: "the same as the argument `vN`", Destination: &opts.version},
			&cli.StringFlag{Name: "new-base", Usage: "history was rewritten since, for `REASON`; it is recorded", Destination: &opts.newBase},
		}, opts.sign.flags(), opts.zoneOptions.flags(), opts.lock.flags()),
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 1, "SET", "vN")
			if err != nil {
				return err
			}
			if len(args) > 1 {
				if opts.version != "" {
					return &usage{msg: "--version and the argument " + strconv.Quote(args[1]) + " exclude each other"}
				}
				opts.version = args[1]
			}
			receipt, err := repin(c.Context, w, opts, args[0])
			if err != nil {
				return err
			}
			return writeReceipt(w, opts.format.value, receipt, report.RepinnedText)
		},
	}
}

var versionNumber = regexp.MustCompile(`^v?([1-9][0-9]{0,8})$`)

func repin(ctx context.Context, w *world, opts repinOptions, set string) (*publish.Receipt, error) {
	number := 0
	if opts.version != "" {
		m := versionNumber.FindStringSubmatch(opts.version)
		if m == nil {
			return nil, &usage{msg: fmt.Sprintf("the version is %q, not a number such as v12", opts.version)}
		}
		number, _ = strconv.Atoi(m[1])
	}
	popts := publish.Options{NewBase: opts.newBase, Progress: w.progress()}
	var err error
	if popts.Lock, err = opts.lock.build(w); err != nil {
		return nil, err
	}
	p, err := w.committed(opts.rev)
	if err != nil {
		return nil, err
	}
	defer p.close()
	if popts.Sign, err = opts.sign.build(w, p.repo); err != nil {
		return nil, err
	}
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
	return publish.Repin(ctx, r, src, set, number, popts)
}

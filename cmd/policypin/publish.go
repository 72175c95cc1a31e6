package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

type publishRun struct {
	publishOptions
	lock     lockFlags
	sign     signFlags
	planFile string
}

func publishCommand(w *world) *cli.Command {
	var opts publishRun
	return &cli.Command{
		Name:  "publish",
		Usage: "publish a commit to a zone, and pin it",
		Description: help{
			text: `Creates what the zone lacks of the commit's policy sets, and pins each version
with an annotated tag on the commit. Only Git objects of that commit are read,
never the work tree. Publishing the same again does nothing, and a run that was
interrupted is finished by the same command. A gate that refuses takes --approve,
or a line in POLICYPIN_APPROVE, and the pin says so. Nothing is activated without
--activate. A new pin is signed with --sign, or if Git's tag.gpgSign says so.

Credentials come from KEYCARD_API_CLIENT_ID and KEYCARD_API_CLIENT_SECRET, from
KEYCARD_API_TOKEN, or from KEYCARD_API_TOKEN_COMMAND, which prints a token; the
API's address from KEYCARD_API_BASE_URL or --api-url. The local target needs none.`,
			examples: []string{
				"policypin publish",
				"policypin publish --target production --activate",
				"policypin publish --target production --activate --plan plan.json",
				"policypin publish --target production --approve 'widened=Finance closes the books'",
				"policypin publish --target production --signing-key ~/.ssh/id_ed25519",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusRefused, statusInterrupted},
		}.String(),
		Flags: append(append([]cli.Flag{
			&cli.StringFlag{Name: "plan", Usage: "do what the plan in `FILE` says, or nothing", Destination: &opts.planFile},
		}, append(opts.publishOptions.flags(), opts.sign.flags()...)...), opts.lock.flags()...),
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			receipt, err := publishCommit(c.Context, w, opts)
			if err != nil {
				return err
			}
			return writeReceipt(w, opts.format.value, receipt, report.ReceiptText)
		},
	}
}

// publishGCPercent is half of Go's default.
const publishGCPercent = 50

func publishCommit(ctx context.Context, w *world, opts publishRun) (*publish.Receipt, error) {
	if w.getenv("GOGC") == "" {
		// A publish waits for the network more than it computes, and all sources
		// of a project stay in memory meanwhile: less garbage beside them is worth
		// collecting it more often.
		defer debug.SetGCPercent(debug.SetGCPercent(publishGCPercent))
	}
	p, err := w.committed(opts.rev)
	if err != nil {
		return nil, err
	}
	defer p.close()
	t, err := w.publishTarget(p.file)
	if err != nil {
		return nil, err
	}
	popts, err := opts.build(w)
	if err != nil {
		return nil, err
	}
	if popts.Lock, err = opts.lock.build(w); err != nil {
		return nil, err
	}
	if popts.Sign, err = opts.sign.build(w, p.repo); err != nil {
		return nil, err
	}
	if opts.planFile != "" {
		if popts.Expected, err = readPlan(resolvePath(w.workDir(), opts.planFile)); err != nil {
			return nil, err
		}
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
	return publish.Publish(ctx, c, src, popts)
}

func readPlan(name string) (*publish.Plan, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	plan, err := publish.ParsePlan(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return plan, nil
}

func writeReceipt(w *world, format string, receipt *publish.Receipt, text func(io.Writer, report.Style, *publish.Receipt) error) error {
	if format == formatJSON {
		return report.ReceiptJSON(w.stdout, receipt)
	}
	for _, note := range receipt.Notes {
		w.say("note: %s", report.Clean(note))
	}
	return text(w.stdout, w.style(), receipt)
}

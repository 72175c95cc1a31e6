package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

type planOptions struct {
	publishOptions
	offline  bool
	base     string
	out      string
	exitCode bool
}

func planCommand(w *world) *cli.Command {
	var opts planOptions
	return &cli.Command{
		Name:  "plan",
		Usage: "show what publishing a commit would do",
		Description: help{
			text: `Reads the commit, the branch, the pins and the zone, and prints what publish
would create, pin and activate, and what its gates say. Nothing is written. With
--out the plan is kept in a file, and publish --plan does that or nothing. With
--offline only Git is asked, which needs no credentials; such a plan can't be held
to, and gates that need the zone aren't checked. With --base it is the plan of a
pull request: as if the commit were merged. Markdown says which decisions change, too.
docs/gates.md has the gates.`,
			examples: []string{
				"policypin plan --target production",
				"policypin plan --target production --activate --out plan.json",
				"policypin plan --offline --exit-code",
				"policypin plan --offline --base origin/main --format markdown",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusChanges, statusRefused, statusInterrupted},
		}.String(),
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "offline", Usage: "don't ask the zone", Destination: &opts.offline},
			&cli.StringFlag{Name: "base", Usage: "plan as if merged; markdown also says what changed since `REVISION`", Destination: &opts.base},
			&cli.StringFlag{Name: "out", Usage: "write the plan to `FILE` as JSON too", Destination: &opts.out},
			&cli.BoolFlag{Name: "exit-code", Usage: "end with status 4 if there is something to do", Destination: &opts.exitCode},
		}, opts.publishOptions.flags(formatMarkdown)...),
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			plan, err := makePlan(c.Context, w, opts)
			if plan == nil {
				return err
			}
			// A plan that is refused is shown all the same, before the refusal.
			if shown := writePlan(c.Context, w, opts, plan); shown != nil {
				return errors.Join(shown, err)
			}
			if err == nil && opts.exitCode && !plan.Empty() {
				return errChanges
			}
			return err
		},
	}
}

func makePlan(ctx context.Context, w *world, opts planOptions) (*publish.Plan, error) {
	p, err := w.committed(opts.rev)
	if err != nil {
		return nil, err
	}
	defer p.close()
	t, err := w.target(p.file)
	if err != nil {
		return nil, err
	}
	popts, err := opts.build(w)
	if err != nil {
		return nil, err
	}
	popts.Merged = opts.base != ""
	popts.Decisions = opts.decisions()
	origin, err := w.origin(p.project, t, opts.origin)
	if err != nil {
		return nil, err
	}
	defer origin.Close()
	src := publish.Source{Repo: p.repo, Origin: origin, Commit: p.commit, Dir: p.rel, Target: t.Name}
	if opts.offline {
		return publish.PrepareOffline(ctx, src, popts)
	}
	r, done, err := w.readZone(p.project, t, opts.apiURL)
	if err != nil {
		return nil, err
	}
	defer done()
	return publish.Prepare(ctx, r, src, popts)
}

// decisions tells whether the plan's page says which decisions publishing
// changes. That of a pull request says which ones the pull request does.
func (o planOptions) decisions() bool { return o.base == "" && o.format.value == formatMarkdown }

func writePlan(ctx context.Context, w *world, opts planOptions, plan *publish.Plan) error {
	if opts.out != "" {
		var text bytes.Buffer
		if err := report.PlanJSON(&text, plan); err != nil {
			return err
		}
		if err := replaceFile(resolvePath(w.workDir(), opts.out), text.Bytes()); err != nil {
			if path := (*fs.PathError)(nil); errors.As(err, &path) {
				err = path.Err // its path is that of a temporary file
			}
			return fmt.Errorf("writing the plan to %s: %w", opts.out, err)
		}
	}
	switch opts.format.value {
	case formatJSON:
		return report.PlanJSON(w.stdout, plan)
	case formatMarkdown:
		page, err := planComment(w, plan, opts)
		if err == nil && opts.base != "" {
			err = proposed(ctx, w, opts, &page)
		}
		return writeMarkdown(w, page, err)
	}
	return report.PlanText(w.stdout, w.style(), plan)
}

// replaceFile writes a file whole or not at all. What isn't a file, such as
// /dev/null or a named pipe, is written to and stays what it is.
func replaceFile(name string, text []byte) error {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		out, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return errors.Join(err, out.Close())
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after the rename, as it should
	_, err = tmp.Write(text)
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

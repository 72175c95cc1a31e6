package main

import (
	"context"
	"fmt"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/doctor"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

type doctorOptions struct {
	tryLock bool
	zoneOptions
}

func doctorCommand(w *world) *cli.Command {
	var opts doctorOptions
	return &cli.Command{
		Name:  "doctor",
		Usage: "look for what will fail, before it fails",
		Description: help{
			text: `Checks the clone, the project, the remote, the credentials and the zone one by
one, and says of each whether it is all right, and if not, what to do. Nothing is
written, and no credential is shown. With --try-lock the lock ref is created on
the remote and deleted again.`,
			examples: []string{
				"policypin doctor --target production",
				"policypin doctor --target production --try-lock",
				"policypin doctor --target production --format json",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusInterrupted},
		}.String(),
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "try-lock", Usage: "create the lock ref and delete it", Destination: &opts.tryLock},
		}, opts.zoneOptions.flags()...),
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			rep, err := w.examine(c.Context, opts)
			if err != nil {
				return err
			}
			if opts.format.value == formatJSON {
				err = report.JSON(w.stdout, rep)
			} else {
				err = report.DoctorText(w.stdout, w.style(), rep)
			}
			if err == nil && rep.Failures > 0 {
				err = fmt.Errorf("%d of %d checks failed", rep.Failures, len(rep.Checks))
			}
			return err
		},
	}
}

// examine opens what the checks look at. What can't be opened is for the checks
// to say; an error is about the command line.
func (w *world) examine(ctx context.Context, opts doctorOptions) (*doctor.Report, error) {
	s := doctor.Setup{Getenv: w.getenv, APIURL: opts.apiURL, TryLock: opts.tryLock, TargetNamed: w.global.target.value != ""}
	var err error
	if s.Lock, err = (&lockFlags{}).build(w); err != nil {
		return nil, err
	}
	s.Repo, s.RepoErr = gitstore.Open(w.workDir(), w.getenv)
	if s.RepoErr != nil {
		return doctor.Run(ctx, s), nil
	}
	defer s.Repo.Close()
	p, err := committedIn(s.Repo, w.workDir(), "HEAD")
	if err != nil {
		s.ProjectErr = err
		return doctor.Run(ctx, s), nil
	}
	s.Project, s.Commit = p.file, p.commit
	if s.Tree, s.ProjectErr = loadCommitted(p); s.ProjectErr != nil {
		s.Tree = nil
	}
	if s.Target, s.TargetErr = w.target(p.file); s.TargetErr != nil {
		return doctor.Run(ctx, s), nil
	}
	s.Local = s.Target.Name == localTarget
	if s.Origin, s.OriginErr = w.origin(p.project, s.Target, opts.origin); s.OriginErr == nil {
		defer s.Origin.Close()
	}
	s.Connect = func(trace func(keycard.Trace)) (*keycard.Reader, func(), error) {
		cfg, done, err := w.zoneConfig(p.project, s.Target, opts.apiURL, storeAccess{wait: storeWait})
		if err != nil {
			return nil, nil, err
		}
		cfg.Trace = trace
		r, err := keycard.NewReader(cfg, s.Target.ZoneID)
		if err != nil {
			done()
			return nil, nil, err
		}
		return r, done, nil
	}
	return doctor.Run(ctx, s), nil
}

// loadCommitted reads the whole project of a commit.
func loadCommitted(p *commitProject) (*manifest.Tree, error) {
	fsys, err := p.repo.TreeAt(p.commit, p.rel)
	if err != nil {
		return nil, err
	}
	return load(fsys)
}

package main

import (
	"io/fs"
	"path"
	"path/filepath"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/ghaction"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

type validateOptions struct {
	rev    string
	staged bool
	layout bool // with staged
	format choice
}

func validateCommand(w *world) *cli.Command {
	var opts validateOptions
	return &cli.Command{
		Name:  "validate",
		Usage: "report every problem in the project's files",
		Description: help{
			text: `Checks the project file, the manifests, the Cedar sources and the decision tests,
syntax and types against the committed schema, and prints every problem with its
place, its rule and the way to fix it. Reads the work tree; no request is made.

With --staged it checks the staged files that changed and the manifests that
name them, as a pre-commit hook wants it. With --fmt too, those of them that are
not laid out as policypin fmt does it are problems as well.`,
			examples: []string{"policypin validate", "policypin validate --staged --fmt", "policypin validate --rev main --format json", "policypin validate --format sarif > policypin.sarif"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusInterrupted},
		}.String(),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "rev", Usage: "check commit `REVISION` instead of the work tree", Destination: &opts.rev},
			&cli.BoolFlag{Name: "staged", Usage: "check what is staged and differs from HEAD", Destination: &opts.staged},
			&cli.BoolFlag{Name: "fmt", Usage: "with --staged, report files that aren't formatted", Destination: &opts.layout},
			formatFlag(&opts.format, formatText, formatJSON, formatGitHub, formatSARIF, formatJUnit),
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			if opts.staged && opts.rev != "" {
				return &usage{msg: "--staged and --rev exclude each other"}
			}
			if opts.layout && !opts.staged {
				return &usage{msg: "--fmt needs --staged", hint: "policypin fmt --check looks at the whole project"}
			}
			return validate(w, opts)
		},
	}
}

func validate(w *world, opts validateOptions) error {
	p, err := w.findProject()
	if err != nil {
		return err
	}
	defer p.close()
	fsys, tree, problems, err := check(p, opts)
	if err != nil {
		return noFile(err)
	}
	if err := w.writeProblems(p, opts.format.value, fsys, tree, problems); err != nil {
		return err
	}
	if problems.Err() != nil {
		w.say("%s", report.Count(problems))
		return errProblems
	}
	if opts.staged && tree == nil {
		w.say("%s is staged for removal: there is nothing to check", manifest.ProjectFile)
		return nil
	}
	if opts.staged && len(problems) == 0 && len(tree.Sets)+len(tree.Sources)+len(tree.Tests) == 0 {
		return nil // a hook has nothing to say of a commit that isn't about policies
	}
	w.say("%s", report.Checked(tree, problems))
	return nil
}

func (w *world) writeProblems(p *project, format string, fsys fs.FS, tree *manifest.Tree, problems diag.List) error {
	switch format {
	case formatJSON:
		return report.ProblemsJSON(w.stdout, problems)
	case formatGitHub:
		return report.GitHub(w.stdout, problems, w.inWorkspace(p))
	case formatSARIF:
		return report.SARIF(w.stdout, fsys, problems, w.inWorkspace(p), build().Version)
	case formatJUnit:
		return report.ProblemsJUnit(w.stdout, tree, problems, w.inWorkspace(p))
	}
	return report.Problems(w.stdout, w.style(), problems)
}

// inWorkspace is the project's folder as other tools know it: in a job of GitHub
// Actions, relative to the workspace, which a checkout may be a folder of; else
// relative to the repository.
func (w *world) inWorkspace(p *project) string {
	file, ok := ghaction.FromEnv(w.getenv).Path(filepath.Join(p.dir, manifest.ProjectFile))
	if !ok {
		return p.rel
	}
	return path.Dir(file)
}

// check loads what the options name, and returns what it was loaded from.
func check(p *project, opts validateOptions) (fs.FS, *manifest.Tree, diag.List, error) {
	if opts.staged {
		s, err := loadStaged(p)
		if err == nil && opts.layout {
			err = s.checkLayout(p)
		}
		return s.fsys, s.tree, s.problems, err
	}
	var fsys fs.FS
	var err error
	if opts.rev != "" {
		fsys, _, err = p.at(opts.rev)
	} else {
		fsys, err = p.workTree()
	}
	if err != nil {
		return nil, nil, nil, err
	}
	tree, problems, err := manifest.Load(fsys)
	return fsys, tree, problems, err
}

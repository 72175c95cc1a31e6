package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

type fmtOptions struct {
	check, diff, staged bool
	files               []string
}

func fmtCommand(w *world) *cli.Command {
	var opts fmtOptions
	return &cli.Command{
		Name:      "fmt",
		Usage:     "lay out the project's files in the canonical way",
		ArgsUsage: "[FILE…]",
		Description: help{
			text: `Rewrites the project file, the manifests, the decision tests and the Cedar sources
in the canonical layout, and lists the files that changed. Comments stay, and no
digest and no expectation changes.
With FILE it looks at these files alone. A file with problems is left as it is,
and its problems are printed.

With --check and --diff nothing is written; files that aren't formatted are
listed and give status 3, or are shown as unified diffs, or both. With --staged
they look at the files of the project that are staged and differ from HEAD, as
they are staged. policypin validate --staged --fmt checks what they say as well.`,
			examples: []string{"policypin fmt", "policypin fmt --check", "policypin fmt --check --staged", "policypin fmt --diff policies/finance-read.cedar"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems},
		}.String(),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "check", Usage: "write nothing, list what isn't formatted and end with status 3 if there is any", Destination: &opts.check},
			&cli.BoolFlag{Name: "diff", Usage: "write nothing, print what would change as unified diffs", Destination: &opts.diff},
			&cli.BoolFlag{Name: "staged", Usage: "look at what is staged and differs from HEAD; with --check or --diff", Destination: &opts.staged},
		},
		Action: func(c *cli.Context) error {
			opts.files = c.Args().Slice()
			if opts.staged && len(opts.files) > 0 {
				return &usage{msg: "--staged and FILE exclude each other"}
			}
			if opts.staged && !opts.check && !opts.diff {
				return &usage{msg: "--staged needs --check or --diff", hint: "format the files, and stage them again"}
			}
			return formatProject(c.Context, w, opts)
		},
	}
}

func formatProject(ctx context.Context, w *world, opts fmtOptions) error {
	p, err := w.findProject()
	if err != nil {
		return err
	}
	defer p.close()
	files, problems, err := opts.layOut(w, p)
	if err != nil {
		return err
	}
	changed := slices.DeleteFunc(slices.Clone(files), func(f manifest.Formatted) bool { return !f.Changed() })
	if err := report.Problems(w.stderr, w.errStyle(), problems); err != nil {
		return err
	}
	write := !opts.check && !opts.diff
	if write {
		written, err := rewrite(ctx, p.dir, changed)
		if err != nil {
			return errors.Join(report.FormattedText(w.stdout, changed[:written]), err)
		}
	}
	if opts.diff {
		err = report.FormattedDiff(w.stdout, w.style(), changed)
	} else {
		err = report.FormattedText(w.stdout, changed)
	}
	if err != nil {
		return err
	}
	w.say("%s", report.FormattedCount(len(changed), len(files), write))
	if problems.Err() != nil {
		w.say("%s", report.Count(problems))
		return errProblems
	}
	if opts.check && len(changed) > 0 {
		if opts.staged {
			w.say("to fix: %s, then git add", fmtCommandFor(p.rel))
		}
		return errProblems
	}
	return nil
}

// fmtCommandFor is the command that formats a project, at the top of the work
// tree.
func fmtCommandFor(project string) string {
	if project == "." {
		return "policypin fmt"
	}
	return "policypin -C " + shellQuote(project) + " fmt"
}

// layOut lays out the files that the options name, without those that a sparse
// checkout left out: these can't be written, and git takes them for unchanged.
func (opts fmtOptions) layOut(w *world, p *project) ([]manifest.Formatted, diag.List, error) {
	if opts.staged {
		s, err := loadStaged(p)
		if err != nil {
			return nil, nil, err
		}
		return manifest.FormatChanged(s.fsys, s.tree, s.paths)
	}
	fsys, err := p.workTree()
	if err != nil {
		return nil, nil, err
	}
	var only []string // nil: all files of the project
	for _, name := range opts.files {
		file, err := p.file(w.workDir(), name)
		if err != nil {
			return nil, nil, err
		}
		if !slices.Contains(only, file) {
			only = append(only, file)
		}
	}
	files, problems, err := manifest.Format(fsys, only)
	if err != nil {
		return nil, nil, noFile(err)
	}
	files = slices.DeleteFunc(files, func(f manifest.Formatted) bool { return !p.onDisk(f.File) })
	problems = slices.DeleteFunc(problems, func(q diag.Problem) bool { return q.File != manifest.ProjectFile && !p.onDisk(q.File) })
	return files, problems, nil
}

// onDisk tells whether there is a file of the project in the work tree, or
// something else in its place.
func (p *project) onDisk(name string) bool {
	_, err := os.Lstat(filepath.Join(p.dir, filepath.FromSlash(name)))
	return !missing(err)
}

// file is the path in the project of a file that is named as seen from dir.
func (p *project) file(dir, name string) (string, error) {
	full := resolvePath(dir, name)
	info, err := os.Lstat(full)
	if missing(err) {
		return "", fmt.Errorf("there is no file %s", name)
	}
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "", &usage{msg: fmt.Sprintf("%s is a folder", name), hint: "name files, or none for all of the project"}
	}
	var rel string
	if p.repo != nil {
		if rel, err = p.repo.Rel(filepath.Dir(full)); err == nil {
			rel, err = filepath.Rel(filepath.FromSlash(p.rel), filepath.FromSlash(path.Join(rel, filepath.Base(full))))
		}
	} else {
		rel, err = filepath.Rel(p.dir, full)
	}
	if rel = filepath.ToSlash(rel); err != nil || !fs.ValidPath(rel) {
		return "", &usage{msg: fmt.Sprintf("%s is outside of the project", name)}
	}
	return rel, nil
}

// rewrite replaces files, each whole or not at all, and returns how many it did.
func rewrite(ctx context.Context, dir string, files []manifest.Formatted) (written int, err error) {
	// Through a root, a symbolic link can't lead the files elsewhere.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	for i, f := range files {
		if err := ctx.Err(); err != nil {
			return i, err
		}
		if err := rewriteFile(root, f.File, f.After); err != nil {
			return i, fmt.Errorf("writing %s: %w", f.File, err)
		}
	}
	return len(files), nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/report"
)

// errRemoved ends the check of a change that takes the project away.
var errRemoved = &hinted{
	err:  errors.New("the change removes the project"),
	hint: "let it remove the step that runs policypin as well, or give that the project's new folder with the input working-directory",
}

// repository opens the repository that the input working-directory is in, and
// says which folder of it that is. A change can have removed the folder.
func (a *action) repository() (*gitstore.Repo, string, error) {
	dir, rest := a.workDir(), ""
	for !isDir(dir) && dir != filepath.Dir(dir) {
		dir, rest = filepath.Dir(dir), path.Join(filepath.Base(dir), rest)
	}
	repo, err := gitstore.Open(dir, a.getenv)
	if err != nil {
		return nil, "", err
	}
	rel := "."
	if repo.Root() != "" {
		if rel, err = repo.Rel(dir); err != nil {
			repo.Close()
			return nil, "", err
		}
	}
	return repo, path.Join(rel, rest), nil
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// inWorkspace says for a runner what a missing project or clone is: init and -C
// are no help there.
func (a *action) inWorkspace(err error) error {
	switch {
	case err == nil, errors.Is(err, errRemoved):
		return err
	case (errors.Is(err, errNoProject) || missing(err)) && !isDir(a.workDir()):
		return fmt.Errorf("%w in %s", errNoWorkspaceProject, a.in.dir)
	case errors.Is(err, errNoProject):
		return errNoWorkspaceProject
	case errors.Is(err, gitstore.ErrNoRepository):
		return &hinted{err: err, hint: "run actions/checkout first; on a runner without Git it leaves no clone, so install Git before that"}
	}
	return err
}

// above tells whether a project is that of a folder above the working directory.
func (a *action) above(p *project) bool {
	repo, rel, err := a.repository()
	if err != nil {
		return false
	}
	defer repo.Close()
	return rel != p.rel
}

// removed tells whether the base has the project that the commit hasn't. The run
// is red for that; a comment tells reviewers what goes on in the zones. Whatever
// keeps it from finding out is no worse than the missing project.
func (a *action) removed(ctx context.Context) bool {
	repo, rel, err := a.repository()
	if err != nil {
		return false
	}
	defer repo.Close()
	head, err := repo.Resolve("HEAD")
	if err != nil {
		return false
	}
	if a.stale(ctx, repo, head) != nil {
		return false
	}
	p := &project{repo: repo, dir: filepath.Join(repo.Root(), filepath.FromSlash(rel)), rel: rel}
	base, err := a.base(p, head)
	if err != nil || base.IsZero() {
		return false
	}
	made, err := a.propose(ctx, p, a.zoneFlags().origin.remote, base, &side{label: "HEAD", commit: head})
	if err != nil {
		a.say("whether %s has the project isn't known: %s", base.Short(), report.Clean(err.Error()))
		return false
	}
	if made.base.tree == nil { // there was none
		made.close()
		return false
	}
	a.proposal = made
	c := &report.Comment{Project: rel, Tool: build().Version}
	made.show(c)
	c.Command = commandLine(rel, "diff", "--format", formatMarkdown, base.String(), head.String())
	a.comment, a.complete = c, true
	a.outputs["changed"], a.outputs["widened"] = "true", widenedUnknown
	return true
}

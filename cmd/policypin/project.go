package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/manifest"
)

// A project is where the project file was found.
type project struct {
	repo *gitstore.Repo // nil outside Git
	dir  string         // the folder on disk
	rel  string         // the same as a slash path in the repository
}

// findProject looks for the project file in the current folder and upwards to
// the root of the work tree. Outside Git it looks in the current folder only:
// above it there may be files of somebody else. If the work tree has none, the
// commit that HEAD names is asked, as in a bare or sparse clone.
func (w *world) findProject() (*project, error) {
	dir := w.workDir()
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", dir)
	}
	repo, err := gitstore.Open(dir, w.getenv)
	if errors.Is(err, gitstore.ErrNoRepository) {
		if !isFile(filepath.Join(dir, manifest.ProjectFile)) {
			if errors.Is(err, gitstore.ErrGitFile) { // it may be above, in what isn't a repository any more
				return nil, fmt.Errorf("%w: %w", errNoProject, err)
			}
			return nil, errNoProject
		}
		return &project{dir: dir, rel: "."}, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := projectIn(repo, dir)
	if err != nil {
		repo.Close()
		return nil, err
	}
	return p, nil
}

func projectIn(repo *gitstore.Repo, dir string) (*project, error) {
	start := "."
	if repo.Root() != "" {
		var err error
		if start, err = repo.Rel(dir); err != nil {
			return nil, err
		}
		for rel := start; ; rel = path.Dir(rel) {
			folder := filepath.Join(repo.Root(), filepath.FromSlash(rel))
			if isFile(filepath.Join(folder, manifest.ProjectFile)) {
				return &project{repo: repo, dir: folder, rel: rel}, nil
			}
			if rel == "." {
				break
			}
		}
	}
	head, err := repo.Resolve("HEAD")
	if errors.Is(err, gitstore.ErrNoRevision) {
		return nil, errNoProject // a repository without a commit has nothing else to look at
	}
	if err != nil {
		return nil, err
	}
	for rel := start; ; rel = path.Dir(rel) {
		tree, err := repo.TreeAt(head, rel)
		if err == nil {
			_, err = fs.Stat(tree, manifest.ProjectFile)
		}
		switch {
		case err == nil:
			return &project{repo: repo, dir: filepath.Join(repo.Root(), filepath.FromSlash(rel)), rel: rel}, nil
		case errors.Is(err, gitstore.ErrObject), errors.Is(err, gitstore.ErrUnsupported):
			return nil, err // whether there is one can't be read
		}
		if rel == "." {
			return nil, errNoProject
		}
	}
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// close releases the repository. Nothing was written through it.
func (p *project) close() {
	if p.repo != nil {
		p.repo.Close()
	}
}

// git returns the repository, or says that there is none.
func (p *project) git() (*gitstore.Repo, error) {
	if p.repo == nil {
		return nil, gitstore.ErrNoRepository
	}
	return p.repo, nil
}

// workTree is the project as it is on disk.
func (p *project) workTree() (fs.FS, error) {
	if p.repo == nil {
		return os.DirFS(p.dir), nil
	}
	if p.repo.Root() == "" {
		return nil, errBare
	}
	return p.repo.WorkTree(p.rel)
}

// index is the project as it is staged.
func (p *project) index() (fs.FS, error) {
	repo, err := p.git()
	if err != nil {
		return nil, err
	}
	return repo.Index(p.rel)
}

// at is the project as it is committed in a revision.
func (p *project) at(rev string) (fs.FS, gitstore.Hash, error) {
	repo, err := p.git()
	if err != nil {
		return nil, gitstore.Hash{}, err
	}
	commit, err := repo.Resolve(rev)
	if err != nil {
		return nil, gitstore.Hash{}, resolving(rev, err)
	}
	tree, err := repo.TreeAt(commit, p.rel)
	return tree, commit, err
}

// resolving names the revision in an error that doesn't.
func resolving(rev string, err error) error {
	if errors.Is(err, gitstore.ErrNoRevision) {
		return err
	}
	return fmt.Errorf("revision %q: %w", rev, err)
}

// load reads a whole project that must be free of errors.
func load(fsys fs.FS) (*manifest.Tree, error) {
	tree, problems, err := manifest.Load(fsys)
	if err != nil {
		return nil, noFile(err)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return tree, nil
}

// A gone error means that a project was found, in the work tree or in HEAD, and
// that the state that was asked for doesn't have it.
type gone struct{ err error }

func (g *gone) Error() string {
	return "the project's folder has no " + manifest.ProjectFile + " in that state"
}
func (g *gone) Unwrap() []error { return []error{errNoProject, g.err} }

// noFile says more about a missing project file than that a file is missing.
func noFile(err error) error {
	if missing(err) {
		return &hinted{
			err:  &gone{err},
			hint: "git restore " + manifest.ProjectFile + " brings back a deleted one, and -C DIR looks where it moved to; an older commit may be from before it",
		}
	}
	return err
}

// projectFile reads the project file alone: a broken manifest is no reason not
// to show what was published. HEAD's is read where the work tree has none.
func (p *project) projectFile() (*manifest.Project, error) {
	bare := p.repo != nil && p.repo.Root() == ""
	var fsys fs.FS
	var err error
	if bare {
		fsys, _, err = p.at("HEAD")
	} else {
		fsys, err = p.workTree()
	}
	if err != nil {
		return nil, err
	}
	proj, problems, err := manifest.LoadProject(fsys)
	if missing(err) && p.repo != nil && !bare {
		if fsys, _, err = p.at("HEAD"); err != nil {
			return nil, err
		}
		proj, problems, err = manifest.LoadProject(fsys)
	}
	if err != nil {
		return nil, noFile(err)
	}
	if proj == nil {
		return nil, problems
	}
	return proj, problems.Err()
}

// A commitProject is a project as one commit has it. Nothing of it comes from
// the work tree.
type commitProject struct {
	*project
	commit gitstore.Hash
	file   *manifest.Project
}

// committed finds the project in a commit, from the current folder upwards.
func (w *world) committed(rev string) (*commitProject, error) {
	repo, err := gitstore.Open(w.workDir(), w.getenv)
	if err != nil {
		return nil, err
	}
	p, err := committedIn(repo, w.workDir(), rev)
	if err != nil {
		repo.Close()
		return nil, err
	}
	return p, nil
}

func committedIn(repo *gitstore.Repo, dir, rev string) (*commitProject, error) {
	commit, err := repo.Resolve(rev)
	if err != nil {
		return nil, resolving(rev, err)
	}
	rel := "."
	if repo.Root() != "" {
		if rel, err = repo.Rel(dir); err != nil {
			return nil, err
		}
	}
	for ; ; rel = path.Dir(rel) {
		proj, problems, err := projectAt(repo, commit, rel)
		switch {
		case err == nil && proj == nil:
			return nil, problems
		case err == nil:
			if err := problems.Err(); err != nil {
				return nil, err
			}
			where := &project{repo: repo, dir: filepath.Join(repo.Root(), filepath.FromSlash(rel)), rel: rel}
			return &commitProject{project: where, commit: commit, file: proj}, nil
		case !missing(err):
			return nil, err
		case rel == ".":
			return nil, fmt.Errorf("commit %s: %w", commit.Short(), errNoProject)
		}
	}
}

func projectAt(repo *gitstore.Repo, commit gitstore.Hash, rel string) (*manifest.Project, diag.List, error) {
	fsys, err := repo.TreeAt(commit, rel)
	if err != nil {
		return nil, nil, err
	}
	return manifest.LoadProject(fsys)
}

// target is the target that the command line or the project file names.
func (w *world) target(p *manifest.Project) (manifest.Target, error) {
	name := w.global.target.value
	if name == "" {
		name = p.DefaultTarget
	}
	return targetNamed(p, name)
}

func targetNamed(p *manifest.Project, name string) (manifest.Target, error) {
	t, ok := p.Target(name)
	if !ok {
		names := []string{"local"}
		for _, t := range p.Targets {
			if t.Name != "local" {
				names = append(names, t.Name)
			}
		}
		return t, &usage{
			msg:  fmt.Sprintf("the project has no target %q", name),
			hint: "it has " + strings.Join(names, ", "),
		}
	}
	return t, nil
}

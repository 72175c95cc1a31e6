package main

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/manifest"
)

// staged is what the index has of a project that differs from HEAD, with what it
// touches. It is empty for a commit that takes the project file away.
type staged struct {
	fsys     fs.FS
	paths    []string       // relative to the project
	tree     *manifest.Tree // nil if the project file can't be understood, or is removed
	problems diag.List
}

func loadStaged(p *project) (s staged, err error) {
	repo, err := p.git()
	if err != nil {
		return s, err
	}
	if repo.Root() == "" {
		return s, errBare
	}
	changes, err := repo.StagedPaths(p.rel)
	if err != nil {
		return s, err
	}
	if i := slices.IndexFunc(changes, func(c gitstore.PathChange) bool { return c.Path == manifest.ProjectFile }); i >= 0 && changes[i].To.IsZero() && repo.HasIndex() {
		return s, nil
	}
	if s.fsys, err = p.index(); err == nil {
		_, err = fs.Stat(s.fsys, manifest.ProjectFile)
	}
	if missing(err) {
		return s, &hinted{err: fmt.Errorf("%s is not staged", manifest.ProjectFile), hint: "git add it; what is staged without it belongs to no project"}
	}
	if err != nil {
		return s, err
	}
	for _, c := range changes {
		s.paths = append(s.paths, c.Path)
	}
	s.tree, s.problems, err = manifest.LoadChanged(s.fsys, s.paths)
	return s, err
}

// checkLayout adds the problems of files that aren't formatted.
func (s *staged) checkLayout(p *project) error {
	files, problems, err := manifest.FormatChanged(s.fsys, s.tree, s.paths)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Changed() {
			problem := f.Problem()
			problem.Fix = fmtCommandFor(p.rel) + ", then git add"
			s.problems.Add(problem)
		}
	}
	s.problems.Add(problems...) // mostly those that are known; sorting leaves one of each
	s.problems.Sort()
	return nil
}

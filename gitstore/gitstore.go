// Package gitstore reads projects from a Git repository and records what was
// published from it as annotated tags, called pins.
package gitstore

import (
	"errors"
	"io/fs"
)

// ErrConflict is returned for an index with unmerged paths.
var ErrConflict = errors.New("the index has unmerged paths")

// Index returns the staged files under dir, from $GIT_INDEX_FILE if it is set.
// The error wraps [ErrConflict] for an unmerged index.
func (r *Repo) Index(dir string) (fs.FS, error) { panic("unwritten") }

// WorkTree returns the files under dir as they are on disk; symlinks are not
// followed out of the work tree.
func (r *Repo) WorkTree(dir string) (fs.FS, error) { panic("unwritten") }

// A PathChange is a path whose content or mode differs between two trees.
type PathChange struct {
	Path     string // relative to the dir that was asked about
	From, To Hash   // blob ids; zero when absent
}

// ChangedPaths lists what differs under dir between two commits, sorted by
// path. Equal subtrees are skipped without being read. A zero commit is empty.
func (r *Repo) ChangedPaths(from, to Hash, dir string) ([]PathChange, error) { panic("unwritten") }

// StagedPaths lists what differs under dir between HEAD and the index.
func (r *Repo) StagedPaths(dir string) ([]PathChange, error) { panic("unwritten") }

// Package gitstore reads projects from a Git repository and records what was
// published from it as annotated tags, called pins.
package gitstore

import (
	"errors"
	"io/fs"
	"time"
)

var (
	// ErrNoRevision is returned when a revision names nothing here. In a
	// shallow clone the commit may still exist upstream.
	ErrNoRevision = errors.New("no such revision")
	// ErrRevisionSyntax is returned for a revision outside the closed grammar.
	ErrRevisionSyntax = errors.New("revision syntax is not supported")
	// ErrConflict is returned for an index with unmerged paths.
	ErrConflict = errors.New("the index has unmerged paths")
	// ErrShallow is returned when history ends at a shallow boundary before the
	// question is answered.
	ErrShallow = errors.New("history is shallow")
)

// Resolve returns the commit that a revision names: HEAD, @, a branch, a remote
// branch, a tag, a full or abbreviated commit hash, or a full ref name, each
// optionally followed by ^, ^n, ~ or ~n, any number of times.
// The error wraps [ErrNoRevision] or [ErrRevisionSyntax].
func (r *Repo) Resolve(rev string) (Hash, error) { panic("unwritten") }

// A Commit is what the log shows of a commit.
type Commit struct {
	Hash    Hash
	Tree    Hash
	Parents []Hash
	Author  string // name <email>
	When    time.Time
	Subject string
}

// Commit reads a commit. The error wraps [ErrNoRevision] if it isn't here.
func (r *Repo) Commit(h Hash) (Commit, error) { panic("unwritten") }

// TreeAt returns the files under dir as committed. It reads the object database
// only. dir is a slash path, "." for the root. The error wraps [ErrNoRevision],
// or [fs.ErrNotExist] if dir is not in that commit. Symlinks and submodules are
// listed but opening them fails with a clear error.
func (r *Repo) TreeAt(commit Hash, dir string) (fs.FS, error) { panic("unwritten") }

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

// Descends tells whether desc is anc or has it as an ancestor. The error wraps
// [ErrShallow] when a shallow boundary hides the answer.
func (r *Repo) Descends(desc, anc Hash) (bool, error) { panic("unwritten") }

// Package gitstore reads projects from a Git repository and records what was
// published from it as annotated tags, called pins.
package gitstore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// A Hash is the id of a Git object in a SHA-1 repository.
type Hash [20]byte

// String returns 40 lower-case hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short returns the first 12 hex digits, for messages.
func (h Hash) Short() string { return h.String()[:12] }

// IsZero tells whether h names nothing.
func (h Hash) IsZero() bool { return h == Hash{} }

// ParseHash reads 40 hex digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != hex.EncodedLen(len(h)) {
		return h, fmt.Errorf("object id has %d characters, not 40", len(s))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, errors.New("object id is not hexadecimal")
	}
	return h, nil
}

// MarshalText encodes h as 40 hex digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 40 hex digits.
func (h *Hash) UnmarshalText(text []byte) error {
	p, err := ParseHash(string(text))
	if err == nil {
		*h = p
	}
	return err
}

var (
	// ErrNoRepository is returned when no Git repository holds a folder.
	ErrNoRepository = errors.New("not inside a Git repository")
	// ErrNoRevision is returned when a revision names nothing here. In a
	// shallow clone the commit may still exist upstream.
	ErrNoRevision = errors.New("no such revision")
	// ErrRevisionSyntax is returned for a revision outside the closed grammar.
	ErrRevisionSyntax = errors.New("revision syntax is not supported")
	// ErrUnsupported is wrapped, with what to do, when a repository uses a
	// feature that can't be read.
	ErrUnsupported = errors.New("repository uses an unsupported feature")
	// ErrConflict is returned for an index with unmerged paths.
	ErrConflict = errors.New("the index has unmerged paths")
	// ErrShallow is returned when history ends at a shallow boundary before the
	// question is answered.
	ErrShallow = errors.New("history is shallow")
)

// Open finds the repository that holds dir, from dir upwards. getenv gives
// GIT_DIR, GIT_WORK_TREE and GIT_INDEX_FILE; nil means none is set.
func Open(dir string, getenv func(string) string) (*Repo, error) { panic("unwritten") }

// A Repo is a local Git repository. Reading it is safe for concurrent use.
type Repo struct{ _ int }

// Close releases file descriptors.
func (r *Repo) Close() error { panic("unwritten") }

// Root is the absolute path of the work tree, or "" in a bare repository.
func (r *Repo) Root() string { panic("unwritten") }

// GitDir is the absolute path of this work tree's Git directory.
func (r *Repo) GitDir() string { panic("unwritten") }

// CommonDir is the absolute path of the Git directory that all linked work
// trees share.
func (r *Repo) CommonDir() string { panic("unwritten") }

// Rel returns the slash path of dir inside the work tree, "." for its root.
func (r *Repo) Rel(dir string) (string, error) { panic("unwritten") }

// IsShallow tells whether the clone has a shallow boundary.
func (r *Repo) IsShallow() bool { panic("unwritten") }

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

// Package gitstore reads projects from a Git repository and records what was
// published from it as annotated tags, called pins.
package gitstore

import (
	"context"
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

// An Origin is where the authoritative branch and pins are: a remote, or, for a
// target that keeps its pins in the clone, this repository itself.
type Origin interface {
	// Name is what messages call it: a remote's name and redacted URL, or
	// "this clone".
	Name() string
	// Refs lists all refs with one request.
	Refs(ctx context.Context) (*Refs, error)
	// ReadPins reads the tag objects of pins, fetching those that the clone
	// lacks. A ref that is not a pin (lightweight, unreadable record, newer
	// format) gives an error wrapping [ErrBadPin] that names it.
	ReadPins(ctx context.Context, refs []PinRef) ([]*Pin, error)
	// Descends is as [Repo.Descends], with missing history fetched into a
	// temporary store. The clone gains nothing.
	Descends(ctx context.Context, desc, anc Hash) (bool, error)
	// TreeAt is as [Repo.TreeAt], for commits the clone may lack.
	TreeAt(ctx context.Context, commit Hash, dir string) (fs.FS, error)
	// CheckPush opens a push session as far as authentication and access are
	// checked, and writes nothing.
	CheckPush(ctx context.Context) error
	// PushPins writes the tags in one push and reads them back. There is one
	// result for each pin, in order; Err wraps [ErrPinExists] if the remote has
	// another object under the name. Equal pins that are already there are
	// successes. A pin that was pushed is in the clone as well afterwards.
	PushPins(ctx context.Context, pins []*Pin) ([]PushResult, error)
	// Lock takes the lock of a zone. See [LockOptions].
	Lock(ctx context.Context, zoneID string, opts LockOptions) (*Lock, error)
	// Close removes the temporary store.
	Close() error
}

// Local returns the origin that is the clone itself: its tip is HEAD, its pins
// are its own tags, and its lock is a no-op (the local zone's store is locked).
func (r *Repo) Local() Origin { panic("unwritten") }

// RemoteOptions tell how to reach a remote.
type RemoteOptions struct {
	Name     string // remote name or URL; "" is origin, or the only remote
	Getenv   func(string) string
	Progress func(string) // told what is fetched and why; may be nil
	// TempDir holds the temporary object store; "" is the system's.
	TempDir string
}

// Remote opens a remote. No request is made yet. The error wraps
// [ErrNoRemote] if there is none.
func (r *Repo) Remote(opts RemoteOptions) (Origin, error) { panic("unwritten") }

// ErrNoRemote is returned when the repository has no remote of that name.
var ErrNoRemote = errors.New("no such remote")

// Refs is one listing of an origin's refs.
type Refs struct {
	Head   string          // the branch that HEAD points to, without refs/heads/, or ""
	All    map[string]Hash // full ref name to object id
	Peeled map[string]Hash // annotated tags: full ref name to the commit they point to
}

// Branch returns the tip of a branch; "" is the default branch, whose name it
// returns too. ok is false if there is no such branch.
func (r *Refs) Branch(name string) (branch string, tip Hash, ok bool) { panic("unwritten") }

// Pins lists the pins below policypin/<pins>/, sorted by set and number. Refs
// there that don't have the form of a pin name are returned in odd.
func (r *Refs) Pins(pins string) (refs []PinRef, odd []string) { panic("unwritten") }

// LockOptions are the intervals of the lock. The zero value means: renew every
// 30 s, give up when the last renewal is 60 s old, take over a lock that has not
// changed for 2 minutes, wait as long as ctx allows.
type LockOptions struct {
	Renew, Expire, TakeOver time.Duration
	Wait                    time.Duration // 0: refuse at once with ErrLocked if held; negative: no limit
	Break                   bool          // take it over at once, whoever holds it
	Holder                  string        // who we are, for those who wait: "host pid 12, run URL"
	Waiting                 func(holder string, waited time.Duration)
}

// ErrLocked is wrapped when another run holds the lock; the text names it.
var ErrLocked = errors.New("another run holds the lock")

// ErrLockRefused is wrapped when the remote refuses the lock ref itself, as a
// ruleset may. The text has the server's words. publish then goes on without.
var ErrLockRefused = errors.New("the remote refuses the lock ref")

// ErrPinExists is wrapped when a tag name is taken by another pin. The text
// shows both.
var ErrPinExists = errors.New("a pin of that name exists with other content")

// ErrBadPin is wrapped for a tag that has a pin's name but isn't one.
var ErrBadPin = errors.New("not a valid pin")

// A PushResult is what became of one pin.
type PushResult struct {
	Pin *Pin  // as it is on the remote now, when Err is nil
	New bool  // this push created it
	Err error // the server's words, wrapped
}

package gitstore

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

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

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
	// AsOf is as [Repo.AsOf], with missing history fetched as for Descends.
	AsOf(ctx context.Context, from Hash, moment time.Time) ([]Hash, error)
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

// ErrAccess is wrapped when a remote wants other credentials than the ones it
// was given, if any, or says that they don't allow the request.
var ErrAccess = errors.New("the remote refuses access")

// ErrUnreachable is wrapped when there is no way to a remote: its name isn't
// known, nobody answers at its address, or the folder isn't there.
var ErrUnreachable = errors.New("the remote can't be reached")

// ErrPinExists is wrapped when a tag name is taken by another pin. The text
// shows both.
var ErrPinExists = errors.New("a pin of that name exists with other content")

// ErrBadPin is wrapped for a tag that has a pin's name but isn't one.
var ErrBadPin = errors.New("not a valid pin")

// ErrLightweight is wrapped, beside [ErrBadPin], for a tag without a tag object.
var ErrLightweight = errors.New("it is a lightweight tag")

// A PushResult is what became of one pin.
type PushResult struct {
	Pin *Pin  // as it is on the remote now, when Err is nil
	New bool  // this push created it
	Err error // the server's words, wrapped
}

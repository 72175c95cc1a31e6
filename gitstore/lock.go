package gitstore

import (
	"context"
	"errors"
	"time"
)

// LockOptions are the intervals of the lock. The zero value means: renew every
// 30 s, give up when the last renewal is 60 s old, take over a lock that has not
// changed for 2 minutes, don't wait for one that is held.
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

// A Lock is a held lock of a zone. While it is held it is renewed in the
// background.
type Lock struct{ held *heldLock }

type heldLock struct{}

// Context returns a context that ends when ctx does, or when the lock was lost;
// then [context.Cause] says why.
func (l *Lock) Context(ctx context.Context) context.Context { return ctx }

// Release gives the lock back. Calling it again does nothing.
func (l *Lock) Release(ctx context.Context) error { return nil }

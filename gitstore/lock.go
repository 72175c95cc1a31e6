package gitstore

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

// LockOptions are the intervals of the lock. The zero value means: renew every
// 30 s, give up when the last renewal is 60 s old, take over a lock that has not
// changed for 2 minutes, don't wait for one that is held.
//
// TakeOver must be longer than Expire, so that a holder has stopped before
// somebody else starts.
type LockOptions struct {
	Renew, Expire, TakeOver time.Duration
	Wait                    time.Duration // 0: refuse at once with ErrLocked if held; negative: no limit
	Break                   bool          // take it over at once, whoever holds it
	Holder                  string        // who we are, for those who wait: "host pid 12, run URL"
	Waiting                 func(holder string, waited time.Duration)
}

func (o LockOptions) withDefaults() (LockOptions, error) {
	o.Renew = cmp.Or(o.Renew, 30*time.Second)
	o.Expire = cmp.Or(o.Expire, 60*time.Second)
	o.TakeOver = cmp.Or(o.TakeOver, 2*time.Minute)
	if o.Waiting == nil {
		o.Waiting = func(string, time.Duration) {}
	}
	if o.Renew <= 0 || o.Renew >= o.Expire || o.Expire >= o.TakeOver {
		return o, errors.New("the intervals of a lock must be 0 < renew < expire < take over")
	}
	return o, nil
}

// poll is how often a waiter looks: often enough to notice in time, seldom
// enough for a server that many wait at.
func (o LockOptions) poll() time.Duration { return min(o.TakeOver/20, 5*time.Second) }

// ErrLocked is wrapped when another run holds the lock; the text names it.
var ErrLocked = errors.New("another run holds the lock")

// ErrLockRefused is wrapped when the remote refuses the lock ref itself, as a
// ruleset may. The text has the server's words. publish then goes on without.
var ErrLockRefused = errors.New("the remote refuses the lock ref")

// ErrLockLost is the cause with which a [Lock.Context] ends.
var ErrLockLost = errors.New("the lock was lost")

// A Lock is a held lock of a zone. While it is held it is renewed in the
// background.
type Lock struct {
	ref *lockRef // nil for a lock that is none

	lost   context.Context // ends when the lock is lost
	lose   context.CancelCauseFunc
	expiry *time.Timer

	stop    context.CancelFunc // ends the renewal
	stopped chan struct{}
	release sync.Once
}

// Context returns a context that ends when ctx does, or when the lock was lost;
// then [context.Cause] says why, with an error that wraps [ErrLockLost].
func (l *Lock) Context(ctx context.Context) context.Context {
	if l.ref == nil {
		return ctx
	}
	ctx, cancel := context.WithCancelCause(ctx)
	unwatch := context.AfterFunc(l.lost, func() { cancel(context.Cause(l.lost)) })
	context.AfterFunc(ctx, func() { unwatch() })
	return ctx
}

// releaseTimeout bounds a release that a canceled run still makes, so that those
// who wait needn't wait for the take-over.
const releaseTimeout = 15 * time.Second

// Release gives the lock back. Calling it again does nothing. If ctx is done
// already, Release still tries, for 15 seconds.
func (l *Lock) Release(ctx context.Context) (err error) {
	if l.ref == nil {
		return nil
	}
	l.release.Do(func() {
		l.stop()
		<-l.stopped
		l.expiry.Stop()
		if ctx.Err() != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
			defer cancel()
		}
		err = l.ref.remove(ctx)
	})
	return err
}

// keep starts the renewal of a lock that was taken or last renewed at the time
// began.
func keep(ref *lockRef, began time.Time) *Lock {
	l := &Lock{ref: ref, stopped: make(chan struct{})}
	l.lost, l.lose = context.WithCancelCause(context.Background())
	var ctx context.Context
	ctx, l.stop = context.WithCancel(l.lost)
	// The timer, not the renewal, decides that the lock has expired: a renewal
	// may hang.
	l.expiry = time.AfterFunc(ref.opts.Expire-time.Since(began), func() {
		l.lose(lockLost("it couldn't be renewed for " + ref.opts.Expire.String()))
	})
	go func() {
		defer close(l.stopped)
		l.renew(ctx)
	}()
	return l
}

// renew runs until ctx ends or the lock is lost.
func (l *Lock) renew(ctx context.Context) {
	opts := l.ref.opts
	for pause := opts.Renew; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		// What counts is when the renewal was sent: a waiter can't have seen the
		// new value before.
		began := time.Now()
		once, cancel := context.WithTimeout(ctx, opts.Expire)
		renewed, err := l.ref.renew(once)
		cancel()
		switch {
		case err == nil:
			if renewed.IsZero() {
				renewed = began
			}
			l.expiry.Reset(opts.Expire - time.Since(renewed))
			pause = opts.Renew
		case errors.Is(err, ErrLockLost):
			l.lose(err)
			return
		default:
			pause = opts.Renew / 4 // until it works or the timer fires
		}
	}
}

func lockLost(why string) error {
	return &remoteError{"the lock was lost: " + why, []error{ErrLockLost}}
}

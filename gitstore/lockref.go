package gitstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"strings"
	"time"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// A lockRef is the lock of a zone as a ref on a remote. Its value is a commit
// with an empty tree: servers and git fsck take one under any ref. Each renewal
// is another commit with a nonce, made from the one before by compare-and-swap.
type lockRef struct {
	remote *remote
	opts   LockOptions
	ref    string
	zone   string

	value Hash               // the last value of ours that was seen on the server
	mine  map[Hash]time.Time // every value that was sent, and when
	doubt bool               // a value was sent, and the answer was lost
}

const (
	lockPrefix   = "refs/policypin/lock/"
	lockHeldBy   = "policypin lock, held by "
	lockReleased = "policypin lock, released"
)

// Lock takes the lock of a zone.
func (r *remote) Lock(ctx context.Context, zoneID string, opts LockOptions) (*Lock, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	ref := lockPrefix + escapeName(zoneID)
	if zoneID == "" || len(ref) > maxPinName {
		return nil, fmt.Errorf("zone id %.80q can't be a ref name", zoneID)
	}
	l := &lockRef{remote: r, opts: opts, ref: ref, zone: zoneID, mine: map[Hash]time.Time{}}
	began, err := l.acquire(ctx)
	if err != nil {
		if l.doubt { // it may be ours although we don't know
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
			defer cancel()
			_ = l.remove(ctx)
		}
		return nil, fmt.Errorf("taking the lock of zone %s: %w", zoneID, err)
	}
	return keep(l, began), nil
}

// A swap is one look at the lock, and the update that was sent, if any.
type swap struct {
	before Hash // the value when the session began
	sent   Hash // zero if nothing was
	began  time.Time
	report *report
}

func (s swap) accepted(ref string) bool { return !s.sent.IsZero() && s.report.accepted(ref) }

// swap opens a session and sends the commit that choose makes for the value it
// sees, or nothing if choose returns nil.
func (l *lockRef) swap(ctx context.Context, choose func(now Hash) plumbing.EncodedObject) (swap, error) {
	s := swap{began: time.Now()}
	var err error
	s.report, err = l.remote.push(ctx, func(refs map[string]plumbing.Hash) ([]update, []plumbing.EncodedObject) {
		s.before = toHash(refs[l.ref])
		commit := choose(s.before)
		if commit == nil {
			return nil, nil
		}
		s.sent = toHash(commit.Hash())
		l.mine[s.sent] = s.began
		return []update{{l.ref, s.before, s.sent}}, []plumbing.EncodedObject{emptyTree(), commit}
	})
	if err == nil && !s.sent.IsZero() {
		l.doubt = l.doubt || s.report.status == nil
	}
	return s, err
}

// ours tells whether the value that a session saw was written by us.
func (l *lockRef) ours(h Hash) bool {
	_, ok := l.mine[h]
	return ok
}

const (
	// lockRefusals is how often a reason is met with another try that may be
	// another run's push at the same moment.
	lockRefusals = 5
	// lockErrors is how many requests in a row may fail while waiting.
	lockErrors = 3
)

// acquire returns when the value that is now ours was sent.
func (l *lockRef) acquire(ctx context.Context) (time.Time, error) {
	start := time.Now()
	var (
		seen     Hash      // the value of another run
		since    time.Time // since when it has been that
		holder   string
		free     bool // seen says that it was released
		refusals int
		failures int
	)
	for {
		s, err := l.swap(ctx, func(now Hash) plumbing.EncodedObject {
			switch {
			case l.ours(now):
				return nil
			case now.IsZero(), l.opts.Break:
			case now == seen && (free || time.Since(since) >= l.opts.TakeOver):
			default:
				return nil
			}
			return l.commit(lockHeldBy + l.opts.Holder)
		})
		if err == nil && !s.sent.IsZero() && s.report.status == nil {
			err = s.report.err // the next look shows whether it arrived
		}
		switch {
		case ctx.Err() != nil:
			return start, context.Cause(ctx)
		case err != nil && !l.ours(s.before):
			if failures++; failures == lockErrors || seen.IsZero() && !l.doubt || errors.Is(err, ErrAccess) {
				return start, err
			}
			if err := pause(ctx, l.opts.poll()); err != nil {
				return start, err
			}
			continue
		case l.ours(s.before): // the answer to an earlier push was lost
			l.value = s.before
			return l.mine[s.before], nil
		case s.accepted(l.ref):
			l.value = s.sent
			return s.began, nil
		}
		failures = 0

		if !s.before.IsZero() && s.before != seen {
			seen, since = s.before, time.Now()
			holder, free = l.holder(ctx, seen)
			refusals = 0
			if free {
				continue
			}
		}
		if !s.sent.IsZero() {
			refusals++
			reason := s.report.status[l.ref]
			if refusals == lockRefusals || isDeclined(reason) {
				return start, fmt.Errorf("%w %s: %w", ErrLockRefused, l.ref, s.report.refusal(l.remote.pushAt, l.ref))
			}
			if err := pause(ctx, min(l.opts.poll(), 300*time.Millisecond)); err != nil {
				return start, err
			}
			continue
		}

		waited := time.Since(start)
		if l.opts.Wait >= 0 && waited >= l.opts.Wait {
			return start, fmt.Errorf("%w: %s", ErrLocked, holder)
		}
		l.opts.Waiting(holder, waited)
		next := l.opts.poll()
		if l.opts.Wait > 0 {
			next = min(next, l.opts.Wait-waited)
		}
		if err := pause(ctx, next); err != nil {
			return start, err
		}
	}
}

// declined are words of servers that refuse a ref, as opposed to those that lost
// a race for it.
var declined = []string{"declined", "denied", "deny", "hidden", "protected", "prohibited", "not allowed", "not permitted", "violation", "funny refname"}

func isDeclined(reason string) bool {
	for _, word := range declined {
		if strings.Contains(strings.ToLower(reason), word) {
			return true
		}
	}
	return false
}

// renew swaps our value for a new one. If an earlier renewal, whose answer was
// lost, has arrived, it counts, and sentAt is when it was sent. The error wraps
// [ErrLockLost] if the value isn't ours.
func (l *lockRef) renew(ctx context.Context) (sentAt time.Time, err error) {
	s, err := l.swap(ctx, func(now Hash) plumbing.EncodedObject {
		if !l.ours(now) {
			return nil
		}
		return l.commit(lockHeldBy + l.opts.Holder)
	})
	switch {
	case err != nil:
		return sentAt, err
	case s.before.IsZero():
		return sentAt, lockLost("somebody has removed " + l.ref)
	case !l.ours(s.before):
		return sentAt, lockLost("taken over by " + l.successor(ctx, s.before))
	case s.accepted(l.ref):
		// Older values can't come back: each was swapped away, or its swap will
		// fail.
		l.value = s.sent
		maps.DeleteFunc(l.mine, func(h Hash, _ time.Time) bool { return h != s.sent })
		return s.began, nil
	case s.before != l.value:
		l.value = s.before
		return l.mine[s.before], nil
	}
	return sentAt, s.report.refusal(l.remote.pushAt, l.ref)
}

// remove gives the lock back, if it is still ours.
func (l *lockRef) remove(ctx context.Context) error {
	var last error
	for try := range 3 {
		if try > 0 {
			if err := pause(ctx, 200*time.Millisecond); err != nil {
				break
			}
		}
		ours := false
		rep, err := l.remote.push(ctx, func(refs map[string]plumbing.Hash) ([]update, []plumbing.EncodedObject) {
			now := toHash(refs[l.ref])
			if ours = l.ours(now); !ours {
				return nil, nil
			}
			return []update{{ref: l.ref, old: now}}, nil
		})
		switch {
		case err != nil:
			last = err
			continue
		case !ours || rep.accepted(l.ref):
			return nil
		}
		last = rep.refusal(l.remote.pushAt, l.ref)
		if !isDeclined(rep.status[l.ref]) {
			continue
		}
		// A server may forbid to delete refs. Then say that it is free.
		s, err := l.swap(ctx, func(now Hash) plumbing.EncodedObject {
			if !l.ours(now) {
				return nil
			}
			return l.commit(lockReleased)
		})
		if err == nil && (s.sent.IsZero() || s.accepted(l.ref)) {
			return nil
		}
	}
	return fmt.Errorf("releasing the lock of zone %s: %w", l.zone, last)
}

// successor says who has the lock now. The new holder renews it, so that a value
// can be gone before it is read; then it is the next one that counts.
func (l *lockRef) successor(ctx context.Context, value Hash) (holder string) {
	for range 5 {
		var now Hash
		if holder, now, _ = l.read(ctx, value); holder != unknownHolder || now.IsZero() {
			break
		}
		value = now
	}
	return holder
}

const unknownHolder = "a run that can't be named"

// holder reads whom a value of the lock names, and whether it was released.
func (l *lockRef) holder(ctx context.Context, value Hash) (holder string, released bool) {
	holder, _, released = l.read(ctx, value)
	return holder, released
}

// read is like holder, and says which value the ref had at that time.
func (l *lockRef) read(ctx context.Context, value Hash) (holder string, now Hash, released bool) {
	r := l.remote
	err := r.fetchBy(ctx, func(adv *packp.AdvRefs) (fetchRequest, error) {
		if now = toHash(adv.References[l.ref]); now != value {
			return fetchRequest{}, nil // it has changed, or is hidden from readers
		}
		return fetchRequest{wants: []plumbing.Hash{fromHash(value)}, depth: 1, commitsOnly: true}, nil
	})
	if err != nil {
		return unknownHolder, now, false
	}
	c, err := readCommit(stored{r.objects}, value)
	if err != nil {
		return unknownHolder, now, false
	}
	if c.Subject == lockReleased {
		return "nobody", now, true
	}
	holder, ok := strings.CutPrefix(c.Subject, lockHeldBy)
	if holder = oneLine(r.fetchAt.clean(holder)); !ok || holder == "" {
		return unknownHolder, now, false
	}
	return holder, now, false
}

func (l *lockRef) commit(subject string) plumbing.EncodedObject {
	obj := &plumbing.MemoryObject{}
	obj.SetType(plumbing.CommitObject)
	// The time is for people who look at the ref; it is never compared.
	who := fmt.Sprintf("policypin <policypin@localhost> %d +0000", time.Now().Unix())
	fmt.Fprintf(obj, "tree %s\nauthor %s\ncommitter %s\n\n%s\n\nZone: %s\nNonce: %s\n",
		emptyTree().Hash(), who, who, oneLine(subject), oneLine(l.zone), rand.Text())
	return obj
}

func emptyTree() plumbing.EncodedObject {
	obj := &plumbing.MemoryObject{}
	obj.SetType(plumbing.TreeObject)
	return obj
}

// oneLine makes text fit for a line of a commit message.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(s)
}

// pause waits for about d: waiters that started together spread out.
func pause(ctx context.Context, d time.Duration) error {
	d = d*3/4 + time.Duration(mathrand.Int64N(int64(d)/2+1))
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

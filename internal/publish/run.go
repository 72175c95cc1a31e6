package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
)

// Prepare reads the branch, the pins and the zone, and returns the plan. It can
// only read. A plan with refusals is returned together with an error that holds
// them, so that it can be shown. The error is a [diag.List] if the commit's
// files have problems.
func Prepare(ctx context.Context, r *keycard.Reader, src Source, opts Options) (*Plan, error) {
	h, err := loadCommit(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	plan, _, err := prepare(ctx, r, h)
	if err != nil {
		return nil, err
	}
	if len(plan.Refusals) > 0 {
		return plan, plan.Refusals
	}
	if a := plan.Activate; a != nil && !a.Done && !h.ours(a.ReplacesVersionID, plan) {
		plan.Notes = append(plan.Notes, fmt.Sprintf(
			"activating replaces v%d of %s (%s), which this target did not publish last: publish this plan, or give --replace-active %s",
			a.ReplacesVersion, a.ReplacesSet, a.ReplacesVersionID, a.ReplacesVersionID))
	}
	return plan, nil
}

// prepare reads and computes.
func prepare(ctx context.Context, r *keycard.Reader, h *history) (*Plan, *work, error) {
	if err := h.readOrigin(ctx); err != nil {
		return nil, nil, err
	}
	if err := h.judge(ctx); err != nil {
		return nil, nil, err
	}
	if err := h.readBefore(ctx); err != nil {
		return nil, nil, err
	}
	z, err := readZone(ctx, r, h)
	if err != nil {
		return nil, nil, err
	}
	plan, work, err := compute(h, z)
	if err != nil {
		return nil, nil, err
	}
	h.ask(ctx, plan)
	return plan, work, nil
}

// ours tells whether replacing an active version needs no further word: nothing
// is active, or it is what this target published last, before or in this run.
func (h *history) ours(active string, plan *Plan) bool {
	if active == "" || active == h.opts.ReplaceActive {
		return true
	}
	for _, pin := range h.known() {
		if pin.Record.VersionID == active {
			return true
		}
	}
	if plan.Activate == nil {
		return false
	}
	for _, s := range h.sets {
		if s.decl.Name == plan.Activate.Set && s.base != nil && s.base.Record.VersionID == active {
			return true
		}
	}
	return false
}

// A run is one publish.
type run struct {
	*history
	c    *keycard.Client
	plan *Plan
	work *work

	mu      sync.Mutex
	created Created
	done    []string
	notes   []string
	retried map[string]bool // sets whose create was repeated
}

// did records a step that is done.
func (r *run) did(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.mu.Lock()
	r.done = append(r.done, text)
	r.mu.Unlock()
	r.opts.progress("%s", text)
}

func (r *run) note(format string, args ...any) {
	r.mu.Lock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
	r.mu.Unlock()
}

func (r *run) count(f func(*Created)) {
	r.mu.Lock()
	f(&r.created)
	r.mu.Unlock()
}

// Publish makes the zone agree with the commit and pins it. The error is a
// [diag.List], a [Refusals], or an [Incomplete] that says what is done.
func Publish(ctx context.Context, c *keycard.Client, src Source, opts Options) (*Receipt, error) {
	opts.Merged = false // nothing is published as if
	h, err := loadCommit(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	r := &run{history: h, c: c, retried: map[string]bool{}}
	ctx, unlock, err := r.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()

	if r.plan, r.work, err = prepare(ctx, c.Reader, h); err != nil {
		return nil, lost(ctx, err)
	}
	if err := r.allowed(); err != nil {
		return nil, err
	}
	if err := r.apply(ctx); err != nil {
		return nil, &Incomplete{Done: r.done, Err: lost(ctx, err)}
	}
	activated, err := r.activate(ctx)
	if err != nil {
		return nil, &Incomplete{Done: r.done, Err: lost(ctx, err)}
	}
	return r.receipt(activated), nil
}

// lock takes the zone's lock. A remote that refuses the lock ref is no reason
// to stop: what is promised without it is in docs/publish.md.
func (r *run) lock(ctx context.Context) (context.Context, func(), error) {
	lock, err := r.src.Origin.Lock(ctx, r.target.ZoneID, r.opts.Lock)
	if errors.Is(err, gitstore.ErrLockRefused) {
		r.note("%v; runs at the same time are not kept apart, so a spare version may appear", err)
		return ctx, func() {}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	release := func() {
		// The lock must be given back when ctx has ended, too.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		if err := lock.Release(ctx); err != nil {
			r.opts.progress("the lock could not be given back: %v", err)
		}
	}
	return lock.Context(ctx), release, nil
}

// lost turns an error that only says "context canceled" into the reason for it,
// such as a lost lock.
func lost(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// allowed holds the plan to the guards and to the approved plan.
func (r *run) allowed() error {
	if len(r.plan.Refusals) > 0 {
		return r.plan.Refusals
	}
	approved := r.opts.Expected
	if approved != nil && !r.plan.matches(approved) {
		return Refusals{{
			Code:    StalePlan,
			Message: fmt.Sprintf("the plan %s was approved, and this run's is %s: %s", short(approved.Digest), short(r.plan.Digest), r.plan.difference(approved)),
			Hint:    "make a new plan and have it approved",
		}}
	}
	a := r.plan.Activate
	if a == nil || a.Done || r.ours(a.ReplacesVersionID, r.plan) {
		return nil
	}
	if r.work.activate.action == Superseded {
		return nil
	}
	if approved != nil && approved.Activate != nil && approved.Activate.ReplacesVersionID == a.ReplacesVersionID {
		return nil
	}
	return Refusals{foreignActive(a.Set, a.ReplacesSet, a.ReplacesVersion, a.ReplacesVersionID)}
}

func foreignActive(set, activeSet string, version int, id string) *Refusal {
	return &Refusal{
		Code: ActiveChanged, Set: set,
		Message: fmt.Sprintf("v%d of %s (%s) is active, which this target did not publish last", version, activeSet, id),
		Hint:    fmt.Sprintf("to replace it, publish a plan that names it, or give --replace-active %s", id),
	}
}

func short(digest string) string {
	if len(digest) > 12 {
		return digest[:12]
	}
	return digest
}

// apply creates what is missing, reads it back, and pins it.
func (r *run) apply(ctx context.Context) error {
	var pinning []*setWork
	for _, w := range r.work.sets {
		switch w.action {
		case Create, Update, Adopt:
			pinning = append(pinning, w)
		}
	}
	if len(pinning) > 0 {
		// Missing access is found here, before anything is created.
		if err := r.src.Origin.CheckPush(ctx); err != nil {
			return fmt.Errorf("pins can't be pushed to %s: %w", r.src.Origin.Name(), err)
		}
	}
	if err := r.applyPolicies(ctx); err != nil {
		return err
	}
	for _, w := range r.work.sets {
		if err := r.applySet(ctx, w); err != nil {
			return fmt.Errorf("policy set %s: %w", w.name(), err)
		}
	}
	if len(pinning) == 0 {
		return nil
	}
	return r.pinAll(ctx, pinning)
}

// receipt says what was done.
func (r *run) receipt(activated *Activated) *Receipt {
	rc := &Receipt{
		Schema: 1, Target: r.target.Name, ZoneID: r.target.ZoneID, Commit: r.src.Commit,
		PlanDigest: r.plan.Digest, Sets: []SetReceipt{}, Activation: activated,
		Notes: append(append(r.plan.Notes, r.gateNotes(r.plan)...), r.notes...), Created: r.created,
	}
	for _, w := range r.work.sets {
		s := SetReceipt{Name: w.name(), Status: Published, Reason: w.reason, SetDigest: w.past.digest.String()}
		if w.action == Unchanged || w.action == Superseded {
			s.Status = w.action
		}
		if w.result != nil {
			s.PolicySetID, s.VersionID, s.Version = w.result.PolicySetID, w.result.ID, w.result.Version
			s.ManifestSHA = keycard.NormalSHA(w.result.ManifestSHA)
		}
		if w.pin != nil {
			s.Tag, s.TagObject, s.PinCommit = w.pin.Name, w.pin.Object, w.pin.Commit
		}
		rc.Sets = append(rc.Sets, s)
	}
	return rc
}

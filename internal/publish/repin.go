package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
)

// PinExists is the code of a refusal to pin a version that has its pin.
const PinExists = "pin-exists"

// Repin writes the pin of a version again, after it was lost: the tag that
// publish wrote, from the commit and the zone alone, once the version is known
// to hold what the commit says. number 0 is the one version of the set without
// a pin that does. It writes nothing to the zone.
//
// What publish recorded as evidence can't be found out again: approvals, the
// signature, and an attestation that was signed anew. All else is equal, and so
// is the object where there were none.
//
// The error is a [diag.List], or a [Refusals] with code pin-exists, mismatch,
// unreachable or diverged.
func Repin(ctx context.Context, c *keycard.Reader, src Source, set string, number int, opts Options) (*Receipt, error) {
	h, err := loadCommit(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(h.sets, func(s *setHistory) bool { return s.decl.Name == set })
	if i < 0 {
		return nil, Refusals{{
			Code: Mismatch, Set: set,
			Message: fmt.Sprintf("commit %s declares no policy set %s for target %s", src.Commit.Short(), set, src.Target),
			Hint:    "give the commit that was published with --rev",
		}}
	}
	r := &repinning{run: &run{history: h}, zone: c, past: h.sets[i]}
	ctx, unlock, err := r.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	rc, err := r.repin(ctx, number)
	if err != nil {
		return nil, lost(ctx, err)
	}
	return rc, nil
}

// repinning is one run of Repin.
type repinning struct {
	*run
	zone *keycard.Reader
	past *setHistory
	tags []gitstore.PinRef // the target's, by set and number
	id   string            // of the policy set
}

func (r *repinning) no(code, hint, format string, args ...any) error {
	name := r.past.decl.Name
	return Refusals{{Code: code, Set: name, Hint: hint, Message: fmt.Sprintf("policy set %s: ", name) + fmt.Sprintf(format, args...)}}
}

func (r *repinning) repin(ctx context.Context, number int) (*Receipt, error) {
	if err := r.readRefs(ctx); err != nil {
		return nil, err
	}
	if number > 0 {
		if err := r.free(number); err != nil {
			return nil, err
		}
	}
	if err := r.readSetID(ctx); err != nil {
		return nil, err
	}
	w, err := r.find(ctx, number)
	if err != nil {
		return nil, err
	}
	if err := r.inOrder(ctx, w.result.Version); err != nil {
		return nil, err
	}
	pin, err := gitstore.NewPin(r.target.Pins, r.src.Commit, r.record(w))
	if err == nil && r.opts.Sign != nil {
		pin, err = r.opts.Sign(ctx, pin)
	}
	if err != nil {
		return nil, err
	}
	if err := r.src.Origin.CheckPush(ctx); err != nil {
		return nil, fmt.Errorf("pins can't be pushed to %s: %w", r.src.Origin.Name(), err)
	}
	results, err := r.src.Origin.PushPins(ctx, []*gitstore.Pin{pin})
	if err != nil {
		return nil, fmt.Errorf("pushing %s: %w", pin.Name, err)
	}
	if err := results[0].Err; err != nil {
		return nil, fmt.Errorf("pushing %s: %w", pin.Name, err)
	}
	w.pin = results[0].Pin
	created := Created{}
	if results[0].New {
		created.Pins = 1
	}
	return &Receipt{
		Schema: 1, Target: r.target.Name, ZoneID: r.target.ZoneID, Commit: r.src.Commit,
		Sets: []SetReceipt{{
			Name: w.name(), Status: Published, Reason: "its pin was lost", SetDigest: w.past.digest.String(),
			PolicySetID: w.result.PolicySetID, VersionID: w.result.ID, Version: w.result.Version,
			ManifestSHA: keycard.NormalSHA(w.result.ManifestSHA),
			Tag:         w.pin.Name, TagObject: w.pin.Object, PinCommit: w.pin.Commit,
		}},
		Notes: append([]string{}, r.notes...), Created: created,
	}, nil
}

// readRefs lists the origin, and refuses a commit that was never published from
// the target's branch.
func (r *repinning) readRefs(ctx context.Context) error {
	refs, err := r.src.Origin.Refs(ctx)
	if err != nil {
		return fmt.Errorf("listing %s: %w", r.src.Origin.Name(), err)
	}
	branch, tip, ok := refs.Branch(r.target.Branch)
	if !ok {
		return noBranch(r.src.Origin.Name(), branch, r.target)
	}
	if on, err := r.src.Origin.Descends(ctx, tip, r.src.Commit); err != nil {
		return fmt.Errorf("is %s on %s: %w", r.src.Commit.Short(), branch, err)
	} else if !on && r.opts.NewBase == "" {
		return r.no(Unreachable, "if history was rewritten since it was published, say so with --new-base REASON",
			"commit %s is not on %s of %s", r.src.Commit.Short(), branch, r.src.Origin.Name())
	}
	r.tags, _ = refs.Pins(r.target.Pins)
	r.refs = refs
	return nil
}

// free refuses a version that has a pin, or something under its name.
func (r *repinning) free(number int) error {
	name, err := gitstore.PinName(r.target.Pins, r.past.decl.Name, number)
	if err != nil {
		return err
	}
	if object, ok := r.refs.All["refs/tags/"+name]; ok {
		return r.no(PinExists, "pins never move; policypin verify tells whether it is damaged, and a damaged one must be removed by hand first",
			"%s exists already, as object %s", name, object.Short())
	}
	return nil
}

// readSetID finds the set by its name or, if it has another one today, as the
// pins of its other versions say. Whatever it is, its content is compared.
func (r *repinning) readSetID(ctx context.Context) error {
	name := r.past.decl.Name
	for s, err := range r.zone.PolicySets(ctx, keycard.ListOptions{Query: name}) {
		if err != nil {
			return fmt.Errorf("looking the set up: %w", err)
		}
		if s.Name == name {
			r.id = s.ID
		}
	}
	var newest []gitstore.PinRef
	for i, ref := range r.tags {
		if i+1 == len(r.tags) || r.tags[i+1].Set != ref.Set {
			newest = append(newest, ref)
		}
	}
	pins, err := r.readPins(ctx, newest)
	if err != nil {
		return err
	}
	r.last = map[string]*gitstore.Pin{}
	for _, pin := range pins {
		if pin.Record.ZoneID != r.target.ZoneID {
			if pin.Set == name {
				return r.no(PinName, "", "pin %s belongs to zone %s, not to %s", pin.Name, pin.Record.ZoneID, r.target.ZoneID)
			}
			continue // its names are those of another zone's policies
		}
		r.last[pin.Set] = pin
		if pin.Set == name && r.id == "" {
			r.id = pin.Record.PolicySetID
		}
	}
	if r.id == "" {
		return r.no(Mismatch, "if it was renamed, repin needs another pin of it to know its id",
			"zone %s has no policy set of this name", r.target.ZoneID)
	}
	return nil
}

// readPins reads pins, and notes those that are damaged.
func (r *repinning) readPins(ctx context.Context, refs []gitstore.PinRef) ([]*gitstore.Pin, error) {
	pins, err := r.src.Origin.ReadPins(ctx, refs)
	if !errors.Is(err, gitstore.ErrBadPin) {
		return pins, err
	}
	pins = nil
	for _, ref := range refs {
		one, err := r.src.Origin.ReadPins(ctx, []gitstore.PinRef{ref})
		if errors.Is(err, gitstore.ErrBadPin) {
			r.note("%v", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		pins = append(pins, one...)
	}
	return pins, nil
}

// inOrder refuses a commit that isn't between those of the versions before and
// after it: equal content may have been published from several commits.
func (r *repinning) inOrder(ctx context.Context, number int) error {
	var near []gitstore.PinRef // the one below, the one above
	for _, ref := range r.tags {
		switch {
		case ref.Set != r.past.decl.Name:
		case ref.Number < number:
			near = []gitstore.PinRef{ref}
		case len(near) == 0 || near[len(near)-1].Number < number:
			near = append(near, ref)
		}
	}
	pins, err := r.readPins(ctx, near)
	if err != nil {
		return err
	}
	delete(r.last, r.past.decl.Name)
	for _, pin := range pins {
		older, newer := pin.Commit, r.src.Commit
		if pin.Number < number {
			r.last[pin.Set] = pin // what publish saw
		} else {
			older, newer = newer, older
		}
		if r.opts.NewBase != "" {
			continue
		}
		ok, err := r.src.Origin.Descends(ctx, newer, older)
		if err != nil {
			return fmt.Errorf("comparing with %s: %w", pin.Name, err)
		}
		if !ok {
			return r.no(Diverged, "find the commit that was published, or say with --new-base REASON that history was rewritten",
				"commit %s can't be that of v%d, since %s is on %s", r.src.Commit.Short(), number, pin.Name, pin.Commit.Short())
		}
	}
	return nil
}

package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/keycard"
)

// pinAll pins the versions of all sets with one push.
func (r *run) pinAll(ctx context.Context, sets []*setWork) error {
	refs, err := r.src.Origin.Refs(ctx)
	if err != nil {
		return fmt.Errorf("reading the pins again: %w", err)
	}
	r.refs = refs
	var pins []*gitstore.Pin
	var pinned []*setWork
	for _, w := range sets {
		if err := r.overtaken(ctx, w); err != nil {
			return err
		}
		if w.action == Superseded || w.pin != nil {
			continue
		}
		pin, err := gitstore.NewPin(r.target.Pins, r.src.Commit, r.record(w))
		if err == nil && r.opts.Sign != nil {
			pin, err = r.opts.Sign(ctx, pin)
		}
		if err != nil {
			return fmt.Errorf("policy set %s: %w", w.name(), err)
		}
		pins = append(pins, pin)
		pinned = append(pinned, w)
	}
	if len(pins) == 0 {
		return nil
	}
	results, err := r.src.Origin.PushPins(ctx, pins)
	if err != nil {
		var names []string
		for _, w := range pinned {
			names = append(names, fmt.Sprintf("v%d of %s", w.result.Version, w.name()))
		}
		return fmt.Errorf("%s: in the zone, but perhaps not pinned, and not active: %w", strings.Join(names, ", "), err)
	}
	var errs []error
	for i, res := range results {
		w := pinned[i]
		switch {
		case errors.Is(res.Err, gitstore.ErrPinExists):
			errs = append(errs, res.Err)
		case res.Err != nil:
			binding := "not active"
			if w.result.Active != nil && *w.result.Active { // it was there before
				binding = "active"
			}
			errs = append(errs, fmt.Errorf("v%d of %s exists, is not pinned and %s: pushing %s: %w",
				w.result.Version, w.name(), binding, pins[i].Name, res.Err))
		default:
			w.pin = res.Pin
			if res.New {
				r.count(func(c *Created) { c.Pins++ })
			}
			r.did("pinned v%d of policy set %s as %s", w.result.Version, w.name(), res.Pin.Name)
		}
	}
	return errors.Join(errs...)
}

// overtaken looks at the pins that were not there when the plan was made. With
// the lock there are none. Without it, another run may have pinned a newer
// commit, or the same content.
func (r *run) overtaken(ctx context.Context, w *setWork) error {
	refs, _ := r.refs.Pins(r.target.Pins)
	for _, ref := range refs {
		if ref.Set != w.name() || slices.ContainsFunc(w.past.pins, func(p gitstore.PinRef) bool { return p.Name == ref.Name }) {
			continue
		}
		if ref.Number == w.result.Version {
			continue // the push compares them
		}
		read, err := r.src.Origin.ReadPins(ctx, []gitstore.PinRef{ref})
		if err != nil {
			return err
		}
		pin := read[0]
		switch same, err := r.digestOf(ctx, pin); {
		case err != nil:
			return err
		case same == w.past.digest.String():
			if w.action != Adopt {
				if err := r.archiveSpare(ctx, w, w.result); err != nil {
					return err
				}
			}
			if w.result, err = r.c.SetVersion(ctx, pin.Record.PolicySetID, pin.Record.VersionID); err != nil {
				return err
			}
			w.pin, w.reason = pin, "another run published this content at the same time"
			return nil
		}
		newer, err := r.src.Origin.Descends(ctx, pin.Commit, r.src.Commit)
		if err != nil {
			return err
		}
		if newer && pin.Commit != r.src.Commit {
			w.action, w.reason = Superseded, fmt.Sprintf("%s pins the newer commit %s", pin.Name, pin.Commit.Short())
			return nil
		}
	}
	return nil
}

// record is what the pin says. Every value comes from the version as it was
// read back, so that a resumed run writes the same bytes.
func (r *run) record(w *setWork) gitstore.Record {
	v := w.result
	rec := gitstore.Record{
		Format: gitstore.RecordFormat, Target: r.target.Name, Project: r.src.Dir,
		ZoneID: r.target.ZoneID, PolicySetID: v.PolicySetID, PolicySet: w.name(),
		VersionID: v.ID, Version: v.Version, SchemaVersion: v.SchemaVersion, ManifestSHA: v.ManifestSHA,
		CreatedAt: v.CreatedAt, CreatedBy: v.CreatedBy,
		SetDigest: w.past.digest.String(), DigestFormat: cedar.DigestFormat,
		Attestation: v.Attestation, Approvals: r.approvalsOf(r.plan, w.name()), Entries: []gitstore.RecordEntry{},
	}
	if len(rec.Attestation) == 0 {
		rec.Attestation = json.RawMessage("null")
	}
	byID := map[string]wantedEntry{}
	for _, want := range w.wants {
		byID[want.version().ID] = want
	}
	for _, e := range v.Entries {
		want := byID[e.VersionID]
		live := want.version()
		sha := e.SHA
		if sha == "" {
			sha = live.SHA
		}
		name := want.decl.Policy
		if name == "" {
			name = r.nameOf(e.PolicyID)
		}
		rec.Entries = append(rec.Entries, gitstore.RecordEntry{
			Policy: name, PolicyID: e.PolicyID, VersionID: e.VersionID, Version: live.Version, SHA: sha,
		})
	}
	return rec
}

// nameOf is the name of a policy that the manifest has only by id, if a pin
// knows it.
func (r *run) nameOf(id string) string {
	for _, pin := range r.known() {
		for _, e := range pin.Record.Entries {
			if e.PolicyID == id && e.Policy != "" {
				return e.Policy
			}
		}
	}
	return ""
}

// activate binds the version of the active set, after its pin. What is active
// and the tip of the branch are read again right before; the moment that is
// left can't be closed, since the API has no conditional activation.
func (r *run) activate(ctx context.Context) (*Activated, error) {
	a := r.plan.Activate
	if a == nil {
		return nil, nil
	}
	w := r.work.activate
	act := &Activated{Set: a.Set, Replaced: a.ReplacesVersionID, ReplacedSet: a.ReplacesSet, ReplacedVersion: a.ReplacesVersion, Status: Superseded}
	if w.action == Superseded {
		return act, nil
	}
	act.VersionID, act.Version = w.result.ID, w.result.Version
	if w.result.ID == a.ReplacesVersionID {
		act.Status = Unchanged
		return act, nil
	}
	now, err := activeSet(ctx, r.c.Reader)
	if err != nil {
		return nil, err
	}
	switch {
	case now == nil && a.ReplacesVersionID != "":
		return nil, Refusals{{
			Code: ActiveChanged, Set: a.Set,
			Message: fmt.Sprintf("nothing is active any more in zone %s, where v%d of %s (%s) was", r.target.ZoneID, a.ReplacesVersion, a.ReplacesSet, a.ReplacesVersionID),
			Hint:    "run the same command again",
		}}
	case now != nil && now.ActiveVersionID != a.ReplacesVersionID && now.ActiveVersionID != w.result.ID:
		return nil, Refusals{foreignActive(a.Set, now.Name, now.ActiveVersion, now.ActiveVersionID)}
	}
	if moved, err := r.tipMoved(ctx, w); err != nil {
		return nil, err
	} else if moved != "" {
		w.reason = moved
		return act, nil
	}
	if err := bind(ctx, r.c, w.result); err != nil {
		return nil, err
	}
	r.did("activated v%d of policy set %s", w.result.Version, w.name())
	act.Status = WasActivated
	return act, nil
}

// tipMoved says why the version must not be activated any more, or nothing.
func (r *run) tipMoved(ctx context.Context, w *setWork) (string, error) {
	refs, err := r.src.Origin.Refs(ctx)
	if err != nil {
		return "", fmt.Errorf("reading the tip again: %w", err)
	}
	_, tip, ok := refs.Branch(r.target.Branch)
	switch {
	case r.opts.BehindTip:
		return "", nil
	case !ok:
		return "", fmt.Errorf("%s has no branch %s any more; nothing was activated", r.src.Origin.Name(), r.branch)
	case tip == r.tip, tip == r.src.Commit:
		return "", nil
	}
	tree, err := r.treeOf(ctx, tip, r.src.Dir)
	if err != nil {
		return "", err
	}
	if r.declares(tree, w.past) {
		return "", nil
	}
	return fmt.Sprintf("pinned, but not activated: %s moved to %s, which says something else", r.branch, tip.Short()), nil
}

// bind activates a version and reads the binding back.
func bind(ctx context.Context, c *keycard.Client, v *keycard.PolicySetVersion) error {
	if _, err := c.Activate(ctx, v.PolicySetID, v.ID); err != nil {
		return fmt.Errorf("activating v%d: %w", v.Version, err)
	}
	now, err := activeSet(ctx, c.Reader)
	if err != nil {
		return err
	}
	if now == nil || now.ActiveVersionID != v.ID {
		return fmt.Errorf("v%d was activated, but the zone says that another version is active", v.Version)
	}
	return nil
}

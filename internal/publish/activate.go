package publish

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// ErrNoPin is wrapped when no pin is what the caller asked for.
var ErrNoPin = errors.New("no such pin")

// Activate binds a pinned version of a set: version is "" for the newest pin,
// "previous" for the one before the active version, "v12" or "12", or a tag
// name. It is the rollback, and not held to the tip of the branch.
func Activate(ctx context.Context, c *keycard.Client, src Source, set, version string, opts Options) (*Receipt, error) {
	h := &history{src: src, opts: opts}
	fsys, err := src.Repo.TreeAt(src.Commit, src.Dir)
	if err != nil {
		return nil, err
	}
	project, problems, err := manifest.LoadProject(fsys)
	if err != nil {
		return nil, err
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	target, ok := project.Target(src.Target)
	if !ok {
		return nil, &UnknownTargetError{Name: src.Target, Project: project}
	}
	h.target = target
	r := &run{history: h, c: c}
	ctx, unlock, err := r.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	rc, err := r.rebind(ctx, set, version)
	if err != nil {
		return nil, lost(ctx, err)
	}
	return rc, nil
}

// rebind chooses the pin, checks that the zone still has what it records, and
// activates it.
func (r *run) rebind(ctx context.Context, set, version string) (*Receipt, error) {
	refs, err := r.src.Origin.Refs(ctx)
	if err != nil {
		return nil, err
	}
	active, err := activeSet(ctx, r.c.Reader)
	if err != nil {
		return nil, err
	}
	all, _ := refs.Pins(r.target.Pins)
	pins := slices.DeleteFunc(slices.Clone(all), func(p gitstore.PinRef) bool { return p.Set != set })
	slices.SortFunc(pins, func(a, b gitstore.PinRef) int { return b.Number - a.Number })
	if len(pins) == 0 {
		return nil, fmt.Errorf("%w: policy set %s has no pin in target %s", ErrNoPin, set, r.target.Name)
	}
	ref, err := choose(pins, set, version, active)
	if err != nil {
		return nil, err
	}
	read, err := r.src.Origin.ReadPins(ctx, []gitstore.PinRef{ref})
	if err != nil {
		return nil, err
	}
	pin := read[0]
	if version == "previous" && pin.Record.PolicySetID != active.ID {
		return nil, fmt.Errorf("%w: policy set %s is active, so %s has no previous version; name one", ErrNoPin, active.Name, set)
	}
	v, err := r.verified(ctx, pin)
	if err != nil {
		return nil, err
	}
	rc := &Receipt{
		Schema: 1, Target: r.target.Name, ZoneID: r.target.ZoneID, Commit: pin.Commit,
		Sets: []SetReceipt{{
			Name: set, Status: Unchanged, PolicySetID: v.PolicySetID, VersionID: v.ID, Version: v.Version,
			ManifestSHA: keycard.NormalSHA(v.ManifestSHA), SetDigest: pin.Record.SetDigest,
			Tag: pin.Name, TagObject: pin.Object, PinCommit: pin.Commit,
		}},
		Notes:      append([]string{}, r.notes...),
		Activation: &Activated{Set: set, VersionID: v.ID, Version: v.Version, Status: Unchanged},
	}
	if active != nil {
		rc.Activation.Replaced, rc.Activation.ReplacedSet, rc.Activation.ReplacedVersion = active.ActiveVersionID, active.Name, active.ActiveVersion
		if active.ActiveVersionID == v.ID {
			return rc, nil
		}
		ours := active.ActiveVersionID == r.opts.ReplaceActive || active.ID == v.PolicySetID
		if !ours {
			if ours, err = r.knows(ctx, all, active); err != nil {
				return nil, err
			}
		}
		if !ours {
			return nil, Refusals{foreignActive(set, active.Name, active.ActiveVersion, active.ActiveVersionID)}
		}
	}
	if err := bind(ctx, r.c, v); err != nil {
		return nil, err
	}
	rc.Activation.Status = WasActivated
	return rc, nil
}

// verified is the version that a pin records, as long as the zone agrees.
func (r *run) verified(ctx context.Context, pin *gitstore.Pin) (*keycard.PolicySetVersion, error) {
	rec := pin.Record
	refuse := func(code, format string, args ...any) error {
		return Refusals{{Code: code, Set: rec.PolicySet, Message: fmt.Sprintf("pin %s: ", pin.Name) + fmt.Sprintf(format, args...)}}
	}
	if rec.ZoneID != r.target.ZoneID {
		return nil, refuse(PinName, "it belongs to zone %s, not to %s", rec.ZoneID, r.target.ZoneID)
	}
	v, err := r.c.SetVersion(ctx, rec.PolicySetID, rec.VersionID)
	if errors.Is(err, keycard.ErrNotFound) {
		if why, hint, ok := r.anotherLocal(); ok {
			return nil, Refusals{{
				Code: Mismatch, Set: rec.PolicySet, Hint: hint,
				Message: fmt.Sprintf("pin %s: the zone has no version %s; %s", pin.Name, rec.VersionID, why),
			}}
		}
		return nil, refuse(Mismatch, "the zone has no version %s", rec.VersionID)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case v.ArchivedAt != nil:
		return nil, refuse(Archived, "v%d is archived", v.Version)
	case v.Version != rec.Version || keycard.NormalSHA(v.ManifestSHA) != keycard.NormalSHA(rec.ManifestSHA):
		return nil, refuse(Mismatch, "it records v%d with manifest sha %s, the zone has v%d with %s",
			rec.Version, keycard.NormalSHA(rec.ManifestSHA), v.Version, keycard.NormalSHA(v.ManifestSHA))
	}
	if v.PolicySetID == "" {
		v.PolicySetID = rec.PolicySetID
	}
	return v, nil
}

// knows tells whether the active version is of a policy set that this target
// pins. A tag that can't be read as a pin knows nothing: it must not stand in the
// way of a rollback.
func (r *run) knows(ctx context.Context, all []gitstore.PinRef, active *keycard.PolicySet) (bool, error) {
	newest := map[string]gitstore.PinRef{}
	for _, ref := range all {
		if ref.Number > newest[ref.Set].Number {
			newest[ref.Set] = ref
		}
	}
	for _, ref := range newest {
		read, err := r.src.Origin.ReadPins(ctx, []gitstore.PinRef{ref})
		if errors.Is(err, gitstore.ErrBadPin) {
			continue
		}
		if err != nil {
			return false, err
		}
		if rec := read[0].Record; rec.ZoneID == r.target.ZoneID && rec.PolicySetID == active.ID {
			return true, nil
		}
	}
	return false, nil
}

var numberForm = regexp.MustCompile(`^v?([1-9][0-9]*)$`)

// choose picks the pin that version names among a set's pins, newest first.
func choose(pins []gitstore.PinRef, set, version string, active *keycard.PolicySet) (gitstore.PinRef, error) {
	switch number := numberForm.FindStringSubmatch(version); {
	case version == "":
		return pins[0], nil
	case version == "previous":
		if active == nil || active.ActiveVersion == 0 {
			return gitstore.PinRef{}, fmt.Errorf("%w: nothing is active, so there is no previous version", ErrNoPin)
		}
		i := slices.IndexFunc(pins, func(p gitstore.PinRef) bool { return p.Number < active.ActiveVersion })
		if i < 0 {
			return gitstore.PinRef{}, fmt.Errorf("%w: no pin of %s is older than v%d of %s, which is active", ErrNoPin, set, active.ActiveVersion, active.Name)
		}
		return pins[i], nil
	case number != nil:
		n, err := strconv.Atoi(number[1])
		i := slices.IndexFunc(pins, func(p gitstore.PinRef) bool { return p.Number == n })
		if err != nil || i < 0 {
			return gitstore.PinRef{}, fmt.Errorf("%w: %s has no pin v%s; the newest is v%d", ErrNoPin, set, number[1], pins[0].Number)
		}
		return pins[i], nil
	}
	name := strings.TrimPrefix(version, "refs/tags/")
	i := slices.IndexFunc(pins, func(p gitstore.PinRef) bool { return p.Name == name })
	if i < 0 {
		return gitstore.PinRef{}, fmt.Errorf("%w: %q is neither previous, nor a number such as v%d, nor a pin of %s", ErrNoPin, version, pins[0].Number, set)
	}
	return pins[i], nil
}

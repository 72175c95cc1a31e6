package publish

import (
	"context"
	"fmt"
	"slices"

	"github.com/policypin/policypin/internal/keycard"
)

// A liveVersion is what the version that decides requests holds.
type liveVersion struct {
	schema   string
	policies []*keycard.PolicyVersion // with text
}

// deciding is the set that decides requests once this run is done, if the run
// gives it a version: the one to be activated, or the one that is active.
func (h *history) deciding(z *zoneState) *setHistory {
	name := h.target.Active
	if name == "" && len(h.sets) == 1 {
		name = h.sets[0].decl.Name
	}
	s := find(h.sets, func(s *setHistory) bool {
		if h.opts.Activate {
			return s.decl.Name == name
		}
		st := z.sets[s.decl.Name]
		return st != nil && z.active != nil && st.id == z.active.ID
	})
	if s == nil || s.superseded != "" || s.decl.TargetType != "zone" {
		return nil
	}
	return s
}

// gated tells whether any gate wants to know what decisions change, or whoever
// reads the plan does.
func (h *history) gated() bool {
	gates := h.tree.Project.Gates
	return h.opts.Decisions || gates.Widened != wordAllow || gates.Uncovered != wordAllow
}

// readActive reads what the active version holds, if a gate compares with it:
// for a set without a pin, and for the policies of Keycard in the set that
// decides. Often it was read with that set already.
func (zr *zoneReader) readActive(ctx context.Context) error {
	active := zr.z.active
	if active == nil {
		return nil
	}
	is := func(v *keycard.PolicySetVersion) bool { return v != nil && v.ID == active.ActiveVersionID }
	need := zr.h.gated() && slices.ContainsFunc(zr.h.sets, func(s *setHistory) bool {
		return s.pin == nil && s.superseded == "" && s.decl.TargetType == "zone"
	})
	if s := zr.h.deciding(zr.z); s != nil {
		st := zr.z.sets[s.decl.Name]
		need = need || zr.h.opts.Activate && !(s.same && is(st.pinned)) || !s.same
	}
	if !need {
		return nil
	}
	for _, st := range zr.z.sets {
		for _, v := range []*keycard.PolicySetVersion{st.pinned, st.adoption} {
			if is(v) {
				zr.z.live = &liveVersion{v.SchemaVersion, st.base}
				return nil
			}
		}
	}
	v, err := zr.SetVersion(ctx, active.ID, active.ActiveVersionID)
	if err != nil {
		return fmt.Errorf("reading the active version of policy set %s: %w", active.Name, err)
	}
	st := &setState{id: active.ID}
	if err := zr.readBase(ctx, st, v, nil); err != nil {
		return fmt.Errorf("reading the active version of policy set %s: %w", active.Name, err)
	}
	zr.z.live = &liveVersion{v.SchemaVersion, st.base}
	return zr.nameLive(ctx)
}

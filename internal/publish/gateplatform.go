package publish

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/keycard"
)

// gatePlatform closes when what decides requests loses a policy that Keycard
// manages, such as the one that lets users have their default grants. Nothing in
// the repository says which policies those are, so it can't be turned off there.
//
// Where the active version is of a set that this target didn't publish, replacing
// it needs a word of its own, which names that version. There the gate only says
// what goes with it.
func (c *computer) gatePlatform() {
	s := c.h.deciding(c.z)
	if s == nil || c.z.live == nil {
		return
	}
	w := find(c.work.sets, func(w *setWork) bool { return w.past == s })
	idle := w.action == Unchanged && !c.h.opts.Activate
	if idle || !w.resolved() || w.result != nil && w.result.ID == c.z.active.ActiveVersionID {
		return
	}
	lost := c.lost(w)
	active := fmt.Sprintf("v%d of %s", c.z.active.ActiveVersion, c.z.active.Name)
	if len(lost) == 0 {
		c.plan.gate(gatePlatform, w.name(), GatePassed, "it has the policies of Keycard that %s has, which is active", active)
		return
	}
	reason := fmt.Sprintf("it lacks %s, which Keycard manages and %s has, which is active", strings.Join(lost, ", "), active)
	ours := c.z.active.ID == w.state.id || c.h.activePin(c.z.active) != nil
	switch {
	case ours:
		c.h.hold(c.plan, gatePlatform, wordApprove, w.name(), reason)
	case c.h.opts.approved(gatePlatform), c.h.opts.ReplaceActive == c.z.active.ActiveVersionID:
		c.plan.gate(gatePlatform, w.name(), GateApproved, "%s", reason)
	default:
		c.plan.gate(gatePlatform, w.name(), GateNotChecked, "%s; replacing a version that isn't ours is what has to be approved", reason)
	}
}

// nameLive reads the names of Keycard's policies in an active version that no pin
// knows. Nobody can tell from an id what would be lost.
func (zr *zoneReader) nameLive(ctx context.Context) error {
	var ids []string
	for _, v := range zr.z.live.policies {
		if v.OwnerType == keycard.OwnerPlatform && zr.z.names[v.PolicyID] == "" && zr.byID[v.PolicyID] == nil {
			ids = append(ids, v.PolicyID)
		}
	}
	if err := zr.readIDs(ctx, ids); err != nil {
		return err
	}
	for _, v := range zr.z.live.policies {
		if p := zr.byID[v.PolicyID]; p != nil && zr.z.names[v.PolicyID] == "" {
			zr.z.names[v.PolicyID] = p.Name
		}
	}
	return nil
}

// lost are the policies of Keycard in the active version that a set doesn't
// have, by name.
func (c *computer) lost(w *setWork) (names []string) {
	kept := map[string]bool{}
	for _, want := range w.wants {
		if want.made != nil {
			kept[want.made.policy.id] = true
		} else {
			kept[want.fixed.PolicyID] = true
		}
	}
	for _, v := range c.z.live.policies {
		if v.OwnerType == keycard.OwnerPlatform && !kept[v.PolicyID] {
			names = append(names, cmp.Or(c.z.names[v.PolicyID], v.PolicyID))
		}
	}
	slices.Sort(names)
	return names
}

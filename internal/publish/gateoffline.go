package publish

import (
	"context"
	"fmt"
	"slices"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/impact"
	"github.com/policypin/policypin/manifest"
)

// onlyZone is why a gate isn't checked offline.
const onlyZone = "which only the zone knows; it is checked when this is published"

// gatesOffline holds a set to the gates as far as the repository and the last
// pin go. A pin's entries stand for what the zone has; publish asks the zone.
func (h *history) gatesOffline(ctx context.Context, p *Plan, s *setHistory) error {
	name := s.decl.Name
	if s.pin == nil {
		h.impactUnknown(p, name, "there is no pin to compare with, but what is active, "+onlyZone)
	} else {
		h.gateRemoved(p, name, s.removed())
		if h.gated() {
			h.impactOffline(p, s)
		}
	}
	h.gateLoosened(p, name)
	return h.platformOffline(ctx, p, s)
}

// impactUnknown says that the gates about decisions have nothing to go by.
func (h *history) impactUnknown(p *Plan, set, reason string) {
	p.undecided(set, reason)
	if h.tree.Project.Gates.Widened != wordAllow {
		p.gate(gateWidened, set, GateNotChecked, "%s", reason)
	}
	if h.tree.Project.Gates.Uncovered != wordAllow {
		p.gate(gateUncovered, set, GateNotChecked, "%s", reason)
	}
}

// removed are the entries of the last pin that the commit doesn't have.
func (s *setHistory) removed() (gone []EntryPlan) {
	kept := map[string]bool{}
	for _, e := range s.decl.Entries {
		for _, key := range []string{e.Policy, e.Was, e.PolicyID} {
			kept[key] = key != ""
		}
	}
	for _, e := range s.pin.Record.Entries {
		if !kept[e.Policy] && !kept[e.PolicyID] {
			gone = append(gone, EntryPlan{Policy: e.Policy, Change: manifest.Removed, From: e.Version})
		}
	}
	return gone
}

// impactOffline compares the commit with that of the last pin. What a policy
// without a source says isn't known: it is the zone's, and alone it doesn't make
// a pull request wait.
func (h *history) impactOffline(p *Plan, s *setHistory) {
	n := &contrast{set: s.decl.Name, to: alone(h.tree, s.decl, s.decl.Name), what: s.pin.Name}
	var old *manifest.Set
	if s.before != nil {
		old, _ = s.before.Set(s.pin.Record.PolicySet)
	}
	if old == nil {
		h.impactUnknown(p, n.set, fmt.Sprintf("the commit of %s has no such set that can be read, but the zone has; it is checked when this is published", n.what))
		return
	}
	n.from = alone(s.before, old, n.set)
	report := n.compare()
	p.decided(n, report)
	// Entries by number or id are uncovered, each at its place.
	unread := map[diag.Position]bool{}
	for _, side := range []*manifest.Set{old, s.decl} {
		for _, e := range side.Entries {
			if e.Source == "" {
				at := e.Position
				at.File = side.File
				unread[at] = true
			}
		}
	}
	zones := false
	for i := range report.Sets {
		list := &report.Sets[i].Uncovered
		all := len(*list)
		*list = slices.DeleteFunc(*list, func(u impact.Uncovered) bool { return unread[u.Position] })
		zones = zones || len(*list) < all
	}
	if zones {
		n.what += ", as far as sources tell"
	}
	if !zones || !report.Complete() {
		h.gateWidened(p, n, report)
		return
	}
	gates := h.tree.Project.Gates
	if gates.Widened != wordAllow {
		if report.Count(impact.Widened) > 0 {
			h.holdWidened(p, n, report)
		} else {
			p.gate(gateWidened, n.set, GateNotChecked, "compared with %s, no request was found that is newly allowed; the rest takes the text of policies without a source, %s", n.what, onlyZone)
		}
	}
	if gates.Uncovered != wordAllow {
		p.gate(gateUncovered, n.set, GateNotChecked, "this takes the text of policies without a source, %s", onlyZone)
	}
}

// platformOffline says that a policy of Keycard may be lost: if the set decides,
// and an entry without a source isn't there any more.
func (h *history) platformOffline(ctx context.Context, p *Plan, s *setHistory) error {
	active := h.target.Active == s.decl.Name || h.target.Active == "" && len(h.sets) == 1
	if !active || s.pin == nil || s.decl.TargetType != "zone" {
		return nil
	}
	removed := s.removed()
	if len(removed) == 0 {
		return nil
	}
	if s.before == nil {
		var err error
		if s.before, err = h.treeOf(ctx, s.pin.Commit, s.pin.Record.Project); err != nil {
			return err
		}
	}
	sourced := map[string]bool{} // a policy of Keycard has no source
	if s.before != nil {
		if old, ok := s.before.Set(s.pin.Record.PolicySet); ok {
			for _, e := range old.Entries {
				sourced[e.Policy] = e.Source != ""
			}
		}
	}
	removed = slices.DeleteFunc(removed, func(e EntryPlan) bool { return sourced[e.Policy] })
	if len(removed) > 0 {
		p.gate(gatePlatform, s.decl.Name, GateNotChecked, "%s removed; whether Keycard manages what is removed is something %s",
			counted(len(removed), "entry without a source is", "entries without a source are"), onlyZone)
	}
	return nil
}

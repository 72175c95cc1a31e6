package publish

import (
	"cmp"
	"fmt"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// entries lists what changes against the base version.
func (c *computer) entries(w *setWork) []EntryPlan {
	base := map[string]*keycard.PolicyVersion{}
	for _, v := range w.state.base {
		base[v.PolicyID] = v
	}
	list := []EntryPlan{}
	for _, want := range w.wants {
		v := want.version()
		e := EntryPlan{Policy: cmp.Or(want.decl.Policy, want.decl.PolicyID), Source: want.decl.Source, Change: manifest.Added}
		id := ""
		if want.made != nil {
			id = want.made.policy.id
			e.To = want.made.policy.latest + 1
			e.Reused = v != nil
		}
		if v != nil {
			id, e.To = v.PolicyID, v.Version
		}
		if b := base[id]; b != nil && id != "" {
			delete(base, id)
			e.From, e.Change = b.Version, manifest.Changed
			if v != nil && v.ID == b.ID {
				if want.made == nil || want.made.policy.renameFrom == nil {
					continue
				}
				e.Change = manifest.Renamed
			}
		}
		list = append(list, e)
	}
	for _, b := range w.state.base {
		if base[b.PolicyID] != nil {
			list = append(list, EntryPlan{Policy: cmp.Or(c.z.names[b.PolicyID], b.PolicyID), Change: manifest.Removed, From: b.Version})
		}
	}
	return list
}

// gateRemoved holds a set to the largest number of entries that may go at once.
func (h *history) gateRemoved(p *Plan, set string, entries []EntryPlan) {
	limit := h.tree.Project.Gates.MaxRemovedEntries
	if limit == nil {
		return
	}
	n := 0
	for _, e := range entries {
		if e.Change == manifest.Removed {
			n++
		}
	}
	reason := fmt.Sprintf("%s removed, the gate allows %d", counted(n, "entry is", "entries are"), *limit)
	if n > *limit {
		h.hold(p, gateRemoved, wordApprove, set, reason)
		return
	}
	p.gate(gateRemoved, set, GatePassed, "%s", reason)
}

// counted is a number with its noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// activation plans which set will decide.
func (c *computer) activation() {
	name := c.h.target.Active
	if name == "" && len(c.work.sets) == 1 {
		name = c.work.sets[0].name()
	}
	if name == "" {
		c.refuse(NoTarget, "", "", fmt.Sprintf("name it in %s: targets.%s.active", manifest.ProjectFile, c.h.target.Name),
			"target %s doesn't say which of its policy sets decides requests", c.h.target.Name)
		return
	}
	w := find(c.work.sets, func(w *setWork) bool { return w.name() == name })
	if w == nil {
		c.refuse(NoTarget, name, "", "declare it, or change active in the project file",
			"policy set %s is to be active in target %s, but the commit doesn't declare it there", name, c.h.target.Name)
		return
	}
	if t := w.past.decl.TargetType; t != "zone" {
		c.refuse(NoTarget, name, "", "name a set with target_type zone", "policy set %s is for a %s: only a zone's set decides in target %s", name, t, c.h.target.Name)
		return
	}
	c.work.activate = w
	a := &Activation{Set: name}
	if c.z.active != nil {
		a.ReplacesVersionID = c.z.active.ActiveVersionID
		a.ReplacesVersion = c.z.active.ActiveVersion
		a.ReplacesSet = c.z.active.Name
	}
	a.Done = w.result != nil && w.result.ID == a.ReplacesVersionID
	c.plan.Activate = a
}

// steps lists what apply will do, in its order.
func (c *computer) steps() {
	add := func(kind, set, policy, format string, args ...any) {
		c.plan.Steps = append(c.plan.Steps, Step{Kind: kind, Set: set, Policy: policy, Text: fmt.Sprintf(format, args...)})
	}
	for _, p := range c.work.policies {
		if p.renameFrom != nil {
			add(RenamePolicy, "", p.name, "rename policy %s to %s", p.renameFrom.Name, p.name)
		}
	}
	for _, p := range c.work.policies {
		if p.id == "" {
			add(CreatePolicy, "", p.name, "create policy %s", p.name)
		}
		number := p.latest
		for _, v := range p.versions {
			if v.have == nil {
				number++
				add(CreateVersion, "", p.name, "create version %d of policy %s", number, p.name)
				if s := c.z.schemas[v.schema]; s != nil && s.Status == "archived" {
					c.refuse(Archived, "", p.name, "move the manifest to another schema version",
						"schema %s is archived and policy %s needs a new version", v.schema, p.name)
				}
			}
		}
	}
	for _, w := range c.work.sets {
		if w.rename {
			add(RenameSet, w.name(), "", "rename policy set %s to %s", w.past.decl.Was, w.name())
		}
		switch w.action {
		case Create:
			add(CreateSet, w.name(), "", "create policy set %s", w.name())
			add(PublishSet, w.name(), "", "create version 1 of policy set %s", w.name())
			c.number(w.name(), 1)
		case Update:
			if w.state != nil {
				add(PublishSet, w.name(), "", "create version %d of policy set %s", w.state.latest+1, w.name())
				c.number(w.name(), w.state.latest+1)
			}
		}
	}
	for _, w := range c.work.sets {
		switch w.action {
		case Create, Update:
			add(PinVersion, w.name(), "", "pin the version of policy set %s", w.name())
		case Adopt:
			add(PinVersion, w.name(), "", "pin version %d of policy set %s", w.result.Version, w.name())
			c.number(w.name(), w.result.Version)
		}
	}
	if a := c.plan.Activate; a != nil && !a.Done && c.work.activate.action != Superseded {
		add(ActivateStep, a.Set, "", "activate policy set %s", a.Set)
	}
}

// number puts the number of the version to come into the plan of a set.
func (c *computer) number(set string, version int) {
	for i := range c.plan.Sets {
		if c.plan.Sets[i].Name == set {
			c.plan.Sets[i].Version = version
			return
		}
	}
}

package publish

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// pick is the version among candidates that has the source's content, the
// schema, and isn't archived; the newest if there are several.
func pick(candidates []*keycard.PolicyVersion, source *cedar.Policy, schema string) *keycard.PolicyVersion {
	var best *keycard.PolicyVersion
	for _, v := range candidates {
		if v.ArchivedAt == nil && v.SchemaVersion == schema && (best == nil || v.Version > best.Version) && source.Same(v.CedarRaw) {
			best = v
		}
	}
	return best
}

// want resolves one entry of a set.
func (c *computer) want(w *setWork, e manifest.Entry) {
	name, schema := w.name(), w.past.decl.SchemaVersion
	if e.Source != "" {
		p := c.policy(name, e)
		source := c.h.tree.Sources[e.Source]
		// A version that the set has already is kept, even if another one with
		// the same content is newer, or in another set.
		var own *keycard.PolicyVersion
		if b := w.state.held[p.id]; b != nil {
			own = pick([]*keycard.PolicyVersion{b}, source, schema)
		}
		v := find(p.versions, func(v *versionWork) bool {
			return v.schema == schema && (own == nil || v.have != nil && v.have.ID == own.ID)
		})
		if v == nil {
			v = &versionWork{policy: p, schema: schema, source: source, have: own}
			if v.have == nil && p.id != "" {
				v.have = pick(c.z.policies[e.Policy].candidates, source, schema)
			}
			p.versions = append(p.versions, v)
		}
		w.wants = append(w.wants, wantedEntry{decl: e, made: v})
		return
	}
	var v *keycard.PolicyVersion
	label := e.Policy
	if e.VersionID != "" {
		v = c.z.exact[e.VersionID]
		label = cmp.Or(label, e.PolicyID)
	} else {
		v = c.z.numbered[numberedKey{e.Policy, e.Version}]
	}
	hint := fmt.Sprintf("see %s", e.Position)
	switch {
	case v == nil && e.VersionID != "":
		c.refuse(Mismatch, name, label, hint, "policy set %s: the zone has no version %s of policy %s", name, e.VersionID, e.PolicyID)
	case v == nil && c.z.misnamed[e.Policy] != nil:
		live := c.z.misnamed[e.Policy]
		c.refuse(Mismatch, name, label, hint, "policy set %s: the zone has no version %d of policy %s; the last pin says that it is %s, which is called %s now",
			name, e.Version, e.Policy, live.ID, live.Name)
	case v == nil:
		c.refuse(Mismatch, name, label, hint, "policy set %s: the zone has no version %d of policy %s", name, e.Version, e.Policy)
	case v.ArchivedAt != nil:
		c.refuse(Archived, name, label, hint, "policy set %s: version %d of policy %s is archived", name, v.Version, label)
	case v.SchemaVersion != schema:
		c.refuse(Mismatch, name, label, hint, "policy set %s: version %d of policy %s was validated against schema %s, not %s",
			name, v.Version, label, v.SchemaVersion, schema)
	case e.PolicyID != "" && v.PolicyID != e.PolicyID:
		c.refuse(Mismatch, name, label, hint, "policy set %s: version %s belongs to policy %s, not to %s", name, v.ID, v.PolicyID, e.PolicyID)
	case e.SHA != "" && keycard.NormalSHA(v.SHA) != keycard.NormalSHA(e.SHA):
		c.refuse(Mismatch, name, label, hint, "policy set %s: version %d of policy %s has sha %s, the manifest expects %s",
			name, v.Version, label, keycard.NormalSHA(v.SHA), keycard.NormalSHA(e.SHA))
	}
	if v != nil {
		w.wants = append(w.wants, wantedEntry{decl: e, fixed: v})
	}
}

// once refuses a set that would have one policy twice, which the service doesn't
// take: by its name and by its id, or under two names that pins give it.
func (c *computer) once(w *setWork) {
	labels := map[string]string{}
	for _, want := range w.wants {
		label := cmp.Or(want.decl.Policy, want.decl.PolicyID)
		id := ""
		if want.made != nil {
			id = want.made.policy.id
		} else {
			id = want.fixed.PolicyID
		}
		if other, ok := labels[id]; ok && id != "" {
			c.refuse(Mismatch, w.name(), label, fmt.Sprintf("see %s", want.decl.Position),
				"policy set %s: entries %s and %s are one policy in the zone, %s", w.name(), other, label, id)
		}
		labels[id] = label
	}
}

// policy plans the container of a policy with a source, once for all sets.
func (c *computer) policy(set string, e manifest.Entry) *policyWork {
	if p := c.pol[e.Policy]; p != nil {
		return p
	}
	z := c.z.policies[e.Policy]
	p := &policyWork{name: e.Policy, description: e.Description, id: z.id}
	c.pol[e.Policy] = p
	for _, v := range z.candidates {
		p.latest = max(p.latest, v.Version)
	}
	if z.live != nil {
		p.latest = max(p.latest, z.live.LatestVersion)
	}
	if z.id == "" {
		return p
	}
	if other, ok := c.policyIDs[z.id]; ok {
		c.refuse(Mismatch, set, e.Policy, "a pin may be damaged, or the policy was renamed; see policypin log",
			"policies %s and %s are one policy in the zone, %s, as the pins say", other, e.Policy, z.id)
	}
	c.policyIDs[z.id] = e.Policy
	source := c.h.tree.Sources[e.Source]
	owner := c.z.owners[z.id]
	same := slices.ContainsFunc(z.candidates, func(v *keycard.PolicyVersion) bool { return source.Same(v.CedarRaw) })
	switch {
	case owner == keycard.OwnerPlatform:
		c.refuse(Platform, set, e.Policy, "pin one of its versions by number instead, or choose another name",
			"policy %s is managed by Keycard and can't have a source", e.Policy)
	case z.archived && c.h.settled(e.Policy, z.candidates): // it needs no version
	case z.archived && slices.Contains(c.h.opts.Recreate, e.Policy):
		p.id, p.latest = "", 0
	case z.archived:
		c.refuse(Archived, set, e.Policy, fmt.Sprintf("--recreate %s creates a new policy of that name", e.Policy),
			"policy %s (%s) was archived in the zone and needs a version", e.Policy, z.id)
	case z.foreign && !same && z.live.LatestVersion > 0 && !slices.Contains(c.h.opts.Adopt, e.Policy):
		c.refuse(Foreign, set, e.Policy, fmt.Sprintf("--adopt %s takes it over, or choose another name", e.Policy),
			"policy %s exists in the zone as %s with other content, created by %s, and no pin knows it", e.Policy, z.id, z.live.CreatedBy)
	}
	if z.live != nil && p.id != "" && e.Description != "" && z.live.Description != e.Description {
		c.note("policy %s has another description in the zone: %q", e.Policy, z.live.Description)
	}
	if z.live != nil && p.id != "" && z.live.Name != e.Policy {
		if e.Was != "" && z.live.Name == e.Was {
			p.renameFrom = z.live
		} else {
			c.note("policy %s is called %s in the zone; its id %s is kept", e.Policy, z.live.Name, z.id)
		}
	}
	return p
}

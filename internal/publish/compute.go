package publish

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// A work is a plan in the form that apply needs.
type work struct {
	policies []*policyWork // those with something to do, sorted by name
	sets     []*setWork    // sorted by name, superseded and unchanged ones included
	activate *setWork      // the set to activate, or nil
}

// A policyWork is what has to happen to one policy.
type policyWork struct {
	name, description string
	id                string // "" until it is created
	renameFrom        *keycard.Policy
	versions          []*versionWork // by schema version
	latest            int            // highest version number that is known
}

func (p *policyWork) idle() bool {
	return p.id != "" && p.renameFrom == nil &&
		!slices.ContainsFunc(p.versions, func(v *versionWork) bool { return v.have == nil })
}

// A versionWork is one policy version that a set wants.
type versionWork struct {
	policy *policyWork
	schema string
	source *cedar.Policy
	have   *keycard.PolicyVersion // nil until it is created
}

// A wantedEntry is one entry of a set version to be.
type wantedEntry struct {
	decl  manifest.Entry
	fixed *keycard.PolicyVersion // by number or id
	made  *versionWork           // by source
}

// version is the policy version of the entry, or nil before it is created.
func (w wantedEntry) version() *keycard.PolicyVersion {
	if w.made != nil {
		return w.made.have
	}
	return w.fixed
}

// A setWork is what has to happen to one set.
type setWork struct {
	past   *setHistory
	state  *setState // nil if superseded
	action string
	reason string
	wants  []wantedEntry
	rename bool
	// result is the version that is or will be pinned: known from the start for
	// unchanged and adopted ones.
	result *keycard.PolicySetVersion
	pin    *gitstore.Pin // the pin of result, once it is there
}

func (w *setWork) name() string { return w.past.decl.Name }

// resolved tells whether every entry is known; if not, the set is refused.
func (w *setWork) resolved() bool { return len(w.wants) == len(w.past.decl.Entries) }

// A computer turns a history and a zone state into a plan. It is pure: it does
// no I/O and reads no clock.
type computer struct {
	h    *history
	z    *zoneState
	plan *Plan
	work *work
	pol  map[string]*policyWork
	// declared names by the ids of policy sets and of policies with a source
	setIDs, policyIDs map[string]string
	// what the zone stores, as read for the gates: by policy version, and by schema
	parsed  map[string][]*cedar.Policy
	schemas map[string]*cedar.Schema
}

// compute makes the plan and the work that carries it out.
func compute(h *history, z *zoneState) (*Plan, *work, error) {
	c := &computer{
		h: h, z: z, work: &work{}, pol: map[string]*policyWork{}, setIDs: map[string]string{}, policyIDs: map[string]string{},
		parsed: map[string][]*cedar.Policy{}, schemas: map[string]*cedar.Schema{},
		plan: &Plan{
			Schema: 1, Format: PlanFormat,
			Target: h.target.Name, ZoneID: h.target.ZoneID,
			Commit: h.src.Commit, Branch: h.branch, Tip: h.tip,
			Sets: []SetPlan{}, Gates: []GateResult{}, Steps: []Step{}, Notes: []string{}, Refusals: Refusals{},
		},
	}
	if h.opts.Decisions {
		c.plan.Decisions = &Decisions{}
	}
	c.plan.Refusals = append(c.plan.Refusals, h.refusals...)
	c.undeclared()
	c.plan.Notes = append(c.plan.Notes, h.notes...)
	for _, s := range h.sets {
		c.set(s)
	}
	for _, p := range c.pol {
		if !p.idle() {
			c.work.policies = append(c.work.policies, p)
		}
	}
	slices.SortFunc(c.work.policies, func(a, b *policyWork) int { return cmp.Compare(a.name, b.name) })
	if h.opts.Activate {
		c.activation()
	}
	c.gatePlatform()
	c.steps()
	c.plan.allDecided()
	if err := h.labels(c.plan); err != nil {
		return nil, nil, err
	}
	return c.plan, c.work, c.plan.seal()
}

func (c *computer) refuse(code, set, policy, hint, format string, args ...any) {
	c.plan.Refusals = append(c.plan.Refusals, &Refusal{
		Code: code, Set: set, Policy: policy, Hint: hint, Message: fmt.Sprintf(format, args...),
	})
}

func (c *computer) note(format string, args ...any) {
	c.plan.Notes = append(c.plan.Notes, fmt.Sprintf(format, args...))
}

// undeclared says first when what decides requests is not in the commit any
// more, since nothing can unbind it.
func (c *computer) undeclared() {
	pin := c.h.activePin(c.z.active)
	if pin == nil || c.z.activeElsewhere {
		return
	}
	declared := slices.ContainsFunc(c.h.sets, func(s *setHistory) bool {
		return s.decl.Name == pin.Set || s.pin != nil && s.pin.Record.PolicySetID == c.z.active.ID
	})
	if !declared {
		c.note("policy set %s is not declared for %s any more, but its version v%d still decides requests: activate another set",
			pin.Set, c.h.target.Name, c.z.active.ActiveVersion)
	}
}

// activePin is the newest pin of the set that decides requests, or nil.
func (h *history) activePin(active *keycard.PolicySet) *gitstore.Pin {
	var newest *gitstore.Pin
	for _, pin := range h.known() {
		if active != nil && pin.Record.PolicySetID == active.ID {
			newest = pin
		}
	}
	return newest
}

// set plans one declared set.
func (c *computer) set(s *setHistory) {
	w := &setWork{past: s, state: c.z.sets[s.decl.Name]}
	c.work.sets = append(c.work.sets, w)
	p := SetPlan{
		Name: s.decl.Name, Was: s.decl.Was, SetDigest: s.digest.String(),
		SchemaVersion: s.decl.SchemaVersion, Total: len(s.decl.Entries), Entries: []EntryPlan{},
	}
	if s.base != nil {
		p.BaseVersionID = s.base.Record.VersionID
	}
	if s.pin != nil {
		p.Pinned, p.PinnedTag = s.pin.Record.Version, s.pin.Name
	}
	defer func() {
		p.Action, p.Reason = w.action, w.reason
		c.plan.Sets = append(c.plan.Sets, p)
	}()
	if s.superseded != "" {
		w.action, w.reason = Superseded, s.superseded
		return
	}
	if !c.usable(w) {
		w.action = Update
		return
	}
	for _, e := range s.decl.Entries {
		c.want(w, e)
	}
	c.once(w)
	c.decide(w)
	if w.action != Unchanged {
		p.Entries = c.entries(w)
		c.h.gateRemoved(c.plan, w.name(), p.Entries)
		c.gateImpact(w)
		c.h.gateLoosened(c.plan, w.name())
	}
	c.gateSwitch(w)
}

// usable tells whether the set can be published at all, and refuses it if not.
func (c *computer) usable(w *setWork) bool {
	s, st, name := w.past, w.state, w.name()
	switch schema := c.z.schemas[s.decl.SchemaVersion]; {
	case schema == nil:
		c.refuse(Mismatch, name, "", "policypin schema fetch lists and commits the zone's schemas",
			"policy set %s: zone %s has no schema %s", name, c.h.target.ZoneID, s.decl.SchemaVersion)
		return false
	case schema.Status == "deprecated":
		c.note("policy set %s: schema %s is deprecated", name, schema.Version)
	}
	if other, ok := c.setIDs[st.id]; ok && st.id != "" {
		c.refuse(PinName, name, "", "give the newer set another name, or give the target another name for its pins",
			"policy sets %s and %s are one set in the zone, %s, which was renamed: their pins say so", other, name, st.id)
		return false
	}
	c.setIDs[st.id] = name
	if st.gone {
		why, hint, ok := c.h.anotherLocal()
		if ok {
			why = "; " + why
		} else {
			hint = "give the target another name for its pins, or delete the damaged tag"
		}
		c.refuse(PinName, name, "", hint, "policy set %s: pin %s records set %s and version %s, which zone %s does not have%s",
			name, s.pin.Name, s.pin.Record.PolicySetID, s.pin.Record.VersionID, c.h.target.ZoneID, why)
		return false
	}
	if st.pinned != nil && st.pinned.Version != s.pin.Record.Version {
		c.refuse(PinName, name, "", "the record was not written by policypin for this version; delete the damaged tag",
			"policy set %s: pin %s records version v%d, but %s is v%d in the zone",
			name, s.pin.Name, s.pin.Record.Version, st.pinned.ID, st.pinned.Version)
		return false
	}
	owner := ""
	if st.live != nil {
		owner = st.live.OwnerType
	} else if st.pinned != nil {
		owner = st.pinned.OwnerType
	}
	if owner == keycard.OwnerPlatform {
		c.refuse(Platform, name, "", "give the manifest another name",
			"policy set %s is managed by Keycard and can't get versions", name)
		return false
	}
	live := st.live
	if live == nil && c.z.active != nil && c.z.active.ID == st.id {
		live = c.z.active
	}
	if live != nil && live.TargetType != "" && live.TargetType != s.decl.TargetType {
		c.refuse(Mismatch, name, "", "a set keeps its target_type for ever: give the manifest another name",
			"policy set %s has target_type %s in the zone, the manifest says %s", name, live.TargetType, s.decl.TargetType)
		return false
	}
	w.rename = s.decl.Was != "" && renamed(s, st)
	return true
}

// renamed tells whether the set has its old name in the zone, as far as the
// pins or a lookup by name say.
func renamed(s *setHistory, st *setState) bool {
	if st.live != nil {
		return st.live.Name == s.decl.Was
	}
	return s.pin != nil && s.pin.Record.PolicySet == s.decl.Was
}

// holds tells whether a set version has exactly the wanted entries, in any
// order.
func holds(entries []keycard.ManifestEntry, wants []wantedEntry) bool {
	if len(entries) != len(wants) {
		return false
	}
	have := map[[2]string]bool{}
	for _, e := range entries {
		have[[2]string{e.PolicyID, e.VersionID}] = true
	}
	for _, w := range wants {
		v := w.version()
		if v == nil || !have[[2]string{v.PolicyID, v.ID}] {
			return false
		}
	}
	return true
}

func entriesOf(versions []*keycard.PolicyVersion) []keycard.ManifestEntry {
	entries := make([]keycard.ManifestEntry, len(versions))
	for i, v := range versions {
		entries[i] = keycard.ManifestEntry{PolicyID: v.PolicyID, VersionID: v.ID, SHA: v.SHA}
	}
	return entries
}

// decide chooses the action for a set whose entries are resolved.
func (c *computer) decide(w *setWork) {
	s, st, name := w.past, w.state, w.name()
	if st.pinned != nil && s.same {
		rec := s.pin.Record
		switch {
		case st.pinned.ArchivedAt != nil:
			w.reason = fmt.Sprintf("v%d is archived in the zone", rec.Version)
		case keycard.NormalSHA(st.pinned.ManifestSHA) != keycard.NormalSHA(rec.ManifestSHA):
			w.reason = fmt.Sprintf("v%d has another manifest sha in the zone than in its pin", rec.Version)
		case archivedIn(st) != nil:
			v := archivedIn(st)
			w.reason = fmt.Sprintf("v%d holds version %d of policy %s, which is archived in the zone", rec.Version, v.Version, cmp.Or(c.z.names[v.PolicyID], v.PolicyID))
		case st.pinned.SchemaVersion != s.decl.SchemaVersion || !holds(entriesOf(st.base), w.wants):
			w.reason = fmt.Sprintf("v%d holds something else in the zone than its pin claims", rec.Version)
		case rec.PolicySet != name:
			w.action, w.result, w.reason = Adopt, st.pinned, fmt.Sprintf("renamed from %s", rec.PolicySet)
			return
		default:
			w.action, w.result, w.pin = Unchanged, st.pinned, s.pin
			c.unpinned(w, nil)
			return
		}
	}
	fits := func(v *keycard.PolicySetVersion) bool {
		return v != nil && v.ArchivedAt == nil && v.SchemaVersion == s.decl.SchemaVersion && holds(v.Entries, w.wants)
	}
	switch {
	case st.foreign && fits(st.adoption):
		w.action, w.result = Adopt, st.adoption
	case fits(st.newest):
		w.action, w.result = Adopt, st.newest
		// A spare may have been left too: the lowest equal one counts.
		for _, v := range st.newer {
			if v.Version < w.result.Version && v.SchemaVersion == w.result.SchemaVersion && v.ManifestSHA == w.result.ManifestSHA {
				w.result = v
			}
		}
	case st.id == "":
		w.action = Create
	case st.foreign && st.latest > 0 && !slices.Contains(c.h.opts.Adopt, name):
		c.refuse(Foreign, name, "", fmt.Sprintf("--adopt %s takes it over, or choose another name", name),
			"policy set %s exists in the zone as %s with other content, created by %s, and no pin knows it", name, st.id, st.live.CreatedBy)
		w.action = Update
	default:
		w.action = Update
	}
	if w.action == Adopt {
		w.reason = cmp.Or(w.reason, fmt.Sprintf("v%d has this content and no pin", w.result.Version))
	}
	c.unpinned(w, w.result)
	if st.pinned != nil && w.action == Update && c.z.schemas[s.decl.SchemaVersion].Status == "archived" {
		c.note("policy set %s: schema %s is archived", name, s.decl.SchemaVersion)
	}
}

// archivedIn is a policy version of the base that was archived since, or nil.
func archivedIn(st *setState) *keycard.PolicyVersion {
	return find(st.base, func(v *keycard.PolicyVersion) bool { return v.ArchivedAt != nil })
}

// unpinned reports newer versions that no pin knows; they are not touched.
func (c *computer) unpinned(w *setWork, except *keycard.PolicySetVersion) {
	for _, v := range w.state.newer {
		if except == nil || v.ID != except.ID {
			c.note("policy set %s: version v%d (%s, by %s) has no pin and is left alone", w.name(), v.Version, v.ID, v.CreatedBy)
		}
	}
}

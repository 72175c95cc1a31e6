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

// A computer turns a history and a zone state into a plan. It is pure: it does
// no I/O and reads no clock.
type computer struct {
	h    *history
	z    *zoneState
	plan *Plan
	work *work
	pol  map[string]*policyWork
}

// compute makes the plan and the work that carries it out.
func compute(h *history, z *zoneState) (*Plan, *work, error) {
	c := &computer{
		h: h, z: z, work: &work{}, pol: map[string]*policyWork{},
		plan: &Plan{
			Schema: 1, Format: PlanFormat,
			Target: h.target.Name, ZoneID: h.target.ZoneID,
			Commit: h.src.Commit, Branch: h.branch, Tip: h.tip,
			Sets: []SetPlan{}, Steps: []Step{}, Notes: []string{}, Refusals: Refusals{},
		},
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
	c.steps()
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
	if c.z.active == nil {
		return
	}
	for name, pin := range c.h.last {
		if pin.Record.PolicySetID != c.z.active.ID {
			continue
		}
		declared := slices.ContainsFunc(c.h.sets, func(s *setHistory) bool {
			return s.decl.Name == name || s.decl.Was == name
		})
		if !declared {
			c.note("policy set %s is not declared for %s any more, but its version v%d still decides requests: activate another set",
				name, c.h.target.Name, c.z.active.ActiveVersion)
		}
	}
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
	c.decide(w)
	if w.action != Unchanged {
		p.Entries = c.entries(w)
		c.gateRemoved(w, p.Entries)
	}
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
	if st.gone {
		c.refuse(PinName, name, "", "give the target another name for its pins, or delete the damaged tag",
			"policy set %s: pin %s records set %s and version %s, which zone %s does not have",
			name, s.pin.Name, s.pin.Record.PolicySetID, s.pin.Record.VersionID, c.h.target.ZoneID)
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
		v := find(p.versions, func(v *versionWork) bool { return v.schema == schema })
		if v == nil {
			v = &versionWork{policy: p, schema: schema, source: source}
			candidates := c.z.policies[e.Policy].candidates
			// A version that the set has already is kept, even if another one
			// with the same content is newer.
			v.have = pick(slices.DeleteFunc(slices.Clone(w.state.base), func(b *keycard.PolicyVersion) bool { return b.PolicyID != p.id }), source, schema)
			if v.have == nil && p.id != "" {
				v.have = pick(candidates, source, schema)
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
	source := c.h.tree.Sources[e.Source]
	owner := c.z.owners[z.id]
	same := slices.ContainsFunc(z.candidates, func(v *keycard.PolicyVersion) bool { return source.Same(v.CedarRaw) })
	switch {
	case owner == keycard.OwnerPlatform:
		c.refuse(Platform, set, e.Policy, "pin one of its versions by number instead, or choose another name",
			"policy %s is managed by Keycard and can't have a source", e.Policy)
	case z.archived && slices.Contains(c.h.opts.Recreate, e.Policy):
		p.id, p.latest = "", 0
	case z.archived:
		c.refuse(Archived, set, e.Policy, fmt.Sprintf("--recreate %s creates a new policy of that name", e.Policy),
			"policy %s (%s) was archived in the zone and needs a version", e.Policy, z.id)
	case z.foreign && !same && z.live.LatestVersion > 0 && !slices.Contains(c.h.opts.Adopt, e.Policy):
		c.refuse(Foreign, set, e.Policy, fmt.Sprintf("--adopt %s takes it over, or choose another name", e.Policy),
			"policy %s exists in the zone as %s with other content, created by %s, and no pin knows it", e.Policy, z.id, z.live.CreatedBy)
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

// unpinned reports newer versions that no pin knows; they are not touched.
func (c *computer) unpinned(w *setWork, except *keycard.PolicySetVersion) {
	for _, v := range w.state.newer {
		if except == nil || v.ID != except.ID {
			c.note("policy set %s: version v%d (%s, by %s) has no pin and is left alone", w.name(), v.Version, v.ID, v.CreatedBy)
		}
	}
}

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
func (c *computer) gateRemoved(w *setWork, entries []EntryPlan) {
	limit := c.h.tree.Project.Gates.MaxRemovedEntries
	n := 0
	for _, e := range entries {
		if e.Change == manifest.Removed {
			n++
		}
	}
	if limit == nil || n <= *limit || c.h.opts.approved("max_removed_entries") {
		return
	}
	c.refuse(Gate, w.name(), "", "if that is meant, say so with --approve max_removed_entries=REASON",
		"policy set %s: %d entries are removed, the gate allows %d", w.name(), n, *limit)
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
		for i, v := range p.versions {
			if v.have == nil {
				add(CreateVersion, "", p.name, "create version %d of policy %s", p.latest+1+i, p.name)
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
		case Update:
			if w.state != nil {
				add(PublishSet, w.name(), "", "create version %d of policy set %s", w.state.latest+1, w.name())
			}
		}
	}
	for _, w := range c.work.sets {
		switch w.action {
		case Create, Update:
			add(PinVersion, w.name(), "", "pin the version of policy set %s", w.name())
		case Adopt:
			add(PinVersion, w.name(), "", "pin version %d of policy set %s", w.result.Version, w.name())
		}
	}
	if a := c.plan.Activate; a != nil && !a.Done && c.work.activate.action != Superseded {
		add(ActivateStep, a.Set, "", "activate policy set %s", a.Set)
	}
}

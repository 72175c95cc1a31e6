package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// A zoneState is what the zone says about a run. Reading it writes nothing; what
// follows from it is decided in compute.
type zoneState struct {
	active   *keycard.PolicySet // the set that decides, or nil
	schemas  map[string]*keycard.SchemaVersion
	sets     map[string]*setState    // by declared name; superseded sets are left out
	policies map[string]*policyState // by declared name of a policy with a source
	numbered map[numberedKey]*keycard.PolicyVersion
	exact    map[string]*keycard.PolicyVersion // by policy version id
	names    map[string]string                 // policy id to name, where known
	owners   map[string]string                 // policy id to owner type, where known
}

type numberedKey struct {
	policy string
	number int
}

// A setState is what the zone says about one set.
type setState struct {
	id       string                      // "" if the set doesn't exist
	foreign  bool                        // found by name; no pin of this target knows it
	gone     bool                        // the last pin's set or version isn't in the zone
	live     *keycard.PolicySet          // nil for a set that a pin knows
	pinned   *keycard.PolicySetVersion   // the last pin's version, or nil
	newer    []*keycard.PolicySetVersion // above the last pin's number, newest first
	latest   int                         // highest number that was seen
	base     []*keycard.PolicyVersion    // what the base version holds, with text
	baseSet  *keycard.PolicySetVersion   // the version that base is of
	newest   *keycard.PolicySetVersion   // with entries: candidate for reuse, or nil
	adoption *keycard.PolicySetVersion   // for a set without pins: active, else newest, with entries
}

// A policyState is what the zone says about a policy that has a source.
type policyState struct {
	id         string // "" if it doesn't exist
	foreign    bool
	live       *keycard.Policy          // nil if it wasn't read
	archived   bool                     // known by id, and archived
	candidates []*keycard.PolicyVersion // with text
}

// readZone reads what compute needs, and no more: see the request counts in
// docs/publish.md.
func readZone(ctx context.Context, r *keycard.Reader, h *history) (*zoneState, error) {
	z := &zoneState{
		schemas:  map[string]*keycard.SchemaVersion{},
		sets:     map[string]*setState{},
		policies: map[string]*policyState{},
		numbered: map[numberedKey]*keycard.PolicyVersion{},
		exact:    map[string]*keycard.PolicyVersion{},
		names:    map[string]string{},
		owners:   map[string]string{},
	}
	var err error
	if z.active, err = activeSet(ctx, r); err != nil {
		return nil, err
	}
	for _, s := range h.sets {
		if s.superseded != "" {
			continue
		}
		if err := z.readSchema(ctx, r, s.decl.SchemaVersion); err != nil {
			return nil, err
		}
	}
	zr := &zoneReader{Reader: r, h: h, z: z}
	for _, s := range h.sets {
		if s.superseded != "" {
			continue
		}
		if err := zr.readSet(ctx, s); err != nil {
			return nil, fmt.Errorf("policy set %s: %w", s.decl.Name, err)
		}
	}
	if err := zr.readPolicies(ctx); err != nil {
		return nil, err
	}
	return z, zr.readReferences(ctx)
}

// activeSet is the policy set that decides requests in the zone, or nil.
func activeSet(ctx context.Context, r *keycard.Reader) (*keycard.PolicySet, error) {
	yes := true
	for s, err := range r.PolicySets(ctx, keycard.ListOptions{Active: &yes}) {
		if err != nil {
			return nil, fmt.Errorf("reading the active binding: %w", err)
		}
		if s.ActiveVersionID != "" {
			return s, nil
		}
	}
	return nil, nil
}

func (z *zoneState) readSchema(ctx context.Context, r *keycard.Reader, version string) error {
	if z.schemas[version] != nil {
		return nil
	}
	s, err := r.Schema(ctx, version, "cedar")
	if errors.Is(err, keycard.ErrNotFound) {
		return nil // compute refuses it by name
	}
	if err != nil {
		return fmt.Errorf("reading schema %s: %w", version, err)
	}
	z.schemas[version] = s
	return nil
}

// A zoneReader reads the zone for one run, and lists each kind at most once.
type zoneReader struct {
	*keycard.Reader
	h        *history
	z        *zoneState
	setNames map[string]*keycard.PolicySet // all sets by name, once listed
	polNames map[string]*keycard.Policy    // policies by name, as far as they were looked up
	polAll   bool                          // polNames is complete
}

func (zr *zoneReader) readSet(ctx context.Context, s *setHistory) error {
	st := &setState{}
	zr.z.sets[s.decl.Name] = st
	if s.pin == nil {
		return zr.readUnpinnedSet(ctx, s, st)
	}
	rec := s.pin.Record
	st.id = rec.PolicySetID
	for v, err := range zr.SetVersions(ctx, st.id, keycard.ListOptions{Order: "desc"}) {
		if errors.Is(err, keycard.ErrNotFound) {
			st.gone = true
			return nil
		}
		if err != nil {
			return err
		}
		st.latest = max(st.latest, v.Version)
		if v.ID == rec.VersionID {
			st.pinned = v
		} else if v.Version > rec.Version && v.ArchivedAt == nil {
			st.newer = append(st.newer, v)
		}
		if v.Version <= rec.Version {
			break
		}
	}
	if st.pinned == nil { // archived versions may be left out of lists
		v, err := zr.SetVersion(ctx, st.id, rec.VersionID)
		if errors.Is(err, keycard.ErrNotFound) {
			st.gone = true
			return nil
		}
		if err != nil {
			return err
		}
		st.pinned = v
	}
	var err error
	if st.base, err = zr.policiesOf(ctx, st.id, st.pinned.ID); err != nil {
		return err
	}
	st.baseSet = st.pinned
	if len(st.newer) > 0 {
		st.newest, err = zr.SetVersion(ctx, st.id, st.newer[0].ID)
	}
	return err
}

// readUnpinnedSet looks a set up by its name, when no pin knows its id.
func (zr *zoneReader) readUnpinnedSet(ctx context.Context, s *setHistory, st *setState) error {
	if zr.setNames == nil {
		zr.setNames = map[string]*keycard.PolicySet{}
		for set, err := range zr.PolicySets(ctx, keycard.ListOptions{}) {
			if err != nil {
				return err
			}
			zr.setNames[set.Name] = set
		}
	}
	live := zr.setNames[s.decl.Name]
	if live == nil && s.decl.Was != "" {
		live = zr.setNames[s.decl.Was]
	}
	if live == nil {
		return nil
	}
	st.id, st.live, st.foreign, st.latest = live.ID, live, true, live.LatestVersion
	id := live.ActiveVersionID
	if id == "" {
		id = live.LatestVersionID
	}
	if id == "" {
		return nil
	}
	var err error
	if st.adoption, err = zr.SetVersion(ctx, st.id, id); err != nil {
		return err
	}
	if st.base, err = zr.policiesOf(ctx, st.id, id); err != nil {
		return err
	}
	st.baseSet = st.adoption
	if live.LatestVersionID != "" && live.LatestVersionID != id {
		st.newest, err = zr.SetVersion(ctx, st.id, live.LatestVersionID)
	}
	return err
}

func (zr *zoneReader) policiesOf(ctx context.Context, setID, versionID string) ([]*keycard.PolicyVersion, error) {
	var all []*keycard.PolicyVersion
	for v, err := range zr.SetVersionPolicies(ctx, setID, versionID, keycard.ListOptions{Format: "cedar"}) {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
		zr.z.owners[v.PolicyID] = v.OwnerType
	}
	return all, nil
}

// readPolicies finds the policies with a source, and reads those whose content
// is not in a base version.
func (zr *zoneReader) readPolicies(ctx context.Context) error {
	ids, names := zr.pinnedIDs()
	zr.z.names = names
	var unknown []string
	was := map[string]string{}
	for _, s := range zr.h.sets {
		if s.superseded != "" {
			continue
		}
		for _, e := range s.decl.Entries {
			if e.Source == "" || zr.z.policies[e.Policy] != nil {
				continue
			}
			p := &policyState{id: ids[e.Policy]}
			if p.id == "" && e.Was != "" {
				p.id = ids[e.Was]
			}
			zr.z.policies[e.Policy] = p
			if p.id == "" {
				unknown = append(unknown, e.Policy)
				was[e.Policy] = e.Was
			}
		}
	}
	if err := zr.lookUp(ctx, unknown, was); err != nil {
		return err
	}
	byID := map[string][]*keycard.PolicyVersion{}
	for _, s := range zr.h.sets {
		if st := zr.z.sets[s.decl.Name]; st != nil {
			for _, v := range st.base {
				byID[v.PolicyID] = append(byID[v.PolicyID], v)
			}
		}
	}
	var changed []string
	for name, p := range zr.z.policies {
		if p.id == "" {
			continue
		}
		for _, v := range byID[p.id] {
			if !slices.ContainsFunc(p.candidates, func(c *keycard.PolicyVersion) bool { return c.ID == v.ID }) {
				p.candidates = append(p.candidates, v)
			}
		}
		if !zr.settled(name, p) {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return zr.readChanged(ctx, changed)
}

// settled tells whether every set that uses the policy finds the content of its
// source among the candidates already.
func (zr *zoneReader) settled(name string, p *policyState) bool {
	for _, s := range zr.h.sets {
		if s.superseded != "" {
			continue
		}
		for _, e := range s.decl.Entries {
			if e.Policy == name && e.Source != "" && (e.Was != "" || pick(p.candidates, zr.h.tree.Sources[e.Source], s.decl.SchemaVersion) == nil) {
				return false
			}
		}
	}
	return true
}

// pinnedIDs maps policy names to ids, and back, as the last pins say.
func (zr *zoneReader) pinnedIDs() (ids, names map[string]string) {
	ids, names = map[string]string{}, map[string]string{}
	var sets []string
	for set := range zr.h.last {
		sets = append(sets, set)
	}
	// Oldest first, so that the newest pin has the last word on a name.
	slices.SortFunc(sets, func(a, b string) int {
		if c := zr.h.last[a].When.Compare(zr.h.last[b].When); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	for _, set := range sets {
		for _, e := range zr.h.last[set].Record.Entries {
			if e.Policy != "" {
				ids[e.Policy] = e.PolicyID
				names[e.PolicyID] = e.Policy
			}
		}
	}
	return ids, names
}

// fewNames is up to how many names are searched one by one; beyond it, listing
// the zone is cheaper.
const fewNames = 5

// byName finds policies by exact name. The service can only search for
// substrings, so every page is walked and compared here.
func (zr *zoneReader) byName(ctx context.Context, names []string) error {
	if zr.polNames == nil {
		zr.polNames = map[string]*keycard.Policy{}
	}
	if zr.polAll || len(names) == 0 {
		return nil
	}
	walk := func(opts keycard.ListOptions) error {
		for p, err := range zr.Policies(ctx, opts) {
			if err != nil {
				return err
			}
			zr.polNames[p.Name] = p
			zr.z.names[p.ID] = p.Name
			zr.z.owners[p.ID] = p.OwnerType
		}
		return nil
	}
	// With no pin yet nothing is known, and a first publish lists the zone.
	if len(names) > fewNames || len(zr.h.last) == 0 {
		zr.polAll = true
		return walk(keycard.ListOptions{})
	}
	for _, name := range names {
		if zr.polNames[name] != nil {
			continue
		}
		if err := walk(keycard.ListOptions{Query: name}); err != nil {
			return err
		}
	}
	return nil
}

func (zr *zoneReader) lookUp(ctx context.Context, unknown []string, was map[string]string) error {
	all := slices.Clone(unknown)
	for _, old := range was {
		if old != "" {
			all = append(all, old)
		}
	}
	slices.Sort(all)
	if err := zr.byName(ctx, slices.Compact(all)); err != nil {
		return fmt.Errorf("looking policies up by name: %w", err)
	}
	for _, name := range unknown {
		live := zr.polNames[name]
		if live == nil && was[name] != "" {
			live = zr.polNames[was[name]]
		}
		if live != nil {
			p := zr.z.policies[name]
			p.id, p.live, p.foreign = live.ID, live, true
		}
	}
	return nil
}

// readChanged reads the containers of policies whose source is not in the zone
// as far as it is known yet, and their newer versions.
func (zr *zoneReader) readChanged(ctx context.Context, names []string) error {
	var ids []string
	for _, name := range names {
		if p := zr.z.policies[name]; p.live == nil {
			ids = append(ids, p.id)
		}
	}
	live := map[string]*keycard.Policy{}
	for chunk := range slices.Chunk(ids, 100) {
		for p, err := range zr.Policies(ctx, keycard.ListOptions{IDs: chunk}) {
			if err != nil {
				return fmt.Errorf("reading changed policies: %w", err)
			}
			live[p.ID] = p
			zr.z.owners[p.ID] = p.OwnerType
		}
	}
	for _, name := range names {
		p := zr.z.policies[name]
		if p.live == nil {
			p.live = live[p.id]
		}
		if p.live == nil || p.live.ArchivedAt != nil {
			p.archived = true
			continue
		}
		known := 0
		for _, v := range p.candidates {
			known = max(known, v.Version)
		}
		if p.live.LatestVersion <= known {
			continue
		}
		for v, err := range zr.PolicyVersions(ctx, p.id, keycard.ListOptions{Order: "desc", Format: "cedar"}) {
			if err != nil {
				return fmt.Errorf("reading versions of policy %s: %w", name, err)
			}
			if v.Version <= known {
				break
			}
			p.candidates = append(p.candidates, v)
		}
	}
	return nil
}

// readReferences resolves the entries by number and by id.
func (zr *zoneReader) readReferences(ctx context.Context) error {
	var names []string
	type missing struct {
		key numberedKey
		id  string
	}
	var need []missing
	for _, s := range zr.h.sets {
		st := zr.z.sets[s.decl.Name]
		if st == nil {
			continue
		}
		for _, e := range s.decl.Entries {
			switch {
			case e.Source != "":
			case e.VersionID != "":
				if err := zr.readExact(ctx, st, e); err != nil {
					return err
				}
			default:
				key := numberedKey{e.Policy, e.Version}
				if zr.z.numbered[key] != nil {
					continue
				}
				id := ""
				if s.pin != nil {
					for _, r := range s.pin.Record.Entries {
						if r.Policy == e.Policy {
							id = r.PolicyID
						}
					}
				}
				if v := find(st.base, func(v *keycard.PolicyVersion) bool { return v.PolicyID == id && v.Version == e.Version }); v != nil {
					zr.z.numbered[key] = v
					continue
				}
				need = append(need, missing{key, id})
				if id == "" {
					names = append(names, e.Policy)
				}
			}
		}
	}
	slices.Sort(names)
	if err := zr.byName(ctx, slices.Compact(names)); err != nil {
		return err
	}
	for _, m := range need {
		if zr.z.numbered[m.key] != nil {
			continue
		}
		id := m.id
		if id == "" {
			p := zr.polNames[m.key.policy]
			if p == nil {
				continue // compute refuses it by name
			}
			id = p.ID
		}
		for v, err := range zr.PolicyVersions(ctx, id, keycard.ListOptions{Order: "desc", Format: "cedar"}) {
			if errors.Is(err, keycard.ErrNotFound) {
				break
			}
			if err != nil {
				return fmt.Errorf("reading versions of policy %s: %w", m.key.policy, err)
			}
			if v.Version == m.key.number {
				zr.z.numbered[m.key] = v
			}
			if v.Version <= m.key.number {
				break
			}
		}
	}
	return nil
}

func (zr *zoneReader) readExact(ctx context.Context, st *setState, e manifest.Entry) error {
	if zr.z.exact[e.VersionID] != nil {
		return nil
	}
	v := find(st.base, func(v *keycard.PolicyVersion) bool { return v.ID == e.VersionID })
	if v == nil {
		var err error
		v, err = zr.PolicyVersion(ctx, e.PolicyID, e.VersionID, "cedar")
		if errors.Is(err, keycard.ErrNotFound) {
			return nil // compute refuses it by id
		}
		if err != nil {
			return err
		}
	}
	zr.z.exact[e.VersionID] = v
	return nil
}

func find[T any](list []T, ok func(T) bool) T {
	var zero T
	if i := slices.IndexFunc(list, ok); i >= 0 {
		return list[i]
	}
	return zero
}

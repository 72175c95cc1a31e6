package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/policypin/policypin/internal/keycard"
)

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// A zoneState is what the zone says about a run. Reading it writes nothing; what
// follows from it is decided in compute.
type zoneState struct {
	active *keycard.PolicySet // the set that decides, or nil
	// live is what the active version holds, where a gate needs it.
	live *liveVersion
	// activeElsewhere: another project of the repository declares that set.
	activeElsewhere bool
	schemas         map[string]*keycard.SchemaVersion
	sets            map[string]*setState    // by declared name; superseded sets are left out
	policies        map[string]*policyState // by declared name of a policy with a source
	numbered        map[numberedKey]*keycard.PolicyVersion
	exact           map[string]*keycard.PolicyVersion // by policy version id
	names           map[string]string                 // policy id to name, where known
	misnamed        map[string]*keycard.Policy        // by declared name: what a pin says has it, under another name in the zone
	owners          map[string]string                 // policy id to owner type, where known
}

type numberedKey struct {
	policy string
	number int
}

// A setState is what the zone says about one set.
type setState struct {
	id       string                            // "" if the set doesn't exist
	foreign  bool                              // found by name; no pin of this target knows it
	gone     bool                              // the last pin's set or version isn't in the zone
	live     *keycard.PolicySet                // nil for a set that a pin knows
	pinned   *keycard.PolicySetVersion         // the last pin's version, or nil
	newer    []*keycard.PolicySetVersion       // above the last pin's number, newest first
	latest   int                               // highest number that was seen
	base     []*keycard.PolicyVersion          // what the base version holds, with text
	held     map[string]*keycard.PolicyVersion // base by policy id
	newest   *keycard.PolicySetVersion         // with entries: candidate for reuse, or nil
	adoption *keycard.PolicySetVersion         // for a set without pins: active, else newest, with entries
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
		misnamed: map[string]*keycard.Policy{},
		owners:   map[string]string{},
	}
	var err error
	if z.active, err = activeSet(ctx, r); err != nil {
		return nil, err
	}
	if pin := h.activePin(z.active); pin != nil {
		if z.activeElsewhere, err = h.declaredElsewhere(ctx, pin); err != nil {
			return nil, err
		}
	}
	for _, s := range h.sets {
		if s.superseded != "" {
			continue
		}
		if err := z.readSchema(ctx, r, s.decl.SchemaVersion); err != nil {
			return nil, err
		}
	}
	zr := &zoneReader{Reader: r, h: h, z: z, byID: map[string]*keycard.Policy{}}
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
	if err := zr.readReferences(ctx); err != nil {
		return nil, err
	}
	return z, zr.readActive(ctx)
}

// activeSet is the policy set that decides requests in the zone, or nil.
func activeSet(ctx context.Context, r *keycard.Reader) (*keycard.PolicySet, error) {
	yes := true
	for s, err := range r.PolicySets(ctx, keycard.ListOptions{Active: &yes}) {
		if err != nil {
			return nil, fmt.Errorf("reading the active binding: %w", err)
		}
		// The oldest generations list what is bound to users and resources, too.
		if s.ActiveVersionID != "" && (s.TargetType == "" || s.TargetType == "zone") {
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
	byID     map[string]*keycard.Policy    // policies that were read by id
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
	// Archived versions may be left out of lists, and a list that contradicts the
	// pin is not the last word.
	if st.pinned == nil || keycard.NormalSHA(st.pinned.ManifestSHA) != keycard.NormalSHA(rec.ManifestSHA) {
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
	recorded := map[[2]string]bool{}
	for _, e := range rec.Entries {
		recorded[[2]string{e.PolicyID, e.VersionID}] = true
	}
	var err error
	if err = zr.readBase(ctx, st, st.pinned, recorded); err != nil {
		return err
	}
	if len(st.newer) > 0 {
		st.newest, err = zr.SetVersion(ctx, st.id, st.newer[0].ID)
	}
	return err
}

// targetTypes are what a list of sets must be asked for to show the declared
// ones. The newest service lists zone sets alone when it isn't asked, and older
// ones may not know the question, so it is put only where it is needed.
func targetTypes(sets ...*setHistory) []string {
	for _, s := range sets {
		if s.decl.TargetType == "user" {
			return []string{"user", "zone"}
		}
	}
	return nil
}

// readUnpinnedSet looks a set up by its name, when no pin knows its id.
func (zr *zoneReader) readUnpinnedSet(ctx context.Context, s *setHistory, st *setState) error {
	if zr.setNames == nil {
		zr.setNames = map[string]*keycard.PolicySet{}
		for set, err := range zr.PolicySets(ctx, keycard.ListOptions{TargetTypes: targetTypes(zr.h.sets...)}) {
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
	if err = zr.readBase(ctx, st, st.adoption, nil); err != nil {
		return err
	}
	if live.LatestVersionID != "" && live.LatestVersionID != id {
		st.newest, err = zr.SetVersion(ctx, st.id, live.LatestVersionID)
	}
	return err
}

func find[T any](list []T, ok func(T) bool) T {
	var zero T
	if i := slices.IndexFunc(list, ok); i >= 0 {
		return list[i]
	}
	return zero
}

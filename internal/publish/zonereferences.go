package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

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
				id, err := zr.named(ctx, s, e.Policy)
				if err != nil {
					return err
				}
				if v := st.held[id]; v != nil && v.Version == e.Version {
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

// pinnedID is the id that the last pin of a set gives a policy, or "".
func (s *setHistory) pinnedID(policy string) string {
	if s.pinnedIDs == nil && s.pin != nil {
		s.pinnedIDs = map[string]string{}
		for _, e := range s.pin.Record.Entries {
			s.pinnedIDs[e.Policy] = e.PolicyID
		}
	}
	return s.pinnedIDs[policy]
}

// numberedIDs are the ids that pins give the policies of entries by number.
func (zr *zoneReader) numberedIDs() []string {
	var ids []string
	for _, s := range zr.h.sets {
		if s.superseded != "" {
			continue
		}
		for _, e := range s.decl.Entries {
			if id := s.pinnedID(e.Policy); e.Version != 0 && id != "" {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// named is the id that a pin gives a policy, as long as the zone says that the
// policy has that name, or "". An entry by number has no source that its content
// could be compared with, so a forged pin could put any policy in its place.
func (zr *zoneReader) named(ctx context.Context, s *setHistory, policy string) (string, error) {
	id := s.pinnedID(policy)
	if id == "" {
		return "", nil
	}
	live := zr.byID[id]
	if live == nil { // archived policies are left out of lists
		var err error
		live, err = zr.Policy(ctx, id)
		if errors.Is(err, keycard.ErrNotFound) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		zr.byID[id] = live
	}
	if live.Name != policy {
		zr.z.misnamed[policy] = live
		return "", nil
	}
	return id, nil
}

func (zr *zoneReader) readExact(ctx context.Context, st *setState, e manifest.Entry) error {
	if zr.z.exact[e.VersionID] != nil {
		return nil
	}
	v := st.held[e.PolicyID]
	if v == nil || v.ID != e.VersionID {
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

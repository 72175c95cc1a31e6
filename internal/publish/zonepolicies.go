package publish

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/policypin/policypin/internal/keycard"
)

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
		renamed := slices.ContainsFunc(zr.h.uses(name), func(u use) bool { return u.entry.Was != "" })
		if renamed || !zr.h.settled(name, p.candidates) {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return zr.readChanged(ctx, changed)
}

// pinnedIDs maps policy names to ids, and back, as the last pins say.
func (zr *zoneReader) pinnedIDs() (ids, names map[string]string) {
	ids, names = map[string]string{}, map[string]string{}
	for _, pin := range zr.h.known() { // the newest has the last word on a name
		for _, e := range pin.Record.Entries {
			if e.Policy != "" {
				ids[e.Policy] = e.PolicyID
				names[e.PolicyID] = e.Policy
			}
		}
	}
	// A policy that was renamed has its old name in the pin of a set that isn't
	// published any more. That name is free for another policy.
	maps.DeleteFunc(ids, func(name, id string) bool { return names[id] != name })
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

// readIDs reads policies by id, as far as they exist and aren't archived.
func (zr *zoneReader) readIDs(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	for p, err := range zr.Policies(ctx, keycard.ListOptions{IDs: ids}) {
		if err != nil {
			return fmt.Errorf("reading policies by id: %w", err)
		}
		zr.byID[p.ID] = p
		zr.z.owners[p.ID] = p.OwnerType
	}
	return nil
}

// recreated is the policy that has the name of an archived one, if such a policy
// was asked for: a run that died may have created it.
func (zr *zoneReader) recreated(ctx context.Context, name, archived string) (*keycard.Policy, error) {
	if !slices.Contains(zr.h.opts.Recreate, name) {
		return nil, nil
	}
	if err := zr.byName(ctx, []string{name}); err != nil {
		return nil, fmt.Errorf("looking policies up by name: %w", err)
	}
	if p := zr.polNames[name]; p != nil && p.ID != archived {
		return p, nil
	}
	return nil, nil
}

// readChanged reads the containers of policies whose source is not in the zone
// as far as it is known yet, and their newer versions. With the same requests it
// reads those of entries by number, for their names.
func (zr *zoneReader) readChanged(ctx context.Context, names []string) error {
	ids := zr.numberedIDs()
	for _, name := range names {
		if p := zr.z.policies[name]; p.live == nil {
			ids = append(ids, p.id)
		}
	}
	if err := zr.readIDs(ctx, ids); err != nil {
		return err
	}
	for _, name := range names {
		p := zr.z.policies[name]
		if p.live == nil {
			p.live = zr.byID[p.id]
		}
		if p.live == nil || p.live.ArchivedAt != nil {
			p.archived = true
			if again, err := zr.recreated(ctx, name, p.id); err != nil {
				return err
			} else if again == nil {
				continue
			} else {
				*p = policyState{id: again.ID, live: again, foreign: true}
			}
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

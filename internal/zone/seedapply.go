package zone

import (
	"fmt"
	"net/http"
)

// apply writes the seed into a zone that has just been made, by the rules that
// requests have.
func (seed *Seed) apply(s *Server, w *writer, zone string) error {
	c := &call{s: s, zone: zone, subject: localUser, header: make(http.Header)}
	for _, p := range seed.policies {
		rec, err := addPolicy(w, zone, c.newPolicy(w, p.name, p.description, targetZone))
		if err != nil {
			return err
		}
		for _, text := range p.versions {
			if _, err := c.addVersion(w, rec, text); err != nil {
				return err
			}
		}
	}
	for _, set := range seed.sets {
		if err := set.apply(c, w); err != nil {
			return fmt.Errorf("policy set %q: %w", set.name, err)
		}
	}
	return nil
}

func (set *seededSet) apply(c *call, w *writer) error {
	rec, err := addSet(w, c.zone, c.newSet(w, set.name, targetZone))
	if err != nil {
		return err
	}
	for i, v := range set.versions {
		m, err := c.resolvePins(w, v)
		if err != nil {
			return fmt.Errorf("version %d: %w", i+1, err)
		}
		added, err := c.addSetVersion(w, rec, v.schema, m)
		if err != nil {
			return err
		}
		if i+1 == set.active {
			if err := c.activate(w, rec, added, m.Entries); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolvePins turns names and numbers into a manifest.
func (c *call) resolvePins(w *writer, v seededSetVersion) (m storedManifest, err error) {
	seen := make(map[string]bool)
	for _, pinned := range v.pins {
		id := string(w.get(tableNames, key(c.zone, string(kindPolicy), pinned.policy)))
		if id == "" || hasControl(pinned.policy) {
			return m, fmt.Errorf("there is no policy %q", clip(pinned.policy))
		}
		if seen[id] {
			return m, duplicatePolicy(pinned.policy)
		}
		seen[id] = true
		e := entry{PolicyID: id}
		if e.PolicyVersionID, err = c.versionNumbered(w, id, pinned.version); err != nil {
			return m, err
		}
		rec, err := pin(w, c.zone, v.schema, &e)
		if err != nil {
			return m, err
		}
		m.Entries, m.Places = append(m.Entries, e), append(m.Places, rec.Place)
	}
	return m, nil
}

func (c *call) versionNumbered(w *writer, policyID string, number int) (string, error) {
	p, err := loadPolicy(w, c.zone, policyID)
	if err != nil {
		return "", err
	}
	switch {
	case p.Policy.LatestVersionID == nil || number > *p.Policy.LatestVersion:
		return "", fmt.Errorf("policy %q has no version %d", p.Policy.Name, max(1, number))
	case number == 0:
		return *p.Policy.LatestVersionID, nil
	}
	return string(w.get(tableVersions, rowKey(rowPrefix(c.zone, policyID), uint64(number)))), nil
}

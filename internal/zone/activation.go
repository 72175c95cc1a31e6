package zone

import (
	"net/http"
)

// activate binds a version to the zone. The zone has one active slot, so the
// set that had it loses it in the same transaction. It can't be emptied.
func (c *call) activate(w *writer, set *setRecord, v *setVersionRecord, entries []entry) error {
	if set.Set.ScopeType != targetZone {
		return badRequest("policy set %q has the target %s; only sets of the zone can be activated",
			set.Set.Name, set.Set.ScopeType).with("activate_requires_zone_target")
	}
	if err := set.open(); err != nil {
		return err
	}
	if v.Version.ArchivedAt != nil {
		return badRequest("policy set version %s is archived", v.Version.ID).with("version_archived")
	}
	for _, e := range entries {
		p, err := loadPolicyVersion(w, c.zone, e.PolicyID, e.PolicyVersionID)
		if err != nil {
			return err
		}
		if p.Version.ArchivedAt != nil {
			return badRequest("policy version %s is archived", e.PolicyVersionID).with("version_archived")
		}
	}
	z, err := loadZone(w, c.zone)
	if err != nil || z.ActiveVersion == v.Version.ID {
		return err
	}
	if z.ActiveSet != "" && z.ActiveSet != set.Set.ID {
		old, err := loadSet(w, c.zone, z.ActiveSet)
		if err != nil {
			return err
		}
		old.Revision++
		if err := old.save(w); err != nil {
			return err
		}
	}
	set.Revision++
	if err := set.save(w); err != nil {
		return err
	}
	z.ActiveSet, z.ActiveVersion, z.ActiveSince = set.Set.ID, v.Version.ID, c.s.now()
	return save(w, tableZones, c.zone, z)
}

// activateSetVersion is the PATCH of a version. Its body is {"active": true} and
// nothing else. Platform sets can be activated too: that is the way back.
func (c *call) activateSetVersion() (int, any, error) {
	o, err := c.body("active")
	if err != nil {
		return 0, nil, err
	}
	if string(o["active"]) != "true" {
		return 0, nil, badRequest("active must be true")
	}
	var out setVersion
	err = c.store.update(func(w *writer) error {
		set, err := loadSet(w, c.zone, c.ids[0])
		if err != nil {
			return err
		}
		v, m, err := c.findSetVersion(w)
		if err != nil {
			return err
		}
		if err := c.activate(w, set, v, m.Entries); err != nil {
			return err
		}
		out, err = c.renderSetVersion(w, v, m.Entries, false)
		return err
	})
	return http.StatusOK, out, err
}

// activeEntries is the manifest of the active binding; it is empty if the zone
// has none.
func (c *call) activeEntries(g getter) ([]entry, error) {
	z, err := loadZone(g, c.zone)
	if err != nil || z.ActiveVersion == "" {
		return nil, err
	}
	m, err := loadManifest(g, c.zone, z.ActiveVersion)
	if err != nil {
		return nil, err
	}
	return m.Entries, nil
}

package zone

import "net/http"

// Targets of policy sets. Generation 2 calls them scopes and has two more.
const (
	targetZone     = "zone"
	targetUser     = "user"
	targetResource = "resource"
	targetSession  = "session"
)

// A policySet is the API's object, with its binding.
type policySet struct {
	ID                   string  `json:"id"`
	ZoneID               string  `json:"zone_id"`
	Name                 string  `json:"name"`
	OwnerType            string  `json:"owner_type"`
	ScopeType            string  `json:"scope_type"`
	TargetType           string  `json:"target_type,omitempty"` // generation 3
	LatestVersion        *int    `json:"latest_version"`
	LatestVersionID      *string `json:"latest_version_id"`
	CreatedAt            string  `json:"created_at"`
	UpdatedAt            string  `json:"updated_at"`
	CreatedBy            string  `json:"created_by"`
	UpdatedBy            *string `json:"updated_by"`
	ArchivedAt           *string `json:"archived_at"`
	Active               bool    `json:"active"`
	Mode                 *string `json:"mode"`
	ScopeTargetID        *string `json:"scope_target_id"`
	ActiveVersion        *int    `json:"active_version"`
	ActiveVersionID      *string `json:"active_version_id"`
	ShadowVersion        *int    `json:"shadow_version"` // nothing can bind one
	ShadowVersionID      *string `json:"shadow_version_id"`
	CreatedByUser        *user   `json:"created_by_user,omitempty"`
	UpdatedByUser        *user   `json:"updated_by_user,omitempty"`
	*setGeneration3              // fields of the newest API that may be null
	*createdWithManifest         // only in the answer to such a create
}

type setGeneration3 struct {
	TargetID *string `json:"target_id"`
}

// A setRecord is a policy set as it is stored; its binding is the zone's.
type setRecord struct {
	Set      policySet `json:"set"` // ScopeType is the target, in both generations
	Place    uint64    `json:"place"`
	Revision uint64    `json:"revision"`
}

func loadSet(g getter, zone, id string) (*setRecord, error) {
	set, err := load[setRecord](g, tableSets, key(zone, id))
	if err == nil && set == nil {
		err = notFound("policy set", clip(id))
	}
	return set, err
}

func (set *setRecord) save(w *writer) error {
	return save(w, tableSets, key(set.Set.ZoneID, set.Set.ID), set)
}

func (set *setRecord) writable() error {
	if set.Set.OwnerType == ownerPlatform {
		return forbidden("policy set %q is owned by the platform", set.Set.Name)
	}
	return nil
}

func (set *setRecord) open() error {
	if set.Set.ArchivedAt != nil {
		return badRequest("policy set %q is archived", set.Set.Name).with("policy_set_archived")
	}
	return nil
}

// renderSet is the set as the server's generation shows it.
func (c *call) renderSet(g getter, set *setRecord, users bool) (policySet, error) {
	z, err := loadZone(g, c.zone)
	if err != nil {
		return policySet{}, err
	}
	out := set.Set
	if z.ActiveSet == out.ID {
		v, err := loadSetVersion(g, c.zone, out.ID, z.ActiveVersion)
		if err != nil {
			return policySet{}, err
		}
		mode := "active"
		out.Active, out.Mode, out.ScopeTargetID = true, &mode, &out.ZoneID
		out.ActiveVersion, out.ActiveVersionID = &v.Version.Version, &v.Version.ID
	}
	if c.s.opts.Generation >= 3 {
		out.TargetType = out.ScopeType
		out.setGeneration3 = &setGeneration3{TargetID: out.ScopeTargetID}
	}
	if users {
		out.CreatedByUser, out.UpdatedByUser = expandUser(&out.CreatedBy), expandUser(out.UpdatedBy)
	}
	return out, nil
}

// addSet creates a policy set. The name must be free in the zone.
func addSet(w *writer, zone string, set setRecord) (*setRecord, error) {
	at := key(zone, string(kindSet), set.Set.Name)
	if other := w.get(tableNames, at); other != nil {
		return nil, conflict("policy_set_name_conflict", "a policy set named %q exists already (%s)", set.Set.Name, other)
	}
	w.put(tableNames, at, []byte(set.Set.ID))
	place, err := nextPlace(w, zone)
	if err != nil {
		return nil, err
	}
	set.Place, set.Revision, set.Set.ZoneID = place, 1, zone
	w.put(tableLive, rowKey(rowPrefix(zone, string(kindSet)), place), []byte(set.Set.ID))
	return &set, set.save(w)
}

func (c *call) createSet() (int, any, error) {
	allowed := []string{"name", "scope_type"}
	if c.s.opts.Generation >= 3 {
		allowed = append(allowed, "target_type", "manifest")
	}
	o, err := c.body(allowed...)
	if err != nil {
		return 0, nil, err
	}
	name, err := o.name()
	if err != nil {
		return 0, nil, err
	}
	target, err := c.targetOf(o)
	if err != nil {
		return 0, nil, err
	}
	var m *manifestRequest
	if o.has("manifest") {
		if m, err = c.readManifest(o["manifest"], target); err != nil {
			return 0, nil, err
		}
	}
	var out policySet
	var revision uint64
	err = c.store.update(func(w *writer) error {
		set, err := addSet(w, c.zone, c.newSet(w, name, target))
		if err != nil {
			return err
		}
		var extras *createdWithManifest
		if m != nil {
			if extras, err = c.applyManifest(w, set, m); err != nil {
				return err
			}
			if set, err = loadSet(w, c.zone, set.Set.ID); err != nil {
				return err
			}
		}
		revision = set.Revision
		out, err = c.renderSet(w, set, false)
		out.createdWithManifest = extras
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	c.tag(revision)
	return http.StatusCreated, out, nil
}

// newSet is a customer's set as a request wants it.
func (c *call) newSet(w *writer, name, target string) setRecord {
	now := c.s.now()
	return setRecord{Set: policySet{
		ID: c.s.newID(w, c.zone, kindSet, name), Name: name, OwnerType: ownerCustomer, ScopeType: target,
		CreatedAt: now, UpdatedAt: now, CreatedBy: c.subject,
	}}
}

// targetOf reads target_type and its older name. Generation 3 takes only "zone"
// under the older one.
func (c *call) targetOf(o object) (string, error) {
	scopes := []string{targetZone, targetResource, targetUser, targetSession}
	if c.s.opts.Generation >= 3 {
		scopes = []string{targetZone}
	}
	scope, err := o.choice("scope_type", scopes)
	if err != nil {
		return "", err
	}
	target, err := o.choice("target_type", []string{targetZone, targetUser})
	if err != nil {
		return "", err
	}
	switch {
	case scope != "" && target != "" && scope != target:
		return "", badRequest("target_type %q and scope_type %q differ", target, scope)
	case target != "":
		return target, nil
	case scope != "":
		return scope, nil
	}
	return targetZone, nil
}

func (c *call) showSet() (int, any, error) {
	users, err := c.expandUser()
	if err != nil {
		return 0, nil, err
	}
	var out policySet
	var revision uint64
	err = c.store.view(func(r reader) error {
		set, err := loadSet(r, c.zone, c.ids[0])
		if err != nil {
			return err
		}
		revision = set.Revision
		out, err = c.renderSet(r, set, users)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	c.tag(revision)
	return http.StatusOK, out, nil
}

func (c *call) updateSet() (int, any, error) {
	o, err := c.body("name")
	if err != nil {
		return 0, nil, err
	}
	return c.changeSet(func(w *writer, set *setRecord) error {
		if err := set.open(); err != nil {
			return err
		}
		if _, ok := o["name"]; !ok {
			return nil
		}
		name, err := o.name()
		if err != nil {
			return err
		}
		err = rename(w, c.zone, kindSet, set.Set.ID, set.Set.Name, name)
		set.Set.Name = name
		return err
	})
}

func (c *call) archiveSet() (int, any, error) {
	return c.changeSet(func(w *writer, set *setRecord) error {
		if set.Set.ArchivedAt != nil {
			return errUnchanged
		}
		z, err := loadZone(w, c.zone)
		if err != nil {
			return err
		}
		if z.ActiveSet == set.Set.ID {
			return conflict("conflict", "policy set %q has an active binding and can't be archived", set.Set.Name)
		}
		now := c.s.now()
		set.Set.ArchivedAt = &now
		retire(w, c.zone, kindSet, set.Set.Name, set.Place)
		return nil
	})
}

// changeSet runs one change of a set and answers with the result.
func (c *call) changeSet(change func(*writer, *setRecord) error) (int, any, error) {
	var out policySet
	var revision uint64
	err := c.store.update(func(w *writer) error {
		set, err := loadSet(w, c.zone, c.ids[0])
		if err != nil {
			return err
		}
		if err := set.writable(); err != nil {
			return err
		}
		if err := c.checkMatch(set.Revision); err != nil {
			return err
		}
		switch err := change(w, set); {
		case err == nil:
			set.Revision++
			set.Set.UpdatedAt, set.Set.UpdatedBy = c.s.now(), &c.subject
			if err := set.save(w); err != nil {
				return err
			}
		case ignoreUnchanged(err) != nil:
			return err
		}
		revision = set.Revision
		out, err = c.renderSet(w, set, false)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	c.tag(revision)
	return http.StatusOK, out, nil
}

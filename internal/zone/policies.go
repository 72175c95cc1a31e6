package zone

import (
	"fmt"
	"net/http"
)

// Owners of objects. What the platform owns can be read, pinned and activated,
// and nothing else.
const (
	ownerPlatform = "platform"
	ownerCustomer = "customer"
)

// A policy is the API's object: a name with versions.
type policy struct {
	ID                  string  `json:"id"`
	ZoneID              string  `json:"zone_id"`
	Name                string  `json:"name"`
	Description         *string `json:"description"`
	OwnerType           string  `json:"owner_type"`
	LatestVersion       *int    `json:"latest_version"`
	LatestVersionID     *string `json:"latest_version_id"`
	LatestSchemaVersion *string `json:"latest_schema_version"`
	CreatedAt           string  `json:"created_at"`
	UpdatedAt           string  `json:"updated_at"`
	CreatedBy           string  `json:"created_by"`
	UpdatedBy           *string `json:"updated_by"`
	ArchivedAt          *string `json:"archived_at"`
	CreatedByUser       *user   `json:"created_by_user,omitempty"`
	UpdatedByUser       *user   `json:"updated_by_user,omitempty"`
}

// A policyRecord is a policy as it is stored.
type policyRecord struct {
	Policy     policy `json:"policy"`
	Place      uint64 `json:"place"`       // in the order of creation
	Revision   uint64 `json:"revision"`    // counts changes, for the ETag
	TargetType string `json:"target_type"` // of the sets it was made for
}

func loadPolicy(g getter, zone, id string) (*policyRecord, error) {
	p, err := load[policyRecord](g, tablePolicies, key(zone, id))
	if err == nil && p == nil {
		err = notFound("policy", clip(id)).with("policy_not_found")
	}
	return p, err
}

func (p *policyRecord) save(w *writer) error {
	return save(w, tablePolicies, key(p.Policy.ZoneID, p.Policy.ID), p)
}

// writable refuses what may not be changed.
func (p *policyRecord) writable() error {
	if p.Policy.OwnerType == ownerPlatform {
		return forbidden("policy %q is owned by the platform", p.Policy.Name)
	}
	return nil
}

func (p *policyRecord) open() error {
	if p.Policy.ArchivedAt != nil {
		return badRequest("policy %q is archived", p.Policy.Name).with("policy_archived")
	}
	return nil
}

// addPolicy creates a policy. The name must be free in the zone.
func addPolicy(w *writer, zone string, p policyRecord) (*policyRecord, error) {
	at := key(zone, string(kindPolicy), p.Policy.Name)
	if other := w.get(tableNames, at); other != nil {
		return nil, conflict("policy_name_conflict", "a policy named %q exists already (%s)", p.Policy.Name, other)
	}
	w.put(tableNames, at, []byte(p.Policy.ID))
	place, err := nextPlace(w, zone)
	if err != nil {
		return nil, err
	}
	p.Place, p.Revision, p.Policy.ZoneID = place, 1, zone
	w.put(tableLive, rowKey(rowPrefix(zone, string(kindPolicy)), place), []byte(p.Policy.ID))
	return &p, p.save(w)
}

// newPolicy is a customer's policy as a request wants it.
func (c *call) newPolicy(w *writer, name string, description *string, target string) policyRecord {
	now := c.s.now()
	return policyRecord{TargetType: target, Policy: policy{
		ID: c.s.newID(w, c.zone, kindPolicy, name), Name: name, Description: description,
		OwnerType: ownerCustomer, CreatedAt: now, UpdatedAt: now, CreatedBy: c.subject,
	}}
}

func (c *call) createPolicy() (int, any, error) {
	o, err := c.body("name", "description")
	if err != nil {
		return 0, nil, err
	}
	name, err := o.name()
	if err != nil {
		return 0, nil, err
	}
	description, err := o.text("description")
	if err != nil {
		return 0, nil, err
	}
	var p *policyRecord
	err = c.store.update(func(w *writer) (err error) {
		p, err = addPolicy(w, c.zone, c.newPolicy(w, name, description, targetZone))
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	c.tag(p.Revision)
	return http.StatusCreated, p.Policy, nil
}

func (c *call) showPolicy() (int, any, error) {
	users, err := c.expandUser()
	if err != nil {
		return 0, nil, err
	}
	var p *policyRecord
	err = c.store.view(func(r reader) (err error) {
		p, err = loadPolicy(r, c.zone, c.ids[0])
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	c.tag(p.Revision)
	return http.StatusOK, p.Policy.expanded(users), nil
}

func (p policy) expanded(users bool) policy {
	if users {
		p.CreatedByUser, p.UpdatedByUser = expandUser(&p.CreatedBy), expandUser(p.UpdatedBy)
	}
	return p
}

func (c *call) updatePolicy() (int, any, error) {
	o, err := c.body("name", "description")
	if err != nil {
		return 0, nil, err
	}
	description, err := o.text("description")
	if err != nil {
		return 0, nil, err
	}
	return c.changePolicy(func(w *writer, p *policyRecord) error {
		if err := c.checkMatch(p.Revision); err != nil {
			return err
		}
		if err := p.open(); err != nil {
			return err
		}
		if _, ok := o["description"]; ok {
			p.Policy.Description = description
		}
		if _, ok := o["name"]; !ok {
			return nil
		}
		name, err := o.name()
		if err != nil {
			return err
		}
		err = rename(w, c.zone, kindPolicy, p.Policy.ID, p.Policy.Name, name)
		p.Policy.Name = name
		return err
	})
}

func (c *call) archivePolicy() (int, any, error) {
	return c.changePolicy(func(w *writer, p *policyRecord) error {
		if p.Policy.ArchivedAt != nil {
			return errUnchanged
		}
		now := c.s.now()
		p.Policy.ArchivedAt = &now
		retire(w, c.zone, kindPolicy, p.Policy.Name, p.Place)
		return nil
	})
}

// changePolicy runs one change of a policy and answers with the result.
func (c *call) changePolicy(change func(*writer, *policyRecord) error) (int, any, error) {
	var p *policyRecord
	err := c.store.update(func(w *writer) (err error) {
		if p, err = loadPolicy(w, c.zone, c.ids[0]); err != nil {
			return err
		}
		if err := p.writable(); err != nil {
			return err
		}
		if err := change(w, p); err != nil {
			return ignoreUnchanged(err)
		}
		p.Revision++
		p.Policy.UpdatedAt, p.Policy.UpdatedBy = c.s.now(), &c.subject
		return p.save(w)
	})
	if err != nil {
		return 0, nil, err
	}
	c.tag(p.Revision)
	return http.StatusOK, p.Policy, nil
}

// A user is what expand[]=user adds. Its id is another one than that in the
// *_by fields.
type user struct {
	ID     string  `json:"id"`
	Email  *string `json:"email"`
	ZoneID string  `json:"zone_id"`
}

func expandUser(by *string) *user {
	if by == nil {
		return nil
	}
	return &user{ID: fmt.Sprintf("puser_%s", *by), ZoneID: "zone_platform"}
}

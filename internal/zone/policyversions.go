package zone

import (
	"encoding/json"
	"net/http"
	"slices"
)

// A policyVersion is the API's object: immutable Cedar content with a number.
type policyVersion struct {
	ID             string          `json:"id"`
	PolicyID       string          `json:"policy_id"`
	ZoneID         string          `json:"zone_id"`
	Version        int             `json:"version"`
	SchemaVersion  string          `json:"schema_version"`
	SHA            string          `json:"sha"`
	CedarRaw       *string         `json:"cedar_raw"`
	CedarJSON      json.RawMessage `json:"cedar_json"`
	OwnerType      string          `json:"owner_type"`
	CreatedAt      string          `json:"created_at"`
	CreatedBy      string          `json:"created_by"`
	ArchivedAt     *string         `json:"archived_at"`
	ArchivedBy     *string         `json:"archived_by"`
	CreatedByUser  *user           `json:"created_by_user,omitempty"`
	ArchivedByUser *user           `json:"archived_by_user,omitempty"`
}

// A policyVersionRecord is stored without its content, which most rules don't
// need.
type policyVersionRecord struct {
	Version policyVersion `json:"version"`
	Place   uint64        `json:"place"`
}

func loadPolicyVersion(g getter, zone, policyID, id string) (*policyVersionRecord, error) {
	v, err := load[policyVersionRecord](g, tablePolicyVersions, key(zone, id))
	if err == nil && (v == nil || v.Version.PolicyID != policyID) {
		return nil, notFound("policy version", clip(id)).with("policy_version_not_found")
	}
	return v, err
}

func (v *policyVersionRecord) save(w *writer) error {
	return save(w, tablePolicyVersions, key(v.Version.ZoneID, v.Version.ID), v)
}

// addPolicyVersion gives a policy its next version. Writers run one at a time,
// so the numbers have no gaps.
func addPolicyVersion(w *writer, p *policyRecord, v policyVersion, text *content, newID func(number int) string) (*policyVersionRecord, error) {
	v.Version = 1
	if p.Policy.LatestVersion != nil {
		v.Version = *p.Policy.LatestVersion + 1
	}
	v.ID, v.PolicyID, v.ZoneID = newID(v.Version), p.Policy.ID, p.Policy.ZoneID
	v.SchemaVersion, v.SHA = text.Schema, text.SHA
	place, err := nextPlace(w, v.ZoneID)
	if err != nil {
		return nil, err
	}
	rec := &policyVersionRecord{Version: v, Place: place}
	if err := rec.save(w); err != nil {
		return nil, err
	}
	if err := save(w, tableContents, key(v.ZoneID, v.ID), text); err != nil {
		return nil, err
	}
	w.put(tableVersions, rowKey(rowPrefix(v.ZoneID, v.PolicyID), uint64(v.Version)), []byte(v.ID))
	p.Policy.LatestVersion, p.Policy.LatestVersionID = &v.Version, &v.ID
	p.Policy.LatestSchemaVersion = &v.SchemaVersion
	p.Revision++
	return rec, p.save(w)
}

// addVersion is addPolicyVersion on behalf of a request.
func (c *call) addVersion(w *writer, p *policyRecord, text *content) (*policyVersionRecord, error) {
	v := policyVersion{OwnerType: ownerCustomer, CreatedAt: c.s.now(), CreatedBy: c.subject}
	return addPolicyVersion(w, p, v, text, func(n int) string {
		return c.s.versionID(kindPolicy, p.Policy.ID, n)
	})
}

func (c *call) createPolicyVersion() (int, any, error) {
	o, err := c.body("schema_version", "cedar_raw", "cedar_json")
	if err != nil {
		return 0, nil, err
	}
	schema, err := o.requiredText("schema_version")
	if err != nil {
		return 0, nil, err
	}
	check := func(g getter) (*policyRecord, error) {
		p, err := loadPolicy(g, c.zone, c.ids[0])
		if err != nil {
			return nil, err
		}
		if err := p.writable(); err != nil {
			return nil, err
		}
		return p, p.open()
	}
	err = c.store.view(func(r reader) error {
		_, err := check(r)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	text, err := contentOf(o, schema) // before the transaction: it takes longer than all the rest
	if err != nil {
		return 0, nil, err
	}
	var v *policyVersionRecord
	err = c.store.update(func(w *writer) error {
		p, err := check(w)
		if err != nil {
			return err
		}
		v, err = c.addVersion(w, p, text)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, v.Version.with(text, formatBoth, false), nil
}

// Formats of Cedar content in answers.
const (
	formatBoth  = ""
	formatCedar = "cedar"
	formatJSON  = "json"
)

func (c *call) contentFormat() string {
	if !c.params.values.Has("format") {
		return formatBoth
	}
	return c.params.choice("format", formatCedar, formatJSON)
}

// with adds the content and the users to a version.
func (v policyVersion) with(text *content, format string, users bool) policyVersion {
	if format != formatJSON {
		v.CedarRaw = &text.Raw
	}
	if format != formatCedar {
		v.CedarJSON = text.JSON
	}
	if users {
		v.CreatedByUser, v.ArchivedByUser = expandUser(&v.CreatedBy), expandUser(v.ArchivedBy)
	}
	return v
}

func loadContent(g getter, zone, versionID string) (*content, error) {
	text, err := load[content](g, tableContents, key(zone, versionID))
	if err == nil && text == nil {
		err = notFound("content of policy version", versionID)
	}
	return text, err
}

func (c *call) showPolicyVersion() (int, any, error) {
	format := c.contentFormat()
	users, err := c.expandUser()
	if err == nil {
		err = c.params.err()
	}
	if err != nil {
		return 0, nil, err
	}
	var out policyVersion
	err = c.store.view(func(r reader) error {
		v, err := loadPolicyVersion(r, c.zone, c.ids[0], c.ids[1])
		if err != nil {
			return err
		}
		text, err := loadContent(r, c.zone, v.Version.ID)
		if err != nil {
			return err
		}
		out = v.Version.with(text, format, users)
		return nil
	})
	return http.StatusOK, out, err
}

func (c *call) archivePolicyVersion() (int, any, error) {
	var out policyVersion
	err := c.store.update(func(w *writer) error {
		p, err := loadPolicy(w, c.zone, c.ids[0])
		if err != nil {
			return err
		}
		v, err := loadPolicyVersion(w, c.zone, c.ids[0], c.ids[1])
		if err != nil {
			return err
		}
		if err := p.writable(); err != nil {
			return err
		}
		text, err := loadContent(w, c.zone, v.Version.ID)
		if err != nil {
			return err
		}
		if v.Version.ArchivedAt == nil {
			active, err := c.activeEntries(w)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(active, func(e entry) bool { return e.PolicyVersionID == v.Version.ID }) {
				return badRequest("policy version %s is currently active and can't be archived", v.Version.ID)
			}
			now := c.s.now()
			v.Version.ArchivedAt, v.Version.ArchivedBy = &now, &c.subject
			if err := v.save(w); err != nil {
				return err
			}
		}
		out = v.Version.with(text, formatBoth, false)
		return nil
	})
	return http.StatusOK, out, err
}

func (c *call) listPolicyVersions() (int, any, error) {
	q := c.params
	expanded := q.expand(c.expandable()...)
	q.filters()
	q.choice("sort", "created_at")
	format := c.contentFormat()
	l := q.listing(key(c.zone, c.ids[0]), defaultPage, expanded)
	if err := q.err(); err != nil {
		return 0, nil, err
	}
	var out page[policyVersion]
	err := c.store.view(func(r reader) error {
		if _, err := loadPolicy(r, c.zone, c.ids[0]); err != nil {
			return err
		}
		rows := rowsOf(r, tableVersions, rowPrefix(c.zone, c.ids[0]))
		var err error
		out, err = paginate(l, rows, c.versionItem(r, format, slices.Contains(expanded, "user")))
		return err
	})
	return http.StatusOK, out, err
}

// versionItem loads the rows of a list of policy versions.
func (c *call) versionItem(r reader, format string, users bool) func(id string) (policyVersion, bool, error) {
	return func(id string) (policyVersion, bool, error) {
		v, err := load[policyVersionRecord](r, tablePolicyVersions, key(c.zone, id))
		if err == nil && v == nil {
			err = notFound("policy version", id)
		}
		if err != nil || c.lags(id) {
			return policyVersion{}, false, err
		}
		text, err := loadContent(r, c.zone, id)
		if err != nil {
			return policyVersion{}, false, err
		}
		return v.Version.with(text, format, users), true, nil
	}
}

package zone

import (
	"encoding/json"
	"net/http"

	"github.com/policypin/policypin/internal/jcs"
)

// An entry pins one policy version. Its SHA is that of the version.
type entry struct {
	PolicyID        string `json:"policy_id"`
	PolicyVersionID string `json:"policy_version_id"`
	SHA             string `json:"sha"`
}

type manifest struct {
	Entries []entry `json:"entries"`
}

// A setVersion is the API's object: an immutable manifest with a number.
type setVersion struct {
	ID             string    `json:"id"`
	PolicySetID    string    `json:"policy_set_id"`
	Version        int       `json:"version"`
	SchemaVersion  string    `json:"schema_version"`
	Manifest       *manifest `json:"manifest,omitempty"`
	ManifestSHA    string    `json:"manifest_sha"`
	Active         bool      `json:"active"`
	Attestation    any       `json:"attestation,omitempty"` // *statement or an envelope; not stored
	OwnerType      string    `json:"owner_type"`
	CreatedAt      string    `json:"created_at"`
	CreatedBy      string    `json:"created_by"`
	ArchivedAt     *string   `json:"archived_at"`
	ArchivedBy     *string   `json:"archived_by"`
	CreatedByUser  *user     `json:"created_by_user,omitempty"`
	ArchivedByUser *user     `json:"archived_by_user,omitempty"`
}

// A setVersionRecord is stored without its manifest, which may be large.
type setVersionRecord struct {
	Version   setVersion `json:"version"`
	KeyNumber int        `json:"key_number,omitempty"` // of the key that attested it first
}

// storedManifest keeps the place of every pinned version next to its entry, so
// that a page of them needs no look at all of them.
type storedManifest struct {
	Entries []entry  `json:"entries"`
	Places  []uint64 `json:"places"`
}

func loadSetVersion(g getter, zone, setID, id string) (*setVersionRecord, error) {
	v, err := load[setVersionRecord](g, tableSetVersions, key(zone, id))
	if err == nil && (v == nil || v.Version.PolicySetID != setID) {
		return nil, notFound("policy set version", clip(id))
	}
	return v, err
}

func loadManifest(g getter, zone, versionID string) (*storedManifest, error) {
	m, err := load[storedManifest](g, tableManifests, key(zone, versionID))
	if err == nil && m == nil {
		err = notFound("manifest of policy set version", versionID)
	}
	return m, err
}

// manifestSHA is the SHA-256 of the manifest's canonical JSON (RFC 8785) in the
// form {"entries":[…]}, in the order given. The API reference names the
// canonicalization and leaves the object open; this is the likeliest reading.
func manifestSHA(entries []entry) (string, error) {
	sum, err := jcs.Sum(manifest{entries})
	return sum.String(), err
}

// addSetVersion gives a set its next version.
func addSetVersion(w *writer, set *setRecord, v setVersion, m storedManifest, newID func(number int) string) (*setVersionRecord, error) {
	sha, err := manifestSHA(m.Entries)
	if err != nil {
		return nil, err
	}
	v.Version = 1
	if set.Set.LatestVersion != nil {
		v.Version = *set.Set.LatestVersion + 1
	}
	v.ID, v.PolicySetID, v.ManifestSHA = newID(v.Version), set.Set.ID, sha
	v.OwnerType = set.Set.OwnerType
	zone := set.Set.ZoneID
	z, err := loadZone(w, zone)
	if err != nil {
		return nil, err
	}
	rec := &setVersionRecord{Version: v, KeyNumber: z.KeyNumber}
	if err := save(w, tableSetVersions, key(zone, v.ID), rec); err != nil {
		return nil, err
	}
	if err := save(w, tableManifests, key(zone, v.ID), m); err != nil {
		return nil, err
	}
	w.put(tableVersions, rowKey(rowPrefix(zone, v.PolicySetID), uint64(v.Version)), []byte(v.ID))
	set.Set.LatestVersion, set.Set.LatestVersionID = &v.Version, &v.ID
	set.Revision++
	return rec, set.save(w)
}

func (c *call) addSetVersion(w *writer, set *setRecord, schema string, m storedManifest) (*setVersionRecord, error) {
	v := setVersion{SchemaVersion: schema, CreatedAt: c.s.now(), CreatedBy: c.subject}
	return addSetVersion(w, set, v, m, func(n int) string {
		return c.s.versionID(kindSet, set.Set.ID, n)
	})
}

// renderSetVersion is a version as it is answered; entries is nil in lists.
func (c *call) renderSetVersion(g getter, rec *setVersionRecord, entries []entry, users bool) (setVersion, error) {
	z, err := loadZone(g, c.zone)
	if err != nil {
		return setVersion{}, err
	}
	v := rec.Version
	v.Active = z.ActiveVersion == v.ID
	if entries != nil {
		v.Manifest = &manifest{entries}
	}
	if v.Attestation, err = c.attest(g, z, rec, entries); err != nil {
		return setVersion{}, err
	}
	if users {
		v.CreatedByUser, v.ArchivedByUser = expandUser(&v.CreatedBy), expandUser(v.ArchivedBy)
	}
	return v, nil
}

// readEntries decodes the entries of a manifest that pins exact versions.
func readEntries(raw json.RawMessage) ([]entry, error) {
	o, err := subObject("manifest", raw, "entries")
	if err != nil {
		return nil, err
	}
	list, err := o.list("entries")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, badRequest("a manifest needs at least one entry")
	}
	entries := make([]entry, len(list))
	seen := make(map[string]bool, len(list))
	for i, item := range list {
		e, err := subObject("a manifest entry", item, "policy_id", "policy_version_id", "sha")
		if err != nil {
			return nil, err
		}
		if entries[i].PolicyID, err = e.requiredText("policy_id"); err != nil {
			return nil, err
		}
		if entries[i].PolicyVersionID, err = e.requiredText("policy_version_id"); err != nil {
			return nil, err
		}
		sha, err := e.text("sha")
		if err != nil {
			return nil, err
		}
		if sha != nil {
			entries[i].SHA = *sha
		}
		if seen[entries[i].PolicyID] {
			return nil, duplicatePolicy(entries[i].PolicyID)
		}
		seen[entries[i].PolicyID] = true
	}
	return entries, nil
}

func duplicatePolicy(id string) *apiError {
	return badRequest("policy %q is in the manifest twice", clip(id)).with("manifest_duplicate_policy")
}

// pin checks one entry against the zone: the version exists, belongs to the
// policy, isn't archived, has the schema, and has the hash if one is given. It
// fills in the hash.
func pin(g getter, zone, schema string, e *entry) (*policyVersionRecord, error) {
	if hasControl(e.PolicyID + e.PolicyVersionID) {
		return nil, badRequest("an entry's ids must not contain control characters")
	}
	v, err := load[policyVersionRecord](g, tablePolicyVersions, key(zone, e.PolicyVersionID))
	if err != nil {
		return nil, err
	}
	switch {
	case v == nil || v.Version.PolicyID != e.PolicyID:
		return nil, badRequest("policy %q has no version %q", clip(e.PolicyID), clip(e.PolicyVersionID)).with("policy_version_not_found")
	case v.Version.ArchivedAt != nil:
		return nil, badRequest("policy version %s is archived", v.Version.ID).with("version_archived")
	case v.Version.SchemaVersion != schema:
		return nil, badRequest("policy version %s was validated against schema %s, not %s",
			v.Version.ID, v.Version.SchemaVersion, clip(schema)).with("schema_version_mismatch")
	case e.SHA != "" && e.SHA != v.Version.SHA:
		return nil, badRequest("policy version %s has another sha", v.Version.ID)
	}
	e.SHA = v.Version.SHA
	return v, nil
}

func (c *call) createSetVersion() (int, any, error) {
	o, err := c.body("manifest", "schema_version")
	if err != nil {
		return 0, nil, err
	}
	schema, err := o.requiredText("schema_version")
	if err != nil {
		return 0, nil, err
	}
	if _, ok := findSchema(schema); !ok {
		return 0, nil, unknownSchema(schema)
	}
	entries, err := readEntries(o["manifest"])
	if err != nil {
		return 0, nil, err
	}
	var out setVersion
	err = c.store.update(func(w *writer) error {
		set, err := loadSet(w, c.zone, c.ids[0])
		if err != nil {
			return err
		}
		if err := set.writable(); err != nil {
			return err
		}
		if err := set.open(); err != nil {
			return err
		}
		m := storedManifest{Entries: entries, Places: make([]uint64, len(entries))}
		for i := range m.Entries {
			v, err := pin(w, c.zone, schema, &m.Entries[i])
			if err != nil {
				return err
			}
			m.Places[i] = v.Place
		}
		rec, err := c.addSetVersion(w, set, schema, m)
		if err != nil {
			return err
		}
		out, err = c.renderSetVersion(w, rec, m.Entries, false)
		return err
	})
	return http.StatusCreated, out, err
}

func (c *call) showSetVersion() (int, any, error) {
	users, err := c.expandUser()
	if err != nil {
		return 0, nil, err
	}
	var out setVersion
	err = c.store.view(func(r reader) error {
		rec, m, err := c.findSetVersion(r)
		if err != nil {
			return err
		}
		out, err = c.renderSetVersion(r, rec, m.Entries, users)
		return err
	})
	return http.StatusOK, out, err
}

// findSetVersion loads the version that the path names.
func (c *call) findSetVersion(g getter) (*setVersionRecord, *storedManifest, error) {
	if _, err := loadSet(g, c.zone, c.ids[0]); err != nil {
		return nil, nil, err
	}
	rec, err := loadSetVersion(g, c.zone, c.ids[0], c.ids[1])
	if err != nil {
		return nil, nil, err
	}
	m, err := loadManifest(g, c.zone, rec.Version.ID)
	return rec, m, err
}

func (c *call) archiveSetVersion() (int, any, error) {
	var out setVersion
	err := c.store.update(func(w *writer) error {
		rec, m, err := c.findSetVersion(w)
		if err != nil {
			return err
		}
		set, err := loadSet(w, c.zone, c.ids[0])
		if err != nil {
			return err
		}
		if err := set.writable(); err != nil {
			return err
		}
		z, err := loadZone(w, c.zone)
		if err != nil {
			return err
		}
		if z.ActiveVersion == rec.Version.ID {
			return badRequest("policy set version %s is currently active and can't be archived", rec.Version.ID)
		}
		if rec.Version.ArchivedAt == nil {
			now := c.s.now()
			rec.Version.ArchivedAt, rec.Version.ArchivedBy = &now, &c.subject
			if err := save(w, tableSetVersions, key(c.zone, rec.Version.ID), rec); err != nil {
				return err
			}
		}
		out, err = c.renderSetVersion(w, rec, m.Entries, false)
		return err
	})
	return http.StatusOK, out, err
}

package zone

import (
	"encoding/json"
)

// Actions of create-with-manifest, as its answer lists them.
const (
	actionCreatedPolicy  = "created_policy"
	actionCreatedVersion = "created_version"
	actionReused         = "reused"
)

// createdWithManifest is what the answer to a create with a manifest has more
// than other sets have.
type createdWithManifest struct {
	PolicySetVersion *setVersion `json:"policy_set_version"`
	Changes          []change    `json:"changes"`
	Binding          *binding    `json:"binding,omitempty"`
	Warnings         []warning   `json:"warnings,omitempty"`
}

type change struct {
	Action          string `json:"action"`
	Name            string `json:"name"`
	PolicyID        string `json:"policy_id"`
	PolicyVersionID string `json:"policy_version_id"`
}

type binding struct {
	ID                 string `json:"id"`
	CreatedAt          string `json:"created_at"`
	Mode               string `json:"mode"`
	PolicySetID        string `json:"policy_set_id"`
	PolicySetVersionID string `json:"policy_set_version_id"`
	TargetID           string `json:"target_id"`
	TargetType         string `json:"target_type"`
	ScopeTargetID      string `json:"scope_target_id"`
	ScopeType          string `json:"scope_type"`
}

// A manifestRequest is the manifest of a create, with its Cedar checked.
type manifestRequest struct {
	target   string
	schema   string // "": the zone's default
	activate bool
	entries  []entryRequest
}

// An entryRequest is a pin, new content for a policy, or a new policy.
type entryRequest struct {
	policyID, versionID string
	name                string // of a new policy
	description         *string
	hasContent          bool
	text                string
	content             *content
}

// readManifest reads and checks all that doesn't need the store's writer.
func (c *call) readManifest(raw json.RawMessage, target string) (*manifestRequest, error) {
	o, err := subObject("manifest", raw, "entries", "schema_version", "activate")
	if err != nil {
		return nil, err
	}
	m := &manifestRequest{target: target}
	if m.activate, err = o.boolean("activate"); err != nil {
		return nil, err
	}
	if m.activate && target != targetZone {
		return nil, badRequest("only sets of the zone can be activated").with("activate_requires_zone_target")
	}
	version, err := o.text("schema_version")
	if err != nil {
		return nil, err
	}
	if version != nil {
		m.schema = *version
	} else if m.schema, err = c.defaultSchema(); err != nil {
		return nil, err
	}
	if _, ok := findSchema(m.schema); !ok {
		return nil, unknownSchema(m.schema)
	}
	list, err := o.list("entries")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, badRequest("a manifest needs at least one entry")
	}
	seen := make(map[string]bool, len(list))
	for _, item := range list {
		e, err := readEntryRequest(item)
		if err != nil {
			return nil, err
		}
		if e.policyID != "" && seen[e.policyID] {
			return nil, duplicatePolicy(e.policyID)
		}
		seen[e.policyID] = true
		if e.hasContent {
			if e.content, err = newContent(e.text, m.schema); err != nil {
				return nil, err
			}
		}
		m.entries = append(m.entries, *e)
	}
	return m, nil
}

func readEntryRequest(raw json.RawMessage) (*entryRequest, error) {
	o, err := subObject("a manifest entry", raw, "policy_id", "policy_version_id", "new_policy", "cedar_raw", "cedar_json")
	if err != nil {
		return nil, err
	}
	e := &entryRequest{hasContent: o.has("cedar_raw") || o.has("cedar_json")}
	if e.hasContent {
		if e.text, err = cedarText(o); err != nil {
			return nil, err
		}
	}
	if o.has("new_policy") {
		return e, e.readNewPolicy(o)
	}
	if e.policyID, err = o.requiredText("policy_id"); err != nil {
		return nil, badRequest("a manifest entry needs a policy_id or a new_policy")
	}
	if o.has("policy_version_id") {
		if e.versionID, err = o.requiredText("policy_version_id"); err != nil {
			return nil, err
		}
		if e.hasContent {
			return nil, badRequest("policy_version_id and Cedar content can't be combined")
		}
	}
	if hasControl(e.policyID + e.versionID) {
		return nil, badRequest("an entry's ids must not contain control characters")
	}
	return e, nil
}

func (e *entryRequest) readNewPolicy(o object) error {
	if o.has("policy_id") || o.has("policy_version_id") {
		return badRequest("new_policy can't be combined with policy_id or policy_version_id")
	}
	p, err := subObject("new_policy", o["new_policy"], "name", "description")
	if err != nil {
		return err
	}
	if e.name, err = p.name(); err != nil {
		return err
	}
	if e.description, err = p.text("description"); err != nil {
		return err
	}
	if !e.hasContent {
		return badRequest("new policy %q has no Cedar content", clip(e.name)).with("missing_cedar_content")
	}
	return nil
}

// applyManifest creates what a manifest asks for, and the set's first version.
// An error undoes the set as well: the writer is dropped.
func (c *call) applyManifest(w *writer, set *setRecord, m *manifestRequest) (*createdWithManifest, error) {
	out := &createdWithManifest{Changes: []change{}}
	var pinned storedManifest
	for i := range m.entries {
		e := &m.entries[i]
		v, ch, err := c.applyEntry(w, m, e)
		if err != nil {
			return nil, err
		}
		out.Changes = append(out.Changes, ch)
		if e.content != nil {
			out.Warnings = append(out.Warnings, e.content.warnings...)
		}
		pinned.Entries = append(pinned.Entries, entry{v.Version.PolicyID, v.Version.ID, v.Version.SHA})
		pinned.Places = append(pinned.Places, v.Place)
	}
	v, err := c.addSetVersion(w, set, m.schema, pinned)
	if err != nil {
		return nil, err
	}
	if m.activate {
		if err := c.activate(w, set, v, pinned.Entries); err != nil {
			return nil, err
		}
		out.Binding = &binding{
			ID: "bind_" + v.Version.ID, CreatedAt: c.s.now(), Mode: "active",
			PolicySetID: set.Set.ID, PolicySetVersionID: v.Version.ID,
			TargetID: c.zone, TargetType: targetZone, ScopeTargetID: c.zone, ScopeType: targetZone,
		}
	}
	rendered, err := c.renderSetVersion(w, v, pinned.Entries, false)
	out.PolicySetVersion = &rendered
	return out, err
}

func (c *call) applyEntry(w *writer, m *manifestRequest, e *entryRequest) (*policyVersionRecord, change, error) {
	if e.policyID == "" {
		p, err := addPolicy(w, c.zone, c.newPolicy(w, e.name, e.description, m.target))
		if err != nil {
			return nil, change{}, err
		}
		v, err := c.addVersion(w, p, e.content)
		return v, changeOf(actionCreatedPolicy, p, v), err
	}
	p, err := load[policyRecord](w, tablePolicies, key(c.zone, e.policyID))
	if err != nil {
		return nil, change{}, err
	}
	if p == nil {
		return nil, change{}, badRequest("policy %q not found", clip(e.policyID)).with("policy_not_found")
	}
	if err := p.open(); err != nil {
		return nil, change{}, err
	}
	if e.versionID != "" {
		v, err := pin(w, c.zone, m.schema, &entry{PolicyID: e.policyID, PolicyVersionID: e.versionID})
		return v, changeOf(actionReused, p, v), err
	}
	if e.hasContent {
		if err := p.writable(); err != nil {
			return nil, change{}, err
		}
	}
	return c.followPolicy(w, m, e, p)
}

// followPolicy pins a policy's latest version if it has the wanted content and
// schema, and otherwise gives it a new one.
func (c *call) followPolicy(w *writer, m *manifestRequest, e *entryRequest, p *policyRecord) (*policyVersionRecord, change, error) {
	var latest *policyVersionRecord
	if p.Policy.LatestVersionID != nil {
		var err error
		if latest, err = loadPolicyVersion(w, c.zone, p.Policy.ID, *p.Policy.LatestVersionID); err != nil {
			return nil, change{}, err
		}
	}
	if !e.hasContent {
		if latest == nil {
			return nil, change{}, badRequest("policy %q has no version", p.Policy.Name).with("policy_version_not_found")
		}
		if latest.Version.ArchivedAt != nil {
			return nil, change{}, badRequest("policy version %s is archived", latest.Version.ID).with("version_archived")
		}
	}
	usable := latest != nil && latest.Version.ArchivedAt == nil && latest.Version.SchemaVersion == m.schema
	if usable && (!e.hasContent || e.content.SHA == latest.Version.SHA) {
		return latest, changeOf(actionReused, p, latest), nil
	}
	text := e.content
	if text == nil { // the same content, for another schema
		if p.Policy.OwnerType == ownerPlatform {
			return nil, change{}, badRequest("platform policy %q has no version for schema %s", p.Policy.Name, m.schema).
				with("schema_version_mismatch")
		}
		old, err := loadContent(w, c.zone, latest.Version.ID)
		if err != nil {
			return nil, change{}, err
		}
		if text, err = newContent(old.Raw, m.schema); err != nil {
			return nil, change{}, err
		}
	}
	v, err := c.addVersion(w, p, text)
	return v, changeOf(actionCreatedVersion, p, v), err
}

func changeOf(action string, p *policyRecord, v *policyVersionRecord) change {
	ch := change{Action: action, Name: p.Policy.Name, PolicyID: p.Policy.ID}
	if v != nil {
		ch.PolicyVersionID = v.Version.ID
	}
	return ch
}

package keycard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"
)

// A ManifestEntry is one entry of a policy set version's manifest.
type ManifestEntry struct {
	PolicyID  string `json:"policy_id"`
	VersionID string `json:"policy_version_id"`
	SHA       string `json:"sha,omitempty"`
}

// A PolicySetVersion is an immutable snapshot of a manifest.
type PolicySetVersion struct {
	ID            string          `json:"id"`
	PolicySetID   string          `json:"policy_set_id"`
	Version       int             `json:"version"`
	SchemaVersion string          `json:"schema_version"`
	Entries       []ManifestEntry `json:"entries"` // nil when the answer left the manifest out, as lists do
	ManifestSHA   string          `json:"manifest_sha"`
	Active        *bool           `json:"active"` // nil: unknown
	Attestation   json.RawMessage `json:"attestation"`
	OwnerType     string          `json:"owner_type"`
	CreatedAt     time.Time       `json:"created_at"`
	CreatedBy     string          `json:"created_by"`
	ArchivedAt    *time.Time      `json:"archived_at"`
}

func (v *PolicySetVersion) check() error {
	err := required("id", v.ID, "policy_set_id", v.PolicySetID, "schema_version", v.SchemaVersion, "manifest_sha", v.ManifestSHA)
	if err != nil {
		return err
	}
	for i, e := range v.Entries {
		if err := required("policy_id", e.PolicyID, "policy_version_id", e.VersionID); err != nil {
			return fmt.Errorf("manifest entry %d: %w", i, err)
		}
	}
	return numbered(v.Version)
}

func (v *PolicySetVersion) key() string { return v.ID }

// readSetVersion takes the entries from the manifest, or from one level higher,
// where one description of the API has them.
func readSetVersion(body []byte) (*PolicySetVersion, error) {
	var w struct {
		PolicySetVersion
		Manifest *struct {
			Entries []ManifestEntry `json:"entries"`
		} `json:"manifest"`
	}
	if err := unmarshal(body, &w); err != nil {
		return nil, err
	}
	if w.Manifest != nil && w.Manifest.Entries != nil {
		w.Entries = w.Manifest.Entries
	}
	w.Attestation = null(w.Attestation)
	return &w.PolicySetVersion, nil
}

// setVersion sends q, whose answer is a version of the set.
func (r *Reader) setVersion(ctx context.Context, q *request, setID string) (v *PolicySetVersion, attempts int, err error) {
	q.decode = func(body []byte, _ http.Header) (err error) {
		if v, err = decodeOne(body, r.zone, readSetVersion); err != nil {
			return err
		}
		if err := same("policy_set_id", v.PolicySetID, setID); err != nil {
			return err
		}
		return q.answers(v.ID)
	}
	if attempts, err = r.c.do(ctx, q); err != nil {
		return nil, attempts, err
	}
	return v, attempts, nil
}

// SetVersion reads one version with its manifest, archived ones too.
func (r *Reader) SetVersion(ctx context.Context, setID, versionID string) (*PolicySetVersion, error) {
	q, err := r.request(http.MethodGet, "policy-sets", setID, "versions", versionID)
	if err != nil {
		return nil, err
	}
	v, _, err := r.setVersion(ctx, &q, setID)
	return v, err
}

func (r *Reader) setVersions(setID string) *listing[*PolicySetVersion] {
	return &listing[*PolicySetVersion]{
		r: r, parts: []string{"policy-sets", setID, "versions"},
		read: func(body []byte) (*PolicySetVersion, error) {
			v, err := readSetVersion(body)
			if err == nil && v.PolicySetID != "" {
				err = same("policy_set_id", v.PolicySetID, setID)
			}
			return v, err
		},
	}
}

// SetVersions lists the versions of a set. The live service leaves the manifest
// out of lists; read a version by its id to have it.
func (r *Reader) SetVersions(ctx context.Context, setID string, opts ListOptions) iter.Seq2[*PolicySetVersion, error] {
	return r.setVersions(setID).all(ctx, opts)
}

// SetVersionsPage is one page of [Reader.SetVersions].
func (r *Reader) SetVersionsPage(ctx context.Context, setID string, opts ListOptions) (*Page[*PolicySetVersion], error) {
	return r.setVersions(setID).page(ctx, opts)
}

func (r *Reader) setVersionPolicies(setID, versionID string) *listing[*PolicyVersion] {
	return &listing[*PolicyVersion]{
		r: r, parts: []string{"policy-sets", setID, "versions", versionID, "policies"},
		filters: []string{"format"}, read: readPolicyVersion,
	}
}

// SetVersionPolicies lists the policy versions that a set version's manifest
// names, with their Cedar.
func (r *Reader) SetVersionPolicies(ctx context.Context, setID, versionID string, opts ListOptions) iter.Seq2[*PolicyVersion, error] {
	return r.setVersionPolicies(setID, versionID).all(ctx, opts)
}

// SetVersionPoliciesPage is one page of [Reader.SetVersionPolicies].
func (r *Reader) SetVersionPoliciesPage(ctx context.Context, setID, versionID string, opts ListOptions) (*Page[*PolicyVersion], error) {
	return r.setVersionPolicies(setID, versionID).page(ctx, opts)
}

// CreateSetVersion sends policy and version ids only; the server fills in sha.
// An empty manifest and a policy that is named twice are refused here, since
// what the service does then isn't documented.
func (c *Client) CreateSetVersion(ctx context.Context, setID, schemaVersion string, entries []ManifestEntry) (*PolicySetVersion, error) {
	if len(entries) == 0 {
		return nil, errors.New("a manifest needs at least one entry")
	}
	sent := make([]ManifestEntry, len(entries))
	seen := make(map[string]bool, len(entries))
	for i, e := range entries {
		if err := required("policy_id", e.PolicyID, "policy_version_id", e.VersionID); err != nil {
			return nil, fmt.Errorf("manifest entry %d: %w", i, err)
		}
		if seen[e.PolicyID] {
			return nil, fmt.Errorf("manifest entry %d: policy %q is there twice", i, e.PolicyID)
		}
		seen[e.PolicyID] = true
		sent[i] = ManifestEntry{PolicyID: e.PolicyID, VersionID: e.VersionID}
	}
	q, err := c.request(http.MethodPost, "policy-sets", setID, "versions")
	if err != nil {
		return nil, err
	}
	for _, e := range sent {
		q.refs = append(q.refs, e.PolicyID, e.VersionID)
	}
	body := map[string]any{"schema_version": schemaVersion, "manifest": map[string]any{"entries": sent}}
	if err := q.setBody(body); err != nil {
		return nil, err
	}
	v, _, err := c.setVersion(ctx, &q, setID)
	if err != nil {
		return nil, err
	}
	c.c.remember(v.ID)
	return v, nil
}

// Activate binds a version. It is safe to repeat. The version that was active
// in the zone, of this or another set, is unbound by it.
func (c *Client) Activate(ctx context.Context, setID, versionID string) (*PolicySetVersion, error) {
	q, err := c.request(http.MethodPatch, "policy-sets", setID, "versions", versionID)
	if err != nil {
		return nil, err
	}
	if err := q.setBody(map[string]bool{"active": true}); err != nil {
		return nil, err
	}
	v, _, err := c.setVersion(ctx, &q, setID)
	return v, err
}

// ArchiveSetVersion is safe to repeat. The service refuses it, with status 400,
// while the version is bound.
func (c *Client) ArchiveSetVersion(ctx context.Context, setID, versionID string) (*PolicySetVersion, error) {
	q, err := c.request(http.MethodDelete, "policy-sets", setID, "versions", versionID)
	if err != nil {
		return nil, err
	}
	v, attempts, err := c.setVersion(ctx, &q, setID)
	if attempts > 1 && refused(err) {
		if now, err := c.SetVersion(ctx, setID, versionID); err == nil && now.ArchivedAt != nil {
			return now, nil
		}
	}
	return v, err
}

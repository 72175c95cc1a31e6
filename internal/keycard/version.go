package keycard

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strings"
	"time"
)

// A PolicyVersion is immutable Cedar content.
type PolicyVersion struct {
	ID            string          `json:"id"`
	PolicyID      string          `json:"policy_id"`
	Version       int             `json:"version"`
	SchemaVersion string          `json:"schema_version"`
	SHA           string          `json:"sha"` // as the server sent it; see NormalSHA
	CedarRaw      string          `json:"cedar_raw"`
	CedarJSON     json.RawMessage `json:"cedar_json"`
	OwnerType     string          `json:"owner_type"`
	CreatedAt     time.Time       `json:"created_at"`
	CreatedBy     string          `json:"created_by"`
	ArchivedAt    *time.Time      `json:"archived_at"`
}

func (v *PolicyVersion) check() error {
	if err := required("id", v.ID, "policy_id", v.PolicyID, "schema_version", v.SchemaVersion, "sha", v.SHA); err != nil {
		return err
	}
	return numbered(v.Version)
}

func (v *PolicyVersion) key() string { return v.ID }

func readPolicyVersion(body []byte) (*PolicyVersion, error) {
	v := new(PolicyVersion)
	if err := unmarshal(body, v); err != nil {
		return nil, err
	}
	v.CedarJSON = null(v.CedarJSON)
	return v, nil
}

// NormalSHA strips an optional "sha256:" and lower-cases, so that hashes of
// all generations compare.
func NormalSHA(s string) string {
	return strings.TrimPrefix(strings.ToLower(s), "sha256:")
}

// policyVersion sends q, whose answer is a version of the policy.
func (r *Reader) policyVersion(ctx context.Context, q *request, policyID string) (v *PolicyVersion, attempts int, err error) {
	q.decode = func(body []byte, _ http.Header) (err error) {
		if v, err = decodeOne(body, r.zone, readPolicyVersion); err != nil {
			return err
		}
		if err := same("policy_id", v.PolicyID, policyID); err != nil {
			return err
		}
		return q.answers(v.ID)
	}
	if attempts, err = r.c.do(ctx, q); err != nil {
		return nil, attempts, err
	}
	return v, attempts, nil
}

// PolicyVersion reads one version, archived ones too. With format "cedar" or
// "json" the other representation is left out; with "" there may be both, and
// either may be empty.
func (r *Reader) PolicyVersion(ctx context.Context, policyID, versionID, format string) (*PolicyVersion, error) {
	q, err := r.request(http.MethodGet, "policies", policyID, "versions", versionID)
	if err != nil {
		return nil, err
	}
	q.setFormat(format)
	v, _, err := r.policyVersion(ctx, &q, policyID)
	return v, err
}

// PolicyVersions lists the versions of a policy.
func (r *Reader) PolicyVersions(ctx context.Context, policyID string, opts ListOptions) iter.Seq2[*PolicyVersion, error] {
	l := &listing[*PolicyVersion]{
		r: r, parts: []string{"policies", policyID, "versions"}, filters: []string{"format"},
		read: func(body []byte) (*PolicyVersion, error) {
			v, err := readPolicyVersion(body)
			if err == nil && v.PolicyID != "" {
				err = same("policy_id", v.PolicyID, policyID)
			}
			return v, err
		},
	}
	return l.all(ctx, opts)
}

// CreatePolicyVersion sends Cedar text, which the service validates against the
// schema and normalizes: what is read back differs from what was sent. Empty
// text is refused here, since the service would take it unseen.
func (c *Client) CreatePolicyVersion(ctx context.Context, policyID, schemaVersion, cedarRaw string) (*PolicyVersion, error) {
	if strings.TrimSpace(cedarRaw) == "" {
		return nil, errors.New("the Cedar text is empty")
	}
	q, err := c.request(http.MethodPost, "policies", policyID, "versions")
	if err != nil {
		return nil, err
	}
	if err := q.setBody(map[string]string{"schema_version": schemaVersion, "cedar_raw": cedarRaw}); err != nil {
		return nil, err
	}
	v, _, err := c.policyVersion(ctx, &q, policyID)
	if err != nil {
		return nil, err
	}
	c.c.remember(v.ID)
	return v, nil
}

// ArchivePolicyVersion is safe to repeat. The service refuses it, with status
// 400, while an active set version uses the version.
func (c *Client) ArchivePolicyVersion(ctx context.Context, policyID, versionID string) (*PolicyVersion, error) {
	q, err := c.request(http.MethodDelete, "policies", policyID, "versions", versionID)
	if err != nil {
		return nil, err
	}
	v, attempts, err := c.policyVersion(ctx, &q, policyID)
	if attempts > 1 && refused(err) {
		if now, err := c.PolicyVersion(ctx, policyID, versionID, ""); err == nil && now.ArchivedAt != nil {
			return now, nil
		}
	}
	return v, err
}

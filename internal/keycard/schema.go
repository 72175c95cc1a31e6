package keycard

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// A SchemaVersion is a dated Cedar schema of the platform.
type SchemaVersion struct {
	Version         string          `json:"version"`
	Status          string          `json:"status"` // active, deprecated or archived
	IsDefault       bool            `json:"is_default"`
	CedarSchema     string          `json:"cedar_schema"`
	CedarSchemaJSON json.RawMessage `json:"cedar_schema_json"`
	DeprecatedAt    *time.Time      `json:"deprecated_at"`
	ArchivedAt      *time.Time      `json:"archived_at"`
}

func (s *SchemaVersion) check() error { return required("version", s.Version, "status", s.Status) }
func (s *SchemaVersion) key() string  { return s.Version }

func readSchema(body []byte) (*SchemaVersion, error) {
	s := new(SchemaVersion)
	if err := unmarshal(body, s); err != nil {
		return nil, err
	}
	s.CedarSchemaJSON = null(s.CedarSchemaJSON)
	return s, nil
}

func (r *Reader) schema(ctx context.Context, q *request) (s *SchemaVersion, err error) {
	q.decode = func(body []byte, _ http.Header) (err error) {
		if s, err = decodeOne(body, r.zone, readSchema); err != nil {
			return err
		}
		return q.answers(s.Version)
	}
	if _, err = r.c.do(ctx, q); err != nil {
		return nil, err
	}
	return s, nil
}

// Schema reads one schema version. format is "cedar" or "json"; the service's
// default is JSON.
func (r *Reader) Schema(ctx context.Context, version, format string) (*SchemaVersion, error) {
	q, err := r.request(http.MethodGet, "policy-schemas", version)
	if err != nil {
		return nil, err
	}
	q.setFormat(format)
	return r.schema(ctx, &q)
}

// Schemas lists all schema versions, archived ones too.
func (r *Reader) Schemas(ctx context.Context, opts ListOptions) iter.Seq2[*SchemaVersion, error] {
	l := &listing[*SchemaVersion]{
		r: r, parts: []string{"policy-schemas"}, filters: []string{"format", "default"}, read: readSchema,
	}
	return l.all(ctx, opts)
}

// SetDefaultSchema makes a version the zone's hint for authoring. It changes no
// decision, and is safe to repeat.
func (c *Client) SetDefaultSchema(ctx context.Context, version string) (*SchemaVersion, error) {
	q, err := c.request(http.MethodPatch, "policy-schemas", version)
	if err != nil {
		return nil, err
	}
	q.body = []byte("{}")
	return c.schema(ctx, &q)
}

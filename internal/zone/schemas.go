package zone

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/policypin/policypin/internal/cedar"
)

// Statuses of schemas.
const (
	schemaActive     = "active"
	schemaDeprecated = "deprecated"
	schemaArchived   = "archived"
)

//go:embed schemas/*.cedarschema
var schemaFiles embed.FS

// A schema is one that the platform gives to every zone. Which one is a zone's
// default is the zone's own.
type schema struct {
	version string
	status  string
	load    func() (*loadedSchema, error)
}

type loadedSchema struct {
	text   string
	parsed *cedar.Schema
	json   []byte
}

// schemas in the order of their versions, which is that of their age.
var schemas = []schema{
	newSchema("2026-02-24", schemaArchived),
	newSchema("2026-03-16", schemaDeprecated),
	newSchema("2026-06-18", schemaActive),
}

const defaultSchema = "2026-06-18"

func newSchema(version, status string) schema {
	// Parsed when first needed: most runs read one schema or none.
	return schema{version, status, sync.OnceValues(func() (*loadedSchema, error) {
		name := "schemas/" + version + ".cedarschema"
		text, err := schemaFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		parsed, problems := cedar.ParseSchema(name, text)
		if parsed == nil {
			return nil, fmt.Errorf("schema %s: %w", version, problems)
		}
		doc, err := parsed.JSON()
		return &loadedSchema{string(text), parsed, doc}, err
	})}
}

func findSchema(version string) (place int, ok bool) {
	for i, s := range schemas {
		if s.version == version {
			return i, true
		}
	}
	return 0, false
}

// A schemaVersion is the API's object.
type schemaVersion struct {
	Version         string          `json:"version"`
	Status          string          `json:"status"`
	IsDefault       bool            `json:"is_default"`
	CreatedAt       string          `json:"created_at"`
	UpdatedAt       string          `json:"updated_at"`
	DeprecatedAt    *string         `json:"deprecated_at"`
	ArchivedAt      *string         `json:"archived_at"`
	CedarSchema     *string         `json:"cedar_schema"`
	CedarSchemaJSON json.RawMessage `json:"cedar_schema_json"`
}

func (s schema) render(format string, isDefault bool) (schemaVersion, error) {
	at := formatTime(clockStart)
	out := schemaVersion{Version: s.version, Status: s.status, IsDefault: isDefault, CreatedAt: at, UpdatedAt: at}
	if s.status != schemaActive {
		out.DeprecatedAt = &at
	}
	if s.status == schemaArchived {
		out.ArchivedAt = &at
	}
	loaded, err := s.load()
	if err != nil {
		return out, err
	}
	if format == formatCedar {
		out.CedarSchema = &loaded.text
	} else {
		out.CedarSchemaJSON = loaded.json
	}
	return out, nil
}

func (c *call) listSchemas() (int, any, error) {
	q := c.params
	expanded := q.expand("total_count")
	q.filters("filter[default]")
	q.choice("sort", "created_at")
	format := q.choice("format", formatJSON, formatCedar)
	isDefault := q.flag("filter[default]", "is_default")
	l := q.listing(key(c.zone, "schemas"), defaultPage, expanded)
	if err := q.err(); err != nil {
		return 0, nil, err
	}
	current, err := c.defaultSchema()
	if err != nil {
		return 0, nil, err
	}
	var rows []placed
	for i, s := range schemas {
		rows = append(rows, placed{uint64(i), s.version})
	}
	out, err := paginate(l, rowsIn(rows), func(version string) (schemaVersion, bool, error) {
		i, _ := findSchema(version)
		v, err := schemas[i].render(format, version == current)
		return v, isDefault == nil || *isDefault == v.IsDefault, err
	})
	return http.StatusOK, out, err
}

func (c *call) showSchema() (int, any, error) {
	format := c.params.choice("format", formatJSON, formatCedar)
	if err := c.params.err(); err != nil {
		return 0, nil, err
	}
	current, err := c.defaultSchema()
	if err != nil {
		return 0, nil, err
	}
	i, ok := findSchema(c.ids[0])
	if !ok {
		return 0, nil, notFound("policy schema", clip(c.ids[0]))
	}
	out, err := schemas[i].render(format, current == c.ids[0])
	return http.StatusOK, out, err
}

func (c *call) defaultSchema() (version string, err error) {
	err = c.store.view(func(r reader) error {
		z, err := loadZone(r, c.zone)
		if err == nil {
			version = z.DefaultSchema
		}
		return err
	})
	return version, err
}

// makeSchemaDefault is the PATCH of a schema, whatever its body says.
func (c *call) makeSchemaDefault() (int, any, error) {
	b, err := readBody(c.r)
	if err != nil {
		return 0, nil, err
	}
	if len(bytes.TrimSpace(b)) > 0 && (tooDeep(b) || !json.Valid(b)) {
		return 0, nil, badRequest("the body is not valid JSON")
	}
	i, ok := findSchema(c.ids[0])
	if !ok {
		return 0, nil, notFound("policy schema", clip(c.ids[0]))
	}
	if schemas[i].status == schemaArchived {
		return 0, nil, badRequest("schema %s is archived and can't be the default", c.ids[0])
	}
	err = c.store.update(func(w *writer) error {
		z, err := loadZone(w, c.zone)
		if err != nil || z.DefaultSchema == c.ids[0] {
			return err
		}
		z.DefaultSchema = c.ids[0]
		return save(w, tableZones, c.zone, z)
	})
	if err != nil {
		return 0, nil, err
	}
	out, err := schemas[i].render(formatJSON, true)
	return http.StatusOK, out, err
}

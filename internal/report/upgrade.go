package report

import "io"

// Upgraded says which manifests moved to another schema version.
type Upgraded struct {
	Schema        int           `json:"schema"`
	Version       string        `json:"schema_version"`
	File          string        `json:"file"`    // the schema
	SchemaWritten bool          `json:"written"` // false: it was committed already
	Sets          []UpgradedSet `json:"sets"`
	Notes         []string      `json:"notes"`
}

// An UpgradedSet is one manifest.
type UpgradedSet struct {
	Name    string `json:"policy_set"`
	File    string `json:"file"`
	From    string `json:"from_schema_version"`
	Changed bool   `json:"changed"`
}

// UpgradedText writes a line for each file.
func UpgradedText(w io.Writer, u Upgraded) error {
	p := &printer{w: w}
	if u.SchemaWritten {
		p.line("wrote %s", Clean(u.File))
	}
	for _, s := range u.Sets {
		if s.Changed {
			p.line("changed %s: %s moves from schema %s to %s", Clean(s.File), Clean(s.Name), Clean(s.From), Clean(u.Version))
		} else {
			p.line("unchanged %s: %s has schema %s", Clean(s.File), Clean(s.Name), Clean(u.Version))
		}
	}
	return p.err
}

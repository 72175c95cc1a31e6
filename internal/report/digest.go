package report

import (
	"io"
	"strconv"

	"github.com/policypin/policypin/manifest"
)

// Digests are the digests of a project at one point.
type Digests struct {
	Schema  int            `json:"schema"`
	Commit  string         `json:"commit"` // "" for the work tree
	Sets    []SetDigest    `json:"sets"`   // by name
	Sources []SourceDigest `json:"sources"`
}

// A SetDigest is the set digest of one manifest.
type SetDigest struct {
	Set           string          `json:"set"`
	File          string          `json:"file"`
	SchemaVersion string          `json:"schema_version"`
	Entries       int             `json:"entries"`
	Digest        manifest.Digest `json:"set_digest"`
}

// A SourceDigest is the policy digest of one source.
type SourceDigest struct {
	Source string          `json:"source"`
	Digest manifest.Digest `json:"policy_digest"`
}

// DigestText writes the digests as two tables.
func DigestText(w io.Writer, style Style, d Digests) error {
	p := &printer{w: w, style: style}
	sets := [][]string{{"SET DIGEST", "SET", "SCHEMA", "ENTRIES", "FILE"}}
	for _, s := range d.Sets {
		sets = append(sets, []string{s.Digest.String(), s.Set, s.SchemaVersion, strconv.Itoa(s.Entries), s.File})
	}
	p.table(sets, nil)
	if len(d.Sources) == 0 {
		return p.err
	}
	p.line("")
	sources := [][]string{{"POLICY DIGEST", "SOURCE"}}
	for _, s := range d.Sources {
		sources = append(sources, []string{s.Digest.String(), s.Source})
	}
	p.table(sources, nil)
	return p.err
}

package manifest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/policypin/policypin/internal/jcs"
)

// digestEntry is one entry as the set digest sees it: a name with its policy
// digest, a name with its number, or the exact ids.
type digestEntry struct {
	Policy    string  `json:"policy,omitempty"`
	Digest    *Digest `json:"digest,omitempty"`
	Version   int     `json:"version,omitempty"`
	PolicyID  string  `json:"policy_id,omitempty"`
	VersionID string  `json:"policy_version_id,omitempty"`
}

// digestSet is what the set digest is taken over. A change of this form is a new
// digest format: pins of the old one would no longer verify.
type digestSet struct {
	SchemaVersion string        `json:"schema_version"`
	TargetType    string        `json:"target_type"`
	Entries       []digestEntry `json:"entries"`
}

// Digest returns the set digest: the SHA-256 of the RFC 8785 form of schema
// version, target type and entries, sorted by policy name and then by policy
// id, as bytes. Names of sets and files, targets, descriptions, was and sha
// don't move it. It fails if a source of the set is missing or didn't parse.
func (t *Tree) Digest(s *Set) (Digest, error) {
	d := digestSet{SchemaVersion: s.SchemaVersion, TargetType: s.TargetType, Entries: make([]digestEntry, 0, len(s.Entries))}
	for _, e := range s.Entries {
		switch {
		case e.Source != "":
			p := t.Sources[e.Source]
			if p == nil {
				return Digest{}, fmt.Errorf("set %s: no usable source %s", quote(s.Name), quote(e.Source))
			}
			digest := p.Digest()
			d.Entries = append(d.Entries, digestEntry{Policy: e.Policy, Digest: &digest})
		case e.Version != 0:
			d.Entries = append(d.Entries, digestEntry{Policy: e.Policy, Version: e.Version})
		case e.PolicyID != "" && e.VersionID != "":
			d.Entries = append(d.Entries, digestEntry{PolicyID: e.PolicyID, VersionID: e.VersionID})
		default:
			return Digest{}, fmt.Errorf("set %s: the entry on line %d is incomplete", quote(s.Name), e.Position.Line)
		}
	}
	slices.SortFunc(d.Entries, func(a, b digestEntry) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.PolicyID, b.PolicyID))
	})
	return jcs.Sum(d)
}

// SetsFor returns the sets that are declared for a target, sorted by name.
func (t *Tree) SetsFor(target string) []*Set {
	var sets []*Set
	for _, s := range t.Sets {
		if s.For(target) {
			sets = append(sets, s)
		}
	}
	return sets
}

// Set returns the named set.
func (t *Tree) Set(name string) (*Set, bool) {
	for _, s := range t.Sets {
		if s.Name == name {
			return s, true
		}
	}
	return nil, false
}

package impact

import (
	"fmt"
	"slices"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

// A state is a policy set as one side has it.
type state struct {
	from     bool // it is the older side
	tree     *manifest.Tree
	set      *manifest.Set // nil: the set isn't there, and decides nothing
	policies []member
	unread   []manifest.Entry
}

// A member is a policy that could be read.
type member struct {
	cedar.Named
	digest  manifest.Digest
	changed bool // the other side hasn't got it
}

func newState(from bool, tree *manifest.Tree, set *manifest.Set, texts map[Entry][]*cedar.Policy) *state {
	s := &state{from: from, tree: tree, set: set}
	if set == nil {
		return s
	}
	for _, e := range set.Entries {
		known := texts[Entry{set.Name, e.Label()}]
		if p := tree.Sources[e.Source]; p != nil {
			known = []*cedar.Policy{p}
		}
		if known == nil {
			s.unread = append(s.unread, e)
		}
		for _, p := range known {
			s.policies = append(s.policies, member{Named: cedar.Named{Name: e.Label(), Policy: p}, digest: p.Digest()})
		}
	}
	return s
}

// mark finds the policies that the other side hasn't got. One policy twice is
// as good as once.
func (s *state) mark(other *state) {
	there := map[manifest.Digest]bool{}
	for _, p := range other.policies {
		there[p.digest] = true
	}
	for i, p := range s.policies {
		s.policies[i].changed = !there[p.digest]
	}
}

func (s *state) changed() (refs []Ref) {
	for _, p := range s.policies {
		if p.changed {
			refs = append(refs, s.ref(p))
		}
	}
	return refs
}

func (s *state) ref(p member) Ref {
	return Ref{From: s.from, Policy: p.Name, Effect: p.Policy.Effect(), Position: p.Policy.Position()}
}

// unknown lists the entries whose text isn't known and that the other side hasn't
// got: one that changes could do anything.
func (s *state) unknown(other *state) (list []Uncovered) {
	for _, e := range s.unread {
		if !other.lacks(e) {
			continue
		}
		list = append(list, s.uncovered(e, ", and it changes"))
	}
	return list
}

// veiled lists the entries whose text isn't known and that stay the same. They
// can hide a change or bring one out, and in no other way have a part in it.
func (s *state) veiled(other *state) (list []Uncovered) {
	for _, e := range s.unread {
		if !other.lacks(e) {
			list = append(list, s.uncovered(e, ""))
		}
	}
	return list
}

func (s *state) lacks(e manifest.Entry) bool {
	if e.Source != "" {
		return true // a file that can't be read may have had any text
	}
	return !slices.ContainsFunc(s.unread, func(have manifest.Entry) bool { return identity(have) == identity(e) })
}

func (s *state) uncovered(e manifest.Entry, more string) Uncovered {
	at := e.Position
	at.File = s.set.File
	return Uncovered{at, "policy " + e.Label() + " has no source in the repository that could be read" + more}
}

func identity(e manifest.Entry) string {
	return fmt.Sprintf("%q %d %q %q", e.Policy, e.Version, e.PolicyID, e.VersionID)
}

// version is that of the schema; the other side's if the set isn't here.
func (s *state) version(other *state) string {
	switch {
	case s.set != nil:
		return s.set.SchemaVersion
	case other.set != nil:
		return other.set.SchemaVersion
	}
	return ""
}

func (s *state) schema(other *state) *cedar.Schema {
	if s.set != nil {
		return s.tree.Schemas[s.set.SchemaVersion]
	}
	return other.tree.Schemas[other.set.SchemaVersion]
}

func (s *state) position(other *state) diag.Position {
	if s.set != nil {
		return s.set.Position
	}
	return other.set.Position
}

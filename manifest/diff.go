package manifest

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/policypin/policypin/internal/cedar"
)

// A Diff is what changed between two trees, by meaning.
type Diff struct {
	Project []Change  // changes of the project file, in words a reader needs first
	Sets    []SetDiff // sorted by name; sets without any change are left out
}

// A Change is one field that differs.
type Change struct {
	Field    string // e.g. "targets.production.zone_id"
	From, To string // "" when absent
}

// Change kinds of sets and entries.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed" // also when only a description or a source's path did
	Renamed = "renamed" // by was:, content equal or not
	Layout  = "layout"  // only comments, layout, order, or line ends
	Unread  = "unread"  // of sets: the manifest changed and can't be understood on one side, so nothing is known
)

// A SetDiff is what changed in one policy set.
type SetDiff struct {
	Name     string // "" if Kind is Unread and neither side knows it
	Was      string // old name, for a rename
	Kind     string // one of the constants above
	Unread   string // the manifest that couldn't be understood, if Kind is Unread
	From, To Digest // zero when the set is absent on that side
	Fields   []Change
	Entries  []EntryDiff // in the order of the newer manifest, removed ones last
}

// An EntryDiff is what changed in one entry.
type EntryDiff struct {
	Policy           string
	Was              string
	Kind             string
	FromText, ToText string // Cedar sources as written, "" when not by source
	FromFile, ToFile string
	Fields           []Change // version, sha, policy_id, policy_version_id, source, description
}

// Empty tells whether nothing changed at all, not even layout.
func (d Diff) Empty() bool { return len(d.Project) == 0 && len(d.Sets) == 0 }

// Compare tells what changed from a to b. Either may be nil, meaning nothing
// was there. Compare(a, a) has no Project changes and no Sets.
//
// A set or entry of b with was: is a rename only if a has the old name and not
// the new one, and b no longer has the old one. Until the was: is removed, later
// comparisons see an ordinary set.
func Compare(a, b *Tree) Diff {
	if a == b {
		return Diff{}
	}
	if a == nil {
		a = &Tree{}
	}
	if b == nil {
		b = &Tree{}
	}
	d := Diff{Project: compareProjects(a.Project, b.Project)}
	a, b, d.Sets = takeUnread(a, b)
	was := renamedSets(a, b)
	gone := map[string]bool{}
	for _, s := range b.Sets {
		old, ok := a.Set(s.Name)
		if from := was[s]; from != nil {
			old, ok = from, true
			gone[from.Name] = true
		}
		if !ok {
			old = nil
		}
		if sd, differs := compareSets(a, b, old, s); differs {
			d.Sets = append(d.Sets, sd)
		}
	}
	for _, s := range a.Sets {
		if _, ok := b.Set(s.Name); !ok && !gone[s.Name] {
			sd, _ := compareSets(a, b, s, nil)
			d.Sets = append(d.Sets, sd)
		}
	}
	slices.SortStableFunc(d.Sets, func(x, y SetDiff) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Unread, y.Unread))
	})
	return d
}

// renamedSets maps sets of b to the sets of a that they were.
func renamedSets(a, b *Tree) map[*Set]*Set {
	was, taken := map[*Set]*Set{}, map[string]bool{}
	for _, s := range b.Sets {
		if s.Was == "" || taken[s.Was] {
			continue
		}
		_, had := a.Set(s.Name)
		_, stays := b.Set(s.Was)
		if old, ok := a.Set(s.Was); ok && !had && !stays {
			was[s], taken[s.Was] = old, true
		}
	}
	return was
}

// compareSets compares two sets, of which one may be nil.
func compareSets(ta, tb *Tree, a, b *Set) (SetDiff, bool) {
	var d SetDiff
	switch {
	case a == nil:
		d.Name, d.Kind, a = b.Name, Added, &Set{}
	case b == nil:
		d.Name, d.Kind, b = a.Name, Removed, &Set{}
	case a.Name != b.Name:
		d.Name, d.Was, d.Kind = b.Name, a.Name, Renamed
	default:
		d.Name = b.Name
	}
	d.Fields = compareFields(
		Change{"schema_version", a.SchemaVersion, b.SchemaVersion},
		Change{"target_type", a.TargetType, b.TargetType},
		Change{"targets", a.targetsText(), b.targetsText()},
	)
	d.Entries = compareEntries(ta, tb, a, b)
	if d.Kind == "" {
		content := slices.ContainsFunc(d.Entries, func(e EntryDiff) bool { return e.Kind != Layout })
		switch {
		case content || len(d.Fields) > 0:
			d.Kind = Changed
		case len(d.Entries) > 0 || a.File != b.File || !bytes.Equal(a.raw, b.raw):
			d.Kind = Layout
		default:
			return SetDiff{}, false
		}
	}
	// A digest that can't be computed stays zero: the tree's problems say why.
	if d.Kind != Added {
		d.From, _ = ta.Digest(a)
	}
	if d.Kind != Removed {
		d.To, _ = tb.Digest(b)
	}
	return d, true
}

// targetsText is the field targets in a Change.
func (s *Set) targetsText() string {
	switch {
	case s.Name == "": // the absent side
		return ""
	case len(s.Targets) == 0:
		return "(every target)"
	}
	return strings.Join(slices.Sorted(slices.Values(s.Targets)), ", ")
}

// compareFields leaves the fields that differ.
func compareFields(fields ...Change) []Change {
	return slices.DeleteFunc(fields, func(c Change) bool { return c.From == c.To })
}

// key identifies an entry within its set.
func (e *Entry) key() string {
	if e.Policy != "" {
		return "policy " + e.Policy
	}
	return "id " + e.PolicyID
}

// label is what a diff calls an entry.
func (e *Entry) label() string {
	if e.Policy != "" {
		return e.Policy
	}
	return e.PolicyID
}

func compareEntries(ta, tb *Tree, a, b *Set) []EntryDiff {
	index := func(s *Set) map[string]*Entry {
		m := make(map[string]*Entry, len(s.Entries))
		for i := range s.Entries {
			e := &s.Entries[i]
			if m[e.key()] == nil {
				m[e.key()] = e
			}
		}
		return m
	}
	before, after := index(a), index(b)
	renamed := map[string]bool{}
	var diffs []EntryDiff
	for i := range b.Entries {
		e := &b.Entries[i]
		if after[e.key()] != e {
			continue // a duplicate, which is a problem of its own
		}
		old := before[e.key()]
		if was := (&Entry{Policy: e.Was}).key(); old == nil && e.Was != "" && before[was] != nil && after[was] == nil && !renamed[was] {
			old, renamed[was] = before[was], true
		}
		if d, differs := compareEntry(ta, tb, old, e); differs {
			diffs = append(diffs, d)
		}
	}
	for i := range a.Entries {
		e := &a.Entries[i]
		if before[e.key()] == e && after[e.key()] == nil && !renamed[e.key()] {
			d, _ := compareEntry(ta, tb, e, nil)
			diffs = append(diffs, d)
		}
	}
	return diffs
}

// compareEntry compares two entries, of which one may be nil.
func compareEntry(ta, tb *Tree, a, b *Entry) (EntryDiff, bool) {
	var d EntryDiff
	switch {
	case a == nil:
		d.Policy, d.Kind, a = b.label(), Added, &Entry{}
	case b == nil:
		d.Policy, d.Kind, b = a.label(), Removed, &Entry{}
	case a.key() != b.key():
		d.Policy, d.Was, d.Kind = b.label(), a.label(), Renamed
	default:
		d.Policy = b.label()
	}
	number := func(e *Entry) string {
		if e.Version == 0 {
			return ""
		}
		return strconv.Itoa(e.Version)
	}
	d.Fields = compareFields(
		Change{"source", a.Source, b.Source},
		Change{"version", number(a), number(b)},
		Change{"policy_id", a.PolicyID, b.PolicyID},
		Change{"policy_version_id", a.VersionID, b.VersionID},
		Change{"sha", a.SHA, b.SHA},
		Change{"description", a.Description, b.Description},
	)
	d.FromText, d.ToText = ta.text(a.Source), tb.text(b.Source)
	d.FromFile, d.ToFile = a.Source, b.Source
	if d.Kind == "" {
		switch {
		case len(d.Fields) > 0 || !sameContent(ta, tb, a.Source, b.Source):
			d.Kind = Changed
		case d.FromText != d.ToText:
			d.Kind = Layout
		default:
			return EntryDiff{}, false
		}
	}
	return d, true
}

// text is a source as written, or "" if it couldn't be read.
func (t *Tree) text(source string) string {
	if p := t.Sources[source]; p != nil {
		return p.Text()
	}
	return t.broken[source]
}

// sameContent tells whether two sources parse equal. A text that doesn't parse
// is equal only to itself.
func sameContent(ta, tb *Tree, a, b string) bool {
	if ta.same != nil && tb.same != nil {
		if same, known := ta.same[a]; known && a == b {
			return same
		}
		return cedar.SameSource(ta.text(a), tb.text(b))
	}
	if ta.text(a) == tb.text(b) {
		return true
	}
	p, q := ta.Sources[a], tb.Sources[b]
	return p != nil && q != nil && p.Digest() == q.Digest()
}

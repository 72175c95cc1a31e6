package manifest

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
	Changed = "changed"
	Renamed = "renamed" // by was:, content equal or not
	Layout  = "layout"  // only comments, layout, order, or line ends
)

// A SetDiff is what changed in one policy set.
type SetDiff struct {
	Name     string
	Was      string // old name, for a rename
	Kind     string // one of the constants above
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

// Compare tells what changed from a to b. Either may be nil, meaning nothing
// was there. Compare(a, a) has no Project changes and no Sets.
func Compare(a, b *Tree) Diff { panic("unwritten") }

// Empty tells whether nothing changed at all, not even layout.
func (d Diff) Empty() bool { return len(d.Project) == 0 && len(d.Sets) == 0 }

package manifest

import (
	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/jcs"
)

// A Digest is the SHA-256 over canonical JSON: a set digest or a policy digest.
type Digest = jcs.Digest

// A Project is the parsed project file, with defaults filled in.
type Project struct {
	Manifests     []string // glob patterns, slash-separated
	Schemas       string   // path with {version}
	Tests         []string
	Entities      []string // glob patterns of Cedar's JSON, for impact
	Requests      []string // glob patterns of decision logs, for impact
	Targets       []Target // in file order; the built-in local target is not listed unless the file has it
	DefaultTarget string   // "local" by default
	Gates         Gates

	places map[string]place // of values, by their path in the file
}

// A Target is a named zone.
type Target struct {
	Name   string
	ZoneID string
	Branch string // "" is the remote's HEAD branch
	Pins   string // second part of its tag names; the target's name by default
	Active string // the policy set whose version decides in this zone, or ""
}

// Gates are the limits that publish enforces. One that isn't in the file allows
// everything.
type Gates struct {
	MaxRemovedEntries *int   // nil: no limit
	Widened           string // allow, approve or refuse; "allow" by default
	Uncovered         string // the same
}

// A Set is one parsed manifest.
type Set struct {
	File          string
	Position      diag.Position
	Name          string
	Was           string
	SchemaVersion string
	TargetType    string   // "zone" by default
	Targets       []string // empty: every target
	Entries       []Entry  // in file order

	places setPlaces
	raw    []byte // the file, to tell a change of layout
}

// An Entry is one policy of a set: by source, by name and number, or by ids.
type Entry struct {
	Position    diag.Position
	Policy      string // name; may be empty for an entry by ids
	Was         string
	Source      string // slash path relative to the project; set for an entry by source
	Description string
	Version     int // for an entry by name and number
	PolicyID    string
	VersionID   string
	SHA         string // expected sha, lower-case hex without prefix, or ""
}

// A Tree is everything a project says at one point: project file, manifests,
// sources, schemas and tests.
type Tree struct {
	Project *Project
	Sets    []*Set                   // sorted by name
	Sources map[string]*cedar.Policy // by path; only sources that parsed
	Schemas map[string]*cedar.Schema // by version; only committed ones that parsed
	Tests   []*TestFile              // sorted by file; only those that could be read as one

	unread map[string][]byte // texts of manifests that aren't in Sets whole, by path, for Compare
	broken map[string]string // texts of sources that didn't parse, for Compare
	same   map[string]bool   // for CompareChanged, where none is parsed: whether a path's content is the same on both sides
}

// ProjectFile is the name of the project file.
const ProjectFile = "policypin.yaml"

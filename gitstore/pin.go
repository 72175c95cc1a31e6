package gitstore

import (
	"encoding/json"
	"time"
)

// RecordFormat is the newest format of a pin's record that this build writes.
const RecordFormat = 1

// A PinRef is a pin's ref as an origin lists it, before its object is read.
type PinRef struct {
	Name   string // tag name without refs/tags/: policypin/production/agents/v12
	Pins   string // production
	Set    string // agents, decoded
	Number int    // 12
	Object Hash   // the tag object
	Commit Hash   // what it points to, when the listing says so
}

// A Pin ties a commit to a published policy set version.
type Pin struct {
	PinRef
	Tagger string // name <email>
	When   time.Time
	Record Record
	Raw    []byte // the tag object's content, once it is stored or read
	Signed bool
}

// A Record is the JSON in a pin's message: what was published, as the service
// reported it when it was read back.
type Record struct {
	Format        int             `json:"format"`
	Target        string          `json:"target"`
	Project       string          `json:"project"` // folder of the project file in the repository, "." for the root
	ZoneID        string          `json:"zone_id"`
	PolicySetID   string          `json:"policy_set_id"`
	PolicySet     string          `json:"policy_set"`
	VersionID     string          `json:"policy_set_version_id"`
	Version       int             `json:"version"`
	SchemaVersion string          `json:"schema_version"`
	ManifestSHA   string          `json:"manifest_sha"`
	CreatedAt     time.Time       `json:"created_at"`
	CreatedBy     string          `json:"created_by"`
	SetDigest     string          `json:"set_digest"`
	DigestFormat  int             `json:"digest_format"`
	Attestation   json.RawMessage `json:"attestation"` // null if the version has none
	Approvals     []Approval      `json:"approvals"`
	Entries       []RecordEntry   `json:"entries"` // in the server's order
}

// An Approval is a reason somebody gave for passing a guard.
type Approval struct {
	Gate   string `json:"gate"`
	Reason string `json:"reason"`
	By     string `json:"by"`
	Source string `json:"source"` // flag, environment or label
}

// A RecordEntry is one policy of the published version.
type RecordEntry struct {
	Policy    string `json:"policy"`
	PolicyID  string `json:"policy_id"`
	VersionID string `json:"policy_version_id"`
	Version   int    `json:"version"`
	SHA       string `json:"sha"`
}

// PinName returns the tag name for a version. Bytes of set outside
// [A-Za-z0-9_-] are written %XX; a name over 200 bytes is an error.
func PinName(pins, set string, number int) (string, error) { panic("unwritten") }

// NewPin builds the tag for a published version. It is deterministic: the
// tagger is policypin <policypin@localhost>, +0000, at rec.CreatedAt.
func NewPin(pins string, commit Hash, rec Record) (*Pin, error) { panic("unwritten") }

// Equal tells whether two pins say the same: commit, target, zone, set id,
// version id and number, schema, manifest sha, set digest and entries.
// Attestation, approvals, tagger and signature are evidence, not content.
func (p *Pin) Equal(q *Pin) bool { panic("unwritten") }

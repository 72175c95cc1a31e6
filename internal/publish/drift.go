package publish

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
)

// Kinds of drift. They are stable and shown in JSON; docs/drift.md says what
// each means.
const (
	DriftActivated   = "activated-elsewhere"  // what decides is not what was published last
	DriftUndeclared  = "undeclared"           // published once, not declared at the tip any more
	DriftPinDamaged  = "pin-damaged"          // a pin is lost, or disagrees with its commit or the zone
	DriftUnknown     = "unknown-version"      // a version in the zone that no pin records
	DriftUnpublished = "unpublished"          // the tip says something that no version says
	DriftArchived    = "archived"             // something that is pinned was archived in the zone
	DriftRenamed     = "renamed"              // something that is pinned has another name in the zone
	DriftAdded       = "policy-version-added" // a policy with a source got a version from elsewhere
	DriftReSigned    = "re-signed"            // the attestation changed, the content did not
)

// Details of damaged pins.
const (
	PinMissing      = "missing"       // the version is there, its tag isn't
	PinMoved        = "moved"         // the tag is another one than this clone has seen, and says something else
	PinRecreated    = "re-created"    // another tag object that says the same
	PinMalformed    = "malformed"     // a tag below the pins' names that has no pin's name
	PinLightweight  = "lightweight"   // a tag without an object of its own
	PinUnreadable   = "unreadable"    // a tag object that is not a pin, or of a newer format
	PinUnreachable  = "unreachable"   // its commit is not on the branch
	PinOtherZone    = "other-zone"    // its record is of another zone
	PinNotInZone    = "not-in-zone"   // the zone has no such set or version
	PinForgedRecord = "forged-record" // the record contradicts its commit or the zone
)

// Details of the other kinds.
const (
	detailInvalid     = "invalid"   // the tip has problems and can't be published
	detailNoPin       = "no-pin"    // nothing of the set was published
	detailChanged     = "changed"   // the tip differs from the last pin
	detailNothing     = "nothing"   // no version is active
	detailOlder       = "older"     // a pinned version that is not the last
	detailOtherSet    = "other-set" // a pinned version of another set of the target
	detailUnpinned    = "unpinned"  // a version of our set that no pin records
	detailForeign     = "foreign"   // a set that isn't ours
	detailActive      = "active"    // and it decides requests
	detailInactive    = "inactive"  // and it doesn't
	detailNewer       = "newer"     // above the last pin
	detailOld         = "old"       // below the last pin
	detailBefore      = "before"    // from before the branch declared the set
	detailSet         = "set"       // of a policy set
	detailVersion     = "version"   // of a policy set version
	detailPolicy      = "policy"    // of a policy
	detailPolicyVer   = "policy-version"
	detailAttestation = "attestation"
)

// A Drift is what the branch, the pins and the zone of a target disagree about.
type Drift struct {
	Schema  int            `json:"schema"`
	Target  string         `json:"target"`
	ZoneID  string         `json:"zone_id"`
	Origin  string         `json:"origin"` // where branch and pins were read
	Branch  string         `json:"branch"`
	Tip     gitstore.Hash  `json:"tip"`
	Drifted bool           `json:"drifted"` // there is a finding that is more than information
	Sets    int            `json:"policy_sets"`
	Pins    int            `json:"pins"`
	Checked int            `json:"pins_checked"` // those of Pins whose content was compared with commit and zone
	Active  *ActiveBinding `json:"active"`       // null if nothing is active
	// Findings begin with what decides requests; then come the policy sets by
	// name.
	Findings []Finding `json:"findings"`
}

// An ActiveBinding is the version that decides requests in the zone.
type ActiveBinding struct {
	Set       string `json:"set"`
	SetID     string `json:"policy_set_id"`
	VersionID string `json:"policy_set_version_id"`
	Version   int    `json:"version"`
	Tag       string `json:"tag"` // of its pin, or ""
}

// A Finding is one disagreement.
type Finding struct {
	Kind        string `json:"kind"`
	Detail      string `json:"detail"`
	Information bool   `json:"information"` // worth knowing, but nothing has to be done
	Set         string `json:"set"`         // the policy set, or ""
	Policy      string `json:"policy"`      // the policy, or ""
	Tag         string `json:"tag"`         // the pin that it is about, or ""
	VersionID   string `json:"policy_set_version_id"`
	Version     int    `json:"version"` // 0 if it isn't about a version
	Message     string `json:"message"`
	// By and At are who created what was found and when, as far as the zone says;
	// "" and nil otherwise. The zone doesn't say who activated a version.
	By string     `json:"by"`
	At *time.Time `json:"at"`
	// Commands restore what the branch says, or adopt what the zone says; each is
	// a command line, in the order to run them.
	Commands []string `json:"commands"`
}

// DriftOptions say how much is looked at.
type DriftOptions struct {
	// AllPins compares the content of every pin with its commit and the zone, not
	// only that of the last pin of each set and of the active version.
	AllPins bool
}

// FindDrift compares branch, pins and zone of a target. It can only read.
// src.Commit is the commit whose project file says what the target is.
//
// A damaged pin is a finding and no error; so is a tip that can't be published,
// unless its project file is unusable. Then the error is a [diag.List].
func FindDrift(ctx context.Context, r *keycard.Reader, src Source, opts DriftOptions) (*Drift, error) {
	h, err := driftHistory(ctx, src)
	if err != nil {
		return nil, err
	}
	d := &driftRun{history: h, opts: opts}
	if err := d.readGit(ctx); err != nil {
		return nil, err
	}
	if err := d.readZone(ctx, r); err != nil {
		return nil, err
	}
	if err := d.readCommits(ctx); err != nil {
		return nil, err
	}
	return d.judgeAll(), nil
}

// driftOrder is the order of findings about one set.
var driftOrder = []string{
	DriftActivated, DriftUndeclared, DriftPinDamaged, DriftUnknown, DriftUnpublished,
	DriftArchived, DriftRenamed, DriftAdded, DriftReSigned,
}

// sortFindings puts what decides requests first, then the sets by name.
func sortFindings(all []Finding) {
	rank := func(f Finding) (set string, kind int) {
		if kind = slices.Index(driftOrder, f.Kind); kind > 0 {
			set = f.Set
		}
		return set, kind
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		setA, kindA := rank(a)
		setB, kindB := rank(b)
		if c := cmp.Compare(min(kindA, 1), min(kindB, 1)); c != 0 {
			return c
		}
		return cmp.Or(strings.Compare(setA, setB), cmp.Compare(kindA, kindB),
			cmp.Compare(b.Version, a.Version), strings.Compare(a.Policy, b.Policy), strings.Compare(a.Tag, b.Tag))
	})
}

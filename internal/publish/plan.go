package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/jcs"
)

// PlanFormat numbers the plan file and the way its digest is computed.
const PlanFormat = 1

// Actions on a set.
const (
	Create     = "create"     // a policy set or policy that does not exist yet
	Update     = "update"     // a new version
	Adopt      = "adopt"      // a version that exists already is pinned
	Unchanged  = "unchanged"  // nothing to do
	Superseded = "superseded" // a newer commit says something else
)

// A Plan is what publishing a commit would do.
type Plan struct {
	Schema   int           `json:"schema"`
	Format   int           `json:"format"`
	Offline  bool          `json:"offline"` // made without the zone; has no digest
	Target   string        `json:"target"`
	ZoneID   string        `json:"zone_id"`
	Commit   gitstore.Hash `json:"commit"`
	Branch   string        `json:"branch"`
	Tip      gitstore.Hash `json:"tip"`
	Sets     []SetPlan     `json:"sets"`     // sorted by name
	Activate *Activation   `json:"activate"` // null without --activate
	Gates    []GateResult  `json:"gates"`    // in the order of sets
	Steps    []Step        `json:"steps"`
	Notes    []string      `json:"notes"`
	Refusals Refusals      `json:"refusals"`
	Digest   string        `json:"digest"` // "" for an offline plan

	// Decisions is nil if nobody asked. It is shown with a plan and is no part of
	// it: what is published decides what follows from that.
	Decisions *Decisions `json:"-"`
}

// A SetPlan is what happens to one policy set.
type SetPlan struct {
	Name          string      `json:"name"`
	Was           string      `json:"was"`
	SetDigest     string      `json:"set_digest"`
	BaseVersionID string      `json:"base_version_id"` // last pinned version with other content, or ""
	Pinned        int         `json:"pinned_version"`  // number of the last pinned version, 0 if none
	PinnedTag     string      `json:"pinned_tag"`
	Version       int         `json:"version"` // number that the version would have, 0 if none is published
	Action        string      `json:"action"`
	Reason        string      `json:"reason"`
	SchemaVersion string      `json:"schema_version"`
	Entries       []EntryPlan `json:"entries"` // those that change, in the manifest's order; removed ones last
	Total         int         `json:"total_entries"`
}

// An EntryPlan is what happens to one policy of a set.
type EntryPlan struct {
	Policy string `json:"policy"`
	Change string `json:"change"` // added, changed, removed, renamed
	Source string `json:"source"` // "" for an entry by number or id
	From   int    `json:"from_version"`
	To     int    `json:"to_version"` // 0 when it isn't known before the create
	Reused bool   `json:"reused"`     // the zone has this content already
}

// An Activation is the plan's change of what decides requests.
type Activation struct {
	Set               string `json:"set"`
	ReplacesVersionID string `json:"replaces_version_id"` // "" if nothing is active
	ReplacesSet       string `json:"replaces_set"`
	ReplacesVersion   int    `json:"replaces_version"`
	Done              bool   `json:"done"` // the version is active already
}

// Step kinds, in the order in which they are taken.
const (
	RenamePolicy  = "rename-policy"
	CreatePolicy  = "create-policy"
	CreateVersion = "create-policy-version"
	RenameSet     = "rename-policy-set"
	CreateSet     = "create-policy-set"
	PublishSet    = "create-policy-set-version"
	PinVersion    = "pin"
	ActivateStep  = "activate"
)

// A Step is one thing that apply does.
type Step struct {
	Kind   string `json:"kind"`
	Set    string `json:"set"`
	Policy string `json:"policy"`
	Text   string `json:"text"` // the step in words
}

// Empty tells whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 }

// identity is what the digest of a plan is taken over: what would be published
// and what it replaces. It has no commit, so that a squash doesn't change it,
// and no steps, so that a resumed run still has the same.
type identity struct {
	Format   int           `json:"format"`
	Target   string        `json:"target"`
	ZoneID   string        `json:"zone_id"`
	Sets     []setIdentity `json:"sets"`
	Activate *activeID     `json:"activate"`
}

type setIdentity struct {
	Name          string `json:"name"`
	BaseVersionID string `json:"base_version_id"`
	SetDigest     string `json:"set_digest"`
}

type activeID struct {
	Set               string `json:"set"`
	ReplacesVersionID string `json:"replaces_version_id"`
}

func (p *Plan) identity() identity {
	id := identity{Format: p.Format, Target: p.Target, ZoneID: p.ZoneID, Sets: []setIdentity{}}
	for _, s := range p.Sets {
		id.Sets = append(id.Sets, setIdentity{s.Name, s.BaseVersionID, s.SetDigest})
	}
	if p.Activate != nil {
		id.Activate = &activeID{p.Activate.Set, p.Activate.ReplacesVersionID}
	}
	return id
}

// seal computes the digest.
func (p *Plan) seal() error {
	d, err := jcs.Sum(p.identity())
	if err != nil {
		return fmt.Errorf("digesting the plan: %w", err)
	}
	p.Digest = d.String()
	return nil
}

// ErrPlanFile is wrapped when a plan file can't be used.
var ErrPlanFile = errors.New("not a usable plan file")

// maxPlanBytes bounds a plan file: 10,000 changed policies come to about 3 MB.
const maxPlanBytes = 64 << 20

// ParsePlan reads a plan that was written as JSON. It refuses offline plans and
// plans whose digest doesn't follow from their content.
func ParsePlan(data []byte) (*Plan, error) {
	if len(data) > maxPlanBytes {
		return nil, fmt.Errorf("%w: over %d bytes", ErrPlanFile, maxPlanBytes)
	}
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrPlanFile, err)
	}
	if p.Format != PlanFormat {
		return nil, fmt.Errorf("%w: format %d, this build reads %d", ErrPlanFile, p.Format, PlanFormat)
	}
	if p.Offline || p.Digest == "" {
		return nil, fmt.Errorf("%w: an offline plan has no digest to hold a publish to", ErrPlanFile)
	}
	claimed := p.Digest
	if err := p.seal(); err != nil {
		return nil, err
	}
	if p.Digest != claimed {
		return nil, fmt.Errorf("%w: its digest doesn't follow from its content", ErrPlanFile)
	}
	return &p, nil
}

// matches tells whether the approved plan allows this one. A run that was
// resumed after its last step has nothing left to replace, so for a plan with
// nothing to do it is enough that the same content was approved.
func (p *Plan) matches(approved *Plan) bool {
	if p.Digest == approved.Digest {
		return true
	}
	if !p.Empty() {
		return false
	}
	a, b := p.identity(), approved.identity()
	for _, id := range []*identity{&a, &b} {
		for i := range id.Sets {
			id.Sets[i].BaseVersionID = ""
		}
		if id.Activate != nil {
			id.Activate.ReplacesVersionID = ""
		}
	}
	x, errX := jcs.Marshal(a)
	y, errY := jcs.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// difference says in words why a plan is not the approved one.
func (p *Plan) difference(approved *Plan) string {
	switch {
	case p.Target != approved.Target:
		return fmt.Sprintf("it is for target %s", approved.Target)
	case p.ZoneID != approved.ZoneID:
		return fmt.Sprintf("target %s was zone %s", p.Target, approved.ZoneID)
	case p.Activate == nil && approved.Activate != nil:
		return "it was made with --activate, and this run has none"
	case p.Activate != nil && approved.Activate == nil:
		return "it was made without --activate"
	}
	var why []string
	for _, s := range approved.Sets {
		if find(p.Sets, func(now SetPlan) bool { return now.Name == s.Name }).Name == "" {
			why = append(why, fmt.Sprintf("policy set %s is not declared any more", s.Name))
		}
	}
	for _, now := range p.Sets {
		s := find(approved.Sets, func(s SetPlan) bool { return s.Name == now.Name })
		switch {
		case s.Name == "":
			why = append(why, fmt.Sprintf("policy set %s is new", now.Name))
		case s.SetDigest != now.SetDigest:
			why = append(why, fmt.Sprintf("policy set %s has other content", now.Name))
		case s.BaseVersionID != now.BaseVersionID:
			why = append(why, fmt.Sprintf("another version of policy set %s was pinned last", now.Name))
		}
	}
	if a, b := p.Activate, approved.Activate; a != nil && a.Set != b.Set {
		why = append(why, fmt.Sprintf("policy set %s is to be activated, not %s", a.Set, b.Set))
	} else if a != nil && a.ReplacesVersionID != b.ReplacesVersionID {
		why = append(why, fmt.Sprintf("v%d of %s is active now", a.ReplacesVersion, a.ReplacesSet))
	}
	return strings.Join(why, "; ")
}

package publish

import "github.com/policypin/policypin/gitstore"

// Published is the status of a set in a receipt whose version was created or
// found, and pinned. The others are those of a plan: unchanged, superseded.
const Published = "published"

// A Receipt says what a publish did.
type Receipt struct {
	Schema     int           `json:"schema"`
	Target     string        `json:"target"`
	ZoneID     string        `json:"zone_id"`
	Commit     gitstore.Hash `json:"commit"`
	PlanDigest string        `json:"plan_digest"`
	Sets       []SetReceipt  `json:"sets"`
	Activation *Activated    `json:"activation"` // null when nothing was asked to be activated
	Notes      []string      `json:"notes"`
	Created    Created       `json:"created"`
}

// Created counts the objects that this run created.
type Created struct {
	Policies       int `json:"policies"`
	PolicyVersions int `json:"policy_versions"`
	PolicySets     int `json:"policy_sets"`
	SetVersions    int `json:"policy_set_versions"`
	Pins           int `json:"pins"`
}

// A SetReceipt is what became of one set.
type SetReceipt struct {
	Name        string        `json:"name"`
	Status      string        `json:"status"` // published, unchanged or superseded
	Reason      string        `json:"reason"`
	PolicySetID string        `json:"policy_set_id"`
	VersionID   string        `json:"policy_set_version_id"`
	Version     int           `json:"version"`
	ManifestSHA string        `json:"manifest_sha"`
	SetDigest   string        `json:"set_digest"`
	Tag         string        `json:"tag"`
	TagObject   gitstore.Hash `json:"tag_object"`
	PinCommit   gitstore.Hash `json:"pin_commit"`
}

// Activated is what became of an activation.
type Activated struct {
	Set       string `json:"set"`
	VersionID string `json:"policy_set_version_id"`
	Version   int    `json:"version"`
	// Replaced is the id of the version that was active before, or "".
	Replaced        string `json:"replaced_version_id"`
	ReplacedSet     string `json:"replaced_set"`
	ReplacedVersion int    `json:"replaced_version"`
	// Status is activated, unchanged (it was active already) or superseded.
	Status string `json:"status"`
}

// WasActivated is the status of an activation that changed the binding.
const WasActivated = "activated"

package zone

import (
	"encoding/json"

	"github.com/policypin/policypin/internal/jcs"
	"github.com/policypin/policypin/internal/jws"
)

// Shapes of an attestation, for [Options.Attestation].
const (
	// AttestStatement answers with the decoded statement, which carries no
	// signature. Generations 2 and 3 of the API do.
	AttestStatement = "statement"
	// AttestEnvelope answers with a signed statement, a JSON Web Signature in the
	// flattened form. Generation 1 did, and its statement holds the manifest.
	AttestEnvelope = "envelope"
	// AttestNone leaves attestations out, which the API allows.
	AttestNone = "none"
)

const (
	attestationType = "policy_set_attestation"
	attestedBy      = "local-zone"
	statusResigned  = "re_signed" // the same content, attested again after a rotation
)

// A statement is what an attestation says, in the form without a signature.
type statement struct {
	Type             string `json:"type"`
	V                int    `json:"v"`
	Status           string `json:"status"`
	ZoneID           string `json:"zone_id"`
	PolicySetID      string `json:"policy_set_id"`
	PolicySetVersion int    `json:"policy_set_version"` // the number, not the id
	ManifestSHA      string `json:"manifest_sha"`
	KeyID            string `json:"key_id"`
	AttestedAt       string `json:"attested_at"`
	AttestedBy       string `json:"attested_by"`
}

// A signedStatement is what an envelope holds: the manifest instead of the key's
// id, which is in the envelope's header.
type signedStatement struct {
	Type             string  `json:"type"`
	V                int     `json:"v"`
	Status           string  `json:"status"`
	ZoneID           string  `json:"zone_id"`
	PolicySetID      string  `json:"policy_set_id"`
	PolicySetVersion int     `json:"policy_set_version"`
	ManifestSHA      string  `json:"manifest_sha"`
	Manifest         []entry `json:"manifest"`
	AttestedAt       string  `json:"attested_at"`
	AttestedBy       string  `json:"attested_by"`
}

// attest makes the attestation of a version in the shape that the server has. It
// is nil if the server has none. entries may be nil; then they are loaded where
// the shape needs them.
func (c *call) attest(g getter, z *zoneRecord, rec *setVersionRecord, entries []entry) (any, error) {
	v := &rec.Version
	status, at := "created", v.CreatedAt
	if c.s.opts.Attestation == AttestEnvelope {
		status = "committed" // as generation 1 called it
	}
	if rec.keyNumber() < z.keyNumber() {
		status, at = statusResigned, z.KeySince
	}
	switch c.s.opts.Attestation {
	case AttestNone:
		return nil, nil
	case AttestStatement:
		return &statement{
			Type: attestationType, V: 1, Status: status, ZoneID: c.zone,
			PolicySetID: v.PolicySetID, PolicySetVersion: v.Version, ManifestSHA: v.ManifestSHA,
			KeyID: keyID(z.keyNumber()), AttestedAt: at, AttestedBy: attestedBy,
		}, nil
	}
	if entries == nil {
		m, err := loadManifest(g, c.zone, v.ID)
		if err != nil {
			return nil, err
		}
		entries = m.Entries
	}
	return envelope(c.key, signedStatement{
		Type: attestationType, V: 1, Status: status, ZoneID: c.zone,
		PolicySetID: v.PolicySetID, PolicySetVersion: v.Version, ManifestSHA: v.ManifestSHA,
		Manifest: entries, AttestedAt: at, AttestedBy: attestedBy,
	})
}

// envelope signs the canonical form (RFC 8785) of a statement.
func envelope(k *jws.Key, s signedStatement) (json.RawMessage, error) {
	payload, err := jcs.Marshal(s)
	if err != nil {
		return nil, err
	}
	return k.Sign(payload)
}

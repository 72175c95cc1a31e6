package publish

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/policypin/policypin/internal/keycard"
)

// contradiction says in what the version that was read back isn't the one that
// was created or found, or isn't what the commit says. A pin never moves, so
// what the zone says in two ways is not written into one.
func (w *setWork) contradiction(full *keycard.PolicySetVersion) error {
	said, sha := w.result, keycard.NormalSHA(full.ManifestSHA)
	twice := func(what string, first, second any) error {
		return fmt.Errorf("the zone contradicts itself about version %d (%s): first its %s is %v, then %v", said.Version, said.ID, what, first, second)
	}
	switch {
	case full.Version != said.Version:
		return twice("number", said.Version, full.Version)
	case sha != keycard.NormalSHA(said.ManifestSHA):
		return twice("manifest sha", keycard.NormalSHA(said.ManifestSHA), sha)
	case full.SchemaVersion != w.past.decl.SchemaVersion || !holds(full.Entries, w.wants):
		return fmt.Errorf("version %d (%s) holds other entries than were sent", full.Version, full.ID)
	}
	shas := map[string]string{}
	for _, want := range w.wants {
		shas[want.version().ID] = keycard.NormalSHA(want.version().SHA)
	}
	for _, e := range full.Entries {
		if e.SHA != "" && keycard.NormalSHA(e.SHA) != shas[e.VersionID] {
			return fmt.Errorf("version %d (%s) has sha %s for policy version %s, which has %s",
				full.Version, full.ID, keycard.NormalSHA(e.SHA), e.VersionID, shas[e.VersionID])
		}
	}
	if attested := attestedSHA(full.Attestation); attested != "" && attested != sha {
		return fmt.Errorf("version %d (%s) has manifest sha %s, and its attestation is for %s", full.Version, full.ID, sha, attested)
	}
	return nil
}

// attestedSHA is the manifest sha that an attestation is for: the one field that
// the API reference says must be compared. It is "" if there is none; what else
// an attestation says, and its signature, is for verify to judge.
func attestedSHA(raw json.RawMessage) string {
	var statement struct {
		SHA     string `json:"manifest_sha"`
		Payload string `json:"payload"` // of an envelope (RFC 7515, section 7.2.2)
	}
	if json.Unmarshal(raw, &statement) != nil {
		return ""
	}
	if statement.Payload != "" {
		payload, err := base64.RawURLEncoding.DecodeString(statement.Payload)
		if err != nil || json.Unmarshal(payload, &statement) != nil {
			return ""
		}
	}
	return keycard.NormalSHA(statement.SHA)
}

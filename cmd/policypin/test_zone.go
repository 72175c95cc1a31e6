package main

import (
	"context"
	"fmt"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/policytest"
	"github.com/policypin/policypin/manifest"
)

// storedPolicies are policies that only a zone has, by the entries that name
// them.
type storedPolicies = map[policytest.Entry][]*cedar.Policy

// readStored reads the policies of entries without a source. only is a set's
// name, or "" for all of them.
func readStored(ctx context.Context, r *keycard.Reader, sets []*manifest.Set, only string) (storedPolicies, error) {
	stored := storedPolicies{}
	read := map[manifest.Entry][]*cedar.Policy{} // sets share the platform's policies
	for _, s := range sets {
		if only != "" && s.Name != only {
			continue
		}
		for _, e := range s.Entries {
			if e.Source != "" {
				continue
			}
			key := manifest.Entry{Policy: e.Policy, Version: e.Version, PolicyID: e.PolicyID, VersionID: e.VersionID, SHA: e.SHA}
			if read[key] == nil {
				policies, err := readEntry(ctx, r, e)
				if err != nil {
					return nil, fmt.Errorf("%s: policy %s of policy set %s: %w", e.Position, e.Label(), s.Name, err)
				}
				read[key] = policies
			}
			stored[policytest.Entry{Set: s.Name, Policy: e.Label()}] = read[key]
		}
	}
	return stored, nil
}

// readEntry reads and parses the version that an entry names.
func readEntry(ctx context.Context, r *keycard.Reader, e manifest.Entry) ([]*cedar.Policy, error) {
	v, err := versionOf(ctx, r, e)
	if err != nil {
		return nil, err
	}
	if e.SHA != "" && keycard.NormalSHA(v.SHA) != e.SHA {
		return nil, fmt.Errorf("the zone's version has sha %s, the manifest expects %s", keycard.NormalSHA(v.SHA), e.SHA)
	}
	policies, problems := cedar.ParseSet(fmt.Sprintf("%s v%d", e.Label(), v.Version), []byte(v.CedarRaw))
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("reading its text: %w", err)
	}
	return policies, nil
}

// versionOf finds a version by its ids, or by the policy's name and a number.
func versionOf(ctx context.Context, r *keycard.Reader, e manifest.Entry) (*keycard.PolicyVersion, error) {
	if e.VersionID != "" {
		return r.PolicyVersion(ctx, e.PolicyID, e.VersionID, "cedar")
	}
	for p, err := range r.Policies(ctx, keycard.ListOptions{Query: e.Policy}) {
		if err != nil {
			return nil, err
		}
		if p.Name != e.Policy {
			continue
		}
		for v, err := range r.PolicyVersions(ctx, p.ID, keycard.ListOptions{Format: "cedar"}) {
			if err != nil || v.Version == e.Version {
				return v, err
			}
		}
		break
	}
	return nil, fmt.Errorf("%w: no version %d of it in zone %s", keycard.ErrNotFound, e.Version, r.ZoneID())
}

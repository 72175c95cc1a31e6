package publish

import (
	"context"
	"fmt"
	"maps"

	"github.com/policypin/policypin/internal/keycard"
)

// maxLeftOut is how many policies a list may lack. The service is known to have
// dropped rows of the same millisecond at the edge of a page; a list that lacks
// more than a page is not a list.
const maxLeftOut = 100

// readBase reads what a set's version holds: the policies with their texts. The
// list of them is held against the version's manifest, or against what a pin
// recorded as long as both say the same. A list that lacks a row would
// otherwise look like other content, which is published anew.
func (zr *zoneReader) readBase(ctx context.Context, st *setState, v *keycard.PolicySetVersion, recorded map[[2]string]bool) error {
	st.held = map[string]*keycard.PolicyVersion{}
	ids := map[[2]string]bool{} // of policies and their versions
	hold := func(p *keycard.PolicyVersion) {
		st.base = append(st.base, p)
		st.held[p.PolicyID] = p
		zr.z.owners[p.PolicyID] = p.OwnerType
		ids[[2]string{p.PolicyID, p.ID}] = true
	}
	for p, err := range zr.SetVersionPolicies(ctx, st.id, v.ID, keycard.ListOptions{Format: "cedar"}) {
		if err != nil {
			return err
		}
		hold(p)
	}
	entries := v.Entries
	if entries == nil { // from a list
		if maps.Equal(ids, recorded) {
			return nil
		}
		full, err := zr.SetVersion(ctx, st.id, v.ID)
		if err != nil {
			return err
		}
		entries = full.Entries
	}
	listed := map[[2]string]bool{}
	var missing []keycard.ManifestEntry
	for _, e := range entries {
		id := [2]string{e.PolicyID, e.VersionID}
		listed[id] = true
		if !ids[id] {
			missing = append(missing, e)
		}
	}
	for id := range ids {
		if !listed[id] {
			return fmt.Errorf("the zone lists version %s of policy %s among those of v%d (%s), whose manifest doesn't have it", id[1], id[0], v.Version, v.ID)
		}
	}
	if len(missing) > maxLeftOut {
		return fmt.Errorf("the zone lists %s of v%d (%s), whose manifest has %d", count(len(ids), "policy", "policies"), v.Version, v.ID, len(entries))
	}
	for _, e := range missing {
		p, err := zr.PolicyVersion(ctx, e.PolicyID, e.VersionID, "cedar")
		if err != nil {
			return fmt.Errorf("reading what the list of policies of v%d lacks: %w", v.Version, err)
		}
		hold(p)
	}
	return nil
}

package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// find returns the version with the commit's content: the one with this number,
// or the only one without a pin.
func (r *repinning) find(ctx context.Context, number int) (*setWork, error) {
	var found []*setWork
	var why error
	for v, err := range r.zone.SetVersions(ctx, r.id, keycard.ListOptions{Order: "desc"}) {
		if err != nil {
			return nil, fmt.Errorf("listing the versions of policy set %s: %w", r.past.decl.Name, err)
		}
		if number > 0 && v.Version != number || number == 0 && (v.SchemaVersion != r.past.decl.SchemaVersion || r.free(v.Version) != nil) {
			continue
		}
		w, err := r.compare(ctx, v.ID)
		switch refusals := (Refusals)(nil); {
		case err == nil:
			found = append(found, w)
		case errors.As(err, &refusals):
			why = err
		default:
			return nil, err
		}
		if number > 0 {
			break
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var names []string
		for _, w := range found {
			names = append(names, fmt.Sprintf("v%d", w.result.Version))
		}
		return nil, r.no(Mismatch, "name one with --version; policypin versions list shows when each was created",
			"versions %s have this content and no pin", strings.Join(names, ", "))
	case number > 0 && why != nil:
		return nil, why
	case number > 0:
		return nil, r.no(Mismatch, "", "zone %s has no version v%d", r.target.ZoneID, number)
	}
	return nil, r.no(Mismatch, "give the commit that was published with --rev, or the version with --version to see what differs",
		"zone %s has no version without a pin that holds what commit %s says", r.target.ZoneID, r.src.Commit.Short())
}

// otherCommit is what to do when a version holds something else.
const otherCommit = "if another commit was published, --rev names it"

// compare holds a version to the commit: the same schema and, for every entry,
// the policy version that the manifest means. It returns what record needs.
func (r *repinning) compare(ctx context.Context, versionID string) (*setWork, error) {
	v, err := r.zone.SetVersion(ctx, r.id, versionID)
	if err != nil {
		return nil, err
	}
	if v.PolicySetID == "" {
		v.PolicySetID = r.id
	}
	decl := r.past.decl
	if v.SchemaVersion != decl.SchemaVersion {
		return nil, r.no(Mismatch, otherCommit, "v%d is bound to schema %s, commit %s says %s", v.Version, v.SchemaVersion, r.src.Commit.Short(), decl.SchemaVersion)
	}
	if len(v.Entries) != len(decl.Entries) {
		return nil, r.no(Mismatch, otherCommit, "v%d has %s, commit %s says %d", v.Version, count(len(v.Entries), "entry", "entries"), r.src.Commit.Short(), len(decl.Entries))
	}
	have, err := r.contents(ctx, v)
	if err != nil {
		return nil, err
	}
	names, err := r.names(ctx, v)
	if err != nil {
		return nil, err
	}
	w := &setWork{past: r.past, result: v}
	for _, e := range decl.Entries {
		pv := r.meant(e, have, names)
		if pv == nil {
			return nil, r.no(Mismatch, fmt.Sprintf("see %s; %s", e.Position, otherCommit), "v%d doesn't hold what commit %s says of policy %s",
				v.Version, r.src.Commit.Short(), cmp.Or(e.Policy, e.PolicyID))
		}
		delete(have, pv.ID)
		w.wants = append(w.wants, wantedEntry{decl: e, fixed: pv})
	}
	return w, nil
}

// contents reads the policy versions that a version holds, by id. A list may
// leave archived ones out.
func (r *repinning) contents(ctx context.Context, v *keycard.PolicySetVersion) (map[string]*keycard.PolicyVersion, error) {
	have := map[string]*keycard.PolicyVersion{}
	for p, err := range r.zone.SetVersionPolicies(ctx, r.id, v.ID, keycard.ListOptions{Format: "cedar"}) {
		if err != nil {
			return nil, err
		}
		have[p.ID] = p
	}
	for _, e := range v.Entries {
		if have[e.VersionID] == nil {
			p, err := r.zone.PolicyVersion(ctx, e.PolicyID, e.VersionID, "cedar")
			if err != nil {
				return nil, err
			}
			have[p.ID] = p
		}
	}
	return have, nil
}

// names are what the policies of a version are called in the zone.
func (r *repinning) names(ctx context.Context, v *keycard.PolicySetVersion) (map[string]string, error) {
	names := map[string]string{}
	ids := make([]string, len(v.Entries))
	for i, e := range v.Entries {
		ids[i] = e.PolicyID
	}
	if len(ids) == 0 {
		return names, nil
	}
	for p, err := range r.zone.Policies(ctx, keycard.ListOptions{IDs: ids}) {
		if err != nil {
			return nil, err
		}
		names[p.ID] = p.Name
	}
	for _, id := range ids {
		if names[id] != "" {
			continue
		}
		p, err := r.zone.Policy(ctx, id) // archived
		if err != nil {
			return nil, err
		}
		names[id] = p.Name
	}
	return names, nil
}

// meant finds the policy version that an entry means: by its ids, or by the
// policy's name. A policy with a source may have been renamed since, and is
// then known by its content if only one version has it; a number alone proves
// nothing about a policy with another name.
func (r *repinning) meant(e manifest.Entry, have map[string]*keycard.PolicyVersion, names map[string]string) *keycard.PolicyVersion {
	if e.VersionID != "" {
		if pv := have[e.VersionID]; pv != nil && pv.PolicyID == e.PolicyID && r.fits(e, pv) {
			return pv
		}
		return nil
	}
	var fit, renamed []*keycard.PolicyVersion
	named := false
	for _, pv := range have {
		own := names[pv.PolicyID] == e.Policy
		named = named || own
		switch {
		case !r.fits(e, pv):
		case own:
			fit = append(fit, pv)
		case e.Source != "" && !r.declares(names[pv.PolicyID]):
			renamed = append(renamed, pv)
		}
	}
	if !named {
		fit = renamed
	}
	if len(fit) != 1 {
		return nil
	}
	return fit[0]
}

// declares tells whether the commit's set has a policy of this name: then a
// policy version with that name isn't another policy's.
func (r *repinning) declares(name string) bool {
	return slices.ContainsFunc(r.past.decl.Entries, func(e manifest.Entry) bool { return e.Policy == name })
}

// fits tells whether a policy version has the content that an entry says.
func (r *repinning) fits(e manifest.Entry, pv *keycard.PolicyVersion) bool {
	switch {
	case pv.SchemaVersion != r.past.decl.SchemaVersion:
		return false
	case e.Source != "":
		return r.tree.Sources[e.Source].Same(pv.CedarRaw)
	case e.SHA != "" && keycard.NormalSHA(e.SHA) != keycard.NormalSHA(pv.SHA):
		return false
	}
	return e.VersionID != "" || pv.Version == e.Version
}

package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
)

// zone adds the links that the zone answers, and those of attestations.
func (c *Chain) zone(ctx context.Context, r *Result, d *declared) error {
	rec := &r.Pin.Record
	if c.Zone != nil && c.Zone.ZoneID() == rec.ZoneID {
		if err := c.online(ctx, r, d); err != nil {
			return err
		}
	} else {
		why := "the zone wasn't asked"
		if c.Zone != nil {
			why = fmt.Sprintf("the target's zone is %q today", c.Zone.ZoneID())
		}
		r.add(LinkVersion, Recorded, "%s, v%d of policy set %s; %s", rec.VersionID, rec.Version, rec.PolicySetID, why)
		r.add(LinkVersionEntries, Recorded, "the policy version and sha of each entry (%d); %s", len(rec.Entries), why)
		r.add(LinkPublisher, Recorded, "%s; %s", publisher(rec.CreatedBy, rec.CreatedAt), why)
		c.attestations(ctx, r, nil)
	}
	if len(rec.Approvals) > 0 {
		var gates []string
		for _, a := range rec.Approvals {
			gates = append(gates, a.Gate)
		}
		r.add(LinkApprovals, Recorded, "%s", strings.Join(gates, ", "))
	}
	return nil
}

func publisher(by string, at time.Time) string {
	if by == "" {
		by = "nobody named"
	}
	return by + " at " + at.UTC().Format(time.RFC3339)
}

// online compares the record with what the zone has.
func (c *Chain) online(ctx context.Context, r *Result, d *declared) error {
	rec := &r.Pin.Record
	set, err := find(rec.PolicySetID, func() (*keycard.PolicySet, error) { return c.Zone.PolicySet(ctx, rec.PolicySetID) })
	if err != nil {
		return err
	}
	if err := c.policySet(ctx, r, set); err != nil {
		return err
	}
	v, err := find(rec.VersionID, func() (*keycard.PolicySetVersion, error) {
		return c.Zone.SetVersion(ctx, rec.PolicySetID, rec.VersionID)
	})
	if err != nil {
		return err
	}
	if v == nil {
		r.add(LinkVersion, Mismatch, "the zone has no version %q of policy set %q", rec.VersionID, rec.PolicySetID)
		c.attestations(ctx, r, nil)
		return nil
	}
	if why := checkVersion(rec, v); why != "" {
		r.add(LinkVersion, Mismatch, "%s", why)
	} else {
		r.add(LinkVersion, OK, "%s is v%d, with this schema and manifest sha", v.ID, v.Version)
	}
	if why := checkManifest(rec, v.Entries); why != "" {
		r.add(LinkVersionEntries, Mismatch, "%s", why)
	} else {
		r.add(LinkVersionEntries, OK, "%d, in the zone's order", len(v.Entries))
	}
	if err := c.policies(ctx, r, d, v); err != nil {
		return err
	}
	if v.CreatedAt.Equal(rec.CreatedAt) && v.CreatedBy == rec.CreatedBy {
		r.add(LinkPublisher, OK, "%s", publisher(v.CreatedBy, v.CreatedAt))
	} else {
		r.add(LinkPublisher, Mismatch, "the zone says %s, the record %s", publisher(v.CreatedBy, v.CreatedAt), publisher(rec.CreatedBy, rec.CreatedAt))
	}
	if v.ArchivedAt == nil {
		r.add(LinkArchived, OK, "it isn't")
	} else {
		r.add(LinkArchived, Mismatch, "it was archived at %s", v.ArchivedAt.UTC().Format(time.RFC3339))
	}
	c.attestations(ctx, r, v.Attestation)
	return nil
}

// find reads an object by an id that a pin has. It is nil if the zone has none.
func find[T any](id string, read func() (*T, error)) (*T, error) {
	if id == "." || id == ".." {
		return nil, nil // these can't be part of a request's path
	}
	v, err := read()
	if errors.Is(err, keycard.ErrNotFound) {
		return nil, nil
	}
	return v, err
}

// policySet compares the set's name. Names can change, so another name alone
// proves nothing; an older set that has the recorded name does.
func (c *Chain) policySet(ctx context.Context, r *Result, set *keycard.PolicySet) error {
	rec := &r.Pin.Record
	switch {
	case set == nil:
		// An archived set may not be found, while its versions are.
		r.add(LinkPolicySet, NotAvailable, "the zone doesn't show policy set %q", rec.PolicySetID)
		return nil
	case set.Name == rec.PolicySet:
		r.add(LinkPolicySet, OK, "%s is %q", set.ID, set.Name)
		return nil
	}
	for other, err := range c.Zone.PolicySets(ctx, keycard.ListOptions{Query: rec.PolicySet}) {
		if err != nil {
			return err
		}
		if other.Name == rec.PolicySet && other.ID != set.ID && !other.CreatedAt.After(rec.CreatedAt) {
			r.add(LinkPolicySet, Mismatch, "%q is policy set %s, and the record has %s, which is %q", other.Name, other.ID, set.ID, set.Name)
			return nil
		}
	}
	r.add(LinkPolicySet, Recorded, "%s is called %q today, and %q in the record", set.ID, set.Name, rec.PolicySet)
	return nil
}

func checkVersion(rec *gitstore.Record, v *keycard.PolicySetVersion) string {
	switch {
	case v.Version != rec.Version:
		return fmt.Sprintf("%s is v%d in the zone and v%d in the record", v.ID, v.Version, rec.Version)
	case v.SchemaVersion != rec.SchemaVersion:
		return fmt.Sprintf("%s has schema %q in the zone and %q in the record", v.ID, v.SchemaVersion, rec.SchemaVersion)
	case keycard.NormalSHA(v.ManifestSHA) != keycard.NormalSHA(rec.ManifestSHA):
		return fmt.Sprintf("%s has manifest sha %s in the zone and %s in the record", v.ID, keycard.NormalSHA(v.ManifestSHA), keycard.NormalSHA(rec.ManifestSHA))
	}
	return ""
}

// checkManifest compares the version's manifest with the record's entries, in
// order and content.
func checkManifest(rec *gitstore.Record, entries []keycard.ManifestEntry) string {
	for i, e := range rec.Entries {
		if i >= len(entries) {
			break
		}
		z := entries[i]
		switch {
		case z.PolicyID != e.PolicyID:
			return fmt.Sprintf("entry %d is policy %s in the zone, and %.80q in the record", i+1, z.PolicyID, e.PolicyID)
		case z.VersionID != e.VersionID:
			return fmt.Sprintf("policy %q is %s in the zone, and %.80q in the record", e.Policy, z.VersionID, e.VersionID)
		case z.SHA != "" && keycard.NormalSHA(z.SHA) != keycard.NormalSHA(e.SHA):
			return fmt.Sprintf("policy %q has sha %s in the zone, and %.64s in the record", e.Policy, keycard.NormalSHA(z.SHA), keycard.NormalSHA(e.SHA))
		}
	}
	if len(entries) != len(rec.Entries) {
		return fmt.Sprintf("the zone has %d, the record %d", len(entries), len(rec.Entries))
	}
	return ""
}

// policies compares the policy versions that the set version consists of: with
// the record, with the sources of the commit, and by name.
func (c *Chain) policies(ctx context.Context, r *Result, d *declared, v *keycard.PolicySetVersion) error {
	rec := &r.Pin.Record
	stored := map[string]*keycard.PolicyVersion{}
	for p, err := range c.Zone.SetVersionPolicies(ctx, v.PolicySetID, v.ID, keycard.ListOptions{Format: "cedar"}) {
		if err != nil {
			return err
		}
		stored[p.ID] = p
	}
	if why := checkPolicies(rec, stored); why != "" {
		r.add(LinkPolicies, Mismatch, "%s", why)
	} else {
		r.add(LinkPolicies, OK, "%d, with these numbers and shas", len(stored))
	}
	if d == nil {
		r.add(LinkContent, NotAvailable, "it needs the link %q", LinkSet)
	} else {
		d.content(r, stored)
	}
	return c.names(ctx, r)
}

func checkPolicies(rec *gitstore.Record, stored map[string]*keycard.PolicyVersion) string {
	for _, e := range rec.Entries {
		p := stored[e.VersionID]
		switch {
		case p == nil:
			return fmt.Sprintf("%.80q, which the record has for policy %q, isn't among the version's policies", e.VersionID, e.Policy)
		case p.PolicyID != e.PolicyID:
			return fmt.Sprintf("%s is a version of policy %s, not of %.80q", p.ID, p.PolicyID, e.PolicyID)
		case p.Version != e.Version:
			return fmt.Sprintf("%s is number %d of policy %q in the zone, and %d in the record", p.ID, p.Version, e.Policy, e.Version)
		case p.SHA != "" && keycard.NormalSHA(p.SHA) != keycard.NormalSHA(e.SHA):
			return fmt.Sprintf("%s of policy %q has sha %s in the zone, and %.64s in the record", p.ID, e.Policy, keycard.NormalSHA(p.SHA), keycard.NormalSHA(e.SHA))
		case p.SchemaVersion != rec.SchemaVersion:
			return fmt.Sprintf("%s of policy %q has schema %q, and the record %q", p.ID, e.Policy, p.SchemaVersion, rec.SchemaVersion)
		}
	}
	return ""
}

// content compares the text that the zone stores for each source with the one in
// the commit, by what they parse to: the service lays out text anew.
func (d *declared) content(r *Result, stored map[string]*keycard.PolicyVersion) {
	ids := map[string]string{}
	for _, e := range r.Pin.Record.Entries {
		ids[e.Policy] = e.VersionID
	}
	compared := 0
	for _, e := range d.set.Entries {
		if e.Source == "" {
			continue
		}
		source, version := d.tree.Sources[e.Source], stored[ids[e.Policy]]
		switch {
		case source == nil:
			r.add(LinkContent, NotAvailable, "it needs the link %q", LinkSources)
			return
		case version == nil:
			r.add(LinkContent, Mismatch, "the version has no policy version for %s", e.Source)
			return
		case version.CedarRaw == "":
			r.add(LinkContent, NotAvailable, "the zone doesn't show the text of %s", version.ID)
			return
		case !source.Same(version.CedarRaw):
			r.add(LinkContent, Mismatch, "%s in the zone says something else than %s at the commit", version.ID, e.Source)
			return
		}
		compared++
	}
	r.add(LinkContent, OK, "what the zone stores parses equal to each source (%d)", compared)
}

// maxLookups is how many names of one pin are looked for in the zone. More than a
// few renamed policies are a forged record, whose other links are broken too.
const maxLookups = 20

// names compares the recorded names of policies with the zone's. As with sets, a
// policy may have been renamed since, so that only an older policy of that name
// proves the record wrong.
func (c *Chain) names(ctx context.Context, r *Result) error {
	rec := &r.Pin.Record
	named := map[string]string{}
	var ids []string
	for _, e := range rec.Entries {
		if e.Policy != "" {
			named[e.PolicyID] = e.Policy
			ids = append(ids, e.PolicyID)
		}
	}
	live := map[string]string{}
	if len(ids) > 0 {
		for p, err := range c.Zone.Policies(ctx, keycard.ListOptions{IDs: slices.Compact(slices.Sorted(slices.Values(ids)))}) {
			if err != nil {
				return err
			}
			live[p.ID] = p.Name
		}
	}
	var open []string
	for _, id := range ids {
		name, want := live[id], named[id]
		if name == want {
			continue
		}
		if len(open) == maxLookups {
			open = append(open, "and others")
			break
		}
		other, err := c.policyNamed(ctx, want)
		switch {
		case err != nil:
			return err
		case other != nil && other.ID != id && !other.CreatedAt.After(rec.CreatedAt):
			r.add(LinkNames, Mismatch, "%q is policy %s in the zone, and %.80q in the record", want, other.ID, id)
			return nil
		case name == "":
			open = append(open, fmt.Sprintf("%q isn't listed by the zone", want))
		default:
			open = append(open, fmt.Sprintf("%q is called %q today", want, name))
		}
	}
	if len(open) > 0 {
		r.add(LinkNames, Recorded, "%s", strings.Join(open, ", "))
		return nil
	}
	r.add(LinkNames, OK, "%d, as in the zone", len(ids))
	return nil
}

func (c *Chain) policyNamed(ctx context.Context, name string) (*keycard.Policy, error) {
	for p, err := range c.Zone.Policies(ctx, keycard.ListOptions{Query: name}) {
		if err != nil {
			return nil, err
		}
		if p.Name == name {
			return p, nil
		}
	}
	return nil, nil
}

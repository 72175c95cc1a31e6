package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
)

// A liveSet is the policy set version that decides in a zone, with its Cedar.
type liveSet struct {
	set     string
	version *keycard.PolicySetVersion
	entries []liveEntry // by policy name
}

type liveEntry struct {
	policy  string
	version *keycard.PolicyVersion
}

// errNothingActive is returned when no version decides in a zone.
var errNothingActive = errors.New("no policy set version is active in the zone")

// liveSide reads what is active in a target's zone.
func (w *world) liveSide(ctx context.Context, p *project, target, apiURL string) (*liveSet, error) {
	proj, err := p.projectFile()
	if err != nil {
		return nil, err
	}
	t, err := targetNamed(proj, target)
	if err != nil {
		return nil, err
	}
	r, done, err := w.readZone(p, t, apiURL)
	if err != nil {
		return nil, err
	}
	defer done()
	return readLive(ctx, r)
}

// active finds the set whose version is bound; nil if there is none.
func active(ctx context.Context, r *keycard.Reader) (*keycard.PolicySet, error) {
	bound := true
	for s, err := range r.PolicySets(ctx, keycard.ListOptions{Active: &bound}) {
		if err != nil {
			return nil, err
		}
		if s.ActiveVersionID != "" && s.TargetType != "user" {
			return s, nil
		}
	}
	return nil, nil
}

func readLive(ctx context.Context, r *keycard.Reader) (*liveSet, error) {
	set, err := active(ctx, r)
	if err != nil {
		return nil, err
	}
	if set == nil {
		return nil, errNothingActive
	}
	version, err := r.SetVersion(ctx, set.ID, set.ActiveVersionID)
	if err != nil {
		return nil, err
	}
	live := &liveSet{set: set.Name, version: version}
	for pv, err := range r.SetVersionPolicies(ctx, set.ID, version.ID, keycard.ListOptions{Format: "cedar"}) {
		if err != nil {
			return nil, err
		}
		live.entries = append(live.entries, liveEntry{version: pv})
	}
	names, err := policyNames(ctx, r, live.entries)
	if err != nil {
		return nil, err
	}
	for i, e := range live.entries {
		live.entries[i].policy = names[e.version.PolicyID]
	}
	slices.SortFunc(live.entries, func(a, b liveEntry) int { return strings.Compare(a.policy, b.policy) })
	return live, nil
}

// namesPerCall is how many ids one list request may filter by.
const namesPerCall = 100

// policyNames reads the names of the policies that entries belong to.
func policyNames(ctx context.Context, r *keycard.Reader, entries []liveEntry) (map[string]string, error) {
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.version.PolicyID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	names := map[string]string{}
	for chunk := range slices.Chunk(ids, namesPerCall) {
		for policy, err := range r.Policies(ctx, keycard.ListOptions{IDs: chunk}) {
			if err != nil {
				return nil, err
			}
			names[policy.ID] = policy.Name
		}
	}
	for _, id := range ids {
		if names[id] == "" {
			names[id] = id // a service that doesn't list it still has a version of it
		}
	}
	return names, nil
}

// compareLive compares two sides of which at least one is a zone. What is
// active in a zone is one set, so the other side's set of that name is compared.
// Cedar is compared by parsed content, since the service rewrites its layout.
func compareLive(a, b *side) (manifest.Diff, error) {
	name := ""
	for _, s := range []*side{b, a} {
		if s.live != nil {
			name = s.live.set
		}
	}
	from, err := a.entries(name)
	if err != nil {
		return manifest.Diff{}, err
	}
	to, err := b.entries(name)
	if err != nil {
		return manifest.Diff{}, err
	}
	if unread := cmp.Or(from.unread, to.unread); unread != "" {
		return manifest.Diff{Sets: []manifest.SetDiff{{Name: name, Kind: manifest.Unread, Unread: unread}}}, nil
	}
	d := manifest.SetDiff{Name: name, From: from.digest, To: to.digest}
	if from.schema != to.schema {
		d.Fields = append(d.Fields, manifest.Change{Field: "schema_version", From: from.schema, To: to.schema})
	}
	for _, policy := range to.order {
		old, existed := from.by[policy]
		if e, changed := entryDiff(policy, old, existed, to.by[policy]); changed {
			d.Entries = append(d.Entries, e)
		}
	}
	for _, policy := range from.order {
		if _, kept := to.by[policy]; !kept {
			old := from.by[policy]
			d.Entries = append(d.Entries, manifest.EntryDiff{Policy: policy, Kind: manifest.Removed, FromText: old.text, FromFile: old.file})
		}
	}
	switch {
	case !from.exists && !to.exists:
		return manifest.Diff{}, nil
	case !from.exists:
		d.Kind = manifest.Added
	case !to.exists:
		d.Kind = manifest.Removed
	case len(d.Fields) > 0 || slices.ContainsFunc(d.Entries, func(e manifest.EntryDiff) bool { return e.Kind != manifest.Layout }):
		d.Kind = manifest.Changed
	case len(d.Entries) > 0:
		d.Kind = manifest.Layout
	default:
		return manifest.Diff{}, nil
	}
	return manifest.Diff{Sets: []manifest.SetDiff{d}}, nil
}

// noteOtherSets says that what the project declares wasn't compared, where the
// set that is active in a zone isn't one of its own.
func (w *world) noteOtherSets(live, other *side) {
	if live.live == nil || other.tree == nil || len(other.tree.Sets) == 0 {
		return
	}
	if _, ok := other.tree.Set(live.live.set); !ok && other.tree.Unread(live.live.set) == "" {
		w.say("note: %s has policy set %s active, which %s doesn't declare; the sets that it declares weren't compared",
			report.Clean(live.label), report.Clean(live.live.set), report.Clean(other.label))
	}
}

// contents is one side of a comparison by policy name.
type contents struct {
	exists bool
	unread string // the manifest that may hold the set and can't be understood, or ""
	schema string
	digest manifest.Digest
	order  []string
	by     map[string]content
}

type content struct {
	text, file string
	numbered   bool   // an entry by number or ids: its text isn't in Git
	version    string // number, when known
	versionID  string
}

func (s *side) entries(set string) (contents, error) {
	c := contents{by: map[string]content{}}
	add := func(policy string, e content) {
		c.order = append(c.order, policy)
		c.by[policy] = e
	}
	if s.live != nil {
		c.exists = s.live.set == set
		if !c.exists {
			return c, fmt.Errorf("%s has policy set %q active, the other side %q", s.label, s.live.set, set)
		}
		c.schema = s.live.version.SchemaVersion
		for _, e := range s.live.entries {
			v := e.version
			add(e.policy, content{text: v.CedarRaw, version: strconv.Itoa(v.Version), versionID: v.ID})
		}
		return c, nil
	}
	if s.tree == nil {
		return c, nil
	}
	c.unread = s.tree.Unread(set)
	m, ok := s.tree.Set(set)
	if !ok || c.unread != "" {
		return c, nil
	}
	c.exists, c.schema = true, m.SchemaVersion
	if d, err := s.tree.Digest(m); err == nil {
		c.digest = d
	}
	for _, e := range m.Entries {
		name := e.Policy
		if name == "" {
			name = e.PolicyID
		}
		one := content{file: e.Source, numbered: e.Source == "", versionID: e.VersionID}
		if e.Version > 0 {
			one.version = strconv.Itoa(e.Version)
		}
		if p := s.tree.Sources[e.Source]; p != nil {
			one.text = p.Text()
		}
		add(name, one)
	}
	return c, nil
}

// entryDiff compares one policy. An entry by number is compared by its number
// or id, one by source by its parsed text.
func entryDiff(policy string, from content, existed bool, to content) (manifest.EntryDiff, bool) {
	d := manifest.EntryDiff{Policy: policy, FromText: from.text, ToText: to.text, FromFile: from.file, ToFile: to.file}
	switch {
	case !existed:
		d.Kind = manifest.Added
	case from.numbered || to.numbered:
		if from.versionID != "" && to.versionID != "" && from.versionID == to.versionID ||
			from.version != "" && from.version == to.version {
			return d, false
		}
		d.Kind = manifest.Changed
		d.FromText, d.ToText = "", ""
		d.Fields = []manifest.Change{{Field: "version", From: from.version, To: to.version}}
	case from.text == to.text:
		return d, false
	case cedar.SameText(from.text, to.text):
		return d, false // the service stores its own layout: no change of anybody's
	default:
		d.Kind = manifest.Changed
	}
	return d, true
}

// Package importer turns a live zone into a project: it reads the zone's policy
// sets, and lays them out as manifests and sources that say exactly what the
// zone has. Publishing them creates nothing: the versions that are there are
// adopted, since their content is equal.
package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// ErrNoSet is wrapped when the zone has no policy set of a name.
var ErrNoSet = errors.New("no such policy set")

// A Snapshot is what is imported of a zone.
type Snapshot struct {
	Sets    []Set     // sorted by name
	Skipped []Skipped // sorted by name; nil when sets were named
	// Policies are those that the sets pin, by id; archived ones included.
	Policies map[string]*keycard.Policy
}

// A Set is a policy set with one of its versions: the active one, else the
// newest.
type Set struct {
	*keycard.PolicySet
	Version  *keycard.PolicySetVersion         // with entries, in the server's order
	Contents map[string]*keycard.PolicyVersion // by policy version id, with text
}

// Skipped is a policy set that a project can't declare, or whose version can't
// be published again, with the reason.
type Skipped struct {
	Set    string `json:"policy_set"`
	Reason string `json:"reason"`
}

// A CantImportError is returned for a policy set that was asked for by name.
type CantImportError struct{ Skipped }

// Error says which set, and why.
func (e *CantImportError) Error() string {
	return fmt.Sprintf("policy set %s can't be imported: %s", e.Set, e.Reason)
}

// Read reads the named policy sets, or all that a project can declare. The
// error wraps [ErrNoSet], or is a [CantImportError], for a name that was given.
func Read(ctx context.Context, r *keycard.Reader, names []string) (*Snapshot, error) {
	live, err := listSets(ctx, r, names)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Policies: map[string]*keycard.Policy{}}
	skip := func(set *keycard.PolicySet, reason string) error {
		no := Skipped{Set: set.Name, Reason: reason}
		if len(names) > 0 {
			return &CantImportError{no}
		}
		s.Skipped = append(s.Skipped, no)
		return nil
	}
	taken := map[string]string{}
	for _, set := range live {
		reason := unusable(set)
		if other := taken[manifest.Fold(set.Name)]; reason == "" && other != "" {
			reason = fmt.Sprintf("its name differs from %s only in case or in how its letters are encoded", other)
		}
		var loaded Set
		if reason == "" {
			if loaded, reason, err = readSet(ctx, r, set); err != nil {
				return nil, fmt.Errorf("policy set %s: %w", set.Name, err)
			}
		}
		if reason != "" {
			if err := skip(set, reason); err != nil {
				return nil, err
			}
			continue
		}
		taken[manifest.Fold(set.Name)] = set.Name
		s.Sets = append(s.Sets, loaded)
	}
	return s, s.readPolicies(ctx, r)
}

// listSets lists the sets with these names or ids, or all, sorted by name.
func listSets(ctx context.Context, r *keycard.Reader, names []string) ([]*keycard.PolicySet, error) {
	var live []*keycard.PolicySet
	found := map[string]bool{}
	for set, err := range r.PolicySets(ctx, keycard.ListOptions{}) {
		if err != nil {
			return nil, fmt.Errorf("listing the policy sets: %w", err)
		}
		if len(names) == 0 || slices.Contains(names, set.Name) || slices.Contains(names, set.ID) {
			live = append(live, set)
			found[set.Name], found[set.ID] = true, true
		}
	}
	for _, name := range names {
		if !found[name] {
			return nil, fmt.Errorf("%w: %s, in zone %s", ErrNoSet, name, r.ZoneID())
		}
	}
	slices.SortFunc(live, func(a, b *keycard.PolicySet) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return live, nil
}

// unusable says why a set can't be declared, whatever its versions hold.
func unusable(set *keycard.PolicySet) string {
	switch err := manifest.CheckSetName(set.Name); {
	case set.OwnerType == keycard.OwnerPlatform:
		return "it is managed by Keycard, and can't get versions"
	case err != nil:
		return "its name " + err.Error()
	case set.ActiveVersionID == "" && set.LatestVersionID == "":
		return "it has no version"
	}
	return ""
}

// readSet reads the version that publish would adopt: the active one, else the
// newest. reason says why it can't be published again, or is "".
func readSet(ctx context.Context, r *keycard.Reader, set *keycard.PolicySet) (s Set, reason string, err error) {
	id := set.ActiveVersionID
	if id == "" {
		id = set.LatestVersionID
	}
	s = Set{PolicySet: set, Contents: map[string]*keycard.PolicyVersion{}}
	if s.Version, err = r.SetVersion(ctx, set.ID, id); err != nil {
		return s, "", err
	}
	v := s.Version
	switch err := manifest.CheckSchemaVersion(v.SchemaVersion); {
	case v.ArchivedAt != nil:
		return s, fmt.Sprintf("its newest version, v%d, is archived", v.Version), nil
	case len(v.Entries) == 0:
		return s, fmt.Sprintf("v%d has no entries", v.Version), nil
	case err != nil:
		return s, "its schema version " + err.Error(), nil
	}
	for p, err := range r.SetVersionPolicies(ctx, set.ID, id, keycard.ListOptions{Format: "cedar"}) {
		if err != nil {
			return s, "", err
		}
		s.Contents[p.ID] = p
	}
	pinned := map[string]bool{}
	for _, e := range v.Entries {
		p := s.Contents[e.VersionID]
		if p == nil { // the list may leave archived ones out
			if p, err = r.PolicyVersion(ctx, e.PolicyID, e.VersionID, "cedar"); err != nil {
				return s, "", err
			}
			s.Contents[e.VersionID] = p
		}
		switch {
		case p.PolicyID != e.PolicyID:
			return s, "", fmt.Errorf("v%d says that %s is a version of %s, which it is not", v.Version, e.VersionID, e.PolicyID)
		case pinned[e.PolicyID]:
			return s, fmt.Sprintf("v%d pins policy %s twice", v.Version, e.PolicyID), nil
		case p.ArchivedAt != nil:
			return s, fmt.Sprintf("v%d pins version %d of policy %s, which is archived", v.Version, p.Version, e.PolicyID), nil
		case p.SchemaVersion != v.SchemaVersion:
			return s, fmt.Sprintf("v%d has schema %s, but pins version %d of policy %s, which has %s",
				v.Version, v.SchemaVersion, p.Version, e.PolicyID, p.SchemaVersion), nil
		}
		pinned[e.PolicyID] = true
	}
	return s, "", nil
}

// readPolicies reads the containers of all pinned policies. Their list leaves
// archived ones out; those are read one by one.
func (s *Snapshot) readPolicies(ctx context.Context, r *keycard.Reader) error {
	need := map[string]bool{}
	for _, set := range s.Sets {
		for _, e := range set.Version.Entries {
			need[e.PolicyID] = true
		}
	}
	var ids []string
	for id := range need {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(ids) == 0 {
		return nil
	}
	for p, err := range r.Policies(ctx, keycard.ListOptions{IDs: ids}) {
		if err != nil {
			return fmt.Errorf("listing the policies: %w", err)
		}
		s.Policies[p.ID] = p
	}
	for _, id := range ids {
		if s.Policies[id] != nil {
			continue
		}
		p, err := r.Policy(ctx, id)
		if err != nil {
			return fmt.Errorf("reading policy %s: %w", id, err)
		}
		s.Policies[id] = p
	}
	return nil
}

// SchemaVersions lists the schemas that the sets are bound to, sorted.
func (s *Snapshot) SchemaVersions() []string {
	var versions []string
	for _, set := range s.Sets {
		versions = append(versions, set.Version.SchemaVersion)
	}
	slices.Sort(versions)
	return slices.Compact(versions)
}

// Active is the name of the imported set whose version decides requests, or "".
func (s *Snapshot) Active() string {
	for _, set := range s.Sets {
		if set.ActiveVersionID != "" {
			return set.Name
		}
	}
	return ""
}

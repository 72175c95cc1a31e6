package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// Unused is what nothing refers to in a zone: left by a crashed run, by somebody
// else, or by a policy that was taken out of its sets. Pins of other
// repositories aren't known, so it is for people to decide.
type Unused struct {
	// Versions are policy set versions that aren't archived, bound, or pinned.
	Versions []UnusedVersion `json:"policy_set_versions"`
	// Policies have no version that a pin, a bound version, or a set version
	// that isn't archived refers to.
	Policies []UnusedPolicy `json:"policies"`
	// PolicyVersions are those of other policies, by the same rule.
	PolicyVersions []UnusedPolicy `json:"policy_versions"`
	Notes          []string       `json:"notes"`
}

// An UnusedVersion is a policy set version.
type UnusedVersion struct {
	Set       string `json:"policy_set"`
	SetID     string `json:"policy_set_id"`
	Version   int    `json:"version"`
	VersionID string `json:"policy_set_version_id"`
	CreatedBy string `json:"created_by"`
	Command   string `json:"command"` // that archives it
}

// An UnusedPolicy is a policy, or one version of it.
type UnusedPolicy struct {
	Policy    string `json:"policy"`
	PolicyID  string `json:"policy_id"`
	Version   int    `json:"version"` // of a policy as a whole: its newest, or 0
	VersionID string `json:"policy_version_id"`
	CreatedBy string `json:"created_by"`
	Command   string `json:"command"` // that archives it
}

// FindUnused reads the zone and the pins of all targets that are in it. It
// can only read.
func FindUnused(ctx context.Context, r *keycard.Reader, origin gitstore.Origin, target manifest.Target) (*Unused, error) {
	f := &unusedFinder{
		Reader: r, target: target, out: &Unused{Versions: []UnusedVersion{}, Policies: []UnusedPolicy{}, PolicyVersions: []UnusedPolicy{}, Notes: []string{}},
		pinned: map[string]bool{}, damaged: map[string]bool{}, used: map[string]bool{}, count: map[string]int{},
	}
	if err := f.readPins(ctx, origin); err != nil {
		return nil, err
	}
	if err := f.readSets(ctx); err != nil {
		return nil, err
	}
	return f.out, f.readPolicies(ctx)
}

type unusedFinder struct {
	*keycard.Reader
	target  manifest.Target
	out     *Unused
	pinned  map[string]bool // ids of set versions
	damaged map[string]bool // set and number of pins that can't be read
	used    map[string]bool // ids of policy versions
	count   map[string]int  // how many of them each policy has, by id
}

func (f *unusedFinder) use(policyID, versionID string) {
	if !f.used[versionID] {
		f.used[versionID] = true
		f.count[policyID]++
	}
}

// callable is how a command names something: by its name, or by its id if a
// terminal or the command line would stumble over the name.
func callable(name, id string, bad error) string {
	if bad != nil || strings.HasPrefix(name, "-") {
		return id
	}
	return name
}

// readPins reads the pins of every target whose records are of this zone.
func (f *unusedFinder) readPins(ctx context.Context, origin gitstore.Origin) error {
	refs, err := origin.Refs(ctx)
	if err != nil {
		return fmt.Errorf("listing %s: %w", origin.Name(), err)
	}
	names := []string{f.target.Pins}
	for full := range refs.All {
		if rest, ok := strings.CutPrefix(full, "refs/tags/policypin/"); ok {
			name, _, _ := strings.Cut(rest, "/")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var all []gitstore.PinRef
	for _, name := range slices.Compact(names) {
		pins, _ := refs.Pins(name)
		all = append(all, pins...)
	}
	pins, err := origin.ReadPins(ctx, all)
	if errors.Is(err, gitstore.ErrBadPin) {
		pins, err = nil, nil
		for _, ref := range all {
			one, err := origin.ReadPins(ctx, []gitstore.PinRef{ref})
			if errors.Is(err, gitstore.ErrBadPin) {
				f.out.Notes = append(f.out.Notes, fmt.Sprintf("%v; versions of this name and number count as pinned", err))
				f.damaged[setNumber(ref.Set, ref.Number)] = true
				continue
			}
			if err != nil {
				return err
			}
			pins = append(pins, one...)
		}
	}
	if err != nil {
		return fmt.Errorf("reading the pins: %w", err)
	}
	for _, pin := range pins {
		if pin.Record.ZoneID != f.target.ZoneID {
			continue
		}
		f.pinned[pin.Record.VersionID] = true
		for _, e := range pin.Record.Entries {
			f.use(e.PolicyID, e.VersionID)
		}
	}
	return nil
}

func setNumber(set string, number int) string { return set + "\x00" + strconv.Itoa(number) }

// readSets finds set versions that nobody refers to, and what the others hold.
func (f *unusedFinder) readSets(ctx context.Context) error {
	// Sets for users hold policies as well, and the newest service lists them only
	// when it is asked. An older one may not know the question.
	sets, err := f.listSets(ctx, "user", "zone")
	if said := (*keycard.Error)(nil); errors.As(err, &said) && said.Status == http.StatusBadRequest {
		sets, err = f.listSets(ctx)
	}
	if err != nil {
		return fmt.Errorf("listing the policy sets: %w", err)
	}
	slices.SortFunc(sets, func(a, b *keycard.PolicySet) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	for _, s := range sets {
		if err := f.readSet(ctx, s); err != nil {
			return fmt.Errorf("policy set %s: %w", s.Name, err)
		}
	}
	return nil
}

func (f *unusedFinder) listSets(ctx context.Context, targetTypes ...string) ([]*keycard.PolicySet, error) {
	var sets []*keycard.PolicySet
	for s, err := range f.PolicySets(ctx, keycard.ListOptions{TargetTypes: targetTypes}) {
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	return sets, nil
}

func (f *unusedFinder) readSet(ctx context.Context, s *keycard.PolicySet) error {
	for v, err := range f.SetVersions(ctx, s.ID, keycard.ListOptions{Order: "asc"}) {
		if err != nil {
			return err
		}
		bound := v.ID == s.ActiveVersionID || v.ID == s.ShadowVersionID || v.Active != nil && *v.Active
		damaged := f.damaged[setNumber(s.Name, v.Version)]
		if v.ArchivedAt != nil && !bound && !damaged {
			continue // what its pin lists, if it has one, is used
		}
		entries := v.Entries
		if entries == nil { // as the live service's lists have it
			full, err := f.SetVersion(ctx, s.ID, v.ID)
			if err != nil {
				return err
			}
			entries = full.Entries
		}
		for _, e := range entries {
			f.use(e.PolicyID, e.VersionID)
		}
		if bound || damaged || f.pinned[v.ID] || s.OwnerType == keycard.OwnerPlatform {
			continue
		}
		f.out.Versions = append(f.out.Versions, UnusedVersion{
			Set: s.Name, SetID: s.ID, Version: v.Version, VersionID: v.ID, CreatedBy: v.CreatedBy,
			Command: command("versions archive", "--target", f.target.Name, callable(s.Name, s.ID, manifest.CheckSetName(s.Name)), fmt.Sprintf("v%d", v.Version)),
		})
	}
	return nil
}

// readPolicies finds the customer's policies, and versions of them, that are not
// used. Numbers have no gaps, so a policy with as many used versions as it has
// ever had needs no list. A forged pin could claim too many, which hides one.
func (f *unusedFinder) readPolicies(ctx context.Context) error {
	var policies []*keycard.Policy
	for p, err := range f.Policies(ctx, keycard.ListOptions{}) {
		if err != nil {
			return fmt.Errorf("listing the policies: %w", err)
		}
		if p.OwnerType != keycard.OwnerPlatform && p.ArchivedAt == nil {
			policies = append(policies, p)
		}
	}
	slices.SortFunc(policies, func(a, b *keycard.Policy) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	for _, p := range policies {
		if p.LatestVersion > 0 && f.count[p.ID] >= p.LatestVersion {
			continue
		}
		if err := f.readPolicy(ctx, p); err != nil {
			return fmt.Errorf("policy %s: %w", p.Name, err)
		}
	}
	return nil
}

func (f *unusedFinder) readPolicy(ctx context.Context, p *keycard.Policy) error {
	name := callable(p.Name, p.ID, manifest.CheckName(p.Name))
	var unused []UnusedPolicy
	usedOne := false
	if p.LatestVersion > 0 || p.LatestVersionID != "" {
		for v, err := range f.PolicyVersions(ctx, p.ID, keycard.ListOptions{Order: "asc", Format: "cedar"}) {
			if err != nil {
				return err
			}
			switch {
			case f.used[v.ID]:
				usedOne = true
			case v.ArchivedAt == nil:
				unused = append(unused, UnusedPolicy{
					Policy: p.Name, PolicyID: p.ID, Version: v.Version, VersionID: v.ID, CreatedBy: v.CreatedBy,
					Command: command("versions archive-policy", "--target", f.target.Name, name, fmt.Sprintf("v%d", v.Version)),
				})
			}
		}
	}
	if usedOne {
		f.out.PolicyVersions = append(f.out.PolicyVersions, unused...)
		return nil
	}
	f.out.Policies = append(f.out.Policies, UnusedPolicy{
		Policy: p.Name, PolicyID: p.ID, Version: p.LatestVersion, VersionID: p.LatestVersionID, CreatedBy: p.CreatedBy,
		Command: command("versions archive-policy", "--target", f.target.Name, name),
	})
	return nil
}

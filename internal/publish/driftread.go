package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// A driftRun is everything that one look at a target has read.
type driftRun struct {
	*history
	opts DriftOptions

	problems diag.List                     // of the tip; then nothing is known to be declared
	sets     []*driftSet                   // sorted by name
	odd      []string                      // tags with the prefix of a pin but not its form
	named    map[string]*keycard.PolicySet // the zone's sets by name
	active   *keycard.PolicySet
	bound    *keycard.PolicySetVersion // the active version, or nil
	policies map[string]*livePolicy    // by id: those of the last pins
	trees    map[commitDir]*manifest.Tree
	declared map[gitstore.Hash][]string // names of sets by commit, see declaredAt
}

type commitDir struct {
	commit gitstore.Hash
	dir    string
}

// A driftSet is one policy set: declared at the tip, pinned, or both.
type driftSet struct {
	name   string
	decl   *manifest.Set // nil if the tip doesn't declare it for the target
	digest string        // of decl
	other  bool          // another project of the repository declares it
	pins   []*driftPin   // newest first, those of the set's old name included
	lost   []*gitstore.Pin
	live   map[string]*liveSet         // by id
	before []*keycard.PolicySetVersion // older than policypin, newest first
}

// A liveSet is a policy set of the zone that pins record.
type liveSet struct {
	set      *keycard.PolicySet // nil if the zone has none with this id
	versions []*keycard.PolicySetVersion
}

func (l *liveSet) archived() bool { return l == nil || l.set == nil || l.set.ArchivedAt != nil }

// A driftPin is one pin, as far as it can be read.
type driftPin struct {
	ref      gitstore.PinRef
	pin      *gitstore.Pin // nil if it can't be read; damage says why
	damage   error
	before   *gitstore.Pin // the clone's pin of the same name, if it is another object
	digest   string        // set digest in the format of this build, or "" if it isn't known
	off      bool          // its commit isn't on the branch
	gone     bool          // its commit isn't there
	live     *keycard.PolicySetVersion
	checked  bool // content is compared
	untrue   bool // judged: the record can't be believed
	policies []*keycard.PolicyVersion
	tree     *manifest.Tree // the project at its commit, if checked
}

// A livePolicy is the container of a pinned policy.
type livePolicy struct {
	policy *keycard.Policy        // nil if the zone has none with this id
	latest *keycard.PolicyVersion // only if it is newer than every pin knows
}

// last is the newest pin that can be read and, once judged, believed, or nil.
func (s *driftSet) last() *driftPin {
	return find(s.pins, func(p *driftPin) bool { return p.pin != nil && !p.untrue })
}

// driftHistory finds out what the target is.
func driftHistory(ctx context.Context, src Source) (*history, error) {
	h := &history{src: src}
	fsys, err := src.Repo.TreeAt(src.Commit, src.Dir)
	if err != nil {
		if fsys, err = src.Origin.TreeAt(ctx, src.Commit, src.Dir); err != nil {
			return nil, err
		}
	}
	project, problems, err := manifest.LoadProject(fsys)
	if err != nil {
		return nil, err
	}
	if project == nil {
		return nil, problems
	}
	target, ok := project.Target(src.Target)
	if !ok {
		return nil, &UnknownTargetError{Name: src.Target, Project: project}
	}
	h.target = target
	return h, nil
}

// readGit reads the tip of the branch and every pin.
func (d *driftRun) readGit(ctx context.Context) error {
	refs, err := d.src.Origin.Refs(ctx)
	if err != nil {
		return fmt.Errorf("listing %s: %w", d.src.Origin.Name(), err)
	}
	d.refs = refs
	branch, tip, ok := refs.Branch(d.target.Branch)
	if !ok {
		return noBranch(d.src.Origin.Name(), branch, d.target)
	}
	d.branch, d.tip = branch, tip
	if err := d.readTip(ctx); err != nil {
		return err
	}
	if err := d.readPins(ctx); err != nil {
		return err
	}
	if err := d.readClone(ctx); err != nil {
		return err
	}
	d.join()
	slices.SortFunc(d.sets, func(a, b *driftSet) int { return cmp.Compare(a.name, b.name) })
	for _, s := range d.sets {
		slices.SortStableFunc(s.pins, func(a, b *driftPin) int {
			if a.ref.Number == b.ref.Number && a.ref.Set != b.ref.Set && a.ref.Set == s.name {
				return -1 // pinned again under its new name
			}
			return cmp.Compare(b.ref.Number, a.ref.Number)
		})
		last := s.last()
		if s.decl == nil && last != nil {
			var err error
			if s.other, err = d.declaredElsewhere(ctx, last.pin); err != nil {
				return err
			}
		}
		for _, p := range s.pins {
			// One of an older format is recomputed only where it counts.
			if p.pin == nil || p != last && p.pin.Record.DigestFormat != cedar.DigestFormat {
				continue
			}
			var err error
			if p.digest, err = d.digestOf(ctx, p.pin); err != nil {
				return err
			}
		}
	}
	return nil
}

// join gives the pins under a set's former name to the set, also when the tip
// doesn't say was any more: the id tells.
func (d *driftRun) join() {
	ids := map[string]*driftSet{}
	for _, s := range d.sets {
		for _, p := range s.pins {
			if s.decl != nil && p.pin != nil {
				ids[p.pin.Record.PolicySetID] = s
			}
		}
	}
	d.sets = slices.DeleteFunc(d.sets, func(s *driftSet) bool {
		i := slices.IndexFunc(s.pins, func(p *driftPin) bool { return p.pin != nil })
		if s.decl != nil || i < 0 || ids[s.pins[i].pin.Record.PolicySetID] == nil {
			return false
		}
		heir := ids[s.pins[i].pin.Record.PolicySetID]
		heir.pins, heir.lost = append(heir.pins, s.pins...), append(heir.lost, s.lost...)
		return true
	})
}

// readTip reads what the tip of the branch declares for the target.
func (d *driftRun) readTip(ctx context.Context) error {
	fsys, err := d.src.Origin.TreeAt(ctx, d.tip, d.src.Dir)
	if err != nil {
		return fmt.Errorf("reading %s: %w", d.branch, err)
	}
	tree, problems, err := manifest.Load(fsys)
	if err != nil {
		return fmt.Errorf("reading %s: %w", d.branch, err)
	}
	if tree == nil {
		return problems
	}
	d.tree = tree
	target, ok := tree.Project.Target(d.target.Name)
	if !ok {
		return nil // every set is undeclared
	}
	d.target = target
	if problems.Err() != nil {
		d.problems = problems
		return nil
	}
	for _, s := range tree.SetsFor(target.Name) {
		digest, err := tree.Digest(s)
		if err != nil {
			return fmt.Errorf("policy set %s: %w", s.Name, err)
		}
		d.sets = append(d.sets, &driftSet{name: s.Name, decl: s, digest: digest.String()})
	}
	return nil
}

// set is the one that a pin belongs to: declared under this name or renamed from
// it, or known by its pins alone.
func (d *driftRun) set(name string) *driftSet {
	for _, s := range d.sets {
		if s.name == name {
			return s
		}
	}
	for _, s := range d.sets {
		if s.decl != nil && s.decl.Was == name {
			return s
		}
	}
	s := &driftSet{name: name}
	d.sets = append(d.sets, s)
	return s
}

// readPins reads all pins of the target. One that can't be read doesn't hide the
// others.
func (d *driftRun) readPins(ctx context.Context) error {
	var refs []gitstore.PinRef
	refs, d.odd = d.refs.Pins(d.target.Pins)
	pins, err := d.src.Origin.ReadPins(ctx, refs)
	if err != nil && !errors.Is(err, gitstore.ErrBadPin) {
		return fmt.Errorf("reading the pins: %w", err)
	}
	for i, ref := range refs {
		p := &driftPin{ref: ref}
		if err == nil {
			p.pin = pins[i]
		} else {
			// What the first try fetched isn't fetched again.
			one, err := d.src.Origin.ReadPins(ctx, []gitstore.PinRef{ref})
			switch {
			case errors.Is(err, gitstore.ErrBadPin):
				p.damage = err
			case err != nil:
				return fmt.Errorf("reading pin %s: %w", ref.Name, err)
			default:
				p.pin = one[0]
			}
		}
		s := d.set(ref.Set)
		s.pins = append(s.pins, p)
	}
	return nil
}

// readClone compares the pins with those that this clone has seen. A clone
// without tags knows nothing, which is no finding.
func (d *driftRun) readClone(ctx context.Context) error {
	clone := d.src.Repo.Local()
	refs, err := clone.Refs(ctx)
	if err != nil {
		return err
	}
	there := map[string]*driftPin{}
	for _, s := range d.sets {
		for _, p := range s.pins {
			there[p.ref.Name] = p
		}
	}
	own, _ := refs.Pins(d.target.Pins)
	for _, ref := range own {
		p := there[ref.Name]
		if p != nil && p.ref.Object == ref.Object {
			continue
		}
		read, err := clone.ReadPins(ctx, []gitstore.PinRef{ref})
		if err != nil {
			continue // the clone's own damage says nothing about the origin
		}
		if p != nil {
			p.before = read[0]
		} else if read[0].Record.ZoneID == d.target.ZoneID {
			s := d.set(ref.Set)
			s.lost = append(s.lost, read[0])
		}
	}
	return nil
}

// readZone reads what the pins speak about, and what is active: one list of the
// sets, one of each set's versions, and the content of the pins that count.
func (d *driftRun) readZone(ctx context.Context, r *keycard.Reader) error {
	byID := map[string]*keycard.PolicySet{}
	d.named = map[string]*keycard.PolicySet{}
	for s, err := range r.PolicySets(ctx, keycard.ListOptions{}) {
		if err != nil {
			return fmt.Errorf("listing the policy sets: %w", err)
		}
		byID[s.ID], d.named[s.Name] = s, s
		if s.ActiveVersionID != "" {
			d.active = s
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for _, s := range d.sets {
		g.Go(func() error {
			if err := d.readSet(gctx, r, s, byID); err != nil {
				return fmt.Errorf("policy set %s: %w", s.name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := d.readBound(ctx, r); err != nil {
		return err
	}
	return d.readPolicies(ctx, r)
}

// readSet reads the versions of a set and the content of its pins that count.
func (d *driftRun) readSet(ctx context.Context, r *keycard.Reader, s *driftSet, known map[string]*keycard.PolicySet) error {
	s.live = map[string]*liveSet{}
	last := s.last()
	for _, p := range s.pins {
		if p.pin == nil || p.pin.Record.ZoneID != d.target.ZoneID {
			continue
		}
		rec := &p.pin.Record
		if !isID(rec.PolicySetID) || !isID(rec.VersionID) {
			continue
		}
		live := s.live[rec.PolicySetID]
		if live == nil {
			var err error
			if live, err = readLiveSet(ctx, r, rec.PolicySetID, known); err != nil {
				return err
			}
			s.live[rec.PolicySetID] = live
		}
		p.live = find(live.versions, func(v *keycard.PolicySetVersion) bool { return v.ID == rec.VersionID })
		p.checked = d.opts.AllPins || p == last || d.active != nil && d.active.ActiveVersionID == rec.VersionID
		if p.live != nil && !p.checked {
			continue
		}
		// Lists leave manifests out, and maybe archived versions.
		v, err := r.SetVersion(ctx, rec.PolicySetID, rec.VersionID)
		if notThere(err) {
			p.live, p.checked = nil, false
			continue
		}
		if err != nil {
			return err
		}
		p.live = v
		if !p.checked {
			continue
		}
		for v, err := range r.SetVersionPolicies(ctx, rec.PolicySetID, rec.VersionID, keycard.ListOptions{Format: "cedar"}) {
			if err != nil {
				return fmt.Errorf("reading the policies of v%d: %w", rec.Version, err)
			}
			p.policies = append(p.policies, v)
		}
	}
	return nil
}

func readLiveSet(ctx context.Context, r *keycard.Reader, id string, known map[string]*keycard.PolicySet) (*liveSet, error) {
	live := &liveSet{set: known[id]}
	if live.set == nil { // lists leave archived sets out
		set, err := r.PolicySet(ctx, id)
		if err != nil && !notThere(err) {
			return nil, err
		}
		live.set = set
	}
	if live.set == nil {
		return live, nil
	}
	for v, err := range r.SetVersions(ctx, id, keycard.ListOptions{Order: "desc"}) {
		if errors.Is(err, keycard.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		live.versions = append(live.versions, v)
	}
	return live, nil
}

// readBound reads the active version, if it is of a set that isn't ours.
func (d *driftRun) readBound(ctx context.Context, r *keycard.Reader) error {
	if d.active == nil {
		return nil
	}
	for _, s := range d.sets {
		if live := s.live[d.active.ID]; live != nil {
			d.bound = find(live.versions, func(v *keycard.PolicySetVersion) bool { return v.ID == d.active.ActiveVersionID })
		}
	}
	if d.bound != nil {
		return nil
	}
	v, err := r.SetVersion(ctx, d.active.ID, d.active.ActiveVersionID)
	if err != nil && !errors.Is(err, keycard.ErrNotFound) {
		return fmt.Errorf("reading the active version: %w", err)
	}
	d.bound = v
	return nil
}

// readPolicies reads the containers of the policies that the last pins record.
func (d *driftRun) readPolicies(ctx context.Context, r *keycard.Reader) error {
	d.policies = map[string]*livePolicy{}
	newest := map[string]int{}
	var ids []string
	for _, s := range d.sets {
		for _, p := range s.pins {
			if p.live == nil {
				continue
			}
			for _, e := range p.pin.Record.Entries {
				newest[e.PolicyID] = max(newest[e.PolicyID], e.Version)
				if p == s.last() && d.policies[e.PolicyID] == nil && s.holds(p, e.PolicyID) {
					d.policies[e.PolicyID] = &livePolicy{}
					ids = append(ids, e.PolicyID)
				}
			}
		}
	}
	for chunk := range slices.Chunk(ids, 100) {
		for p, err := range r.Policies(ctx, keycard.ListOptions{IDs: chunk}) {
			if err != nil {
				return fmt.Errorf("reading the pinned policies: %w", err)
			}
			if l := d.policies[p.ID]; l != nil {
				l.policy = p
			}
		}
	}
	for _, id := range ids {
		l := d.policies[id]
		if l.policy == nil { // lists leave archived policies out
			p, err := r.Policy(ctx, id)
			if err != nil && !errors.Is(err, keycard.ErrNotFound) {
				return fmt.Errorf("reading policy %s: %w", id, err)
			}
			l.policy = p
		}
		if l.policy == nil || l.policy.LatestVersion <= newest[id] || l.policy.LatestVersionID == "" || l.policy.OwnerType == keycard.OwnerPlatform {
			continue
		}
		v, err := r.PolicyVersion(ctx, id, l.policy.LatestVersionID, "cedar")
		if err != nil && !errors.Is(err, keycard.ErrNotFound) {
			return fmt.Errorf("reading the newest version of policy %s: %w", l.policy.Name, err)
		}
		l.latest = v
	}
	return nil
}

// holds tells whether the pinned version has the policy in the zone as well: a
// forged record could name any.
func (s *driftSet) holds(p *driftPin, policyID string) bool {
	return slices.ContainsFunc(p.live.Entries, func(e keycard.ManifestEntry) bool { return e.PolicyID == policyID })
}

// notThere tells whether the zone has nothing under an id of a record. For one
// that it can't have issued, as a forged record may hold, it answers 400.
func notThere(err error) bool {
	var e *keycard.Error
	return errors.Is(err, keycard.ErrNotFound) || errors.As(err, &e) && e.Status == http.StatusBadRequest
}

// isID tells whether an id of a record can be part of a path.
func isID(id string) bool { return id != "." && id != ".." }

package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// A history is what Git says about a run: the content of the commit, the tip of
// the branch, and the last pin of every set.
type history struct {
	src      Source
	opts     Options
	tree     *manifest.Tree
	target   manifest.Target
	branch   string
	tip      gitstore.Hash
	refs     *gitstore.Refs
	sets     []*setHistory
	last     map[string]*gitstore.Pin // newest pin by set name, declared or not
	notes    []string
	refusals Refusals
	problems diag.List // warnings of the commit's files
	kinship  map[[2]gitstore.Hash]bool
	used     map[string][]use // by policy name, see uses
	// own is what the commit's project file says about gates by words. The tree
	// has the stricter of that and of what the last pin's says.
	own      map[string]string
	loosened []string // what the commit's own file loosens, in words
	closed   []closing
}

// A use is an entry by source, with the schema of its set.
type use struct {
	entry  manifest.Entry
	schema string
}

// uses are the entries by source of a policy, in the sets that aren't
// superseded.
func (h *history) uses(policy string) []use {
	if h.used == nil {
		h.used = map[string][]use{}
		for _, s := range h.sets {
			if s.superseded != "" {
				continue
			}
			for _, e := range s.decl.Entries {
				if e.Source != "" {
					h.used[e.Policy] = append(h.used[e.Policy], use{e, s.decl.SchemaVersion})
				}
			}
		}
	}
	return h.used[policy]
}

// settled tells whether every set that uses a policy finds the content of its
// source among the candidates.
func (h *history) settled(policy string, candidates []*keycard.PolicyVersion) bool {
	return !slices.ContainsFunc(h.uses(policy), func(u use) bool {
		return pick(candidates, h.tree.Sources[u.entry.Source], u.schema) == nil
	})
}

// A setHistory is what Git says about one declared set.
type setHistory struct {
	decl   *manifest.Set
	digest manifest.Digest
	pins   []gitstore.PinRef // newest first, those of its old name included
	pin    *gitstore.Pin     // the newest, or nil
	// same tells whether the newest pin has the digest of this commit.
	same bool
	// base is the newest pin with another digest, or nil. It doesn't change
	// when a run is resumed after its pin, so a plan's digest rests on it.
	base *gitstore.Pin
	// before is the project at the commit of the newest pin, where a gate needs it
	// and it can be read.
	before *manifest.Tree
	// superseded says why a newer commit goes before this one, or is "".
	superseded string
	pinnedIDs  map[string]string // see pinnedID
}

// loadCommit reads and checks the commit, before any request is made.
func loadCommit(ctx context.Context, src Source, opts Options) (*history, error) {
	fsys, err := src.Repo.TreeAt(src.Commit, src.Dir)
	if err != nil {
		// A commit that the clone lacks may be on the remote.
		if fsys, err = src.Origin.TreeAt(ctx, src.Commit, src.Dir); err != nil {
			return nil, err
		}
	}
	tree, problems, err := manifest.Load(fsys)
	if err != nil {
		return nil, err
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	h := &history{src: src, opts: opts, tree: tree, problems: problems}
	h.own = map[string]string{gateWidened: tree.Project.Gates.Widened, gateUncovered: tree.Project.Gates.Uncovered}
	target, ok := tree.Project.Target(src.Target)
	if !ok {
		return nil, &UnknownTargetError{Name: src.Target, Project: tree.Project}
	}
	h.target = target
	for _, s := range tree.SetsFor(target.Name) {
		d, err := tree.Digest(s)
		if err != nil {
			return nil, fmt.Errorf("policy set %s: %w", s.Name, err)
		}
		h.sets = append(h.sets, &setHistory{decl: s, digest: d})
	}
	return h, nil
}

// An UnknownTargetError names a target that the project file doesn't have.
type UnknownTargetError struct {
	Name    string
	Project *manifest.Project
}

// Error names the target and those that exist.
func (e *UnknownTargetError) Error() string {
	names := []string{"local"}
	for _, t := range e.Project.Targets {
		if t.Name != "local" {
			names = append(names, t.Name)
		}
	}
	return fmt.Sprintf("no target %q in %s; it has %q", e.Name, manifest.ProjectFile, names)
}

// ErrNoBranch is wrapped where the branch isn't there that a target publishes from.
var ErrNoBranch = errors.New("has no branch")

// noBranch names the branch. That of a target without one is the default branch,
// which a remote may name before, or long after, there is one.
func noBranch(origin, branch string, t manifest.Target) error {
	switch {
	case t.Branch != "":
		return fmt.Errorf("%s %w %q, which target %s publishes from", origin, ErrNoBranch, branch, t.Name)
	case branch == "HEAD":
		return fmt.Errorf("%s %w, and target %s publishes from its default branch", origin, ErrNoBranch, t.Name)
	}
	return fmt.Errorf("%s %w %q, its default branch, which target %s publishes from", origin, ErrNoBranch, branch, t.Name)
}

// readOrigin lists the origin's refs and reads the last pins.
func (h *history) readOrigin(ctx context.Context) error {
	refs, err := h.src.Origin.Refs(ctx)
	if err != nil {
		return fmt.Errorf("listing %s: %w", h.src.Origin.Name(), err)
	}
	h.refs = refs
	branch, tip, ok := refs.Branch(h.target.Branch)
	if !ok {
		return noBranch(h.src.Origin.Name(), branch, h.target)
	}
	h.branch, h.tip = branch, tip

	pins, odd := refs.Pins(h.target.Pins)
	for _, name := range odd {
		h.notes = append(h.notes, fmt.Sprintf("%s has the prefix of a pin but not its form; it is ignored", name))
	}
	newest := map[string]gitstore.PinRef{}
	for _, ref := range pins {
		if ref.Number > newest[ref.Set].Number {
			newest[ref.Set] = ref
		}
	}
	var want []gitstore.PinRef
	for _, ref := range newest {
		want = append(want, ref)
	}
	slices.SortFunc(want, func(a, b gitstore.PinRef) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	read, err := h.src.Origin.ReadPins(ctx, want)
	if err != nil {
		return fmt.Errorf("reading the last pins: %w", err)
	}
	h.last = map[string]*gitstore.Pin{}
	for _, p := range read {
		h.last[p.Set] = p
	}
	for _, s := range h.sets {
		for _, ref := range pins {
			if ref.Set == s.decl.Name || s.decl.Was != "" && ref.Set == s.decl.Was {
				s.pins = append(s.pins, ref)
			}
		}
		slices.SortStableFunc(s.pins, func(a, b gitstore.PinRef) int {
			if a.Number == b.Number && a.Set != b.Set { // pinned again under its new name
				if a.Set == s.decl.Name {
					return -1
				}
				return 1
			}
			return b.Number - a.Number
		})
		if err := h.readBase(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// readBase sets pin, same and base of a set.
func (h *history) readBase(ctx context.Context, s *setHistory) error {
	for i, ref := range s.pins {
		pin := h.last[ref.Set]
		if pin == nil || pin.Name != ref.Name {
			read, err := h.src.Origin.ReadPins(ctx, []gitstore.PinRef{ref})
			if err != nil {
				return err
			}
			pin = read[0]
		}
		digest, err := h.digestOf(ctx, pin)
		if err != nil {
			return err
		}
		if i == 0 {
			s.pin = pin
			s.same = digest == s.digest.String()
		}
		if digest != s.digest.String() {
			s.base = pin
			return nil
		}
	}
	return nil
}

// digestOf is the set digest of a pin in the format of this build. A pin of an
// older format is recomputed from its commit; if that can't be done any more,
// the pin counts as different.
func (h *history) digestOf(ctx context.Context, pin *gitstore.Pin) (string, error) {
	if pin.Record.DigestFormat == cedar.DigestFormat {
		return pin.Record.SetDigest, nil
	}
	tree, err := h.treeOf(ctx, pin.Commit, pin.Record.Project)
	if err != nil {
		return "", err
	}
	return digestIn(tree, pin.Record.PolicySet), nil
}

// treeOf loads a project at a commit that the clone may lack. It returns nil if
// there is no usable project there.
func (h *history) treeOf(ctx context.Context, commit gitstore.Hash, dir string) (*manifest.Tree, error) {
	fsys, err := h.src.Origin.TreeAt(ctx, commit, dir)
	if err != nil {
		if isNotExist(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("reading commit %s: %w", commit.Short(), err)
	}
	tree, _, err := manifest.LoadSets(fsys)
	if err != nil {
		if isNotExist(err) {
			return nil, nil
		}
		return nil, err
	}
	return tree, nil
}

// digestIn is the digest of a named set, or "" if the tree has no such set or
// its digest can't be computed.
func digestIn(tree *manifest.Tree, set string) string {
	if tree == nil {
		return ""
	}
	s, ok := tree.Set(set)
	if !ok {
		return ""
	}
	d, err := tree.Digest(s)
	if err != nil {
		return ""
	}
	return d.String()
}

// declaredElsewhere tells whether a pin is of another project in the repository,
// which publishes to the same pins and declares the set at the tip.
func (h *history) declaredElsewhere(ctx context.Context, pin *gitstore.Pin) (bool, error) {
	rec := &pin.Record
	if rec.Project == h.src.Dir {
		return false, nil
	}
	tree, err := h.treeOf(ctx, h.tip, rec.Project)
	if err != nil || tree == nil || tree.Project == nil {
		return false, err
	}
	target, there := tree.Project.Target(rec.Target)
	set, ok := tree.Set(rec.PolicySet)
	return there && ok && target.ZoneID == h.target.ZoneID && target.Pins == h.target.Pins && set.For(target.Name), nil
}

// descends asks the origin once for each pair: hundreds of sets are often
// pinned at a few commits.
func (h *history) descends(ctx context.Context, desc, anc gitstore.Hash) (bool, error) {
	key := [2]gitstore.Hash{desc, anc}
	if known, ok := h.kinship[key]; ok {
		return known, nil
	}
	is, err := h.src.Origin.Descends(ctx, desc, anc)
	if err != nil {
		return false, err
	}
	if h.kinship == nil {
		h.kinship = map[[2]gitstore.Hash]bool{}
	}
	h.kinship[key] = is
	return is, nil
}

// known are the last pins of this zone, oldest first. Pins of a zone that the
// target had before say nothing about the ids of this one.
func (h *history) known() []*gitstore.Pin {
	var pins []*gitstore.Pin
	for _, p := range h.last {
		if p.Record.ZoneID == h.target.ZoneID {
			pins = append(pins, p)
		}
	}
	slices.SortFunc(pins, func(a, b *gitstore.Pin) int {
		return cmp.Or(a.When.Compare(b.When), cmp.Compare(a.Name, b.Name))
	})
	return pins
}

func (h *history) refuse(r *Refusal) { h.refusals = append(h.refusals, r) }

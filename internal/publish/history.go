package publish

import (
	"cmp"
	"context"
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

// readOrigin lists the origin's refs and reads the last pins.
func (h *history) readOrigin(ctx context.Context) error {
	refs, err := h.src.Origin.Refs(ctx)
	if err != nil {
		return fmt.Errorf("listing %s: %w", h.src.Origin.Name(), err)
	}
	h.refs = refs
	branch, tip, ok := refs.Branch(h.target.Branch)
	if !ok {
		name := h.target.Branch
		if name == "" {
			name = "default"
		}
		return fmt.Errorf("%s has no branch %q, which target %s publishes from", h.src.Origin.Name(), name, h.target.Name)
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
	tree, _, err := manifest.Load(fsys)
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

// judge applies the rule that a publish never goes backwards: to the tip of the
// branch and to the last pin, set by set.
func (h *history) judge(ctx context.Context) error {
	commit := h.src.Commit
	if commit != h.tip {
		ok, err := h.descends(ctx, h.tip, commit)
		if err != nil {
			return fmt.Errorf("is %s on %s: %w", commit.Short(), h.branch, err)
		}
		if !ok {
			h.refuse(&Refusal{
				Code:    Unreachable,
				Message: fmt.Sprintf("commit %s is not on %s of %s", commit.Short(), h.branch, h.src.Origin.Name()),
				Hint:    fmt.Sprintf("merge or push it to %s first", h.branch),
			})
			return nil
		}
	}
	if err := h.judgeTip(ctx); err != nil {
		return err
	}
	for _, s := range h.sets {
		if err := h.judgePin(ctx, s); err != nil {
			return err
		}
	}
	return h.judgeProject(ctx)
}

// judgeTip marks the sets that the tip of the branch declares otherwise.
func (h *history) judgeTip(ctx context.Context) error {
	if h.src.Commit == h.tip || h.opts.BehindTip {
		return nil
	}
	tree, err := h.treeOf(ctx, h.tip, h.src.Dir)
	if err != nil {
		return err
	}
	for _, s := range h.sets {
		if !h.declares(tree, s) {
			s.superseded = fmt.Sprintf("%s is at %s, which says something else", h.branch, h.tip.Short())
		}
	}
	return nil
}

// declares tells whether another commit says the same about a set, for this
// target.
func (h *history) declares(tree *manifest.Tree, s *setHistory) bool {
	if tree == nil || tree.Project == nil {
		return false
	}
	_, there := tree.Project.Target(h.target.Name)
	set, ok := tree.Set(s.decl.Name)
	return there && ok && set.For(h.target.Name) && digestIn(tree, s.decl.Name) == s.digest.String()
}

// judgePin holds a set to its last pin. Equal content is never refused: there
// is nothing to publish then.
func (h *history) judgePin(ctx context.Context, s *setHistory) error {
	if s.pin == nil {
		return nil
	}
	rec := s.pin.Record
	if rec.ZoneID != h.target.ZoneID {
		h.refuse(&Refusal{
			Code: PinName, Set: s.decl.Name,
			Message: fmt.Sprintf("pins %s/%s belong to zone %s, not to %s", h.target.Pins, s.pin.Set, rec.ZoneID, h.target.ZoneID),
			Hint:    fmt.Sprintf("give target %s another name for its pins: in the project file", h.target.Name),
		})
		return nil
	}
	if !h.judgeName(s) || s.superseded != "" || s.same || s.pin.Commit == h.src.Commit {
		return nil
	}
	ahead, err := h.descends(ctx, h.src.Commit, s.pin.Commit)
	if err != nil {
		return fmt.Errorf("is %s newer than pin %s: %w", h.src.Commit.Short(), s.pin.Name, err)
	}
	if ahead {
		return nil
	}
	behind, err := h.descends(ctx, s.pin.Commit, h.src.Commit)
	if err != nil {
		return fmt.Errorf("is %s older than pin %s: %w", h.src.Commit.Short(), s.pin.Name, err)
	}
	onBranch := false
	if behind {
		if onBranch, err = h.descends(ctx, h.tip, s.pin.Commit); err != nil {
			return fmt.Errorf("is pin %s on %s: %w", s.pin.Name, h.branch, err)
		}
	}
	switch {
	case onBranch:
		s.superseded = fmt.Sprintf("%s pins the newer commit %s", s.pin.Name, s.pin.Commit.Short())
	case h.opts.NewBase == "" && behind:
		h.refuse(&Refusal{
			Code: Diverged, Set: s.decl.Name,
			Message: fmt.Sprintf("policy set %s: pin %s is on the newer commit %s, which is not on %s", s.decl.Name, s.pin.Name, s.pin.Commit.Short(), h.branch),
			Hint:    "if the branch was set back on purpose, say so with --new-base REASON",
		})
	case h.opts.NewBase == "":
		h.refuse(&Refusal{
			Code: Diverged, Set: s.decl.Name,
			Message: fmt.Sprintf("policy set %s: commit %s does not descend from %s, which pin %s is on", s.decl.Name, h.src.Commit.Short(), s.pin.Commit.Short(), s.pin.Name),
			Hint:    "if history was rewritten on purpose, say so with --new-base REASON",
		})
	}
	return nil
}

// judgeName tells whether the names that a set has and had were pinned for one
// set of the zone, and not for another one in the meantime. If not, it refuses.
func (h *history) judgeName(s *setHistory) bool {
	refuse := func(format string, args ...any) bool {
		h.refuse(&Refusal{
			Code: PinName, Set: s.decl.Name, Message: fmt.Sprintf(format, args...),
			Hint: fmt.Sprintf("choose another name for the set, or give target %s another name for its pins: in the project file", h.target.Name),
		})
		return false
	}
	for _, pin := range h.known() {
		mine, same := pin.Set == s.decl.Name || pin.Set == s.decl.Was, pin.Record.PolicySetID == s.pin.Record.PolicySetID
		switch {
		case mine && !same:
			return refuse("pins %s/%s belong to policy set %s of the zone, but %s to %s",
				h.target.Pins, pin.Set, pin.Record.PolicySetID, s.pin.Name, s.pin.Record.PolicySetID)
		case !mine && same && pin.Number > s.pin.Number:
			return refuse("policy set %s was renamed: %s pins a newer version of it than %s", s.decl.Name, pin.Name, s.pin.Name)
		}
	}
	return true
}

// judgeProject holds the run to the guards of the project file of the last pin
// as well, so that a change can't loosen the guards that it has to pass.
func (h *history) judgeProject(ctx context.Context) error {
	if h.opts.AcceptProjectChange != "" {
		return nil
	}
	newest := h.newestPin()
	if newest == nil || newest.Commit == h.src.Commit {
		return nil
	}
	fsys, err := h.src.Origin.TreeAt(ctx, newest.Commit, newest.Record.Project)
	if err != nil {
		if isNotExist(err) {
			return nil
		}
		return fmt.Errorf("reading the project file of pin %s: %w", newest.Name, err)
	}
	old, _, err := manifest.LoadProject(fsys)
	if err != nil {
		if isNotExist(err) {
			return nil
		}
		return err
	}
	if old == nil {
		return nil
	}
	h.tree.Project.Gates.MaxRemovedEntries = stricter(h.tree.Project.Gates.MaxRemovedEntries, old.Gates.MaxRemovedEntries)
	was, ok := old.Target(newest.Record.Target) // it may have been renamed
	if !ok {
		return nil
	}
	refuse := func(what, from, to string) {
		h.refuse(&Refusal{
			Code:    ProjectChange,
			Message: fmt.Sprintf("%s of target %s was %q when %s was published and is %q now", what, h.target.Name, from, newest.Name, to),
			Hint:    "if that is meant, say so with --accept-project-change REASON",
		})
	}
	if was.ZoneID != h.target.ZoneID {
		refuse("zone_id", was.ZoneID, h.target.ZoneID)
	}
	if h.opts.Activate && was.Active != h.target.Active && was.Active != "" {
		refuse("active", was.Active, h.target.Active)
	}
	if was.Branch != h.target.Branch {
		_, tip, ok := h.refs.Branch(was.Branch)
		on := false
		if ok {
			if on, err = h.descends(ctx, tip, h.src.Commit); err != nil {
				return err
			}
		}
		if !on {
			refuse("branch", was.Branch, h.target.Branch)
		}
	}
	return nil
}

// newestPin is the last pin of the target, whatever its set: a set that got a
// new name has no pins yet. Other projects of the repository may pin under the
// same names; theirs count only if there is nothing else.
func (h *history) newestPin() *gitstore.Pin {
	var newest, elsewhere *gitstore.Pin
	for _, p := range h.last {
		to := &newest
		if p.Record.Project != h.src.Dir {
			to = &elsewhere
		}
		if *to == nil || cmp.Or(p.When.Compare((*to).When), cmp.Compare(p.Name, (*to).Name)) > 0 {
			*to = p
		}
	}
	return cmp.Or(newest, elsewhere)
}

// stricter is the lower of two limits, either of which may be absent.
func stricter(a, b *int) *int {
	switch {
	case a == nil:
		return b
	case b == nil || *a <= *b:
		return a
	}
	return b
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

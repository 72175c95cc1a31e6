package publish

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/manifest"
)

// judge applies the rule that a publish never goes backwards: to the tip of the
// branch and to the last pin, set by set.
func (h *history) judge(ctx context.Context) error {
	commit := h.src.Commit
	if commit != h.tip && !h.opts.Merged {
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
	if h.src.Commit == h.tip || h.opts.BehindTip || h.opts.Merged {
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
	if !ahead && h.opts.Merged { // the merge will have what the branch has
		if ahead, err = h.descends(ctx, h.tip, s.pin.Commit); err != nil {
			return fmt.Errorf("is pin %s on %s: %w", s.pin.Name, h.branch, err)
		}
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
	// The newest pin of all, since a set with a new name has none of its own; and
	// the newest of the declared sets, so that a pin which somebody made up for
	// another set can only add to the guards.
	var declared []*gitstore.Pin
	for _, s := range h.sets {
		if s.pin != nil {
			declared = append(declared, s.pin)
		}
	}
	// And the newest of sets that move here from another project, whose guards they
	// had until now.
	var moved []*gitstore.Pin
	for _, s := range h.sets {
		if s.pin != nil && s.pin.Record.Project != h.src.Dir && !s.same && s.superseded == "" {
			moved = append(moved, s.pin)
		}
	}
	own := h.tree.Project.Gates
	judges := []*gitstore.Pin{h.newestOf(slices.Collect(maps.Values(h.last))), h.newestOf(declared), h.newestOf(moved)}
	for _, pin := range slices.Compact(judges) {
		if pin == nil || pin.Commit == h.src.Commit && pin.Record.Project == h.src.Dir {
			continue
		}
		if err := h.judgeBy(ctx, pin); err != nil {
			return err
		}
	}
	h.loosened = loosenings(own, h.tree.Project.Gates)
	return nil
}

// judgeBy judges the project file by that of a pin.
func (h *history) judgeBy(ctx context.Context, pin *gitstore.Pin) error {
	fsys, err := h.src.Origin.TreeAt(ctx, pin.Commit, pin.Record.Project)
	if err != nil && !isNotExist(err) {
		return fmt.Errorf("reading the project file of pin %s: %w", pin.Name, err)
	}
	var old *manifest.Project
	if err == nil {
		if old, _, err = manifest.LoadProject(fsys); err != nil && !isNotExist(err) {
			return err
		}
	}
	if old == nil { // as after somebody moved the pin: nothing was published from there
		h.refuse(&Refusal{
			Code:    ProjectChange,
			Message: fmt.Sprintf("pin %s is on commit %s, which has no project file that can be read, so its gates aren't known", pin.Name, pin.Commit.Short()),
			Hint:    "if that is meant, say so with --accept-project-change REASON",
		})
		return nil
	}
	gates := &h.tree.Project.Gates
	gates.MaxRemovedEntries = stricter(gates.MaxRemovedEntries, old.Gates.MaxRemovedEntries)
	gates.Widened = stricterWord(gates.Widened, old.Gates.Widened)
	gates.Uncovered = stricterWord(gates.Uncovered, old.Gates.Uncovered)
	was, ok := old.Target(pin.Record.Target) // it may have been renamed
	if !ok {
		return nil
	}
	refuse := func(what, from, to string) {
		if slices.ContainsFunc(h.refusals, func(r *Refusal) bool {
			return r.Code == ProjectChange && strings.HasPrefix(r.Message, what+" ")
		}) {
			return // the other pin has said so
		}
		h.refuse(&Refusal{
			Code:    ProjectChange,
			Message: fmt.Sprintf("%s of target %s was %q when %s was published and is %q now", what, h.target.Name, from, pin.Name, to),
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

// newestOf is the newest pin among some. Other projects of the repository may pin
// under the same names; theirs count only if there is nothing else.
func (h *history) newestOf(pins []*gitstore.Pin) *gitstore.Pin {
	var newest, elsewhere *gitstore.Pin
	for _, p := range pins {
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

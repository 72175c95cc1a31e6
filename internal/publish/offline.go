package publish

import (
	"context"
	"fmt"
)

// PrepareOffline makes the plan from the repository and its pins alone. Guards
// that need the zone are not checked, which the notes say; gates that need it
// say so themselves.
func PrepareOffline(ctx context.Context, src Source, opts Options) (*Plan, error) {
	h, err := loadCommit(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	if err := h.readOrigin(ctx); err != nil {
		return nil, err
	}
	if err := h.judge(ctx); err != nil {
		return nil, err
	}
	if err := h.readBefore(ctx); err != nil {
		return nil, err
	}
	p := &Plan{
		Schema: 1, Format: PlanFormat, Offline: true,
		Target: h.target.Name, ZoneID: h.target.ZoneID,
		Commit: src.Commit, Branch: h.branch, Tip: h.tip,
		Sets: []SetPlan{}, Gates: []GateResult{}, Steps: []Step{}, Refusals: append(Refusals{}, h.refusals...),
		Notes: append([]string{"offline: the zone was not asked, so its state and the gates that need it are not checked"}, h.notes...),
	}
	if opts.Decisions {
		p.Decisions = &Decisions{}
	}
	for _, s := range h.sets {
		sp := SetPlan{
			Name: s.decl.Name, Was: s.decl.Was, SetDigest: s.digest.String(),
			SchemaVersion: s.decl.SchemaVersion, Total: len(s.decl.Entries), Entries: []EntryPlan{},
			Action: Update,
		}
		if s.base != nil {
			sp.BaseVersionID = s.base.Record.VersionID
		}
		if s.pin != nil {
			sp.Pinned, sp.PinnedTag = s.pin.Record.Version, s.pin.Name
		}
		switch {
		case s.superseded != "":
			sp.Action, sp.Reason = Superseded, s.superseded
		case s.same:
			sp.Action = Unchanged
		case s.pin == nil:
			sp.Action = Create
		}
		if sp.Action == Create || sp.Action == Update {
			sp.Version = sp.Pinned + 1 // as far as the pins know
			if err := h.gatesOffline(ctx, p, s); err != nil {
				return nil, err
			}
			p.Steps = append(p.Steps,
				Step{Kind: PublishSet, Set: sp.Name, Text: fmt.Sprintf("create version %d of policy set %s", sp.Version, sp.Name)},
				Step{Kind: PinVersion, Set: sp.Name, Text: fmt.Sprintf("pin the version of policy set %s", sp.Name)})
		}
		p.Sets = append(p.Sets, sp)
	}
	p.allDecided()
	if err := h.labels(p); err != nil {
		return nil, err
	}
	h.ask(ctx, p)
	if len(p.Refusals) > 0 {
		return p, p.Refusals
	}
	return p, nil
}

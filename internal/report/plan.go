package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/manifest"
)

// PlanJSON writes a plan as publish --plan reads it. Lists that nothing was put
// into are empty, not null.
func PlanJSON(w io.Writer, plan *publish.Plan) error {
	doc := *plan
	doc.Sets = list(doc.Sets)
	for i := range doc.Sets {
		doc.Sets[i].Entries = list(doc.Sets[i].Entries)
	}
	doc.Gates, doc.Steps, doc.Notes, doc.Refusals = list(doc.Gates), list(doc.Steps), list(doc.Notes), list(doc.Refusals)
	return JSON(w, &doc)
}

// list is an empty list for null.
func list[S ~[]E, E any](s S) S {
	if s == nil {
		return S{}
	}
	return s
}

// actionMarks are what stands before a set of a plan.
var actionMarks = map[string]string{
	publish.Create:     manifest.Added,
	publish.Update:     manifest.Changed,
	publish.Adopt:      manifest.Changed,
	publish.Unchanged:  manifest.Layout,
	publish.Superseded: manifest.Layout,
}

// PlanText writes a plan for people: what happens to each set, what decides
// afterwards, the steps, and the digest that --plan holds a publish to.
func PlanText(w io.Writer, style Style, plan *publish.Plan) error {
	p := &printer{w: w, style: style}
	branch := ""
	if plan.Branch != "" {
		branch = " of " + Clean(plan.Branch)
	}
	offline := ""
	if plan.Offline {
		offline = " (offline)"
	}
	p.line("%s", style.paint(sgrBold, fmt.Sprintf("plan for commit %s%s in %s, zone %s%s",
		plan.Commit.Short(), branch, Clean(plan.Target), Clean(plan.ZoneID), offline)))
	for _, s := range plan.Sets {
		p.line("")
		p.setPlan(s)
	}
	if a := plan.Activate; a != nil {
		p.line("")
		p.activation(a)
	}
	if len(plan.Sets) == 0 {
		p.line("")
		p.line("no policy set is declared for target %s", Clean(plan.Target))
	}
	if len(plan.Steps) > 0 {
		p.line("")
		p.line("steps")
		for i, s := range plan.Steps {
			p.line("  %d. %s", i+1, Clean(s.Text))
		}
	} else {
		p.line("")
		p.line("nothing to do")
	}
	if gates := Gates(plan); len(gates) > 0 {
		p.line("")
		p.line("gates")
		for _, g := range gates {
			p.line("  %s", g)
		}
	}
	for _, n := range plan.Notes {
		p.line("%s %s", style.Hint("note:"), Clean(n))
	}
	for _, r := range plan.Refusals {
		if !saidByGate(plan, r) {
			p.line("%s %s", style.Error("refused:"), Clean(r.Message))
		}
	}
	if plan.Digest != "" {
		p.line("plan digest %s", plan.Digest)
	}
	return p.err
}

// saidByGate tells whether a refusal is among the lines of gates, which say the
// same. The command's error says it again anyway.
func saidByGate(plan *publish.Plan, r *publish.Refusal) bool {
	return slices.ContainsFunc(plan.Gates, func(g publish.GateResult) bool {
		return g.State == publish.GateRefused && g.Gate == r.Gate && g.Set == r.Set
	})
}

func (p *printer) setPlan(s publish.SetPlan) {
	head := p.style.mark(actionMarks[s.Action]) + " policy set " + p.style.paint(sgrBold, Clean(s.Name))
	if s.Was != "" {
		head += " (was " + Clean(s.Was) + ")"
	}
	head += ": " + s.Action
	if s.Pinned > 0 {
		head += fmt.Sprintf(", last pinned v%d", s.Pinned)
	}
	p.line("%s", head)
	if s.Reason != "" {
		p.line("    %s", Clean(s.Reason))
	}
	for _, e := range s.Entries {
		p.line("  %s %s: %s", p.style.mark(e.Change), Clean(e.Policy), entryPlan(e))
	}
	if n := s.Total - len(s.Entries); n > 0 && len(s.Entries) > 0 {
		p.line("    %s in all", plural(s.Total, "entry", "entries"))
	}
}

// entryPlan is the change of an entry in words.
func entryPlan(e publish.EntryPlan) string {
	text := e.Change
	switch {
	case e.From > 0 && e.To > 0 && e.From != e.To:
		text += fmt.Sprintf(", v%d → v%d", e.From, e.To)
	case e.From > 0 && e.Change != manifest.Removed && e.To == 0:
		text += fmt.Sprintf(", v%d → new version", e.From)
	case e.To > 0 && e.From == 0:
		text += fmt.Sprintf(", v%d", e.To)
	}
	if e.Reused {
		text += " (the zone has it)"
	}
	if e.Source != "" {
		text += "  " + Clean(e.Source)
	}
	return text
}

func (p *printer) activation(a *publish.Activation) {
	switch {
	case a.Done:
		p.line("%s is active already", Clean(a.Set))
	case a.ReplacesVersionID == "":
		p.line("activate %s; nothing is active now", Clean(a.Set))
	default:
		p.line("activate %s, which replaces %s v%d (%s)", Clean(a.Set),
			Clean(cmp.Or(a.ReplacesSet, "an unknown set")), a.ReplacesVersion, Clean(a.ReplacesVersionID))
	}
}

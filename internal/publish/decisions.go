package publish

import (
	"cmp"
	"slices"

	"github.com/policypin/policypin/internal/impact"
	"github.com/policypin/policypin/manifest"
)

// Decisions are the requests that publishing lets be decided differently, as the
// gates see it: compared with the last pin, or without one with what is active.
// Whoever approves a plan wants to know. See [Options.Decisions].
type Decisions struct {
	// Report is about the sets of which a version would be published, by name. One
	// that couldn't be compared is uncovered as a whole.
	Report impact.Report
	// Since says what each set was compared with, by name.
	Since []Since
}

// A Since is what the decisions of a set are compared with, in words.
type Since struct{ Set, What string }

// decided keeps what a set came to. Gates that set reasons aside do so later, in
// a report of their own.
func (p *Plan) decided(n *contrast, report impact.Report) {
	if p.Decisions == nil {
		return
	}
	p.Decisions.Since = append(p.Decisions.Since, Since{n.set, n.what})
	for _, s := range report.Sets {
		s.Uncovered = slices.Clone(s.Uncovered)
		p.Decisions.Report.Sets = append(p.Decisions.Report.Sets, s)
	}
}

// undecided keeps why a set couldn't be compared.
func (p *Plan) undecided(set, reason string) {
	if p.Decisions == nil {
		return
	}
	p.Decisions.Report.Sets = append(p.Decisions.Report.Sets, impact.SetReport{
		Set: set, Kind: manifest.Changed, Uncovered: []impact.Uncovered{{Reason: "it wasn't compared: " + reason}},
	})
}

// allDecided says it of every other set, too, so that none is thought unchanged.
func (p *Plan) allDecided() {
	if p.Decisions == nil {
		return
	}
	for _, s := range p.Sets {
		known := s.Action == Unchanged || s.Action == Superseded ||
			slices.ContainsFunc(p.Decisions.Since, func(one Since) bool { return one.Set == s.Name }) ||
			slices.ContainsFunc(p.Decisions.Report.Sets, func(one impact.SetReport) bool { return one.Set == s.Name })
		if !known {
			p.undecided(s.Name, "it can't be published as it is")
		}
	}
	slices.SortStableFunc(p.Decisions.Report.Sets, func(a, b impact.SetReport) int { return cmp.Compare(a.Set, b.Set) })
}

package report

import (
	"fmt"

	"github.com/policypin/policypin/internal/impact"
)

// effect says what becomes of the decisions of some sets, in a few words: "widens
// access (20 of 168 requests tried)".
func effect(sets []impact.SetReport) string {
	r := impact.Report{Sets: sets}
	widened, narrowed, failing := r.Count(impact.Widened), r.Count(impact.Narrowed), r.Count(impact.ErrorChanged)
	requests := 0
	for _, s := range sets {
		requests += s.Requests
	}
	of := func(n int) string {
		return fmt.Sprintf(" (%d of %s tried)", n, plural(requests, "request", "requests"))
	}
	text := ""
	switch {
	case widened > 0 && narrowed > 0:
		return "widens access" + of(widened) + " and narrows it" + fmt.Sprintf(" (%d)", narrowed)
	case widened > 0:
		return "widens access" + of(widened)
	case narrowed > 0:
		text = "narrows access" + of(narrowed)
	case failing > 0:
		text = "changes where policies fail" + of(failing)
	case r.Complete():
		return "changes no decision"
	case requests == 0:
		return "decisions not compared"
	default:
		text = "no change of decisions found (" + plural(requests, "request", "requests") + " tried)"
	}
	if !r.Complete() {
		text += ", may widen access"
	}
	return text
}

// effects ends the heading with what a reader must not miss below it.
func (m *markdown) effects() string {
	text := ""
	switch {
	case m.NoImpact != "":
		text = " · decisions not compared"
	case m.Impact == nil:
	case len(m.Impact.Sets) > 0:
		text = " · " + effect(m.Impact.Sets)
	case m.changed() > 0 && !m.onlyProject():
		text = " · changes no decision"
	}
	if m.Tests != nil && m.Tests.Failed > 0 {
		verb := "fail"
		if m.Tests.Failed == 1 {
			verb = "fails"
		}
		text += fmt.Sprintf(" · %d of %s %s", m.Tests.Failed, plural(len(m.Tests.Cases), "decision test", "decision tests"), verb)
	}
	if m.Drift != nil && m.Drift.Drifted {
		text += " · drift found"
	}
	return text
}

// since says what decisions are compared with, where that is no commit that a
// reader has seen: it tells who would gain access from when on.
func (m *markdown) since() *part {
	return &part{
		head: "Decisions are compared with\n\n", n: len(m.Since), tail: "\n", share: 8,
		item: func(i, _ int) string { return "- " + m.prose(m.Since[i].What) + ", for " + m.id(m.Since[i].Set) + "\n" },
		left: func(n int) string { return leftOut(n, "policy set", "policy sets") },
	}
}

// effectOn is what becomes of the decisions of one set, for the list of sets.
func (m *markdown) effectOn(name string) string {
	if m.Impact == nil {
		return ""
	}
	for _, s := range m.Impact.Sets {
		if s.Set == name {
			return " · " + effect([]impact.SetReport{s})
		}
	}
	return ""
}

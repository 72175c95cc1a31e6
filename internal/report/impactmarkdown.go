package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/policypin/policypin/internal/impact"
)

// Limits of one finding in a page: a decision can rest on any number of
// policies, and one that is shown names a few.
const (
	maxRefs   = 5
	maxErrors = 3
)

// A found is one finding with the set that it is about.
type found struct {
	set *impact.SetReport
	impact.Finding
}

// findings are those of one kind or those of the others, as the sets have them.
func (m *markdown) findings(widened bool) (list []found) {
	if m.Impact == nil {
		return nil
	}
	for i := range m.Impact.Sets {
		s := &m.Impact.Sets[i]
		for _, f := range s.Findings {
			if (f.Kind == impact.Widened) == widened {
				list = append(list, found{s, f})
			}
		}
	}
	return list
}

// widened is who gains access: what a reviewer must see before all else.
func (m *markdown) widened() *part {
	return m.found("Widened access", m.findings(true), 3)
}

// otherwise are the other requests that are decided differently.
func (m *markdown) otherwise() *part {
	list := m.findings(false)
	title := "Narrowed access"
	if slices.ContainsFunc(list, func(f found) bool { return f.Kind != impact.Narrowed }) {
		title = "Other changes of decisions"
	}
	return m.found(title, list, 6)
}

func (m *markdown) found(title string, list []found, share int) *part {
	return &part{
		head: "#### " + title + "\n\n", n: len(list), share: share,
		item: func(i, room int) string {
			// All are named, if that can be, before any has more than its share.
			fair := min(room, m.budget/share/len(list))
			if i == 0 {
				fair = max(fair, room/4)
			}
			text := ""
			for _, examples := range []int{len(list[i].Examples), 1, 0, headOnly} {
				if text = m.finding(list[i], examples); len(text) <= fair {
					break
				}
			}
			return text
		},
		left: func(n int) string { return leftOut(n, "finding", "findings") },
	}
}

// headOnly stands for no examples, and no word of what the requests have in common.
const headOnly = -1

// finding is one cause with some of its witnesses.
func (m *markdown) finding(f found, examples int) string {
	kind := plain(string(f.Kind))
	who := strings.ToUpper(kind[:1]) + kind[1:]
	if len(m.Impact.Sets) > 1 {
		who = m.id(f.set.Set) + ": " + kind
	}
	text := fmt.Sprintf("%s by %s%s, %d of %s tried", who, m.refs(f.Cause, nil), lacking(f.set, f.Cause), f.Count, plural(f.set.Requests, "request", "requests"))
	if f.Given > 0 {
		text += fmt.Sprintf(", %d of them from tests and logs", f.Given)
	}
	text += "\n\n"
	if examples == headOnly {
		return text
	}
	text += m.common(f.Finding)
	for _, e := range f.Examples[:min(examples, len(f.Examples))] {
		text += "- " + m.request(e)
		if e.At.File != "" {
			text += " (" + m.id(fmt.Sprintf("%s:%d", e.At.File, e.At.Line)) + ")"
		}
		if len(e.Facts) > 0 {
			text += " with " + m.facts(e.Facts)
		}
		text += ": was " + m.decided(e.From, f.Cause) + ", is " + m.decided(e.To, f.Cause) + "\n"
	}
	if examples > 0 && len(f.Examples) > 0 {
		text += "\n"
	}
	return text
}

// common says what all requests of a finding have in common, on one line.
func (m *markdown) common(f impact.Finding) string {
	var parts []string
	if len(f.Common) > 0 {
		parts = append(parts, "In all of them: "+m.facts(f.Common))
	}
	if len(f.Actions) > 0 {
		parts = append(parts, fmt.Sprintf("Actions: %s of %s on %s", m.few(f.Actions), m.few(f.Principals), m.few(f.Resources)))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ". ") + ".\n\n"
}

// facts are conditions, each as code.
func (m *markdown) facts(list []string) string {
	var spans []string
	for _, fact := range list {
		if fact == "…" {
			spans = append(spans, fact)
			continue
		}
		spans = append(spans, m.value(fact))
	}
	return strings.Join(spans, ", ")
}

func (m *markdown) few(list []string) string {
	text := m.facts(list[:min(maxFew, len(list))])
	if more := len(list) - maxFew; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// request names principal, action and resource.
func (m *markdown) request(e impact.Example) string {
	type entity struct{ Type, ID string }
	type either struct {
		entity
		Entity *entity `json:"__entity"`
	}
	var r struct{ Principal, Action, Resource either }
	if json.Unmarshal(e.Request, &r) != nil {
		return m.value(e.Text)
	}
	var names []string
	for _, x := range []either{r.Principal, r.Action, r.Resource} {
		if x.Entity != nil {
			x.entity = *x.Entity
		}
		if x.Type == "" {
			return m.value(e.Text)
		}
		names = append(names, m.id(x.Type+"::"+strconv.Quote(x.ID)))
	}
	return strings.Join(names, ", ")
}

// decided is the decision of one side. The places of the cause stand above it.
func (m *markdown) decided(v impact.Verdict, cause []impact.Ref) string {
	text := "denied"
	if v.Allow {
		text = "allowed"
	}
	if len(v.Determining) > 0 {
		text += " by " + m.refs(v.Determining, cause)
	}
	for i, e := range v.Errors {
		if i == maxErrors {
			text += fmt.Sprintf("; %d more fail", len(v.Errors)-i)
			break
		}
		text += "; " + m.id(e.Policy) + " fails: " + m.value(e.Message)
	}
	return text
}

// refs lists policies with their places, each once and without those that are
// known.
func (m *markdown) refs(list, known []impact.Ref) string {
	var words []string
	for _, r := range list {
		word := m.id(r.Policy)
		if r.File != "" && !slices.Contains(known, r) {
			word += " (" + m.id(fmt.Sprintf("%s:%d", r.File, r.Line)) + ")"
		}
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
		if len(words) > maxRefs {
			words[maxRefs] = fmt.Sprintf("%d more", len(list)-maxRefs)
			break
		}
	}
	if len(words) == 0 {
		return "no policy"
	}
	return strings.Join(words, ", ")
}

// failing are changed policies that can't be evaluated for some requests. They
// count for nothing there, so that a forbid among them doesn't forbid.
func (m *markdown) failing() *part {
	var list []impact.Failing
	if m.Impact != nil {
		for _, s := range m.Impact.Sets {
			list = append(list, s.Failing...)
		}
	}
	return &part{
		head: "#### Policies that can't be evaluated\n\n", n: len(list), tail: "\n", share: 8,
		item: func(i, _ int) string {
			f := list[i]
			side := "after"
			if f.From {
				side = "before"
			}
			return fmt.Sprintf("- %s, %s the change, for %s: %s\n", m.refs([]impact.Ref{f.Ref}, nil), side,
				plural(f.Count, "request", "requests"), m.prose(f.Message))
		},
		left: func(n int) string { return leftOut(n, "such policy", "such policies") },
	}
}

// skipped are the requests that nobody decided, as notes.
func (m *markdown) skipped() (notes []string) {
	if m.Impact == nil {
		return nil
	}
	for _, s := range m.Impact.Sets {
		for _, one := range s.Skipped {
			notes = append(notes, fmt.Sprintf("skipped %s, first at %s: %s", plural(one.Count, "request", "requests"), Clean(one.Position.String()), one.Reason))
		}
	}
	return notes
}

// completeness says what the findings are worth.
func (m *markdown) completeness() *part {
	if m.NoImpact != "" {
		return &part{fixed: "Which decisions change isn't known: " + m.prose(m.NoImpact) + ".\n\n"}
	}
	if m.Impact == nil || len(m.Impact.Sets) == 0 {
		return &part{}
	}
	type reason struct {
		set string
		impact.Uncovered
	}
	var list []reason
	for _, s := range m.Impact.Sets {
		for _, u := range s.Uncovered {
			list = append(list, reason{s.Set, u})
		}
	}
	what := "these are all the ways in which decisions change"
	if !m.Impact.Changed() {
		what = "no request is decided differently"
	}
	if len(list) == 0 {
		return &part{fixed: "Complete: " + what + ".\n\n"}
	}
	what = "There may be more changes of decisions, because of\n\n"
	if !m.Impact.Changed() {
		what = "No change of decisions was found, yet there may be some, because of\n\n"
	}
	most := max(maxUncovered, m.budget/3000)
	return &part{
		head: "#### Not complete\n\n" + what, n: len(list), tail: "\n", share: 8,
		item: func(i, _ int) string {
			if i >= most {
				return ""
			}
			text := "- "
			if len(m.Impact.Sets) > 1 {
				text += m.id(list[i].set) + " "
			}
			if list[i].File != "" {
				text += m.id(list[i].Position.String()) + " "
			}
			return text + m.prose(list[i].Reason) + "\n"
		},
		left: func(n int) string { return leftOut(n, "reason", "reasons") },
	}
}

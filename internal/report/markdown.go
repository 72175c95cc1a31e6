package report

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/manifest"
)

// Markdown writes a comment as GitHub Flavored Markdown in at most budget bytes.
// Whatever the comment holds, the page is balanced, and no text of it becomes a
// link, a picture, a mention, a reference or HTML. What doesn't fit is left out
// by importance and whole items, each time with the count.
func Markdown(w io.Writer, c Comment, budget int) error {
	budget = max(budget, MinBudget)
	m := &markdown{Comment: c, all: c.sets(), budget: budget, clip: clip{
		name: min(max(budget/300, 40), 1000), text: min(budget/60, 10_000), line: budget / 30,
	}}
	if c.removed() {
		return m.removedPage(w)
	}
	top := &part{fixed: Marker(c.Project) + "\n### " + m.verdict() + m.effects() + "\n\n"}
	about := &part{fixed: m.about()}
	sets, project, refusals, gates, problems := m.setList(), m.projectFile(), m.refusals(), m.gates(), m.problems()
	widened, otherwise, failing, complete, witnesses := m.widened(), m.otherwise(), m.failing(), m.completeness(), m.witnesses()
	since := m.since()
	tests, entries, diffs, steps, drift, notes := m.tests(), m.entries(), m.cedar(), m.steps(), m.drift(), m.notes()
	foot, digests, end := &part{fixed: m.foot()}, m.digests(), &part{fixed: m.end()}

	// What widens access stands right after the verdict, in both orders.
	page := []*part{
		top, widened, otherwise, failing, complete, since, witnesses, project, about, sets, refusals, gates, problems, tests, entries,
		diffs, steps, drift, notes, foot, digests, end,
	}
	importance := []*part{
		top, about, foot, end, widened, project, refusals, gates, problems, tests, complete, since, otherwise, failing, sets, drift, entries,
		digests, notes, diffs, witnesses, steps,
	}

	elsewhere := ""
	if c.Full != "" {
		elsewhere = "Something was left out to keep this short. The full report is in " + m.prose(c.Full) + ".\n\n"
	}
	text, omitted := assemble(page, importance, budget-len(elsewhere))
	if omitted > 0 && elsewhere != "" {
		foot.fixed = elsewhere + foot.fixed
		text, _ = assemble(page, importance, budget)
	}
	_, err := io.WriteString(w, text)
	return err
}

// markdown renders one comment.
type markdown struct {
	Comment
	clip
	all    []setChange
	budget int
}

// leftOut is the line that stands for n things.
func leftOut(n int, one, many string) string {
	verb := "are"
	if n == 1 {
		verb = "is"
	}
	return fmt.Sprintf("… %s %s left out.\n\n", plural(n, "more "+one, "more "+many), verb)
}

// verdict is the heading: the worst news, or else what happens.
func (m *markdown) verdict() string {
	where := ""
	if m.Project != "" && m.Project != "." {
		where = " in " + m.id(m.Project)
	}
	if m.Problems.Errors() > 0 {
		return Count(m.Problems) + where + ": nothing can be published"
	}
	if m.Plan != nil && len(m.Plan.Refusals) > 0 {
		return "Publishing" + where + " is refused, for " + plural(len(m.Plan.Refusals), "reason", "reasons")
	}
	if m.onlyProject() {
		return "The project file changes" + where + ", no policy does"
	}
	if s, ok := m.single(); ok {
		return m.sentence(s) + where
	}
	changed := m.changed()
	switch {
	case changed == 0 && m.Diff == nil && m.Plan == nil: // nobody compared
		if len(m.Problems) > 0 {
			return Count(m.Problems) + where
		}
		return "No problems" + where
	case changed == 0:
		return "No policy changes" + where
	}
	return fmt.Sprintf("%s%s", plural(changed, "policy set changes", "policy sets change"), where)
}

// changed is how many sets change by more than layout: those of this change, or
// if there are none, those that earlier ones left to publish.
func (m *markdown) changed() int {
	here, all := 0, 0
	for _, s := range m.all {
		if s.changes() {
			all++
			if s.diff != nil {
				here++
			}
		}
	}
	if here > 0 {
		return here
	}
	return all
}

// onlyProject tells whether the change is one of the project file alone, whatever
// earlier ones left to publish.
func (m *markdown) onlyProject() bool {
	return m.Diff != nil && len(m.Diff.Project) > 0 && !slices.ContainsFunc(m.all, func(s setChange) bool { return s.diff != nil && s.changes() })
}

// single is the set that the heading speaks of, if there is but one and nothing
// worse to say.
func (m *markdown) single() (setChange, bool) {
	refused := m.Plan != nil && len(m.Plan.Refusals) > 0
	if len(m.all) != 1 || !m.all[0].changes() || m.onlyProject() || refused || m.Problems.Errors() > 0 {
		return setChange{}, false
	}
	return m.all[0], true
}

// sentence says what happens to a set: "agents: 2 changed, 1 added → v13 on merge".
func (m *markdown) sentence(s setChange) string {
	text := m.id(s.name)
	var words []string
	if s.was != "" {
		words = append(words, "was "+m.id(s.was))
	}
	switch {
	case s.diff == nil && m.Diff != nil:
		words = append(words, "no change here")
	case s.diff != nil && s.diff.Kind == manifest.Unread:
		if s.diff.Name == "" { // it is called by its manifest
			return text + " can't be understood, so what changes isn't known"
		}
		words = append(words, "what changes isn't known, since "+m.id(s.diff.Unread)+" can't be understood")
	case s.diff != nil && (s.diff.Kind == manifest.Added || s.diff.Kind == manifest.Removed):
		words = append(words, s.diff.Kind+" with "+plural(len(s.diff.Entries), "entry", "entries"))
	default:
		words = append(words, s.tally.words()...)
		if s.diff != nil {
			for _, f := range s.diff.Fields {
				words = append(words, m.change(f))
			}
		}
		if len(words) == 0 && s.diff != nil {
			words = append(words, "layout only")
		}
	}
	if len(words) > 0 {
		text += ": " + strings.Join(words, ", ")
	}
	return text + m.outcome(s)
}

// outcome says what becomes of a set in the zone.
func (m *markdown) outcome(s setChange) string {
	if s.plan == nil {
		return ""
	}
	when := " when published"
	if m.OnMerge {
		when = " on merge"
	}
	switch s.plan.Action {
	case publish.Superseded:
		return "; superseded: " + m.prose(s.plan.Reason)
	case publish.Unchanged:
		return "; nothing to publish"
	case publish.Adopt:
		when = ", which exists," + when
	}
	if s.plan.Version == 0 {
		return " → a new version" + when
	}
	text := fmt.Sprintf(" → v%d%s", s.plan.Version, when)
	if s.diff == nil && m.Diff != nil {
		text += ", from earlier commits"
	}
	return text
}

// change is one field that differs.
func (m *markdown) change(c manifest.Change) string {
	switch {
	case c.From == "":
		return m.id(c.Field) + " " + m.value(c.To)
	case c.To == "":
		return m.id(c.Field) + " " + m.value(c.From) + " → (none)"
	}
	return m.id(c.Field) + " " + m.value(c.From) + " → " + m.value(c.To)
}

// about says what the plan is for, and what it activates.
func (m *markdown) about() string {
	if m.Plan == nil {
		return ""
	}
	text := "Target " + m.id(cmp.Or(m.Plan.Target, m.Target))
	if m.Plan.ZoneID != "" {
		text += ", zone " + m.id(m.Plan.ZoneID)
	}
	if m.Plan.Offline {
		text += "; planned offline, from Git alone"
	}
	switch a := m.Plan.Activate; {
	case a == nil:
	case a.Done:
		text += "; " + m.id(a.Set) + " is active already"
	case a.ReplacesVersionID == "":
		text += "; activates " + m.id(a.Set) + ", and nothing is active now"
	default:
		text += fmt.Sprintf("; activates %s, which replaces %s v%d", m.id(a.Set), m.id(cmp.Or(a.ReplacesSet, "an unknown set")), a.ReplacesVersion)
	}
	return text + ".\n\n"
}

// foot opens the last fold: what this is about, and who says so.
func (m *markdown) foot() string {
	var facts []string
	for _, s := range []struct {
		word string
		side Side
	}{{"base", m.Base}, {"head", m.Head}} {
		if name := s.side.short(); name != "" {
			facts = append(facts, s.word+" "+m.htmlCode(name))
		}
	}
	facts = append(facts, "policypin "+m.htmlCode(cmp.Or(m.Tool, "(devel)")))
	return "<details><summary>" + strings.Join(facts, " · ") + "</summary>\n\n"
}

// end closes it.
func (m *markdown) end() string {
	text := ""
	if m.Plan != nil && m.Plan.Digest != "" {
		text += "Plan digest " + m.id(m.Plan.Digest) + ".\n\n"
	}
	switch command := Clean(m.Command); {
	case command == "":
	case len(command) > maxCommand:
		text += fmt.Sprintf("The command that writes this has %d characters and is left out.\n\n", len(command))
	default:
		what := "This text again, byte for byte:"
		if m.Longer {
			what = "This text again, cut to the length of a comment:"
		}
		text += what + "\n\n" + fence("sh", command) + "\n"
	}
	return text + "</details>\n"
}

// maxCommand bounds the command line in a comment: an approval can have a long
// reason, and half a command is worse than none.
const maxCommand = 1500

// short names a side by its commit, else by its name.
func (s Side) short() string {
	if len(s.Commit) >= 12 {
		return s.Commit[:12]
	}
	return s.Name
}

var plainKind = regexp.MustCompile(`^[a-z-]{1,40}$`)

// plain is a word of ours, such as a kind, as it may stand bare.
func plain(word string) string {
	if !plainKind.MatchString(word) {
		return "other"
	}
	return word
}

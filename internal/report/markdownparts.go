package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/manifest"
)

// setList says what happens to each set, where the heading doesn't.
func (m *markdown) setList() *part {
	if _, ok := m.single(); ok {
		return &part{}
	}
	return &part{
		n: len(m.all), tail: "\n", share: 4,
		item: func(i, _ int) string { return "- " + m.sentence(m.all[i]) + m.effectOn(m.all[i].name) + "\n" },
		left: func(n int) string { return leftOut(n, "policy set", "policy sets") },
	}
}

// projectFile shows what changed in policypin.yaml: it decides where things go
// and what stops them, so whoever reviews reads it first.
func (m *markdown) projectFile() *part {
	if m.Diff == nil {
		return &part{}
	}
	changes := m.Diff.Project
	return &part{
		head: "#### The project file changes\n\n", n: len(changes), tail: "\n", share: 4,
		item: func(i, _ int) string { return "- " + m.change(changes[i]) + "\n" },
		left: func(n int) string { return leftOut(n, "change of the project file", "changes of the project file") },
	}
}

// refusals are the guards' noes.
func (m *markdown) refusals() *part {
	if m.Plan == nil {
		return &part{}
	}
	list := m.Plan.Refusals
	return &part{
		head: "#### Refused\n\n", n: len(list), tail: "\n", share: 4,
		item: func(i, _ int) string {
			text := "- " + m.prose(list[i].Message)
			if list[i].Hint != "" {
				text += ". To go on: " + m.prose(list[i].Hint)
				if m.OnMerge && list[i].Label != "" { // a reviewer has no command line
					text += ", or on the pull request with the label " + m.id(list[i].Label) + ", set by somebody else with write access"
				}
			}
			return text + "\n"
		},
		left: func(n int) string { return leftOut(n, "refusal", "refusals") },
	}
}

// problems are listed with errors first.
func (m *markdown) problems() *part {
	list := slices.Clone(m.Problems)
	slices.SortStableFunc(list, func(a, b diag.Problem) int { return int(a.Severity) - int(b.Severity) })
	return &part{
		head: "#### Problems\n\n", n: len(list), tail: "\n", share: 3,
		item: func(i, _ int) string {
			d := list[i]
			text := fmt.Sprintf("- **%s** %s %s (%s)", d.Severity, m.id(d.Position.String()), m.prose(d.Message), m.id(d.Rule))
			if d.Fix != "" {
				text += ". Fix: " + m.prose(d.Fix)
			}
			return text + "\n"
		},
		left: func(n int) string { return leftOut(n, "problem", "problems") },
	}
}

// An entryRow is one line of the table of entries: what differs, what is
// planned, or both.
type entryRow struct {
	set     string
	diff    *manifest.EntryDiff
	planned publish.EntryPlan
}

// entries is the table of what changes.
func (m *markdown) entries() *part {
	var rows []entryRow
	for _, s := range m.all {
		rows = m.rows(rows, s)
	}
	versions, several := false, false
	for _, r := range rows {
		versions = versions || entryVersion(r.planned) != ""
		several = several || r.set != rows[0].set
	}
	line := func(set, policy, change, version, details string) string {
		cells := []string{policy, change}
		if several {
			cells = []string{set, policy, change}
		}
		if versions {
			cells = append(cells, version)
		}
		return "| " + strings.Join(append(cells, details), " | ") + " |\n"
	}
	titles := line("policy set", "policy", "change", "version", "details")
	return &part{
		head: titles + strings.Repeat("| --- ", strings.Count(titles, " | ")+1) + "|\n", n: len(rows), tail: "\n", share: 2,
		item: func(i, _ int) string {
			r := rows[i]
			policy, kind, details := m.id(r.planned.Policy), r.planned.Change, m.planDetails(r.planned)
			if r.diff != nil {
				policy, kind, details = m.renamed(r.diff.Policy, r.diff.Was), r.diff.Kind, m.entryDetails(*r.diff)
			}
			return line(cell(m.id(r.set)), cell(policy), plain(kind), entryVersion(r.planned), cell(details))
		},
		left: func(n int) string { return leftOut(n, "entry", "entries") },
	}
}

// rows adds the entries of a set that change by more than layout.
func (m *markdown) rows(rows []entryRow, s setChange) []entryRow {
	if s.diff == nil && m.Diff == nil {
		for _, e := range s.plan.Entries {
			rows = append(rows, entryRow{set: s.name, planned: e})
		}
	}
	if s.diff == nil {
		return rows
	}
	planned := map[string]publish.EntryPlan{}
	if s.plan != nil {
		for _, e := range s.plan.Entries {
			planned[e.Policy] = e
		}
	}
	for i := range s.diff.Entries {
		if e := &s.diff.Entries[i]; e.Kind != manifest.Layout {
			rows = append(rows, entryRow{set: s.name, diff: e, planned: planned[e.Policy]})
		}
	}
	return rows
}

// planDetails names the source of a planned entry.
func (m *markdown) planDetails(e publish.EntryPlan) string {
	text := ""
	if e.Source != "" {
		text = m.id(e.Source)
	}
	if e.Reused {
		text = strings.TrimSpace(text + " (the zone has it)")
	}
	return text
}

func (m *markdown) renamed(name, was string) string {
	if was == "" {
		return m.id(name)
	}
	return m.id(name) + " (was " + m.id(was) + ")"
}

// entryVersion is what happens to the number of a policy's version.
func entryVersion(e publish.EntryPlan) string {
	switch {
	case e.From > 0 && e.To > 0 && e.From != e.To:
		return fmt.Sprintf("v%d → v%d", e.From, e.To)
	case e.From > 0 && e.To == 0 && e.Change != manifest.Removed:
		return fmt.Sprintf("v%d → new", e.From)
	case e.From > 0:
		return fmt.Sprintf("v%d", e.From)
	case e.To > 0:
		return fmt.Sprintf("v%d", e.To)
	}
	return ""
}

// entryDetails names the source and the fields that differ.
func (m *markdown) entryDetails(e manifest.EntryDiff) string {
	var words []string
	if file := e.ToFile; file != "" && e.FromFile == file {
		words = append(words, m.id(file))
	}
	for _, f := range e.Fields {
		switch {
		case f.Field == "source" && (f.From == "" || f.To == ""):
			words = append(words, m.id(f.From+f.To))
		case f.To == "" && e.Kind == manifest.Removed:
			words = append(words, m.id(f.Field)+" "+m.value(f.From))
		default:
			words = append(words, m.change(f))
		}
	}
	return strings.Join(words, ", ")
}

// steps is what publish would do, one by one. Offline they say nothing that the
// verdict doesn't.
func (m *markdown) steps() *part {
	if m.Plan == nil || m.Plan.Offline {
		return &part{}
	}
	list := m.Plan.Steps
	return &part{
		head: fmt.Sprintf("<details><summary>%s</summary>\n\n", plural(len(list), "step", "steps")),
		n:    len(list), tail: "\n</details>\n\n",
		item: func(i, _ int) string { return fmt.Sprintf("%d. %s\n", i+1, m.prose(list[i].Text)) },
		left: func(n int) string { return leftOut(n, "step", "steps") },
	}
}

// drift warns of what the branch, the pins and the zone disagree about.
func (m *markdown) drift() *part {
	if m.Drift == nil {
		return &part{}
	}
	found := slices.Clone(m.Drift.Findings)
	found = slices.DeleteFunc(found, func(f publish.Finding) bool { return f.Information })
	return &part{
		head: "#### Drift in " + m.id(m.Drift.Target) + "\n\nThe branch, the pins and the zone disagree. `policypin drift` says how to go on.\n\n",
		n:    len(found), tail: "\n", share: 8,
		item: func(i, _ int) string {
			f := found[i]
			text := "- **" + plain(f.Kind) + "**"
			if f.Set != "" {
				text += " " + m.id(f.Set)
			}
			return text + ": " + m.prose(f.Message) + "\n"
		},
		left: func(n int) string { return leftOut(n, "finding of drift", "findings of drift") },
	}
}

// notes are those of the run and of the plan.
func (m *markdown) notes() *part {
	list := append(slices.Clone(m.Notes), m.skipped()...)
	if m.Plan != nil {
		list = append(slices.Clone(list), m.Plan.Notes...)
	}
	if m.Tests != nil {
		list = append(slices.Clone(list), TestNotes(*m.Tests)...)
	}
	return &part{
		head: "#### Notes\n\n", n: len(list), tail: "\n", share: 8,
		item: func(i, _ int) string { return "- " + m.prose(list[i]) + "\n" },
		left: func(n int) string { return leftOut(n, "note", "notes") },
	}
}

// digests is the table of set digests. Only a plan has them all: a comparison
// knows them or not, by what the clone has, and a page must come out alike anywhere.
func (m *markdown) digests() *part {
	if m.Plan == nil {
		return &part{}
	}
	list := m.Plan.Sets
	return &part{
		head: "| policy set | set digest |\n| --- | --- |\n", n: len(list), tail: "\n", share: 8,
		item: func(i, _ int) string {
			return fmt.Sprintf("| %s | %s |\n", cell(m.id(list[i].Name)), cell(m.id(list[i].SetDigest)))
		},
		left: func(n int) string { return leftOut(n, "set digest", "set digests") },
	}
}

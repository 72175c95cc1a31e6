package report

import (
	"io"
	"slices"
	"strings"

	"github.com/policypin/policypin/manifest"
)

// removed tells whether the change takes the project away. A project file always
// has a value for schemas, its own or the default.
func (c Comment) removed() bool {
	return c.Diff != nil && slices.ContainsFunc(c.Diff.Project, func(f manifest.Change) bool {
		return f.Field == "schemas" && f.From != "" && f.To == ""
	})
}

// removedPage is the page about a change that takes the project away. It has no
// word about decisions: such a change publishes nothing, so it neither takes access
// away nor gives any, and that is what reviewers may not expect.
func (m *markdown) removedPage(w io.Writer) error {
	where := ""
	if m.Project != "" && m.Project != "." {
		where = " in " + m.id(m.Project)
	}
	top := &part{fixed: Marker(m.Project) + "\n### The project" + where + " is removed, and nothing in a zone changes with that\n\n" +
		"What was published stays in the zones, and what is active there goes on deciding. " +
		"Nothing checks it against Git any more. To end it, activate another version, or publish other policies, before this is merged.\n\n"}
	targets, sets := m.formerTargets(), m.formerSets()
	page := []*part{top, targets, sets, {fixed: m.foot()}, {fixed: m.end()}}
	text, _ := assemble(page, page, m.budget)
	_, err := io.WriteString(w, text)
	return err
}

// formerTargets are the zones that the project was published to.
func (m *markdown) formerTargets() *part {
	type target struct{ name, zone string }
	var list []target
	active := map[string]string{} // by target
	for _, f := range m.Diff.Project {
		field, ok := strings.CutPrefix(f.Field, "targets.")
		if !ok {
			continue
		}
		if name, ok := strings.CutSuffix(field, ".zone_id"); ok {
			list = append(list, target{name, f.From})
		} else if name, ok := strings.CutSuffix(field, ".active"); ok {
			active[name] = f.From
		}
	}
	return &part{
		head: "#### Zones\n\n", n: len(list), tail: "\n", share: 3,
		item: func(i, _ int) string {
			text := "- target " + m.id(list[i].name) + ", zone " + m.id(list[i].zone)
			if set := active[list[i].name]; set != "" {
				text += ": the policy set that was activated there is " + m.id(set)
			}
			return text + "\n"
		},
		left: func(n int) string { return leftOut(n, "target", "targets") },
	}
}

// formerSets are the policy sets that Git has no more.
func (m *markdown) formerSets() *part {
	return &part{
		head: "#### Policy sets\n\n", n: len(m.all), tail: "\n", share: 2,
		item: func(i, _ int) string { return "- " + m.sentence(m.all[i]) + "\n" },
		left: func(n int) string { return leftOut(n, "policy set", "policy sets") },
	}
}

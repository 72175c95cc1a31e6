package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/policytest"
)

// maxOpenFailures is how many failures of decision tests stand unfolded.
const maxOpenFailures = 5

// tests say what the decision tests came to, and which of them failed.
func (m *markdown) tests() *part {
	if m.Tests == nil || len(m.Tests.Cases) == 0 {
		return &part{}
	}
	r := m.Tests
	count := fmt.Sprintf("%d passed", r.Passed)
	if r.Failed > 0 {
		count += fmt.Sprintf(", %d failed", r.Failed)
	}
	if r.Skipped > 0 {
		count += fmt.Sprintf(", %d skipped", r.Skipped)
	}
	list := slices.Clone(r.Cases)
	list = slices.DeleteFunc(list, func(c policytest.Result) bool { return c.Status == policytest.Passed })
	slices.SortStableFunc(list, func(a, b policytest.Result) int { return strings.Compare(a.Status, b.Status) }) // failed, skipped
	if len(list) == 0 {
		return &part{fixed: "Decision tests: " + count + ".\n\n"}
	}
	head, tail := "#### Decision tests: "+count+"\n\n", "\n"
	if len(list) > maxOpenFailures {
		head += "<details><summary>" + plural(len(list), "case", "cases") + " that did not pass</summary>\n\n"
		tail = "\n</details>\n\n"
	}
	return &part{
		head: head, n: len(list), tail: tail, share: 4,
		item: func(i, _ int) string {
			c := list[i]
			text := fmt.Sprintf("- **%s** %s %s", plain(c.Status), m.id(fmt.Sprintf("%s:%d", c.File, c.Line)), m.value(c.Case))
			if len(m.Tests.Sets) > 1 {
				text += " in " + m.id(c.Set)
			}
			for j, message := range c.Messages {
				if j == maxErrors {
					text += fmt.Sprintf("; %d more", len(c.Messages)-j)
					break
				}
				text += map[bool]string{true: ": ", false: "; "}[j == 0] + m.prose(message)
			}
			return text + "\n"
		},
		left: func(n int) string {
			text := leftOut(n, "case", "cases")
			if n == len(list) {
				text = "Decision tests: " + count + ".\n\n" + text
			}
			return text
		},
	}
}

package report

import (
	"fmt"

	"github.com/policypin/policypin/internal/publish"
)

// stateWords are what a gate's state is called.
var stateWords = map[string]string{
	publish.GatePassed:     "passed",
	publish.GateApproved:   "approved",
	publish.GateRefused:    "refused",
	publish.GateNotChecked: "not checked",
}

// Gates are the lines that say what the gates of a plan came to, one for each
// gate and policy set that it looked at.
func Gates(plan *publish.Plan) []string {
	var lines []string
	for _, g := range plan.Gates {
		lines = append(lines, fmt.Sprintf("%s %s for %s: %s", Clean(g.Gate), gateState(g), Clean(g.Set), Clean(g.Reason)))
	}
	return lines
}

func gateState(g publish.GateResult) string {
	if word := stateWords[g.State]; word != "" {
		return word
	}
	return "in a state that this build doesn't know" // of a plan file
}

// gates is the part of a comment about gates. Those that refused are said with
// the refusals; here are the labels that approve them.
func (m *markdown) gates() *part {
	if m.Plan == nil {
		return &part{}
	}
	list := m.Plan.Gates
	return &part{
		head: "#### Gates\n\n", n: len(list), tail: "\n", share: 8,
		item: func(i, _ int) string {
			g := list[i]
			text := fmt.Sprintf("- %s for %s: %s", m.id(g.Gate), m.id(g.Set), gateState(g))
			switch {
			case g.State == publish.GateRefused && g.Label != "":
				text += "; the label " + m.id(g.Label) + " approves it, set by somebody else with write access"
			case g.State != publish.GateRefused:
				text += "; " + m.prose(g.Reason)
			}
			return text + "\n"
		},
		left: func(n int) string { return leftOut(n, "gate", "gates") },
	}
}

package publish

import (
	"fmt"
	"strings"

	"github.com/policypin/policypin/manifest"
)

// loosenings are the gates that a commit's own project file sets less strictly
// than those which judge it, in words.
func loosenings(own, strict manifest.Gates) (list []string) {
	add := func(gate, from, to string) {
		if from != to {
			list = append(list, fmt.Sprintf("%s from %s to %s", gate, from, to))
		}
	}
	limit := func(n *int) string {
		if n == nil {
			return "no limit"
		}
		return fmt.Sprint(*n)
	}
	add(gateRemoved, limit(strict.MaxRemovedEntries), limit(own.MaxRemovedEntries))
	add(gateWidened, strict.Widened, own.Widened)
	add(gateUncovered, strict.Uncovered, own.Uncovered)
	return list
}

// gateLoosened closes when a pin would make looser gates those that judge the next
// commit. Without it, one harmless publish opens the gates for a harmful one.
func (h *history) gateLoosened(p *Plan, set string) {
	if len(h.loosened) == 0 {
		return
	}
	h.hold(p, gateLoosened, wordApprove, set, "the project file loosens the gates of the last pin: "+strings.Join(h.loosened, ", "))
}

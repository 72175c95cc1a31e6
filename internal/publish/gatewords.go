package publish

import (
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/impact"
)

// maxWitness bounds the request in a message: an id can have any length.
const maxWitness = 400

// witness is the first request that is newly allowed, with the policies of both
// sides.
func witness(report impact.Report) string {
	for _, s := range report.Sets {
		for _, f := range s.Findings {
			if f.Kind != impact.Widened || len(f.Examples) == 0 {
				continue
			}
			e := f.Examples[0]
			text := clip(e.Text, maxWitness)
			if len(e.Facts) > 0 {
				text += " with " + clip(strings.Join(e.Facts, "; "), maxWitness)
			}
			if len(e.To.Determining) > 0 {
				text += ", by " + refs(e.To.Determining)
			}
			if len(e.From.Determining) > 0 {
				text += ", which was denied by " + refs(e.From.Determining)
			}
			return text
		}
	}
	return ""
}

// few is how many policies or reasons a message names.
const few = 3

func refs(list []impact.Ref) string {
	return some(list, func(r impact.Ref) string {
		if r.Line == 0 {
			return r.Policy
		}
		return fmt.Sprintf("%s (%s)", r.Policy, r.Position)
	})
}

func reasons(list []impact.Uncovered) string {
	return some(list, func(u impact.Uncovered) string {
		if u.File == "" {
			return u.Reason
		}
		return fmt.Sprintf("%s: %s", u.Position, u.Reason)
	})
}

// some names the first few of a list.
func some[T any](list []T, text func(T) string) string {
	words := make([]string, 0, few)
	for _, one := range list[:min(few, len(list))] {
		words = append(words, clip(text(one), maxWitness))
	}
	if more := len(list) - few; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(slices.Compact(words), "; ")
}

func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

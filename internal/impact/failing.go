package impact

import (
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

// A Failing is a changed policy that couldn't be evaluated for some of the
// requests that were tried. It counts for nothing there: a forbid doesn't forbid.
type Failing struct {
	Ref
	Count   int    // requests
	Message string // of the first
	Text    string // the first of these requests
}

// failures counts requests by the policy that fails.
type failures struct {
	list  []Failing
	index map[Ref]int
}

// note adds what changed policies failed for a request.
func (f *failures) note(c *comparison, world *cedar.Entities, r cedar.Request, from, to cedar.Answer) {
	if len(from.Failed)+len(to.Failed) == 0 {
		return
	}
	f.side(&c.from, world, r, from.Failed)
	f.side(&c.to, world, r, to.Failed)
}

func (f *failures) side(e *engines, world *cedar.Entities, r cedar.Request, names []string) {
	for _, ref := range e.named(names) {
		if i, ok := f.index[ref]; ok {
			f.list[i].Count++
			continue
		}
		message := ""
		for _, err := range e.parts.Decide(world, r).Errors {
			if err.Policy == ref.Policy {
				message = err.Message
				break
			}
		}
		f.add(Failing{ref, 1, manifest.HideTokens(message), manifest.HideTokens(r.String())})
	}
}

func (f *failures) add(one Failing) {
	if i, ok := f.index[one.Ref]; ok {
		f.list[i].Count += one.Count
		return
	}
	if f.index == nil {
		f.index = map[Ref]int{}
	}
	f.index[one.Ref] = len(f.list)
	f.list = append(f.list, one)
}

func (f *failures) merge(later failures) {
	for _, one := range later.list {
		f.add(one)
	}
}

// sorted are the policies by side and name, older ones first.
func (f *failures) sorted() []Failing {
	slices.SortStableFunc(f.list, func(a, b Failing) int {
		if a.From != b.From {
			if a.From {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Policy, b.Policy)
	})
	return f.list
}

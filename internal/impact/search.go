package impact

import (
	"fmt"
	"math/rand/v2"

	"github.com/policypin/policypin/internal/cedar"
)

// Limits on the requests that are made up for one policy set, in each of the two
// stages of a search. A request takes some ten microseconds.
const (
	maxRequests = 400_000 // over all environments
	minRequests = 2_000   // in each, however many there are
)

// A search looks for differences in one environment, in two stages. The first
// varies what the changed policies ask, and keeps what they answer differently.
// The second varies, for each of those, what the other policies ask, since they
// may hide the difference.
type search struct {
	*comparison
	env       cedar.Environment
	survey    *cedar.Survey
	decided   int
	findings  []Finding
	groups    map[string]int
	uncovered []Uncovered
}

func (s *search) run(limit int) {
	s.survey, s.groups = s.schema.Survey(s.env, s.asked), map[string]int{}
	for _, o := range s.survey.Open {
		s.uncovered = append(s.uncovered, Uncovered(o))
	}
	sizes := s.survey.Terms()
	var first, second []int
	for i := range sizes {
		if s.asks(i, 0, s.changed) {
			first = append(first, i)
		} else {
			second = append(second, i)
		}
	}
	var kept [][]int
	all := variation{survey: s.survey, sizes: sizes, terms: first, policies: [2]int{0, s.changed}, limit: limit}
	covered := all.each(make([]int, len(sizes)), func(choice []int) {
		world, request, ok := s.survey.Build(choice)
		if !ok {
			return
		}
		s.decided++
		if !s.from.part(world, request).same(s.to.part(world, request)) {
			kept = append(kept, append([]int(nil), choice...))
		}
	})
	all.terms, all.policies = second, [2]int{s.changed, len(s.asked)}
	all.limit = limit / max(1, len(kept))
	for _, choice := range kept {
		covered = all.each(choice, s.visit) && covered
	}
	if !covered {
		s.uncovered = append(s.uncovered, Uncovered{Reason: fmt.Sprintf(
			"requests of %s: more combinations of what the policies ask than are tried (%d)", s.env, limit)})
	}
}

func (s *search) asks(term, from, to int) bool {
	for p := from; p < to; p++ {
		if s.survey.Asks(p, term) {
			return true
		}
	}
	return false
}

// visit decides one request with all policies.
func (s *search) visit(choice []int) {
	world, request, ok := s.survey.Build(choice)
	if !ok {
		return
	}
	s.decided++
	f, ok := s.judge(world, request)
	if !ok {
		return
	}
	i, known := s.groups[f.key()]
	if known {
		s.findings[i].Count++
		if !s.findings[i].wants(f.Examples[0]) {
			return
		}
	}
	example := &f.Examples[0]
	if example.Request, example.Entities, ok = s.witness(choice, f); !ok {
		s.uncovered = append(s.uncovered, Uncovered{Reason: "a request was decided in two ways: " + example.Text})
		return
	}
	if known {
		s.findings[i].Examples = append(s.findings[i].Examples, *example)
		return
	}
	s.groups[f.key()] = len(s.findings)
	s.findings = append(s.findings, f)
}

// witness builds the request anew and decides it again.
func (s *search) witness(choice []int, f Finding) (request, entities []byte, ok bool) {
	world, r, ok := s.survey.Build(choice)
	if !ok {
		return nil, nil, false
	}
	again, ok := s.judge(world, r)
	if !ok || again.key() != f.key() {
		return nil, nil, false
	}
	request, err := r.JSON()
	if err != nil {
		return nil, nil, false
	}
	entities, err = world.JSON()
	return request, entities, err == nil
}

// A variation goes through choices of values for some terms.
type variation struct {
	survey   *cedar.Survey
	sizes    []int
	terms    []int
	policies [2]int // the numbers of those who ask, from and to
	limit    int
}

// each visits all combinations if they are within the limit. Otherwise it
// visits some, always the same, and returns false: for each policy the
// combinations of what it asks, or a selection of them.
func (v variation) each(base []int, visit func([]int)) (all bool) {
	choice := append([]int(nil), base...)
	if count(v.sizes, v.terms, v.limit) <= v.limit {
		product(v.sizes, v.terms, choice, visit)
		return true
	}
	seen := map[string]bool{}
	once := func(choice []int) {
		key := fmt.Sprint(choice)
		if !seen[key] && len(seen) < v.limit {
			seen[key] = true
			visit(choice)
		}
	}
	once(choice)
	share := max(1, v.limit/(v.policies[1]-v.policies[0]))
	random := rand.New(rand.NewPCG(1, 2))
	for p := v.policies[0]; p < v.policies[1]; p++ {
		var own []int
		for _, t := range v.terms {
			if v.survey.Asks(p, t) {
				own = append(own, t)
			}
		}
		copy(choice, base)
		if count(v.sizes, own, share) <= share {
			product(v.sizes, own, choice, once)
			continue
		}
		for range share {
			for _, t := range own {
				choice[t] = random.IntN(v.sizes[t])
			}
			once(choice)
		}
	}
	return false
}

// count is the number of combinations, or something above the limit.
func count(sizes, terms []int, limit int) int {
	n := 1
	for _, t := range terms {
		if n *= sizes[t]; n > limit {
			return limit + 1
		}
	}
	return n
}

// product visits every combination of values of some terms. It puts the choice
// back as it was.
func product(sizes, terms, choice []int, visit func([]int)) {
	if len(terms) == 0 {
		visit(choice)
		return
	}
	was := choice[terms[0]]
	for i := range sizes[terms[0]] {
		choice[terms[0]] = i
		product(sizes, terms[1:], choice, visit)
	}
	choice[terms[0]] = was
}

package impact

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/policypin/policypin/internal/cedar"
)

// Limits on the requests that are made up for one policy set, in each of the two
// stages of a search. A request takes some ten microseconds.
const (
	maxRequests = 400_000 // over all environments
	minRequests = 2_000   // in each, however many there are

	// manyPolicies is from when on a request takes longer with each policy more.
	// Fewer are tried then: 10,000 policies at once would take an hour.
	manyPolicies = 200
	leastTried   = 100 // whatever a request takes

	// sampling is the part of the limit that is tried where there are more
	// combinations than that: ten times as many would still prove nothing.
	sampling = 10
)

// affordable is how many requests are tried where so many policies answer each.
func affordable(limit, policies int) int {
	if policies <= manyPolicies {
		return limit
	}
	return max(leastTried, limit*manyPolicies/policies)
}

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
	failures  failures
	quiet     bool // the changed policies answer every request alike
	partial   bool // not all combinations were tried
}

func (s *search) run(limit int) {
	limit = affordable(limit, s.changed)
	s.groups = map[string]int{}
	// What the changed policies ask is enough to see that they answer alike. Then
	// nothing that others say, or that isn't known of them, can matter.
	s.survey = s.schema.Survey(s.env, s.asked[:s.changed])
	if kept, covered := s.first(limit); covered && len(kept) == 0 && len(s.survey.Open) == 0 {
		s.quiet = true
		return
	}
	s.survey, s.decided, s.failures = s.schema.Survey(s.env, s.asked), 0, failures{}
	for _, o := range s.survey.Open {
		s.uncovered = append(s.uncovered, Uncovered(o))
	}
	kept, covered := s.first(limit)
	all := variation{survey: s.survey, sizes: s.survey.Terms()}
	var second []int
	for i := range all.sizes {
		if !s.asks(i, 0, s.changed) {
			second = append(second, i)
		}
	}
	all.terms, all.policies = second, [2]int{s.changed, len(s.asked)}
	limit = affordable(limit, len(s.asked)-s.changed)
	all.limit = max(1, limit/max(1, len(kept)))
	for _, choice := range kept {
		goals := s.goals(choice)
		covered = all.each(choice, func(choice []int) bool {
			s.visit(choice, goals)
			return len(goals) > 0
		}) && covered
	}
	if s.partial = !covered; s.partial {
		s.uncovered = append(s.uncovered, Uncovered{Reason: fmt.Sprintf(
			"requests of %s: more combinations of what the policies ask than are tried (%d)", s.env, limit)})
	}
}

// first is the first stage. It returns the combinations for which the changed
// policies answer differently, and whether it tried all.
func (s *search) first(limit int) (kept [][]int, covered bool) {
	all := variation{survey: s.survey, sizes: s.survey.Terms(), policies: [2]int{0, s.changed}, limit: limit}
	for i := range all.sizes {
		if s.asks(i, 0, s.changed) {
			all.terms = append(all.terms, i)
		}
	}
	covered = all.each(make([]int, len(all.sizes)), func(choice []int) bool {
		world, request, ok := s.survey.Build(choice)
		if !ok {
			return true
		}
		s.decided++
		from, to := s.from.parts.Answer(world, request), s.to.parts.Answer(world, request)
		s.failures.note(s.comparison, world, request, from, to)
		if !from.Same(to) {
			kept = append(kept, append([]int(nil), choice...))
		}
		return true
	})
	return kept, covered
}

func (s *search) asks(term, from, to int) bool {
	for p := range s.survey.Askers(term) {
		if from <= p && p < to {
			return true
		}
	}
	return false
}

// A mask is what the policies that didn't change say: they can hide a change or
// bring it out, and in no other way have a part in it. Where they forbid, it
// doesn't matter what they permit.
type mask struct{ permit, forbid bool }

// goals are the masks under which a combination of the first stage is a change.
// One request for each shows all there is, since its cause is the changed policies.
func (s *search) goals(choice []int) map[mask]bool {
	world, request, ok := s.survey.Build(choice)
	if !ok {
		return nil
	}
	a, b := s.from.parts.Answer(world, request), s.to.parts.Answer(world, request)
	goals := map[mask]bool{}
	for _, m := range []mask{{}, {permit: true}, {forbid: true}} {
		if m != (mask{}) && !s.possible(m) {
			continue
		}
		if m.over(a) != m.over(b) || !slices.Equal(a.Failed, b.Failed) {
			goals[m] = true
		}
	}
	return goals
}

// possible tells whether any policy that didn't change can bring a mask about.
func (s *search) possible(m mask) bool {
	return slices.ContainsFunc(s.asked[s.changed:], func(p *cedar.Policy) bool {
		return (p.Effect() == "forbid") == m.forbid && s.schema.Concerns(p, s.env)
	})
}

// over is the decision if the changed policies say a and the others this.
func (m mask) over(a cedar.Answer) bool { return (a.Permit || m.permit) && !a.Forbid && !m.forbid }

// visit decides one request with all policies.
func (s *search) visit(choice []int, goals map[mask]bool) {
	world, request, ok := s.survey.Build(choice)
	if !ok {
		return
	}
	s.decided++
	rest := s.rest.Answer(world, request)
	delete(goals, mask{permit: rest.Permit && !rest.Forbid, forbid: rest.Forbid})
	f, ok := s.judge(world, request)
	if !ok {
		return
	}
	i, known := s.groups[f.key()]
	if known {
		s.findings[i].Count++
		s.note(&s.findings[i], s.env, world, request)
		if !s.findings[i].wants(f.Examples[0]) {
			return
		}
	}
	example := &f.Examples[0]
	if example.Request, example.Entities, ok = s.witness(choice, f); !ok {
		s.uncovered = append(s.uncovered, Uncovered{Reason: "a request was decided in two ways: " + example.Text})
		return
	}
	example.Facts = s.facts(f, s.env, world, request, true)
	if known {
		s.findings[i].Examples = append(s.findings[i].Examples, *example)
		return
	}
	s.note(&f, s.env, world, request)
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

// each visits all combinations if they are within the limit, or until visit
// returns false. Otherwise it visits some, always the same, and returns false:
// those with one term or two other than in base, which is what most changes need,
// and for each policy the combinations of what it asks, or a selection of them.
func (v variation) each(base []int, visit func([]int) bool) (all bool) {
	choice := append([]int(nil), base...)
	if count(v.sizes, v.terms, v.limit) <= v.limit {
		product(v.sizes, v.terms, choice, visit)
		return true
	}
	policies := v.policies[1] - v.policies[0]
	v.limit = max(1, v.limit/sampling, min(v.limit, sampling*policies))
	seen := map[string]bool{}
	var code []byte
	enough := false
	once := func(choice []int) bool {
		code = code[:0]
		for _, n := range choice {
			code = binary.AppendUvarint(code, uint64(n))
		}
		key := string(code)
		if !enough && !seen[key] && len(seen) < v.limit {
			seen[key] = true
			enough = !visit(choice)
		}
		return !enough
	}
	once(choice)
	const least = 8 // fewer show nothing of a policy; then the last ones go without
	share := max(least, v.limit/policies)
	random := rand.New(rand.NewPCG(1, 2))
	asked := map[int][]int{}
	for _, t := range v.terms {
		for p := range v.survey.Askers(t) {
			asked[p] = append(asked[p], t)
		}
	}
	for p := v.policies[0]; p < v.policies[1] && len(seen) < v.limit && !enough; p++ {
		values := map[int][]int{}
		for _, t := range asked[p] {
			values[t] = v.survey.Own(p, t)
		}
		copy(choice, base)
		v.some(asked[p], values, choice, share, random, once)
	}
	return enough
}

// some visits up to a number of combinations of the values of some terms: all, or
// those with one term or two other than they are, and others at random.
func (v variation) some(terms []int, values map[int][]int, choice []int, most int, random *rand.Rand, visit func([]int) bool) {
	sizes := make([]int, len(v.sizes))
	for t, list := range values {
		sizes[t] = len(list)
	}
	left := most
	once := func(choice []int) bool {
		left--
		return visit(choice) && left > 0
	}
	if count(sizes, terms, most) <= most {
		among(values, terms, choice, once)
		return
	}
	for i := range terms {
		if left > 0 {
			among(values, terms[i:i+1], choice, once)
		}
	}
	others := make(map[int][]int, len(values))
	for t, list := range values {
		others[t] = list[1:]
	}
	for i := 1; i < len(terms) && left > most/2; i++ {
		for _, t := range terms[:i] {
			if left > 0 {
				among(others, []int{t, terms[i]}, choice, once)
			}
		}
	}
	for left > 0 {
		for _, t := range terms {
			choice[t] = values[t][random.IntN(len(values[t]))]
		}
		if !once(choice) {
			return
		}
	}
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

// product visits every combination of values of some terms, until visit returns
// false. It puts the choice back as it was.
func product(sizes, terms, choice []int, visit func([]int) bool) bool {
	values := make(map[int][]int, len(terms))
	for _, t := range terms {
		for i := range sizes[t] {
			values[t] = append(values[t], i)
		}
	}
	return among(values, terms, choice, visit)
}

// among is product over some of the values.
func among(values map[int][]int, terms, choice []int, visit func([]int) bool) bool {
	if len(terms) == 0 {
		return visit(choice)
	}
	was := choice[terms[0]]
	more := true
	for _, i := range values[terms[0]] {
		if more {
			choice[terms[0]] = i
			more = among(values, terms[1:], choice, visit)
		}
	}
	choice[terms[0]] = was
	return more
}

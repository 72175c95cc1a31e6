package impact

import (
	"fmt"
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
	env cedar.Environment
	outcome
}

// An outcome is what a search came to.
type outcome struct {
	decided   int
	findings  []Finding
	groups    map[string]int
	uncovered []Uncovered
	failures  failures
	alike     bool // the changed policies answer every request alike
	partial   bool // not all combinations were tried
}

// run makes up as many requests as the limits say: for all policies at once, and
// for others one by one.
func (s *search) run(limit, narrow int) {
	limit = affordable(limit, s.changed)
	// What the changed policies ask is enough to see that they answer alike. Then
	// nothing that others say, or that isn't known of them, can matter.
	survey := s.schema.Survey(s.env, s.asked[:s.changed])
	kept, covered := s.first(survey, limit)
	if covered && len(kept) == 0 && len(survey.Open) == 0 {
		s.alike = true
		return
	}
	alone := s.outcome
	others := len(s.asked) - s.changed
	var whole outcome
	if others > 0 && others <= fewOthers {
		s.outcome = outcome{}
		s.together(limit)
		if whole = s.outcome; len(whole.uncovered) == len(survey.Open) || !covered {
			return
		}
	}
	// What the others ask may keep the search from being complete, and not matter.
	s.outcome = alone
	for _, o := range survey.Open {
		s.uncovered = append(s.uncovered, Uncovered(o))
	}
	all := s.narrowed(survey, kept, affordable(narrow, s.changed)) && covered
	switch {
	case others > 0 && others <= fewOthers && (!all || len(s.uncovered) > len(survey.Open)):
		s.outcome = whole // which has tried as much
	case !covered:
		s.leaves(limit)
	case !all:
		s.leaves(narrow)
	}
}

// leaves says that there are more combinations than were tried.
func (s *search) leaves(limit int) {
	s.partial = true
	s.uncovered = append(s.uncovered, Uncovered{Reason: fmt.Sprintf(
		"requests of %s: more combinations of what the policies ask than are tried (%d)", s.env, limit)})
}

// together varies what all policies ask.
func (s *search) together(limit int) {
	survey := s.schema.Survey(s.env, s.asked)
	for _, o := range survey.Open {
		s.uncovered = append(s.uncovered, Uncovered(o))
	}
	kept, covered := s.first(survey, limit)
	all := &variation{survey: survey, sizes: survey.Terms()}
	for t := range all.sizes {
		if !asks(survey, t, 0, s.changed) {
			all.terms = append(all.terms, t)
		}
	}
	all.policies = [2]int{s.changed, len(s.asked)}
	limit = affordable(limit, len(s.asked)-s.changed)
	all.limit = max(1, limit/max(1, len(kept)))
	base := make([]int, len(all.sizes))
	for _, k := range kept {
		k.unpack(base)
		goals := s.goals(k.from, k.to)
		var own *[2]voice // what the changed policies say where the others' terms are at first
		covered = all.each(base, func(choice []int) bool {
			m, voices := s.visit(survey, choice)
			if own == nil {
				own = &voices
			}
			// What others ask can put the principal into a group by way of the
			// resource. That is a request of another combination then.
			if voices[0].same(own[0]) && voices[1].same(own[1]) {
				delete(goals, m)
			}
			return len(goals) > 0
		}) && covered
	}
	if !covered {
		s.leaves(limit)
	}
}

// A combination is one that the first stage keeps, as the terms that haven't got
// their first value: of 10,000 terms they are a few.
type combination struct {
	terms, values []int
	from, to      cedar.Answer // of the changed policies
}

func pack(choice []int, from, to cedar.Answer) combination {
	k := combination{from: from, to: to}
	for t, value := range choice {
		if value != 0 {
			k.terms, k.values = append(k.terms, t), append(k.values, value)
		}
	}
	return k
}

func (k combination) unpack(choice []int) {
	clear(choice)
	for i, t := range k.terms {
		choice[t] = k.values[i]
	}
}

// first is the first stage. It returns the combinations for which the changed
// policies answer differently, and whether it tried all. Where there is nobody
// else to ask, those of a sample are decided at once and not returned.
func (s *search) first(survey *cedar.Survey, limit int) (kept []combination, covered bool) {
	all := &variation{survey: survey, sizes: survey.Terms(), policies: [2]int{0, s.changed}, limit: limit}
	for t := range all.sizes {
		if asks(survey, t, 0, s.changed) {
			all.terms = append(all.terms, t)
		}
	}
	base := make([]int, len(all.sizes))
	if !all.fits() {
		return s.sample(survey, all, base), false
	}
	return kept, all.each(base, func(choice []int) bool {
		world, request, ok := survey.Build(choice)
		if !ok {
			return true
		}
		s.decided++
		from, to := s.from.parts.Answer(world, request), s.to.parts.Answer(world, request)
		s.failures.note(s.comparison, world, request, from, to)
		if !from.Same(to) {
			kept = append(kept, pack(choice, from, to))
		}
		return true
	})
}

// sample is the first stage where not all can be tried.
func (s *search) sample(survey *cedar.Survey, all *variation, base []int) (kept []combination) {
	r := s.recall(survey)
	all.each(base, func(choice []int) bool {
		if !r.hear(choice) {
			return true
		}
		from, to := r.heard()
		if len(from.Failed)+len(to.Failed) > 0 {
			if !r.build() {
				return true
			}
			s.failures.note(s.comparison, r.world, r.request, from, to)
		}
		if !from.Same(to) && len(s.asked) == s.changed {
			s.count(r, from, to)
			return true
		}
		if s.decided++; !from.Same(to) {
			kept = append(kept, pack(choice, from, to))
		}
		return true
	})
	return kept
}

// enoughSeen is after how many requests no other example is looked for in a
// sample, where each takes a while.
const enoughSeen = 20

// count takes a request of a sample to the others of its kind and cause.
func (s *search) count(r *recall, from, to cedar.Answer) {
	a, b := r.voices(from, to)
	f, ok := s.cause(mask{}, a, b)
	i, known := s.groups[f.key()]
	switch {
	case !ok:
		s.decided++
	case known && (len(s.findings[i].Examples) == maxExamples || s.findings[i].Count >= enoughSeen):
		s.decided++
		s.findings[i].Count++
	default:
		s.visit(r.survey, r.choice)
	}
}

// asks tells whether any of the policies of some numbers asks about a term.
func asks(survey *cedar.Survey, term, from, to int) bool {
	for p := range survey.Askers(term) {
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

func maskOf(d cedar.Decision) mask {
	return mask{permit: d.Allow, forbid: !d.Allow && len(d.Numbers) > 0}
}

// goals are the masks under which a combination of the first stage is a change.
// One request for each shows all there is, since its cause is the changed policies.
func (s *search) goals(a, b cedar.Answer) map[mask]bool {
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

// visit decides one request with all policies, and returns what those say that
// didn't change, and what those of both sides do that did. A choice that is no
// request comes to a mask that nothing has.
func (s *search) visit(survey *cedar.Survey, choice []int) (m mask, voices [2]voice) {
	world, request, ok := survey.Build(choice)
	if !ok {
		return mask{permit: true, forbid: true}, voices
	}
	s.decided++
	m = maskOf(s.rest.Decide(world, request))
	voices = [2]voice{s.from.voice(world, request), s.to.voice(world, request)}
	s.take(survey, choice, world, request, m, voices)
	return m, voices
}

// take adds a request to the findings, if it is decided differently.
func (s *search) take(survey *cedar.Survey, choice []int, world *cedar.Entities, request cedar.Request, m mask, voices [2]voice) {
	f, ok := s.cause(m, voices[0], voices[1])
	if !ok {
		return
	}
	i, known := s.groups[f.key()]
	if known {
		s.findings[i].Count++
		s.note(&s.findings[i], s.env, world, request)
		if !s.findings[i].wants(Example{Text: request.String()}) {
			return
		}
	}
	again, ok := s.judge(world, request)
	if !ok || again.key() != f.key() {
		s.uncovered = append(s.uncovered, Uncovered{Reason: "a request was decided in two ways: " + request.String()})
		return
	}
	f = again
	example := &f.Examples[0]
	if example.Request, example.Entities, ok = s.witness(survey, choice, f); !ok {
		s.uncovered = append(s.uncovered, Uncovered{Reason: "a request was decided in two ways: " + example.Text})
		return
	}
	example.Facts = s.facts(f, s.env, world, request, true)
	if known {
		s.findings[i].Examples = append(s.findings[i].Examples, *example)
		return
	}
	s.note(&f, s.env, world, request)
	if s.groups == nil {
		s.groups = map[string]int{}
	}
	s.groups[f.key()] = len(s.findings)
	s.findings = append(s.findings, f)
}

// witness builds the request anew and decides it again.
func (s *search) witness(survey *cedar.Survey, choice []int, f Finding) (request, entities []byte, ok bool) {
	world, r, ok := survey.Build(choice)
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

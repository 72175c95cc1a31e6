package impact

import (
	"math/bits"
	"slices"

	"github.com/policypin/policypin/internal/cedar"
)

// What one policy says of a request.
type said uint8

const (
	nothing said = iota
	matches
	fails
)

// A recall knows what the changed policies said of combinations before. Where a
// combination has the values of an earlier one in all that a policy asks, it isn't
// asked again, and from one combination to the next only those policies are looked
// at that ask about what is different. It is for samples, which prove nothing:
// where an entity is in another, an answer can rest on what others ask.
type recall struct {
	*search
	survey *cedar.Survey
	older  int        // how many of the policies are of the older side
	terms  [][]int    // that each policy asks about
	askers [][]int    // of each term
	scales [][]uint64 // of the terms of a policy, which make one number of their values
	always []int      // policies that are asked each time
	known  []map[uint64]said
	now    []said
	last   []int // the combination that now is about; nil: none

	choice  []int // that is asked about
	world   *cedar.Entities
	request cedar.Request
	built   bool
}

// maxKnown bounds what is known of one policy: one that asks about many things
// rarely sees the same again.
const maxKnown = 1024

func (s *search) recall(survey *cedar.Survey) *recall {
	sizes := survey.Terms()
	r := &recall{
		search: s, survey: survey, terms: make([][]int, s.changed), askers: make([][]int, len(sizes)),
		scales: make([][]uint64, s.changed), known: make([]map[uint64]said, s.changed), now: make([]said, s.changed),
	}
	for _, ref := range s.refs {
		if ref.From {
			r.older++
		}
	}
	for t := range sizes {
		for p := range survey.Askers(t) {
			if p < s.changed { // the survey can be of all policies, and the others are asked later
				r.terms[p], r.askers[t] = append(r.terms[p], t), append(r.askers[t], p)
			}
		}
	}
	for p, terms := range r.terms {
		scale, over := uint64(1), uint64(0)
		for _, t := range terms {
			r.scales[p] = append(r.scales[p], scale)
			if over, scale = bits.Mul64(scale, uint64(sizes[t])); over > 0 {
				break
			}
		}
		if over > 0 || !survey.Covers(p) {
			r.always, r.scales[p] = append(r.always, p), nil
			for _, t := range terms {
				r.askers[t] = slices.DeleteFunc(r.askers[t], func(asker int) bool { return asker == p })
			}
		}
	}
	return r
}

// build makes the request of the combination at hand, once.
func (r *recall) build() bool {
	if !r.built {
		r.world, r.request, r.built = r.survey.Build(r.choice)
	}
	return r.built
}

// hear asks the changed policies about a combination. It returns false if that
// was found to be no request.
func (r *recall) hear(choice []int) bool {
	r.choice, r.built = choice, false
	for _, p := range r.always {
		if !r.build() {
			return false
		}
		r.now[p] = r.ask(p)
	}
	if r.last == nil {
		for p := range r.now {
			if !r.look(p) {
				return false
			}
		}
		r.last = slices.Clone(choice)
		return true
	}
	for t, value := range choice {
		if r.last[t] == value {
			continue
		}
		for _, p := range r.askers[t] {
			if !r.look(p) {
				r.last = nil
				return false
			}
		}
	}
	copy(r.last, choice)
	return true
}

func (r *recall) ask(p int) said {
	parts, number := r.to.parts, p-r.older
	if p < r.older {
		parts, number = r.from.parts, p
	}
	switch match, fail := parts.Says(number, r.world, r.request); {
	case fail:
		return fails
	case match:
		return matches
	}
	return nothing
}

// look recalls what a policy says, or asks it.
func (r *recall) look(p int) bool {
	if r.scales[p] == nil && len(r.terms[p]) > 0 {
		return true // it is asked each time
	}
	key := uint64(0)
	for i, t := range r.terms[p] {
		key += r.scales[p][i] * uint64(r.choice[t])
	}
	one, ok := r.known[p][key]
	if !ok {
		if !r.build() {
			return false
		}
		if one = r.ask(p); r.known[p] == nil {
			r.known[p] = map[uint64]said{}
		}
		if len(r.known[p]) < maxKnown {
			r.known[p][key] = one
		}
	}
	r.now[p] = one
	return true
}

// heard is what the changed policies of both sides say.
func (r *recall) heard() (from, to cedar.Answer) {
	for p, one := range r.now {
		if one == nothing {
			continue
		}
		answer := &to
		if p < r.older {
			answer = &from
		}
		switch {
		case one == fails:
			answer.Failed = append(answer.Failed, r.refs[p].Policy)
		case r.refs[p].Effect == "permit":
			answer.Permit = true
		default:
			answer.Forbid = true
		}
	}
	for _, answer := range []*cedar.Answer{&from, &to} {
		slices.Sort(answer.Failed)
		answer.Failed = slices.Compact(answer.Failed)
	}
	return from, to
}

// voices are the policies that determine what both sides come to.
func (r *recall) voices(from, to cedar.Answer) (a, b voice) {
	a, b = voice{allow: from.Permit && !from.Forbid, failed: from.Failed}, voice{allow: to.Permit && !to.Forbid, failed: to.Failed}
	for p, one := range r.now {
		if one != matches {
			continue
		}
		v, number := &b, p-r.older
		if p < r.older {
			v, number = &a, p
		}
		if (r.refs[p].Effect == "permit") == v.allow {
			v.numbers = append(v.numbers, number)
		}
	}
	return a, b
}

package impact

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/policypin/policypin/internal/cedar"
)

// A variation goes through choices of values for some terms.
type variation struct {
	survey   *cedar.Survey
	sizes    []int
	terms    []int
	policies [2]int // the numbers of those who ask, from and to
	limit    int
	asked    map[int][]int // the terms that each policy asks about, once that was looked up
}

// fits tells whether all combinations are within the limit.
func (v *variation) fits() bool { return count(v.sizes, v.terms, v.limit) <= v.limit }

// each visits all combinations if they are within the limit, or until visit
// returns false. Otherwise it visits some, always the same, and returns false:
// those with one term or two other than in base, which is what most changes need,
// and for each policy the combinations of what it asks, or a selection of them.
func (v *variation) each(base []int, visit func([]int) bool) (all bool) {
	choice := append([]int(nil), base...)
	if v.fits() {
		product(v.sizes, v.terms, choice, visit)
		return true
	}
	policies := v.policies[1] - v.policies[0]
	limit := max(1, v.limit/sampling, min(v.limit, sampling*policies))
	seen := map[string]bool{}
	var code []byte
	enough := false
	once := func(choice []int) bool {
		code = code[:0]
		for t, n := range choice {
			if n != base[t] { // there may be 10,000 terms, of which few are other than in base
				code = binary.AppendUvarint(binary.AppendUvarint(code, uint64(t)), uint64(n))
			}
		}
		key := string(code)
		if !enough && !seen[key] && len(seen) < limit {
			seen[key] = true
			enough = !visit(choice)
		}
		return !enough
	}
	once(choice)
	const least = 8 // fewer show nothing of a policy; then the last ones go without
	share := max(least, limit/policies)
	random := rand.New(rand.NewPCG(1, 2))
	if v.asked == nil {
		v.asked = map[int][]int{}
		for _, t := range v.terms {
			for p := range v.survey.Askers(t) {
				v.asked[p] = append(v.asked[p], t)
			}
		}
	}
	for p := v.policies[0]; p < v.policies[1] && len(seen) < limit && !enough; p++ {
		values := map[int][]int{}
		for _, t := range v.asked[p] {
			values[t] = v.survey.Own(p, t)
		}
		some(v.asked[p], values, choice, share, random, once)
		for _, t := range v.asked[p] {
			choice[t] = base[t]
		}
	}
	return enough
}

// some visits up to a number of combinations of the values of some terms: all, or
// those with one term or two other than they are, and others at random.
func some(terms []int, values map[int][]int, choice []int, most int, random *rand.Rand, visit func([]int) bool) {
	combinations := 1
	for _, t := range terms {
		if combinations *= len(values[t]); combinations > most {
			break
		}
	}
	left := most
	once := func(choice []int) bool {
		left--
		return visit(choice) && left > 0
	}
	if combinations <= most {
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

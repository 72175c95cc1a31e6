package impact

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/policypin/policypin/internal/cedar"
)

// fewOthers is up to how many policies that didn't change are varied all at once.
// More of them are asked one by one. It is a variable for tests.
var fewOthers = 32

const (
	// maxNarrow bounds the requests that are made up to ask the others one by one,
	// for one policy set over all environments: some twenty seconds.
	maxNarrow = 2_000_000

	// narrowEach bounds those for one of the others, so that one which asks more
	// than can be tried doesn't keep the rest from being tried.
	narrowEach = 20_000

	// cellsPerRequest is how many cells are looked through in the time of a request.
	cellsPerRequest = 10

	// maxAvoided is how many policies that are in the way are varied together.
	maxAvoided = 12
)

// A narrow search is the second stage where many policies didn't change. It
// varies what the changed policies ask together with what one of the others does,
// and takes in a further one only where that is in the way.
type narrow struct {
	*search
	first   *cedar.Survey // of the changed policies
	aspects *cedar.Aspects
	cells   map[string]*cell
	list    []*cell              // in the order of the first stage
	wanted  map[mask]int         // how many cells have that goal
	short   map[mask]bool        // not all that could bring it about was tried
	gaps    map[mask][]Uncovered // expressions that could bring it about, and aren't covered
	left    int                  // requests to make up
}

// A cell is all requests that answer alike to what the changed policies ask.
type cell struct {
	choice []int // of the first stage
	goals  map[mask]bool
}

// narrowed looks for what the other policies say of the combinations that the
// first stage kept, and tells whether that is all they can say.
func (s *search) narrowed(first *cedar.Survey, kept []combination, budget int) (covered bool) {
	if len(s.asked) == s.changed {
		choice := make([]int, len(first.Terms()))
		for _, k := range kept { // nobody else has a say
			k.unpack(choice)
			s.visit(first, choice)
		}
		return true
	}
	if len(kept) == 0 {
		return true
	}
	n := &narrow{
		search: s, first: first, aspects: first.Aspects(), cells: map[string]*cell{}, left: budget,
		wanted: map[mask]int{}, short: map[mask]bool{}, gaps: map[mask][]Uncovered{},
	}
	for _, k := range kept {
		choice := make([]int, len(first.Terms()))
		k.unpack(choice)
		world, request, ok := first.Build(choice)
		if !ok {
			continue
		}
		key := n.key(world, request, k.from, k.to)
		c := n.cells[key]
		if c == nil {
			c = &cell{choice, s.goals(k.from, k.to)}
			n.cells[key] = c
			n.list = append(n.list, c)
			for m := range c.goals {
				n.wanted[m]++
			}
		}
		n.meet(first, choice, c)
	}
	permits, forbids := n.others()
	n.each(mask{}, []int{nobody})
	n.each(mask{permit: true}, permits)
	n.each(mask{forbid: true}, forbids)
	covered = true
	for _, m := range []mask{{}, {permit: true}, {forbid: true}} {
		if n.wanted[m] > 0 {
			covered = covered && !n.short[m]
			s.uncovered = append(s.uncovered, n.gaps[m]...)
		}
	}
	return covered
}

// nobody is in the place of a policy that is to match.
const nobody = -1

// others are the policies that didn't change and concern the environment, by
// their numbers among those.
func (n *narrow) others() (permits, forbids []int) {
	for i, p := range n.asked[n.changed:] {
		switch {
		case !n.schema.Concerns(p, n.env):
		case p.Effect() == "forbid":
			forbids = append(forbids, i)
		default:
			permits = append(permits, i)
		}
	}
	return permits, forbids
}

// cell is that of a request; nil if it is none of those of the first stage, or the
// changed policies of both sides answer alike.
func (n *narrow) cell(world *cedar.Entities, request cedar.Request) *cell {
	from, to := n.from.parts.Answer(world, request), n.to.parts.Answer(world, request)
	if from.Same(to) {
		return nil
	}
	return n.cells[n.key(world, request, from, to)]
}

// key tells cells apart. Where an expression isn't covered, requests that answer
// alike to all questions may be answered differently by the policies.
func (n *narrow) key(world *cedar.Entities, request cedar.Request, from, to cedar.Answer) string {
	return fmt.Sprintf("%s%t %t %q %t %t %q", n.aspects.Cell(world, request), from.Permit, from.Forbid, from.Failed, to.Permit, to.Forbid, to.Failed)
}

// meet decides a request of a cell.
func (n *narrow) meet(survey *cedar.Survey, choice []int, c *cell) {
	if m, _ := n.visit(survey, choice); c.goals[m] {
		delete(c.goals, m)
		n.wanted[m]--
	}
}

// each looks, for all cells that want it, for requests in which the others say m,
// where one of some policies brings that about.
func (n *narrow) each(m mask, policies []int) {
	for _, p := range policies {
		if n.wanted[m] == 0 {
			return
		}
		n.seek(m, p, nil)
	}
}

// seek tries the requests for which one of the others matches and some don't, as
// far as these and the changed policies tell them apart.
func (n *narrow) seek(m mask, must int, avoid []int) {
	asked := slices.Clone(n.asked[:n.changed])
	if must != nobody {
		asked = append(asked, n.asked[n.changed+must])
	}
	musts := len(asked)
	for _, p := range avoid {
		asked = append(asked, n.asked[n.changed+p])
	}
	survey := n.schema.Survey(n.env, asked)
	n.gap(m, survey)
	sizes := survey.Terms()
	// What the policy asks that must match comes first, then what the changed
	// policies ask as well as those that must not, then what these alone do.
	var stages [3][]int
	own := map[int]int{} // what the changed policies alone ask, by the numbers of the first stage
	alike := survey.Alike(n.first)
	for t := range sizes {
		stage := 2
		switch {
		case asks(survey, t, n.changed, musts):
			stage = 0
		case !asks(survey, t, 0, n.changed):
		case alike[t] >= 0 && !asks(survey, t, musts, len(asked)):
			own[t] = alike[t]
			continue
		default:
			stage = 1
		}
		stages[stage] = append(stages[stage], t)
	}
	each := narrowEach
	build := func(choice []int) (world *cedar.Entities, request cedar.Request, ok, enough bool) {
		if each--; each < 0 || n.left <= 0 {
			n.short[m] = true
			return nil, request, false, true
		}
		n.left--
		world, request, ok = survey.Build(choice)
		return world, request, ok, n.wanted[m] == 0
	}
	inTheWay := map[*cell]int{}
	// within tries what only those ask that must not match, in a cell.
	within := func(c *cell, choice []int) bool {
		product(sizes, stages[2], choice, func(choice []int) bool {
			world, request, ok, enough := build(choice)
			if enough || !ok {
				return !enough
			}
			said := n.rest.Decide(world, request)
			if maskOf(said) == m {
				// What others ask can put the principal into a group by way of the
				// resource, and the request into another cell.
				if at := n.cell(world, request); at != nil && at.goals[m] {
					n.meet(survey, choice, at)
				}
				return c.goals[m]
			}
			if i := slices.IndexFunc(said.Numbers, func(p int) bool { return !slices.Contains(avoid, p) }); i >= 0 {
				inTheWay[c] = said.Numbers[i]
			}
			return true
		})
		return n.wanted[m] > 0 && each >= 0 // the next request sees that there are no more
	}
	base, projections := make([]int, len(sizes)), n.project(m, own)
	product(sizes, stages[0], base, func(choice []int) bool {
		world, request, ok, enough := build(choice)
		if enough || ok && must != nobody && !n.matches(must, world, request) {
			return !enough
		}
		projections = slices.DeleteFunc(projections, func(p *projection) bool { return !p.wants(m) })
		choice = slices.Clone(choice)
		for _, p := range projections {
			if !p.wants(m) {
				continue
			}
			for t, at := range own {
				choice[t] = p.choice[at]
			}
			more := product(sizes, stages[1], choice, func(choice []int) bool {
				world, request, ok, enough := build(choice)
				if enough || !ok {
					return !enough
				}
				c := n.cell(world, request)
				return c == nil || !c.goals[m] || within(c, choice)
			})
			if !more {
				return false
			}
		}
		return true
	})
	// Those in the way of other cells are met again there.
	for _, c := range n.list {
		if by, ok := inTheWay[c]; ok && c.goals[m] {
			if len(avoid) == maxAvoided {
				n.short[m] = true
				return
			}
			n.seek(m, must, append(slices.Clip(avoid), by))
			return
		}
	}
}

// A projection is what the changed policies alone ask as it is in some cells.
type projection struct {
	choice []int // of one of the cells
	cells  []*cell
}

// project groups the cells that want m by what the changed policies alone ask.
// There may be hundreds of thousands, so it is paid for from the requests that
// are left.
func (n *narrow) project(m mask, own map[int]int) (list []*projection) {
	n.left -= len(n.list) / cellsPerRequest
	order := slices.Sorted(maps.Values(own))
	known := map[string]*projection{}
	var code []byte
	for _, c := range n.list {
		if !c.goals[m] {
			continue
		}
		code = code[:0]
		for _, t := range order {
			code = binary.AppendUvarint(code, uint64(c.choice[t]))
		}
		p := known[string(code)]
		if p == nil {
			p = &projection{choice: c.choice}
			known[string(code)] = p
			list = append(list, p)
		}
		p.cells = append(p.cells, c)
	}
	return list
}

// wants tells whether any of the cells still wants m.
func (p *projection) wants(m mask) bool {
	for len(p.cells) > 0 && !p.cells[len(p.cells)-1].goals[m] {
		p.cells = p.cells[:len(p.cells)-1] // it never will again
	}
	return len(p.cells) > 0
}

const maxGaps = 1000 // more reasons than anybody reads

// gap notes the expressions of others that aren't covered.
func (n *narrow) gap(m mask, survey *cedar.Survey) {
	for _, o := range survey.Open {
		if len(n.gaps[m]) < maxGaps && !slices.Contains(n.first.Open, o) {
			n.gaps[m] = append(n.gaps[m], Uncovered(o))
		}
	}
}

func (n *narrow) matches(other int, world *cedar.Entities, request cedar.Request) bool {
	matches, _ := n.rest.Says(other, world, request)
	return matches
}

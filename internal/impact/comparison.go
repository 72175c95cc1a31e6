package impact

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/policypin/policypin/internal/cedar"
)

// A comparison decides requests on two sides.
type comparison struct {
	schema   *cedar.Schema
	from, to engines
	asked    []*cedar.Policy   // those that changed first
	changed  int               // how many of them did
	rest     *cedar.Authorizer // those that didn't
	// quiet is set by run: the changed policies answer every request alike.
	quiet bool
}

// engines are the policies of one side. If the changed ones answer alike on both
// sides, the whole does.
type engines struct {
	all, parts *cedar.Authorizer
	refs       []Ref // in the order of the policies, with statements of one name apart
	changed    map[string]bool
}

func newComparison(schema *cedar.Schema, from, to *state) *comparison {
	c := &comparison{schema: schema, from: from.engines(), to: to.engines()}
	var rest []*cedar.Policy
	for i, s := range []*state{from, to} {
		for _, p := range s.policies {
			switch {
			case p.changed:
				c.asked = append(c.asked, p.Policy)
			case i == 1: // the other side has the same
				rest = append(rest, p.Policy)
			}
		}
	}
	var same []cedar.Named
	for _, p := range to.policies {
		if !p.changed {
			same = append(same, p.Named)
		}
	}
	c.rest = cedar.NewAuthorizer(same)
	c.changed = len(c.asked)
	c.asked = append(c.asked, rest...)
	return c
}

func (s *state) engines() engines {
	e := engines{changed: map[string]bool{}}
	var all, parts []cedar.Named
	for _, p := range s.policies {
		e.refs = append(e.refs, s.ref(p))
		all = append(all, p.Named)
		if p.changed {
			parts = append(parts, p.Named)
			e.changed[p.Name] = true
		}
	}
	e.all, e.parts = cedar.NewAuthorizer(all), cedar.NewAuthorizer(parts)
	return e
}

// run searches every environment, on all cores, after what the given requests
// came to.
func (c *comparison) run(report *SetReport, given *trial) {
	var searches []*search
	for _, env := range c.schema.Environments() {
		concerned := func(p *cedar.Policy) bool { return c.schema.Concerns(p, env) }
		if slices.ContainsFunc(c.asked[:c.changed], concerned) {
			searches = append(searches, &search{comparison: c, env: env})
		}
	}
	var workers sync.WaitGroup
	next := make(chan *search)
	for range min(runtime.GOMAXPROCS(0), len(searches)) {
		workers.Go(func() {
			for s := range next {
				s.run(max(minRequests, maxRequests/len(searches)))
			}
		})
	}
	for _, s := range searches {
		next <- s
	}
	close(next)
	workers.Wait()
	groups := map[string]int{}
	given.join(report, groups)
	failing := given.failures
	c.quiet = true
	for _, s := range searches {
		c.quiet = c.quiet && s.quiet
		report.Requests += s.decided
		report.Sources.Synthesized += s.decided
		report.Uncovered = append(report.Uncovered, s.uncovered...)
		failing.merge(s.failures)
		for _, f := range s.findings {
			report.add(groups, f)
		}
	}
	report.Failing = failing.sorted()
	slices.SortStableFunc(report.Findings, func(a, b Finding) int { return strings.Compare(a.key(), b.key()) })
}

// add joins a finding to the one of the same kind and cause.
func (r *SetReport) add(groups map[string]int, f Finding) {
	i, ok := groups[f.key()]
	if !ok {
		groups[f.key()] = len(r.Findings)
		r.Findings = append(r.Findings, f)
		return
	}
	have := &r.Findings[i]
	have.Count += f.Count
	have.Given += f.Given
	for _, e := range f.Examples {
		if have.wants(e) {
			have.Examples = append(have.Examples, e)
		}
	}
}

const maxExamples = 3

// wants tells whether an example shows anything that those there don't.
func (f *Finding) wants(e Example) bool {
	return len(f.Examples) < maxExamples && !slices.ContainsFunc(f.Examples, func(have Example) bool { return have.Text == e.Text })
}

// rank orders kinds by what a reviewer must see first.
var rank = map[Kind]int{Widened: 0, Narrowed: 1, ErrorChanged: 2}

func (f Finding) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", rank[f.Kind])
	for _, ref := range f.Cause {
		fmt.Fprintf(&b, " %q %t", ref.Policy, !ref.From)
	}
	return b.String()
}

// judge says how two sides differ in a request; ok is false if they don't.
func (c *comparison) judge(world *cedar.Entities, r cedar.Request) (f Finding, ok bool) {
	a, b := c.from.all.Decide(world, r), c.to.all.Decide(world, r)
	pa, pb := c.from.parts.Answer(world, r), c.to.parts.Answer(world, r)
	switch {
	case b.Allow && !a.Allow:
		f.Kind = Widened
	case a.Allow && !b.Allow:
		f.Kind = Narrowed
	case !slices.Equal(pa.Failed, pb.Failed):
		f.Kind = ErrorChanged
		f.Cause = append(c.from.named(without(pa.Failed, pb.Failed), true), c.to.named(without(pb.Failed, pa.Failed), true)...)
	default:
		return f, false
	}
	if f.Kind != ErrorChanged {
		f.Cause = append(c.from.named(a.Reasons, true), c.to.named(b.Reasons, true)...)
	}
	f.Count = 1
	f.Examples = []Example{{
		Text: r.String(),
		From: Verdict{a.Allow, c.from.named(a.Reasons, false), a.Errors},
		To:   Verdict{b.Allow, c.to.named(b.Reasons, false), b.Errors},
	}}
	return f, true
}

// named are the policies of some names, or those of them that changed.
func (e engines) named(names []string, changed bool) (refs []Ref) {
	for _, ref := range e.refs {
		if slices.Contains(names, ref.Policy) && (!changed || e.changed[ref.Policy]) {
			refs = append(refs, ref)
		}
	}
	return refs
}

func without(names, others []string) (left []string) {
	for _, n := range names {
		if !slices.Contains(others, n) {
			left = append(left, n)
		}
	}
	return left
}

// entities are those that policies name, each once.
func (c *comparison) entities() (list []cedar.UID) {
	seen := map[cedar.UID]bool{}
	for _, p := range c.asked {
		for _, uid := range p.Entities() {
			if !seen[uid] {
				seen[uid] = true
				list = append(list, uid)
			}
		}
	}
	return list
}

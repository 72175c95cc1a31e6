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
	refs     []Ref             // of those that changed, in that order
	changed  int               // how many of them did
	rest     *cedar.Authorizer // those that didn't
	// quiet is set by run: the changed policies answer every request alike.
	quiet bool

	roster  roster
	mutex   sync.Mutex
	aspects map[aspectsKey]*cedar.Aspects
}

// engines are the policies of one side. If the changed ones answer alike on both
// sides, the whole does.
type engines struct {
	all, parts *cedar.Authorizer
	refs       []Ref  // in the order of the policies, with statements of one name apart
	changed    []bool // those of them that did
}

func newComparison(schema *cedar.Schema, from, to *state) *comparison {
	c := &comparison{schema: schema, from: from.engines(), to: to.engines()}
	var rest []*cedar.Policy
	for i, s := range []*state{from, to} {
		for _, p := range s.policies {
			switch {
			case p.changed:
				c.asked = append(c.asked, p.Policy)
				c.refs = append(c.refs, s.ref(p))
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
	c.changed, c.roster = len(c.asked), newRoster(c.refs)
	c.asked = append(c.asked, rest...)
	return c
}

func (s *state) engines() engines {
	var e engines
	var all, parts []cedar.Named
	for _, p := range s.policies {
		e.refs, e.changed = append(e.refs, s.ref(p)), append(e.changed, p.changed)
		all = append(all, p.Named)
		if p.changed {
			parts = append(parts, p.Named)
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
				s.run(max(minRequests, maxRequests/len(searches)), max(narrowEach, maxNarrow/len(searches)))
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
	var partial []cedar.Environment
	for _, s := range searches {
		c.quiet = c.quiet && s.alike
		report.Requests += s.decided
		report.Sources.Synthesized += s.decided
		report.Uncovered = append(report.Uncovered, s.uncovered...)
		failing.merge(s.failures)
		if s.partial {
			partial = append(partial, s.env)
		}
		for _, f := range s.findings {
			report.add(groups, f)
		}
	}
	for i := range report.Findings {
		c.sum(&report.Findings[i], partial)
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
	have.join(f)
	for _, e := range f.Examples {
		have.take(e)
	}
}

const maxExamples = 3

// wants tells whether an example shows anything that those there don't.
func (f *Finding) wants(e Example) bool {
	return len(f.Examples) < maxExamples && !slices.ContainsFunc(f.Examples, func(have Example) bool { return have.Text == e.Text })
}

// take adds an example that shows anything. If there are enough, one that was
// made up gives way to one about a type of principal that no other is about.
func (f *Finding) take(e Example) {
	if f.wants(e) {
		f.Examples = append(f.Examples, e)
		return
	}
	types := map[string]int{}
	for _, have := range f.Examples {
		types[have.env.Principal]++
	}
	if types[e.env.Principal] > 0 {
		return
	}
	for i, have := range slices.Backward(f.Examples) {
		if have.At.File == "" && types[have.env.Principal] > 1 {
			f.Examples[i] = e
			return
		}
	}
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
		f.Cause = append(c.from.named(without(pa.Failed, pb.Failed)), c.to.named(without(pb.Failed, pa.Failed))...)
	default:
		return f, false
	}
	if f.Kind != ErrorChanged {
		f.Cause = append(c.from.numbered(a.Numbers, true), c.to.numbered(b.Numbers, true)...)
	}
	f.Count = 1
	f.Examples = []Example{{
		Text: r.String(), env: environment(r),
		From: Verdict{a.Allow, c.from.numbered(a.Numbers, false), a.Errors},
		To:   Verdict{b.Allow, c.to.numbered(b.Numbers, false), b.Errors},
	}}
	return f, true
}

// A voice is what the changed policies of one side come to alone.
type voice struct {
	allow   bool
	numbers []int // of those that determine it, among the changed ones of the side
	failed  []string
}

func (e *engines) voice(world *cedar.Entities, r cedar.Request) voice {
	d := e.parts.Decide(world, r)
	v := voice{allow: d.Allow, numbers: d.Numbers}
	for _, err := range d.Errors {
		v.failed = append(v.failed, err.Policy)
	}
	slices.Sort(v.failed)
	v.failed = slices.Compact(v.failed)
	return v
}

func (v voice) same(other voice) bool {
	return v.allow == other.allow && slices.Equal(v.numbers, other.numbers) && slices.Equal(v.failed, other.failed)
}

// answer is what a voice says as one of a side's policies among others.
func (v voice) answer() cedar.Answer {
	return cedar.Answer{Permit: v.allow, Forbid: !v.allow && len(v.numbers) > 0, Failed: v.failed}
}

// cause says as judge does how two sides differ, where it is known what the
// policies say that didn't change. It is much quicker where these are many.
func (c *comparison) cause(m mask, a, b voice) (f Finding, ok bool) {
	before, after := m.over(a.answer()), m.over(b.answer())
	switch {
	case after && !before:
		f.Kind = Widened
	case before && !after:
		f.Kind = Narrowed
	case !slices.Equal(a.failed, b.failed):
		f.Kind = ErrorChanged
		f.Cause = append(c.from.named(without(a.failed, b.failed)), c.to.named(without(b.failed, a.failed))...)
		return f, true
	default:
		return f, false
	}
	// Where the others turn the decision, those that determine it are others.
	if a.allow == before {
		for _, i := range a.numbers {
			f.Cause = append(f.Cause, c.refs[i])
		}
	}
	if b.allow == after {
		older := len(c.refs) - c.to.parts.Len()
		for _, i := range b.numbers {
			f.Cause = append(f.Cause, c.refs[older+i])
		}
	}
	return f, true
}

// named are the policies of some names that changed.
func (e engines) named(names []string) (refs []Ref) {
	for i, ref := range e.refs {
		if e.changed[i] && slices.Contains(names, ref.Policy) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// numbered are the policies of some numbers, or those of them that changed.
func (e engines) numbered(numbers []int, changed bool) (refs []Ref) {
	for _, i := range numbers {
		if !changed || e.changed[i] {
			refs = append(refs, e.refs[i])
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

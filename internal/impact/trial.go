package impact

import (
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

// A trial is what some given requests came to in one comparison.
type trial struct {
	tests, logs int
	skipped     skips
	findings    []Finding
	groups      map[string]int
	uncovered   []Uncovered
	failures    failures
}

// join adds what a trial came to to the report.
func (t *trial) join(report *SetReport, groups map[string]int) {
	report.Requests += t.tests + t.logs
	report.Sources.Tests, report.Sources.Logs = t.tests, t.logs
	report.Skipped = t.skipped.list()
	for _, s := range report.Skipped {
		report.Sources.Skipped += s.Count
	}
	report.Uncovered = append(report.Uncovered, t.uncovered...)
	for _, f := range t.findings {
		report.add(groups, f)
	}
}

// merge adds a later trial.
func (t *trial) merge(later *trial) {
	t.tests += later.tests
	t.logs += later.logs
	t.skipped.merge(later.skipped)
	t.failures.merge(later.failures)
	t.uncovered = append(t.uncovered, later.uncovered...)
	r := SetReport{Findings: t.findings}
	if t.groups == nil {
		t.groups = map[string]int{}
	}
	for _, f := range later.findings {
		r.add(t.groups, f)
	}
	t.findings = r.Findings
}

// maxReasons bounds the different reasons that are told apart. A log whose every
// line is wrong in its own way needs no more to be understood.
const maxReasons = 100

// skips counts requests that weren't decided, by the reason.
type skips struct {
	reasons []Skipped
	index   map[string]int
}

func (s *skips) add(at diag.Position, reason string, count int) {
	i, ok := s.index[reason]
	if !ok && len(s.reasons) >= maxReasons {
		reason = "other reasons"
		i, ok = s.index[reason]
	}
	if !ok {
		if s.index == nil {
			s.index = map[string]int{}
		}
		i = len(s.reasons)
		s.index[reason] = i
		s.reasons = append(s.reasons, Skipped{at, reason, 0})
	}
	s.reasons[i].Count += count
}

func (s *skips) merge(later skips) {
	for _, r := range later.reasons {
		s.add(r.Position, r.Reason, r.Count)
	}
}

func (s *skips) list() []Skipped {
	for i := range s.reasons {
		s.reasons[i].Reason = manifest.HideTokens(s.reasons[i].Reason)
	}
	slices.SortStableFunc(s.reasons, func(a, b Skipped) int { return a.Position.Compare(b.Position) })
	return s.reasons
}

// A bench is where given requests are tried: all comparisons of one schema, with
// the entities of files.
type bench struct {
	schema  *cedar.Schema
	world   *cedar.Entities
	unfit   map[cedar.UID]bool // entities that don't fit the schema
	needs   map[string]bool    // types whose entities can't do without attributes
	context bool               // some changed policy reads the context
	pending []*pending
	first   int // of pending, among all
}

func newBench(schema *cedar.Schema, entities []cedar.EntityData) *bench {
	b := &bench{schema: schema, unfit: map[cedar.UID]bool{}, needs: map[string]bool{}}
	b.world, b.unfit = fit(schema, entities)
	for _, e := range schema.Environments() {
		for _, kind := range []string{e.Principal, e.Resource} {
			_, _, bare := schema.Bare(cedar.UID{Type: kind})
			b.needs[kind] = !bare
		}
	}
	return b
}

// fit are the entities as the schema types them, and those that it doesn't allow.
func fit(schema *cedar.Schema, entities []cedar.EntityData) (*cedar.Entities, map[cedar.UID]bool) {
	world, problems := schema.Entities(entities)
	unfit := map[cedar.UID]bool{}
	wrong := map[diag.Position]bool{}
	for _, p := range problems {
		wrong[p.Position] = true
	}
	if len(problems) == 0 {
		return world, unfit
	}
	for _, e := range entities {
		// An entity on a cycle is among the entities all the same.
		if !world.Has(e.UID) || wrong[e.Position] {
			unfit[e.UID] = true
		}
	}
	return world, unfit
}

// A try is one given request.
type try struct {
	cedar.RequestData
	world *cedar.Entities
	unfit map[cedar.UID]bool
	test  bool
	// again reads the request anew.
	again func() (cedar.RequestData, bool)
	// named are what is known of the principal, the action and the resource; nil
	// has to be found out.
	named *[3]*standing
}

// A standing is what is known of an entity in the entities of files, however
// often a log names it.
type standing struct {
	there bool
	masks []sideMasks // of each comparison
}

// sideMasks are the changed policies of both sides whose scope can match a
// request with the entity as principal, as action and as resource.
type sideMasks struct{ from, to [3]cedar.Mask }

func (b *bench) standing(world *cedar.Entities, uid cedar.UID) *standing {
	s := &standing{there: world.Has(uid), masks: make([]sideMasks, len(b.pending))}
	for i, p := range b.pending {
		m := &s.masks[i]
		m.from[0], m.from[1], m.from[2] = p.comparison.from.parts.Masks(world, uid)
		m.to[0], m.to[1], m.to[2] = p.comparison.to.parts.Masks(world, uid)
	}
	return s
}

// masks are the changed policies of both sides whose scope matches a request.
func masks(i int, of *[3]*standing) (from, to cedar.Mask) {
	p, a, r := &of[0].masks[i], &of[1].masks[i], &of[2].masks[i]
	return p.from[0] & a.from[1] & r.from[2], p.to[0] & a.to[1] & r.to[2]
}

// A register has the standings of entities by the numbers that a reader of logs
// gives their names.
type register struct {
	resets int
	list   []*standing
}

func (r *register) find(b *bench, line *cedar.LogLine) *[3]*standing {
	if r.resets != line.Resets {
		r.resets, r.list = line.Resets, nil
	}
	var found [3]*standing
	for i, uid := range [3]cedar.UID{line.Principal.UID, line.Action.UID, line.Resource.UID} {
		n := line.Names[i]
		if n < 0 {
			found[i] = b.standing(b.world, uid)
			continue
		}
		for len(r.list) <= n {
			r.list = append(r.list, nil)
		}
		if r.list[n] == nil {
			r.list[n] = b.standing(b.world, uid)
		}
		found[i] = r.list[n]
	}
	return &found
}

// try decides a request in every comparison. about tells whether a request that
// isn't one of the schema is worth a word for a set.
func (b *bench) try(t try, results []trial, about func(*pending) bool) {
	if t.named == nil {
		t.named = &[3]*standing{b.standing(t.world, t.Principal.UID), b.standing(t.world, t.Action.UID), b.standing(t.world, t.Resource.UID)}
	}
	// The context is built only where a policy that can match reads it.
	outline := true
	if b.context {
		for i := range b.pending {
			from, to := masks(i, t.named)
			outline = outline && from|to == 0
		}
	}
	request, problems := b.request(t.RequestData, outline)
	reason := ""
	switch {
	case problems != nil:
		reason = problems[0].Message
	case b.needs[t.Principal.Type] && !t.named[0].there:
		reason = b.absent(t.Principal.UID, t.unfit)
	case b.needs[t.Resource.Type] && !t.named[2].there:
		reason = b.absent(t.Resource.UID, t.unfit)
	}
	for i, p := range b.pending {
		result := &results[b.first+i]
		switch {
		case reason != "":
			if about == nil || about(p) {
				result.skipped.add(t.Position, reason, 1)
			}
			continue
		case t.test:
			result.tests++
		default:
			result.logs++
		}
		c := p.comparison
		maskFrom, maskTo := masks(i, t.named)
		from, to := c.from.parts.AnswerOf(maskFrom, t.world, request), c.to.parts.AnswerOf(maskTo, t.world, request)
		result.failures.note(c, t.world, request, from, to)
		if from.Same(to) {
			continue
		}
		if why := b.differs(t, c, result); why != "" {
			result.skipped.add(t.Position, why, 1)
			if t.test {
				result.tests--
			} else {
				result.logs--
			}
		}
	}
}

func (b *bench) request(d cedar.RequestData, outline bool) (cedar.Request, diag.List) {
	if outline {
		return b.schema.Outline(d)
	}
	return b.schema.Request(d)
}

func (b *bench) absent(uid cedar.UID, unfit map[cedar.UID]bool) string {
	if unfit[uid] {
		return "the entity " + uid.String() + " doesn't fit the schema"
	}
	return "no file has the entity " + uid.String() + ", and its type has attributes that must be there"
}

// differs looks closer at a request that the changed policies answer differently.
// It returns why the request can't be decided.
func (b *bench) differs(t try, c *comparison, result *trial) string {
	request, problems := b.schema.Request(t.RequestData)
	if problems != nil {
		return problems[0].Message
	}
	if len(t.unfit) > 0 {
		_, missing := t.world.About(request)
		for _, uid := range missing {
			if t.unfit[uid] {
				return b.absent(uid, t.unfit)
			}
		}
	}
	world := b.complete(t.world, request)
	f, ok := c.judge(world, request)
	if !ok {
		return ""
	}
	f.Given = 1
	i, known := result.groups[f.key()]
	if known {
		result.findings[i].Count++
		result.findings[i].Given++
		c.note(&result.findings[i], environment(request), world, request)
		if !result.findings[i].wants(f.Examples[0]) {
			return ""
		}
	}
	example, ok := b.witness(t, c, f)
	if !ok {
		result.uncovered = append(result.uncovered, Uncovered{t.Position, "a request was decided in two ways: " + manifest.HideTokens(f.Examples[0].Text)})
		return ""
	}
	if known {
		result.findings[i].Examples = append(result.findings[i].Examples, example)
		return ""
	}
	if result.groups == nil {
		result.groups = map[string]int{}
	}
	c.note(&f, environment(request), world, request)
	result.groups[f.key()] = len(result.findings)
	f.Examples[0] = example
	result.findings = append(result.findings, f)
	return ""
}

// complete adds principal and resource where no file has them. To the policies
// an entity with nothing but a name is as one that isn't there, but people and
// other engines shall see it.
func (b *bench) complete(world *cedar.Entities, r cedar.Request) *cedar.Entities {
	var absent []cedar.UID
	for _, uid := range []cedar.UID{r.Principal(), r.Resource()} {
		if !world.Has(uid) {
			absent = append(absent, uid)
		}
	}
	if len(absent) == 0 {
		return world
	}
	if bare, _, ok := b.schema.Bare(absent...); ok {
		if both, ok := world.With(bare); ok {
			return both
		}
	}
	return world
}

// witness reads the request anew and decides it again, in those entities alone
// that it is about.
func (b *bench) witness(t try, c *comparison, f Finding) (Example, bool) {
	data, ok := t.again()
	if !ok {
		return Example{}, false
	}
	request, problems := b.schema.Request(data)
	if problems != nil {
		return Example{}, false
	}
	world := b.complete(t.world, request)
	small, _ := world.About(request)
	again, ok := c.judge(small, request)
	if !ok || again.key() != f.key() {
		// Some policy asks about an entity that only the policy names.
		small, _ = world.About(request, c.entities()...)
		again, ok = c.judge(small, request)
	}
	if !ok || again.key() != f.key() {
		return Example{}, false
	}
	e := again.Examples[0]
	e.At = t.Position
	e.Facts = c.facts(f, environment(request), small, request, false)
	e.Text = manifest.HideTokens(e.Text)
	doc, err := request.JSON()
	if err != nil {
		return e, false
	}
	entities, err := small.JSON()
	if err != nil {
		return e, false
	}
	e.Request, e.Entities = []byte(manifest.HideTokens(string(doc))), []byte(manifest.HideTokens(string(entities)))
	for _, v := range []*Verdict{&e.From, &e.To} {
		for i := range v.Errors {
			v.Errors[i].Message = manifest.HideTokens(v.Errors[i].Message)
		}
	}
	return e, true
}

// caseKey tells cases apart: the request, without its place, in its world.
func caseKey(r cedar.RequestData, world string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q %q ", r.Principal.UID, r.Action.UID, r.Resource.UID)
	writeDatum(&b, r.Context)
	return b.String() + world
}

func writeDatum(b *strings.Builder, d cedar.Datum) {
	fmt.Fprintf(b, "%d%q", d.Kind, d.Text)
	for _, item := range d.Items {
		writeDatum(b, item)
	}
	for _, m := range d.Keys {
		fmt.Fprintf(b, "%q", m.Name)
		writeDatum(b, m.Value)
	}
}

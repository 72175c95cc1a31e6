package cedar

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

// A Survey knows what some policies ask about the requests of one environment,
// and has representatives for what can be answered. Each term is one thing that
// is asked, such as the principal's id, one attribute, or whether one entity is
// among the ancestors of another; a request is a choice of one value per term.
//
// Where Open is empty, the representatives are complete: for every request that
// the schema allows there is a choice for which each of the policies comes to
// the same result, errors included. docs/design has the argument.
type Survey struct {
	Open []Open

	schema *Schema
	env    Environment
	terms  []term
	roots  map[string]*slot // principal, resource and context
	uids   map[string]*subject
	opened mention         // those with an expression that isn't covered
	ties   map[string]*tie // by what they ask, in words
	hops   []*slot         // entities that are asked for attributes of their own
}

// A subject is the principal or the resource.
type subject struct {
	uid   *slot
	above map[types.EntityUID]mention
}

// A mention is the set of policies that ask something, by number.
type mention map[int]bool

// A slot is an attribute, or the id of a subject, with what is asked about it.
type slot struct {
	want         resolved.IsType
	optional     bool
	by           mention
	ordered      bool                   // compared by < and the like
	begins, ends []string               // that a text is matched with
	inner        []string               // texts that match a pattern which starts with "*" and isn't covered
	kids         map[types.String]*slot // of a record
	values       map[string]types.Value // that a scalar is compared with, by their text
	valuesOf     map[int][]types.Value  // the same by policy
	elements     map[string]types.Value // that a set is asked for
	elemBy       map[string]mention     // who asks
	more         mention                // who asks whether a set has other elements
	links        map[*slot]bool         // other slots that this one is compared with
	tied         []*slot                // whose values a set is asked for
	other        types.Value            // the element that stands for all that aren't asked for
	sampled      bool                   // somebody asks in a way that the values don't cover
}

// Survey looks at the policies that concern the environment; the numbers of
// terms and policies are those of the list.
func (s *Schema) Survey(env Environment, policies []*Policy) *Survey {
	v := &Survey{schema: s, env: env, roots: map[string]*slot{}, uids: map[string]*subject{}, ties: map[string]*tie{}}
	uid := env.Action.engine()
	v.roots["context"] = &slot{want: s.resolved.Actions[uid].AppliesTo.Context, by: mention{}}
	for name, kind := range map[string]string{"principal": env.Principal, "resource": env.Resource} {
		t := types.EntityType(kind)
		v.roots[name] = &slot{want: s.resolved.Entities[t].Shape, by: mention{}}
		v.uids[name] = &subject{uid: &slot{want: resolved.EntityType(t), by: mention{}}, above: map[types.EntityUID]mention{}}
	}
	if env.One {
		v.roots["resource"], v.uids["resource"] = v.roots["principal"], v.uids["principal"]
	}
	for i, p := range policies {
		if s.Concerns(p, env) {
			v.read(i, p)
		}
	}
	v.bind()
	v.tell()
	v.list()
	return v
}

// tell has principal and resource told apart, where they are two of one type.
// Of an enumeration, one may have to give way to the other.
func (v *Survey) tell() {
	if v.env.One || v.env.Principal != v.env.Resource {
		return
	}
	p, r := v.uids["principal"].uid, v.uids["resource"].uid
	p.link(r)
	r.link(p)
	if _, enum := v.schema.resolved.Enums[types.EntityType(v.env.Principal)]; enum {
		maps.Copy(p.by, r.by)
		maps.Copy(r.by, p.by)
	}
}

// A reader reads one policy.
type reader struct {
	*Survey
	policy   *Policy
	number   int
	sampling bool // what is read isn't covered
}

func (v *Survey) read(number int, p *Policy) {
	r := &reader{Survey: v, policy: p, number: number}
	r.scope("principal", p.ast.Principal)
	r.scope("resource", p.ast.Resource)
	var at []*span
	if statements, err := p.statements(sourceLimits); err == nil && p.index < len(statements) {
		at = statements[p.index].conditions
	}
	for i, c := range p.ast.Conditions {
		var place *span
		if i < len(at) {
			place = at[i]
		}
		r.condition(c.Body, place)
	}
}

func (r *reader) scope(name string, scope ast.IsScopeNode) {
	switch scope := scope.(type) {
	case ast.ScopeTypeEq:
		r.constant(r.uids[name].uid, scope.Entity)
	case ast.ScopeTypeIn:
		r.in(name, scope.Entity)
	case ast.ScopeTypeIsIn:
		r.in(name, scope.Entity)
	}
}

// in notes that a subject may be an entity or in it.
func (r *reader) in(name string, group types.EntityUID) {
	s := r.uids[name]
	kind := types.EntityType(s.uid.want.(resolved.EntityType))
	r.constant(s.uid, group)
	if r.schema.ladder(kind, group.Type) == nil || !r.schema.known(group) {
		return
	}
	if s.above[group] == nil {
		s.above[group] = mention{}
	}
	s.above[group][r.number] = true
}

// constant notes a value that a slot is compared with. One of another type
// can't be there.
func (r *reader) constant(s *slot, value types.Value) {
	s.by[r.number] = true
	if r.fits(value, s.want) {
		s.add(value, r.number)
	}
}

func (s *slot) add(value types.Value, number int) {
	if s.values == nil {
		s.values, s.valuesOf = map[string]types.Value{}, map[int][]types.Value{}
	}
	s.values[string(value.MarshalCedar())] = value
	s.valuesOf[number] = append(s.valuesOf[number], value)
}

// element notes an element that a set is asked for.
func (r *reader) element(s *slot, value types.Value) {
	s.by[r.number] = true
	if !r.fits(value, s.want.(resolved.SetType).Element) {
		return
	}
	if s.elements == nil {
		s.elements, s.elemBy = map[string]types.Value{}, map[string]mention{}
	}
	text := string(value.MarshalCedar())
	if s.elements[text] == nil {
		s.elements[text], s.elemBy[text] = value, mention{}
	}
	s.elemBy[text][r.number] = true
}

// fits tells whether an attribute of a type can have the value. The engine takes
// an id that an enumeration doesn't declare, and no request has it.
func (v *Survey) fits(value types.Value, want resolved.IsType) bool {
	if uid, ok := value.(types.EntityUID); ok && !v.schema.known(uid) {
		return false
	}
	return fits(value, want)
}

func fits(value types.Value, want resolved.IsType) bool {
	switch want := want.(type) {
	case resolved.StringType:
		_, ok := value.(types.String)
		return ok
	case resolved.LongType:
		_, ok := value.(types.Long)
		return ok
	case resolved.BoolType:
		_, ok := value.(types.Boolean)
		return ok
	case resolved.EntityType:
		uid, ok := value.(types.EntityUID)
		return ok && uid.Type == types.EntityType(want)
	case resolved.ExtensionType:
		switch value.(type) {
		case types.IPAddr:
			return want == "ipaddr"
		case types.Decimal:
			return want == "decimal"
		case types.Datetime:
			return want == "datetime"
		case types.Duration:
			return want == "duration"
		}
	}
	return false
}

// Covers tells whether the values cover all that one of the policies asks.
func (v *Survey) Covers(policy int) bool { return !v.opened[policy] }

const maxOpen = 1000 // more reasons than anybody reads

// open notes an expression that isn't covered, and looks for what its parts
// mention all the same.
func (r *reader) open(n ast.IsNode, at *span, format string, args ...any) {
	if r.opened == nil {
		r.opened = mention{}
	}
	r.opened[r.number] = true
	offset := r.policy.start
	if at != nil {
		offset = at.at
	}
	o := Open{r.policy.at(offset), fmt.Sprintf(format, args...)}
	if len(r.Open) < maxOpen && !slices.Contains(r.Open, o) {
		r.Open = append(r.Open, o)
	}
	r.samples(n)
}

// small are values for attributes that are compared with no literal, so that one
// can be less than, equal to or greater than the other.
var small = func() (values []types.Value) {
	for i := range 2 {
		values = append(values, types.Long(i))
		for _, kind := range []string{"decimal", "datetime", "duration"} {
			values = append(values, numberedExtension(kind, i))
		}
	}
	return append(values, numbered(resolved.StringType{}, 1))
}()

// samples gives the slots in an expression the literals in it.
func (r *reader) samples(n ast.IsNode) {
	r.sampling = true
	defer func() { r.sampling = false }()
	var slots []*slot
	var values []types.Value
	ast.Inspect(ast.NewNode(n), func(n ast.IsNode) bool {
		switch n := n.(type) {
		case ast.NodeValue:
			values = append(values, n.Value)
		case ast.NodeTypeLike:
			values = append(values, likeSamples(n.Value)...)
		case ast.NodeTypeExtensionCall:
			if v := literalCall(n); v != nil {
				values = append(values, v)
				if d, ok := v.(types.Duration); ok { // a time may be offset by it
					at := types.NewDatetimeFromMillis(d.ToMilliseconds())
					values = append(append(values, at), around(at)...)
				}
			}
		case ast.NodeTypeVariable, ast.NodeTypeAccess, ast.NodeTypeHas:
			if s, _ := r.place(n); s != nil {
				slots = append(slots, s)
			}
		}
		r.tie(n)
		return true
	})
	for _, s := range slots {
		s.by[r.number], s.sampled = true, true
		for _, v := range values {
			if set, ok := s.want.(resolved.SetType); ok && fits(v, set.Element) {
				r.element(s, v)
			} else {
				r.constant(s, v)
			}
		}
		if len(values) == 0 && scalar(s.want) {
			for _, v := range small {
				r.constant(s, v)
			}
		}
	}
}

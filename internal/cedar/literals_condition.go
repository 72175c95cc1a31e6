package cedar

import (
	"math"
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/policypin/policypin/diag"
)

// condition reads an expression that is true or false, and notes what it asks.
func (r *reader) condition(n ast.IsNode, at *span) {
	kids := children(n)
	kid := func(i int) *span {
		if at == nil || len(at.kids) != len(kids) {
			return nil
		}
		return at.kids[i]
	}
	covered := false
	switch n := n.(type) {
	case ast.NodeTypeAnd, ast.NodeTypeOr, ast.NodeTypeNot, ast.NodeTypeIfThenElse:
		for i, k := range kids {
			r.condition(k, kid(i))
		}
		return
	case ast.NodeValue:
		covered = true
	case ast.NodeTypeAccess:
		s, known := r.place(n)
		covered = known
		if s != nil {
			s.by[r.number] = true
		}
	case ast.NodeTypeHas:
		covered = r.has(n)
	case ast.NodeTypeLike:
		covered = r.like(n)
	case ast.NodeTypeEquals:
		covered = r.equal(n.Left, n.Right)
	case ast.NodeTypeNotEquals:
		covered = r.equal(n.Left, n.Right)
	case ast.NodeTypeLessThan:
		covered = r.order(n.Left, n.Right, false)
	case ast.NodeTypeLessThanOrEqual:
		covered = r.order(n.Left, n.Right, false)
	case ast.NodeTypeGreaterThan:
		covered = r.order(n.Left, n.Right, false)
	case ast.NodeTypeGreaterThanOrEqual:
		covered = r.order(n.Left, n.Right, false)
	case ast.NodeTypeExtensionCall:
		switch n.Name {
		case "lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual":
			covered = len(n.Args) == 2 && r.order(n.Args[0], n.Args[1], true)
		}
	case ast.NodeTypeIn:
		covered = r.within(n.Left, n.Right)
	case ast.NodeTypeIs:
		covered = r.is(n.Left)
	case ast.NodeTypeIsIn:
		covered = r.is(n.Left) && r.within(n.Left, n.Entity)
	case ast.NodeTypeContains:
		covered = r.contains(n.Left, n.Right)
	case ast.NodeTypeContainsAny:
		covered = r.containsMany(n.Left, n.Right)
	case ast.NodeTypeContainsAll:
		covered = r.containsMany(n.Left, n.Right)
	case ast.NodeTypeIsEmpty:
		if s, known := r.place(n.Arg); known {
			covered = true
			if s != nil {
				covered = s.all(r.number)
			}
		}
	}
	if !covered {
		r.open(n, at, "%s", uncovered(n))
	}
}

// uncovered says in words what an expression does that isn't covered.
func uncovered(n ast.IsNode) string {
	switch n := n.(type) {
	case ast.NodeTypeLike:
		return "a pattern other than one with `*` at an end alone"
	case ast.NodeTypeHasTag, ast.NodeTypeGetTag:
		return "tags"
	case ast.NodeTypeExtensionCall:
		return string(n.Name)
	case ast.NodeTypeAdd, ast.NodeTypeSub, ast.NodeTypeMult, ast.NodeTypeNegate:
		return "arithmetic"
	case ast.NodeTypeIn, ast.NodeTypeIsIn:
		return "`in` other than of principal or resource in literal entities"
	case ast.NodeTypeAccess, ast.NodeTypeHas:
		return "an attribute of an entity that is not principal or resource"
	case ast.NodeTypeEquals, ast.NodeTypeNotEquals:
		return "a comparison of two computed values"
	case ast.NodeTypeLessThan, ast.NodeTypeLessThanOrEqual, ast.NodeTypeGreaterThan, ast.NodeTypeGreaterThanOrEqual:
		return "an order of other than one attribute and one literal"
	}
	return "a set that is asked for other than literals"
}

// place finds the slot of an expression that names an attribute or a subject.
// It is nil, and known, for an attribute that no valid request has.
func (r *reader) place(n ast.IsNode) (s *slot, known bool) {
	switch n := n.(type) {
	case ast.NodeTypeVariable:
		if subject := r.uids[string(n.Name)]; subject != nil {
			return subject.uid, true
		}
	case ast.NodeTypeAccess:
		return r.attribute(n.Arg, n.Value)
	case ast.NodeTypeHas:
		return r.attribute(n.Arg, n.Value)
	}
	return nil, false
}

func (r *reader) attribute(of ast.IsNode, name types.String) (s *slot, known bool) {
	var owner *slot
	if variable, ok := of.(ast.NodeTypeVariable); ok {
		owner = r.roots[string(variable.Name)]
	} else if owner, known = r.place(of); owner == nil {
		return nil, known
	}
	if owner == nil {
		return nil, false
	}
	record, ok := owner.want.(resolved.RecordType)
	if !ok {
		record, ok = r.hop(owner)
	}
	if !ok {
		return nil, false
	}
	owner.by[r.number] = true // without the owner, asking for any attribute fails
	declared, ok := record[name]
	if !ok {
		return nil, true
	}
	if owner.kids == nil {
		owner.kids = map[types.String]*slot{}
	}
	if owner.kids[name] == nil {
		owner.kids[name] = &slot{want: declared.Type, optional: declared.Optional, by: mention{}}
	}
	return owner.kids[name], true
}

func (r *reader) has(n ast.NodeTypeHas) bool {
	s, known := r.place(n)
	if s != nil {
		s.by[r.number] = true
	}
	return known
}

// literal is the scalar that an expression spells, or nil.
func literal(n ast.IsNode) types.Value {
	switch n := n.(type) {
	case ast.NodeValue:
		return n.Value
	case ast.NodeTypeNegate:
		if v, ok := literal(n.Arg).(types.Long); ok && v != math.MinInt64 {
			return -v
		}
	case ast.NodeTypeExtensionCall:
		return literalCall(n)
	}
	return nil
}

// literals are the scalars in a set that is spelled out.
func literals(n ast.IsNode) (values []types.Value, ok bool) {
	set, ok := n.(ast.NodeTypeSet)
	if !ok {
		return nil, false
	}
	for _, e := range set.Elements {
		v := literal(e)
		if v == nil {
			return nil, false
		}
		values = append(values, v)
	}
	return values, true
}

// fixed tells whether an expression is the same for every request of the
// environment.
func fixed(n ast.IsNode) bool {
	if v, ok := n.(ast.NodeTypeVariable); ok {
		return v.Name == "action"
	}
	_, set := literals(n)
	return set || literal(n) != nil
}

func scalar(t resolved.IsType) bool {
	switch t.(type) {
	case resolved.StringType, resolved.LongType, resolved.BoolType, resolved.EntityType, resolved.ExtensionType:
		return true
	}
	return false
}

func (r *reader) equal(left, right ast.IsNode) bool {
	if fixed(left) && fixed(right) {
		return true
	}
	if fixed(left) {
		left, right = right, left
	}
	s, known := r.place(left)
	if !known {
		return false
	}
	if fixed(right) {
		return s == nil || r.equalFixed(s, right)
	}
	other, known := r.place(right)
	if !known || s == nil || other == nil {
		return known
	}
	s.by[r.number], other.by[r.number] = true, true
	if !scalar(s.want) || !scalar(other.want) {
		return false
	}
	if s.want != other.want { // never equal
		return true
	}
	switch s.want.(type) {
	case resolved.LongType, resolved.ExtensionType:
		if s != other {
			return false // the boundaries of one aren't those of the other
		}
	}
	s.link(other)
	other.link(s)
	return true
}

func (s *slot) link(other *slot) {
	if s.links == nil {
		s.links = map[*slot]bool{}
	}
	s.links[other] = true
}

func (r *reader) equalFixed(s *slot, n ast.IsNode) bool {
	s.by[r.number] = true
	if v := literal(n); v != nil {
		r.constant(s, v)
		return scalar(s.want) && !atTheEnds(v)
	}
	values, isSet := literals(n)
	if !isSet {
		return false // the action, which is of a type that attributes can have
	}
	return r.elements(s, values) && s.all(r.number)
}

// all notes that somebody asks for all elements of a set.
func (s *slot) all(number int) bool {
	if _, ok := s.want.(resolved.SetType); !ok {
		return false
	}
	if s.by[number] = true; s.more == nil {
		s.more = mention{}
	}
	s.more[number] = true
	return true
}

func (r *reader) elements(s *slot, values []types.Value) bool {
	set, ok := s.want.(resolved.SetType)
	if !ok || !scalar(set.Element) {
		return false
	}
	s.by[r.number] = true
	for _, v := range values {
		r.element(s, v)
	}
	return true
}

// order notes a comparison with a literal. Decimals are compared by methods, and
// nothing else is.
func (r *reader) order(left, right ast.IsNode, method bool) bool {
	if literal(left) != nil {
		left, right = right, left
	}
	s, known := r.place(left)
	v := literal(right)
	if _, decimal := v.(types.Decimal); !known || decimal != method || !hasNeighbours(v) {
		return false
	}
	if s == nil {
		return true
	}
	if !fits(v, s.want) {
		return false
	}
	s.by[r.number], s.ordered = true, true
	r.constant(s, v)
	return true
}

func (r *reader) is(n ast.IsNode) bool {
	if v, ok := n.(ast.NodeTypeVariable); ok {
		return v.Name != "context"
	}
	s, known := r.place(n)
	if s != nil {
		s.by[r.number] = true
		_, known = s.want.(resolved.EntityType)
	}
	return known
}

func (r *reader) within(left, right ast.IsNode) bool {
	variable, ok := left.(ast.NodeTypeVariable)
	groups, isSet := literals(right)
	if v := literal(right); v != nil {
		groups, isSet = []types.Value{v}, true
	}
	if !ok || !isSet || variable.Name == "context" {
		return false
	}
	if variable.Name == "action" {
		return true
	}
	for _, g := range groups {
		uid, ok := g.(types.EntityUID)
		if !ok {
			return false
		}
		r.in(string(variable.Name), uid)
	}
	return true
}

func (r *reader) contains(left, right ast.IsNode) bool {
	if values, ok := literals(left); ok {
		s, known := r.place(right)
		if s == nil {
			return known || fixed(right)
		}
		s.by[r.number] = true // it may be missing, whatever it is compared with
		for _, v := range values {
			r.constant(s, v)
		}
		return scalar(s.want) && !slices.ContainsFunc(values, atTheEnds)
	}
	v := literal(right)
	s, known := r.place(left)
	if known && s != nil && v == nil {
		return r.holds(s, left, right)
	}
	if !known || v == nil {
		return false
	}
	return s == nil || r.elements(s, []types.Value{v})
}

// containsMany is about containsAny and containsAll.
func (r *reader) containsMany(left, right ast.IsNode) bool {
	if fixed(left) && fixed(right) {
		return true
	}
	reverse := fixed(left)
	if reverse {
		left, right = right, left
	}
	s, known := r.place(left)
	values, isSet := literals(right)
	if !known || !isSet {
		return false
	}
	if s == nil {
		return true
	}
	return r.elements(s, values) && (!reverse || s.all(r.number))
}

// literalCall is the value of a function such as ip("10.0.0.1"), or nil.
func literalCall(n ast.NodeTypeExtensionCall) types.Value {
	if len(n.Args) != 1 {
		return nil
	}
	text, ok := literal(n.Args[0]).(types.String)
	if !ok {
		return nil
	}
	var t typing
	for kind, function := range constructors {
		if function == string(n.Name) {
			if v, ok := t.extension(diag.Position{}, kind, string(text), label{}); ok {
				return v
			}
		}
	}
	return nil
}

package cedar

import (
	"math/bits"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

// cedar-go's type checker differs from the official engine's in five ways, which
// the comparison with that engine found. Each is closed by handing it a policy
// that says the same in other words:
//
//   - "a is T in b" is "a is T && a in b". cedar-go doesn't see that it is false
//     for another type, and then objects to what it guards.
//   - "x == x" of a variable other than action isn't known to be true. cedar-go
//     takes it for that, and leaves the other branch of an if unchecked.
//   - Conditions are one chain of &&: behind a "when { false }", nothing is checked.
//   - A datetime can't be compared with a duration.
//   - A decimal has no plus sign.

// What it evaluates in another way is in decidable.go.

// A reading is what the type checker says of a policy.
type reading struct {
	errs   []error
	other  rewriter // what the policy was rewritten by to get the errors; nil: nothing
	hidden bool     // no error is one for the official engine: it stops at a condition that is never true
}

func (s *Schema) read(tree *ast.Policy) reading {
	err := s.validator.Policy("", tree)
	mixed, odd := s.suspicious(tree)
	if err == nil && !mixed && !odd {
		return reading{}
	}
	official := rewriteAll(tree, spelledOut)
	if err = s.validator.Policy("", official); err != nil {
		hidden := len(tree.Conditions) > 1 && s.validator.Policy("", joined(official)) == nil
		return reading{flatten(err), spelledOut, hidden}
	}
	if mixed {
		err = s.validator.Policy("", joined(rewriteAll(official, comparable)))
	}
	return reading{errs: flatten(err), other: func(n ast.IsNode, at *span) (ast.IsNode, *span) {
		n, at = spelledOut(n, at)
		return comparable(n, at)
	}}
}

// joined makes one condition of all.
func joined(tree *ast.Policy) *ast.Policy {
	if len(tree.Conditions) < 2 {
		return tree
	}
	all := *tree
	var body ast.IsNode
	for _, c := range tree.Conditions {
		one := c.Body
		if c.Condition == ast.ConditionUnless {
			one = not(one)
		}
		if body == nil {
			body = one
		} else {
			body = and(body, one)
		}
	}
	all.Conditions = []ast.ConditionType{{Condition: ast.ConditionWhen, Body: body}}
	return &all
}

// A rewriter replaces a node whose parts have been rewritten, and its span, which
// may be nil.
type rewriter func(n ast.IsNode, at *span) (ast.IsNode, *span)

// spelledOut is for "is in", for a variable compared with itself, and for signs.
func spelledOut(n ast.IsNode, at *span) (ast.IsNode, *span) {
	switch n := n.(type) {
	case ast.NodeTypeIsIn:
		is, in := at.of(0), at.of(0, 1)
		return and(n.NodeTypeIs, ast.NodeTypeIn{BinaryNode: ast.BinaryNode{Left: n.Left, Right: n.Entity}}), at.over(is, in)
	case ast.NodeTypeEquals:
		if sameVariable(n.BinaryNode) {
			return contained(n.BinaryNode), at.over(at.of(0), at.kid(1))
		}
	case ast.NodeTypeNotEquals:
		if sameVariable(n.BinaryNode) {
			return not(contained(n.BinaryNode)), at.over(at.over(at.of(0), at.kid(1)))
		}
	case ast.NodeTypeExtensionCall:
		return refused(n, at)
	}
	return n, at
}

func sameVariable(n ast.BinaryNode) bool {
	left, ok := n.Left.(ast.NodeTypeVariable)
	right, too := n.Right.(ast.NodeTypeVariable)
	return ok && too && left.Name == right.Name && left.Name != "action"
}

func contained(n ast.BinaryNode) ast.IsNode {
	return ast.NodeTypeContains{BinaryNode: ast.BinaryNode{Left: ast.NodeTypeSet{Elements: []ast.IsNode{n.Left}}, Right: n.Right}}
}

// comparable replaces comparisons by sets, whose elements have to be of one type.
func comparable(n ast.IsNode, at *span) (ast.IsNode, *span) {
	if b, ok := comparison(n); ok {
		return ast.NodeTypeIsEmpty{UnaryNode: ast.UnaryNode{Arg: ast.NodeTypeSet{Elements: []ast.IsNode{b.Left, b.Right}}}}, at.over(at.of(0, 1))
	}
	return n, at
}

func comparison(n ast.IsNode) (ast.BinaryNode, bool) {
	switch n := n.(type) {
	case ast.NodeTypeLessThan:
		return n.BinaryNode, true
	case ast.NodeTypeLessThanOrEqual:
		return n.BinaryNode, true
	case ast.NodeTypeGreaterThan:
		return n.BinaryNode, true
	case ast.NodeTypeGreaterThanOrEqual:
		return n.BinaryNode, true
	}
	return ast.BinaryNode{}, false
}

// of is a span at the same place over some of the parts, and over one over others.
func (s *span) of(parts ...int) *span {
	var kids []*span
	for _, i := range parts {
		kids = append(kids, s.kid(i))
	}
	return s.over(kids...)
}

func (s *span) over(kids ...*span) *span {
	if s == nil {
		return nil
	}
	return &span{start: s.start, at: s.at, kids: kids}
}

func (s *span) kid(i int) *span {
	if s == nil || i >= len(s.kids) {
		return s
	}
	return s.kids[i]
}

func rewriteAll(tree *ast.Policy, by rewriter) *ast.Policy {
	other := *tree
	other.Conditions = make([]ast.ConditionType, len(tree.Conditions))
	for i, c := range tree.Conditions {
		body, _ := transform(c.Body, nil, by)
		other.Conditions[i] = ast.ConditionType{Condition: c.Condition, Body: body}
	}
	return &other
}

// transform replaces the parts of n, then n itself.
func transform(n ast.IsNode, at *span, by rewriter) (ast.IsNode, *span) {
	kids := children(n)
	if len(kids) == 0 {
		return by(n, at)
	}
	nodes, spans := make([]ast.IsNode, len(kids)), make([]*span, len(kids))
	for i, kid := range kids {
		nodes[i], spans[i] = transform(kid, at.kid(i), by)
	}
	return by(withChildren(n, nodes), at.over(spans...))
}

// The kinds of values that have an order.
const (
	isLong = 1 << iota
	isDatetime
	isDuration
	isAny = isLong | isDatetime | isDuration
)

func orderedType(t resolved.IsType) uint {
	switch t {
	case resolved.LongType{}:
		return isLong
	case resolved.ExtensionType("datetime"):
		return isDatetime
	case resolved.ExtensionType("duration"):
		return isDuration
	}
	return 0
}

// suspicious tells whether the policy compares what may be of two types, and
// whether cedar-go may accept it for another of the reasons above.
func (s *Schema) suspicious(tree *ast.Policy) (mixed, odd bool) {
	for _, c := range tree.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			switch n := n.(type) {
			case ast.NodeTypeEquals:
				odd = odd || sameVariable(n.BinaryNode)
			case ast.NodeTypeNotEquals:
				odd = odd || sameVariable(n.BinaryNode)
			case ast.NodeTypeExtensionCall:
				_, plus := signed(n)
				odd = odd || plus
			default:
				if b, ok := comparison(n); ok {
					mixed = mixed || bits.OnesCount(s.ordered(b.Left)|s.ordered(b.Right)) > 1
				}
			}
			return !mixed || !odd
		})
	}
	return mixed, odd
}

// ordered says which kinds of value an expression may have, going by names: an
// attribute has those of all attributes of that name in the schema.
func (s *Schema) ordered(n ast.IsNode) uint {
	switch n := n.(type) {
	case ast.NodeValue:
		if _, ok := n.Value.(types.Long); ok {
			return isLong
		}
		return 0
	case ast.NodeTypeAdd, ast.NodeTypeSub, ast.NodeTypeMult, ast.NodeTypeNegate:
		return isLong
	case ast.NodeTypeExtensionCall:
		return orderedBy[string(n.Name)]
	case ast.NodeTypeIfThenElse:
		return s.ordered(n.Then) | s.ordered(n.Else)
	case ast.NodeTypeAccess:
		if root(n) != "" {
			return s.kinds[string(n.Value)]
		}
	}
	return isAny
}

var orderedBy = map[string]uint{
	"datetime": isDatetime, "offset": isDatetime, "toDate": isDatetime,
	"duration": isDuration, "durationSince": isDuration, "toTime": isDuration,
	"toDays": isLong, "toHours": isLong, "toMinutes": isLong, "toSeconds": isLong, "toMilliseconds": isLong,
}

// signed gives the literal that a decimal is made from, if it starts with a plus
// sign.
func signed(n ast.IsNode) (text types.String, ok bool) {
	call, ok := n.(ast.NodeTypeExtensionCall)
	if !ok || call.Name != "decimal" || len(call.Args) != 1 {
		return "", false
	}
	value, ok := call.Args[0].(ast.NodeValue)
	if !ok {
		return "", false
	}
	text, ok = value.Value.(types.String)
	return text, ok && strings.HasPrefix(string(text), "+")
}

// refused gives such a literal a second sign, so that cedar-go refuses it too.
func refused(n ast.IsNode, at *span) (ast.IsNode, *span) {
	if text, ok := signed(n); ok {
		return call("decimal", constant("+"+text)), at
	}
	return n, at
}

func constant(v types.Value) ast.IsNode { return ast.NodeValue{Value: v} }

func call(name types.Path, args ...ast.IsNode) ast.IsNode {
	return ast.NodeTypeExtensionCall{Name: name, Args: args}
}

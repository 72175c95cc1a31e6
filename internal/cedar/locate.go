package cedar

import (
	"maps"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// maxTrialNodes bounds what finding the positions in one policy may cost, in
// nodes that the validator visits, each once for every combination of principal,
// action and resource types. It is about a second. Past it, problems point at
// what was found so far.
const maxTrialNodes = 4_000_000

// A finding is a message of the validator and the part that causes it.
type finding struct {
	message string
	node    ast.IsNode
	offset  int
	actions []string // for which it is so, if the message is about the context
}

// A locator finds the parts of one condition that cause the validator's
// messages, by asking it about each part alone: a part that gives a message
// which none of its own parts gives is the cause.
type locator struct {
	*check
	found []finding
}

// messages counts what the validator says about n where the guards hold.
func (l *locator) messages(guards []ast.IsNode, n ast.IsNode) map[string]int {
	for _, g := range slices.Backward(guards) {
		n = and(g, n)
	}
	if l.budget <= 0 {
		return nil
	}
	ast.Inspect(ast.NewNode(n), func(ast.IsNode) bool { l.budget--; return true })
	trial := ast.Policy{
		Effect: l.policy.ast.Effect, Principal: l.policy.ast.Principal, Action: l.policy.ast.Action, Resource: l.policy.ast.Resource,
		Conditions: []ast.ConditionType{{Condition: ast.ConditionWhen, Body: n}},
	}
	counts := map[string]int{}
	for _, err := range flatten(l.schema.validator.Policy("", &trial)) {
		if message := err.Error(); !aboutScope(message) {
			counts[message]++
		}
	}
	return counts
}

// aboutScope tells whether a message can't come from a condition.
func aboutScope(message string) bool {
	return strings.HasPrefix(message, "unrecognized ") || strings.HasPrefix(message, "unable to find an applicable action")
}

// descend looks for the causes of messages in n and its parts.
func (l *locator) descend(n ast.IsNode, at *span, guards []ast.IsNode, messages map[string]int) {
	if len(messages) == 0 {
		return
	}
	left := maps.Clone(messages)
	before, outer := len(l.found), len(guards)
	for _, part := range parts(n, at) {
		trial := part.node
		if !part.boolean {
			// Any expression may stand in a set, and isEmpty makes it a condition.
			trial = ast.NodeTypeIsEmpty{UnaryNode: ast.UnaryNode{Arg: ast.NodeTypeSet{Elements: []ast.IsNode{part.node}}}}
		}
		g := guards
		if part.otherwise && len(guards) > outer {
			g = append(guards[:outer:outer], not(guards[outer]))
		}
		inside := l.messages(g, trial)
		l.descend(part.node, part.span, g, inside)
		for message, count := range inside {
			left[message] -= count
			if strings.HasPrefix(message, unsafeTag) {
				left[message] = 0 // counted by types, not by places
			}
		}
		if len(inside) > 0 || !narrows(part.node) {
			continue
		}
		switch part.guard {
		case holds:
			guards = append(guards[:len(guards):len(guards)], part.node)
		case fails:
			guards = append(guards[:len(guards):len(guards)], not(part.node))
		}
	}
	if chain(n) && len(l.found) > before && l.budget > 0 {
		// The engine forgets what a "has" established once anything beside it
		// is wrong, and so reports more than is wrong.
		return
	}
	for _, message := range slices.Sorted(maps.Keys(left)) {
		if left[message] > 0 {
			offset := at.at
			if strings.HasPrefix(message, "unexpected type: expected Bool ") {
				offset = at.start
			}
			l.found = append(l.found, finding{message: message, node: n, offset: offset})
		}
	}
}

// A part is an operand, and what its place means for it and for those after it.
type part struct {
	node ast.IsNode
	*span
	boolean   bool  // must be a Bool
	guard     guard // what is known of it in the parts after it
	otherwise bool  // is evaluated when the first part is false
}

type guard int

const (
	unknown guard = iota
	holds
	fails
)

// parts lists the operands of an expression. Those of a chain of && or || are
// parts of the whole chain, so that long ones take linear time.
func parts(n ast.IsNode, at *span) []part {
	kids := children(n)
	if len(kids) != len(at.kids) {
		return nil // not the same tree: can't happen, and the node itself will do
	}
	switch n := n.(type) {
	case ast.NodeTypeAnd:
		return operands(n, at, holds, func(n ast.IsNode) (ast.BinaryNode, bool) {
			and, ok := n.(ast.NodeTypeAnd)
			return and.BinaryNode, ok
		})
	case ast.NodeTypeOr:
		return operands(n, at, fails, func(n ast.IsNode) (ast.BinaryNode, bool) {
			or, ok := n.(ast.NodeTypeOr)
			return or.BinaryNode, ok
		})
	case ast.NodeTypeIfThenElse:
		return []part{
			{node: n.If, span: at.kids[0], boolean: true, guard: holds},
			{node: n.Then, span: at.kids[1]},
			{node: n.Else, span: at.kids[2], otherwise: true},
		}
	case ast.NodeTypeNot:
		return []part{{node: n.Arg, span: at.kids[0], boolean: true}}
	}
	list := make([]part, len(kids))
	for i, kid := range kids {
		list[i] = part{node: kid, span: at.kids[i]}
	}
	return list
}

// operands lists those of a chain of one operator, from left to right.
func operands(n ast.IsNode, at *span, g guard, split func(ast.IsNode) (ast.BinaryNode, bool)) []part {
	var list []part
	for {
		b, ok := split(n)
		if !ok || len(at.kids) != 2 {
			break
		}
		list = append(list, part{node: b.Right, span: at.kids[1], boolean: true, guard: g})
		n, at = b.Left, at.kids[0]
	}
	list = append(list, part{node: n, span: at, boolean: true, guard: g})
	slices.Reverse(list)
	return list
}

// chain tells whether n only joins conditions.
func chain(n ast.IsNode) bool {
	switch n.(type) {
	case ast.NodeTypeAnd, ast.NodeTypeOr, ast.NodeTypeNot, ast.NodeTypeIfThenElse:
		return true
	}
	return false
}

// narrows tells whether n may change what the validator says of the parts after
// it: by establishing that an attribute or a tag is there, or by being always
// true or false for some types of principal, action or resource.
func narrows(n ast.IsNode) bool {
	found := false
	ast.Inspect(ast.NewNode(n), func(n ast.IsNode) bool {
		switch n := n.(type) {
		case ast.NodeTypeHas, ast.NodeTypeHasTag, ast.NodeTypeIs, ast.NodeTypeIsIn, ast.NodeTypeIn:
			found = true
		case ast.NodeTypeVariable:
			// As an operand of its own: its type may rule a comparison out.
			found = found || n.Name != "context"
		case ast.NodeTypeAccess:
			return false
		case ast.NodeValue:
			_, isBool := n.Value.(types.Boolean)
			found = found || isBool
		}
		return !found
	})
	return found
}

func not(n ast.IsNode) ast.IsNode { return ast.NodeTypeNot{UnaryNode: ast.UnaryNode{Arg: n}} }

func and(left, right ast.IsNode) ast.IsNode {
	return ast.NodeTypeAnd{BinaryNode: ast.BinaryNode{Left: left, Right: right}}
}

// children lists the parts of an expression in the order of the source, as
// [span] has them.
func children(n ast.IsNode) []ast.IsNode {
	two := func(b ast.BinaryNode) []ast.IsNode { return []ast.IsNode{b.Left, b.Right} }
	switch n := n.(type) {
	case ast.NodeTypeNot:
		return []ast.IsNode{n.Arg}
	case ast.NodeTypeNegate:
		return []ast.IsNode{n.Arg}
	case ast.NodeTypeIsEmpty:
		return []ast.IsNode{n.Arg}
	case ast.NodeTypeAccess:
		return []ast.IsNode{n.Arg}
	case ast.NodeTypeHas:
		return []ast.IsNode{n.Arg}
	case ast.NodeTypeLike:
		return []ast.IsNode{n.Arg}
	case ast.NodeTypeIs:
		return []ast.IsNode{n.Left}
	case ast.NodeTypeIsIn:
		return []ast.IsNode{n.Left, n.Entity}
	case ast.NodeTypeEquals:
		return two(n.BinaryNode)
	case ast.NodeTypeNotEquals:
		return two(n.BinaryNode)
	case ast.NodeTypeLessThan:
		return two(n.BinaryNode)
	case ast.NodeTypeLessThanOrEqual:
		return two(n.BinaryNode)
	case ast.NodeTypeGreaterThan:
		return two(n.BinaryNode)
	case ast.NodeTypeGreaterThanOrEqual:
		return two(n.BinaryNode)
	case ast.NodeTypeIn:
		return two(n.BinaryNode)
	case ast.NodeTypeAnd:
		return two(n.BinaryNode)
	case ast.NodeTypeOr:
		return two(n.BinaryNode)
	case ast.NodeTypeAdd:
		return two(n.BinaryNode)
	case ast.NodeTypeSub:
		return two(n.BinaryNode)
	case ast.NodeTypeMult:
		return two(n.BinaryNode)
	case ast.NodeTypeContains:
		return two(n.BinaryNode)
	case ast.NodeTypeContainsAll:
		return two(n.BinaryNode)
	case ast.NodeTypeContainsAny:
		return two(n.BinaryNode)
	case ast.NodeTypeGetTag:
		return two(n.BinaryNode)
	case ast.NodeTypeHasTag:
		return two(n.BinaryNode)
	case ast.NodeTypeIfThenElse:
		return []ast.IsNode{n.If, n.Then, n.Else}
	case ast.NodeTypeSet:
		return n.Elements
	case ast.NodeTypeExtensionCall:
		return n.Args
	case ast.NodeTypeRecord:
		kids := make([]ast.IsNode, len(n.Elements))
		for i, member := range n.Elements {
			kids[i] = member.Value
		}
		return kids
	}
	return nil
}

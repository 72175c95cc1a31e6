package cedar

import (
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// A printer writes statements in one layout, with parentheses around every
// operand that is an operation itself, as a service does that prints from the
// parsed form. Comments are gone by then.
type printer struct{ strings.Builder }

func (p *printer) policy(t *ast.Policy) {
	for _, a := range t.Annotations {
		p.write("@", string(a.Key), "(")
		p.Write(a.Value.MarshalCedar())
		p.write(")\n")
	}
	p.write(effect(t), " (\n  ")
	p.scope("principal", t.Principal)
	p.write(",\n  ")
	p.scope("action", t.Action)
	p.write(",\n  ")
	p.scope("resource", t.Resource)
	p.write("\n)")
	for _, c := range t.Conditions {
		if c.Condition == ast.ConditionWhen {
			p.write("\nwhen { ")
		} else {
			p.write("\nunless { ")
		}
		p.node(c.Body)
		p.write(" }")
	}
	p.write(";\n")
}

func (p *printer) write(parts ...string) {
	for _, s := range parts {
		p.WriteString(s)
	}
}

func (p *printer) scope(variable string, s ast.IsScopeNode) {
	p.write(variable)
	switch s := s.(type) {
	case ast.ScopeTypeEq:
		p.write(" == ", s.Entity.String())
	case ast.ScopeTypeIn:
		p.write(" in ", s.Entity.String())
	case ast.ScopeTypeInSet:
		p.write(" in [")
		for i, uid := range s.Entities {
			p.comma(i)
			p.write(uid.String())
		}
		p.write("]")
	case ast.ScopeTypeIs:
		p.write(" is ", string(s.Type))
	case ast.ScopeTypeIsIn:
		p.write(" is ", string(s.Type), " in ", s.Entity.String())
	}
}

func (p *printer) comma(i int) {
	if i > 0 {
		p.write(", ")
	}
}

// operand writes n as part of a larger expression.
func (p *printer) operand(n ast.IsNode) {
	if primary(n) {
		p.node(n)
		return
	}
	p.write("(")
	p.node(n)
	p.write(")")
}

// primary tells whether an expression needs no parentheses anywhere.
func primary(n ast.IsNode) bool {
	switch n := n.(type) {
	case ast.NodeValue:
		long, ok := n.Value.(types.Long)
		return !ok || long >= 0 // "-(5)" and "-5" are two things
	case ast.NodeTypeVariable, ast.NodeTypeAccess, ast.NodeTypeSet, ast.NodeTypeRecord, ast.NodeTypeExtensionCall,
		ast.NodeTypeContains, ast.NodeTypeContainsAll, ast.NodeTypeContainsAny, ast.NodeTypeIsEmpty,
		ast.NodeTypeGetTag, ast.NodeTypeHasTag:
		return true
	}
	return false
}

func (p *printer) node(n ast.IsNode) {
	switch n := n.(type) {
	case ast.NodeValue:
		p.Write(n.Value.MarshalCedar())
	case ast.NodeTypeVariable:
		p.write(string(n.Name))
	case ast.NodeTypeNot:
		p.write("!")
		p.operand(n.Arg)
	case ast.NodeTypeNegate:
		p.write("-")
		if v, ok := n.Arg.(ast.NodeValue); ok {
			p.write("(")
			p.node(v)
			p.write(")")
			return
		}
		p.operand(n.Arg)
	case ast.NodeTypeEquals:
		p.binary(n.Left, "==", n.Right)
	case ast.NodeTypeNotEquals:
		p.binary(n.Left, "!=", n.Right)
	case ast.NodeTypeLessThan:
		p.binary(n.Left, "<", n.Right)
	case ast.NodeTypeLessThanOrEqual:
		p.binary(n.Left, "<=", n.Right)
	case ast.NodeTypeGreaterThan:
		p.binary(n.Left, ">", n.Right)
	case ast.NodeTypeGreaterThanOrEqual:
		p.binary(n.Left, ">=", n.Right)
	case ast.NodeTypeIn:
		p.binary(n.Left, "in", n.Right)
	case ast.NodeTypeAnd:
		_, more := n.Left.(ast.NodeTypeAnd)
		p.joined(n.Left, "&&", n.Right, more)
	case ast.NodeTypeOr:
		_, more := n.Left.(ast.NodeTypeOr)
		p.joined(n.Left, "||", n.Right, more)
	case ast.NodeTypeAdd:
		p.sum(n.Left, "+", n.Right)
	case ast.NodeTypeSub:
		p.sum(n.Left, "-", n.Right)
	case ast.NodeTypeMult:
		_, more := n.Left.(ast.NodeTypeMult)
		p.joined(n.Left, "*", n.Right, more)
	case ast.NodeTypeContains:
		p.call(n.Left, "contains", n.Right)
	case ast.NodeTypeContainsAll:
		p.call(n.Left, "containsAll", n.Right)
	case ast.NodeTypeContainsAny:
		p.call(n.Left, "containsAny", n.Right)
	case ast.NodeTypeIsEmpty:
		p.call(n.Arg, "isEmpty")
	case ast.NodeTypeGetTag:
		p.call(n.Left, "getTag", n.Right)
	case ast.NodeTypeHasTag:
		p.call(n.Left, "hasTag", n.Right)
	case ast.NodeTypeExtensionCall:
		p.extension(n)
	case ast.NodeTypeAccess:
		p.operand(n.Arg)
		if ident(string(n.Value)) {
			p.write(".", string(n.Value))
			return
		}
		p.write("[")
		p.Write(n.Value.MarshalCedar())
		p.write("]")
	case ast.NodeTypeHas:
		p.operand(n.Arg)
		p.write(" has ")
		if ident(string(n.Value)) {
			p.write(string(n.Value))
			return
		}
		p.Write(n.Value.MarshalCedar())
	case ast.NodeTypeLike:
		p.operand(n.Arg)
		p.write(" like ")
		p.Write(n.Value.MarshalCedar())
	case ast.NodeTypeIs:
		p.operand(n.Left)
		p.write(" is ", string(n.EntityType))
	case ast.NodeTypeIsIn:
		p.operand(n.Left)
		p.write(" is ", string(n.EntityType), " in ")
		p.operand(n.Entity)
	case ast.NodeTypeIfThenElse:
		p.write("if ")
		p.operand(n.If)
		p.write(" then ")
		p.operand(n.Then)
		p.write(" else ")
		p.operand(n.Else)
	case ast.NodeTypeSet:
		p.write("[")
		p.list(n.Elements)
		p.write("]")
	case ast.NodeTypeRecord:
		p.write("{")
		for i, member := range n.Elements {
			p.comma(i)
			p.Write(member.Key.MarshalCedar())
			p.write(": ")
			p.node(member.Value)
		}
		p.write("}")
	}
}

func (p *printer) binary(left ast.IsNode, op string, right ast.IsNode) {
	p.joined(left, op, right, false)
}

// joined prints an operation. If more is true, there is one of the same precedence
// on the left: as the operators bind to the left, and a chain may be long, it gets
// no parentheses.
func (p *printer) joined(left ast.IsNode, op string, right ast.IsNode, more bool) {
	if more {
		p.node(left)
	} else {
		p.operand(left)
	}
	p.write(" ", op, " ")
	p.operand(right)
}

func (p *printer) sum(left ast.IsNode, op string, right ast.IsNode) {
	more := false
	switch left.(type) {
	case ast.NodeTypeAdd, ast.NodeTypeSub:
		more = true
	}
	p.joined(left, op, right, more)
}

func (p *printer) call(receiver ast.IsNode, method string, args ...ast.IsNode) {
	p.operand(receiver)
	p.write(".", method, "(")
	p.list(args)
	p.write(")")
}

func (p *printer) extension(n ast.NodeTypeExtensionCall) {
	if _, ok := functions[string(n.Name)]; !ok && len(n.Args) > 0 {
		p.call(n.Args[0], string(n.Name), n.Args[1:]...)
		return
	}
	p.write(string(n.Name), "(")
	p.list(n.Args)
	p.write(")")
}

func (p *printer) list(nodes []ast.IsNode) {
	for i, n := range nodes {
		p.comma(i)
		p.node(n)
	}
}

// ident tells whether a name can be written without quotes.
func ident(s string) bool {
	if s == "" || !identStart(s[0]) || reserved[s] {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !identStart(s[i]) && !digit(s[i]) {
			return false
		}
	}
	return true
}

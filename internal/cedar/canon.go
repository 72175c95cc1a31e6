package cedar

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// An encoder writes Cedar's JSON form of statements, as the Cedar documentation
// describes it under "JSON policy format". It is ours and not cedar-go's
// because a digest must not change when that library does, because cedar-go's
// takes quadratic time in the depth of an expression, and for the numbers.
type encoder struct {
	buf []byte
	// longs writes an integer beyond ±(2^53-1), which a JSON number can't hold
	// without loss, as {"__long":"9007199254740993"}. No value that is written
	// in a policy has this form otherwise, so no two policies get the same text.
	longs bool
	// core writes what the official engine keeps of a statement once it has
	// parsed it: a != b as !(a == b), a > b as !(a <= b), a >= b as !(a < b), and
	// all conditions as one. A text printed from there parses to another
	// canonical JSON but to the same statement.
	core bool
}

// policy writes one statement, members in the order of RFC 8785.
func (e *encoder) policy(p *ast.Policy) {
	e.raw(`{"action":`)
	e.scope(p.Action)
	if len(p.Annotations) > 0 {
		e.raw(`,"annotations":{`)
		annotations := slices.Clone(p.Annotations)
		slices.SortFunc(annotations, func(a, b ast.AnnotationType) int {
			if a.Key < b.Key {
				return -1
			}
			return 1
		})
		for i, a := range annotations {
			e.comma(i)
			e.string(string(a.Key))
			e.raw(`:`)
			e.string(string(a.Value))
		}
		e.raw(`}`)
	}
	e.raw(`,"conditions":[`)
	if e.core {
		if body := conjunction(p.Conditions); body != nil {
			e.node(body)
		}
	} else {
		for i, c := range p.Conditions {
			e.comma(i)
			e.raw(`{"body":`)
			e.node(c.Body)
			if c.Condition == ast.ConditionWhen {
				e.raw(`,"kind":"when"}`)
			} else {
				e.raw(`,"kind":"unless"}`)
			}
		}
	}
	e.raw(`],"effect":"`)
	e.raw(effect(p))
	e.raw(`","principal":`)
	e.scope(p.Principal)
	e.raw(`,"resource":`)
	e.scope(p.Resource)
	e.raw(`}`)
}

func effect(p *ast.Policy) string {
	if p.Effect == ast.EffectPermit {
		return "permit"
	}
	return "forbid"
}

// conjunction joins conditions as the official engine does, or returns nil.
func conjunction(conditions []ast.ConditionType) ast.IsNode {
	var all ast.IsNode
	for _, c := range conditions {
		body := c.Body
		if c.Condition == ast.ConditionUnless {
			body = ast.NodeTypeNot{UnaryNode: ast.UnaryNode{Arg: body}}
		}
		if all == nil {
			all = body
			continue
		}
		all = ast.NodeTypeAnd{BinaryNode: ast.BinaryNode{Left: all, Right: body}}
	}
	return all
}

func (e *encoder) scope(s ast.IsScopeNode) {
	switch s := s.(type) {
	case ast.ScopeTypeAll:
		e.raw(`{"op":"All"}`)
	case ast.ScopeTypeEq:
		e.raw(`{"entity":`)
		e.entity(s.Entity)
		e.raw(`,"op":"=="}`)
	case ast.ScopeTypeIn:
		e.raw(`{"entity":`)
		e.entity(s.Entity)
		e.raw(`,"op":"in"}`)
	case ast.ScopeTypeInSet:
		// As in the official engine, a set of one entity is that entity.
		if len(s.Entities) == 1 {
			e.scope(ast.ScopeTypeIn{Entity: s.Entities[0]})
			return
		}
		e.raw(`{"entities":[`)
		for i, uid := range s.Entities {
			e.comma(i)
			e.entity(uid)
		}
		e.raw(`],"op":"in"}`)
	case ast.ScopeTypeIs:
		e.raw(`{"entity_type":`)
		e.string(string(s.Type))
		e.raw(`,"op":"is"}`)
	case ast.ScopeTypeIsIn:
		e.raw(`{"entity_type":`)
		e.string(string(s.Type))
		e.raw(`,"in":{"entity":`)
		e.entity(s.Entity)
		e.raw(`},"op":"is"}`)
	default:
		panic(fmt.Sprintf("scope %T", s))
	}
}

func (e *encoder) entity(uid types.EntityUID) {
	e.raw(`{"id":`)
	e.string(string(uid.ID))
	e.raw(`,"type":`)
	e.string(string(uid.Type))
	e.raw(`}`)
}

func (e *encoder) node(n ast.IsNode) {
	switch n := n.(type) {
	case ast.NodeValue:
		e.raw(`{"Value":`)
		e.value(n.Value)
		e.raw(`}`)
	case ast.NodeTypeVariable:
		e.raw(`{"Var":`)
		e.string(string(n.Name))
		e.raw(`}`)
	case ast.NodeTypeNot:
		e.unary("!", n.UnaryNode)
	case ast.NodeTypeNegate:
		e.unary("neg", n.UnaryNode)
	case ast.NodeTypeIsEmpty:
		e.unary("isEmpty", n.UnaryNode)
	case ast.NodeTypeEquals:
		e.binary("==", n.BinaryNode)
	case ast.NodeTypeNotEquals:
		e.binaryOrNot("!=", "==", n.BinaryNode)
	case ast.NodeTypeLessThan:
		e.binary("<", n.BinaryNode)
	case ast.NodeTypeLessThanOrEqual:
		e.binary("<=", n.BinaryNode)
	case ast.NodeTypeGreaterThan:
		e.binaryOrNot(">", "<=", n.BinaryNode)
	case ast.NodeTypeGreaterThanOrEqual:
		e.binaryOrNot(">=", "<", n.BinaryNode)
	case ast.NodeTypeIn:
		e.binary("in", n.BinaryNode)
	case ast.NodeTypeAnd:
		e.binary("&&", n.BinaryNode)
	case ast.NodeTypeOr:
		e.binary("||", n.BinaryNode)
	case ast.NodeTypeAdd:
		e.binary("+", n.BinaryNode)
	case ast.NodeTypeSub:
		e.binary("-", n.BinaryNode)
	case ast.NodeTypeMult:
		e.binary("*", n.BinaryNode)
	case ast.NodeTypeContains:
		e.binary("contains", n.BinaryNode)
	case ast.NodeTypeContainsAll:
		e.binary("containsAll", n.BinaryNode)
	case ast.NodeTypeContainsAny:
		e.binary("containsAny", n.BinaryNode)
	case ast.NodeTypeGetTag:
		e.binary("getTag", n.BinaryNode)
	case ast.NodeTypeHasTag:
		e.binary("hasTag", n.BinaryNode)
	case ast.NodeTypeAccess:
		e.attribute(".", n.StrOpNode)
	case ast.NodeTypeHas:
		e.attribute("has", n.StrOpNode)
	case ast.NodeTypeLike:
		e.raw(`{"like":{"left":`)
		e.node(n.Arg)
		e.raw(`,"pattern":`)
		e.pattern(n.Value)
		e.raw(`}}`)
	case ast.NodeTypeIs:
		e.raw(`{"is":{"entity_type":`)
		e.string(string(n.EntityType))
		e.raw(`,"left":`)
		e.node(n.Left)
		e.raw(`}}`)
	case ast.NodeTypeIsIn:
		e.raw(`{"is":{"entity_type":`)
		e.string(string(n.EntityType))
		e.raw(`,"in":`)
		e.node(n.Entity)
		e.raw(`,"left":`)
		e.node(n.Left)
		e.raw(`}}`)
	case ast.NodeTypeIfThenElse:
		e.raw(`{"if-then-else":{"else":`)
		e.node(n.Else)
		e.raw(`,"if":`)
		e.node(n.If)
		e.raw(`,"then":`)
		e.node(n.Then)
		e.raw(`}}`)
	case ast.NodeTypeSet:
		e.raw(`{"Set":`)
		e.nodes(n.Elements)
		e.raw(`}`)
	case ast.NodeTypeRecord:
		e.raw(`{"Record":{`)
		for i, member := range n.Elements {
			e.comma(i)
			e.string(string(member.Key))
			e.raw(`:`)
			e.node(member.Value)
		}
		e.raw(`}}`)
	case ast.NodeTypeExtensionCall:
		e.raw(`{`)
		e.string(string(n.Name))
		e.raw(`:`)
		e.nodes(n.Args)
		e.raw(`}`)
	default:
		panic(fmt.Sprintf("expression %T", n))
	}
}

func (e *encoder) nodes(list []ast.IsNode) {
	e.raw(`[`)
	for i, n := range list {
		e.comma(i)
		e.node(n)
	}
	e.raw(`]`)
}

func (e *encoder) unary(op string, n ast.UnaryNode) {
	e.raw(`{"` + op + `":{"arg":`)
	e.node(n.Arg)
	e.raw(`}}`)
}

func (e *encoder) binary(op string, n ast.BinaryNode) {
	e.raw(`{"`)
	e.raw(op)
	e.raw(`":{"left":`)
	e.node(n.Left)
	e.raw(`,"right":`)
	e.node(n.Right)
	e.raw(`}}`)
}

// binaryOrNot writes op, or in core form the negation of its opposite.
func (e *encoder) binaryOrNot(op, opposite string, n ast.BinaryNode) {
	if !e.core {
		e.binary(op, n)
		return
	}
	e.raw(`{"!":{"arg":`)
	e.binary(opposite, n)
	e.raw(`}}`)
}

func (e *encoder) attribute(op string, n ast.StrOpNode) {
	e.raw(`{"` + op + `":{"attr":`)
	e.string(string(n.Value))
	e.raw(`,"left":`)
	e.node(n.Arg)
	e.raw(`}}`)
}

// maxSafe is the largest integer that RFC 8785 lets a JSON number hold.
const maxSafe = 1<<53 - 1

func (e *encoder) value(v types.Value) {
	switch v := v.(type) {
	case types.Boolean:
		e.buf = strconv.AppendBool(e.buf, bool(v))
	case types.Long:
		if e.longs && (v > maxSafe || v < -maxSafe) {
			e.raw(`{"__long":"`)
			e.buf = strconv.AppendInt(e.buf, int64(v), 10)
			e.raw(`"}`)
			return
		}
		e.buf = strconv.AppendInt(e.buf, int64(v), 10)
	case types.String:
		e.string(string(v))
	case types.EntityUID:
		e.raw(`{"__entity":`)
		e.entity(v)
		e.raw(`}`)
	default:
		// Sets, records and extension values are literals only in Cedar's JSON
		// form, which is converted to text before anything else is done.
		panic(fmt.Sprintf("value %T", v))
	}
}

// pattern asks the pattern itself, which keeps its parts private.
func (e *encoder) pattern(p types.Pattern) {
	b, err := p.MarshalJSON()
	if err != nil {
		panic(err) // only invalid UTF-8 fails, and no text with that is parsed
	}
	e.buf = append(e.buf, b...)
}

func (e *encoder) raw(s string) { e.buf = append(e.buf, s...) }

func (e *encoder) comma(i int) {
	if i > 0 {
		e.buf = append(e.buf, ',')
	}
}

// string writes a JSON string with the escapes of RFC 8785, section 3.2.2.2.
func (e *encoder) string(s string) {
	const hex = "0123456789abcdef"
	e.buf = append(e.buf, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			e.buf = append(e.buf, '\\', c)
		case c >= ' ':
			e.buf = append(e.buf, c)
		case c == '\n':
			e.raw(`\n`)
		case c == '\r':
			e.raw(`\r`)
		case c == '\t':
			e.raw(`\t`)
		case c == '\b':
			e.raw(`\b`)
		case c == '\f':
			e.raw(`\f`)
		default:
			e.buf = append(e.buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	e.buf = append(e.buf, '"')
}

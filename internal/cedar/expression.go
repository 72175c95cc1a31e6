package cedar

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// The rules of expressions, as in Cedar's grammar, lowest precedence first.

func (p *syntax) expression() *span {
	if !p.is("if") {
		return p.or()
	}
	t := p.next()
	p.enter(t)
	defer p.leave()
	condition := p.expression()
	p.closing("then", "an operator or 'then'")
	yes := p.expression()
	p.closing("else", "an operator or 'else'")
	no := p.expression()
	return p.node(t.start, t.start, condition, yes, no)
}

func (p *syntax) or() *span {
	left := p.and()
	for p.is("||") {
		left = p.binary(p.next(), left, p.and())
	}
	return left
}

func (p *syntax) and() *span {
	left := p.relation()
	for p.is("&&") {
		left = p.binary(p.next(), left, p.relation())
	}
	return left
}

func (p *syntax) relation() *span {
	left := p.add()
	switch t := p.peek(); p.word(t) {
	case "has":
		p.next()
		return p.has(left)
	case "like":
		p.next()
		p.string("a pattern in quotes", true)
		return p.node(left.start, t.start, left)
	case "is":
		p.next()
		at := p.peek().start
		p.path()
		if p.accept("in") {
			return p.node(left.start, at, left, p.add())
		}
		return p.node(left.start, at, left)
	case "<", "<=", ">", ">=", "!=", "==", "in":
		p.next()
		return p.binary(t, left, p.add())
	}
	return left
}

// has reads "a has b.c", which is the same as "a has b && a.b has c".
func (p *syntax) has(left *span) *span {
	t := p.peek()
	if t.kind == tokenString {
		p.string("", false)
		p.present(left.start, t)
		return p.node(left.start, t.start, left)
	}
	p.ident("an attribute's name")
	p.present(left.start, t)
	all := p.node(left.start, t.start, left)
	for p.accept(".") {
		left = p.node(left.start, t.start, left)
		t = p.peek()
		p.ident("an attribute's name after '.'")
		p.present(left.start, t)
		one := p.node(left.start, t.start, left)
		all = p.node(left.start, t.start, all, one)
	}
	return all
}

// present counts a test that starts at an offset and ends with a token.
func (p *syntax) present(start int, last token) {
	p.presence[p.text[start:max(start, last.end)]] = true
	if len(p.presence) > maxPresence {
		p.fail(syntaxError{offset: last.start, rule: "cedar-too-deep",
			message: fmt.Sprintf("more than %d tests with has or hasTag in one statement", maxPresence)})
	}
}

func (p *syntax) add() *span {
	left := p.mult()
	for p.is("+") || p.is("-") {
		left = p.binary(p.next(), left, p.mult())
	}
	return left
}

func (p *syntax) mult() *span {
	left := p.unary()
	for p.is("*") {
		left = p.binary(p.next(), left, p.unary())
	}
	return left
}

func (p *syntax) unary() *span {
	first := p.i
	for p.is("!") || p.is("-") {
		if p.i-first == maxNots {
			p.fail(syntaxError{offset: p.peek().start, message: fmt.Sprintf("more than %d '!' or '-' in a row", maxNots)})
			break
		}
		p.next()
	}
	last := p.i
	for i := first + 1; i < last; i++ {
		if p.word(p.tokens[i]) != p.word(p.tokens[first]) {
			p.fail(syntaxError{offset: p.tokens[i].start, message: "'!' and '-' can't be mixed", fix: "use parentheses"})
		}
	}
	var n *span
	if t := p.peek(); t.kind == tokenInt && last > first && p.word(p.tokens[last-1]) == "-" {
		// The sign belongs to the number: the lowest integer has no positive one.
		last--
		p.next()
		p.checkInt("-", t)
		n = p.node(p.tokens[last].start, p.tokens[last].start)
	} else {
		n = p.member()
	}
	if p.err != nil {
		return n
	}
	for i := last - 1; i >= first; i-- {
		n = p.node(p.tokens[i].start, p.tokens[i].start, n)
	}
	return n
}

func (p *syntax) checkInt(sign string, t token) {
	if _, err := strconv.ParseInt(sign+p.word(t), 10, 64); err != nil {
		p.fail(syntaxError{offset: t.start, rule: "cedar-integer-range",
			message: "integer is outside of −9223372036854775808 to 9223372036854775807"})
	}
}

func (p *syntax) member() *span {
	n := p.primary()
	for p.err == nil {
		switch {
		case p.accept("."):
			t := p.peek()
			name := p.ident("an attribute or method after '.'")
			if !p.is("(") {
				n = p.node(n.start, t.start, n)
				continue
			}
			n = p.method(n, t, name)
		case p.accept("["):
			t := p.peek()
			p.string("an attribute's name in quotes", false)
			p.expect("]")
			n = p.node(n.start, t.start, n)
		default:
			return n
		}
	}
	return n
}

// methods are those that cedar-go knows by their count of arguments, and the
// ones of the extensions, whose arguments are a matter of types.
var methods = map[string]int{
	"contains": 1, "containsAll": 1, "containsAny": 1, "hasTag": 1, "getTag": 1, "isEmpty": 0,
	"lessThan": -1, "lessThanOrEqual": -1, "greaterThan": -1, "greaterThanOrEqual": -1,
	"isIpv4": -1, "isIpv6": -1, "isLoopback": -1, "isMulticast": -1, "isInRange": -1,
	"toDate": -1, "toTime": -1, "offset": -1, "durationSince": -1,
	"toDays": -1, "toHours": -1, "toMinutes": -1, "toSeconds": -1, "toMilliseconds": -1,
}

var functions = map[string]int{"ip": -1, "decimal": -1, "datetime": -1, "duration": -1}

func (p *syntax) method(receiver *span, name token, word string) *span {
	count, known := methods[word]
	if !known {
		p.fail(syntaxError{offset: name.start, message: fmt.Sprintf("there is no method `%s`", word),
			fix: didYouMean(word, keys(methods))})
		return receiver
	}
	args := p.arguments()
	if word == "hasTag" {
		p.present(receiver.start, p.tokens[max(p.i-1, 0)])
	}
	if count >= 0 && len(args) != count && p.err == nil {
		p.fail(syntaxError{offset: name.start, message: fmt.Sprintf("method `%s` takes %s, not %d", word, []string{"no argument", "1 argument"}[count], len(args))})
	}
	return p.node(receiver.start, name.start, append([]*span{receiver}, args...)...)
}

func (p *syntax) arguments() []*span {
	p.enter(p.expect("("))
	defer p.leave()
	var args []*span
	p.list(")", func() { args = append(args, p.expression()) })
	return args
}

func (p *syntax) primary() *span {
	t := p.peek()
	word := p.word(t)
	switch {
	case t.kind == tokenInt:
		p.next()
		p.checkInt("", t)
	case t.kind == tokenString:
		p.string("", false)
	case word == "true" || word == "false":
		p.next()
	case t.kind == tokenIdent && !reserved[word]:
		return p.name()
	case word == "(":
		p.enter(p.next())
		defer p.leave()
		n := p.expression()
		p.closing(")", "an operator or ')'")
		return n
	case word == "[":
		p.enter(p.next())
		defer p.leave()
		var kids []*span
		p.list("]", func() { kids = append(kids, p.expression()) })
		return p.node(t.start, t.start, kids...)
	case word == "{":
		return p.record()
	default:
		p.unexpected("an expression")
	}
	return p.node(t.start, t.start)
}

// name reads a variable, an entity or a function call.
func (p *syntax) name() *span {
	t := p.next()
	word := p.word(t)
	if p.is("(") {
		if _, known := functions[word]; !known {
			e := syntaxError{offset: t.start, message: fmt.Sprintf("there is no function `%s`", word), fix: didYouMean(word, keys(functions))}
			if _, method := methods[word]; method {
				e.message, e.fix = fmt.Sprintf("`%s` is a method, not a function", word), fmt.Sprintf("write value.%s(...)", word)
			}
			p.fail(e)
			return p.node(t.start, t.start)
		}
		return p.node(t.start, t.start, p.arguments()...)
	}
	if p.is("::") {
		p.entityRest()
		return p.node(t.start, t.start)
	}
	if !slices.Contains(variables, word) {
		p.fail(syntaxError{offset: t.start, message: fmt.Sprintf("unknown name `%s`", word),
			fix: cmp.Or(didYouMean(word, variables), "variables are principal, action, resource and context; an entity is written Type::\"id\"")})
	}
	return p.node(t.start, t.start)
}

var variables = []string{"principal", "action", "resource", "context"}

func (p *syntax) record() *span {
	open := p.next()
	p.enter(open)
	defer p.leave()
	var kids []*span
	known := map[string]bool{}
	p.list("}", func() {
		t := p.peek()
		var key string
		if t.kind == tokenString {
			key = p.string("", false)
		} else {
			key = p.ident("a member's name")
		}
		if known[key] && p.err == nil {
			p.fail(syntaxError{offset: t.start, message: fmt.Sprintf("member %q is given twice", key)})
		}
		known[key] = true
		p.expect(":")
		kids = append(kids, p.expression())
	})
	return p.node(open.start, open.start, kids...)
}

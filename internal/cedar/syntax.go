package cedar

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A span is one node of the source's expressions, with the same children as
// cedar-go's tree of the same text has, which knows no positions.
type span struct {
	start int // byte offset of the first token
	at    int // byte offset of what names the node: operator, attribute, method
	depth int
	kids  []*span
}

// A statement is the shape of one policy statement in the source.
type statement struct {
	start, end int      // byte offsets of the first token and after the last
	scopes     [3][]int // where principal, action and resource name types and entities
	conditions []*span
}

// A syntaxError is the first reason why a text isn't Cedar.
type syntaxError struct {
	offset       int
	rule         string
	message, fix string
}

// limits bound what is handed to the engine. A text that somebody wrote and one
// that an engine printed have different ones: printers put each operand of a
// chain into parentheses, and join all conditions to one chain.
type limits struct{ nesting, depth int }

var (
	sourceLimits = limits{nesting: MaxNesting, depth: maxDepth}
	storedLimits = limits{nesting: 4 * maxDepth, depth: maxDepth + 2*maxConditions}
)

const (
	// maxDepth bounds the height of an expression: chains such as a && b && c
	// are as high as they have operators, and whatever walks a tree recurses.
	maxDepth = 1000
	// maxConditions bounds the when and unless clauses of one statement, which
	// are a chain too.
	maxConditions = 100
	// maxPresence bounds the different "has" tests of one statement. The
	// engine's validator takes cubic time in them: 50 take 30 ms, 400 half a minute.
	maxPresence = 50
)

// maxNots is how many "!" or "-" the official engine takes in a row.
const maxNots = 4

// parseSyntax reads all statements of a text. It accepts what cedar-go accepts,
// less what the official engine refuses or a limit forbids, so that every error
// can have a position and words that a reader understands.
func parseSyntax(text string, tokens []token, lim limits) ([]statement, *syntaxError) {
	p := &syntax{text: text, tokens: tokens, limits: lim, presence: map[string]bool{}}
	var list []statement
	for p.peek().kind != tokenEOF {
		list = append(list, p.statement())
	}
	if p.err != nil {
		return nil, p.err
	}
	return list, nil
}

// syntax is a recursive descent over the tokens. After an error it stands at
// the end of the file, which no loop survives.
type syntax struct {
	text   string
	tokens []token
	limits
	i        int
	nest     int
	presence map[string]bool // the "has" tests of this statement
	err      *syntaxError
}

func (p *syntax) peek() token { return p.tokens[p.i] }

// is tells whether the next token is this operator or word.
func (p *syntax) is(s string) bool {
	t := p.tokens[p.i]
	return t.end-t.start == len(s) && p.text[t.start:t.end] == s
}

func (p *syntax) word(t token) string { return p.text[t.start:t.end] }

func (p *syntax) next() token {
	t := p.tokens[p.i]
	if p.i < len(p.tokens)-1 {
		p.i++
	}
	return t
}

// accept takes the next token if it is s.
func (p *syntax) accept(s string) bool {
	if !p.is(s) {
		return false
	}
	p.next()
	return true
}

func (p *syntax) fail(e syntaxError) {
	if p.err == nil {
		if e.rule == "" {
			e.rule = "cedar-syntax"
		}
		p.err = &e
	}
	p.i = len(p.tokens) - 1
}

// unexpected fails at the next token. Where something is missing at the end of
// a line, the place to write it is after the token before.
func (p *syntax) unexpected(want string) {
	t := p.peek()
	e := syntaxError{offset: t.start, message: fmt.Sprintf("expected %s, found %s", want, p.describe(t))}
	if p.i > 0 {
		last := p.tokens[p.i-1]
		if t.kind == tokenEOF || (want == "';'" && strings.Contains(p.text[last.end:t.start], "\n")) {
			e.offset = last.end
		}
	}
	switch word := p.word(t); {
	case word == "?":
		if p.i+1 < len(p.tokens) {
			word += p.word(p.tokens[p.i+1])
		}
		e.rule = "cedar-template"
		e.message = fmt.Sprintf("%s makes this a template, which a policy can't be", word)
		e.fix = "write the entity instead"
	case word == "=":
		e.fix = "to compare, write =="
	case word == "&" || word == "|":
		e.fix = fmt.Sprintf("write %s%s", word, word)
	case word == "/" || word == "%":
		e.message = fmt.Sprintf("Cedar has no %s operator", word)
	case strings.HasPrefix(want, "an operator") && slices.Contains(relations, word):
		e.message = "comparisons can't be chained"
		e.fix = "join them with && or use parentheses"
	}
	p.fail(e)
}

var relations = []string{"==", "!=", "<", "<=", ">", ">=", "in", "has", "like", "is"}

func (p *syntax) describe(t token) string {
	word := p.word(t)
	switch {
	case t.kind == tokenEOF:
		return "the end of the file"
	case t.kind == tokenString:
		return "a string"
	case t.kind == tokenIdent && reserved[word]:
		return "the keyword '" + word + "'"
	case utf8.RuneCountInString(word) > 40:
		return "'" + string([]rune(word)[:40]) + "…'"
	}
	return "'" + word + "'"
}

func (p *syntax) expect(s string) token {
	t := p.peek()
	if !p.accept(s) {
		p.unexpected("'" + s + "'")
	}
	return t
}

// ident takes a name that isn't a reserved word.
func (p *syntax) ident(want string) string {
	t := p.peek()
	if t.kind != tokenIdent || reserved[p.word(t)] {
		p.unexpected(want)
		return ""
	}
	return p.word(p.next())
}

// enter counts a level of nesting; every call has its leave.
func (p *syntax) enter(t token) {
	p.nest++
	if p.nest > p.nesting {
		p.fail(syntaxError{offset: t.start, rule: "cedar-too-deep",
			message: fmt.Sprintf("more than %d levels of nesting", p.nesting)})
	}
}

func (p *syntax) leave() { p.nest-- }

func (p *syntax) statement() statement {
	s := statement{start: p.peek().start}
	clear(p.presence)
	p.annotations()
	if !p.is("permit") && !p.is("forbid") {
		p.unexpected("permit or forbid")
	}
	p.next()
	p.expect("(")
	s.scopes[0] = p.scope("principal")
	p.expect(",")
	s.scopes[1] = p.scope("action")
	p.expect(",")
	s.scopes[2] = p.scope("resource")
	p.accept(",")
	p.expect(")")
	for p.is("when") || p.is("unless") {
		p.next()
		open := p.expect("{")
		p.enter(open)
		s.conditions = append(s.conditions, p.expression())
		p.closing("}", "an operator or '}'")
		p.leave()
		if len(s.conditions) > maxConditions {
			p.fail(syntaxError{offset: open.start, rule: "cedar-too-deep", message: fmt.Sprintf("more than %d conditions", maxConditions)})
		}
	}
	if !p.accept(";") {
		p.unexpected("';'")
	}
	s.end = p.tokens[max(p.i-1, 0)].end
	return s
}

func (p *syntax) annotations() {
	known := map[string]bool{}
	for p.is("@") {
		at := p.next()
		name := p.peek()
		if name.kind != tokenIdent {
			p.unexpected("the annotation's name")
			return
		}
		p.next()
		if known[p.word(name)] {
			p.fail(syntaxError{offset: at.start, message: fmt.Sprintf("annotation @%s is given twice", p.word(name))})
			return
		}
		known[p.word(name)] = true
		if p.accept("(") {
			p.string("a string", false)
			p.expect(")")
		}
	}
}

// scope reads one of the three parts of a statement's head, and returns where
// it names types and entities.
func (p *syntax) scope(variable string) (named []int) {
	if !p.accept(variable) {
		p.unexpected("'" + variable + "'")
		return nil
	}
	entity := func() {
		named = append(named, p.peek().start)
		p.entity()
	}
	switch {
	case p.accept("=="):
		entity()
	case p.is("in") && variable == "action":
		p.next()
		if p.accept("[") {
			p.list("]", entity)
		} else {
			entity()
		}
	case p.accept("in"):
		entity()
	case p.is("is") && variable != "action":
		p.next()
		named = append(named, p.peek().start)
		p.path()
		if p.accept("in") {
			entity()
		}
	}
	return named
}

// list reads comma-separated items up to and with the closing bracket. A comma
// after the last one is allowed.
func (p *syntax) list(end string, item func()) {
	for !p.accept(end) {
		item()
		if !p.is(end) && !p.accept(",") {
			p.unexpected("',' or '" + end + "'")
		}
		if p.err != nil {
			return
		}
	}
}

func (p *syntax) path() {
	p.ident("an entity type")
	for p.accept("::") {
		p.ident("a name after '::'")
	}
}

func (p *syntax) entity() {
	const want = "an entity such as User::\"alice\""
	if p.peek().kind == tokenString {
		p.unexpected(want)
		return
	}
	p.ident(want)
	p.entityRest()
}

// entityRest reads an entity after the first part of its type.
func (p *syntax) entityRest() {
	for p.err == nil {
		if !p.accept("::") {
			p.unexpected("'::' and the entity's id")
			return
		}
		if p.peek().kind == tokenString {
			p.string("a string", false)
			return
		}
		p.ident("a name or a string after '::'")
	}
}

// string takes a string literal and checks its escapes.
func (p *syntax) string(want string, pattern bool) string {
	t := p.peek()
	if t.kind != tokenString {
		p.unexpected(want)
		return ""
	}
	p.next()
	value, bad := unquote(p.text[t.start+1:t.end-1], pattern)
	if bad >= 0 {
		at := t.start + 1 + bad
		e := syntaxError{offset: at, message: "invalid escape in string", fix: `escapes are \n \r \t \0 \\ \" \' \x7f and \u{1f600}`}
		if strings.HasPrefix(p.text[at:], `\*`) {
			e.message, e.fix = `\* is an escape only in a pattern of like`, "write *"
		}
		p.fail(e)
	}
	return value
}

func (p *syntax) closing(s, want string) {
	if !p.accept(s) {
		p.unexpected(want)
	}
}

// node makes a span over kids and checks the height of the expression.
func (p *syntax) node(start, at int, kids ...*span) *span {
	n := &span{start: start, at: at, kids: kids}
	for _, k := range kids {
		n.depth = max(n.depth, k.depth+1)
	}
	if n.depth > p.depth {
		p.fail(syntaxError{offset: at, rule: "cedar-too-deep",
			message: fmt.Sprintf("expression with more than %d operators in a chain", p.depth),
			fix:     "use a set: [...].contains(...)"})
	}
	return n
}

func (p *syntax) binary(op token, left, right *span) *span {
	return p.node(left.start, op.start, left, right)
}

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
		p.fail(syntaxError{offset: name.start, message: fmt.Sprintf("method `%s` takes %d arguments, not %d", word, count, len(args))})
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

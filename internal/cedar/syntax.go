package cedar

import (
	"fmt"
	"regexp"
	"slices"
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
	start      int      // byte offset of the first token
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
	p := &syntax{cursor: cursor{text: text, tokens: tokens}, limits: lim, presence: map[string]bool{}}
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
	cursor
	limits
	nest     int
	presence map[string]bool // the "has" tests of this statement
	err      *syntaxError
}

// A cursor stands before one token of a text.
type cursor struct {
	text   string
	tokens []token
	i      int
}

func (p *cursor) peek() token { return p.tokens[p.i] }

// is tells whether the next token is this operator or word.
func (p *cursor) is(s string) bool {
	t := p.tokens[p.i]
	return t.end-t.start == len(s) && p.text[t.start:t.end] == s
}

func (p *cursor) word(t token) string { return p.text[t.start:t.end] }

func (p *cursor) next() token {
	t := p.tokens[p.i]
	if p.i < len(p.tokens)-1 {
		p.i++
	}
	return t
}

// accept takes the next token if it is s.
func (p *cursor) accept(s string) bool {
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
		if pattern && starByNumber.MatchString(p.text[at:t.end]) {
			e.message, e.fix = "a star by its number has two meanings in a pattern", `write * for any text, or \* for a star`
		}
		p.fail(e)
	}
	return value
}

var starByNumber = regexp.MustCompile(`^\\(x2[aA]|u\{[0_]*2_*[aA]_*\})`)

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

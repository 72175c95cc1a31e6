package cedar

import "slices"

// The layout of expressions, following the rules of expression.go.

func (f *formatter) expression(indent bool) {
	if !f.is("if") {
		f.or(indent)
		return
	}
	f.out.begin()
	for f.is("if") {
		f.token()
		f.branch()
		f.out.space()
		f.token() // then
		f.branch()
		f.out.space()
		f.token() // else
		if f.is("if") {
			f.out.text(" ")
			continue
		}
		f.branch()
	}
	f.out.finish()
}

// branch is one of the parts of an if, after its keyword.
func (f *formatter) branch() {
	f.out.indent()
	f.out.line(op{flat: " ", stays: true})
	f.expression(false)
	f.out.dedent()
}

// or writes a chain of ||. When it is broken, each operand has a line of its
// own, and one that is broken itself shows it by its indentation.
func (f *formatter) or(indent bool) {
	if !f.either() {
		f.and(indent)
		return
	}
	f.chain(indent, func() { f.and(true) }, "||")
}

// either tells whether the chain that begins here has a || on its own level.
func (f *formatter) either() bool {
	depth := 0
	for _, t := range f.tokens[f.i:] {
		switch f.word(t) {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			if depth--; depth < 0 {
				return false
			}
		case ",", "then", "else", ";":
			if depth == 0 {
				return false
			}
		case "||":
			if depth == 0 {
				return true
			}
		}
	}
	return false
}

func (f *formatter) and(indent bool) { f.chain(indent, f.relation, "&&") }

// chain writes operands with operators at the ends of lines. If indent is set,
// the lines after the first are indented.
func (f *formatter) chain(indent bool, operand func(), operators ...string) {
	f.out.begin()
	operand()
	if indent {
		f.out.indent()
	}
	for slices.ContainsFunc(operators, f.is) {
		f.out.text(" ")
		f.separator()
		f.out.space()
		operand()
	}
	if indent {
		f.out.dedent()
	}
	f.out.finish()
}

func (f *formatter) relation() {
	f.sum()
	switch word := f.word(f.peek()); word {
	case "has":
		f.spacedToken()
		f.token()
		f.path(".")
	case "like":
		f.spacedToken()
		f.token()
	case "is":
		f.spacedToken()
		f.token()
		f.path("::")
		if f.is("in") {
			f.spacedToken()
			f.sum()
		}
	case "<", "<=", ">", ">=", "!=", "==", "in":
		f.out.text(" ")
		f.token()
		if f.is("[") || f.is("{") {
			f.out.text(" ")
			f.sum()
			return
		}
		f.out.begin()
		f.out.indent()
		f.out.space()
		f.sum()
		f.out.dedent()
		f.out.finish()
	}
}

// path writes the rest of a name with several parts.
func (f *formatter) path(separator string) {
	for f.is(separator) {
		f.token()
		f.token()
	}
}

func (f *formatter) sum() { f.chain(true, f.product, "+", "-") }

func (f *formatter) product() { f.chain(true, f.unary, "*") }

func (f *formatter) unary() {
	for f.is("!") || f.is("-") {
		f.token()
	}
	f.member()
}

// member writes a value with its attributes and methods. If it is too long for
// a line, and no list in it can be broken instead, each attribute after the
// first gets a line.
func (f *formatter) member() {
	breaks := f.accesses() > 1
	f.out.begin()
	f.primary()
	if breaks {
		f.out.indent()
	}
	for first := true; f.is(".") || f.is("["); first = false {
		if breaks && !first {
			f.out.line(op{})
		}
		if f.is("[") {
			f.token()
			f.token()
			f.token()
			continue
		}
		f.token()
		f.token()
		if f.is("(") {
			f.arguments()
		}
	}
	if breaks {
		f.out.dedent()
	}
	f.out.finish()
}

// accesses counts the attributes and methods of the value that begins here, or
// returns 0 if the value or an argument is in brackets that can be broken.
func (f *formatter) accesses() (n int) {
	if opens(f.word(f.peek())) {
		return 0
	}
	depth := 0
	for i := f.i + 1; ; i++ {
		word := f.word(f.tokens[i])
		switch {
		case opens(word):
			if depth > 0 && word != "(" {
				return 0
			}
			if depth == 0 && word == "[" {
				n++
			}
			depth++
		case closes(f.text, f.tokens[i]):
			if depth--; depth < 0 {
				return n
			}
		case depth == 0 && word == ".":
			n++
			i++ // the name
		case depth == 0 && word == "::":
			i++ // the next part of an entity
		case depth == 0:
			return n
		}
	}
}

func opens(word string) bool { return word == "(" || word == "[" || word == "{" }

func (f *formatter) primary() {
	switch {
	case f.is("("):
		f.brackets("", f.body)
	case f.is("["):
		f.list()
	case f.is("{"):
		f.record()
	default:
		f.token()
		f.path("::")
		if f.is("(") {
			f.arguments()
		}
	}
}

// arguments writes the arguments of a call. A single list or record keeps its
// brackets close to those of the call.
func (f *formatter) arguments() {
	if next := f.word(f.tokens[f.i+1]); (next == "[" || next == "{") && f.single() {
		f.token()
		f.primary()
		if f.is(",") {
			f.comma()
		}
		f.token()
		return
	}
	f.list()
}

// single tells whether the call that begins here has one argument, and nothing
// but a bracket.
func (f *formatter) single() bool {
	depth := 0
	for i := f.i; ; i++ {
		word := f.word(f.tokens[i])
		switch {
		case opens(word):
			depth++
		case closes(f.text, f.tokens[i]):
			if depth--; depth == 1 {
				next := f.word(f.tokens[i+1])
				return next == ")" || next == "," && f.word(f.tokens[i+2]) == ")"
			}
		}
	}
}

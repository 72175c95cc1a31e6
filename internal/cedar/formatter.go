package cedar

import "strings"

// A formatter walks over the tokens of a source that has been parsed, so that
// it need not look for mistakes, and builds its layout.
type formatter struct {
	cursor
	out    layout
	before [][]comment // the comments on lines of their own before each token
	after  [][]comment // the comment on the line of each token, after it
	spaced []bool      // an empty line stands between a token and its comments
}

func newFormatter(text string, tokens []token) *formatter {
	f := &formatter{
		cursor: cursor{text: text, tokens: tokens},
		before: make([][]comment, len(tokens)),
		after:  make([][]comment, len(tokens)),
		spaced: make([]bool, len(tokens)),
	}
	for i, t := range tokens {
		list := commentsBefore(text, tokens, i)
		if len(list) == 0 {
			continue
		}
		gap := text[:t.start]
		f.spaced[i] = strings.Count(gap[len(strings.TrimRight(gap, " \t\r\n")):], "\n") > 1
		if list[0].after {
			f.after[i-1], list = list[:1], list[1:]
		}
		f.before[i] = list
	}
	return f
}

// token writes the next token as it is. Comments before it that can't stay
// there go above the thing that it is part of.
func (f *formatter) token() {
	f.out.above(f.before[f.i])
	f.out.text(f.word(f.peek()))
	f.pass()
}

// pass leaves the next token, whose text has been written.
func (f *formatter) pass() {
	f.out.pending = append(f.out.pending, f.after[f.i]...)
	f.next()
}

// separator writes a token that follows what it separates. Comments before it
// are in most cases about what comes next: "a // why\n && b".
func (f *formatter) separator() {
	f.out.pending = append(f.out.pending, f.before[f.i]...)
	f.out.text(f.word(f.peek()))
	f.pass()
}

// comma writes the comma of a list, or drops one before a closing bracket.
func (f *formatter) comma() {
	if closes(f.text, f.tokens[f.i+1]) {
		f.out.pending = append(f.out.pending, f.before[f.i]...)
		f.pass()
		return
	}
	f.separator()
	f.out.space()
}

// spacedToken writes a token between two spaces.
func (f *formatter) spacedToken() {
	f.out.text(" ")
	f.token()
	f.out.text(" ")
}

// file lays out all statements, with one empty line between them.
func (f *formatter) file() {
	for first := true; ; first = false {
		end := f.peek().kind == tokenEOF
		f.out.line(op{broken: true, blank: f.spaced[f.i] && !end, apart: !first && !end})
		f.out.above(f.before[f.i])
		f.before[f.i] = nil
		if end {
			return
		}
		f.policy()
	}
}

func (f *formatter) policy() {
	for f.is("@") {
		f.token()
		f.token() // the name
		if f.is("(") {
			f.token()
			f.token()
			f.token()
		}
		f.out.newline()
	}
	f.token() // permit or forbid
	f.out.text(" ")
	f.scopes()
	for f.is("when") || f.is("unless") {
		f.out.newline()
		f.token()
		f.out.text(" ")
		f.brackets(" ", f.body)
	}
	f.token() // the semicolon
}

// scopes writes the head of a statement: on one line if it says nothing.
func (f *formatter) scopes() {
	f.out.begin()
	f.token()
	f.out.indent()
	at := len(f.out.ops)
	f.out.edge(opening)
	for !f.is(")") {
		f.token() // the variable
		for !f.is(",") && !f.is(")") {
			f.out.ops[at].broken = true
			f.out.text(" ")
			f.scopeTerm()
		}
		if f.is(",") {
			f.comma()
		}
	}
	f.out.dedent()
	f.out.edge(closing)
	f.token()
	f.out.finish()
}

// scopeTerm writes an operator of a scope, a type, an entity or a list.
func (f *formatter) scopeTerm() {
	if f.is("[") {
		f.list()
		return
	}
	f.token()
	for f.is("::") {
		f.token()
		f.token()
	}
}

// brackets writes a bracket, what it holds, and its counterpart. When broken,
// the inside is indented on lines of its own; otherwise pad stands around it.
func (f *formatter) brackets(pad string, inside func()) {
	f.out.begin()
	f.token()
	f.out.indent()
	f.out.line(op{flat: pad, edge: opening})
	inside()
	f.out.dedent()
	f.out.line(op{flat: pad, edge: closing})
	f.token()
	f.out.finish()
}

// body is the whole inside of a pair of brackets: a chain needs no more
// indentation.
func (f *formatter) body() { f.expression(false) }

// item is an expression beside others: what goes on on another line is
// indented.
func (f *formatter) item() { f.expression(true) }

// items writes a list in brackets.
func (f *formatter) items(item func()) {
	if closes(f.text, f.tokens[f.i+1]) {
		f.token()
		f.token()
		return
	}
	f.brackets("", func() {
		for !closes(f.text, f.peek()) {
			item()
			if f.is(",") {
				f.comma()
			}
		}
	})
}

func (f *formatter) list() { f.items(f.item) }

// record writes a record literal.
func (f *formatter) record() {
	f.items(func() {
		f.token() // the key
		f.token() // the colon
		f.out.text(" ")
		f.item()
	})
}

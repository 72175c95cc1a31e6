package cedar

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/policypin/policypin/diag"
)

type tokenKind uint8

const (
	tokenEOF tokenKind = iota
	tokenIdent
	tokenInt
	tokenString
	tokenOperator
)

// A token is a piece of the source. It holds byte offsets only: positions are
// computed for the few tokens that a problem points at.
type token struct {
	kind       tokenKind
	start, end int
}

// A source is the text of one file.
type source struct {
	file string
	text string
}

// at turns a byte offset into a position, counting characters, not bytes.
func (s source) at(offset int) diag.Position {
	p := diag.Position{File: s.file, Line: 1, Column: 1}
	for _, r := range s.text[:min(offset, len(s.text))] {
		if r == '\n' {
			p.Line++
			p.Column = 1
		} else {
			p.Column++
		}
	}
	return p
}

// checkText reports what no source may hold, wherever it is: in strings and
// comments as well as in code. Such characters make a text that reads one way
// in a review and another way to a machine.
func (s source) checkText(problems *diag.List) {
	for i, r := range s.text {
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s.text[i:]); size == 1 {
				problems.Errorf(s.at(i), "not-utf8", "invalid UTF-8: byte 0x%02x", s.text[i])
				return // what follows is in another encoding
			}
		case r == '\ufeff' && i == 0:
			problems.Add(diag.Problem{
				Position: s.at(0), Rule: "byte-order-mark",
				Message: "file starts with a byte order mark, which Cedar doesn't accept",
				Fix:     "save the file as UTF-8 without BOM",
			})
		case bidiControl(r):
			problems.Add(diag.Problem{
				Position: s.at(i), Rule: "bidi-control",
				Message: "bidirectional control character " + runeName(r) + " can show a text in another order than it is read in",
				Fix:     "remove it, or write it as an escape in a string",
			})
		case r == '\r':
			// The official engine ends a comment at a carriage return, cedar-go
			// only at a line feed: code after it would exist for one of them.
			if i+1 == len(s.text) || s.text[i+1] != '\n' {
				problems.Errorf(s.at(i), "control-character", "carriage return without a line feed")
			}
		case r < ' ' && r != '\t' && r != '\n', r >= 0x7f && r < 0xa0, r == '\u2028', r == '\u2029':
			problems.Errorf(s.at(i), "control-character", "control character %s", runeName(r))
		}
		if len(*problems) >= maxProblems {
			return
		}
	}
}

// maxProblems bounds a list for a file of nothing but problems.
const maxProblems = 100

func runeName(r rune) string { return fmt.Sprintf("U+%04X", r) }

// bidiControl tells whether r changes the direction of text: the Bidi_Control
// property of Unicode.
func bidiControl(r rune) bool {
	switch r {
	case '\u061c', '\u200e', '\u200f':
		return true
	}
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// A scanError says why a text can't be cut into tokens.
type scanError struct {
	offset  int
	message string
}

// scan cuts the text into tokens, of which the last is the end of the file.
// Schemas have no comparison operators: there, "Set<Set<Long>>" ends in two
// tokens.
func (s source) scan(schema bool) ([]token, *scanError) {
	text := s.text
	tokens := make([]token, 0, len(text)/4+1)
	for i := 0; ; {
		for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
			i++
		}
		if i == len(text) {
			return append(tokens, token{tokenEOF, i, i}), nil
		}
		start, c := i, text[i]
		kind := tokenOperator
		switch {
		case identStart(c):
			kind = tokenIdent
			for i++; i < len(text) && (identStart(text[i]) || digit(text[i])); {
				i++
			}
		case digit(c):
			kind = tokenInt
			for i++; i < len(text) && digit(text[i]); {
				i++
			}
		case c == '"':
			kind = tokenString
			end := stringEnd(text, i)
			if end < 0 {
				return nil, &scanError{start, "string isn't closed on its line"}
			}
			i = end
		case c == '/' && i+1 < len(text) && text[i+1] == '/':
			for i < len(text) && text[i] != '\n' {
				i++
			}
			continue
		case c == '/' && i+1 < len(text) && text[i+1] == '*':
			// cedar-go accepts these, the official engine and the grammar don't.
			return nil, &scanError{start, "Cedar has no block comments; start each line with //"}
		case i+1 < len(text) && doubled(c, text[i+1]) && (!schema || c == ':'):
			i += 2
		case c < utf8.RuneSelf && single[c]:
			i++
		default:
			r, _ := utf8.DecodeRuneInString(text[i:])
			return nil, &scanError{start, "unexpected character " + quoteRune(r)}
		}
		tokens = append(tokens, token{kind, start, i})
	}
}

// stringEnd returns the offset after the string literal that starts at i, or -1.
func stringEnd(text string, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\n':
			return -1
		case '\\':
			i++
			if i < len(text) && text[i] == '\n' {
				return -1
			}
		}
	}
	return -1
}

func identStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func doubled(a, b byte) bool {
	switch a {
	case ':':
		return b == ':'
	case '=', '!', '<', '>':
		return b == '='
	case '&', '|':
		return b == a
	}
	return false
}

// single holds the tokens of one character. The question mark is part of
// templates and schemas, and the percent sign and the slash are refused with a
// better message by the parser.
var single = [utf8.RuneSelf]bool{
	'@': true, '.': true, ',': true, ';': true, '(': true, ')': true, '{': true, '}': true, '[': true, ']': true,
	'+': true, '-': true, '*': true, '!': true, '<': true, '>': true, ':': true, '=': true, '?': true, '%': true, '/': true,
	'&': true, '|': true,
}

func quoteRune(r rune) string {
	if !unicode.IsPrint(r) {
		return runeName(r)
	}
	return "'" + string(r) + "'"
}

var reserved = map[string]bool{
	"true": true, "false": true, "if": true, "then": true, "else": true,
	"in": true, "like": true, "has": true, "is": true, "__cedar": true,
}

package cedar

import (
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
)

// Format returns a source in the canonical layout: that of Cedar's own formatter
// except where docs/fmt.md says otherwise. Comments stay, and so does every
// token but a comma before a closing bracket, so no digest changes. Formatting
// the result again changes nothing. Several statements are accepted.
//
// If the source has problems they are returned, and no text.
func Format(file string, text []byte) ([]byte, diag.List) {
	src, _, _, problems := parseAll(file, text)
	if problems.Err() != nil {
		return nil, problems
	}
	tokens, _ := src.scan(false) // parseAll has seen that it can be scanned
	f := newFormatter(src.text, tokens)
	f.file()
	out := f.out.String()
	if !sameTokens(src, source{text: out}) {
		problems.Add(diag.Problem{
			Position: src.at(0), Rule: "format-unsafe",
			Message: "formatting would change more than the layout; the file is left as it is",
			Fix:     "please report this as a bug in policypin",
		})
		return nil, problems
	}
	return []byte(out), problems
}

// sameTokens tells whether two texts have the same tokens, not counting commas
// before a closing bracket, and the same comments in any order.
func sameTokens(a, b source) bool {
	left, leftComments, ok := a.pieces()
	right, rightComments, same := b.pieces()
	return ok && same && slices.Equal(left, right) && slices.Equal(leftComments, rightComments)
}

// pieces are the tokens that count, and the comments, sorted.
func (s source) pieces() (words, comments []string, ok bool) {
	tokens, err := s.scan(false)
	if err != nil {
		return nil, nil, false
	}
	for i, t := range tokens {
		for _, c := range commentsBefore(s.text, tokens, i) {
			comments = append(comments, c.text)
		}
		if word := s.text[t.start:t.end]; word != "," || !closes(s.text, tokens[i+1]) {
			words = append(words, word)
		}
	}
	slices.Sort(comments)
	return words, comments, true
}

// closes tells whether a token is a closing bracket.
func closes(text string, t token) bool {
	word := text[t.start:t.end]
	return word == ")" || word == "]" || word == "}"
}

// commentsBefore returns the comments between a token and the one before it.
func commentsBefore(text string, tokens []token, i int) (list []comment) {
	start := 0
	if i > 0 {
		start = tokens[i-1].end
	}
	blank := false
	for n, line := range strings.Split(text[start:tokens[i].start], "\n") {
		line = strings.Trim(line, " \t\r")
		switch {
		case line != "":
			list = append(list, comment{text: line, after: n == 0 && i > 0, blank: blank})
			blank = false
		case n > 0:
			blank = true
		}
	}
	return list
}

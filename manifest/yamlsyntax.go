package manifest

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/policypin/policypin/diag"
)

var (
	syntaxLine    = regexp.MustCompile(`^line (\d+): `)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// grammarProblems are the messages of yaml.v3's parser. It gives their lines
// counted from 0, unlike those of its scanner, and none at all for the first.
var grammarProblems = []string{
	"did not find expected ',' or ']'", "did not find expected ',' or '}'", "did not find expected '-' indicator",
	"did not find expected <document start>", "did not find expected key", "did not find expected node content",
	"found undefined tag handle",
}

// noToken is what yaml.v3 says of characters that begin nothing, tabs included.
const noToken = "found character that cannot start any token"

// tabProblems are its messages that can be about a tab.
var tabProblems = []string{
	noToken, "found a tab character that violates indentation", "found a tab character where an indentation space is expected",
}

// syntax reports an error of the library, which has a line in its text.
func (d *decoder) syntax(err error) {
	if conflicts := unmerged(d.file, d.source, "yaml-syntax"); len(conflicts) > 0 {
		d.problems.Add(conflicts...)
		return
	}
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		at := max(0, bytes.Index(d.source, []byte("*"+m[1])))
		d.problems.Errorf(positionAt(d.file, d.source, at), "alias", "aliases are not allowed, and this one names no anchor")
		return
	}
	line := 1
	if m := syntaxLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
		if slices.Contains(grammarProblems, message) {
			line++
		}
	}
	lines := bytes.Split(d.source, []byte{'\n'})
	line = min(line, len(lines))
	p := diag.Problem{Position: diag.Position{File: d.file, Line: line}, Rule: "yaml-syntax", Message: message}
	if slices.Contains(tabProblems, message) {
		plainCharacter(&p, lines)
	}
	if message == "could not find expected ':'" {
		p.Message = "this line has no ':' after its key"
	}
	d.problems.Add(p)
}

// plainCharacter says which character it is that begins nothing. The library
// gives the line of a tab or the one before it.
func plainCharacter(p *diag.Problem, lines [][]byte) {
	for n := p.Line; n <= min(p.Line+1, len(lines)); n++ {
		text := lines[n-1]
		indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
		if tab := bytes.IndexByte(indent, '\t'); tab >= 0 {
			p.Line, p.Column = n, tab+1
			p.Message, p.Fix = "a tab indents this line; YAML wants spaces", "replace it by spaces"
			return
		}
	}
	text := lines[p.Line-1]
	for i, c := range text {
		if p.Message == noToken && (c == '@' || c == '`' || c == '%') && (i == 0 || strings.IndexByte(" \t[{,", text[i-1]) >= 0) {
			p.Column = utf8.RuneCount(text[:i]) + 1
			p.Message, p.Fix = "a value can't begin with "+strconv.QuoteRune(rune(c)), "put it in quotes"
			return
		}
	}
}

// conflictsOr returns the conflicts in a Cedar text that can't be parsed, or the
// parser's problems if it has none.
func conflictsOr(problems diag.List, file string, text []byte) diag.List {
	if len(problems) == 0 {
		return problems
	}
	if conflicts := unmerged(file, text, problems[0].Rule); len(conflicts) > 0 {
		return conflicts
	}
	return problems
}

// unmerged finds the marks that git merge leaves around the two sides of a
// conflict. A text that can't be parsed has no other problems then: most are
// made by the marks.
func unmerged(file string, text []byte, rule string) diag.List {
	var starts, others diag.List
	line := 0
	for start := 0; start < len(text) && len(starts) < maxProblems; {
		line++
		rest, _, _ := bytes.Cut(text[start:], []byte{'\n'})
		start += len(rest) + 1
		rest = bytes.TrimSuffix(rest, []byte{'\r'})
		const size = 7 // of marks (gitattributes, conflict-marker-size)
		if len(rest) < size || strings.IndexByte("<|=>", rest[0]) < 0 || len(bytes.TrimLeft(rest[:size], string(rest[:1]))) > 0 || len(rest) > size && rest[size] != ' ' {
			continue
		}
		p := diag.Problem{
			Position: diag.Position{File: file, Line: line, Column: 1}, Rule: rule,
			Message: "a merge conflict is unresolved here", Fix: "keep what is right of both sides and remove the marks",
		}
		if rest[0] == '<' {
			starts.Add(p)
		} else if len(others) == 0 {
			p.Message, p.Fix = "a mark of a merge conflict was left here", "remove it"
			others.Add(p)
		}
	}
	if len(starts) > 0 {
		return starts
	}
	return others
}

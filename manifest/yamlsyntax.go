package manifest

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

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
	if slices.Contains(misplaced, message) {
		if line := d.breaks(message); line > 0 {
			p.Line = line
		}
	}
	if w, ok := plainly[message]; ok {
		p.Message, p.Fix = w.message, w.fix
	}
	d.problems.Add(p)
}

// plainly says in our words what yaml.v3 says in those of the grammar.
var plainly = map[string]struct{ message, fix string }{
	"could not find expected ':'":                    {"this line has no ':' after its key", ""},
	"did not find expected key":                      {"this line doesn't go on with what is above it", "check its indentation, and the quotes around its value"},
	"did not find expected '-' indicator":            {"this line doesn't go on with the list above it", "give it the indentation of what it belongs to"},
	"did not find expected ',' or ']'":               {"the list that opens here has no end, or lacks a comma", ""},
	"did not find expected ',' or '}'":               {"the mapping that opens here has no end, or lacks a comma", ""},
	"found unexpected end of stream":                 {"the text in quotes that begins here has no end", ""},
	"mapping values are not allowed in this context": {"a ':' can't stand here", "put a value that has ': ' in quotes, and give a key the indentation of those above it"},
}

// misplaced are problems of a line in a block for which yaml.v3 gives the first
// line of the block, which may be far above.
var misplaced = []string{"did not find expected key", "did not find expected '-' indicator"}

// maxSearched bounds the text that is parsed again and again to find a line.
const maxSearched = 256 << 10

// breaks finds the line that makes the parser say this: the text up to the line
// before doesn't. 0 means that it isn't found.
func (d *decoder) breaks(message string) int {
	if len(d.source) > maxSearched {
		return 0
	}
	var ends []int // of the lines
	for i, c := range d.source {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	ends = append(ends, len(d.source))
	at := sort.Search(len(ends), func(i int) bool { return grammarError(d.source[:ends[i]]) == message })
	if at == len(ends) {
		return 0
	}
	return at + 1
}

// grammarError is what yaml.v3 says of a text, without the line; "" if nothing.
func grammarError(text []byte) string {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	_, err := decode(dec)
	if err == nil {
		_, err = decode(dec) // as parseYAML, which looks for a second document
	}
	if err == nil || err == io.EOF {
		return ""
	}
	return syntaxLine.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "")
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

package report

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Text of a pull request is data. On GitHub, Markdown outside of code turns
// @name into a mention, #1, GH-1, owner/repository#1 and hashes into references,
// http://, www. and addresses into links, :name: into a picture, and a
// repository can add prefixes of its own. No escape stops all of that, since
// most of it happens to the text of the finished HTML, where escapes are gone;
// all of it leaves code alone (GitHub Flavored Markdown, 6.3 and 6.9, and
// GitHub's page on mentions and references). So untrusted text is written in
// code spans, in fences or in <code>, and nowhere else.

// A clip says how much of a text is shown. It follows from the budget, so that
// the full report clips less.
type clip struct {
	name int // bytes of a name, an id or a path
	text int // bytes of a message or a value
	line int // bytes of a line of Cedar
}

// cut returns at most n bytes of a text that is clean, and what to say about the
// rest.
func cut(text string, n int) (head, more string) {
	if len(text) <= n {
		return text, ""
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n], fmt.Sprintf("… (%s more)", plural(utf8.RuneCountInString(text[n:]), "character", "characters"))
}

// id writes a name, an id or a path as a code span.
func (c clip) id(text string) string { return c.span(text, c.name) }

// value writes a longer text as a code span.
func (c clip) value(text string) string { return c.span(text, c.text) }

func (c clip) span(text string, n int) string {
	head, more := cut(Clean(text), n)
	return codeSpan(head) + more
}

// codeSpan writes one line of text as code. The delimiters are longer than any
// run of backticks in it. A backtick at an end needs a space beside it; a space
// on both sides is taken away again by the reader, unless the text is nothing
// but spaces (GFM, 6.3).
func codeSpan(text string) string {
	if text == "" {
		return "(empty)"
	}
	ticks := strings.Repeat("`", longestRun(text, '`')+1)
	pad := ""
	spaces := text[0] == ' ' && text[len(text)-1] == ' ' && strings.Trim(text, " ") != ""
	if spaces || text[0] == '`' || text[len(text)-1] == '`' {
		pad = " "
	}
	return ticks + pad + text + pad + ticks
}

// longestRun is the length of the longest run of c.
func longestRun(text string, c byte) int {
	longest, run := 0, 0
	for i := range len(text) {
		if text[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// cell makes finished Markdown fit for a cell of a table. A bar ends the cell
// even within a code span, unless the byte before it is a backslash, which is
// then taken away (GFM, 4.10; cmark-gfm looks at that one byte alone).
func cell(markdown string) string { return strings.ReplaceAll(markdown, "|", `\|`) }

// htmlCode writes a name as code within a line of HTML, such as <summary>.
func (c clip) htmlCode(text string) string {
	head, more := cut(Clean(text), c.name)
	return "<code>" + html.EscapeString(head) + "</code>" + more
}

// fence writes lines of code that nothing in them can end: the fence is longer
// than any run of its character in the text.
func fence(language, text string) string {
	mark := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	if tildes := max(3, longestRun(text, '~')+1); tildes < len(mark) {
		mark = strings.Repeat("~", tildes)
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return mark + language + "\n" + text + mark + "\n"
}

// plainWord is what a sentence may hold bare: words, numbers and versions, which
// mean nothing to any reader of Markdown.
var plainWord = regexp.MustCompile(`^(?:[A-Za-z]+(?:['-][A-Za-z]+)*|v?[0-9]{1,6}|→|—|…)$`)

// hashLike is what could be the beginning of a commit's hash.
var hashLike = regexp.MustCompile(`^[0-9A-Fa-f]{7,}$`)

// prose writes a sentence that may hold names: plain words stay as they are,
// everything else becomes code.
func (c clip) prose(text string) string {
	text, more := cut(Clean(text), c.text)
	var b strings.Builder
	for rest := strings.TrimLeft(text, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if rest[0] == '(' {
			b.WriteByte('(')
			rest = rest[1:]
		}
		n := token(rest)
		word := rest[:n]
		rest = rest[n:]
		end := len(strings.TrimRight(word, ",.;:)"))
		if strings.Contains(word[:end], "(") && strings.HasPrefix(word[end:], ")") {
			end++ // permit() is one word
		}
		tail := word[end:]
		first := b.Len() == 0 // where a number could begin a list
		switch word = word[:end]; {
		case word == "":
		case plainWord.MatchString(word) && !hashLike.MatchString(word) && !(first && word[0] <= '9'):
			b.WriteString(word)
		default:
			if inner := strings.Trim(word, "`"); len(inner) == len(word)-2 && inner != "" && word[0] == '`' {
				word = inner // a message that marks its names itself
			}
			b.WriteString(codeSpan(word))
		}
		b.WriteString(tail)
	}
	return b.String() + more
}

// token is the length of the first word of a text; "a quoted text" is one, and
// so is one in backticks.
func token(text string) int {
	i := 0
	if text != "" && (text[0] == '"' || text[0] == '`') {
		for j := 1; j < len(text); j++ {
			if text[j] == '\\' && text[0] == '"' {
				j++
			} else if text[j] == text[0] {
				i = j
				break
			}
		}
	}
	if n := strings.IndexByte(text[i:], ' '); n >= 0 {
		return i + n
	}
	return len(text)
}

package manifest

import (
	"bytes"
	"sort"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// A remark is a comment in a YAML file. yaml.v3 moves comments around and drops
// some, and all empty lines, so they are found in the text: in what stands
// between scalars there is nothing but indicators, space and comments.
type remark struct {
	text   string
	start  int  // byte offset
	column int  // from 1, in bytes: only compared with indentation, which is ASCII
	after  bool // it follows something on its line
	blank  bool // the line before it is empty
}

// A span is where a scalar stands in the text.
type span struct{ start, end int }

// A yamlText is a file's text with the places of its scalars and comments.
type yamlText struct {
	text    []byte
	lines   []int               // byte offsets of the starts of lines
	spans   map[*yaml.Node]span // of scalars, and where empty lists and mappings start
	inside  map[int]bool        // the starts of lines that belong to a scalar
	remarks []remark            // in order
	at      int                 // up to where scalars and comments were found
	seen    place               // the last place that was turned into an offset
	seenAt  int                 // that offset
	ok      bool                // false if the text isn't what the nodes say
}

// scanText finds the scalars below root, and the comments between them.
func scanText(text []byte, root *yaml.Node) *yamlText {
	t := &yamlText{text: text, lines: []int{0}, spans: map[*yaml.Node]span{}, inside: map[int]bool{}, ok: true}
	for i, c := range text {
		if c == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	t.node(root)
	t.gap(len(text))
	return t
}

// node visits the scalars of a node in the order of the text.
func (t *yamlText) node(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode && len(n.Content) > 0 {
		for _, c := range n.Content {
			t.node(c)
		}
		return
	}
	s := span{start: t.offset(n)}
	if s.start < t.at || s.start > len(t.text) {
		t.ok = false
		return
	}
	t.gap(s.start)
	s.end = s.start
	if n.Kind == yaml.ScalarNode {
		s.end = t.scalarEnd(n, s.start)
	}
	if s.end < s.start {
		t.ok = false
		s.end = s.start
	}
	for i := t.line(s.start) + 1; i < len(t.lines) && t.lines[i] <= s.end; i++ {
		t.inside[t.lines[i]] = true
	}
	t.spans[n] = s
	t.at = s.end
}

// offset is the byte at which a node starts; its column counts characters. From
// one node to the next on a line it goes on where it was: a line can be long.
func (t *yamlText) offset(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(t.lines) {
		return -1
	}
	if n.Line != t.seen.line || n.Column < t.seen.column {
		t.seen, t.seenAt = place{n.Line, 1}, t.lines[n.Line-1]
	}
	for ; t.seen.column < n.Column; t.seen.column++ {
		_, size := utf8.DecodeRune(t.text[min(t.seenAt, len(t.text)):])
		t.seenAt += size
	}
	return t.seenAt
}

// gap collects the comments up to an offset.
func (t *yamlText) gap(end int) {
	for i := t.at; i < end; i++ {
		if t.text[i] == '#' {
			stop := min(lineEnd(t.text, i), end)
			t.remark(i, stop)
			i = stop
		}
	}
	t.at = end
}

func (t *yamlText) remark(start, end int) {
	line := t.lineStart(start)
	t.remarks = append(t.remarks, remark{
		text:   strings.TrimRight(string(t.text[start:end]), " \t"),
		start:  start,
		column: start - line + 1,
		after:  len(bytes.TrimLeft(t.text[line:start], " \t")) > 0,
		blank:  t.blankBefore(start),
	})
}

// blankBefore tells whether the line before that of an offset is empty.
func (t *yamlText) blankBefore(offset int) bool {
	line := t.lineStart(offset)
	if line == 0 {
		return false
	}
	before := t.lineStart(line - 1)
	return !t.inside[before] && len(bytes.TrimSpace(t.text[before:line])) == 0
}

func (t *yamlText) lineStart(offset int) int { return t.lines[t.line(offset)] }

// line is the number of the line of an offset, from 0.
func (t *yamlText) line(offset int) int { return sort.SearchInts(t.lines, offset+1) - 1 }

// lineEnd is the offset of the line feed that ends the line, or of the end.
func lineEnd(text []byte, offset int) int {
	if n := bytes.IndexByte(text[offset:], '\n'); n >= 0 {
		return offset + n
	}
	return len(text)
}

// scalarEnd returns the offset after a scalar, or -1.
func (t *yamlText) scalarEnd(n *yaml.Node, start int) int {
	text := t.text[start:]
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case '"':
				return start + i + 1
			}
		}
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i := 1; i < len(text); i++ {
			if text[i] != '\'' {
				continue
			}
			if i+1 == len(text) || text[i+1] != '\'' {
				return start + i + 1
			}
			i++
		}
	case inBlock(n):
		return t.blockEnd(start)
	default:
		return plainEnd(text, start, n.Value)
	}
	return -1
}

// plainEnd finds the end of a plain scalar by its value, from which the text
// differs by nothing but space.
func plainEnd(text []byte, start int, value string) int {
	i := 0
	for j := 0; j < len(value); {
		if space(value[j]) {
			for j < len(value) && space(value[j]) {
				j++
			}
			for i < len(text) && space(text[i]) {
				i++
			}
			continue
		}
		if i == len(text) || text[i] != value[j] {
			return -1
		}
		i, j = i+1, j+1
	}
	return start + i
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

// blockEnd returns the end of a literal or folded scalar that starts with its
// indicator at start: all lines that are empty or indented like its first one.
// A comment behind the indicator is collected.
func (t *yamlText) blockEnd(start int) int {
	end := lineEnd(t.text, start)
	if n := bytes.IndexByte(t.text[start:end], '#'); n >= 0 {
		t.remark(start+n, end)
	}
	indent, last := -1, end
	keep := bytes.IndexByte(bytes.SplitN(t.text[start:end], []byte("#"), 2)[0], '+') > 0
	for next := end + 1; next < len(t.text); {
		stop := lineEnd(t.text, next)
		line := t.text[next:stop]
		depth := len(line) - len(bytes.TrimLeft(line, " "))
		if depth < len(line) {
			if indent < 0 {
				if indent = depth; indent < t.parentIndent(start)+1 {
					break
				}
				if explicit := indicator(t.text[start:end]); explicit > 0 {
					indent = t.parentIndent(start) + explicit
				}
			}
			if depth < indent {
				break
			}
			last = stop
		} else if keep || indent >= 0 && depth > indent {
			last = stop // empty lines, or spaces, that are part of the text
		}
		next = stop + 1
	}
	return last
}

// parentIndent is the indentation of the mapping or list whose value starts at
// an offset: "  - key: |" gives 4, "  - |" gives 2. For a value on a line of its
// own the line before says it.
func (t *yamlText) parentIndent(offset int) int {
	for {
		start := t.lineStart(offset)
		line := t.text[start:offset]
		i, dash := 0, -1
		for i < len(line) && (line[i] == ' ' || line[i] == '-' && (i+1 == len(line) || line[i+1] == ' ')) {
			if line[i] == '-' {
				dash = i
			}
			i++
		}
		switch {
		case i < len(line) && line[i] != '#':
			return i
		case i == len(line) && dash >= 0:
			return dash
		case start == 0:
			return -1
		}
		offset = start - 1 // an empty line, or a comment
	}
}

// indicator is the explicit indentation in the head of a block scalar, or 0.
func indicator(head []byte) int {
	for _, c := range head {
		switch {
		case c >= '1' && c <= '9':
			return int(c - '0')
		case c == '#':
			return 0
		}
	}
	return 0
}

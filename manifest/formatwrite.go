package manifest

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// pairs writes a mapping's items.
func (f *formatter) pairs(b block, level int, l *layout) {
	for i, it := range b.items {
		if f.full() {
			return
		}
		if level > 0 && i == 0 {
			unblank(&it)
		}
		f.lead(it, level)
		f.indent(level)
		f.pair(it, level, l.of(it.key.Value))
	}
	f.own(b.foot, level)
}

// pair writes a key and its value, which l is the layout of, without what stands
// before.
func (f *formatter) pair(it item, level int, l *layout) {
	f.out.WriteString(f.scalar(it.key, level, false) + ":")
	switch {
	case len(it.value.Content) == 0:
		f.value(it, level, l)
	case it.flow && f.brackets(it, level, l):
	case it.value.Kind == yaml.MappingNode:
		f.endLine(it)
		l.order(it.inner.items)
		f.pairs(it.inner, level+1, l)
	default:
		f.endLine(it)
		f.items(it, level+1, l)
	}
}

// value writes a scalar, or an empty list or mapping.
func (f *formatter) value(it item, level int, l *layout) {
	text := "[]"
	switch it.value.Kind {
	case yaml.MappingNode:
		text = "{}"
	case yaml.ScalarNode:
		text = f.scalar(it.value, level+1, l.quotes())
	}
	if text == "" { // a key alone, or a dash
		f.endLine(it)
		return
	}
	head, rest, more := strings.Cut(text, "\n")
	f.out.WriteString(" " + head)
	switch {
	case !more:
		f.endLine(it)
	case inBlock(it.value):
		f.endLine(it)
		f.out.WriteString(rest + "\n")
	default:
		f.out.WriteString("\n" + rest)
		f.endLine(it)
	}
}

// brackets writes a list or mapping on one line behind its key or dash, if it
// may stand there and there is room.
func (f *formatter) brackets(it item, level int, l *layout) bool {
	room := l.width() - 2*level - len("- ")
	if it.key != nil {
		room = l.width() - 2*level - utf8.RuneCountInString(f.scalar(it.key, level, false)) - len(": ")
	}
	text, ok := f.inline(it, level, l, room)
	if !ok {
		return false
	}
	f.out.WriteString(" " + text)
	f.endLine(it)
	return true
}

// inline returns a value as it stands in brackets, if it does in so many
// characters. A mapping does only where values are the author's.
func (f *formatter) inline(it item, level int, l *layout, room int) (text string, ok bool) {
	if it.value.Kind == yaml.ScalarNode {
		if text = f.scalar(it.value, level, l.quotes()); text == "" {
			text = "null" // not all readers take a comma behind a key alone
		}
		return text, !strings.Contains(text, "\n") && utf8.RuneCountInString(text) <= room
	}
	opening, closing := "[", "]"
	if it.value.Kind == yaml.MappingNode {
		if opening, closing = "{", "}"; !l.isData() {
			return "", false
		}
	}
	// Giving up early keeps long values, nested, from being written many times.
	words := make([]string, len(it.inner.items))
	room -= len(opening) + len(closing)
	for i, c := range it.inner.items {
		inner := l.items()
		if i > 0 {
			room -= len(", ")
		}
		if c.key != nil {
			inner = l.of(c.key.Value)
			words[i] = f.scalar(c.key, level, false) + ": "
			room -= utf8.RuneCountInString(words[i])
		}
		word, ok := f.inline(c, level, inner, room)
		if !ok {
			return "", false
		}
		words[i] += word
		room -= utf8.RuneCountInString(word)
	}
	return opening + strings.Join(words, ", ") + closing, room >= 0
}

// items writes a list, one item a line.
func (f *formatter) items(list item, level int, l *layout) {
	l = l.items()
	for i, it := range list.inner.items {
		if f.full() {
			return
		}
		inner := it.inner
		if it.value.Kind == yaml.MappingNode && len(inner.items) > 0 {
			// What stands before the first key, which may have been another one,
			// goes above the dash.
			l.order(inner.items)
			it.hoist(inner.items[0].lead)
		}
		if i == 0 {
			unblank(&it)
		}
		f.lead(it, level)
		f.indent(level)
		f.out.WriteString("-")
		switch {
		case len(inner.items) == 0:
			f.value(it, level, l)
		case it.flow && f.brackets(it, level, l):
		case it.value.Kind == yaml.SequenceNode:
			f.endLine(it)
			f.items(it, level+1, l)
		default:
			if it.trail != nil { // from behind the brackets, in which there was none
				inner.items[0].trail = it.trail
			}
			f.out.WriteString(" ")
			f.pair(inner.items[0], level+1, l.of(inner.items[0].key.Value))
			f.pairs(block{inner.items[1:], inner.foot}, level+1, l)
		}
	}
	f.own(list.inner.foot, level)
}

// hoist moves the remarks above a first key to above its dash.
func (it *item) hoist(lead []remark) {
	if len(lead) > 0 && len(it.lead) == 0 {
		lead = slices.Clone(lead)
		lead[0].blank, it.blank = it.blank, false
	}
	it.lead = append(it.lead, lead...)
}

// unblank drops the empty line before the first thing in a block.
func unblank(it *item) {
	if len(it.lead) > 0 {
		it.lead = slices.Clone(it.lead)
		it.lead[0].blank = false
		return
	}
	it.blank = false
}

// lead writes what stands above an item.
func (f *formatter) lead(it item, level int) {
	f.own(it.lead, level)
	if it.blank {
		f.out.WriteString("\n")
	}
}

// own writes remarks on lines of their own.
func (f *formatter) own(list []remark, level int) {
	for _, r := range list {
		if r.blank && f.out.Len() > 0 {
			f.out.WriteString("\n")
		}
		f.indent(level)
		f.out.WriteString(r.text + "\n")
	}
}

func (f *formatter) indent(level int) { f.out.WriteString(strings.Repeat("  ", level)) }

func (f *formatter) endLine(it item) {
	if it.trail != nil {
		f.out.WriteString(" " + it.trail.text)
	}
	f.out.WriteString("\n")
}

// scalar returns a scalar as it was written, with two exceptions: where quotes
// is set, text that other readers of YAML would take for a number or a date gets
// some, and single quotes become double ones where that needs no escapes. Lines after the
// first are indented to a level.
func (f *formatter) scalar(n *yaml.Node, level int, quotes bool) string {
	s := f.spans[n]
	raw := string(f.text[s.start:s.end])
	switch {
	case inBlock(n):
		return f.blockScalar(n, level)
	case n.Style&yaml.SingleQuotedStyle != 0 && !strings.ContainsAny(raw, "\n\\\""):
		return strconv.Quote(n.Value)
	case n.Style == 0 && quotes && n.Tag != "!!str":
		return strconv.Quote(n.Value)
	}
	lines := strings.Split(raw, "\n")
	for i, line := range lines {
		trimmed := strings.Trim(line, " \t")
		if i == 0 {
			trimmed = strings.TrimRight(line, " \t")
		}
		if n.Style&yaml.DoubleQuotedStyle != 0 && i < len(lines)-1 && oddBackslashes(trimmed) && len(line) > 0 {
			// The backslash escapes the space behind it, or the line end.
			if at := strings.LastIndexByte(line, '\\'); at+1 < len(line) {
				trimmed += line[at+1 : at+2]
			}
		}
		if i > 0 && trimmed != "" {
			trimmed = strings.Repeat("  ", level) + trimmed
		}
		lines[i] = trimmed
	}
	return strings.Join(lines, "\n")
}

func oddBackslashes(s string) bool { return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1 }

// blockScalar returns a literal or folded scalar, indented to a level.
func (f *formatter) blockScalar(n *yaml.Node, level int) string {
	s := f.spans[n]
	first, rest, more := strings.Cut(string(f.text[s.start:s.end]), "\n")
	first, _, _ = strings.Cut(first, "#")
	mark, indent := first[:1], indicator([]byte(first))
	if indent > 0 {
		mark += "2"
		indent += f.parentIndent(s.start)
	}
	if i := strings.IndexAny(first, "+-"); i >= 0 {
		mark += first[i : i+1]
	}
	if !more {
		return mark
	}
	body := strings.Split(rest, "\n")
	for _, line := range body {
		if text := strings.TrimLeft(line, " "); indent == 0 && text != "" {
			indent = len(line) - len(text)
		}
	}
	for i, line := range body {
		line = line[min(indent, len(line)):]
		if line != "" {
			line = strings.Repeat("  ", level) + line
		}
		body[i] = line
	}
	return mark + "\n" + strings.Join(body, "\n")
}

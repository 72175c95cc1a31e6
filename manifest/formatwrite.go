package manifest

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// maxLine is the width at which a list in brackets is written one item a line.
const maxLine = 80

// order sorts pairs like the keys of the documentation; others stay behind
// them, in their order.
func order(items []item, keys []key) {
	rank := func(it item) int {
		n := slices.IndexFunc(keys, func(k key) bool { return k.name == it.key.Value })
		if n < 0 {
			return len(keys)
		}
		return n
	}
	slices.SortStableFunc(items, func(a, b item) int { return rank(a) - rank(b) })
}

// keysOf returns the order of the keys in the mapping that is the value of a
// key: of gates, or of one target. The names of targets keep their order.
func keysOf(name string, level int) []key {
	switch {
	case level == 0 && name == "gates":
		return gateKeys
	case level == 1:
		return targetKeys
	}
	return nil
}

// pairs writes a mapping's items.
func (f *formatter) pairs(b block, level int) {
	for i, it := range b.items {
		if level > 0 && i == 0 {
			unblank(&it)
		}
		f.lead(it, level)
		f.indent(level)
		f.pair(it, level)
	}
	f.own(b.foot, level)
}

// pair writes a key and its value, without what stands before.
func (f *formatter) pair(it item, level int) {
	f.out.WriteString(f.scalar(it.key, level, it.key.Value, false) + ":")
	switch {
	case len(it.value.Content) == 0:
		f.value(it, level)
	case it.value.Kind == yaml.MappingNode:
		f.endLine(it)
		order(it.inner.items, keysOf(it.key.Value, level))
		f.pairs(it.inner, level+1)
	case it.flow && f.brackets(it, level):
	default:
		f.endLine(it)
		f.items(it, level+1)
	}
}

// value writes a scalar, or an empty list or mapping.
func (f *formatter) value(it item, level int) {
	text := "[]"
	name := ""
	if it.key != nil {
		name = it.key.Value
	}
	switch it.value.Kind {
	case yaml.MappingNode:
		text = "{}"
	case yaml.ScalarNode:
		text = f.scalar(it.value, level+1, name, true)
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

// brackets writes a list on one line, if there is room.
func (f *formatter) brackets(it item, level int) bool {
	words := make([]string, len(it.inner.items))
	for i, c := range it.inner.items {
		words[i] = f.scalar(c.value, level, it.key.Value, true)
	}
	text := " [" + strings.Join(words, ", ") + "]"
	if 2*level+utf8.RuneCountInString(it.key.Value)+1+utf8.RuneCountInString(text) > maxLine || strings.Contains(text, "\n") {
		return false
	}
	f.out.WriteString(text)
	f.endLine(it)
	return true
}

// items writes a list, one item a line.
func (f *formatter) items(list item, level int) {
	for i, it := range list.inner.items {
		inner := it.inner
		if it.value.Kind == yaml.MappingNode && len(inner.items) > 0 {
			// What stands before the first key, which may have been another one,
			// goes above the dash.
			order(inner.items, entryKeys) // no other list holds mappings
			it.hoist(inner.items[0].lead)
		}
		if i == 0 {
			unblank(&it)
		}
		f.lead(it, level)
		f.indent(level)
		f.out.WriteString("-")
		if len(inner.items) == 0 {
			f.value(it, level)
			continue
		}
		f.out.WriteString(" ")
		f.pair(inner.items[0], level+1)
		f.pairs(block{inner.items[1:], inner.foot}, level+1)
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

// scalar returns a scalar as it was written, with two exceptions: text that
// other readers of YAML would take for a number or a date gets quotes, and
// single quotes become double ones where that needs no escapes. Lines after the
// first are indented to a level.
func (f *formatter) scalar(n *yaml.Node, level int, name string, value bool) string {
	s := f.spans[n]
	raw := string(f.text[s.start:s.end])
	switch {
	case inBlock(n):
		return f.blockScalar(n, level)
	case n.Style&yaml.SingleQuotedStyle != 0 && !strings.ContainsAny(raw, "\n\\\""):
		return strconv.Quote(n.Value)
	case n.Style == 0 && value && n.Tag != "!!str" && name != "version" && name != "max_removed_entries":
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

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

// A formatter writes YAML nodes in the canonical layout, and the remarks with
// what they stand at.
type formatter struct {
	*yamlText
	next int // the next remark that has no place yet
	out  strings.Builder
}

// An item is a pair of a mapping or an item of a list, with its remarks.
type item struct {
	key   *yaml.Node // nil in a list
	value *yaml.Node
	lead  []remark // on lines of their own above it
	trail *remark  // at the end of the key's line, or of the scalar's
	blank bool     // after an empty line
	inner block    // of a value that is a mapping or a list
	flow  bool     // the value is a list in brackets
}

// A block is a mapping or a list, with the remarks after its last item.
type block struct {
	items []item
	foot  []remark
}

// A follower is what comes after a node: its first byte, and the indentation
// above which a remark before it belongs to the node instead.
type follower struct{ start, column int }

// formatNodes returns the canonical text of a file. ok is false if the text is
// not understood well enough to be rewritten.
func formatNodes(text []byte, root *yaml.Node, keys []key) (formatted []byte, ok bool) {
	f := &formatter{yamlText: scanText(text, root)}
	if !f.ok || root.Kind != yaml.MappingNode || len(root.Content) == 0 {
		return nil, false
	}
	// What stands above the first key is about the file, whatever key that is.
	header := f.before(f.first(root))
	gap := len(header) > 0 && f.blankBefore(f.first(root))
	b := f.mapping(root, follower{len(text), -1})
	b.items[0].blank = false
	b.foot = append(b.foot, f.before(len(text))...)
	order(b.items, keys)
	f.own(header, 0)
	if gap && len(b.items[0].lead) == 0 {
		b.items[0].blank = true
	} else if len(header) == 0 {
		unblank(&b.items[0])
	}
	f.pairs(b, 0)
	return []byte(f.out.String()), f.next == len(f.remarks)
}

// before takes the remarks before an offset.
func (f *formatter) before(offset int) []remark {
	from := f.next
	for f.next < len(f.remarks) && f.remarks[f.next].start < offset {
		f.next++
	}
	return f.remarks[from:f.next:f.next]
}

// trailing takes a remark on the same line as the end of a value.
func (f *formatter) trailing(end int) *remark {
	if f.next < len(f.remarks) {
		if r := &f.remarks[f.next]; r.after && r.start >= end && r.start <= lineEnd(f.text, end) {
			f.next++
			return r
		}
	}
	return nil
}

// first is the offset of the first scalar below a node, or of an empty list or
// mapping.
func (f *formatter) first(n *yaml.Node) int {
	for len(n.Content) > 0 {
		n = n.Content[0]
	}
	return f.spans[n].start
}

// mapping gives the remarks in a mapping their places.
func (f *formatter) mapping(n *yaml.Node, after follower) (b block) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		next := after
		if i+2 < len(n.Content) {
			next = follower{f.first(n.Content[i+2]), n.Content[i+2].Column}
		}
		b.items = append(b.items, f.item(n.Content[i], n.Content[i+1], n.Column, next))
	}
	b.foot = f.foot(n.Column, after)
	return b
}

// list gives the remarks in a list their places.
func (f *formatter) list(n *yaml.Node, parent int, after follower) (b block) {
	for i, c := range n.Content {
		next := after
		if i+1 < len(n.Content) {
			next = follower{f.first(n.Content[i+1]), n.Column}
		}
		b.items = append(b.items, f.item(nil, c, n.Column, next))
	}
	// A list may be indented no more than its key.
	b.foot = f.foot(max(n.Column, parent+1), after)
	return b
}

// foot takes the remarks on lines of their own that are indented like the items
// of a block that ends, and more than what follows.
func (f *formatter) foot(column int, after follower) []remark {
	from := f.next
	for f.next < len(f.remarks) {
		if r := f.remarks[f.next]; r.after || r.start >= after.start || r.column < column || r.column <= after.column {
			break
		}
		f.next++
	}
	return f.remarks[from:f.next:f.next]
}

func (f *formatter) item(key, value *yaml.Node, column int, after follower) item {
	start := value
	if key != nil {
		start = key
	}
	at := f.first(start)
	it := item{key: key, value: value, blank: f.blankBefore(at), lead: slices.Clone(f.before(at))}
	if key != nil {
		it.trail = f.trailing(f.spans[key].end)
	}
	switch {
	case value.Kind == yaml.ScalarNode && inBlock(value):
		it.above(f.before(f.first(value)))
		it.end(f.trailing(f.spans[value].start)) // in its first line
	case value.Kind == yaml.ScalarNode:
		it.above(f.before(f.first(value)))
		it.end(f.trailing(f.spans[value].end))
	case len(value.Content) == 0:
		closing := f.bracket(f.first(value))
		it.above(f.before(closing))
		it.end(f.trailing(closing))
	case value.Kind == yaml.MappingNode:
		it.inner = f.mapping(value, after)
	case value.Style&yaml.FlowStyle != 0 && !slices.ContainsFunc(value.Content, notScalar):
		f.flowList(&it)
	default:
		it.inner = f.list(value, column, after)
	}
	return it
}

func notScalar(n *yaml.Node) bool { return n.Kind != yaml.ScalarNode }

// inBlock tells whether a scalar is a literal or folded one.
func inBlock(n *yaml.Node) bool { return n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 }

// above moves remarks to lines above the item.
func (it *item) above(list []remark) {
	if len(list) > 0 && it.trail != nil {
		list = append([]remark{*it.trail}, list...)
		it.trail = nil
	}
	it.lead = append(it.lead, list...)
}

// end puts a remark at the end of the item's line, where there may be one.
func (it *item) end(r *remark) {
	if r == nil {
		return
	}
	if it.trail != nil {
		it.lead = append(it.lead, *it.trail)
	}
	it.trail = r
}

// flowList takes a list in brackets, which stays one if it has no remarks
// inside, and fits on its line.
func (f *formatter) flowList(it *item) {
	from := f.next
	last := it.value.Content[len(it.value.Content)-1]
	for i, c := range it.value.Content {
		next := follower{f.spans[last].end, 0}
		if i+1 < len(it.value.Content) {
			next.start = f.first(it.value.Content[i+1])
		}
		it.inner.items = append(it.inner.items, f.item(nil, c, it.value.Column, next))
	}
	closing := f.bracket(f.spans[last].end)
	// The remark behind the last item may be behind the bracket.
	if tail := &it.inner.items[len(it.inner.items)-1]; tail.trail != nil && tail.trail.start > closing {
		tail.trail = nil
		f.next--
	}
	it.inner.foot = f.before(closing)
	it.flow = f.next == from
	it.end(f.trailing(closing))
}

// bracket returns the offset after the closing bracket that comes next.
func (f *formatter) bracket(offset int) int {
	for i := offset; i < len(f.text); i++ {
		switch f.text[i] {
		case '#':
			i = lineEnd(f.text, i)
		case ']', '}':
			return i + 1
		}
	}
	return len(f.text)
}

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

// keysOf returns the order of the keys of a mapping that is the value of a key,
// or an item of its list.
func keysOf(name string, level int) []key {
	switch {
	case name == "entries":
		return entryKeys
	case name == "gates":
		return gateKeys
	case level == 1:
		return targetKeys
	}
	return nil // the names of targets keep their order
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
			order(inner.items, keysOf(list.key.Value, level))
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

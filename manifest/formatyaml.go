package manifest

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// A formatter writes YAML nodes in the canonical layout, and the remarks with
// what they stand at.
type formatter struct {
	*yamlText
	next  int // the next remark that has no place yet
	limit int // what is written beyond so many bytes is of no use
	out   strings.Builder
}

// An item is a pair of a mapping or an item of a list, with its remarks.
type item struct {
	key   *yaml.Node // nil in a list
	value *yaml.Node
	lead  []remark // on lines of their own above it
	trail *remark  // at the end of the key's line, or of the scalar's
	blank bool     // after an empty line
	inner block    // of a value that is a mapping or a list
	flow  bool     // the value is in brackets, without remarks
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
// not understood well enough to be rewritten, or takes more than limit bytes
// then: indentation makes 200 times as much out of deep nesting.
func formatNodes(text []byte, root *yaml.Node, l *layout, limit int64) (formatted []byte, ok bool) {
	f := &formatter{yamlText: scanText(text, root), limit: int(limit)}
	if !f.ok || root.Kind != yaml.MappingNode || len(root.Content) == 0 {
		return nil, false
	}
	// What stands above the first key is about the file, whatever key that is.
	header := f.before(f.first(root))
	gap := len(header) > 0 && f.blankBefore(f.first(root))
	b := f.mapping(root, follower{len(text), -1})
	b.items[0].blank = false
	b.foot = append(b.foot, f.before(len(text))...)
	l.order(b.items)
	f.own(header, 0)
	if gap && len(b.items[0].lead) == 0 {
		b.items[0].blank = true
	} else if len(header) == 0 {
		unblank(&b.items[0])
	}
	f.pairs(b, 0, l)
	return []byte(f.out.String()), f.next == len(f.remarks) && !f.full()
}

func (f *formatter) full() bool { return f.out.Len() > f.limit }

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
	case value.Style&yaml.FlowStyle != 0 && !f.remarked(value):
		f.flow(&it, column, after)
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

// remarked tells whether there is a remark inside of brackets.
func (f *formatter) remarked(n *yaml.Node) bool {
	return f.next < len(f.remarks) && f.remarks[f.next].start < f.flowEnd(n)
}

// flowEnd is the offset after a value in brackets.
func (f *formatter) flowEnd(n *yaml.Node) int {
	switch {
	case n.Kind == yaml.ScalarNode:
		return f.spans[n].end
	case len(n.Content) == 0:
		return f.bracket(f.spans[n].start)
	}
	end := f.flowEnd(n.Content[len(n.Content)-1])
	if first := n.Content[0]; n.Kind == yaml.MappingNode && n.Line == first.Line && n.Column == first.Column {
		return end // [key: value] has a mapping without brackets of its own
	}
	return f.bracket(end)
}

// flow takes a value in brackets that has no remarks inside.
func (f *formatter) flow(it *item, column int, after follower) {
	next := f.next
	f.next = len(f.remarks) // what follows the bracket isn't about the last word
	if it.value.Kind == yaml.MappingNode {
		it.inner = f.mapping(it.value, after)
	} else {
		it.inner = f.list(it.value, column, after)
	}
	f.next = next
	it.flow = true
	it.end(f.trailing(f.flowEnd(it.value)))
}

// flowList takes a list in brackets with remarks inside, which can't stay one.
func (f *formatter) flowList(it *item) {
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

package manifest

import "slices"

const (
	// maxLine is the width at which a list in brackets is written one item a line.
	maxLine = 80
	// maxDataLine is the same for values of tests, which are compared with their
	// neighbours above and below.
	maxDataLine = 100
)

// A layout is how one place of a file is laid out. A nil layout is that of a
// scalar which is text, or of a list of such.
type layout struct {
	keys  []key              // the order of its keys, if it is a mapping
	under map[string]*layout // of the values of keys
	each  *layout            // of other values, or of a list's items

	// data says that the values are the author's and mean what YAML takes them
	// for: brackets stay, also around mappings, and numbers get no quotes.
	data bool
}

var (
	dataLayout = func() *layout {
		l := &layout{data: true}
		l.each = l
		return l
	}()

	projectLayout = &layout{keys: projectKeys, under: map[string]*layout{
		"targets": {each: &layout{keys: targetKeys}},
		"gates":   {keys: gateKeys, under: map[string]*layout{"max_removed_entries": dataLayout}},
	}}
	setLayout = &layout{keys: setKeys, under: map[string]*layout{
		"entries": {each: &layout{keys: entryKeys, under: map[string]*layout{"version": dataLayout}}},
	}}
	testLayout = &layout{keys: testKeys, under: map[string]*layout{
		"entities": {each: &layout{keys: entityKeys, under: map[string]*layout{"attrs": dataLayout, "tags": dataLayout}}},
		"cases":    {each: &layout{keys: caseKeys, under: map[string]*layout{"context": dataLayout}}},
	}}
)

// of is the layout of a key's value.
func (l *layout) of(key string) *layout {
	if l == nil {
		return nil
	}
	if under, ok := l.under[key]; ok {
		return under
	}
	return l.each
}

// items is the layout of a list's items.
func (l *layout) items() *layout {
	if l == nil {
		return nil
	}
	return l.each
}

func (l *layout) isData() bool { return l != nil && l.data }

// order sorts pairs like the keys of the documentation; others stay behind
// them, in their order.
func (l *layout) order(items []item) {
	if l == nil || l.keys == nil {
		return
	}
	rank := func(it item) int {
		n := slices.IndexFunc(l.keys, func(k key) bool { return k.name == it.key.Value })
		if n < 0 {
			return len(l.keys)
		}
		return n
	}
	slices.SortStableFunc(items, func(a, b item) int { return rank(a) - rank(b) })
}

// quotes tells whether a scalar that isn't text to YAML gets quotes, so that it
// is text to every reader. Where a mapping belongs, a scalar can only be a null.
func (l *layout) quotes() bool { return l == nil || !l.data && l.keys == nil }

// width is the longest line on which brackets stay.
func (l *layout) width() int {
	if l.isData() {
		return maxDataLine
	}
	return maxLine
}

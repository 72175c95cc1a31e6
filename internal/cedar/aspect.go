package cedar

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

// Aspects are what the policies of a survey ask, as questions that any request
// of the environment answers, made up or not. They are safe for concurrent use.
type Aspects struct {
	list []*aspect
	many bool // more yes-or-no questions than can be tried in all combinations
	open bool // the policies ask what isn't among the questions
}

// An aspect is one question with a few answers.
type aspect struct {
	kind    aspectKind
	path    string   // of the attribute or the subject
	has     string   // how Cedar asks whether it is there
	params  []string // the literals, the pattern or the other attribute
	sampled bool     // the representatives don't cover it
	subject bool     // the path is principal or resource
	idle    bool     // nobody asks
	named   []types.Value
	// possible tells which answers the representatives give; answer is that of
	// one request, and get is the value in it.
	possible []bool
	answer   func(*view) int
	get      func(*view) types.Value
}

type aspectKind int

// The kinds, with what is asked. Answer 0 is always that the attribute isn't
// there. Of a value, 1 is any other and the rest are those named; of an order, 1
// is the gap below the first of those named, 2 is it, 3 the gap above and so on;
// of all others, 1 is no and 2 is yes.
const (
	askValue aspectKind = iota
	askOrder
	askLike
	askHas
	askIn
	askSame
	askElement
	askMore
)

const (
	absent = 0
	other  = 1
	no     = 1
	yes    = 2
)

// A view is a request with its entities.
type view struct {
	world   getter
	request Request
	above   map[string]map[types.EntityUID]bool
}

func newView(e *Entities, r Request) *view { return &view{world: e.getter(), request: r} }

func (w *view) uid(subject string) types.EntityUID {
	if subject == "principal" {
		return w.request.request.Principal
	}
	return w.request.request.Resource
}

// in tells whether a subject is an entity or in it.
func (w *view) in(subject string, group types.EntityUID) bool {
	if w.above[subject] == nil {
		if w.above == nil {
			w.above = map[string]map[types.EntityUID]bool{}
		}
		w.above[subject] = map[types.EntityUID]bool{}
		for _, uid := range upwards(w.world, w.uid(subject)) {
			w.above[subject][uid] = true
		}
	}
	return w.above[subject][group]
}

// attribute is a value in the attributes of a subject or in the context; nil if
// it isn't there.
func (w *view) attribute(root string, names []types.String) types.Value {
	record := w.request.request.Context
	if root != "context" {
		e, _ := w.world.Get(w.uid(root))
		record = e.Attributes
	}
	for i, name := range names {
		value, ok := record.Get(name)
		if !ok {
			return nil
		}
		if i == len(names)-1 {
			return value
		}
		if uid, isEntity := value.(types.EntityUID); isEntity {
			e, _ := w.world.Get(uid)
			record = e.Attributes
		} else if record, ok = value.(types.Record); !ok {
			return nil
		}
	}
	return nil
}

// maxYesNo is how many yes-or-no questions are worth following: no search can
// try two to the power of it.
const maxYesNo = 32

// Aspects are what the policies of the survey ask.
func (v *Survey) Aspects() *Aspects {
	a := &aspecter{Survey: v}
	for _, name := range []string{"principal", "resource"} {
		a.scalar(v.uids[name].uid, name, "", false, func(w *view) types.Value { return w.uid(name) })
		byName := func(x, y types.EntityUID) int { return cmp.Compare(x.String(), y.String()) }
		for _, group := range slices.SortedFunc(maps.Keys(v.uids[name].above), byName) {
			a.yesNo(&aspect{kind: askIn, path: name, params: []string{group.String()}, possible: []bool{false, true, true}}, func(w *view) int {
				if w.in(name, group) {
					return yes
				}
				return no
			})
		}
	}
	for _, name := range []string{"principal", "resource", "context"} {
		a.kids(v.roots[name], name, name, nil, false)
	}
	a.ties()
	a.pairs()
	asked := 0
	for _, one := range a.found {
		if one.kind == askIn || one.kind == askElement {
			asked++
		}
	}
	return &Aspects{list: a.found, many: asked > maxYesNo, open: len(v.Open) > 0}
}

// An aspecter walks over a survey.
type aspecter struct {
	*Survey
	found   []*aspect
	scalars []placedSlot
}

type placedSlot struct {
	*slot
	*aspect
}

func (a *aspecter) yesNo(one *aspect, answer func(*view) int) {
	one.answer = answer
	a.found = append(a.found, one)
}

// attributePath is how Cedar writes an attribute of something, and asks for it.
func attributePath(owner string, name types.String) (path, has string) {
	if ident(string(name)) {
		return owner + "." + string(name), owner + " has " + string(name)
	}
	quoted := string(name.MarshalCedar())
	return owner + "[" + quoted + "]", owner + " has " + quoted
}

func (a *aspecter) kids(owner *slot, root, path string, names []types.String, optional bool) {
	for _, name := range slices.Sorted(maps.Keys(owner.kids)) {
		s := owner.kids[name]
		path, has := attributePath(path, name)
		names := append(slices.Clip(names), name)
		get := func(w *view) types.Value { return w.attribute(root, names) }
		optional := optional || s.optional
		switch s.want.(type) {
		case resolved.RecordType, resolved.SetType:
			if s.optional {
				a.yesNo(&aspect{kind: askHas, path: path, has: has, possible: []bool{true, false, true}, sampled: s.sampled}, func(w *view) int {
					if get(w) == nil {
						return absent
					}
					return yes
				})
			}
		default:
			a.scalar(s, path, has, optional, get)
		}
		a.elements(s, path, optional, get)
		a.kids(s, root, path, names, optional)
	}
}

func (a *aspecter) elements(s *slot, path string, optional bool, get func(*view) types.Value) {
	set := func(w *view, answer func(types.Set) bool) int {
		value, ok := get(w).(types.Set)
		switch {
		case !ok:
			return absent
		case answer(value):
			return yes
		}
		return no
	}
	texts, elements := slices.Sorted(maps.Keys(s.elements)), slices.Collect(maps.Values(s.elements))
	possible := []bool{optional, true, true}
	for _, text := range texts {
		a.yesNo(&aspect{kind: askElement, path: path, params: []string{text}, possible: possible, sampled: s.sampled}, func(w *view) int {
			return set(w, func(have types.Set) bool { return have.Contains(s.elements[text]) })
		})
	}
	if s.more == nil || len(a.fresh(s.want.(resolved.SetType).Element, s.elements, 1)) == 0 {
		return
	}
	a.yesNo(&aspect{kind: askMore, path: path, params: texts, possible: possible, sampled: s.sampled}, func(w *view) int {
		return set(w, func(have types.Set) bool {
			for item := range have.All() {
				if !slices.ContainsFunc(elements, item.Equal) {
					return true
				}
			}
			return false
		})
	})
}

func (a *aspecter) scalar(s *slot, path, has string, optional bool, get func(*view) types.Value) {
	mentioned, begins, ends, ordered := asks(s.class())
	domain := a.domain(s)
	kind, named := askValue, slices.SortedFunc(maps.Values(mentioned), func(x, y types.Value) int {
		return cmp.Compare(string(x.MarshalCedar()), string(y.MarshalCedar()))
	})
	if ordered {
		kind = askOrder
		slices.SortFunc(named, func(x, y types.Value) int { return cmp.Compare(magnitude(x), magnitude(y)) })
	} else if a.finite(s.want) {
		named = domain
	}
	one := &aspect{kind: kind, path: path, has: has, sampled: s.sampled, subject: path == "principal" || path == "resource", idle: len(s.by) == 0, named: named, get: get}
	numbers := make(map[string]int, len(named))
	for i, value := range named {
		numbers[string(value.MarshalCedar())] = i
	}
	number := func(value types.Value) int {
		switch {
		case value == nil:
			return absent
		case ordered:
			at, found := slices.BinarySearchFunc(named, value, func(x, y types.Value) int { return cmp.Compare(magnitude(x), magnitude(y)) })
			if found {
				return 2*at + 2
			}
			return 2*at + 1
		}
		if i, ok := numbers[string(value.MarshalCedar())]; ok {
			return 2 + i
		}
		if _, text := value.(types.String); !text { // equal values can be written in two ways
			return 2 + slices.IndexFunc(named, value.Equal) // -1 makes other
		}
		return other
	}
	one.possible = make([]bool, 2*len(named)+2)
	if !ordered {
		one.possible = make([]bool, len(named)+2)
	}
	one.possible[absent] = optional
	for _, value := range domain {
		one.possible[number(value)] = true
	}
	one.answer = func(w *view) int { return number(get(w)) }
	a.found = append(a.found, one)
	a.scalars = append(a.scalars, placedSlot{s, one})
	a.patterns(one, begins, "", "*", strings.HasPrefix)
	a.patterns(one, ends, "*", "", strings.HasSuffix)
}

// finite tells whether all values of a type are known.
func (a *aspecter) finite(want resolved.IsType) bool {
	switch want := want.(type) {
	case resolved.BoolType:
		return true
	case resolved.EntityType:
		_, enum := a.schema.resolved.Enums[types.EntityType(want)]
		return enum
	}
	return false
}

func (a *aspecter) patterns(value *aspect, literals []string, before, after string, has func(text, literal string) bool) {
	literals = slices.Compact(slices.Sorted(slices.Values(literals)))
	for _, literal := range literals {
		quoted := string(types.String(strings.ReplaceAll(literal, "*", `\*`)).MarshalCedar())
		quoted = `"` + before + strings.ReplaceAll(quoted[1:len(quoted)-1], `\\*`, `\*`) + after + `"`
		one := &aspect{kind: askLike, path: value.path, params: []string{quoted}, possible: []bool{value.possible[absent], true, true}, sampled: value.sampled}
		a.yesNo(one, func(w *view) int {
			text, ok := value.get(w).(types.String)
			switch {
			case !ok:
				return absent
			case has(string(text), literal):
				return yes
			}
			return no
		})
	}
}

// pairs are attributes that are compared with each other.
func (a *aspecter) pairs() {
	for i, x := range a.scalars {
		for _, y := range a.scalars[i+1:] {
			if !x.links[y.slot] {
				continue
			}
			one := &aspect{kind: askSame, path: x.path, params: []string{y.path}, possible: []bool{x.possible[absent] || y.possible[absent], true, true},
				sampled: x.aspect.sampled || y.aspect.sampled}
			a.yesNo(one, func(w *view) int {
				left, right := x.get(w), y.get(w)
				switch {
				case left == nil || right == nil:
					return absent
				case left.Equal(right):
					return yes
				}
				return no
			})
		}
	}
}

// magnitude orders the values of one type that has an order.
func magnitude(v types.Value) int64 {
	switch v := v.(type) {
	case types.Long:
		return int64(v)
	case types.Decimal:
		units, _ := decimalUnits(v)
		return units
	case types.Datetime:
		return v.Milliseconds()
	case types.Duration:
		return v.ToMilliseconds()
	}
	return 0
}

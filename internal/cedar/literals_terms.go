package cedar

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

// A term is one thing that is asked about a request.
type term struct {
	name   string // what is asked, alike in every survey of the environment; "": it isn't known
	by     mention
	values []types.Value // nil stands for an attribute that isn't there
	apply  func(*choices, types.Value)
	of     *slot          // whose value it is; nil: it has two answers
	number map[string]int // of the values, by their text
	every  []int          // the numbers of all values, if somebody wanted them
}

// choices are what the terms come to in one request.
type choices struct {
	uids     map[string]types.EntityUID
	above    map[string][]types.EntityUID
	values   map[*slot]types.Value // of scalars; nil for absent slots of all types
	elements map[*slot][]types.Value
	ties     []*tie // that hold
}

// Terms are what is asked, each with its number of values. The first value of
// each is the one that nobody mentions.
func (v *Survey) Terms() []int {
	sizes := make([]int, len(v.terms))
	for i, t := range v.terms {
		sizes[i] = len(t.values)
	}
	return sizes
}

// Asks tells whether a policy asks about a term.
func (v *Survey) Asks(policy, number int) bool { return v.terms[number].by[policy] }

// Own are the values of a term that matter to one policy, by their numbers: those
// that it mentions with their neighbours, others, and absence. A term has a value
// for each policy that mentions one. They aren't to be changed.
func (v *Survey) Own(policy, number int) (values []int) {
	t := &v.terms[number]
	if t.of == nil || len(t.of.begins)+len(t.of.ends) > 0 {
		if t.every == nil { // made once, for there may be thousands
			for i := range t.values {
				t.every = append(t.every, i)
			}
		}
		return t.every
	}
	values = []int{0}
	if len(t.of.links) > 0 && len(t.values) > 1 {
		values = append(values, 1) // another that differs from the first
	}
	for _, value := range t.of.valuesOf[policy] {
		near := []types.Value{value}
		if t.of.ordered {
			near = append(near, around(value)...)
		}
		for _, value := range near {
			if i, ok := t.number[string(value.MarshalCedar())]; ok {
				values = append(values, i)
			}
		}
	}
	if last := len(t.values) - 1; t.values[last] == nil {
		values = append(values, last)
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// Alike are the numbers in another survey of the environment of the same terms
// with the same values, and -1 for the others.
func (v *Survey) Alike(other *Survey) []int {
	there := make(map[string]int, len(other.terms))
	for i, t := range other.terms {
		if t.name != "" {
			there[t.name] = i
		}
	}
	numbers := make([]int, len(v.terms))
	for i, t := range v.terms {
		at, ok := there[t.name]
		if ok {
			u := other.terms[at]
			ok = len(t.values) == len(u.values) && maps.Equal(t.number, u.number)
		}
		if numbers[i] = at; !ok {
			numbers[i] = -1
		}
	}
	return numbers
}

// named gives the last term a name, by which it is known in other surveys.
func (v *Survey) named(name string) { v.terms[len(v.terms)-1].name = name }

// value makes a term of the value of a slot.
func (v *Survey) value(name string, s *slot, values []types.Value, apply func(*choices, types.Value)) {
	v.add(s.by, values, apply)
	v.named(name)
	t := &v.terms[len(v.terms)-1]
	t.of, t.number = s, make(map[string]int, len(values))
	for i, value := range values {
		if value != nil {
			t.number[string(value.MarshalCedar())] = i
		}
	}
}

// Askers are the policies that ask about a term, in no order.
func (v *Survey) Askers(number int) iter.Seq[int] { return maps.Keys(v.terms[number].by) }

// list makes the terms out of what was asked, in an order of its own.
func (v *Survey) list() {
	subjects, roots := []string{"principal", "resource"}, []string{"principal", "resource", "context"}
	if v.env.One {
		subjects, roots = subjects[:1], []string{"principal", "context"}
	}
	for _, name := range subjects {
		s := v.uids[name]
		values := v.domain(s.uid)
		if name == "resource" && v.env.Principal == v.env.Resource && len(values) > 1 {
			values[0], values[1] = values[1], values[0] // where nobody asks, they are two all the same
		}
		v.value(name, s.uid, values, func(c *choices, value types.Value) { c.uids[name] = value.(types.EntityUID) })
		byName := func(a, b types.EntityUID) int { return cmp.Compare(a.String(), b.String()) }
		for _, group := range slices.SortedFunc(maps.Keys(s.above), byName) {
			v.add(s.above[group], yesNo, func(c *choices, value types.Value) {
				if value == types.True {
					c.above[name] = append(c.above[name], group)
				}
			})
			v.named(name + " in " + group.String())
		}
	}
	for _, name := range roots {
		v.listKids(name, v.roots[name])
	}
	v.listTies()
}

var (
	yesNo   = []types.Value{types.False, types.True}
	present = []types.Value{types.True, nil}
)

func (v *Survey) add(by mention, values []types.Value, apply func(*choices, types.Value)) {
	v.terms = append(v.terms, term{by: by, values: values, apply: apply})
}

func (v *Survey) listKids(path string, owner *slot) {
	for _, name := range slices.Sorted(maps.Keys(owner.kids)) {
		s, path := owner.kids[name], path+"."+string(name.MarshalCedar())
		put := func(c *choices, value types.Value) { c.values[s] = value }
		switch s.want.(type) {
		case resolved.RecordType, resolved.SetType:
			if s.optional {
				v.add(s.by, present, put)
				v.named("has " + path)
			}
		default:
			values := v.domain(s)
			if s.optional {
				values = append(values, nil)
			}
			v.value(path, s, values, put)
		}
		v.listElements(path, s)
		v.listKids(path, s)
	}
}

func (v *Survey) listElements(path string, s *slot) {
	for _, text := range slices.Sorted(maps.Keys(s.elements)) {
		element := s.elements[text]
		by := maps.Clone(s.elemBy[text])
		maps.Copy(by, s.more) // to those who ask for all elements, each makes a difference
		v.add(by, yesNo, func(c *choices, value types.Value) {
			if value == types.True {
				c.elements[s] = append(c.elements[s], element)
			}
		})
		v.named(path + " contains " + text)
	}
	if s.more == nil {
		return
	}
	taken := maps.Clone(s.elements)
	for _, item := range s.tied {
		for _, value := range v.domain(item) {
			if taken == nil {
				taken = map[string]types.Value{}
			}
			taken[string(value.MarshalCedar())] = value
		}
	}
	others := v.fresh(s.want.(resolved.SetType).Element, taken, 1)
	if len(others) == 0 {
		return // every value of the type is mentioned
	}
	s.other = others[0]
	v.add(s.more, yesNo, func(c *choices, value types.Value) {
		if value == types.True {
			c.elements[s] = append(c.elements[s], others[0])
		}
	})
	v.named(path + " has others")
}

// class are a slot and those that it is compared with, directly or not.
func (s *slot) class() map[*slot]bool {
	class := map[*slot]bool{s: true}
	for open := []*slot{s}; len(open) > 0; open = open[1:] {
		for other := range open[0].links {
			if !class[other] {
				class[other] = true
				open = append(open, other)
			}
		}
	}
	return class
}

// domain are the representatives of a scalar: those that are mentioned, and
// others, as many as can differ from each other.
func (v *Survey) domain(s *slot) []types.Value {
	class := s.class()
	mentioned, begins, ends, ordered := asks(class)
	if ordered {
		for _, value := range slices.Collect(maps.Values(mentioned)) {
			for _, near := range around(value) {
				mentioned[string(near.MarshalCedar())] = near
			}
		}
	}
	values := v.fresh(s.want, mentioned, len(class))
	if len(begins)+len(ends) > 0 {
		values = texts(begins, ends, mentioned, len(class))
		values = append(values, s.joined(begins, mentioned)...)
	}
	for _, text := range slices.Sorted(maps.Keys(mentioned)) {
		values = append(values, mentioned[text])
	}
	return values
}

// fresh are up to n values of a type that aren't among those mentioned.
func (v *Survey) fresh(want resolved.IsType, mentioned map[string]types.Value, n int) []types.Value {
	var all []types.Value
	take := func(value types.Value) {
		if _, taken := mentioned[string(value.MarshalCedar())]; !taken && len(all) < n {
			all = append(all, value)
		}
	}
	switch want := want.(type) {
	case resolved.BoolType:
		n = 2
		take(types.False)
		take(types.True)
	case resolved.StringType, resolved.LongType, resolved.EntityType, resolved.ExtensionType:
		if uid, ok := want.(resolved.EntityType); ok {
			if enum, ok := v.schema.resolved.Enums[types.EntityType(uid)]; ok {
				n = len(enum.Values)
				for _, value := range enum.Values {
					take(value)
				}
				return all
			}
		}
		for i := 0; len(all) < n; i++ {
			value := numbered(want, i)
			if uid, ok := value.(types.EntityUID); !ok || !v.group(uid) {
				take(value)
			}
		}
	default:
		take(v.usual(want))
	}
	return all
}

// group tells whether somebody asks whether a subject is in the entity. One that
// nobody mentions must be another, or it would put its own ancestors above.
func (v *Survey) group(uid types.EntityUID) bool {
	for _, s := range v.uids {
		if s.above[uid] != nil {
			return true
		}
	}
	return false
}

// numbered is value i of a type that has enough of them.
func numbered(want resolved.IsType, i int) types.Value {
	text := "other"
	if i > 0 {
		text = fmt.Sprintf("other%d", i+1)
	}
	switch want := want.(type) {
	case resolved.LongType:
		return types.Long(i)
	case resolved.EntityType:
		return types.NewEntityUID(types.EntityType(want), types.String(text))
	case resolved.ExtensionType:
		return numberedExtension(string(want), i)
	}
	return types.String(text)
}

// usual is a value of a type that nobody asks about.
func (v *Survey) usual(want resolved.IsType) types.Value {
	switch want := want.(type) {
	case resolved.BoolType:
		return types.False
	case resolved.SetType:
		return types.NewSet()
	case resolved.RecordType:
		values := types.RecordMap{}
		for name, a := range want {
			if !a.Optional {
				values[name] = v.usual(a.Type)
			}
		}
		return types.NewRecord(values)
	case resolved.EntityType:
		if enum, ok := v.schema.resolved.Enums[types.EntityType(want)]; ok {
			return enum.Values[0]
		}
	}
	return numbered(want, 0)
}

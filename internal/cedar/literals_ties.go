package cedar

import (
	"maps"
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

// Where an expression isn't covered, its parts are tried all the same. Two kinds
// of them need more than values: an attribute of an entity that is an attribute,
// for which that entity has to be there, and what ties two values to each other,
// as in "principal in resource.readers" and "resource.owners.contains(principal)".

// A tie is such a question. Of the representatives one half answers it with yes.
type tie struct {
	by      mention
	subject string   // that is in the value of the slot, or ""
	slot    *slot    // an entity or a set
	element *operand // that is in the set; nil if there is none
	path    string   // of the slot
	holder  route
	param   string // what is in it
	among   bool   // it is asked with "in"
	item    *slot  // whose value is in the set, where all answers are covered; else nil
}

// An operand is a value that an expression comes to.
type operand struct {
	chosen func(*choices) types.Value // nil if it isn't there
	seen   func(*view) types.Value
}

// A route is a path of attributes from a variable.
type route struct {
	root  string
	names []types.String
}

func routeOf(n ast.IsNode) (c route, ok bool) {
	switch n := n.(type) {
	case ast.NodeTypeVariable:
		return route{root: string(n.Name)}, n.Name != "action"
	case ast.NodeTypeAccess:
		c, ok = routeOf(n.Arg)
		c.names = append(c.names, n.Value)
	}
	return c, ok
}

// hop finds the attributes of an entity that is an attribute itself. Others of
// its type that are asked about can be the same entity.
func (r *reader) hop(owner *slot) (resolved.RecordType, bool) {
	kind, ok := owner.want.(resolved.EntityType)
	if !ok || !r.sampling {
		return nil, false
	}
	entity, ok := r.schema.resolved.Entities[types.EntityType(kind)]
	if !ok {
		return nil, false
	}
	if !slices.Contains(r.hops, owner) {
		r.hops = append(r.hops, owner)
		for _, name := range []string{"principal", "resource"} {
			if uid := r.uids[name].uid; uid.want == owner.want && uid != owner {
				owner.link(uid)
				uid.link(owner)
				uid.by[r.number] = true
			}
		}
	}
	return entity.Shape, true
}

// tie notes what an expression that isn't covered ties together.
func (r *reader) tie(n ast.IsNode) {
	switch n := n.(type) {
	case ast.NodeTypeIn:
		variable, ok := n.Left.(ast.NodeTypeVariable)
		if ok && r.uids[string(variable.Name)] != nil {
			r.tied(n.Right, n.Left, &tie{subject: string(variable.Name), among: true})
		}
	case ast.NodeTypeIsIn:
		r.tie(ast.NodeTypeIn{BinaryNode: ast.BinaryNode{Left: n.Left, Right: n.Entity}})
	case ast.NodeTypeContains:
		if element := r.operand(n.Right); element != nil && literal(n.Right) == nil {
			r.tied(n.Left, n.Right, &tie{element: element})
		}
	case ast.NodeTypeContainsAny:
		r.overlap(n.Left, n.Right)
	case ast.NodeTypeContainsAll:
		r.overlap(n.Left, n.Right)
	}
}

// maxTiedEnum is how many ids an enumeration may have for sets of them to be
// covered: each of them is a question then.
const maxTiedEnum = 8

// holds notes that a set is asked for a subject or an attribute, and tells whether
// that is covered. It is for texts and entities, which can only be equal or not.
func (r *reader) holds(s *slot, left, right ast.IsNode) bool {
	set, ok := s.want.(resolved.SetType)
	x, known := r.place(right)
	if !ok || !known || x == nil || !scalar(set.Element) || !scalar(x.want) {
		return false
	}
	s.by[r.number], x.by[r.number] = true, true
	if x.want != set.Element {
		return true // never in it
	}
	switch kind := set.Element.(type) {
	case resolved.StringType:
	case resolved.EntityType:
		if len(r.schema.resolved.Enums[types.EntityType(kind)].Values) > maxTiedEnum {
			return false
		}
	default:
		return false
	}
	r.tied(left, right, &tie{element: r.operand(right), item: x})
	return true
}

// bind makes what is covered of ties fit the rest. A literal that a set is asked
// for is one that the tied value can be; two values that are tied to one set can be
// two; and whoever asks for one element has to do with all, since what one term
// says another may contradict.
func (v *Survey) bind() {
	bound := map[*slot][]*tie{}
	for _, key := range slices.Sorted(maps.Keys(v.ties)) {
		if t := v.ties[key]; t.item != nil {
			bound[t.slot] = append(bound[t.slot], t)
		}
	}
	for s, ties := range bound {
		if s.elements == nil {
			s.elements, s.elemBy = map[string]types.Value{}, map[string]mention{}
		}
		if kind, ok := ties[0].item.want.(resolved.EntityType); ok {
			for _, uid := range v.schema.resolved.Enums[types.EntityType(kind)].Values {
				s.elements[string(uid.MarshalCedar())] = uid
			}
		}
		askers := maps.Clone(s.more)
		if askers == nil {
			askers = mention{}
		}
		for _, by := range s.elemBy {
			maps.Copy(askers, by)
		}
		for _, t := range ties {
			maps.Copy(askers, t.by)
		}
		for i, t := range ties {
			for number := range t.by {
				for _, value := range s.elements {
					t.item.add(value, number)
				}
			}
			for _, other := range ties[:i] {
				if other.item != t.item {
					t.item.link(other.item)
					other.item.link(t.item)
				}
			}
			s.tied = append(s.tied, t.item)
		}
		for _, t := range ties {
			t.by = askers
			maps.Copy(t.item.by, askers) // with another value, other terms contradict each other
		}
		for text := range s.elements {
			s.elemBy[text] = askers
		}
		if s.more != nil {
			s.more = askers
		}
	}
}

func (r *reader) tied(holder, item ast.IsNode, t *tie) {
	s, _ := r.place(holder)
	if s == nil || s.want == nil {
		return
	}
	group, element := s.want, resolved.IsType(nil)
	if set, ok := s.want.(resolved.SetType); ok {
		group, element = set.Element, set.Element
	}
	if t.subject != "" {
		kind, ok := group.(resolved.EntityType)
		subject := r.uids[t.subject].uid
		switch from := subject.want.(resolved.EntityType); {
		case !ok:
			return
		case r.schema.ladder(types.EntityType(from), types.EntityType(kind)) != nil:
		case from == kind && element != nil: // it is in the set itself
			t.element, t.subject = r.operand(item), ""
		case from == kind:
			s.link(subject)
			subject.link(s)
			return
		default:
			return
		}
	} else if element == nil {
		return
	}
	var left, right printer
	left.node(holder)
	right.node(item)
	t.slot, t.path, t.param = s, left.String(), right.String()
	t.holder, _ = routeOf(holder)
	key := t.path + " contains " + t.param
	if t.among {
		key = t.param + " in " + t.path
	}
	if have := r.ties[key]; have != nil {
		t = have
	} else {
		t.by = mention{}
		r.ties[key] = t
	}
	for _, other := range r.ties { // two groups of one type can be two entities
		if other.slot != s && element == nil && other.slot.want == s.want {
			s.link(other.slot)
			other.slot.link(s)
		}
	}
	t.by[r.number], s.by[r.number] = true, true
}

// overlap gives two sets an element in common, and each what the other is asked
// for.
func (r *reader) overlap(left, right ast.IsNode) {
	a, _ := r.place(left)
	b, _ := r.place(right)
	if a == nil || b == nil || a == b {
		return
	}
	set, ok := a.want.(resolved.SetType)
	if !ok || !scalar(set.Element) {
		return
	}
	other, ok := b.want.(resolved.SetType)
	if !ok || other.Element != set.Element {
		return
	}
	values := r.fresh(set.Element, nil, 1)
	for _, s := range []*slot{a, b} {
		values = slices.AppendSeq(values, maps.Values(s.elements))
	}
	for _, v := range values {
		r.element(a, v)
		r.element(b, v)
	}
}

// operand is what an expression comes to: a literal, a subject, an attribute, or a
// record of such. It is nil for others.
func (r *reader) operand(n ast.IsNode) *operand {
	if v := literal(n); v != nil {
		return &operand{func(*choices) types.Value { return v }, func(*view) types.Value { return v }}
	}
	switch n := n.(type) {
	case ast.NodeTypeVariable:
		if name := string(n.Name); r.uids[name] != nil {
			r.uids[name].uid.by[r.number] = true
			return &operand{func(c *choices) types.Value { return c.uids[name] }, func(w *view) types.Value { return w.uid(name) }}
		}
	case ast.NodeTypeAccess:
		from, ok := routeOf(n)
		if s, _ := r.place(n); ok && s != nil && scalar(s.want) {
			if _, ok := s.want.(resolved.StringType); ok && r.sampling {
				r.constant(s, numbered(s.want, 1)) // two texts can differ
			}
			return &operand{func(c *choices) types.Value { return c.values[s] }, from.value}
		}
	case ast.NodeTypeRecord:
		parts := map[types.String]*operand{}
		for _, e := range n.Elements {
			if parts[e.Key] = r.operand(e.Value); parts[e.Key] == nil {
				return nil
			}
		}
		return &operand{
			func(c *choices) types.Value {
				return recordOf(parts, func(p *operand) types.Value { return p.chosen(c) })
			},
			func(w *view) types.Value { return recordOf(parts, func(p *operand) types.Value { return p.seen(w) }) },
		}
	}
	return nil
}

func recordOf(parts map[types.String]*operand, value func(*operand) types.Value) types.Value {
	record := types.RecordMap{}
	for name, p := range parts {
		if record[name] = value(p); record[name] == nil {
			return nil
		}
	}
	return types.NewRecord(record)
}

// listTies makes the terms of ties.
func (v *Survey) listTies() {
	for _, key := range slices.Sorted(maps.Keys(v.ties)) {
		t := v.ties[key]
		v.add(t.by, yesNo, func(c *choices, value types.Value) {
			if value == types.True {
				c.ties = append(c.ties, t)
			}
		})
	}
}

// hold makes choices answer the ties that they say yes to. A set is given its
// elements before anything is put into one of them. ok is false if the choices
// contradict each other: what is covered has to be as the terms say.
func (v *Survey) hold(c *choices) (ok bool) {
	said := c.elements
	if len(c.ties) > 0 {
		c.elements = maps.Clone(said)
	}
	for _, t := range c.ties {
		if t.element == nil {
			continue
		}
		value := t.element.chosen(c)
		switch {
		case value == nil && t.item != nil:
			return false
		case value == nil, slices.ContainsFunc(said[t.slot], value.Equal):
			continue
		case t.slot.elements[string(value.MarshalCedar())] != nil, t.slot.other != nil && !slices.ContainsFunc(said[t.slot], t.slot.other.Equal):
			return false
		}
		if v.conforms(value, t.slot.want.(resolved.SetType).Element) {
			c.elements[t.slot] = append(slices.Clip(c.elements[t.slot]), value)
		}
	}
	for _, t := range v.ties {
		if t.item == nil || slices.Contains(c.ties, t) {
			continue
		}
		if value := t.element.chosen(c); value != nil && slices.ContainsFunc(c.elements[t.slot], value.Equal) {
			return false
		}
	}
	for _, t := range c.ties {
		if t.subject == "" {
			continue
		}
		group, ok := c.values[t.slot].(types.EntityUID)
		if set, isSet := t.slot.want.(resolved.SetType); isSet {
			if len(c.elements[t.slot]) == 0 {
				if t.slot.other != nil {
					return false // the set is empty, by the terms
				}
				taken := maps.Clone(t.slot.elements)
				if taken == nil {
					taken = map[string]types.Value{}
				}
				taken[string(c.uids[t.subject].MarshalCedar())] = nil
				c.elements[t.slot] = v.fresh(set.Element, taken, 1)
			}
			if len(c.elements[t.slot]) > 0 {
				group, ok = c.elements[t.slot][0].(types.EntityUID)
			}
		}
		if ok && group != c.uids[t.subject] && !slices.Contains(c.above[t.subject], group) {
			if v.uids[t.subject].above[group] != nil {
				return false
			}
			c.above[t.subject] = append(slices.Clip(c.above[t.subject]), group)
		}
	}
	return true
}

// conforms tells whether an attribute or an element of a type can have the value.
func (v *Survey) conforms(value types.Value, want resolved.IsType) bool {
	record, ok := want.(resolved.RecordType)
	if !ok {
		return v.fits(value, want)
	}
	have, ok := value.(types.Record)
	if !ok {
		return false
	}
	found := 0
	for name, a := range record {
		part, ok := have.Get(name)
		switch {
		case ok && !v.conforms(part, a.Type), !ok && !a.Optional:
			return false
		case ok:
			found++
		}
	}
	return found == have.Len()
}

// others adds the entities that are attributes and are asked for attributes of
// their own.
func (v *Survey) others(all types.EntityMap, c *choices) {
	for _, s := range v.hops {
		uid, ok := c.values[s].(types.EntityUID)
		if _, there := all[uid]; !ok || there {
			continue
		}
		attributes, _ := v.record(c, s).(types.Record)
		all[uid] = types.Entity{UID: uid, Attributes: attributes}
	}
}

// facts are the answers to ties.
func (a *aspecter) ties() {
	for _, key := range slices.Sorted(maps.Keys(a.Survey.ties)) {
		t := a.Survey.ties[key]
		one := &aspect{kind: askElement, path: t.path, params: []string{t.param}, possible: []bool{true, true, true}, sampled: t.item == nil}
		if t.among {
			one.kind, one.path, one.params = askIn, t.param, []string{t.path}
		}
		a.yesNo(one, func(w *view) int {
			holder := t.holder.value(w)
			set, isSet := holder.(types.Set)
			if holder == nil {
				return absent
			}
			if !t.among {
				switch item := t.element.seen(w); {
				case item == nil:
					return absent
				case set.Contains(item):
					return yes
				}
				return no
			}
			if !isSet {
				set = types.NewSet(holder)
			}
			for group := range set.All() {
				if uid, ok := group.(types.EntityUID); ok && w.in(t.param, uid) {
					return yes
				}
			}
			return no
		})
	}
}

// value is what is at the end of a route, or nil.
func (f route) value(w *view) types.Value {
	if len(f.names) > 0 {
		return w.attribute(f.root, f.names)
	}
	if f.root == "context" {
		return w.request.request.Context
	}
	return w.uid(f.root)
}

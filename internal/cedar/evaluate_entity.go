package cedar

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/policypin/policypin/diag"
)

// A UID names an entity.
type UID struct{ Type, ID string }

// String is the name as Cedar writes it: Type::"id", with escapes.
func (u UID) String() string { return u.engine().String() }

func (u UID) engine() types.EntityUID {
	return types.EntityUID{Type: types.EntityType(u.Type), ID: types.String(u.ID)}
}

// maxUIDBytes bounds the name of an entity. Ids are opaque, yet nobody has one
// that doesn't fit on a page.
const maxUIDBytes = 4096

var errUID = errors.New("isn't the name of an entity")

// ParseUID reads Type::"id", where Type may have namespaces: A::B::"id". There
// is exactly one way to write a name, apart from escapes in the id.
func ParseUID(text string) (UID, error) {
	if len(text) > maxUIDBytes {
		return UID{}, fmt.Errorf("%w: it has %d bytes, more than %d", errUID, len(text), maxUIDBytes)
	}
	tokens, bad := source{text: text}.scan(false)
	if bad != nil {
		return UID{}, fmt.Errorf("%w: %s", errUID, bad.message)
	}
	if len(tokens) < 4 || len(tokens)%2 != 0 {
		return UID{}, errUID
	}
	for i, t := range tokens {
		want := tokenIdent
		switch {
		case i == len(tokens)-1:
			want = tokenEOF
		case i == len(tokens)-2:
			want = tokenString
		case i%2 == 1:
			want = tokenOperator
		}
		ends := 0
		if i > 0 {
			ends = tokens[i-1].end
		}
		if t.kind != want || t.start != ends || want == tokenOperator && text[t.start:t.end] != "::" {
			return UID{}, errUID
		}
	}
	literal := tokens[len(tokens)-2]
	id, wrong := unquote(text[literal.start+1:literal.end-1], false)
	if wrong >= 0 {
		return UID{}, fmt.Errorf("%w: bad escape in the id", errUID)
	}
	return UID{Type: strings.TrimSuffix(text[:literal.start], "::"), ID: id}, nil
}

// A PlacedUID is the name of an entity in a file.
type PlacedUID struct {
	diag.Position
	UID
}

// EntityData is one entity as a file has it.
type EntityData struct {
	PlacedUID
	Attrs   Datum // Absent: no attributes
	Tags    Datum
	Parents []PlacedUID
}

// Entities are those that requests are decided in: the entities of a file with
// their attributes and parents, and the actions and enum entities of the schema.
// It is immutable and safe for concurrent use.
type Entities struct {
	schema *Schema
	own    types.EntityMap
	base   *Entities // those that own leaves out; nil if there are none
}

// Has tells whether the entity was given, or is one of the schema's own.
func (e *Entities) Has(uid UID) bool {
	if _, ok := e.given(uid.engine()); ok {
		return true
	}
	_, action := e.schema.resolved.Actions[uid.engine()]
	enum, isEnum := e.schema.resolved.Enums[types.EntityType(uid.Type)]
	return action || isEnum && slices.Contains(enum.Values, uid.engine())
}

// Near suggests an entity of the same type whose id is nearly that of uid: "did
// you mean …?", or "".
func (e *Entities) Near(uid UID) string {
	const most = 2000 // the search takes time for each
	var ids []string
	for known := range e.own {
		if string(known.Type) == uid.Type && len(ids) < most {
			ids = append(ids, string(known.ID))
		}
	}
	slices.Sort(ids)
	if best := nearest(uid.ID, ids); best != "" {
		return "did you mean `" + UID{Type: uid.Type, ID: best}.String() + "`?"
	}
	return ""
}

// A getter gives the engine the entities.
type getter struct{ *Entities }

func (e *Entities) getter() getter { return getter{e} }

// Get returns an entity. Enum entities have no attributes and no parents, which
// to the engine is the same as not being there.
func (g getter) Get(uid types.EntityUID) (types.Entity, bool) {
	if e, ok := g.given(uid); ok {
		return e, true
	}
	if a, ok := g.schema.resolved.Actions[uid]; ok {
		return a.Entity, true
	}
	return types.Entity{}, false
}

// Entities checks entities against the schema: their types, the types of their
// attributes, tags and parents, and that required attributes are there. What it
// returns holds those without problems; requests must not be decided in it if
// there are errors.
func (s *Schema) Entities(data []EntityData) (*Entities, diag.List) {
	t := &typing{schema: s}
	e := &Entities{schema: s, own: make(types.EntityMap, len(data))}
	repeated := t.repeated(data)
	first := make(map[UID]diag.Position, len(data))
	for _, d := range data {
		if at, ok := first[d.UID]; ok {
			t.add(d.Position, "duplicate-entity", "", "entity `%s` is already on line %d", shown(d.UID.String()), at.Line)
			continue
		}
		first[d.UID] = d.Position
		if repeated[d.UID] {
			continue
		}
		if entity, ok := t.declared(d); ok {
			e.own[entity.UID] = entity
		}
	}
	t.cycles(e.own, first)
	return e, t.problems
}

// repeated are the actions and the entities of enumerations that data has as the
// schema does, attributes included, of which there are none. Exports of all
// entities bring them along, and the official engine takes them.
func (t *typing) repeated(data []EntityData) map[UID]bool {
	var found map[UID]bool
	given := types.EntityMap{}
	for _, d := range data {
		_, isEnum := t.schema.resolved.Enums[types.EntityType(d.Type)]
		bare := d.Attrs.Kind == Map && len(d.Attrs.Keys) == 0 && (d.Tags.Kind == Absent || d.Tags.Kind == Map && len(d.Tags.Keys) == 0)
		if !bare || !isEnum && !actionType(types.EntityType(d.Type)) {
			continue
		}
		var parents []types.EntityUID
		for _, p := range d.Parents {
			parents = append(parents, p.UID.engine())
		}
		given[d.UID.engine()] = types.Entity{Parents: types.NewEntityUIDSet(parents...)}
	}
	known := (&Entities{schema: t.schema}).getter()
	for uid := range given {
		if t.schema.known(uid) && types.NewEntityUIDSet(upwards(given, uid)...).Equal(types.NewEntityUIDSet(upwards(known, uid)...)) {
			if found == nil {
				found = map[UID]bool{}
			}
			found[uidOf(uid)] = true
		}
	}
	return found
}

// declared checks one entity.
func (t *typing) declared(d EntityData) (types.Entity, bool) {
	name := label{name: d.UID.String()}
	entityType := types.EntityType(d.Type)
	shape, ok := t.schema.resolved.Entities[entityType]
	if !ok {
		switch _, isEnum := t.schema.resolved.Enums[entityType]; {
		case actionType(entityType):
			t.add(d.Position, "cedar-unknown-entity-type", "remove it", "actions such as %s come from the schema", name)
		case isEnum && t.known(d.Position, d.UID):
			t.add(d.Position, "cedar-unknown-entity-type", "remove it", "the schema declares %s, which has no attributes", name)
		case !isEnum:
			t.known(d.Position, d.UID)
		}
		return types.Entity{}, false
	}
	good := true
	parents := make([]types.EntityUID, 0, len(d.Parents))
	for _, p := range d.Parents {
		if !slices.Contains(shape.ParentTypes, types.EntityType(p.Type)) {
			good = false
			if t.known(p.Position, p.UID) {
				t.add(p.Position, "cedar-parent-type", "", "%s can't be a parent: by the schema, %s is in %s",
					"`"+shown(p.UID.String())+"`", entityType, parentText(shape.ParentTypes))
			}
			continue
		}
		good = t.known(p.Position, p.UID) && good
		parents = append(parents, p.UID.engine())
	}
	attributes, ok := t.record(d.Attrs, shape.Shape, d.Position, name)
	good = good && ok
	tags, ok := t.tags(d, name)
	return types.Entity{
		UID: d.UID.engine(), Attributes: attributes, Tags: tags, Parents: types.NewEntityUIDSet(parents...),
	}, good && ok
}

func parentText(parents []types.EntityType) string {
	if len(parents) == 0 {
		return "nothing"
	}
	names := make([]string, len(parents))
	for i, p := range parents {
		names[i] = string(p)
	}
	slices.Sort(names)
	return strings.Join(names, " or ")
}

func (t *typing) tags(d EntityData, name label) (types.Record, bool) {
	want := t.schema.resolved.Entities[types.EntityType(d.Type)].Tags
	switch {
	case d.Tags.Kind == Absent:
		return types.Record{}, true
	case d.Tags.Kind == Unusable:
		return types.Record{}, false
	case d.Tags.Kind != Map:
		t.add(d.Tags.Position, "cedar-type", "", "the tags of %s must be a mapping, not %s", name, kindNames[d.Tags.Kind])
		return types.Record{}, false
	case want == nil && len(d.Tags.Keys) == 0: // as Cedar's JSON writes an entity without tags
		return types.Record{}, true
	case want == nil:
		t.add(d.Tags.Position, "cedar-type", "", "by the schema, %s has no tags", d.Type)
		return types.Record{}, false
	}
	good := true
	values := make(types.RecordMap, len(d.Tags.Keys))
	for _, m := range d.Tags.Keys {
		v, ok := t.value(m.Value, want, label{before: "tag ", name: m.Name})
		if good = good && ok; ok {
			values[types.String(m.Name)] = v
		}
	}
	return types.NewRecord(values), good
}

// known reports an entity whose type or, for an enum, whose id isn't declared.
func (t *typing) known(at diag.Position, uid UID) bool {
	if t.schema.known(uid.engine()) {
		return true
	}
	c := check{schema: t.schema, policy: &Policy{}}
	c.checkEntity(uid.engine(), 0, false)
	for _, p := range c.problems {
		t.add(at, p.Rule, p.Fix, "%s", p.Message)
	}
	return len(c.problems) == 0
}

// cycles reports entities that are among their own ancestors, which the service
// would never send.
func (t *typing) cycles(all types.EntityMap, places map[UID]diag.Position) {
	const open, done = 1, 2
	state := make(map[types.EntityUID]int, len(all))
	var visit func(uid types.EntityUID)
	visit = func(uid types.EntityUID) {
		state[uid] = open
		for parent := range all[uid].Parents.All() {
			if state[parent] == open {
				back := UID{Type: string(parent.Type), ID: string(parent.ID)}
				t.add(places[back], "cedar-parent-cycle", "", "`%s` is its own ancestor", shown(back.String()))
			} else if _, ok := all[parent]; ok && state[parent] == 0 {
				visit(parent)
			}
		}
		state[uid] = done
	}
	var order []types.EntityUID
	for uid := range all {
		if all[uid].Parents.Len() > 0 {
			order = append(order, uid)
		}
	}
	slices.SortFunc(order, func(a, b types.EntityUID) int { return strings.Compare(a.String(), b.String()) })
	for _, uid := range order {
		if state[uid] == 0 {
			visit(uid)
		}
	}
}

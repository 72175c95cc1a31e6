package cedar

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

// Build makes the request in which each term has the value of that number, and
// the entities that it is decided in, both valid by the schema. ok is false if
// the values contradict each other.
func (v *Survey) Build(choice []int) (e *Entities, r Request, ok bool) {
	c := &choices{
		uids: map[string]types.EntityUID{}, above: map[string][]types.EntityUID{},
		values: map[*slot]types.Value{}, elements: map[*slot][]types.Value{},
	}
	for i, t := range v.terms {
		t.apply(c, t.values[choice[i]])
	}
	subjects := []string{"principal", "resource"}
	if v.env.One {
		subjects, c.uids["resource"] = subjects[:1], c.uids["principal"]
	}
	if !v.hold(c) {
		return nil, Request{}, false
	}
	principal, resource := c.uids["principal"], c.uids["resource"]
	switch {
	case slices.Contains(c.above["principal"], principal), slices.Contains(c.above["resource"], resource),
		principal == resource && !v.env.One,
		slices.Contains(c.above["principal"], resource) && slices.Contains(c.above["resource"], principal):
		return nil, Request{}, false
	}
	e = &Entities{schema: v.schema, own: types.EntityMap{}}
	for _, name := range subjects {
		v.place(e.own, c, name)
	}
	v.others(e.own, c)
	context, _ := v.record(c, v.roots["context"]).(types.Record)
	return e, Request{types.Request{Principal: principal, Action: v.env.Action.engine(), Resource: resource, Context: context}}, true
}

// place adds a subject to the entities, with those between it and the entities
// that it is in.
func (v *Survey) place(all types.EntityMap, c *choices, name string) {
	uid := c.uids[name]
	if _, enum := v.schema.resolved.Enums[uid.Type]; enum {
		return
	}
	var parents []types.EntityUID
	for _, group := range c.above[name] {
		ladder := v.schema.ladder(uid.Type, group.Type)
		above := group
		for _, step := range slices.Backward(ladder[:len(ladder)-1]) {
			between := types.NewEntityUID(step, "member of "+types.String(group.String()))
			for v.group(between) || between == c.uids["principal"] || between == c.uids["resource"] {
				between.ID += "'"
			}
			all[between] = types.Entity{UID: between, Attributes: v.attributes(step), Parents: types.NewEntityUIDSet(above)}
			above = between
		}
		parents = append(parents, above)
	}
	attributes, _ := v.record(c, v.roots[name]).(types.Record)
	all[uid] = types.Entity{UID: uid, Attributes: attributes, Parents: types.NewEntityUIDSet(parents...)}
}

func (v *Survey) attributes(kind types.EntityType) types.Record {
	record, _ := v.usual(v.schema.resolved.Entities[kind].Shape).(types.Record)
	return record
}

// record is the value of a record by its slot, whose kids are what is asked.
func (v *Survey) record(c *choices, s *slot) types.Value {
	want, _ := s.want.(resolved.RecordType)
	if kind, ok := s.want.(resolved.EntityType); ok {
		want = v.schema.resolved.Entities[types.EntityType(kind)].Shape
	}
	values := make(types.RecordMap, len(want))
	for name, a := range want {
		kid := s.kids[name]
		if kid == nil {
			if !a.Optional {
				values[name] = v.usual(a.Type)
			}
			continue
		}
		chosen, isTerm := c.values[kid]
		if isTerm && chosen == nil {
			continue
		}
		switch a.Type.(type) {
		case resolved.RecordType:
			chosen = v.record(c, kid)
		case resolved.SetType:
			chosen = types.NewSet(c.elements[kid]...)
		}
		values[name] = chosen
	}
	return types.NewRecord(values)
}

// JSON is the entities in Cedar's JSON format, without those of the schema.
func (e *Entities) JSON() ([]byte, error) {
	all := maps.Clone(e.own)
	for base := e.base; base != nil; base = base.base {
		for uid, entity := range base.own {
			if _, ok := all[uid]; !ok {
				all[uid] = entity
			}
		}
	}
	return json.Marshal(all)
}

// JSON is the request as one object: principal, action, resource and context,
// each in Cedar's JSON format.
func (r Request) JSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"principal": r.request.Principal, "action": r.request.Action, "resource": r.request.Resource,
		"context": r.request.Context,
	})
}

package cedar

import (
	"maps"
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

// A uidJSON is the name of an entity in Cedar's JSON format.
type uidJSON struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type entityJSON struct {
	UID     uidJSON        `json:"uid"`
	Attrs   map[string]any `json:"attrs"`
	Parents []uidJSON      `json:"parents"`
	Tags    map[string]any `json:"tags,omitempty"`
}

type requestJSON struct {
	Principal uidJSON        `json:"principal"`
	Action    uidJSON        `json:"action"`
	Resource  uidJSON        `json:"resource"`
	Context   map[string]any `json:"context"`
}

// entities makes some of each type, all valid by the schema. A few ids have none.
func (g *generator) entities() []entityJSON {
	var list []entityJSON
	rank := g.ranks()
	for _, t := range slices.Sorted(maps.Keys(rank)) {
		shape := g.schema.resolved.Entities[t]
		for i, id := range generatedIDs {
			if g.oneIn(7) {
				continue
			}
			e := entityJSON{UID: uidJSON{string(t), id}, Attrs: g.members(shape.Shape), Parents: []uidJSON{}}
			for _, parent := range shape.ParentTypes {
				for k, id := range generatedIDs {
					// Parents come later in one order of all, so that there are no cycles.
					if (rank[parent] > rank[t] || parent == t && k > i) && g.oneIn(4) {
						e.Parents = append(e.Parents, uidJSON{string(parent), id})
					}
				}
			}
			if shape.Tags != nil {
				e.Tags = map[string]any{}
				for _, key := range []string{"a", "b", ""} {
					if g.oneIn(2) {
						e.Tags[key] = g.value(shape.Tags)
					}
				}
			}
			list = append(list, e)
		}
	}
	return list
}

// ranks orders the entity types so that parents come after their children.
func (g *generator) ranks() map[types.EntityType]int {
	rank := map[types.EntityType]int{}
	next := len(g.schema.resolved.Entities)
	var visit func(t types.EntityType)
	seen := map[types.EntityType]bool{}
	visit = func(t types.EntityType) {
		if seen[t] {
			return
		}
		seen[t] = true
		for _, parent := range g.schema.resolved.Entities[t].ParentTypes {
			visit(parent)
		}
		rank[t] = next
		next--
	}
	for _, t := range slices.Sorted(maps.Keys(g.schema.resolved.Entities)) {
		visit(t)
	}
	return rank
}

func (g *generator) members(t resolved.RecordType) map[string]any {
	m := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if !t[name].Optional || g.oneIn(2) {
			m[string(name)] = g.value(t[name].Type)
		}
	}
	return m
}

// value makes one of a type, in Cedar's JSON format. Numbers stay below 2^53,
// past which JavaScript rounds them.
func (g *generator) value(t resolved.IsType) any {
	switch t := t.(type) {
	case resolved.LongType:
		return pick(g, 0, 1, 2, -1, 10, 9007199254740991, -9007199254740991)
	case resolved.BoolType:
		return g.oneIn(2)
	case resolved.StringType:
		return pick(g, generatedStrings...)
	case resolved.EntityType:
		return map[string]any{"__entity": uidJSON{string(t), g.id(types.EntityType(t))}}
	case resolved.SetType:
		items := []any{}
		for range g.IntN(3) {
			items = append(items, g.value(t.Element))
		}
		return items
	case resolved.RecordType:
		return g.members(t)
	case resolved.ExtensionType:
		return map[string]any{"__extn": map[string]any{"fn": constructors[string(t)], "arg": pick(g, extensionValues[t]...)}}
	}
	panic("a type that nobody knows")
}

// request makes one that the schema allows. Its entities needn't exist.
func (g *generator) request() requestJSON {
	e := pick(g, g.environments...)
	return requestJSON{
		Principal: uidJSON{string(e.principal), g.id(e.principal)},
		Action:    uidJSON{string(e.action.Type), string(e.action.ID)},
		Resource:  uidJSON{string(e.resource), g.id(e.resource)},
		Context:   g.members(e.context),
	}
}

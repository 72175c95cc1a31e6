package cedar

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// With returns these entities and more, which come first where both have one. ok
// is false if an entity would be among its own ancestors.
func (e *Entities) With(more *Entities) (both *Entities, ok bool) {
	both = &Entities{schema: e.schema, own: more.own, base: e}
	for uid, entity := range more.own {
		if entity.Parents.Len() > 0 && loops(both.getter(), uid) {
			return nil, false
		}
	}
	return both, true
}

// loops tells whether an entity is among its own ancestors.
func loops(world types.EntityGetter, uid types.EntityUID) bool {
	e, ok := world.Get(uid)
	if !ok {
		return false
	}
	for parent := range e.Parents.All() {
		if slices.Contains(upwards(world, parent), uid) {
			return true
		}
	}
	return false
}

// Bare are entities with nothing but a name. ok is false for a name whose type
// has attributes that must be there.
func (s *Schema) Bare(uids ...UID) (e *Entities, missing UID, ok bool) {
	e = &Entities{schema: s, own: types.EntityMap{}}
	for _, uid := range uids {
		kind, declared := s.resolved.Entities[types.EntityType(uid.Type)]
		if !declared {
			continue // an enum or an action, which the schema has
		}
		for _, a := range kind.Shape {
			if !a.Optional {
				return nil, uid, false
			}
		}
		e.own[uid.engine()] = types.Entity{UID: uid.engine()}
	}
	return e, UID{}, true
}

// Principal is the name of the request's principal.
func (r Request) Principal() UID { return uidOf(r.request.Principal) }

// Action is the name of the request's action.
func (r Request) Action() UID { return uidOf(r.request.Action) }

// Resource is the name of the request's resource.
func (r Request) Resource() UID { return uidOf(r.request.Resource) }

func uidOf(uid types.EntityUID) UID { return UID{string(uid.Type), string(uid.ID)} }

// About returns those entities that the request can lead to: its own, the ones
// that attributes, tags and the context name, others if given, and what these
// lead to in turn. Those of them that aren't there are missing.
func (e *Entities) About(r Request, others ...UID) (found *Entities, missing []UID) {
	found = &Entities{schema: e.schema, own: types.EntityMap{}}
	open := []types.EntityUID{r.request.Principal, r.request.Resource}
	for _, uid := range others {
		open = append(open, uid.engine())
	}
	open = mentions(open, r.request.Context)
	seen := map[types.EntityUID]bool{}
	for len(open) > 0 {
		uid := open[len(open)-1]
		open = open[:len(open)-1]
		if seen[uid] {
			continue
		}
		seen[uid] = true
		one, ok := e.given(uid)
		if !ok {
			missing = append(missing, uidOf(uid))
			continue
		}
		found.own[uid] = one
		for parent := range one.Parents.All() {
			open = append(open, parent)
		}
		open = mentions(mentions(open, one.Attributes), one.Tags)
	}
	return found, missing
}

// given is an entity that isn't the schema's.
func (e *Entities) given(uid types.EntityUID) (types.Entity, bool) {
	for ; e != nil; e = e.base {
		if one, ok := e.own[uid]; ok {
			return one, true
		}
	}
	return types.Entity{}, false
}

// mentions appends the entities that a value names.
func mentions(list []types.EntityUID, v types.Value) []types.EntityUID {
	switch v := v.(type) {
	case types.EntityUID:
		list = append(list, v)
	case types.Set:
		for item := range v.All() {
			list = mentions(list, item)
		}
	case types.Record:
		for item := range v.Values() {
			list = mentions(list, item)
		}
	}
	return list
}

// Entities lists the entities that the policy names, sorted, actions among them.
func (p *Policy) Entities() []UID {
	var list []UID
	add := func(uid types.EntityUID) { list = append(list, uidOf(uid)) }
	for _, scope := range []ast.IsScopeNode{p.ast.Principal, p.ast.Resource} {
		switch scope := scope.(type) {
		case ast.ScopeTypeEq:
			add(scope.Entity)
		case ast.ScopeTypeIn:
			add(scope.Entity)
		case ast.ScopeTypeIsIn:
			add(scope.Entity)
		}
	}
	for _, c := range p.ast.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if v, ok := n.(ast.NodeValue); ok {
				if uid, ok := v.Value.(types.EntityUID); ok {
					add(uid)
				}
			}
			return true
		})
	}
	slices.SortFunc(list, func(a, b UID) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(list)
}

// usesContext tells whether the policy reads the request's context at all.
func (p *Policy) usesContext() bool {
	found := false
	for _, c := range p.ast.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if v, ok := n.(ast.NodeTypeVariable); ok && v.Name == "context" {
				found = true
			}
			return true
		})
	}
	return found
}

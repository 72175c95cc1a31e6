package cedar

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/policypin/policypin/diag"
)

// namesKnown tells whether each entity and each type that a policy names is in
// the schema. The engine doesn't look at the ids of enums, nor at the type after
// "is" in a condition.
func (s *Schema) namesKnown(tree *ast.Policy) bool {
	for _, scope := range []ast.IsScopeNode{tree.Principal, tree.Action, tree.Resource} {
		switch n := scope.(type) {
		case ast.ScopeTypeEq:
			if !s.known(n.Entity) {
				return false
			}
		case ast.ScopeTypeIn:
			if !s.known(n.Entity) {
				return false
			}
		case ast.ScopeTypeInSet:
			if !allOf(n.Entities, s.known) || otherType(n.Entities) > 0 {
				return false
			}
		case ast.ScopeTypeIsIn:
			if !s.known(n.Entity) {
				return false
			}
		}
	}
	good := true
	for _, c := range tree.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			switch n := n.(type) {
			case ast.NodeValue:
				if uid, ok := n.Value.(types.EntityUID); ok && !s.known(uid) {
					good = false
				}
			case ast.NodeTypeIs:
				good = good && s.knownType(n.EntityType)
			case ast.NodeTypeIsIn:
				good = good && s.knownType(n.EntityType)
			case ast.NodeTypeHas:
				good = good && s.attributes[string(n.Value)]
			}
			return good
		})
	}
	return good
}

func allOf[T any](list []T, holds func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !holds(v) })
}

// otherType is the place of the first entity whose type isn't that of the one
// before it, or 0: a set has elements of one type, which cedar-go doesn't ask of
// the set of a scope.
func otherType(entities []types.EntityUID) int {
	for i := 1; i < len(entities); i++ {
		if entities[i].Type != entities[i-1].Type {
			return i
		}
	}
	return 0
}

func (s *Schema) knownType(t types.EntityType) bool {
	_, entity := s.resolved.Entities[t]
	_, enum := s.resolved.Enums[t]
	return entity || enum || actionType(t) && s.actionTypes[t]
}

// actionType tells whether t is the type of actions, in some namespace.
func actionType(t types.EntityType) bool { return lastPart(string(t)) == "Action" }

func (s *Schema) known(uid types.EntityUID) bool {
	if enum, ok := s.resolved.Enums[uid.Type]; ok {
		return slices.Contains(enum.Values, uid)
	}
	if _, ok := s.resolved.Actions[uid]; ok {
		return true
	}
	_, ok := s.resolved.Entities[uid.Type]
	return ok
}

// names reports every entity and type that the schema doesn't know, by walking
// the scope's tokens and the conditions' trees beside their places.
func (c *check) names() {
	c.scopeNames()
	for i, condition := range c.policy.ast.Conditions {
		if i < len(c.statement.conditions) {
			c.walkNames(condition.Body, c.statement.conditions[i])
		}
	}
}

func (c *check) scopeNames() {
	tree := c.policy.ast
	for i, scope := range []ast.IsScopeNode{tree.Principal, tree.Action, tree.Resource} {
		var named []int
		if i < len(c.statement.scopes) {
			named = c.statement.scopes[i]
		}
		at := func(k int) int {
			if k < len(named) {
				return named[k]
			}
			return c.policy.start
		}
		switch n := scope.(type) {
		case ast.ScopeTypeEq:
			c.checkEntity(n.Entity, at(0), i == 1)
		case ast.ScopeTypeIn:
			c.checkEntity(n.Entity, at(0), i == 1)
		case ast.ScopeTypeInSet:
			for k, uid := range n.Entities {
				c.checkEntity(uid, at(k), i == 1)
			}
			if k := otherType(n.Entities); k > 0 && allOf(n.Entities, c.schema.known) {
				c.add(at(k), "cedar-type", fmt.Sprintf("the types %s and %s are not compatible", n.Entities[k-1].Type, n.Entities[k].Type),
					"name actions of one namespace")
			}
		case ast.ScopeTypeIs:
			c.checkType(n.Type, at(0))
		case ast.ScopeTypeIsIn:
			c.checkType(n.Type, at(0))
			c.checkEntity(n.Entity, at(1), false)
		}
	}
}

func (c *check) walkNames(n ast.IsNode, at *span) {
	switch n := n.(type) {
	case ast.NodeValue:
		if uid, ok := n.Value.(types.EntityUID); ok {
			c.checkEntity(uid, at.start, false)
		}
	case ast.NodeTypeIs:
		c.checkType(n.EntityType, at.at)
	case ast.NodeTypeIsIn:
		c.checkType(n.EntityType, at.at)
	case ast.NodeTypeHas:
		c.checkHas(n, at.at)
	}
	for i, kid := range children(n) {
		if i < len(at.kids) {
			c.walkNames(kid, at.kids[i])
		}
	}
}

// checkType reports an entity type that isn't declared.
func (c *check) checkType(t types.EntityType, offset int) {
	if !c.schema.knownType(t) {
		c.add(offset, "cedar-unknown-entity-type", fmt.Sprintf("unknown entity type `%s`", t), c.schema.nearType(t))
	}
}

// checkHas warns of an attribute that nothing in the schema has. For the engine
// that is a condition which is always false, and what it guards goes unchecked,
// so that a slip in a name would stay unseen.
func (c *check) checkHas(n ast.NodeTypeHas, offset int) {
	if attr := string(n.Value); !c.schema.attributes[attr] {
		c.problems.Add(diag.Problem{
			Position: c.policy.at(offset), Severity: diag.Warning, Rule: "cedar-unknown-attribute",
			Message: fmt.Sprintf("this is never true: nothing in the schema has an attribute `%s`", attr),
			Fix:     didYouMean(attr, keys(c.schema.attributes)),
		})
	}
}

// checkEntity reports an entity of an undeclared type, an undeclared action,
// and an id that isn't one of its enum.
func (c *check) checkEntity(uid types.EntityUID, offset int, action bool) {
	s := c.schema
	if s.known(uid) && !action {
		return
	}
	if _, ok := s.resolved.Actions[uid]; ok {
		return
	}
	enum, isEnum := s.resolved.Enums[uid.Type]
	switch {
	case action || actionType(uid.Type):
		c.add(offset, "cedar-unknown-action", fmt.Sprintf("unknown action `%s`", uid), s.nearAction(uid))
	case isEnum:
		ids := make([]string, len(enum.Values))
		for i, v := range enum.Values {
			ids[i] = string(v.ID)
		}
		fix := didYouMean(string(uid.ID), ids)
		if fix == "" {
			for i := range ids {
				ids[i] = string(enum.Values[i].ID.MarshalCedar())
			}
			fix = clip("ids are " + strings.Join(ids, ", "))
		}
		c.add(offset, "cedar-unknown-enum-id", fmt.Sprintf("`%s` isn't an id that %s declares", uid, uid.Type), fix)
	default:
		c.checkType(uid.Type, offset)
	}
}

// nearType suggests a type with the same name in another namespace, or one with
// a name that is nearly the same.
func (s *Schema) nearType(t types.EntityType) string {
	var known []string
	for name := range s.resolved.Entities {
		known = append(known, string(name))
	}
	for name := range s.resolved.Enums {
		known = append(known, string(name))
	}
	slices.Sort(known)
	var last []string
	for _, name := range known {
		last = append(last, lastPart(name))
	}
	wanted := lastPart(string(t))
	if i := slices.Index(last, wanted); i >= 0 && known[i] != string(t) {
		return "did you mean `" + known[i] + "`?"
	}
	if best := nearest(wanted, last); best != "" {
		return "did you mean `" + known[slices.Index(last, best)] + "`?"
	}
	return ""
}

// lastPart is the name without its namespace.
func lastPart(name string) string { return name[strings.LastIndexByte(name, ':')+1:] }

func (s *Schema) nearAction(uid types.EntityUID) string {
	var known, ids []string
	for a := range s.resolved.Actions {
		known = append(known, a.String())
		ids = append(ids, string(a.ID))
	}
	slices.Sort(known)
	for _, name := range known {
		if strings.HasSuffix(name, "::"+string(uid.ID.MarshalCedar())) {
			return "did you mean `" + name + "`?"
		}
	}
	if fix := didYouMean(uid.String(), known); fix != "" {
		return fix
	}
	slices.Sort(ids)
	return didYouMean(string(uid.ID), ids)
}

// recordOf returns the attributes of an expression that is a path from a
// variable; owner is the entity type or the action that an error names.
func (s *Schema) recordOf(base ast.IsNode, owner string) resolved.RecordType {
	if e, ok := s.resolved.Entities[types.EntityType(owner)]; ok {
		if access, ok := base.(ast.NodeTypeAccess); ok {
			// Either the path leads to an entity of that type, or to a record
			// in one of its attributes.
			if record, ok := e.Shape[access.Value].Type.(resolved.RecordType); ok {
				return record
			}
		}
		return e.Shape
	}
	switch n := base.(type) {
	case ast.NodeTypeVariable:
		for uid, action := range s.resolved.Actions {
			if uid.String() == owner && action.AppliesTo != nil {
				return action.AppliesTo.Context
			}
		}
	case ast.NodeTypeAccess:
		if record, ok := s.recordOf(n.Arg, owner)[n.Value].Type.(resolved.RecordType); ok {
			return record
		}
	}
	return nil
}

// index collects the names that are looked up for each policy.
func (s *Schema) index() {
	s.actionTypes, s.attributes, s.kinds = map[types.EntityType]bool{}, map[string]bool{}, map[string]uint{}
	for uid, action := range s.resolved.Actions {
		s.actionTypes[uid.Type] = true
		if action.AppliesTo != nil {
			s.contexts++
			s.environments += len(action.AppliesTo.Principals) * len(action.AppliesTo.Resources)
			s.collect(action.AppliesTo.Context)
		}
	}
	s.environments = max(s.environments, 1)
	for _, e := range s.resolved.Entities {
		s.collect(e.Shape)
		s.collect(e.Tags)
	}
}

func (s *Schema) collect(t resolved.IsType) {
	switch t := t.(type) {
	case resolved.SetType:
		s.collect(t.Element)
	case resolved.RecordType:
		for name, a := range t {
			s.attributes[string(name)] = true
			s.kinds[string(name)] |= orderedType(a.Type)
			s.collect(a.Type)
		}
	}
}

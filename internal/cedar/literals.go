package cedar

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/policypin/policypin/diag"
)

// An Environment is one kind of request that a schema allows.
type Environment struct {
	Principal string // entity type
	Action    UID
	Resource  string // entity type
	One       bool   // principal and resource are one entity; else they are two
}

// String is the environment on one line.
func (e Environment) String() string {
	text := e.Principal + " " + e.Action.String() + " " + e.Resource
	if e.One {
		text += " with the principal as resource"
	}
	return text
}

// Environments lists what kinds of requests the schema allows, sorted.
func (s *Schema) Environments() []Environment {
	var list []Environment
	for uid, action := range s.resolved.Actions {
		if action.AppliesTo == nil {
			continue
		}
		for _, p := range action.AppliesTo.Principals {
			for _, r := range action.AppliesTo.Resources {
				env := Environment{Principal: string(p), Action: UID{string(uid.Type), string(uid.ID)}, Resource: string(r)}
				list = append(list, env)
				if p == r {
					env.One = true
					list = append(list, env)
				}
			}
		}
	}
	slices.SortFunc(list, func(a, b Environment) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(list)
}

// Concerns tells whether the scope of the policy can match a request of the
// environment. It may say so of too many policies, never of too few.
func (s *Schema) Concerns(p *Policy, env Environment) bool {
	return s.actionMatches(p.ast.Action, env.Action.engine()) &&
		s.typeMatches(p.ast.Principal, types.EntityType(env.Principal)) &&
		s.typeMatches(p.ast.Resource, types.EntityType(env.Resource))
}

func (s *Schema) actionMatches(scope ast.IsActionScopeNode, action types.EntityUID) bool {
	switch scope := scope.(type) {
	case ast.ScopeTypeEq:
		return scope.Entity == action
	case ast.ScopeTypeIn:
		return s.actionIn(action, scope.Entity, nil)
	case ast.ScopeTypeInSet:
		return slices.ContainsFunc(scope.Entities, func(uid types.EntityUID) bool { return s.actionIn(action, uid, nil) })
	}
	return true
}

// actionIn tells whether an action is another one, or in a group of actions.
func (s *Schema) actionIn(action, group types.EntityUID, seen []types.EntityUID) bool {
	if action == group {
		return true
	}
	if slices.Contains(seen, action) {
		return false
	}
	for parent := range s.resolved.Actions[action].Entity.Parents.All() {
		if s.actionIn(parent, group, append(seen, action)) {
			return true
		}
	}
	return false
}

func (s *Schema) typeMatches(scope ast.IsScopeNode, have types.EntityType) bool {
	switch scope := scope.(type) {
	case ast.ScopeTypeEq:
		return scope.Entity.Type == have
	case ast.ScopeTypeIn:
		return s.reaches(have, scope.Entity.Type)
	case ast.ScopeTypeIs:
		return scope.Type == have
	case ast.ScopeTypeIsIn:
		return scope.Type == have && s.reaches(have, scope.Entity.Type)
	}
	return true
}

// reaches tells whether an entity of one type can be one of another or in one.
func (s *Schema) reaches(from, to types.EntityType) bool {
	return from == to || s.ladder(from, to) != nil
}

// ladder is the shortest chain of types over which an entity can be in one of
// another type: the types between and that type. It is nil if there is none.
func (s *Schema) ladder(from, to types.EntityType) []types.EntityType {
	came := map[types.EntityType]types.EntityType{}
	for open := []types.EntityType{from}; len(open) > 0; open = open[1:] {
		for _, parent := range slices.Sorted(slices.Values(s.resolved.Entities[open[0]].ParentTypes)) {
			if _, seen := came[parent]; seen {
				continue
			}
			came[parent] = open[0]
			if parent != to {
				open = append(open, parent)
				continue
			}
			chain := []types.EntityType{to}
			for at := open[0]; at != from; at = came[at] {
				chain = append(chain, at)
			}
			slices.Reverse(chain)
			return chain
		}
	}
	return nil
}

// An Open expression is one whose outcomes the representatives of a survey
// don't all cover.
type Open struct {
	diag.Position
	Reason string
}

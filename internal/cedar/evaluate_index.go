package cedar

import (
	"slices"

	cedargo "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// A scopeIndex finds the policies whose scope may match a request: first by the
// action, then by the principal. It may find too many, never too few. With 1,000
// policies it makes a decision fifty times as fast as asking each of them.
type scopeIndex struct {
	byAction  map[types.EntityUID]*principalIndex
	anyAction principalIndex
}

// A principalIndex holds the numbers of policies by what their scope says of
// the principal.
type principalIndex struct {
	byEntity map[types.EntityUID][]int // == and in, also with is
	byType   map[types.EntityType][]int
	rest     []int
}

// add files policy number i.
func (x *scopeIndex) add(i int, p *ast.Policy) {
	switch action := p.Action.(type) {
	case ast.ScopeTypeEq:
		x.of(action.Entity).add(i, p)
	case ast.ScopeTypeIn:
		x.of(action.Entity).add(i, p)
	case ast.ScopeTypeInSet:
		for _, uid := range action.Entities {
			x.of(uid).add(i, p)
		}
	default:
		x.anyAction.add(i, p)
	}
}

func (x *scopeIndex) of(action types.EntityUID) *principalIndex {
	if x.byAction == nil {
		x.byAction = map[types.EntityUID]*principalIndex{}
	}
	if x.byAction[action] == nil {
		x.byAction[action] = &principalIndex{}
	}
	return x.byAction[action]
}

func (x *principalIndex) add(i int, p *ast.Policy) {
	byEntity := func(uid types.EntityUID) {
		if x.byEntity == nil {
			x.byEntity = map[types.EntityUID][]int{}
		}
		x.byEntity[uid] = append(x.byEntity[uid], i)
	}
	switch principal := p.Principal.(type) {
	case ast.ScopeTypeEq:
		byEntity(principal.Entity)
	case ast.ScopeTypeIn:
		byEntity(principal.Entity)
	case ast.ScopeTypeIsIn:
		byEntity(principal.Entity)
	case ast.ScopeTypeIs:
		if x.byType == nil {
			x.byType = map[types.EntityType][]int{}
		}
		x.byType[principal.Type] = append(x.byType[principal.Type], i)
	default:
		x.rest = append(x.rest, i)
	}
}

// candidates returns the numbers of the policies that may match, in order.
func (x *scopeIndex) candidates(world types.EntityGetter, r types.Request) []int {
	var found []int
	principals := upwards(world, r.Principal)
	take := func(p *principalIndex) {
		found = append(found, p.rest...)
		found = append(found, p.byType[r.Principal.Type]...)
		if p.byEntity != nil {
			for _, uid := range principals {
				found = append(found, p.byEntity[uid]...)
			}
		}
	}
	take(&x.anyAction)
	for _, action := range upwards(world, r.Action) {
		if p := x.byAction[action]; p != nil {
			take(p)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Len is how many policies there are.
func (a *Authorizer) Len() int { return len(a.policies) }

// Says asks one policy, by its place in what was given to [NewAuthorizer],
// whether it matches, or can't be evaluated.
func (a *Authorizer) Says(number int, e *Entities, r Request) (matches, fails bool) {
	_, said := cedargo.Authorize(&a.policies[number], e.getter(), r.request)
	return len(said.Reasons) > 0, len(said.Errors) > 0
}

// upwards lists an entity and all its ancestors, the entity first.
func upwards(world types.EntityGetter, uid types.EntityUID) []types.EntityUID {
	all := []types.EntityUID{uid}
	e, ok := world.Get(uid)
	if !ok || e.Parents.Len() == 0 {
		return all
	}
	seen := map[types.EntityUID]bool{uid: true}
	for i := 0; i < len(all); i++ {
		e, _ := world.Get(all[i])
		for parent := range e.Parents.All() {
			if !seen[parent] {
				seen[parent] = true
				all = append(all, parent)
			}
		}
	}
	return all
}

// inScope tells whether a scope matches an entity, which comes first of up, with
// its ancestors.
func inScope(scope ast.IsScopeNode, up []types.EntityUID) bool {
	switch scope := scope.(type) {
	case ast.ScopeTypeEq:
		return scope.Entity == up[0]
	case ast.ScopeTypeIn:
		return slices.Contains(up, scope.Entity)
	case ast.ScopeTypeIs:
		return scope.Type == up[0].Type
	case ast.ScopeTypeIsIn:
		return scope.Type == up[0].Type && slices.Contains(up, scope.Entity)
	}
	return true
}

func inActionScope(scope ast.IsActionScopeNode, up []types.EntityUID) bool {
	switch scope := scope.(type) {
	case ast.ScopeTypeEq:
		return scope.Entity == up[0]
	case ast.ScopeTypeIn:
		return slices.Contains(up, scope.Entity)
	case ast.ScopeTypeInSet:
		return slices.ContainsFunc(scope.Entities, func(uid types.EntityUID) bool { return slices.Contains(up, uid) })
	}
	return true
}

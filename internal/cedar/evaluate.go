package cedar

import (
	"iter"
	"math/bits"
	"slices"
	"strconv"

	cedargo "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
)

// A Named policy is one under the name that people know it by.
type Named struct {
	Name   string
	Policy *Policy
}

// An Authorizer decides requests by a fixed set of policies. It is immutable
// and safe for concurrent use.
type Authorizer struct {
	policies []compiled
	index    scopeIndex
	context  bool // some policy reads it
}

// A compiled policy is one that the engine can evaluate.
type compiled struct {
	name   string
	id     types.PolicyID // its number in decimal, since several may share a name
	policy *cedargo.Policy
	permit bool
	scope  *ast.Policy
	alone  iter.Seq2[cedargo.PolicyID, *cedargo.Policy] // made once, for it is called a million times
}

// NewAuthorizer prepares policies for deciding. Several may have one name: the
// statements of one text that the service stores.
func NewAuthorizer(policies []Named) *Authorizer {
	a := &Authorizer{policies: make([]compiled, len(policies))}
	for i, p := range policies {
		a.policies[i] = compiled{
			name: p.Name, id: types.PolicyID(strconv.Itoa(i)),
			permit: p.Policy.Effect() == "permit",
			policy: cedargo.NewPolicyFromAST((*ast.Policy)(decidable(p.Policy.ast))),
		}
		one := a.policies[i]
		a.policies[i].scope = (*ast.Policy)(p.Policy.ast)
		a.policies[i].alone = func(yield func(cedargo.PolicyID, *cedargo.Policy) bool) { yield(one.id, one.policy) }
		a.index.add(i, p.Policy.ast)
		a.context = a.context || p.Policy.usesContext()
	}
	return a
}

// A Decision is the answer to one request, by the rules of Cedar: allowed if a
// permit matches and no forbid does.
type Decision struct {
	Allow bool
	// Reasons are the names of the policies that determine the decision, in the
	// order in which they were given: the permits that allow it, or the forbids
	// that deny it. Where nothing matches it is denied without a reason.
	Reasons []string
	// Numbers are the same policies by their places in what was given to
	// [NewAuthorizer], since several can have one name.
	Numbers []int
	// Errors are the policies that couldn't be evaluated, and so count for
	// nothing: a forbid among them doesn't forbid.
	Errors []EvaluationError
}

// An EvaluationError says why one policy couldn't be evaluated for a request.
type EvaluationError struct {
	Policy  string `json:"policy"`
	Message string `json:"message"`
}

// Decide answers a request. The answer equals that of asking all policies; only
// those whose scope can match are evaluated.
func (a *Authorizer) Decide(e *Entities, r Request) Decision {
	world := e.getter()
	candidates := a.index.candidates(world, r.request)
	decision, diagnostic := cedargo.Authorize(selection{a.policies, candidates}, world, r.request)
	return a.explain(decision, diagnostic)
}

// An Answer is what policies say of a request one by one.
type Answer struct {
	Permit, Forbid bool     // some permit, some forbid matches
	Failed         []string // the names of those that couldn't be evaluated, sorted, each once
}

// Same tells whether two answers are equal.
func (a Answer) Same(b Answer) bool {
	return a.Permit == b.Permit && a.Forbid == b.Forbid && slices.Equal(a.Failed, b.Failed)
}

// fewPolicies are asked one by one: finding out which of them can match would
// take longer.
const fewPolicies = 8

// Answer asks all policies about a request.
func (a *Authorizer) Answer(e *Entities, r Request) (answer Answer) {
	var world types.EntityGetter = e.getter()
	if len(a.policies) > fewPolicies {
		for _, i := range a.index.candidates(world, r.request) {
			a.ask(i, world, r, &answer)
		}
	} else {
		for i := range a.policies {
			a.ask(i, world, r, &answer)
		}
	}
	return answer.tidy()
}

// A Mask is a set of policies, by their number. Those from 63 on share a bit.
type Mask uint64

func bit(i int) Mask { return 1 << min(i, 63) }

// Masks are the policies whose scope can match a request with this entity in
// each of the three places. The scope of a policy that is in all three matches.
func (a *Authorizer) Masks(e *Entities, uid UID) (principal, action, resource Mask) {
	up := upwards(e.getter(), uid.engine())
	for i, p := range a.policies {
		if inScope(p.scope.Principal, up) {
			principal |= bit(i)
		}
		if inScope(p.scope.Resource, up) {
			resource |= bit(i)
		}
		if inActionScope(p.scope.Action, up) {
			action |= bit(i)
		}
	}
	return principal, action, resource
}

// AnswerOf asks the policies of a mask.
func (a *Authorizer) AnswerOf(m Mask, e *Entities, r Request) (answer Answer) {
	if m == 0 {
		return answer
	}
	if len(a.policies) > 64 && bits.OnesCount64(uint64(m)) > fewPolicies {
		return a.Answer(e, r)
	}
	var world types.EntityGetter = e.getter()
	for i := range a.policies {
		if m&bit(i) != 0 {
			a.ask(i, world, r, &answer)
		}
	}
	return answer.tidy()
}

func (a Answer) tidy() Answer {
	if len(a.Failed) > 1 {
		slices.Sort(a.Failed)
		a.Failed = slices.Compact(a.Failed)
	}
	return a
}

func (a *Authorizer) ask(i int, world types.EntityGetter, r Request, answer *Answer) {
	_, said := cedargo.Authorize(&a.policies[i], world, r.request)
	switch {
	case len(said.Errors) > 0:
		answer.Failed = append(answer.Failed, a.policies[i].name)
	case len(said.Reasons) == 0:
	case a.policies[i].permit:
		answer.Permit = true
	default:
		answer.Forbid = true
	}
}

// ReadsContext tells whether any answer can depend on the request's context.
func (a *Authorizer) ReadsContext() bool { return a.context }

// All yields the policy alone, as the engine takes policies.
func (c *compiled) All() iter.Seq2[cedargo.PolicyID, *cedargo.Policy] { return c.alone }

// explain replaces numbers by names.
func (a *Authorizer) explain(decision types.Decision, diagnostic types.Diagnostic) Decision {
	d := Decision{Allow: decision == types.Allow}
	for _, r := range diagnostic.Reasons {
		i := number(r.PolicyID)
		d.Numbers = append(d.Numbers, i)
		if name := a.policies[i].name; !slices.Contains(d.Reasons, name) {
			d.Reasons = append(d.Reasons, name)
		}
	}
	for _, err := range diagnostic.Errors {
		d.Errors = append(d.Errors, EvaluationError{Policy: a.policies[number(err.PolicyID)].name, Message: err.Message})
	}
	return d
}

func number(id types.PolicyID) int {
	i, err := strconv.Atoi(string(id))
	if err != nil {
		panic("a policy id that nobody gave: " + string(id))
	}
	return i
}

// A selection is some of the policies, as the engine takes them.
type selection struct {
	policies []compiled
	chosen   []int
}

// All yields the policies in their order.
func (s selection) All() iter.Seq2[cedargo.PolicyID, *cedargo.Policy] {
	return func(yield func(cedargo.PolicyID, *cedargo.Policy) bool) {
		for _, i := range s.chosen {
			if !yield(s.policies[i].id, s.policies[i].policy) {
				return
			}
		}
	}
}

package cedar

import (
	"iter"
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
}

// NewAuthorizer prepares policies for deciding. Several may have one name: the
// statements of one text that the service stores.
func NewAuthorizer(policies []Named) *Authorizer {
	a := &Authorizer{policies: make([]compiled, len(policies))}
	for i, p := range policies {
		a.policies[i] = compiled{
			name: p.Name, id: types.PolicyID(strconv.Itoa(i)),
			permit: p.Policy.Effect() == "permit",
			policy: cedargo.NewPolicyFromAST((*ast.Policy)(p.Policy.ast)),
		}
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
	if len(answer.Failed) > 1 {
		slices.Sort(answer.Failed)
		answer.Failed = slices.Compact(answer.Failed)
	}
	return answer
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
func (c *compiled) All() iter.Seq2[cedargo.PolicyID, *cedargo.Policy] {
	return func(yield func(cedargo.PolicyID, *cedargo.Policy) bool) { yield(c.id, c.policy) }
}

// explain replaces numbers by names.
func (a *Authorizer) explain(decision types.Decision, diagnostic types.Diagnostic) Decision {
	d := Decision{Allow: decision == types.Allow}
	for _, r := range diagnostic.Reasons {
		if name := a.name(r.PolicyID); !slices.Contains(d.Reasons, name) {
			d.Reasons = append(d.Reasons, name)
		}
	}
	for _, err := range diagnostic.Errors {
		d.Errors = append(d.Errors, EvaluationError{Policy: a.name(err.PolicyID), Message: err.Message})
	}
	return d
}

func (a *Authorizer) name(id types.PolicyID) string {
	i, err := strconv.Atoi(string(id))
	if err != nil {
		panic("a policy id that nobody gave: " + string(id))
	}
	return a.policies[i].name
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

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
}

// A compiled policy is one that the engine can evaluate.
type compiled struct {
	name   string
	id     types.PolicyID // its number in decimal, since several may share a name
	policy *cedargo.Policy
}

// NewAuthorizer prepares policies for deciding. Several may have one name: the
// statements of one text that the service stores.
func NewAuthorizer(policies []Named) *Authorizer {
	a := &Authorizer{policies: make([]compiled, len(policies))}
	for i, p := range policies {
		a.policies[i] = compiled{
			name: p.Name, id: types.PolicyID(strconv.Itoa(i)),
			policy: cedargo.NewPolicyFromAST((*ast.Policy)(p.Policy.ast)),
		}
		a.index.add(i, p.Policy.ast)
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

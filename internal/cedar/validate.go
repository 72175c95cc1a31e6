package cedar

import (
	"github.com/policypin/policypin/diag"
)

// Validate checks the types of one policy: unknown attributes, entity types,
// actions and enum ids, and type errors, each with a position in the source, a
// rule id, and a "did you mean" where a name is near. It is safe for concurrent
// use.
func (s *Schema) Validate(p *Policy) diag.List {
	var problems diag.List
	if err := s.validator.Policy("", p.ast); err != nil {
		problems.Errorf(p.Position(), "cedar-type", "%s", err)
	}
	return problems
}

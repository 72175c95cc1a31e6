package cedar

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/policypin/policypin/diag"
)

// RequestData is a request as a file has it.
type RequestData struct {
	diag.Position // of the request as a whole
	Principal     PlacedUID
	Action        PlacedUID
	Resource      PlacedUID
	Context       Datum // Absent: an empty context
}

// A Request was checked against a schema.
type Request struct{ request types.Request }

// Request checks a request against the schema: the action exists and takes this
// principal and this resource, and the context is of the action's type. Whether
// the entities exist is not its business. The request must not be decided if
// there are errors.
func (s *Schema) Request(d RequestData) (Request, diag.List) { return s.request(d, false) }

// Outline checks a request as Request does, and leaves its context empty, which
// takes most of the time. It serves policies that don't read the context.
func (s *Schema) Outline(d RequestData) (Request, diag.List) { return s.request(d, true) }

func (s *Schema) request(d RequestData, dry bool) (Request, diag.List) {
	t := &typing{schema: s, dry: dry}
	r := types.Request{Principal: d.Principal.engine(), Action: d.Action.engine(), Resource: d.Resource.engine()}
	action, ok := s.resolved.Actions[r.Action]
	if !ok {
		c := check{schema: s, policy: &Policy{}}
		c.checkEntity(r.Action, 0, true)
		for _, p := range c.problems {
			t.add(d.Action.Position, p.Rule, p.Fix, "%s", p.Message)
		}
	}
	var principals, resources []types.EntityType
	if action.AppliesTo != nil {
		principals, resources = action.AppliesTo.Principals, action.AppliesTo.Resources
	}
	known := t.known(d.Principal.Position, d.Principal.UID)
	if ok && known && !slices.Contains(principals, r.Principal.Type) {
		t.add(d.Principal.Position, "cedar-not-applicable", "", "action `%s` takes no principal of type %s", r.Action, d.Principal.Type)
	}
	known = t.known(d.Resource.Position, d.Resource.UID)
	if ok && known && !slices.Contains(resources, r.Resource.Type) {
		t.add(d.Resource.Position, "cedar-not-applicable", "", "action `%s` takes no resource of type %s", r.Action, d.Resource.Type)
	}
	if action.AppliesTo != nil {
		at := d.Position
		if d.Context.Kind == Map {
			at = d.Context.Position
		}
		r.Context, _ = t.record(d.Context, action.AppliesTo.Context, at, label{before: "the context"})
	}
	return Request{r}, t.problems
}

// String is the request on one line, without its context.
func (r Request) String() string {
	return strings.Join([]string{r.request.Principal.String(), r.request.Action.String(), r.request.Resource.String()}, " ")
}

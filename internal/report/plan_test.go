package report

import (
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/publish"
)

// What a gate refuses is said once, with the gate; other refusals have a line.
func TestPlanTextSaysRefusalsOnce(t *testing.T) {
	plan := &publish.Plan{
		Gates: []publish.GateResult{
			{Gate: "widened", Set: "agents", State: publish.GateRefused, Reason: "one request is now allowed"},
			{Gate: "uncovered", Set: "agents", State: publish.GatePassed, Reason: "every request is covered"},
		},
		Refusals: publish.Refusals{
			{Gate: "widened", Set: "agents", Message: "policy set agents: one request is now allowed"},
			{Gate: "widened", Set: "others", Message: "policy set others: another one"},
			{Set: "agents", Message: "policy x is foreign"},
		},
	}
	var b strings.Builder
	if err := PlanText(&b, Style{}, plan); err != nil {
		t.Fatal(err)
	}
	want := `gates
  widened refused for agents: one request is now allowed
  uncovered passed for agents: every request is covered
refused: policy set others: another one
refused: policy x is foreign
`
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("got:\n%s\nwant at the end:\n%s", b.String(), want)
	}
}

package report

import (
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/impact"
)

// A cause that isn't there any more is called that: else it looks as if a forbid
// allowed something.
func TestImpactOfRemovedPolicies(t *testing.T) {
	older, newer := impact.Ref{Policy: "a", From: true, Effect: "forbid"}, impact.Ref{Policy: "a", Effect: "forbid"}
	other := impact.Ref{Policy: "b", From: true, Effect: "forbid"}
	for _, tt := range []struct {
		name            string
		policies, cause []impact.Ref
		want            string
	}{
		{"removed", []impact.Ref{older}, []impact.Ref{older}, "widened by a (:0), which was removed: 1 request"},
		{"two of them", []impact.Ref{older, other}, []impact.Ref{older, other}, "widened by a (:0), b (:0), which were removed: 1 request"},
		{"changed", []impact.Ref{older, newer}, []impact.Ref{older}, "widened by a (:0): 1 request"},
		{"one of two", []impact.Ref{older, newer, other}, []impact.Ref{other, newer}, "widened by b (:0), a (:0): 1 request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			set := impact.SetReport{Set: "s", Kind: "changed", Policies: tt.policies, Requests: 1, Findings: []impact.Finding{{Kind: impact.Widened, Cause: tt.cause, Count: 1}}}
			if err := ImpactText(&b, Style{}, Impact{Report: impact.Report{Sets: []impact.SetReport{set}}}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(b.String(), tt.want) {
				t.Errorf("got %s, want %s", b.String(), tt.want)
			}
		})
	}
}

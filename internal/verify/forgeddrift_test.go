package verify_test

import (
	"context"
	"slices"

	"github.com/policypin/policypin/internal/publish"
)

// drift looks at a stage and returns what it finds about a pin.
func (s *stage) drift(tag string) (details []string) {
	s.Helper()
	s.git("checkout", "-q", "main")
	tip := s.commit(map[string]string{"policies/ops.cedar": policy("ops")}) // it parses again
	src := publish.Source{Repo: s.repo, Origin: s.repo.Local(), Commit: tip, Dir: ".", Target: "production"}
	d, err := publish.FindDrift(context.Background(), s.client().Reader, src, publish.DriftOptions{AllPins: true})
	if err != nil {
		s.Fatalf("drift: %v", err)
	}
	for _, f := range d.Findings {
		switch {
		case f.Kind != publish.DriftPinDamaged:
		case f.Tag != tag:
			s.Errorf("drift says of %s, which is well: %s: %s", f.Tag, f.Detail, f.Message)
		default:
			details = append(details, f.Detail)
		}
	}
	return details
}

// wantDrift holds drift to the same lists as verify: it asks the zone, so it finds
// what is found offline and online, and blames no other pin.
func (s *stage) wantDrift(f forgery) {
	s.Helper()
	var want []string
	if f.drift != "" {
		want = []string{f.drift}
	}
	if got := s.drift(f.damaged()); !slices.Equal(got, want) {
		s.Errorf("drift finds %q, want %q", got, want)
	}
}

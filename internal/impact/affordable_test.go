package impact

import "testing"

// The more policies answer each request, the fewer are tried, so that a set of
// 10,000 new policies takes no longer than people wait.
func TestFewerRequestsOfManyPolicies(t *testing.T) {
	for _, tt := range []struct{ limit, policies, want int }{
		{maxRequests, 1, maxRequests},
		{maxRequests, manyPolicies, maxRequests},
		{maxRequests, 10 * manyPolicies, maxRequests / 10},
		{minRequests, 10_000, leastTried},
		{minRequests, 0, minRequests},
	} {
		if got := affordable(tt.limit, tt.policies); got != tt.want {
			t.Errorf("%d requests of %d policies: got %d, want %d", tt.limit, tt.policies, got, tt.want)
		}
	}
}

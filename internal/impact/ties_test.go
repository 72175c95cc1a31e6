package impact

import "testing"

// Whether a set has the principal and whether it has ada is one question where the
// principal is ada: policies that ask one of them have to do with the other.
func TestSetsThatAreAskedForThePrincipal(t *testing.T) {
	schema := map[string]string{"schemas/v1.cedarschema": `
entity User;
entity Doc = { guests: Set<User> };
action read appliesTo { principal: User, resource: Doc };
`}
	const (
		ada       = `permit (principal == User::"ada", action, resource) when { resource.guests.contains(User::"ada") };`
		guest     = `permit (principal, action, resource) when { resource.guests.contains(principal) };`
		noGuests  = `forbid (principal, action, resource) when { resource.guests.contains(principal) };`
		strangers = `forbid (principal, action, resource) unless { resource.guests.contains(principal) };`
		noAda     = `forbid (principal, action, resource) when { resource.guests.contains(User::"ada") };`
		nobody    = `permit (principal, action, resource) when { resource.guests.isEmpty() };`
		isAda     = `permit (principal == User::"ada", action, resource);`
	)
	for _, tt := range []struct {
		name     string
		from, to []string
		changed  bool
	}{
		{"ada, who is a guest", []string{ada, strangers}, []string{strangers}, true},
		{"ada, who is no guest", []string{ada, noGuests}, []string{noGuests}, false},
		{"ada, who is a guest as others are", []string{ada, guest}, []string{guest}, false},
		{"guests, of whom ada is one", []string{guest, ada}, []string{ada}, true},
		{"guests without ada", []string{guest, noAda}, []string{noAda}, true},
		{"guests where there is none", []string{guest, nobody}, []string{nobody}, true},
		{"nobody where there are guests", []string{nobody, strangers}, []string{strangers}, false},
		{"ada is a guest, said in two ways", []string{ada}, []string{`permit (principal == User::"ada", action, resource) when { resource.guests.contains(principal) };`}, false},
		{"ada among guests and strangers", []string{isAda, strangers, noAda}, []string{strangers, noAda}, false},
		{"guests for ada", []string{guest}, []string{ada}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, few := range []int{fewOthers, -1} {
				r := withFewOthers(t, few, treeWith(t, schema, tt.from...), treeWith(t, schema, tt.to...))
				if !r.Complete() || r.Changed() != tt.changed {
					t.Errorf("%d: got %+v", few, r.Sets)
				}
			}
		})
	}
}

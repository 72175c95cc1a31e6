package zone

import (
	"net/http"
	"strings"
	"testing"
)

// FuzzRequests sends any method, path and body. Nothing panics, nothing is the
// server's own fault, and a refusal is a complete error.
func FuzzRequests(f *testing.F) {
	for _, seed := range []struct{ method, path, body string }{
		{"POST", "policies", `{"name":"x","description":null}`},
		{"POST", "policies/pol_bare_1/versions", raw(permitAll)},
		{"POST", "policies/pol_bare_1/versions", `{"schema_version":"2026-06-18","cedar_json":{"staticPolicies":{"policy0":{"effect":"permit","principal":{"op":"All"},"action":{"op":"All"},"resource":{"op":"All"},"conditions":[]}}}}`},
		{"POST", "policy-sets", `{"name":"s","target_type":"zone","manifest":{"activate":true,"entries":[{"new_policy":{"name":"n"},"cedar_raw":"permit (principal, action, resource);"},{"policy_id":"pol_kept_1"}]}}`},
		{"POST", "policy-sets/ps_active_1/versions", manifestOf("pol_kept_1", "pv_kept_1_1")},
		{"PATCH", "policy-sets/ps_active_1/versions/psv_active_1_2", `{"active":true}`},
		{"PATCH", "policy-schemas/2026-03-16", `{}`},
		{"DELETE", "policy-sets/ps_idle_1", ``},
		{"GET", "policies?limit=3&filter[id]=pol_kept_1&expand[]=total_count&query[name]=k", ""},
		{"GET", "policy-sets?sort=status&limit=1&after=AAAAAAAAAAAAAAAAAAAAAA", ""},
		{"POST", "../../service-account-token", "grant_type=client_credentials&client_id=%00"},
	} {
		f.Add(seed.method, seed.path, seed.body)
	}
	s := fixture(f)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r, err := http.NewRequest(method, "http://local.test/zones/"+LocalZoneID+"/"+path, strings.NewReader(body))
		if err != nil {
			return // not a request
		}
		a := s.answer(r)
		if a.status >= 500 || a.status < 200 {
			t.Fatalf("%s %q %q: got %d %s", method, path, body, a.status, a.body)
		}
		if a.status >= 400 && !strings.Contains(string(a.body), `"message":`) && !strings.Contains(string(a.body), `"error":`) {
			t.Errorf("got %s, want a complete error", a.body)
		}
	})
}

// FuzzBody compares the depth limit and the reader of bodies with what they
// promise: nothing deeper than the limit gets through.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"name":"x","manifest":{"entries":[]}}`))
	f.Add([]byte(`{"a":"\"}[{","name":1}`))
	f.Add([]byte(strings.Repeat(`{"a":`, 2000)))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parseObject(b, "name", "manifest")
		if err != nil {
			return
		}
		for name := range o {
			if name != "name" && name != "manifest" {
				t.Errorf("%q got through", name)
			}
		}
		if strings.Count(string(o["manifest"]), "[") > maxBodyDepth && tooDeep(o["manifest"]) {
			t.Error("a deep value got through")
		}
	})
}

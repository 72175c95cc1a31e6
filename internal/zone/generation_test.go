package zone

import (
	"fmt"
	"strings"
	"testing"
)

func generation2(o *Options) { o.Generation = 2 }

func TestGeneration2(t *testing.T) {
	s := fixture(t, generation2)
	for scope, status := range map[string]int{"zone": 201, "resource": 201, "user": 201, "session": 201, "galaxy": 400} {
		a := do(t, s, "POST", "policy-sets", `{"name":"of `+scope+`","scope_type":"`+scope+`"}`)
		if a.status != status {
			t.Errorf("scope %s: got %d %s, want %d", scope, a.status, a.raw, status)
		}
	}
	set := must(t, s, "GET", "policy-sets/ps_active_1", "")
	for _, name := range []string{"target_type", "target_id"} {
		if _, ok := set.body[name]; ok {
			t.Errorf("%s is of generation 3: %s", name, set.raw)
		}
	}
	if set.text("scope_type") != "zone" || set.text("scope_target_id") != LocalZoneID {
		t.Errorf("scope: got %s", set.raw)
	}
	if got := len(must(t, s, "GET", "policy-sets?limit=100", "").items("id")); got != 7 {
		t.Errorf("sets of every scope are listed: got %d, want 7", got)
	}
	if got := must(t, s, "GET", "policy-sets?filter[scope_type]=user&filter[scope_type]=session&order=asc", "").items("scope_type"); len(got) != 2 {
		t.Errorf("filtered by scope: got %v", got)
	}
	for path, body := range map[string]string{
		`POST policy-sets`:                                       `{"name":"x","target_type":"zone"}`,
		`POST policy-sets ` + "manifest":                         `{"name":"x","manifest":{"entries":[]}}`,
		`GET policy-sets?filter[target_type]=zone`:               "",
		`GET policies?filter[target_type]=zone`:                  "",
		`GET policies?expand[]=user`:                             "",
		`PATCH policies/pol_bare_1`:                              `{"nickname":"x"}`,
		`POST policies`:                                          `{"name":"kept"}`,
		`DELETE policy-sets/ps_active_1/versions/psv_active_1_1`: "",
	} {
		fields := strings.Fields(path)
		a := do(t, s, fields[0], fields[1], body)
		want := "bad_request"
		if a.status == 409 {
			want = "conflict"
		}
		if a.status != 400 && a.status != 409 || a.text("code") != want {
			t.Errorf("%s: got %d %s, want a general code", path, a.status, a.raw)
		}
	}
	if got := must(t, s, "GET", "policies/pol_kept_1?expand[]=user", "").raw; strings.Contains(got, "created_by_user") {
		t.Errorf("users are of generation 3: %s", got)
	}
}

func TestGeneration3(t *testing.T) {
	s := fixture(t)
	set := must(t, s, "GET", "policy-sets/ps_idle_1?expand[]=user", "")
	for name, want := range map[string]string{
		"target_type": "zone", "scope_type": "zone", "target_id": "", "scope_target_id": "", "active": "false", "mode": "",
		"created_by_user.zone_id": "zone_platform",
	} {
		if got := set.text(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if _, ok := set.body["target_id"]; !ok {
		t.Errorf("target_id is null, not absent: %s", set.raw)
	}
	if set.text("created_by_user.id") == set.text("created_by") {
		t.Errorf("a user's id is another one than created_by: %s", set.raw)
	}
}

func TestOptions(t *testing.T) {
	for _, opts := range []Options{{Generation: 1}, {Generation: 4}, {Zones: []string{""}}, {Zones: []string{"a\x00b"}}} {
		if s, err := Open(opts); err == nil {
			s.Close()
			t.Errorf("%+v: got no error", opts)
		}
	}
	s := open(t, func(o *Options) { o.Zones = []string{"b", "a", "b"} })
	for _, zone := range []string{"a", "b"} {
		must(t, s, "POST", "/zones/"+zone+"/policies", `{"name":"same"}`)
		if got := must(t, s, "GET", "/zones/"+zone, "").text("protocols.oauth2.jwks_uri"); got != "http://local.test/zones/"+zone+"/openidconnect/jwks" {
			t.Errorf("keys of %s: got %s", zone, got)
		}
		must(t, s, "GET", "/zones/"+zone+"/openidconnect/jwks", "")
	}
	if got := do(t, s, "GET", "/zones/"+LocalZoneID, "").status; got != 404 {
		t.Errorf("a zone that wasn't named: got %d, want 404", got)
	}
	if got := do(t, s, "GET", "/zones/a/policies/pol_same_1/versions/x", "").status; got != 404 {
		t.Errorf("got %d, want 404", got)
	}
}

func TestIDs(t *testing.T) {
	for name, want := range map[string]string{
		"finance-read": "finance-read",
		"a":            "a",
		"Agents":       "agents-",
		"läger":        "l-ger-",
		"日本":           "",
		"a b":          "a-b-",
	} {
		got := slugOf(name)
		if !strings.HasPrefix(got, want) || got == "" || strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("slugOf(%q): got %q, want it to start with %q", name, got, want)
		}
	}
	seen := map[string]string{}
	for _, name := range []string{"a b", "a_b", "a-b", "A-b", "a--b", "-", "--", "ä", "ö", strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("x", 255)} {
		slug := slugOf(name)
		if other, ok := seen[slug]; ok {
			t.Errorf("%q and %q have one slug %q", name, other, slug)
		}
		seen[slug] = name
	}

	s := open(t, func(o *Options) { o.SequentialIDs = false })
	ids := map[string]bool{}
	for i := range 50 {
		id := must(t, s, "POST", "policies", fmt.Sprintf(`{"name":"p%d"}`, i)).text("id")
		if ids[id] || !strings.HasPrefix(id, "pol_") || len(id) < len("pol_")+16 {
			t.Errorf("id %q: want pol_ and at least 16 characters, once", id)
		}
		ids[id] = true
	}
}

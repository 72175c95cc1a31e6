package zone

import (
	"net/http"
	"strings"
	"testing"
)

// fixture is a zone with something of everything:
//
//	policy kept (2 versions), policy gone (archived), policy bare (no version),
//	policy old (a version of the deprecated schema),
//	set active (v1 active, v2 not, v3 archived), set idle (no version),
//	set person (of a user), set over (archived).
func fixture(t testing.TB, change ...func(*Options)) *Server {
	s := open(t, change...)
	for _, name := range []string{"kept", "gone", "bare", "old"} {
		must(t, s, "POST", "policies", `{"name":"`+name+`"}`)
	}
	must(t, s, "POST", "policies/pol_kept_1/versions", raw(permitAll))
	must(t, s, "POST", "policies/pol_kept_1/versions", raw(`forbid (principal, action, resource);`))
	must(t, s, "POST", "policies/pol_gone_1/versions", raw(permitAll))
	must(t, s, "POST", "policies/pol_old_1/versions",
		`{"schema_version":"2026-03-16","cedar_raw":"permit (principal, action, resource);"}`)
	must(t, s, "DELETE", "policies/pol_gone_1", "")
	for _, name := range []string{"active", "idle", "over"} {
		must(t, s, "POST", "policy-sets", `{"name":"`+name+`"}`)
	}
	if s.opts.Generation == 3 {
		must(t, s, "POST", "policy-sets", `{"name":"person","target_type":"user"}`)
		must(t, s, "POST", "policy-sets/ps_person_1/versions", manifestOf("pol_kept_1", "pv_kept_1_1"))
	}
	for _, version := range []string{"pv_kept_1_1", "pv_kept_1_2", "pv_kept_1_1"} {
		must(t, s, "POST", "policy-sets/ps_active_1/versions", manifestOf("pol_kept_1", version))
	}
	must(t, s, "DELETE", "policy-sets/ps_active_1/versions/psv_active_1_3", "")
	must(t, s, "PATCH", "policy-sets/ps_active_1/versions/psv_active_1_1", `{"active":true}`)
	must(t, s, "DELETE", "policy-sets/ps_over_1", "")
	return s
}

// TestRefusals lists what the API refuses, with the status and code it gives.
func TestRefusals(t *testing.T) {
	s := fixture(t)
	const (
		versions    = "policies/pol_kept_1/versions"
		setVersions = "policy-sets/ps_active_1/versions"
	)
	ids := strings.Repeat("filter[id]=x&", 101)
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		code, message            string
	}{
		{"an unknown zone", "GET", "/zones/other/policies", "", 404, "not_found", `zone "other"`},
		{"an unknown path", "GET", "users", "", 404, "not_found", "path"},
		{"a path with a trailing slash", "GET", "policies/", "", 404, "not_found", "path"},
		{"an id with a NUL", "GET", "policies/a%00b", "", 404, "not_found", "path"},
		{"a method that isn't there", "PUT", "policies", "{}", 405, "method_not_allowed", "allowed: GET, POST"},
		{"HEAD", "HEAD", "policies", "", 405, "method_not_allowed", "HEAD"},

		{"a body that isn't JSON", "POST", "policies", "name=x", 400, "bad_request", "JSON object"},
		{"a broken body", "POST", "policies", `{"name":`, 400, "bad_request", "not valid JSON"},
		{"a body that isn't UTF-8", "POST", "policies", "{\"name\":\"\xff\"}", 400, "bad_request", "UTF-8"},
		{"a body of nothing but brackets", "POST", "policies", strings.Repeat("[", 5000), 400, "bad_request", "deeper"},
		{"a body that is too large", "POST", "policies", strings.Repeat(" ", maxBodyBytes+1), 413, "payload_too_large", "bytes"},
		{"an unknown property", "POST", "policies", `{"name":"x","owner_type":"platform"}`, 400, "bad_request", `"owner_type"`},
		{"a property in another case", "POST", "policies", `{"Name":"x"}`, 400, "bad_request", `"Name"`},

		{"a policy without a name", "POST", "policies", `{}`, 400, "bad_request", "name"},
		{"a policy with an empty name", "POST", "policies", `{"name":""}`, 400, "bad_request", "empty"},
		{"a policy with a number for a name", "POST", "policies", `{"name":1}`, 400, "bad_request", "string"},
		{"a name with a line end", "POST", "policies", `{"name":"a\nb"}`, 400, "bad_request", "control"},
		{"a name that is too long", "POST", "policies", `{"name":"` + strings.Repeat("ä", 256) + `"}`, 400, "bad_request", "255"},
		{"a name that is taken", "POST", "policies", `{"name":"kept"}`, 409, "policy_name_conflict", "pol_kept_1"},
		{"a name that the platform has", "POST", "policies", `{"name":"default-user-grants"}`, 409, "policy_name_conflict", ""},
		{"renaming to a name that is taken", "PATCH", "policies/pol_bare_1", `{"name":"kept"}`, 409, "policy_name_conflict", ""},
		{"renaming an archived policy", "PATCH", "policies/pol_gone_1", `{"name":"back"}`, 400, "policy_archived", ""},
		{"renaming a platform policy", "PATCH", "policies/pol_default-user-grants_1", `{"name":"x"}`, 403, "forbidden", "platform"},
		{"archiving a platform policy", "DELETE", "policies/pol_default-user-grants_1", "", 403, "forbidden", "platform"},
		{"an unknown policy", "GET", "policies/pol_none_1", "", 404, "policy_not_found", "pol_none_1"},

		{"a version without a schema", "POST", versions, `{"cedar_raw":"permit (principal, action, resource);"}`, 400, "bad_request", "schema_version"},
		{"a version of an unknown schema", "POST", versions, `{"schema_version":"1999-01-01","cedar_raw":"x"}`, 400, "schema_version_unsupported", "1999"},
		{"a version of an archived schema", "POST", versions, `{"schema_version":"2026-02-24","cedar_raw":"permit (principal, action, resource);"}`, 400, "schema_version_unsupported", "archived"},
		{"a version without content", "POST", versions, `{"schema_version":"2026-06-18"}`, 400, "missing_cedar_content", ""},
		{"a version with null content", "POST", versions, `{"schema_version":"2026-06-18","cedar_raw":null}`, 400, "missing_cedar_content", ""},
		{"a version with empty content", "POST", versions, raw("  \n"), 400, "missing_cedar_content", ""},
		{"a version with a comment alone", "POST", versions, raw("// nothing"), 400, "invalid_cedar", ""},
		{"a version with both forms", "POST", versions, `{"schema_version":"2026-06-18","cedar_raw":"x","cedar_json":{}}`, 400, "bad_request", "combined"},
		{"Cedar that doesn't parse", "POST", versions, raw("permit (principal"), 400, "invalid_cedar", "1:"},
		{"Cedar with a wrong type", "POST", versions, raw(`permit (principal, action, resource) when { context.on_behalf == 1 && context.nope };`), 400, "invalid_cedar", "nope"},
		{"a wrong type in the second statement", "POST", versions, raw(permitAll + `forbid (principal, action, resource) when { context.nope };`), 400, "invalid_cedar", "nope"},
		{"a template", "POST", versions, raw(`permit (principal == ?principal, action, resource);`), 400, "invalid_cedar", ""},
		{"Cedar that nests too deep", "POST", versions, raw(`permit (principal, action, resource) when { ` + strings.Repeat("(", 20000) + "true" + strings.Repeat(")", 20000) + ` };`), 400, "invalid_cedar", ""},
		{"Cedar JSON that isn't", "POST", versions, `{"schema_version":"2026-06-18","cedar_json":{"effect":"maybe"}}`, 400, "invalid_cedar", ""},
		{"a version of an archived policy", "POST", "policies/pol_gone_1/versions", raw(permitAll), 400, "policy_archived", ""},
		{"a version of a platform policy", "POST", "policies/pol_default-user-grants_1/versions", raw(permitAll), 403, "forbidden", "platform"},
		{"a version of an unknown policy", "POST", "policies/pol_none_1/versions", raw("permit ("), 404, "policy_not_found", ""},
		{"a version under another policy", "GET", "policies/pol_bare_1/versions/pv_kept_1_1", "", 404, "policy_version_not_found", ""},
		{"versions of an unknown policy", "GET", "policies/pol_none_1/versions", "", 404, "policy_not_found", ""},
		{"an unknown format", "GET", versions + "/pv_kept_1_1?format=xml", "", 400, "bad_request", "cedar, json"},
		{"archiving an active policy version", "DELETE", versions + "/pv_kept_1_1", "", 400, "bad_request", "currently active"},
		{"archiving a platform policy version", "DELETE", "policies/pol_default-user-grants_1/versions/pv_default-user-grants_1_1", "", 403, "forbidden", ""},
		{"changing a version", "PATCH", versions + "/pv_kept_1_1", `{}`, 405, "method_not_allowed", ""},

		{"a set with a name that is taken", "POST", "policy-sets", `{"name":"active"}`, 409, "policy_set_name_conflict", ""},
		{"a set with an unknown target", "POST", "policy-sets", `{"name":"x","target_type":"session"}`, 400, "bad_request", "zone, user"},
		{"a set with an old scope", "POST", "policy-sets", `{"name":"x","scope_type":"user"}`, 400, "bad_request", "scope_type"},
		{"a set with two targets", "POST", "policy-sets", `{"name":"x","scope_type":"zone","target_type":"user"}`, 400, "bad_request", "differ"},
		{"changing a set's target", "PATCH", "policy-sets/ps_idle_1", `{"target_type":"user"}`, 400, "bad_request", "target_type"},
		{"unbinding a set", "PATCH", "policy-sets/ps_active_1", `{"active":false}`, 400, "bad_request", "active"},
		{"renaming the platform's set", "PATCH", "policy-sets/ps_default-zone-policies_1", `{"name":"x"}`, 403, "forbidden", ""},
		{"archiving the active set", "DELETE", "policy-sets/ps_active_1", "", 409, "conflict", "active binding"},
		{"renaming an archived set", "PATCH", "policy-sets/ps_over_1", `{"name":"x"}`, 400, "policy_set_archived", ""},

		{"a set version without a manifest", "POST", setVersions, `{"schema_version":"2026-06-18"}`, 400, "bad_request", "manifest"},
		{"a set version without a schema", "POST", setVersions, `{"manifest":{"entries":[]}}`, 400, "bad_request", "schema_version"},
		{"an empty manifest", "POST", setVersions, manifestOf(), 400, "bad_request", "at least one"},
		{"entries that aren't a list", "POST", setVersions, `{"schema_version":"2026-06-18","manifest":{"entries":{}}}`, 400, "bad_request", "array"},
		{"entries one level too high", "POST", setVersions, `{"schema_version":"2026-06-18","entries":[]}`, 400, "bad_request", "entries"},
		{"an entry without a version", "POST", setVersions, `{"schema_version":"2026-06-18","manifest":{"entries":[{"policy_id":"pol_kept_1"}]}}`, 400, "bad_request", "policy_version_id"},
		{"the same policy twice", "POST", setVersions, manifestOf("pol_kept_1", "pv_kept_1_1", "pol_kept_1", "pv_kept_1_2"), 400, "manifest_duplicate_policy", ""},
		{"an entry with another policy's version", "POST", setVersions, manifestOf("pol_bare_1", "pv_kept_1_1"), 400, "policy_version_not_found", ""},
		{"an entry of another schema", "POST", setVersions, manifestOf("pol_old_1", "pv_old_1_1"), 400, "schema_version_mismatch", "2026-03-16"},
		{"an entry with a wrong sha", "POST", setVersions, `{"schema_version":"2026-06-18","manifest":{"entries":[{"policy_id":"pol_kept_1","policy_version_id":"pv_kept_1_1","sha":"00"}]}}`, 400, "bad_request", "sha"},
		{"a version of an unknown set", "POST", "policy-sets/ps_none_1/versions", manifestOf("pol_kept_1", "pv_kept_1_1"), 404, "not_found", ""},
		{"a version of the platform's set", "POST", "policy-sets/ps_default-zone-policies_1/versions", manifestOf("pol_kept_1", "pv_kept_1_1"), 403, "forbidden", "platform"},
		{"a version of an archived set", "POST", "policy-sets/ps_over_1/versions", manifestOf("pol_kept_1", "pv_kept_1_1"), 400, "policy_set_archived", ""},
		{"deactivating", "PATCH", setVersions + "/psv_active_1_1", `{"active":false}`, 400, "bad_request", "must be true"},
		{"activating with nothing", "PATCH", setVersions + "/psv_active_1_2", `{}`, 400, "bad_request", "must be true"},
		{"activating with a text", "PATCH", setVersions + "/psv_active_1_2", `{"active":"true"}`, 400, "bad_request", "must be true"},
		{"activating with more", "PATCH", setVersions + "/psv_active_1_2", `{"active":true,"mode":"shadow"}`, 400, "bad_request", "mode"},
		{"activating an archived version", "PATCH", setVersions + "/psv_active_1_3", `{"active":true}`, 400, "version_archived", ""},
		{"activating a user's set", "PATCH", "policy-sets/ps_person_1/versions/psv_person_1_1", `{"active":true}`, 400, "activate_requires_zone_target", ""},
		{"activating under another set", "PATCH", "policy-sets/ps_idle_1/versions/psv_active_1_1", `{"active":true}`, 404, "not_found", ""},
		{"archiving the active version", "DELETE", setVersions + "/psv_active_1_1", "", 400, "bad_request", "currently active"},
		{"archiving the platform's set version", "DELETE", "policy-sets/ps_default-zone-policies_1/versions/psv_default-zone-policies_1_1", "", 403, "forbidden", ""},

		{"limit 0", "GET", "policies?limit=0", "", 400, "bad_request", "1 to 100"},
		{"limit 101", "GET", "policies?limit=101", "", 400, "bad_request", "1 to 100"},
		{"limit that isn't a number", "GET", "policies?limit=ten", "", 400, "bad_request", "limit"},
		{"an unknown order", "GET", "policies?order=up", "", 400, "bad_request", "desc, asc"},
		{"an unknown sort", "GET", "policies?sort=name", "", 400, "bad_request", "created_at"},
		{"sort=status of policies", "GET", "policies?sort=status", "", 400, "bad_request", "sort"},
		{"a cursor that isn't one", "GET", "policies?after=pol_kept_1", "", 400, "bad_request", "not a cursor"},
		{"an empty cursor", "GET", "policies?after=", "", 400, "bad_request", "1 to 255"},
		{"both cursors", "GET", "policies?after=AAAAAAAAAAAAAAAAAAAAAA&before=AAAAAAAAAAAAAAAAAAAAAA", "", 400, "bad_request", ""},
		{"an unknown expansion", "GET", "policies?expand[]=versions", "", 400, "bad_request", "total_count, user"},
		{"joined expansions", "GET", "policies?expand[]=total_count,user", "", 400, "bad_request", "expand"},
		{"two spellings that differ", "GET", "policies?expand[]=user&expand=total_count", "", 400, "bad_request", "different"},
		{"total_count of one object", "GET", "policies/pol_kept_1?expand[]=total_count", "", 400, "bad_request", "user"},
		{"an unknown filter", "GET", "policies?filter[name]=x", "", 400, "bad_request", "filter[name]"},
		{"an unknown owner", "GET", "policies?filter[owner_type]=me", "", 400, "bad_request", "platform, customer"},
		{"joined owners", "GET", "policies?filter[owner_type]=platform,customer", "", 400, "bad_request", "platform, customer"},
		{"joined ids", "GET", "policies?filter[id]=pol_kept_1,pol_bare_1", "", 400, "bad_request", "joined"},
		{"too many ids", "GET", "policies?" + ids, "", 400, "bad_request", "100"},
		{"ids with a cursor", "GET", "policies?filter[id]=x&after=AAAAAAAAAAAAAAAAAAAAAA", "", 400, "bad_request", "combined"},
		{"active that isn't a boolean", "GET", "policy-sets?filter[active]=yes", "", 400, "bad_request", "true, false"},
		{"active twice", "GET", "policy-sets?filter[active]=true&active=false", "", 400, "bad_request", "conflicting"},
		{"two targets", "GET", "policy-sets?filter[target_type]=user&filter[scope_type]=zone", "", 400, "bad_request", "different"},
		{"sort=status upwards", "GET", "policy-sets?sort=status&order=asc", "", 400, "bad_request", "sort=status"},
		{"a filter where none is", "GET", versions + "?filter[active]=true", "", 400, "bad_request", "no filters"},
		{"a broken query", "GET", "policies?a=%zz", "", 400, "bad_request", "query"},

		{"an unknown schema", "GET", "policy-schemas/2020-01-01", "", 404, "not_found", ""},
		{"default twice", "GET", "policy-schemas?filter[default]=true&is_default=false", "", 400, "bad_request", "conflicting"},
		{"an archived schema as default", "PATCH", "policy-schemas/2026-02-24", "{}", 400, "bad_request", "archived"},
		{"a schema changed with no JSON", "PATCH", "policy-schemas/2026-03-16", "{", 400, "bad_request", "JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := do(t, s, test.method, test.path, test.body)
			if a.status != test.status || a.text("code") != test.code || !strings.Contains(a.text("message"), test.message) {
				t.Errorf("%s %s: got %d %s, want %d %s with %q", test.method, test.path, a.status, a.raw, test.status, test.code, test.message)
			}
			if a.text("request_id") == "" || a.text("timestamp") == "" || a.text("path") == "" || a.text("status") == "" {
				t.Errorf("the error body is not complete: %s", a.raw)
			}
			if a.header.Get("Content-Type") != "application/json" || a.header.Get("X-Request-Id") != a.text("request_id") {
				t.Errorf("headers: got %v", a.header)
			}
		})
	}
}

// TestRefusalsChangeNothing runs refused writes and compares the whole store.
func TestRefusalsChangeNothing(t *testing.T) {
	s := fixture(t)
	before := len(s.main.(*memory).values)
	for range 3 {
		do(t, s, "POST", "policies", `{"name":"kept"}`)
		do(t, s, "POST", "policy-sets", `{"name":"new","manifest":{"entries":[
			{"new_policy":{"name":"first"},"cedar_raw":"permit (principal, action, resource);"},
			{"policy_id":"pol_none_1"}]}}`)
	}
	if got := len(s.main.(*memory).values); got != before {
		t.Errorf("values in the store: got %d, want %d", got, before)
	}
}

func TestArchiving(t *testing.T) {
	s := fixture(t)
	a := must(t, s, "GET", "policies/pol_gone_1", "")
	if a.text("archived_at") == "" {
		t.Errorf("an archived policy says so: got %s", a.raw)
	}
	if got := must(t, s, "GET", "policies?limit=100", "").raw; strings.Contains(got, "pol_gone_1") {
		t.Errorf("an archived policy is listed: %s", got)
	}
	if got := must(t, s, "GET", "policies?filter[id]=pol_gone_1", "").raw; strings.Contains(got, "pol_gone_1") {
		t.Errorf("an archived policy is listed by id: %s", got)
	}
	if again := must(t, s, "DELETE", "policies/pol_gone_1", ""); again.raw != a.raw {
		t.Errorf("archiving twice: got %s, want %s", again.raw, a.raw)
	}
	if a := must(t, s, "POST", "policies", `{"name":"gone"}`); a.text("id") != "pol_gone_2" {
		t.Errorf("the freed name: got %s, want id pol_gone_2", a.raw)
	}
	if a := must(t, s, "GET", "policy-sets/ps_over_1", ""); a.text("archived_at") == "" {
		t.Errorf("an archived set says so: got %s", a.raw)
	}

	// Once another version is active, the old one can go, and with it what it pins.
	must(t, s, "PATCH", "policy-sets/ps_active_1/versions/psv_active_1_2", `{"active":true}`)
	v := must(t, s, "DELETE", "policies/pol_kept_1/versions/pv_kept_1_1", "")
	if v.text("archived_at") == "" || v.text("archived_by") != localUser {
		t.Errorf("archived version: got %s", v.raw)
	}
	a = do(t, s, "PATCH", "policy-sets/ps_active_1/versions/psv_active_1_1", `{"active":true}`)
	if a.status != http.StatusBadRequest || a.text("code") != "version_archived" {
		t.Errorf("activating a version with an archived entry: got %d %s", a.status, a.raw)
	}
	a = do(t, s, "POST", "policy-sets/ps_active_1/versions", manifestOf("pol_kept_1", "pv_kept_1_1"))
	if a.status != http.StatusBadRequest || a.text("code") != "version_archived" {
		t.Errorf("pinning an archived version: got %d %s", a.status, a.raw)
	}
	must(t, s, "DELETE", "policy-sets/ps_active_1/versions/psv_active_1_1", "")
	list := must(t, s, "GET", "policy-sets/ps_active_1/versions?order=asc", "")
	if got := strings.Join(list.items("version"), " "); got != "1 2 3" {
		t.Errorf("archived versions stay in the list: got %s", got)
	}
}

func TestRenaming(t *testing.T) {
	s := fixture(t)
	a := must(t, s, "PATCH", "policies/pol_bare_1", `{"name":"dressed","description":"Now with text."}`)
	if a.text("id") != "pol_bare_1" || a.text("name") != "dressed" || a.text("updated_by") != localUser {
		t.Errorf("renamed: got %s", a.raw)
	}
	must(t, s, "POST", "policies", `{"name":"bare"}`)
	a = must(t, s, "PATCH", "policies/pol_bare_1", `{"description":null}`)
	if a.text("name") != "dressed" || a.text("description") != "" {
		t.Errorf("description taken away: got %s", a.raw)
	}
	must(t, s, "PATCH", "policy-sets/ps_idle_1", `{"name":"busy"}`)
	must(t, s, "POST", "policy-sets", `{"name":"idle"}`)
	if got := do(t, s, "PATCH", "policy-sets/ps_idle_1", `{"name":"idle"}`).status; got != http.StatusConflict {
		t.Errorf("renaming back: got %d, want 409", got)
	}
}

func TestPreconditions(t *testing.T) {
	s := fixture(t)
	for _, path := range []string{"policies/pol_bare_1", "policy-sets/ps_idle_1"} {
		tag := must(t, s, "GET", path, "").header.Get("ETag")
		if !strings.HasPrefix(tag, `"`) {
			t.Fatalf("%s: ETag %q is not quoted", path, tag)
		}
		changed := must(t, s, "PATCH", path, `{"name":"one"}`, "If-Match", tag)
		a := do(t, s, "PATCH", path, `{"name":"two"}`, "If-Match", tag)
		if a.status != http.StatusPreconditionFailed || a.text("code") != "precondition_failed" {
			t.Errorf("%s with an old tag: got %d %s", path, a.status, a.raw)
		}
		must(t, s, "PATCH", path, `{"name":"three"}`, "If-Match", `"x", `+changed.header.Get("ETag"))
		must(t, s, "PATCH", path, `{"name":"four"}`, "If-Match", "*")
	}
	a := do(t, s, "DELETE", "policy-sets/ps_idle_1", "", "If-Match", `"old"`)
	if a.status != http.StatusPreconditionFailed {
		t.Errorf("archiving a set with an old tag: got %d", a.status)
	}
	must(t, s, "DELETE", "policies/pol_bare_1", "", "If-Match", `"old"`) // not a condition there

	// An activation changes both sets.
	before := must(t, s, "GET", "policy-sets/ps_default-zone-policies_1", "").header.Get("ETag")
	active := must(t, s, "GET", "policy-sets/ps_active_1", "").header.Get("ETag")
	must(t, s, "PATCH", "policy-sets/ps_default-zone-policies_1/versions/psv_default-zone-policies_1_1", `{"active":true}`)
	if got := must(t, s, "GET", "policy-sets/ps_default-zone-policies_1", "").header.Get("ETag"); got == before {
		t.Errorf("the activated set kept its ETag %s", got)
	}
	if got := must(t, s, "GET", "policy-sets/ps_active_1", "").header.Get("ETag"); got == active {
		t.Errorf("the set that lost the slot kept its ETag %s", got)
	}
}

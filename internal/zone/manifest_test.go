package zone

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestManifestSHA has the entries of a published test vector, in an order that
// isn't sorted.
func TestManifestSHA(t *testing.T) {
	got, err := manifestSHA([]entry{
		{"pol_b", "pv_2", strings.Repeat("b", 64)},
		{"pol_a", "pv_1", strings.Repeat("a", 64)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "34a9dc05ad126b94d8a43f9edc87dd0d2608dfb3ff9734b7f4ecc0616cc05aab"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSetVersion checks everything that the answer says about a version.
func TestSetVersion(t *testing.T) {
	s := fixture(t)
	v := must(t, s, "GET", "policy-sets/ps_active_1/versions/psv_active_1_1?expand[]=user", "")
	pv := must(t, s, "GET", "policies/pol_kept_1/versions/pv_kept_1_1", "")
	wantSHA, err := manifestSHA([]entry{{"pol_kept_1", "pv_kept_1_1", pv.text("sha")}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"id": "psv_active_1_1", "policy_set_id": "ps_active_1", "version": "1", "schema_version": defaultSchema,
		"manifest_sha": wantSHA, "active": "true", "owner_type": "customer", "created_by": localUser, "archived_at": "",
		"attestation.type": "policy_set_attestation", "attestation.v": "1", "attestation.status": "created",
		"attestation.zone_id": LocalZoneID, "attestation.policy_set_id": "ps_active_1",
		"attestation.policy_set_version": "1", "attestation.manifest_sha": wantSHA,
		"attestation.attested_at": "2026-01-01T00:00:00Z", "created_by_user.email": "",
		"zone_id": "", // versions of sets have none
	} {
		if got := v.text(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if len(v.body["attestation"].(map[string]any)) != 10 {
		t.Errorf("attestation: got %v, want ten fields", v.body["attestation"])
	}
	list := must(t, s, "GET", "policy-sets/ps_active_1/versions", "").raw
	if strings.Contains(list, `"manifest":`) {
		t.Errorf("lists leave manifests out: %s", list)
	}
	s = fixture(t, func(o *Options) { o.ManifestsInLists = true })
	if list := must(t, s, "GET", "policy-sets/ps_active_1/versions", "").raw; strings.Count(list, `"manifest":`) != 3 {
		t.Errorf("with the switch, lists have manifests: %s", list)
	}
}

func TestCreateWithManifest(t *testing.T) {
	s := fixture(t)
	a := must(t, s, "POST", "policy-sets", `{"name":"bundle","manifest":{"activate":true,"entries":[
		{"policy_id":"pol_old_1"},
		{"policy_id":"pol_default-app-delegation_1"},
		{"policy_id":"pol_kept_1","policy_version_id":"pv_kept_1_1"},
		{"policy_id":"pol_bare_1","cedar_raw":"forbid (principal, action, resource) when { context.on_behalf };"},
		{"new_policy":{"name":"fresh","description":"New."},"cedar_raw":"permit (principal, action == Keycard::Action::\"Fly\", resource);"}
	]}}`)
	var actions []string
	for _, c := range a.body["changes"].([]any) {
		c := c.(map[string]any)
		actions = append(actions, fmt.Sprintf("%v %v %v", c["action"], c["name"], c["policy_version_id"]))
	}
	want := `created_version old pv_old_1_2
reused default-app-delegation pv_default-app-delegation_1_1
reused kept pv_kept_1_1
created_version bare pv_bare_1_1
created_policy fresh pv_fresh_1_1`
	if got := strings.Join(actions, "\n"); got != want {
		t.Errorf("changes: got\n%s\nwant\n%s", got, want)
	}
	for path, want := range map[string]string{
		"active": "true", "mode": "active", "target_id": LocalZoneID, "scope_target_id": LocalZoneID, "target_type": "zone",
		"active_version": "1", "active_version_id": "psv_bundle_1_1", "latest_version_id": "psv_bundle_1_1",
		"policy_set_version.id": "psv_bundle_1_1", "policy_set_version.active": "true",
		"policy_set_version.schema_version": defaultSchema, // the zone's, where none is given
		"binding.mode":                      "active", "binding.policy_set_version_id": "psv_bundle_1_1",
		"binding.target_id": LocalZoneID,
	} {
		if got := a.text(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if w := fmt.Sprint(a.body["warnings"]); !strings.Contains(w, "unknown_actions") || !strings.Contains(w, "Fly") {
		t.Errorf("warnings: got %s, want the unknown action", w)
	}
	if got := must(t, s, "GET", "policy-sets/ps_active_1", "").text("active"); got != "false" {
		t.Errorf("the set that was active: got active %s", got)
	}

	// The same content again makes nothing new, and other content a version.
	a = must(t, s, "POST", "policy-sets", `{"name":"second","manifest":{"entries":[
		{"policy_id":"pol_bare_1","cedar_raw":"forbid(principal,action,resource)when{context.on_behalf};"},
		{"policy_id":"pol_kept_1","cedar_raw":"permit (principal is Keycard::User, action, resource);"}]}}`)
	if got := a.text("active"); got != "false" || a.text("binding") != "" {
		t.Errorf("not asked to activate: got %s", a.raw)
	}
	if got := fmt.Sprint(a.body["changes"]); !strings.Contains(got, "reused") || !strings.Contains(got, "pv_kept_1_3") {
		t.Errorf("changes: got %s", got)
	}
}

func TestManifestRefusals(t *testing.T) {
	s := fixture(t)
	const text = `"cedar_raw":"permit (principal, action, resource);"`
	for _, test := range []struct {
		name, manifest string
		status         int
		code           string
	}{
		{"no entries", `{"entries":[]}`, 400, "bad_request"},
		{"no list of entries", `{}`, 400, "bad_request"},
		{"an unknown option", `{"entries":[{"policy_id":"pol_kept_1"}],"dry_run":true}`, 400, "bad_request"},
		{"an entry that is nothing", `{"entries":[{}]}`, 400, "bad_request"},
		{"an unknown schema", `{"schema_version":"x","entries":[{"policy_id":"pol_kept_1"}]}`, 400, "schema_version_unsupported"},
		{"an unknown policy", `{"entries":[{"policy_id":"pol_none"}]}`, 400, "policy_not_found"},
		{"an archived policy", `{"entries":[{"policy_id":"pol_gone_1"}]}`, 400, "policy_archived"},
		{"a policy without a version", `{"entries":[{"policy_id":"pol_bare_1"}]}`, 400, "policy_version_not_found"},
		{"an unknown version", `{"entries":[{"policy_id":"pol_kept_1","policy_version_id":"pv_none"}]}`, 400, "policy_version_not_found"},
		{"a version of another schema", `{"entries":[{"policy_id":"pol_old_1","policy_version_id":"pv_old_1_1"}]}`, 400, "schema_version_mismatch"},
		{"a platform policy of another schema", `{"schema_version":"2026-03-16","entries":[{"policy_id":"pol_default-app-delegation_1"}]}`, 400, "schema_version_mismatch"},
		{"a version with content", `{"entries":[{"policy_id":"pol_kept_1","policy_version_id":"pv_kept_1_1",` + text + `}]}`, 400, "bad_request"},
		{"content for a platform policy", `{"entries":[{"policy_id":"pol_default-user-grants_1",` + text + `}]}`, 403, "forbidden"},
		{"a policy twice", `{"entries":[{"policy_id":"pol_kept_1"},{"policy_id":"pol_kept_1"}]}`, 400, "manifest_duplicate_policy"},
		{"a new policy twice", `{"entries":[{"new_policy":{"name":"n"},` + text + `},{"new_policy":{"name":"n"},` + text + `}]}`, 409, "policy_name_conflict"},
		{"a new policy with a name that is taken", `{"entries":[{"new_policy":{"name":"kept"},` + text + `}]}`, 409, "policy_name_conflict"},
		{"a new policy without content", `{"entries":[{"new_policy":{"name":"n"}}]}`, 400, "missing_cedar_content"},
		{"a new policy with empty content", `{"entries":[{"new_policy":{"name":"n"},"cedar_raw":""}]}`, 400, "missing_cedar_content"},
		{"a new policy with an id", `{"entries":[{"policy_id":"pol_kept_1","new_policy":{"name":"n"},` + text + `}]}`, 400, "bad_request"},
		{"Cedar that doesn't parse", `{"entries":[{"new_policy":{"name":"n"},"cedar_raw":"permit"}]}`, 400, "invalid_cedar"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := do(t, s, "POST", "policy-sets", `{"name":"m","manifest":`+test.manifest+`}`)
			if a.status != test.status || a.text("code") != test.code {
				t.Errorf("got %d %s, want %d %s", a.status, a.raw, test.status, test.code)
			}
		})
	}
	a := do(t, s, "POST", "policy-sets", `{"name":"m","target_type":"user","manifest":{"activate":true,"entries":[{"policy_id":"pol_kept_1"}]}}`)
	if a.text("code") != "activate_requires_zone_target" {
		t.Errorf("activating a user's set: got %s", a.raw)
	}
	if list := must(t, s, "GET", "policy-sets?query=m&query[name]=m&filter[target_type]=user", ""); strings.Contains(list.raw, `"name":"m"`) {
		t.Errorf("a refused create left its set: %s", list.raw)
	}
}

// TestPoliciesOfUsersAreHidden: a policy made for a user's set is no policy of
// the zone's lists.
func TestPoliciesOfUsersAreHidden(t *testing.T) {
	s := open(t)
	must(t, s, "POST", "policy-sets", `{"name":"mine","target_type":"user","manifest":{"entries":[
		{"new_policy":{"name":"private"},"cedar_raw":"permit (principal, action, resource);"}]}}`)
	if got := must(t, s, "GET", "policies?limit=100", "").raw; strings.Contains(got, "private") {
		t.Errorf("listed by default: %s", got)
	}
	for _, query := range []string{"filter[target_type]=user", "filter[id]=pol_private_1"} {
		if got := must(t, s, "GET", "policies?"+query, "").items("name"); fmt.Sprint(got) != "[private]" {
			t.Errorf("%s: got %v", query, got)
		}
	}
}

func TestContent(t *testing.T) {
	s := fixture(t)
	sent := "permit(principal,action,resource)\n  // who\nwhen{context.on_behalf&&!context.on_behalf};"
	v := must(t, s, "POST", "policies/pol_bare_1/versions", raw(sent))
	if v.text("cedar_raw") == sent || strings.Contains(v.text("cedar_raw"), "who") {
		t.Errorf("the text isn't normalized: %q", v.text("cedar_raw"))
	}
	doc, err := json.Marshal(v.body["cedar_json"])
	if err != nil {
		t.Fatal(err)
	}
	if got, want := contentSHA(doc), v.text("sha"); got != want {
		t.Errorf("sha of the answer's cedar_json: got %s, want %s", got, want)
	}
	fromJSON := must(t, s, "POST", "policies/pol_bare_1/versions", `{"schema_version":"`+defaultSchema+`","cedar_json":`+string(doc)+`}`)
	for _, field := range []string{"sha", "cedar_raw"} {
		if got, want := fromJSON.text(field), v.text(field); got != want {
			t.Errorf("%s of the same content as JSON: got %s, want %s", field, got, want)
		}
	}
	path := "policies/pol_bare_1/versions/pv_bare_1_1"
	for format, want := range map[string][2]bool{"": {true, true}, "?format=cedar": {true, false}, "?format=json": {false, true}} {
		a := must(t, s, "GET", path+format, "")
		if got := [2]bool{a.body["cedar_raw"] != nil, a.body["cedar_json"] != nil}; got != want {
			t.Errorf("format %q: got text and JSON %v, want %v", format, got, want)
		}
		list := must(t, s, "GET", "policies/pol_bare_1/versions"+format, "").body["items"].([]any)[0].(map[string]any)
		if got := [2]bool{list["cedar_raw"] != nil, list["cedar_json"] != nil}; got != want {
			t.Errorf("format %q in a list: got text and JSON %v, want %v", format, got, want)
		}
	}
	two := must(t, s, "POST", "policies/pol_bare_1/versions", raw(permitAll+"\n"+`forbid (principal, action, resource);`))
	if n := len(two.body["cedar_json"].(map[string]any)["staticPolicies"].(map[string]any)); n != 2 {
		t.Errorf("statements: got %d, want 2: %s", n, two.raw)
	}
	big := must(t, s, "POST", "policies/pol_bare_1/versions", raw(`permit (principal, action, resource) when { 9223372036854775806 < 9223372036854775807 };`))
	other := must(t, s, "POST", "policies/pol_bare_1/versions", raw(`permit (principal, action, resource) when { 9223372036854775805 < 9223372036854775807 };`))
	if big.text("sha") == other.text("sha") {
		t.Errorf("numbers beyond 2^53 have one sha: %s", big.text("sha"))
	}
}

func TestSchemas(t *testing.T) {
	s := open(t)
	for _, test := range []struct{ version, status string }{
		{"2026-02-24", schemaArchived}, {"2026-03-16", schemaDeprecated}, {"2026-06-18", schemaActive},
	} {
		a := must(t, s, "GET", "policy-schemas/"+test.version, "")
		if a.text("status") != test.status || a.body["cedar_schema_json"] == nil || a.body["cedar_schema"] != nil {
			t.Errorf("%s: got %s", test.version, a.raw)
		}
		if (a.text("archived_at") != "") != (test.status == schemaArchived) {
			t.Errorf("%s: archived_at is %q", test.version, a.text("archived_at"))
		}
		a = must(t, s, "GET", "policy-schemas/"+test.version+"?format=cedar", "")
		if !strings.Contains(a.text("cedar_schema"), "namespace Keycard") || a.body["cedar_schema_json"] != nil {
			t.Errorf("%s as Cedar: got %s", test.version, a.raw)
		}
	}
	a := must(t, s, "PATCH", "policy-schemas/2026-03-16", "{}")
	if a.text("is_default") != "true" {
		t.Errorf("made the default: got %s", a.raw)
	}
	if got := must(t, s, "GET", "policy-schemas?filter[default]=true", "").items("version"); fmt.Sprint(got) != "[2026-03-16]" {
		t.Errorf("default: got %v", got)
	}
}

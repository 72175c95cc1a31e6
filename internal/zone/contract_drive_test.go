package zone

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// populated is a zone in which every list has several rows, and whose documented
// path examples exist.
func (c *contract) populated(t *testing.T, change ...func(*Options)) *Server {
	t.Helper()
	s := open(t, append(change, func(o *Options) { o.Zones = []string{LocalZoneID, "zone_other"} })...)
	for _, id := range []string{"createPolicy", "createPolicyVersion", "createPolicyVersion", "createPolicySet"} {
		c.must(t, s, c.example(t, id))
	}
	for range 2 {
		c.must(t, s, request{op: "createPolicySetVersion", body: manifestOf(
			"pol_default-user-grants_1", "pv_default-user-grants_1_3", "pol_finance-read_1", "pv_finance-read_1_1")})
	}
	return s
}

// driveContent makes everything that a body can ask for.
func (c *contract) driveContent(t *testing.T) {
	s := c.populated(t)
	tag := c.must(t, s, request{op: "getPolicy"}).header.Get("ETag")
	c.refuse(t, s, 412, request{op: "updatePolicy", body: `{"name":"renamed"}`, header: header("If-Match", `"r0"`)})
	c.must(t, s, request{op: "updatePolicy", body: `{"name":"renamed","description":null}`, header: header("If-Match", tag)})
	c.refuse(t, s, 409, request{op: "updatePolicy", body: `{"name":"default-user-grants"}`})
	c.refuse(t, s, 409, request{op: "createPolicy", body: `{"name":"renamed"}`})

	version := c.must(t, s, request{op: "getPolicyVersion"})
	c.must(t, s, request{op: "createPolicyVersion", body: fmt.Sprintf(`{"schema_version":"2026-06-18","cedar_json":%s}`, jsonOf(t, version.body["cedar_json"]))})
	c.refuse(t, s, 400, request{op: "createPolicyVersion", body: `{"schema_version":"2026-02-24","cedar_raw":"permit (principal, action, resource);"}`})
	c.must(t, s, request{op: "createPolicySetVersion", body: `{"schema_version":"2026-06-18","manifest":{"entries":[
		{"policy_id":"pol_finance-read_1","policy_version_id":"pv_finance-read_1_1","sha":"` + version.text("sha") + `"}]}}`})

	tag = c.must(t, s, request{op: "getPolicySet"}).header.Get("ETag")
	c.refuse(t, s, 412, request{op: "updatePolicySet", body: `{"name":"tools"}`, header: header("If-Match", `"r0"`)})
	c.must(t, s, request{op: "updatePolicySet", body: `{"name":"tools"}`, header: header("If-Match", tag)})
	c.refuse(t, s, 409, request{op: "updatePolicySet", body: `{"name":"default-zone-policies"}`})
	c.refuse(t, s, 409, request{op: "createPolicySet", body: `{"name":"tools"}`})
	c.must(t, s, request{op: "createPolicySet", body: `{"name":"of-users","target_type":"user"}`})
	c.must(t, s, request{op: "createPolicySet", body: `{"name":"of-the-zone","scope_type":"zone","target_type":"zone"}`})
	c.must(t, s, request{op: "listPolicySets", query: url.Values{"filter[target_type]": {"user"}}})

	c.refuse(t, s, 412, request{op: "archivePolicySet", header: header("If-Match", `"r0"`)})
	active := request{op: "activatePolicySetVersion", body: `{"active":true}`}
	c.must(t, s, active)
	c.refuse(t, s, 400, request{op: "activatePolicySetVersion", body: `{"active":false}`})
	c.must(t, s, request{op: "getPolicySet", query: url.Values{"expand[]": {"user"}}})
	c.refuse(t, s, 409, request{op: "archivePolicySet"})
	c.refuse(t, s, 400, request{op: "archivePolicySetVersion"})
	c.refuse(t, s, 400, request{op: "archivePolicyVersion"})
	c.must(t, s, request{op: "createPolicySet", body: `{"name":"at-once","manifest":{"schema_version":"2026-06-18","activate":true,"entries":[
		{"policy_id":"pol_default-user-grants_1"},
		{"policy_id":"pol_default-app-delegation_1","policy_version_id":"pv_default-app-delegation_1_1"},
		{"policy_id":"pol_finance-read_1","cedar_raw":"forbid (principal, action == Keycard::Action::\"Unheard\", resource);"},
		{"new_policy":{"name":"from-json","description":"Made with the set."},"cedar_json":` + jsonOf(t, version.body["cedar_json"]) + `}]}}`})
	tag = c.must(t, s, request{op: "getPolicySet"}).header.Get("ETag")
	c.must(t, s, request{op: "archivePolicySet", header: header("If-Match", tag)})
	c.must(t, s, request{op: "archivePolicySetVersion"})
	c.must(t, s, request{op: "archivePolicyVersion"})
	c.must(t, s, request{op: "archivePolicy"})
	for _, op := range []string{"getPolicy", "getPolicyVersion", "getPolicySet", "getPolicySetVersion"} {
		c.must(t, s, request{op: op, query: url.Values{"expand[]": {"user"}}})
	}
	c.must(t, s, c.example(t, "makePolicySchemaDefault"))
}

// driveOptions makes the answers that depend on how the server was started.
func (c *contract) driveOptions(t *testing.T) {
	s := c.populated(t, withShape(AttestEnvelope))
	c.must(t, s, request{op: "getPolicySetVersion"})
	c.must(t, s, request{op: "getKeySet"})
	s = c.populated(t, func(o *Options) { o.ManifestsInLists = true })
	c.must(t, s, request{op: "listPolicySetVersions"})
	c.must(t, s, request{op: "rotateKeys"})
	c.must(t, s, request{op: "getPolicySetVersion"})
	s = c.populated(t, withShape(AttestNone))
	c.must(t, s, request{op: "getPolicySetVersion"})

	s = open(t, func(o *Options) { o.ClientID, o.ClientSecret = "sa-example", "not-a-real-secret" })
	token := c.example(t, "issueToken")
	c.must(t, s, token)
	token.header = header("Authorization", "Basic c2EtZXhhbXBsZTpub3QtYS1yZWFsLXNlY3JldA==")
	c.refuse(t, s, 400, token)
	token.body = "grant_type=client_credentials"
	c.must(t, s, token)
	token.body = "grant_type=password"
	c.refuse(t, s, 400, token)
	token.header = header("Authorization", "Basic eDp5")
	token.body = "grant_type=client_credentials"
	c.refuse(t, s, 401, token)
	s = open(t, func(o *Options) {
		o.ClientID, o.ClientSecret, o.TokenLifetime = "sa-example", "not-a-real-secret", -time.Second
	})
	c.must(t, s, c.example(t, "issueToken"))
}

// driveParameters uses every query parameter with every documented value, and
// shows that it does something; no other parameter may.
func (c *contract) driveParameters(t *testing.T) {
	s := c.populated(t)
	names := c.namesInSource(t)
	for _, id := range c.order {
		op := c.ops[id]
		if op.method != http.MethodGet {
			continue
		}
		plain := c.must(t, s, request{op: id})
		for name, at := range op.params {
			name, ok := strings.CutPrefix(name, "query ")
			if !ok {
				continue
			}
			for _, values := range c.valuesOf(t, s, op, name, at) {
				c.must(t, s, request{op: id, query: url.Values{name: values}})
			}
			bogus := c.call(t, s, request{op: id, query: url.Values{name: {"bogus!"}}, hidden: true})
			if bogus.raw == plain.raw || strings.Contains(bogus.raw, "unknown filter") {
				t.Errorf("%s: the documented parameter %s does nothing", id, name)
			}
		}
		others := url.Values{}
		for _, name := range names {
			switch {
			case op.params["query "+name] != "":
			case strings.HasPrefix(name, "filter["): // refused, not ignored
				a := c.call(t, s, request{op: id, query: url.Values{name: {"bogus!"}}, hidden: true})
				if a.raw != plain.raw && (a.status != 400 || !strings.Contains(a.raw, "filter")) {
					t.Errorf("%s: parameter %s does something and isn't documented: %s", id, name, clip(a.raw))
				}
			default:
				others.Set(name, "bogus!")
			}
		}
		if a := c.call(t, s, request{op: id, query: others, hidden: true}); a.raw != plain.raw {
			t.Errorf("%s: one of %q does something and isn't documented: %s", id, sortedKeys(others), clip(a.raw))
		}
	}
}

// namesInSource are all texts in the package that could be a parameter's name.
func (c *contract) namesInSource(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	literal := regexp.MustCompile(`"([a-z_]{2,20}(?:\[[a-z_]*\])*)"`)
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literal.FindAllStringSubmatch(string(source), -1) {
			names = append(names, m[1])
		}
	}
	for _, field := range []string{"name", "description"} { // put together in the source
		names = append(names, "query["+field+"]", "query["+field+"][]")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// valuesOf are the values to try a parameter with: all of a closed list, a real
// cursor, or the documented example.
func (c *contract) valuesOf(t *testing.T, s *Server, op *operation, name, at string) [][]string {
	t.Helper()
	var all [][]string
	for _, value := range c.choices(at + "/schema") {
		all = append(all, []string{fmt.Sprint(value)})
	}
	if all != nil {
		return all
	}
	first := func() answer { return c.must(t, s, request{op: op.id, query: url.Values{"limit": {"1"}}}) }
	switch name {
	case "cursor":
		return [][]string{{first().text("page_info.end_cursor")}}
	case "after", "before":
		cursor := first().text("pagination.after_cursor")
		if name == "before" {
			cursor = c.must(t, s, request{op: op.id, query: url.Values{"after": {cursor}}}).text("pagination.before_cursor")
		}
		return [][]string{{cursor}}
	}
	switch example := c.look(at + "/example").(type) {
	case []any:
		return [][]string{{fmt.Sprint(example[0])}, {fmt.Sprint(example[0]), "another"}}
	default:
		return [][]string{{fmt.Sprint(example)}}
	}
}

// driveFailures makes every operation fail in every documented way that is the
// same for all, and shows which headers and properties the zone knows.
func (c *contract) driveFailures(t *testing.T) {
	closed := open(t, func(o *Options) { o.NoAuth, o.Tokens = false, []string{"right"} })
	path := filepath.Join(t.TempDir(), "zone.db")
	open(t, inFile(path)).Close()
	frozen := open(t, inFile(path), func(o *Options) { o.ReadOnly = true })
	faulty := open(t, withFaults(t, "* /…:503=1500ms+retry@0.5", "* /…:599+no-retry"))
	large := `{"name":"` + strings.Repeat("x", maxBodyBytes) + `"}`
	for _, id := range c.order {
		op := c.ops[id]
		documented := func(status string) bool { return c.look(join(op.at+"/responses", status)) != nil }
		example := c.example(t, id)
		token := id == "issueToken"
		if documented("400") && !token {
			c.refuse(t, c.populated(t), 400, request{op: id, body: example.body, raw: "%zz"})
		}
		if documented("401") && !token {
			c.refuse(t, closed, 401, example)
			example.header = header("Authorization", "Bearer right")
			if a := c.call(t, closed, example); a.status == 401 {
				t.Errorf("%s: the right bearer: got 401", id)
			}
			example.header = nil
		}
		if op.method != http.MethodGet && !token {
			c.refuse(t, frozen, 403, example)
		}
		if documented("404") {
			c.refuse(t, closed, 404, request{op: id, path: map[string]string{"zone_id": "zone_unknown"}, body: example.body, header: header("Authorization", "Bearer right")})
		}
		if content, _ := c.look(op.at + "/requestBody/content").(map[string]any); content != nil && !token {
			c.refuse(t, c.populated(t), 413, request{op: id, body: large})
		}
		for range 8 { // the first rule fires by chance, always the same
			if a := c.call(t, faulty, example); a.status != 503 && a.status != 599 {
				t.Errorf("%s: got %d, want a fault", id, a.status)
			}
		}
		if op.method == http.MethodPatch || op.method == http.MethodDelete {
			s := c.populated(t)
			example.header, example.hidden = header("If-Match", `"r0"`), true
			if a := c.call(t, s, example); (a.status == 412) != (op.params["header If-Match"] != "") {
				t.Errorf("%s: If-Match that fails: got %d, and it is documented: %v", id, a.status, op.params["header If-Match"] != "")
			}
		}
	}
	c.driveUnknownProperties(t)
}

// driveUnknownProperties compares the properties that the zone says it knows
// with the documented ones.
func (c *contract) driveUnknownProperties(t *testing.T) {
	s := c.populated(t)
	known := regexp.MustCompile(`has an unknown property \\"zzz\\" \(known: ([^)]*)\)`)
	const newSet, newVersion = "#/components/schemas/NewPolicySet", "#/components/schemas/NewPolicySetVersion"
	tried := 0
	try := func(op, at, body string) {
		tried++
		a := c.call(t, s, request{op: op, body: body, hidden: true})
		m := known.FindStringSubmatch(a.raw)
		properties, _ := c.look(at + "/properties").(map[string]any)
		if m == nil {
			t.Errorf("%s %s: got %s, want the unknown property named", op, body, a.raw)
			return
		}
		got := strings.Split(m[1], ", ")
		slices.Sort(got)
		if want := sortedKeys(properties); !slices.Equal(got, want) {
			t.Errorf("%s: the zone takes %q, and documented is %q", op, got, want)
		}
	}
	for _, id := range c.order {
		at := c.resolve(join(c.ops[id].at+"/requestBody/content", "application/json") + "/schema")
		if node, _ := c.look(at).(map[string]any); node["additionalProperties"] == false {
			try(id, at, `{"zzz":1}`)
		}
	}
	try("createPolicySet", "#/components/schemas/NewManifest", `{"name":"x","manifest":{"zzz":1}}`)
	try("createPolicySet", "#/components/schemas/NewManifestEntry", `{"name":"x","manifest":{"entries":[{"zzz":1}]}}`)
	try("createPolicySet", "#/components/schemas/NewPolicy", `{"name":"x","manifest":{"entries":[{"new_policy":{"zzz":1}}]}}`)
	try("createPolicySetVersion", newVersion+"/properties/manifest", `{"schema_version":"2026-06-18","manifest":{"zzz":1}}`)
	try("createPolicySetVersion", newVersion+"/properties/manifest/properties/entries/items", `{"schema_version":"2026-06-18","manifest":{"entries":[{"zzz":1}]}}`)
	if tried != 12 {
		t.Errorf("%d bodies have closed lists of properties; this test knows 12 of them", tried)
	}
	c.driveHeadersInSource(t)
}

// driveHeadersInSource: the package reads no request header but the documented ones.
func (c *contract) driveHeadersInSource(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	read := regexp.MustCompile(`r\.Header\.\w+\("([^"]+)"`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range read.FindAllStringSubmatch(string(source), -1) {
			if m[1] != "Authorization" && m[1] != "If-Match" {
				t.Errorf("%s reads the header %s, which the contract doesn't have", file, m[1])
			}
		}
	}
}

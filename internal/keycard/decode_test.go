package keycard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

func reply200(body string) *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// answering is a client of a service that always says the same.
func answering(t testing.TB, body string) *Client {
	t.Helper()
	c, err := New(Config{
		Transport: roundTrip(func(*http.Request) (*http.Response, error) { return reply200(body), nil }), MaxRetries: -1,
	}, "z1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The three generations of the API describe the same objects in their own ways.
func TestGenerations(t *testing.T) {
	ctx := context.Background()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	yes, no := true, false
	set := func(c *Client) (any, error) { return c.PolicySet(ctx, "s1") }
	version := func(c *Client) (any, error) { return c.SetVersion(ctx, "s1", "sv1") }
	policyVersion := func(c *Client) (any, error) { return c.PolicyVersion(ctx, "p1", "v1", "") }
	tests := []struct {
		name string
		do   func(*Client) (any, error)
		body string
		want any
	}{
		{"a set of the first: scope_type, no owner", set,
			`{"id":"s1","zone_id":"z1","name":"n","scope_type":"zone","scope_target_id":"z1","created_at":"2026-03-01T00:00:00Z","created_by":"u","latest_version":null,"latest_version_id":null,"active_version":null}`,
			&PolicySet{ID: "s1", Name: "n", TargetType: "zone", CreatedAt: at, CreatedBy: "u"}},
		{"a set of the second: scope_type", set,
			`{"id":"s1","zone_id":"z1","name":"n","owner_type":"customer","scope_type":"resource","active":true,"mode":"active","active_version":2,"active_version_id":"sv2","shadow_version_id":"sv3"}`,
			&PolicySet{ID: "s1", Name: "n", OwnerType: "customer", TargetType: "resource", ActiveVersion: 2, ActiveVersionID: "sv2", ShadowVersionID: "sv3"}},
		{"a set of the third: both", set,
			`{"id":"s1","zone_id":"z1","name":"n","owner_type":"platform","scope_type":"zone","target_type":"user","target_id":"u","archived_at":"2026-03-01T00:00:00Z","something":"new"}`,
			&PolicySet{ID: "s1", Name: "n", OwnerType: "platform", TargetType: "user", ArchivedAt: &at}},
		{"a set version of the first: an envelope, active is unknown", version,
			`{"id":"sv1","policy_set_id":"s1","version":1,"schema_version":"x","manifest":{"entries":[{"policy_id":"p","policy_version_id":"v","sha":"h"}]},"manifest_sha":"m","attestation":{"payload":"e30","protected":"e30","signature":"x"}}`,
			&PolicySetVersion{ID: "sv1", PolicySetID: "s1", Version: 1, SchemaVersion: "x", ManifestSHA: "m",
				Entries: []ManifestEntry{{"p", "v", "h"}}, Attestation: []byte(`{"payload":"e30","protected":"e30","signature":"x"}`)}},
		{"a set version with entries one level higher", version,
			`{"id":"sv1","policy_set_id":"s1","version":1,"schema_version":"x","entries":[{"policy_id":"p","policy_version_id":"v"}],"manifest_sha":"m","active":false,"attestation":null}`,
			&PolicySetVersion{ID: "sv1", PolicySetID: "s1", Version: 1, SchemaVersion: "x", ManifestSHA: "m", Active: &no, Entries: []ManifestEntry{{PolicyID: "p", VersionID: "v"}}}},
		{"a set version without manifest", version,
			`{"id":"sv1","policy_set_id":"s1","version":1,"schema_version":"x","manifest_sha":"m","active":true,"owner_type":"customer"}`,
			&PolicySetVersion{ID: "sv1", PolicySetID: "s1", Version: 1, SchemaVersion: "x", ManifestSHA: "m", Active: &yes, OwnerType: "customer"}},
		{"a set version with a null manifest", version,
			`{"id":"sv1","policy_set_id":"s1","version":1,"schema_version":"x","manifest_sha":"m","manifest":null,"active":null}`,
			&PolicySetVersion{ID: "sv1", PolicySetID: "s1", Version: 1, SchemaVersion: "x", ManifestSHA: "m"}},
		{"a set version with an empty manifest", version,
			`{"id":"sv1","policy_set_id":"s1","version":1,"schema_version":"x","manifest_sha":"m","manifest":{"entries":[]}}`,
			&PolicySetVersion{ID: "sv1", PolicySetID: "s1", Version: 1, SchemaVersion: "x", ManifestSHA: "m", Entries: []ManifestEntry{}}},
		{"a policy version with text", policyVersion,
			`{"id":"v1","policy_id":"p1","zone_id":"z1","version":7,"schema_version":"x","sha":"sha256:AB","cedar_raw":"permit(principal, action, resource);","cedar_json":null}`,
			&PolicyVersion{ID: "v1", PolicyID: "p1", Version: 7, SchemaVersion: "x", SHA: "sha256:AB", CedarRaw: "permit(principal, action, resource);"}},
		{"a policy version with JSON, kept as it is", policyVersion,
			`{"id":"v1","policy_id":"p1","version":7,"schema_version":"x","sha":"ab","cedar_raw":null,"cedar_json":{"b": 1, "a":2}}`,
			&PolicyVersion{ID: "v1", PolicyID: "p1", Version: 7, SchemaVersion: "x", SHA: "ab", CedarJSON: []byte(`{"b": 1, "a":2}`)}},
		{"a policy with nulls", func(c *Client) (any, error) { return c.Policy(ctx, "p1") },
			`{"id":"p1","name":"n","description":null,"latest_version":null,"latest_version_id":null,"latest_schema_version":null,"updated_by":null,"archived_at":null}`,
			&Policy{ID: "p1", Name: "n"}},
		{"a schema", func(c *Client) (any, error) { return c.Schema(ctx, "2026-03-16", "json") },
			`{"version":"2026-03-16","status":"deprecated","is_default":true,"deprecated_at":"2026-03-01T00:00:00Z","cedar_schema":null,"cedar_schema_json":{"Keycard":{}}}`,
			&SchemaVersion{Version: "2026-03-16", Status: "deprecated", IsDefault: true, DeprecatedAt: &at, CedarSchemaJSON: []byte(`{"Keycard":{}}`)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.do(answering(t, tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestAnswersOfTheWrongShape(t *testing.T) {
	ctx := context.Background()
	policy := func(c *Client) error { _, err := c.Policy(ctx, "p1"); return err }
	version := func(c *Client) error { _, err := c.PolicyVersion(ctx, "p1", "v1", ""); return err }
	setVersion := func(c *Client) error { _, err := c.SetVersion(ctx, "s1", "sv1"); return err }
	tests := []struct {
		name string
		do   func(*Client) error
		body string
		want string
	}{
		{"an empty body", policy, ``, "cut off after 0 bytes"},
		{"null", policy, `null`, "id is missing"},
		{"an array", policy, `[]`, "cannot unmarshal array"},
		{"no id", policy, `{"name":"n"}`, "id is missing"},
		{"an empty id", policy, `{"id":"","name":"n"}`, "id is missing"},
		{"a number as id", policy, `{"id":7,"name":"n"}`, "cannot unmarshal number"},
		{"another policy", policy, `{"id":"p2","name":"n"}`, `id is "p2", not "p1"`},
		{"another zone", policy, `{"id":"p1","name":"n","zone_id":"z2"}`, `zone_id is "z2", not "z1"`},
		{"a wrong time", policy, `{"id":"p1","name":"n","created_at":"today"}`, "parsing time"},
		{"an error with 200", policy, `{"status":403,"code":"forbidden","message":"not\u0007yours"}`, `an error in place of the object: forbidden not\ayours`},
		{"HTML", policy, `<html>`, "invalid character"},
		{"something after it", policy, `{"id":"p1","name":"n"} x`, "invalid character"},
		{"deep nesting", version, `{"id":"v1","cedar_json":` + strings.Repeat("[", 100_000), "exceeded max depth"},
		{"no hash", version, `{"id":"v1","policy_id":"p1","version":1,"schema_version":"x"}`, "sha is missing"},
		{"version zero", version, `{"id":"v1","policy_id":"p1","version":0,"schema_version":"x","sha":"h"}`, "version is 0"},
		{"a broken number", version, `{"id":"v1","policy_id":"p1","version":1.5,"schema_version":"x","sha":"h"}`, "cannot unmarshal number 1.5"},
		{"a version beyond all integers", version, `{"id":"v1","policy_id":"p1","version":1e99,"schema_version":"x","sha":"h"}`, "cannot unmarshal number"},
		{"another policy's version", version, `{"id":"v1","policy_id":"p2","version":1,"schema_version":"x","sha":"h"}`, `policy_id is "p2"`},
		{"another set's version", setVersion, `{"id":"sv1","policy_set_id":"s2","version":1,"schema_version":"x","manifest_sha":"m"}`, `policy_set_id is "s2"`},
		{"no manifest hash", setVersion, `{"id":"sv1","policy_set_id":"s1","version":1,"schema_version":"x"}`, "manifest_sha is missing"},
		{"an entry without version", setVersion, `{"id":"sv1","policy_set_id":"s1","version":1,"schema_version":"x","manifest_sha":"m","manifest":{"entries":[{"policy_id":"p"}]}}`, "manifest entry 0: policy_version_id is missing"},
		{"a manifest that is a list", setVersion, `{"id":"sv1","policy_set_id":"s1","version":1,"schema_version":"x","manifest_sha":"m","manifest":[]}`, "cannot unmarshal array"},
		{"active as text", setVersion, `{"id":"sv1","policy_set_id":"s1","version":1,"schema_version":"x","manifest_sha":"m","active":"true"}`, "cannot unmarshal string"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.do(answering(t, tt.body))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "GET /zones/z1/") {
				t.Errorf("got %.300v, want %q", err, tt.want)
			}
			var e *Error
			if errors.As(err, &e) {
				t.Errorf("got an answer of the service, want an error about it: %v", err)
			}
		})
	}
}

func TestWritesAreRefusedBeforeTheyAreSent(t *testing.T) {
	ctx := context.Background()
	c := client(t, Config{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		t.Errorf("got a request: %s", r.URL)
		return nil, errors.New("no")
	})})
	entry := ManifestEntry{PolicyID: "p", VersionID: "v"}
	for name, do := range map[string]func() error{
		"a policy without name":  func() error { _, err := c.CreatePolicy(ctx, "", ""); return err },
		"a set without name":     func() error { _, err := c.CreatePolicySet(ctx, "", ""); return err },
		"a rename to nothing":    func() error { _, err := c.RenamePolicy(ctx, &Policy{ID: "p"}, ""); return err },
		"a set's rename to none": func() error { _, err := c.RenamePolicySet(ctx, &PolicySet{ID: "p"}, ""); return err },
		"empty Cedar":            func() error { _, err := c.CreatePolicyVersion(ctx, "p", "x", " \n"); return err },
		"an empty manifest":      func() error { _, err := c.CreateSetVersion(ctx, "s", "x", nil); return err },
		"a policy twice":         func() error { _, err := c.CreateSetVersion(ctx, "s", "x", []ManifestEntry{entry, entry}); return err },
		"an entry without id": func() error {
			_, err := c.CreateSetVersion(ctx, "s", "x", []ManifestEntry{{PolicyID: "p"}})
			return err
		},
		"a policy without id":     func() error { _, err := c.ArchivePolicy(ctx, ""); return err },
		"a version without id":    func() error { _, err := c.Activate(ctx, "s", ""); return err },
		"a set without id":        func() error { _, err := c.ArchiveSetVersion(ctx, "", "v"); return err },
		"a schema without number": func() error { _, err := c.SetDefaultSchema(ctx, ""); return err },
	} {
		if err := do(); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestBodies(t *testing.T) {
	ctx := context.Background()
	var method, path, body string
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		method, path, body = r.Method, r.URL.Path, ""
		if r.Body != nil {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			body = string(b)
		}
		return nil, errors.New("seen")
	})
	c := client(t, Config{Transport: transport, MaxRetries: -1})
	old := client(t, Config{Transport: transport, MaxRetries: -1, ScopeType: true})
	tests := []struct {
		do                 func() error
		method, path, body string
	}{
		{func() error { _, err := c.CreatePolicy(ctx, "n", ""); return err }, "POST", "/policies", `{"name":"n"}`},
		{func() error { _, err := c.CreatePolicy(ctx, "n", "d"); return err }, "POST", "/policies", `{"description":"d","name":"n"}`},
		{func() error { _, err := c.CreatePolicyVersion(ctx, "p", "x", "c"); return err }, "POST", "/policies/p/versions", `{"cedar_raw":"c","schema_version":"x"}`},
		{func() error { _, err := c.ArchivePolicyVersion(ctx, "p", "v"); return err }, "DELETE", "/policies/p/versions/v", ``},
		{func() error { _, err := c.CreatePolicySet(ctx, "n", "zone"); return err }, "POST", "/policy-sets", `{"name":"n"}`},
		{func() error { _, err := c.CreatePolicySet(ctx, "n", "user"); return err }, "POST", "/policy-sets", `{"name":"n","target_type":"user"}`},
		{func() error { _, err := old.CreatePolicySet(ctx, "n", "user"); return err }, "POST", "/policy-sets", `{"name":"n","scope_type":"user"}`},
		{func() error { _, err := old.CreatePolicySet(ctx, "n", ""); return err }, "POST", "/policy-sets", `{"name":"n"}`},
		{func() error {
			_, err := c.CreateSetVersion(ctx, "s", "x", []ManifestEntry{{"p", "v", "h"}})
			return err
		},
			"POST", "/policy-sets/s/versions", `{"manifest":{"entries":[{"policy_id":"p","policy_version_id":"v"}]},"schema_version":"x"}`},
		{func() error { _, err := c.Activate(ctx, "s", "v"); return err }, "PATCH", "/policy-sets/s/versions/v", `{"active":true}`},
		{func() error { _, err := c.ArchiveSetVersion(ctx, "s", "v"); return err }, "DELETE", "/policy-sets/s/versions/v", ``},
		{func() error { _, err := c.SetDefaultSchema(ctx, "x"); return err }, "PATCH", "/policy-schemas/x", `{}`},
	}
	for _, tt := range tests {
		if err := tt.do(); err == nil {
			t.Errorf("%s %s: got no error", tt.method, tt.path)
		}
		if method != tt.method || path != "/zones/z1"+tt.path || body != tt.body {
			t.Errorf("got %s %s %s\nwant %s %s %s", method, path, body, tt.method, tt.path, tt.body)
		}
	}
}

func TestNormalSHA(t *testing.T) {
	for in, want := range map[string]string{"": "", "AB": "ab", "sha256:AB": "ab", "SHA256:ab": "ab"} {
		if got := NormalSHA(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// FuzzAnswer gives any body, with any status, to every decoder. None may panic,
// an object without its id must not pass, and no text may steer a terminal.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `[`, `{"message":"m","details":[{"code":"c"}]}`, `{"error":{"message":"m"}}`, `{"error":"e","error_description":"d"}`,
		`{"id":"x","policy_id":"x","policy_set_id":"x","name":"n","version":1,"schema_version":"s","sha":"h","manifest_sha":"m","manifest":{"entries":[{"policy_id":"p","policy_version_id":"v"}]},"cedar_json":{}}`,
		`{"items":[{"id":"x","name":"n","zone_id":"z1"}],"pagination":{"after_cursor":"x","before_cursor":null,"total_count":1}}`,
		`{"version":"x","status":"active","cedar_schema_json":{}}`, `{"access_token":"a-new-token","expires_in":"1e9"}`, "\xff\x1b[2J\u202e",
	} {
		f.Add(200, []byte(seed))
		f.Add(400, []byte(seed))
	}
	ctx := context.Background()
	f.Fuzz(func(t *testing.T, code int, body []byte) {
		if code < 100 || code > 999 {
			code = 200
		}
		cfg := Config{
			Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				r := reply200(string(body))
				r.StatusCode = code
				return r, nil
			}),
			MaxRetries: -1, LookupFor: time.Nanosecond,
		}
		c, err := New(cfg, "z1")
		if err != nil {
			t.Fatal(err)
		}
		clean := func(err error) bool {
			if err != nil && visible(err.Error()) != err.Error() {
				t.Errorf("the error isn't clean: %q", err)
			}
			return err == nil
		}
		if p, err := c.Policy(ctx, "x"); clean(err) && (p.ID != "x" || p.Name == "") {
			t.Errorf("got %+v", p)
		}
		if v, err := c.PolicyVersion(ctx, "x", "x", ""); clean(err) && (v.ID != "x" || v.PolicyID != "x" || v.Version < 1) {
			t.Errorf("got %+v", v)
		}
		if s, err := c.PolicySet(ctx, "x"); clean(err) && s.ID != "x" {
			t.Errorf("got %+v", s)
		}
		if v, err := c.SetVersion(ctx, "x", "x"); clean(err) && (v.ID != "x" || v.PolicySetID != "x" || v.Version < 1) {
			t.Errorf("got %+v", v)
		}
		if s, err := c.Schema(ctx, "x", ""); clean(err) && s.Version != "x" {
			t.Errorf("got %+v", s)
		}
		if v, err := c.CreateSetVersion(ctx, "x", "s", []ManifestEntry{{PolicyID: "p", VersionID: "v"}}); clean(err) && v.ID == "" {
			t.Errorf("got %+v", v)
		}
		for p, err := range c.Policies(ctx, ListOptions{}) {
			if clean(err) && p.ID == "" {
				t.Errorf("got %+v", p)
			}
		}
		for v, err := range c.SetVersionPolicies(ctx, "x", "x", ListOptions{}) {
			if clean(err) && v.ID == "" {
				t.Errorf("got %+v", v)
			}
		}
		cfg.ClientID, cfg.ClientSecret = "id", "a-client-secret"
		if c, err = New(cfg, "z1"); err != nil {
			t.Fatal(err)
		}
		token, err := c.c.auth.token(ctx)
		if clean(err) && !isBearer(token) {
			t.Errorf("got token %q", token)
		}
	})
}

func Example_list() {
	c, err := New(Config{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return reply200(`{"items":[{"id":"pol_1","name":"finance-read"}],"pagination":{"after_cursor":null}}`), nil
	})}, "zone_prd")
	if err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range c.Policies(context.Background(), ListOptions{Query: "finance"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p.ID, p.Name)
	}
	// Output: pol_1 finance-read
}

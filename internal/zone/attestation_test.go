package zone

import (
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/policypin/policypin/internal/jcs"
	"github.com/policypin/policypin/internal/jws"
)

func withShape(shape string) func(*Options) {
	return func(o *Options) { o.Attestation = shape }
}

const platformVersion = "policy-sets/ps_default-zone-policies_1/versions/psv_default-zone-policies_1_1"

// keysOf reads a zone's keys as a verifier does: from where the zone says, and
// without a bearer.
func keysOf(t testing.TB, s *Server) *jws.KeySet {
	t.Helper()
	uri := must(t, s, "GET", "/zones/"+LocalZoneID, "").text("protocols.oauth2.jwks_uri")
	path, ok := strings.CutPrefix(uri, "http://local.test")
	if !ok {
		t.Fatalf("jwks_uri is %q", uri)
	}
	keys, err := jws.ParseKeySet([]byte(must(t, s, "GET", path, "").raw))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// signedBy verifies a version's envelope and decodes its statement.
func signedBy(t testing.TB, keys *jws.KeySet, version map[string]any) map[string]any {
	t.Helper()
	b, err := json.Marshal(version["attestation"])
	if err != nil {
		t.Fatal(err)
	}
	e, err := jws.Verify(b, keys)
	if err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if canonical, err := jcs.Canonicalize(e.Payload); err != nil || string(canonical) != string(e.Payload) {
		t.Errorf("the payload isn't canonical: %s, %v", e.Payload, err)
	}
	var statement map[string]any
	if err := json.Unmarshal(e.Payload, &statement); err != nil {
		t.Fatal(err)
	}
	return statement
}

func TestStatement(t *testing.T) {
	for range 2 { // the same in every run: pins record it
		v := must(t, open(t), "GET", platformVersion, "")
		want := map[string]any{
			"type": "policy_set_attestation", "v": 1.0, "status": "created", "zone_id": LocalZoneID,
			"policy_set_id": "ps_default-zone-policies_1", "policy_set_version": 1.0, "manifest_sha": v.body["manifest_sha"],
			"key_id": "local-zone-1", "attested_at": "2026-01-01T00:00:00Z", "attested_by": "local-zone",
		}
		if got := v.body["attestation"]; !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestNoAttestation(t *testing.T) {
	s := open(t, withShape(AttestNone))
	v := must(t, s, "GET", platformVersion, "")
	if got, there := v.body["attestation"]; there {
		t.Errorf("got %v, want none", got)
	}
	if _, err := Open(Options{Attestation: "scroll"}); err == nil || !strings.Contains(err.Error(), `"scroll"`) {
		t.Errorf("an unknown shape: got %v, want an error that quotes it", err)
	}
}

func TestEnvelope(t *testing.T) {
	s := open(t, withShape(AttestEnvelope))
	set := must(t, s, "POST", "policy-sets", `{"name":"agents","manifest":{"entries":[{"policy_id":"pol_default-user-grants_1"}]}}`)
	id := set.text("policy_set_version.id")
	path := "policy-sets/" + set.text("id") + "/versions"
	keys := keysOf(t, s)
	created := set.body["policy_set_version"].(map[string]any)
	read := must(t, s, "GET", path+"/"+id, "").body
	listed := must(t, s, "GET", path, "").body["items"].([]any)[0].(map[string]any)
	activated := must(t, s, "PATCH", path+"/"+id, `{"active":true}`).body
	for _, v := range []map[string]any{read, listed, activated} {
		if !reflect.DeepEqual(v["attestation"], created["attestation"]) {
			t.Errorf("got another attestation than at first: %v", v)
		}
	}
	want := map[string]any{
		"type": "policy_set_attestation", "v": 1.0, "status": "committed", "zone_id": LocalZoneID,
		"policy_set_id": set.text("id"), "policy_set_version": 1.0, "manifest_sha": read["manifest_sha"],
		"manifest": read["manifest"].(map[string]any)["entries"], "attested_at": "2026-01-01T00:00:00Z", "attested_by": "local-zone",
	}
	if got := signedBy(t, keys, created); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zone.db")
	s := open(t, inFile(path), withShape(AttestEnvelope), func(o *Options) { o.Zones = []string{LocalZoneID, "zone_other"} })
	old := must(t, s, "GET", platformVersion, "").body
	oldKeys := keysOf(t, s)
	rotated := must(t, s, "POST", "/_local/rotate-keys", "")
	if want := `{"zones":[{"id":"zone_local","key_id":"local-zone-2"},{"id":"zone_other","key_id":"local-zone-2"}]}`; strings.TrimSpace(rotated.raw) != want {
		t.Errorf("got %s, want %s", rotated.raw, want)
	}
	set := must(t, s, "POST", "policy-sets", `{"name":"new","manifest":{"entries":[{"policy_id":"pol_default-user-grants_1"}]}}`)

	now := must(t, s, "GET", platformVersion, "").body
	keys := keysOf(t, s)
	before, after := signedBy(t, oldKeys, old), signedBy(t, keys, now)
	if before["status"] != "committed" || after["status"] != "re_signed" {
		t.Errorf("status: got %v and %v, want committed and re_signed", before["status"], after["status"])
	}
	for _, name := range []string{"manifest_sha", "manifest", "policy_set_id", "policy_set_version"} {
		if !reflect.DeepEqual(before[name], after[name]) {
			t.Errorf("%s: got %v, want it as before: %v", name, after[name], before[name])
		}
	}
	if got := signedBy(t, keys, set.body["policy_set_version"].(map[string]any))["status"]; got != "committed" {
		t.Errorf("a version made after the rotation: got %v, want committed", got)
	}
	b, _ := json.Marshal(old["attestation"])
	if _, err := jws.Verify(b, keys); !errors.Is(err, jws.ErrUnknownKey) {
		t.Errorf("the old attestation: got %v, want ErrUnknownKey", err)
	}

	// Everything is as it was after a restart, whatever the shape.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, inFile(path), withShape(AttestEnvelope), func(o *Options) { o.ReadOnly = true })
	if again := must(t, s, "GET", platformVersion, "").body; !reflect.DeepEqual(again["attestation"], now["attestation"]) {
		t.Errorf("a restart signs otherwise: %v", again)
	}
	if a := do(t, s, "POST", "/_local/rotate-keys", ""); a.status != http.StatusForbidden {
		t.Errorf("rotating a read-only store: got %d, want 403", a.status)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	a := must(t, open(t, inFile(path)), "GET", platformVersion, "")
	if a.text("attestation.status") != "re_signed" || a.text("attestation.key_id") != "local-zone-2" {
		t.Errorf("the statement: got %s, want re_signed by local-zone-2", a.raw)
	}
}

// A key is made once, and not at all where nobody asks for it.
func TestKeysAreMadeWhenNeeded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zone.db")
	ids := map[string]string{}
	for round := range 2 {
		s := open(t, inFile(path))
		must(t, s, "GET", platformVersion, "")
		if round == 0 && len(s.signing.keys) != 0 {
			t.Error("a key was made for a statement without a signature")
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { keysOf(t, s) })
		}
		wg.Wait()
		ids[must(t, s, "GET", "openidconnect/jwks", "").raw] = "seen"
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// A read-only store that isn't there has keys too, in memory.
	missing := open(t, inFile(path+".missing"), func(o *Options) { o.ReadOnly = true })
	if len(keysOf(t, missing).IDs()) != 1 || len(ids) != 1 {
		t.Errorf("got %d keys over two runs and %q without a store, want one each", len(ids), keysOf(t, missing).IDs())
	}
}

// Rotating while others read: nobody sees a statement of one key signed by another.
func TestRotationUnderWay(t *testing.T) {
	s := open(t, withShape(AttestEnvelope))
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 20 {
				a, err := try(s, "GET", platformVersion, "")
				if err != nil || a.status != 200 {
					t.Errorf("got %d, %v", a.status, err)
					return
				}
				b, _ := json.Marshal(a.body["attestation"])
				e, err := jws.Parse(b)
				if err != nil {
					t.Error(err)
					return
				}
				first := e.KeyID == "local-zone-1"
				if first != strings.Contains(string(e.Payload), "committed") {
					t.Errorf("key %s signs %s", e.KeyID, e.Payload)
				}
			}
		})
	}
	wg.Go(func() { must(t, s, "POST", "/_local/rotate-keys", "") })
	wg.Wait()
}

// Who may do what with keys: anyone reads them, and only the bearer that the
// server was started with rotates them.
func TestKeyPermissions(t *testing.T) {
	s := open(t, func(o *Options) {
		o.NoAuth, o.Tokens, o.ClientID, o.ClientSecret = false, []string{"operator"}, "id", "secret"
	})
	token := must(t, s, "POST", "/service-account-token", "grant_type=client_credentials&client_id=id&client_secret=secret").text("access_token")
	for _, test := range []struct {
		method, path, bearer string
		want                 int
	}{
		{"GET", "openidconnect/jwks", "", 200},
		{"GET", "/zones/zone_unknown/openidconnect/jwks", "", 404},
		{"POST", "openidconnect/jwks", "", 405},
		{"GET", "/zones", "", 401},
		{"GET", "/zones", token, 200},
		{"POST", "/_local/rotate-keys", "", 401},
		{"POST", "/_local/rotate-keys", token, 403},
		{"GET", "/_local/rotate-keys", "operator", 405},
		{"POST", "/_local/rotate-keys", "operator", 200},
		{"POST", "/zones", "operator", 405},
	} {
		var headers []string
		if test.bearer != "" {
			headers = []string{"Authorization", "Bearer " + test.bearer}
		}
		if a := do(t, s, test.method, test.path, "", headers...); a.status != test.want {
			t.Errorf("%s %s: got %d, want %d: %s", test.method, test.path, a.status, test.want, a.raw)
		}
	}
}

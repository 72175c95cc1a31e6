package zone

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// open starts a server for one test. Without options it is in memory, needs no
// bearer, and has predictable ids and times.
func open(t testing.TB, change ...func(*Options)) *Server {
	t.Helper()
	opts := Options{NoAuth: true, FixedClock: true, SequentialIDs: true}
	for _, f := range change {
		f(&opts)
	}
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// An answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// do sends one request in process. The path is below the local zone unless it
// starts with a slash.
func do(t testing.TB, s *Server, method, path, body string, headers ...string) answer {
	t.Helper()
	a, err := try(s, method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func try(s *Server, method, path, body string, headers ...string) (answer, error) {
	if !strings.HasPrefix(path, "/") {
		path = "/zones/" + LocalZoneID + "/" + path
	}
	r, err := http.NewRequest(method, "http://local.test"+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := s.Transport().RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if err := json.Unmarshal(raw, &a.body); err != nil {
		return a, fmt.Errorf("answer is not a JSON object: %w: %s", err, raw)
	}
	return a, nil
}

// must is do for a request that has to succeed.
func must(t testing.TB, s *Server, method, path, body string, headers ...string) answer {
	t.Helper()
	a := do(t, s, method, path, body, headers...)
	if a.status != http.StatusOK && a.status != http.StatusCreated {
		t.Fatalf("%s %s: got %d, want a success: %s", method, path, a.status, a.raw)
	}
	return a
}

// text is a member of the answer, addressed as in "a.b"; "" if absent or null.
func (a answer) text(path string) string {
	var v any = a.body
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[name]
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// items are the ids, or versions, of a list.
func (a answer) items(field string) []string {
	list, _ := a.body["items"].([]any)
	out := []string{}
	for _, it := range list {
		out = append(out, fmt.Sprint(it.(map[string]any)[field]))
	}
	return out
}

const permitAll = `permit (principal, action, resource);`

func raw(text string) string {
	b, _ := json.Marshal(map[string]string{"schema_version": defaultSchema, "cedar_raw": text})
	return string(b)
}

// manifestOf is the body of a set version.
func manifestOf(pairs ...string) string {
	entries := []map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		entries = append(entries, map[string]string{"policy_id": pairs[i], "policy_version_id": pairs[i+1]})
	}
	b, _ := json.Marshal(map[string]any{"schema_version": defaultSchema, "manifest": map[string]any{"entries": entries}})
	return string(b)
}

func TestPublishAndActivate(t *testing.T) {
	s := open(t)
	p := must(t, s, "POST", "policies", `{"name":"finance-read","description":"Ledger."}`)
	if got, want := p.text("id"), "pol_finance-read_1"; got != want {
		t.Errorf("policy id: got %q, want %q", got, want)
	}
	v := must(t, s, "POST", "policies/"+p.text("id")+"/versions", raw(permitAll))
	if got, want := v.text("id"), "pv_finance-read_1_1"; got != want {
		t.Errorf("policy version id: got %q, want %q", got, want)
	}
	set := must(t, s, "POST", "policy-sets", `{"name":"agents"}`)
	sv := must(t, s, "POST", "policy-sets/"+set.text("id")+"/versions", manifestOf(p.text("id"), v.text("id")))
	if sv.text("active") != "false" {
		t.Errorf("a new version is active: %s", sv.raw)
	}
	must(t, s, "PATCH", "policy-sets/"+set.text("id")+"/versions/"+sv.text("id"), `{"active":true}`)
	set = must(t, s, "GET", "policy-sets/"+set.text("id"), "")
	if got, want := set.text("active_version_id"), sv.text("id"); got != want {
		t.Errorf("active version: got %q, want %q", got, want)
	}
	old := must(t, s, "GET", "policy-sets/ps_default-zone-policies_1", "")
	if old.text("active") != "false" || old.text("active_version_id") != "" {
		t.Errorf("the old set is still active: %s", old.raw)
	}
}

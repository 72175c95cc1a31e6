package publish_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/policypin/policypin/internal/publish"
)

// A liar changes what the zone answers, once it has done what it was asked.
type liar struct {
	next   http.RoundTripper
	method string
	path   *regexp.Regexp
	tell   func(map[string]any) // changes a body in place

	mu   sync.Mutex // policies are created side by side
	told int
}

// say changes the lie. A request that was given up may still be under way.
func (l *liar) say(tell func(map[string]any)) {
	l.mu.Lock()
	l.tell, l.told = tell, 0
	l.mu.Unlock()
}

func (l *liar) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(req)
	l.mu.Lock()
	tell := l.tell
	l.mu.Unlock()
	if err != nil || tell == nil || req.Method != l.method || !l.path.MatchString(req.URL.Path) || res.StatusCode >= 300 {
		return res, err
	}
	var body map[string]any
	err = json.NewDecoder(res.Body).Decode(&body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	tell(body)
	l.told++
	l.mu.Unlock()
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	res.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return res, nil
}

// put sets a field of a body.
func put(key string, value any) func(map[string]any) {
	return func(body map[string]any) { body[key] = value }
}

// items applies a change to every row of a list.
func items(change func(map[string]any)) func(map[string]any) {
	return func(body map[string]any) {
		for _, row := range body["items"].([]any) {
			change(row.(map[string]any))
		}
	}
}

// manifestEntries applies a change to the entries of a set version.
func manifestEntries(change func([]any) []any) func(map[string]any) {
	return func(body map[string]any) {
		m := body["manifest"].(map[string]any)
		m["entries"] = change(m["entries"].([]any))
	}
}

// TestALyingZone changes one answer of a publish in each way that matters. What
// isn't true is never pinned or activated, and once the zone tells the truth
// the same command ends as if nothing had been.
func TestALyingZone(t *testing.T) {
	const (
		sets       = `/policy-sets$`
		version    = `/policy-sets/[^/]+/versions/[^/]+$`
		versions   = `/policy-sets/[^/]+/versions$`
		held       = `/policy-sets/[^/]+/versions/[^/]+/policies$`
		policies   = `/zones/[^/]+/policies$`
		polVersion = `/policies/[^/]+/versions$`
	)
	other := strings.Repeat("0", 64)
	for _, lie := range []struct {
		name, method, path string
		tell               func(map[string]any)
		harmless           bool // what is pinned is true in spite of it
	}{
		{"a created policy is of another zone", "POST", policies, put("zone_id", "zone_other"), true},
		{"a created policy version has another text", "POST", polVersion, put("cedar_raw", "permit (principal, action, resource);"), false},
		{"a created policy version is of another policy", "POST", polVersion, put("policy_id", "pol_default-user-grants_1"), true},
		{"a created policy version is of another schema", "POST", polVersion, put("schema_version", "2026-03-16"), false},
		{"a created policy version has no text", "POST", polVersion, put("cedar_raw", nil), true},
		{"a created set version is of another set", "POST", versions, put("policy_set_id", "ps_default-zone-policies_1"), true},
		{"a created set version has an id that isn't there", "POST", versions, put("id", "psv_nowhere"), false},
		{"a created set version has another number", "POST", versions, put("version", 7), true},
		{"a created set version has another manifest sha", "POST", versions, put("manifest_sha", other), false},
		{"the read back version has another id", "GET", version, put("id", "psv_default-zone-policies_1_1"), false},
		{"the read back version has another number", "GET", version, put("version", 7), false},
		{"the read back version has another manifest sha", "GET", version, put("manifest_sha", other), false},
		{"the read back version has another schema", "GET", version, put("schema_version", "2026-03-16"), false},
		{"the read back version has an entry less", "GET", version, manifestEntries(func(e []any) []any { return e[1:] }), false},
		{"the read back version has an entry twice", "GET", version, manifestEntries(func(e []any) []any { return append(e[1:], e[1]) }), false},
		{"the read back version has no entries", "GET", version, manifestEntries(func([]any) []any { return nil }), false},
		{"the read back version has another sha for an entry", "GET", version, manifestEntries(func(e []any) []any {
			e[0].(map[string]any)["sha"] = other
			return e
		}), false},
		{"the read back version is archived", "GET", version, put("archived_at", "2026-01-01T00:00:00Z"), false},
		{"the read back version has no time", "GET", version, put("created_at", nil), false},
		{"the attestation is for another manifest sha", "GET", version, func(body map[string]any) {
			body["attestation"].(map[string]any)["manifest_sha"] = other
		}, false},
		{"the base lacks policies", "GET", held, func(body map[string]any) {
			body["items"] = body["items"].([]any)[1:]
		}, true},
		// For all that can be known, a forged pin had led to that version: see
		// TestAForgedPinDoesNotGetAnotherVersionPublished for the same commit.
		{"the base has another text", "GET", held, items(put("cedar_raw", "permit (principal, action, resource);")), true},
		{"the base's policies have other ids", "GET", held, items(func(row map[string]any) { row["policy_id"] = row["policy_id"].(string) + "x" }), false},
		{"the list of versions is of another set", "GET", versions, items(put("policy_set_id", "ps_default-zone-policies_1")), false},
		{"the list of versions has other manifest shas", "GET", versions, items(put("manifest_sha", other)), true},
		{"the list of versions is empty", "GET", versions, put("items", []any{}), true},
		{"the list of sets is of another zone", "GET", sets, items(put("zone_id", "zone_other")), false},
		{"the list of sets says that nothing is active", "GET", sets, put("items", []any{}), false},
		{"the activated version is another", "PATCH", version, put("id", "psv_default-zone-policies_1_1"), false},
		{"a list without an end", "GET", versions, func(body map[string]any) {
			body["pagination"].(map[string]any)["after_cursor"] = "again"
		}, true},
	} {
		t.Run(lie.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			first := w.commit(w.project())
			w.mustPublish(first, publish.Options{Activate: true, ReplaceActive: w.active()})
			l := &liar{next: w.requests.next, method: lie.method, path: regexp.MustCompile(lie.path), tell: lie.tell}
			w.requests.next = l

			// Nothing changed, and what the zone says doesn't change that.
			if lie.method == "GET" && lie.name != "the base has another text" {
				if _, err := w.publish(first, publish.Options{Activate: true}); err != nil {
					t.Logf("unchanged: %v", err)
				}
				l.say(nil)
				if got := w.mustPublish(first, publish.Options{Activate: true}); got.Status != publish.Unchanged || got.Version != 1 || len(w.versions("agents")) != 1 {
					t.Fatalf("the same commit again: %s v%d, versions %v; want v1 alone, unchanged", got.Status, got.Version, w.versions("agents"))
				}
			}

			second := w.commit(map[string]string{
				"policies/ops.cedar":      policy("operations"),
				"policies/new.cedar":      policy("new"),
				"policy-sets/agents.yaml": set("agents", "finance", "ops", "new", "default-user-grants@3"),
			})
			l.say(lie.tell)
			_, err := w.publish(second, publish.Options{Activate: true})
			t.Logf("changed: %v", err)
			if l.told == 0 {
				t.Fatal("nothing was said that isn't true")
			}
			if lie.harmless != (err == nil) {
				t.Errorf("error is %v, want one: %v", err, !lie.harmless)
			}
			l.say(nil)
			got := w.mustPublish(second, publish.Options{Activate: true})
			if got.Version != 2 || len(w.tags()) != 2 || len(w.versions("agents")) != 2 {
				t.Errorf("ends with v%d, tags %v and versions %v, want v2, two pins and two versions", got.Version, w.tags(), w.versions("agents"))
			}
			if w.active() != got.VersionID {
				t.Errorf("%s is active, want %s", w.active(), got.VersionID)
			}
		})
	}
}

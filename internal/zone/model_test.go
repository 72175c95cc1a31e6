package zone

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// checkInvariants reads the whole zone through the API and checks what always
// holds, whatever happened before.
func checkInvariants(t testing.TB, s *Server) {
	t.Helper()
	all := func(path string) (items []map[string]any) {
		at := ""
		for {
			a := must(t, s, "GET", path+"limit=100&order=asc"+at, "")
			for _, it := range a.body["items"].([]any) {
				items = append(items, it.(map[string]any))
			}
			cursor := a.text("pagination.after_cursor")
			if cursor == "" {
				return items
			}
			at = "&after=" + cursor
		}
	}
	unique := func(what string, items []map[string]any, field string) {
		seen := make(map[any]bool)
		for _, it := range items {
			if seen[it[field]] {
				t.Errorf("%s: %s %v is there twice", what, field, it[field])
			}
			seen[it[field]] = true
		}
	}
	gapless := func(what string, parent map[string]any, versions []map[string]any) {
		for i, v := range versions {
			if v["version"] != float64(i+1) {
				t.Errorf("%s: version %v is in place %d", what, v["version"], i+1)
			}
		}
		if n := len(versions); n > 0 && (parent["latest_version"] != float64(n) || parent["latest_version_id"] != versions[n-1]["id"]) {
			t.Errorf("%s: latest version is %v, %v, want %d", what, parent["latest_version"], parent["latest_version_id"], n)
		}
	}

	policies := all("policies?filter[target_type]=zone&filter[target_type]=user&")
	unique("policies", policies, "id")
	unique("policies", policies, "name")
	for _, p := range policies {
		versions := all(fmt.Sprintf("policies/%v/versions?", p["id"]))
		gapless(fmt.Sprint(p["id"]), p, versions)
	}
	sets := all("policy-sets?filter[target_type]=zone&filter[target_type]=user&")
	unique("sets", sets, "id")
	unique("sets", sets, "name")
	active := 0
	for _, set := range sets {
		versions := all(fmt.Sprintf("policy-sets/%v/versions?", set["id"]))
		gapless(fmt.Sprint(set["id"]), set, versions)
		for _, v := range versions {
			if v["active"] == true {
				active++
				if set["active_version_id"] != v["id"] || set["active"] != true || v["archived_at"] != nil {
					t.Errorf("active version %v: its set has %v", v, set)
				}
			}
			path := fmt.Sprintf("policy-sets/%v/versions/%v", set["id"], v["id"])
			pinned := all(path + "/policies?")
			full := must(t, s, "GET", path, "")
			entries := full.body["manifest"].(map[string]any)["entries"].([]any)
			if len(pinned) != len(entries) {
				t.Errorf("%s: %d entries and %d policies", path, len(entries), len(pinned))
			}
			shas := make(map[any]any)
			for _, p := range pinned {
				shas[p["id"]] = p["sha"]
				if p["schema_version"] != v["schema_version"] || v["active"] == true && p["archived_at"] != nil {
					t.Errorf("%s pins %v", path, p)
				}
			}
			for _, e := range entries {
				e := e.(map[string]any)
				if shas[e["policy_version_id"]] != e["sha"] {
					t.Errorf("%s: entry %v has another sha than its version", path, e)
				}
			}
		}
	}
	if active != 1 {
		t.Errorf("active versions: got %d, want 1", active)
	}
}

// TestAnyHistory runs random requests, right and wrong ones, from several
// clients at once. Versions never change, and the invariants hold.
func TestAnyHistory(t *testing.T) {
	for _, where := range []string{"memory", "file"} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(where, " ", seed), func(t *testing.T) {
				s := open(t, func(o *Options) {
					if where == "file" {
						o.Path = filepath.Join(t.TempDir(), "zone.db")
					}
				})
				var mu sync.Mutex
				frozen := make(map[string]string) // path of a version → what of it may not change
				var wg sync.WaitGroup
				for worker := range uint64(3) {
					wg.Go(func() {
						chance := rand.New(rand.NewPCG(seed, worker))
						for range 150 {
							method, path, body := randomRequest(chance)
							a, err := try(s, method, path, body)
							if err != nil || a.status >= 500 {
								t.Errorf("%s %s %s: got %d %s, %v", method, path, body, a.status, a.raw, err)
								return
							}
							if a.status == http.StatusCreated && strings.HasSuffix(path, "/versions") {
								mu.Lock()
								frozen[path+"/"+a.text("id")] = a.immutable()
								mu.Unlock()
							}
						}
					})
				}
				wg.Wait()
				if len(frozen) < 20 {
					t.Errorf("only %d versions were created; the test tests nothing", len(frozen))
				}
				for path, want := range frozen {
					if got := must(t, s, "GET", path, "").immutable(); got != want {
						t.Errorf("%s changed: got %s, want %s", path, got, want)
					}
				}
				checkInvariants(t, s)
			})
		}
	}
}

// immutable is the part of a version that never changes.
func (a answer) immutable() string {
	for _, name := range []string{"active", "archived_at", "archived_by"} {
		delete(a.body, name)
	}
	return fmt.Sprint(a.body)
}

// randomRequest is about a few names, so that requests meet.
func randomRequest(chance *rand.Rand) (method, path, body string) {
	pick := func(list ...string) string { return list[chance.IntN(len(list))] }
	policyName, setName := pick("a", "b", "c", "d"), pick("x", "y", "z")
	policyID := fmt.Sprintf("pol_%s_%d", policyName, 1+chance.IntN(2))
	setID := fmt.Sprintf("ps_%s_%d", setName, 1+chance.IntN(2))
	number := 1 + chance.IntN(4)
	policyVersion := fmt.Sprintf("pv_%s_%d", strings.TrimPrefix(policyID, "pol_"), number)
	setVersion := fmt.Sprintf("psv_%s_%d", strings.TrimPrefix(setID, "ps_"), number)
	text := pick(permitAll, `forbid (principal, action, resource);`, `permit (principal is Keycard::User, action, resource);`)
	switch chance.IntN(14) {
	case 0, 1:
		return "POST", "policies", `{"name":"` + policyName + `"}`
	case 2, 3, 4:
		return "POST", "policies/" + policyID + "/versions", raw(text)
	case 5:
		return "POST", "policy-sets", `{"name":"` + setName + `"}`
	case 6, 7, 8:
		return "POST", "policy-sets/" + setID + "/versions",
			manifestOf(policyID, policyVersion, "pol_default-user-grants_1", "pv_default-user-grants_1_3")
	case 9, 10:
		return "PATCH", "policy-sets/" + setID + "/versions/" + setVersion, `{"active":true}`
	case 11:
		return "DELETE", pick("policies/"+policyID, "policies/"+policyID+"/versions/"+policyVersion), ""
	case 12:
		return "DELETE", pick("policy-sets/"+setID, "policy-sets/"+setID+"/versions/"+setVersion), ""
	default:
		return pick("PATCH", "GET"), pick("policies/"+policyID, "policy-sets/"+setID), `{"name":"` + pick("a", "x", "q") + `"}`
	}
}

// TestConcurrentCreates: the ids of predictable names don't depend on who came
// first, and the numbers of one policy have no gaps.
func TestConcurrentCreates(t *testing.T) {
	s := open(t, inFile(filepath.Join(t.TempDir(), "zone.db")))
	must(t, s, "POST", "policies", `{"name":"shared"}`)
	var wg sync.WaitGroup
	conflicts := make(chan int, 80)
	for i := range 40 {
		wg.Go(func() {
			name := fmt.Sprintf("own-%d", i)
			if a, err := try(s, "POST", "policies", `{"name":"`+name+`"}`); err != nil || a.text("id") != "pol_"+name+"_1" {
				t.Errorf("own policy: got %s, %v", a.raw, err)
			}
			if a, err := try(s, "POST", "policies/pol_shared_1/versions", raw(permitAll)); err != nil || a.status != 201 {
				t.Errorf("version: got %s, %v", a.raw, err)
			}
			a, err := try(s, "POST", "policies", `{"name":"contested"}`)
			if err != nil {
				t.Error(err)
			}
			conflicts <- a.status
		})
	}
	wg.Wait()
	close(conflicts)
	created := 0
	for status := range conflicts {
		switch status {
		case http.StatusCreated:
			created++
		case http.StatusConflict:
		default:
			t.Errorf("one name from many: got %d", status)
		}
	}
	if created != 1 {
		t.Errorf("one name from many: created %d times, want once", created)
	}
	if got := must(t, s, "GET", "policies/pol_shared_1", "").text("latest_version"); got != "40" {
		t.Errorf("latest version: got %s, want 40", got)
	}
	checkInvariants(t, s)
}

package zone

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// growing are the lists that grow, and how a row is added to each.
var growing = []struct {
	path, setup, setupBody string
	add                    func(n int) (path, body string)
}{
	{"policies", "", "", func(n int) (string, string) { return "policies", fmt.Sprintf(`{"name":"row-%d"}`, n) }},
	{"policy-sets", "", "", func(n int) (string, string) { return "policy-sets", fmt.Sprintf(`{"name":"row-%d"}`, n) }},
	{"policies/pol_parent_1/versions", "policies", `{"name":"parent"}`, func(n int) (string, string) {
		return "policies/pol_parent_1/versions", raw(permitAll)
	}},
	{"policy-sets/ps_parent_1/versions", "policy-sets", `{"name":"parent"}`, func(n int) (string, string) {
		return "policy-sets/ps_parent_1/versions", manifestOf("pol_default-user-grants_1", "pv_default-user-grants_1_3")
	}},
}

// TestWalksWhileRowsAreAdded walks every growing list, in either order, forward
// and backward, with any page size, while rows are added. A walk meets
// each row that was there when it began, ahead of where it began, exactly once
// and in order, and no row twice.
func TestWalksWhileRowsAreAdded(t *testing.T) {
	for _, where := range []string{"memory", "file"} {
		for _, list := range growing {
			t.Run(where+" "+list.path, func(t *testing.T) {
				s := open(t, func(o *Options) {
					if where == "file" {
						o.Path = filepath.Join(t.TempDir(), "zone.db")
					}
				})
				if list.setup != "" {
					must(t, s, "POST", list.setup, list.setupBody)
				}
				rows := 0
				add := func() {
					path, body := list.add(rows)
					must(t, s, "POST", path, body)
					rows++
				}
				for range 12 {
					add()
				}
				chance := rand.New(rand.NewPCG(7, uint64(len(list.path))))
				for range 30 {
					walkOnce(t, s, list.path, chance, add)
				}
			})
		}
	}
}

// A walker follows cursors one way.
type walker struct {
	s      *Server
	path   string // with limit and order
	param  string // after or before
	cursor string // that the next page begins with; "" at first
	seen   []string
}

// step reads the next page and tells whether there are more.
func (w *walker) step(t *testing.T) bool {
	t.Helper()
	at := ""
	if w.cursor != "" {
		at = "&" + w.param + "=" + url.QueryEscape(w.cursor)
	}
	a := must(t, w.s, "GET", w.path+at, "")
	items := a.items("id")
	if w.param == "before" {
		slices.Reverse(items) // in the order of the walk
	}
	w.seen = append(w.seen, items...)
	w.cursor = a.text("pagination." + w.param + "_cursor")
	return w.cursor != ""
}

// walkOnce makes one walk with random rows added between pages.
func walkOnce(t *testing.T, s *Server, path string, chance *rand.Rand, add func()) {
	t.Helper()
	order := []string{"asc", "desc"}[chance.IntN(2)]
	query := fmt.Sprintf("%s?limit=%d&order=%s", path, 1+chance.IntN(6), order)
	w := &walker{s: s, path: query, param: "after"}
	all := everyRow(t, s, path, order)
	ahead := all
	if chance.IntN(2) == 0 { // backward, from a row somewhere
		from := 1 + chance.IntN(len(all)-1)
		page := must(t, s, "GET", fmt.Sprintf("%s?limit=%d&order=%s", path, min(from, 100), order), "")
		last := page.items("id")[len(page.items("id"))-1]
		i := slices.Index(all, last)
		w.param, w.cursor = "before", page.text("pagination.after_cursor")
		ahead = slices.Clone(all[:i])
		slices.Reverse(ahead)
	}
	adds := chance.IntN(4)
	for pages := 0; w.step(t); pages++ {
		if pages > 1000 {
			t.Fatalf("%s: the walk doesn't end", query)
		}
		if adds > 0 && chance.IntN(2) == 0 {
			adds--
			add()
		}
	}
	once := slices.Compact(slices.Sorted(slices.Values(w.seen)))
	if len(once) != len(w.seen) {
		t.Errorf("%s, %s: a row came twice: %v", query, w.param, w.seen)
	}
	old := slices.DeleteFunc(slices.Clone(w.seen), func(id string) bool { return !slices.Contains(ahead, id) })
	if !slices.Equal(old, ahead) {
		t.Errorf("%s, %s: got %v, want %v", query, w.param, old, ahead)
	}
}

// everyRow reads a list with the largest pages.
func everyRow(t *testing.T, s *Server, path, order string) []string {
	t.Helper()
	w := &walker{s: s, path: path + "?limit=100&order=" + order, param: "after"}
	for w.step(t) {
	}
	return w.seen
}

// TestOneActiveSlot: while clients activate versions of several sets and archive
// what they can, every single read sees exactly one active set, and a version
// that says the same.
func TestOneActiveSlot(t *testing.T) {
	s := open(t, inFile(filepath.Join(t.TempDir(), "zone.db")))
	for _, name := range []string{"x", "y", "z"} {
		set := must(t, s, "POST", "policy-sets", `{"name":"`+name+`"}`)
		for range 3 {
			must(t, s, "POST", "policy-sets/"+set.text("id")+"/versions", manifestOf("pol_default-user-grants_1", "pv_default-user-grants_1_3"))
		}
	}
	var writers, readers sync.WaitGroup
	for worker := range uint64(3) {
		writers.Go(func() {
			chance := rand.New(rand.NewPCG(3, worker))
			for range 100 {
				set := "ps_" + []string{"x", "y", "z"}[chance.IntN(3)] + "_1"
				version := fmt.Sprintf("psv_%s_%d", set[len("ps_"):], 1+chance.IntN(3))
				method, body := "PATCH", `{"active":true}`
				if chance.IntN(20) == 0 {
					method, body = "DELETE", ""
				}
				a, err := try(s, method, "policy-sets/"+set+"/versions/"+version, body)
				if err != nil || a.status != 200 && a.status != 400 { // 400: it is archived, or active
					t.Errorf("%s %s: got %d, %v", method, version, a.status, err)
				}
			}
		})
	}
	done := make(chan struct{})
	readers.Go(func() {
		for reads := 0; ; reads++ {
			select {
			case <-done:
				if reads < 10 {
					t.Errorf("only %d reads; the test tests nothing", reads)
				}
				return
			default:
			}
			a, err := try(s, "GET", "policy-sets?limit=100&filter[active]=true", "")
			if err != nil || len(a.items("id")) != 1 {
				t.Errorf("active sets: got %s, %v; want exactly one", a.raw, err)
				return
			}
			set := a.body["items"].([]any)[0].(map[string]any)
			if set["active"] != true || set["active_version_id"] == nil || set["mode"] != "active" {
				t.Errorf("the active set says %v", set)
			}
		}
	})
	writers.Wait()
	close(done)
	readers.Wait()
	checkInvariants(t, s)
}

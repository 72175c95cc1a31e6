package zone

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// walk reads all pages of a list, and calls between before every page after the
// first.
func walk(t *testing.T, s *Server, path, field string, between func()) []string {
	t.Helper()
	var seen []string
	at := ""
	for range 1000 {
		a := must(t, s, "GET", path+at, "")
		seen = append(seen, a.items(field)...)
		cursor := a.text("pagination.after_cursor")
		if cursor == "" {
			return seen
		}
		at = "&after=" + url.QueryEscape(cursor)
		if between != nil {
			between()
		}
	}
	t.Fatalf("%s doesn't end", path)
	return nil
}

// TestPagesVisitEachRowOnce reads lists with every page size, in both orders,
// forward from the start and backward from the end, while rows are added.
func TestPagesVisitEachRowOnce(t *testing.T) {
	for _, where := range []string{"memory", "file"} {
		t.Run(where, func(t *testing.T) {
			s := open(t, func(o *Options) {
				if where == "file" {
					o.Path = filepath.Join(t.TempDir(), "zone.db")
				}
			})
			added := 0
			add := func() {
				must(t, s, "POST", "policies", fmt.Sprintf(`{"name":"p-%d"}`, added))
				added++
			}
			for range 20 {
				add()
			}
			for i := 0; i < 20; i += 3 {
				must(t, s, "DELETE", fmt.Sprintf("policies/pol_p-%d_1", i), "")
			}
			for _, order := range []string{"asc", "desc"} {
				before := walk(t, s, "policies?limit=100&order="+order, "id", nil)
				for _, limit := range []int{1, 2, 3, 7, 50} {
					path := fmt.Sprintf("policies?limit=%d&order=%s", limit, order)
					still := 3
					got := walk(t, s, path, "id", func() {
						if still--; still >= 0 { // for ever would never end, upwards
							add()
						}
					})
					if unique := slices.Compact(slices.Sorted(slices.Values(got))); len(unique) != len(got) {
						t.Errorf("%s: a row came twice: %v", path, got)
					}
					// Rows that were there before all come, in order; newest first,
					// the rows added meanwhile are behind us.
					var old []string
					for _, id := range got {
						if slices.Contains(before, id) {
							old = append(old, id)
						}
					}
					if !slices.Equal(old, before) {
						t.Errorf("%s: got %v, want %v", path, old, before)
					}
					if order == "desc" && !slices.Equal(got, before) {
						t.Errorf("%s: rows added meanwhile showed up: %v", path, got)
					}
					before = walk(t, s, "policies?limit=100&order="+order, "id", nil)
				}

				// Backward from the last row: every other row, in reverse.
				all := walk(t, s, "policies?limit=100&order="+order, "id", nil)
				end := must(t, s, "GET", fmt.Sprintf("policies?limit=%d&order=%s", len(all)-1, order), "")
				last := must(t, s, "GET", "policies?limit=1&order="+order+"&after="+end.text("pagination.after_cursor"), "")
				if last.text("pagination.after_cursor") != "" {
					t.Fatalf("the last page has a next one: %s", last.raw)
				}
				got := walkBack(t, s, "policies?limit=3&order="+order, last.text("pagination.before_cursor"))
				want := slices.Clone(all[:len(all)-1])
				slices.Reverse(want)
				if !slices.Equal(got, want) {
					t.Errorf("backward, %s: got %v, want %v", order, got, want)
				}
			}
		})
	}
}

// walkBack goes backward from a cursor and returns the rows in reverse.
func walkBack(t *testing.T, s *Server, path, cursor string) (seen []string) {
	t.Helper()
	for cursor != "" {
		a := must(t, s, "GET", path+"&before="+url.QueryEscape(cursor), "")
		items := a.items("id")
		slices.Reverse(items)
		seen = append(seen, items...)
		if len(items) > 0 && a.text("pagination.after_cursor") == "" {
			t.Fatalf("a page before another has no next one: %s", a.raw)
		}
		cursor = a.text("pagination.before_cursor")
	}
	return seen
}

func TestLists(t *testing.T) {
	s := fixture(t)
	must(t, s, "PATCH", "policies/pol_bare_1", `{"description":"Reads the LEDGER."}`)
	for _, test := range []struct {
		name, path, field string
		want              string
	}{
		{"policies, newest first", "policies", "id", "pol_old_1 pol_bare_1 pol_kept_1 pol_default-app-direct-access_1 pol_default-app-delegation_1 pol_default-user-grants_1"},
		{"policies, oldest first", "policies?order=asc&limit=2", "id", "pol_default-user-grants_1 pol_default-app-delegation_1"},
		{"by owner", "policies?filter[owner_type]=customer", "id", "pol_old_1 pol_bare_1 pol_kept_1"},
		{"by either owner", "policies?filter%5Bowner_type%5D=customer&filter%5Bowner_type%5D=platform&limit=1", "id", "pol_old_1"},
		{"by ids, unknown ones left out", "policies?filter[id]=pol_kept_1&filter[id]=nope&filter[id]=pol_old_1&filter[id]=pol_kept_1", "id", "pol_old_1 pol_kept_1"},
		{"by id and owner", "policies?filter[id]=pol_kept_1&filter[id]=pol_default-user-grants_1&filter[owner_type]=platform", "id", "pol_default-user-grants_1"},
		{"a search in both fields", "policies?query=ledger", "name", "bare"},
		{"the search's other spelling", "policies?query[]=KEP", "name", "kept"},
		{"a search by name alone", "policies?query[name]=ledger", "name", ""},
		{"a search by description", "policies?query[description]=ledger", "name", "bare"},
		{"either of two texts", "policies?query[name]=bare&query[name]=kept", "name", "bare kept"},
		{"both of two searches", "policies?query=e&query[name]=bar", "name", "bare"},
		{"sets of the zone alone", "policy-sets", "name", "idle active default-zone-policies"},
		{"sets of users", "policy-sets?filter[target_type]=user", "name", "person"},
		{"sets of either", "policy-sets?filter[target_type]=user&filter[target_type]=zone", "name", "person idle active default-zone-policies"},
		{"sets by the older filter", "policy-sets?filter[scope_type]=zone", "name", "idle active default-zone-policies"},
		{"the active set", "policy-sets?filter[active]=true", "name", "active"},
		{"sets that aren't active", "policy-sets?active=false", "name", "idle default-zone-policies"},
		{"active sets first", "policy-sets?sort=status", "name", "active idle default-zone-policies"},
		{"sets by name", "policy-sets?query[name]=LE", "name", "idle"},
		{"sets by owner", "policy-sets?filter[owner_type]=platform", "name", "default-zone-policies"},
		{"versions", "policies/pol_kept_1/versions", "version", "2 1"},
		{"a policy without versions", "policies/pol_bare_1/versions", "version", ""},
		{"set versions", "policy-sets/ps_active_1/versions?order=asc", "version", "1 2 3"},
		{"policies of a set version", "policy-sets/ps_default-zone-policies_1/versions/psv_default-zone-policies_1_1/policies?order=asc", "id",
			"pv_default-user-grants_1_3 pv_default-app-delegation_1_1 pv_default-app-direct-access_1_1"},
		{"schemas, archived ones too", "policy-schemas", "version", "2026-06-18 2026-03-16 2026-02-24"},
		{"the default schema", "policy-schemas?filter[default]=true", "version", "2026-06-18"},
		{"schemas that aren't the default", "policy-schemas?is_default=false&order=asc", "version", "2026-02-24 2026-03-16"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := must(t, s, "GET", test.path, "")
			if got := strings.Join(a.items(test.field), " "); got != test.want {
				t.Errorf("GET %s: got %q, want %q", test.path, got, test.want)
			}
		})
	}
}

func TestActiveFirstHasPages(t *testing.T) {
	s := fixture(t)
	want := walk(t, s, "policy-sets?sort=status&limit=100", "name", nil)
	got := walk(t, s, "policy-sets?sort=status&limit=1", "name", nil)
	if !slices.Equal(got, want) || got[0] != "active" {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTotalCount(t *testing.T) {
	s := fixture(t)
	for path, want := range map[string]string{
		"policies?limit=1&expand[]=total_count":                                  "6",
		"policies?limit=1&expand=total_count&filter[owner_type]=customer":        "3",
		"policies?limit=1&expand[]=total_count&expand=total_count&query=default": "3",
		"policy-sets/ps_active_1/versions?limit=1&expand[]=total_count":          "3",
		"policies": "",
	} {
		if got := must(t, s, "GET", path, "").text("pagination.total_count"); got != want {
			t.Errorf("GET %s: total_count is %q, want %q", path, got, want)
		}
	}
}

func TestCursorsBelongToTheirList(t *testing.T) {
	s := fixture(t)
	cursor := must(t, s, "GET", "policies?limit=1", "").text("pagination.after_cursor")
	for _, path := range []string{"policy-sets", "policies/pol_kept_1/versions", "policy-schemas"} {
		if a := do(t, s, "GET", path+"?after="+cursor, ""); a.status != 400 || !strings.Contains(a.text("message"), "another list") {
			t.Errorf("GET %s with a cursor of policies: got %d %s", path, a.status, a.raw)
		}
	}
}

// TestPagesOfAnyRows compares paginate with a plain computation, for random
// rows, filters, limits and cursors.
func TestPagesOfAnyRows(t *testing.T) {
	chance := rand.New(rand.NewPCG(7, 7))
	for range 3000 {
		var all []placed
		place := uint64(0)
		for range chance.IntN(12) {
			place += 1 + chance.Uint64N(3)
			all = append(all, placed{place, fmt.Sprint(place)})
		}
		wanted := func(id string) bool { return true }
		if chance.IntN(2) == 0 {
			wanted = func(id string) bool { return len(id)%2 == 1 && id != "5" }
		}
		l := listing{limit: 1 + chance.IntN(5), ascending: chance.IntN(2) == 0, total: true}
		var visible []placed
		for _, p := range all {
			if wanted(p.id) {
				visible = append(visible, p)
			}
		}
		total := len(visible)
		if !l.ascending {
			slices.Reverse(visible)
		}
		cursor := chance.Uint64N(30)
		isBefore := func(p placed) bool { return p.place < cursor == l.ascending && p.place != cursor }
		isAfter := func(p placed) bool { return p.place > cursor == l.ascending && p.place != cursor }
		var want, rest []placed
		switch chance.IntN(3) {
		case 0:
			want = visible
		case 1:
			l.after = &cursor
			want = slices.DeleteFunc(slices.Clone(visible), func(p placed) bool { return !isAfter(p) })
		case 2:
			l.before = &cursor
			want = slices.DeleteFunc(slices.Clone(visible), func(p placed) bool { return !isBefore(p) })
		}
		if l.before != nil {
			rest = want[:max(0, len(want)-l.limit)]
			want = want[len(rest):]
		} else {
			rest = want[min(len(want), l.limit):]
			want = want[:min(len(want), l.limit)]
		}
		got, err := paginate(l, rowsIn(all), func(id string) (string, bool, error) { return id, wanted(id), nil })
		if err != nil {
			t.Fatal(err)
		}
		var wantIDs []string
		for _, p := range want {
			wantIDs = append(wantIDs, p.id)
		}
		if !slices.Equal(got.Items, wantIDs) || *got.Pagination.TotalCount != total {
			t.Fatalf("%+v of %v: got %v, want %v", l, all, got.Items, wantIDs)
		}
		if len(want) == 0 {
			continue
		}
		further, behind := len(rest) > 0, len(visible) > len(want)+len(rest)
		if l.before != nil {
			further, behind = behind, further
		}
		if (got.Pagination.AfterCursor != nil) != further || (got.Pagination.BeforeCursor != nil) != behind {
			t.Fatalf("%+v of %v: cursors are %v and %v, want %v and %v", l, all,
				got.Pagination.BeforeCursor != nil, got.Pagination.AfterCursor != nil, behind, further)
		}
	}
}

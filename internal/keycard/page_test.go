package keycard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func page(items []any, after any) jsonObject {
	return jsonObject{"items": items, "pagination": jsonObject{"after_cursor": after, "before_cursor": nil}}
}

func collect(c *Client, opts ListOptions) (ids []string, err error) {
	for p, err := range c.Policies(context.Background(), opts) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, p.ID)
	}
	return ids, nil
}

func TestAListGoesOverAllPages(t *testing.T) {
	s, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("after") {
		case "":
			answer(w, 200, page([]any{aPolicy("a"), aPolicy("b")}, "b&1/"))
		case "b&1/":
			answer(w, 200, page([]any{aPolicy("b"), aPolicy("c")}, "c")) // one comes twice
		case "c":
			answer(w, 200, page([]any{}, "d")) // an empty page isn't the end
		case "d":
			answer(w, 200, page([]any{aPolicy("d")}, nil))
		default:
			t.Errorf("got %s", r.URL)
		}
	})
	got, err := collect(client(t, cfg), ListOptions{})
	if err != nil || !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, want := s.calls[0], "GET /zones/z1/policies?limit=100"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := s.calls[1], "GET /zones/z1/policies?after=b%261%2F&limit=100"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAListStopsWhenItsReaderDoes(t *testing.T) {
	s, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, page([]any{aPolicy("a"), aPolicy("b")}, "b"))
	})
	for range client(t, cfg).Policies(context.Background(), ListOptions{}) {
		break
	}
	if got := s.count(); got != 1 {
		t.Errorf("got %d requests, want 1", got)
	}
}

func TestListsWithoutAnEnd(t *testing.T) {
	tests := []struct {
		name     string
		next     func(after string) (item, cursor string)
		requests int
	}{
		{"the same cursor again", func(string) (string, string) { return "a", "x" }, 2},
		{"two cursors in turn", func(after string) (string, string) {
			if after == "x" {
				return "a", "y"
			}
			return "b", "x"
		}, 3},
		{"new cursors, old items", func(after string) (string, string) { return "a", after + "x" }, maxStale + 1},
		{"new cursors, new items", func(after string) (string, string) {
			n, _ := strconv.Atoi(after)
			return after, strconv.Itoa(n + 1)
		}, maxPages},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			c := client(t, Config{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				n++
				item, cursor := tt.next(r.URL.Query().Get("after"))
				return reply200(mustJSON(page([]any{aPolicy("p" + item)}, cursor))), nil
			})})
			if _, err := collect(c, ListOptions{}); !errors.Is(err, errShape) {
				t.Errorf("got %v, want %v", err, errShape)
			}
			if n != tt.requests {
				t.Errorf("got %d requests, want %d", n, tt.requests)
			}
		})
	}
}

func TestIDsAreAskedForByTheHundred(t *testing.T) {
	var sizes []int
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		ids := r.URL.Query()["filter[id]"]
		sizes = append(sizes, len(ids))
		var items []any
		for _, id := range ids {
			if id != "p007" { // unknown ids are left out in silence
				items = append(items, aPolicy(id))
			}
		}
		answer(w, 200, page(items, "ignored: with filter[id] there is no next page"))
	})
	ids := []string{"p000", "p001"} // twice, which must not count
	for i := range 250 {
		ids = append(ids, fmt.Sprintf("p%03d", i))
	}
	got, err := collect(client(t, cfg), ListOptions{IDs: ids, Limit: 5})
	if err != nil || len(got) != 249 || !slices.Equal(sizes, []int{100, 100, 50}) {
		t.Errorf("got %d policies from pages of %v, %v", len(got), sizes, err)
	}
}

func TestListOptions(t *testing.T) {
	yes := true
	everything := ListOptions{Limit: 7, Order: "asc", After: "c", Total: true, Owner: "customer", Query: "a,b&c"}
	var query url.Values
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.Query()
		answer(w, 200, page([]any{}, nil))
	})
	c := client(t, cfg)
	ctx := context.Background()
	if _, err := collect(c, everything); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"limit": {"7"}, "order": {"asc"}, "after": {"c"}, "expand[]": {"total_count"}, "filter[owner_type]": {"customer"}, "query[name]": {"a,b&c"}}
	if got := query.Encode(); got != want.Encode() {
		t.Errorf("policies: got %s, want %s", got, want.Encode())
	}
	for _, err := range c.PolicySets(ctx, ListOptions{Active: &yes}) {
		t.Error(err)
	}
	if got := query.Get("filter[active]"); got != "true" {
		t.Errorf("sets: got %v", query)
	}
	for _, err := range c.Schemas(ctx, ListOptions{Default: &yes, Format: "cedar"}) {
		t.Error(err)
	}
	if got := query.Get("filter[default]") + query.Get("format"); got != "truecedar" {
		t.Errorf("schemas: got %v", query)
	}
	for _, err := range c.PolicyVersions(ctx, "p", ListOptions{Format: "json"}) {
		t.Error(err)
	}
	if got := query.Get("format"); got != "json" {
		t.Errorf("versions: got %v", query)
	}
	if p, err := c.SetVersionsPage(ctx, "s", ListOptions{Before: "c"}); err != nil || p.Total != -1 || query.Get("before") != "c" {
		t.Errorf("a page before: got %+v, %v, %v", p, err, query)
	}
	query = nil
	for name, opts := range map[string]ListOptions{
		"both cursors":               {After: "a", Before: "b"},
		"all pages before":           {Before: "b"},
		"ids with a cursor":          {IDs: []string{"x"}, After: "a"},
		"policies by active":         {Active: &yes},
		"policies by format":         {Format: "cedar"},
		"policies by default schema": {Default: &yes},
	} {
		if _, err := collect(c, opts); err == nil || query != nil {
			t.Errorf("%s: got error %v and query %v, want a refusal and no request", name, err, query)
		}
	}
	if _, err := c.SetVersionsPage(ctx, "s", ListOptions{Query: "x"}); err == nil || query != nil {
		t.Errorf("versions by name: got %v", err)
	}
}

func TestAPageWithTotal(t *testing.T) {
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"items":[{"id":"v1","policy_set_id":"s","version":3,"schema_version":"x","manifest_sha":"m"}],
			"pagination":{"after_cursor":"n","before_cursor":"b","total_count":12}}`)
	})
	p, err := client(t, cfg).SetVersionsPage(context.Background(), "s", ListOptions{Total: true})
	if err != nil {
		t.Fatal(err)
	}
	if p.Total != 12 || p.After != "n" || p.Before != "b" || len(p.Items) != 1 || p.Items[0].Entries != nil || p.Items[0].Active != nil {
		t.Errorf("got %+v", p)
	}
}

func TestListsOfTheWrongShape(t *testing.T) {
	for name, body := range map[string]string{
		"an array":           `[]`,
		"no items":           `{"pagination":{}}`,
		"null items":         `{"items":null,"pagination":{}}`,
		"no pagination":      `{"items":[]}`,
		"a number as cursor": `{"items":[],"pagination":{"after_cursor":7}}`,
		"an item that isn't": `{"items":[7],"pagination":{}}`,
		"a null item":        `{"items":[null],"pagination":{}}`,
		"an item without id": `{"items":[{"name":"n"}],"pagination":{}}`,
		"another zone's":     `{"items":[{"id":"a","name":"n","zone_id":"z2"}],"pagination":{}}`,
		"an error":           `{"status":500,"code":"internal","message":"out of order"}`,
		"null":               `null`,
		"two values":         `{"items":[],"pagination":{}}{}`,
		"deep":               strings.Repeat(`{"items":[`, 1<<18),
	} {
		s, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, body) })
		_, err := collect(client(t, cfg), ListOptions{})
		if !errors.Is(err, errShape) || !strings.Contains(err.Error(), "GET /zones/z1/policies") {
			t.Errorf("%s: got %v", name, err)
		}
		if got := s.count(); got != 1 {
			t.Errorf("%s: got %d requests, want 1", name, got)
		}
		if name == "an error" && !strings.Contains(err.Error(), "out of order") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

package zone

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestListZones(t *testing.T) {
	ids := []string{"zone_a", "zone_b", "zone_c", "zone_d", "zone_e"}
	s := open(t, func(o *Options) { o.Zones = []string{"zone_e", "zone_b", "zone_a", "zone_d", "zone_c"} })
	if got := must(t, s, "GET", "/zones", "").items("id"); !slices.Equal(got, ids) {
		t.Errorf("got %q, want %q", got, ids)
	}
	if got := must(t, s, "GET", "/zones?slug=zone_c", "").items("slug"); !slices.Equal(got, []string{"zone_c"}) {
		t.Errorf("by slug: got %q, want zone_c", got)
	}
	if a := must(t, s, "GET", "/zones?slug=zone_x", ""); len(a.items("id")) != 0 || a.text("page_info.end_cursor") != "" {
		t.Errorf("by an unknown slug: got %s, want nothing", a.raw)
	}
	var got []string
	cursor := ""
	for pages := 1; ; pages++ {
		a := must(t, s, "GET", "/zones?limit=2"+cursor, "")
		got = append(got, a.items("id")...)
		if a.text("page_info.has_previous_page") != map[bool]string{true: "false", false: "true"}[pages == 1] {
			t.Errorf("page %d: got %s", pages, a.raw)
		}
		if a.text("page_info.has_next_page") == "false" {
			break
		}
		cursor = "&cursor=" + a.text("page_info.end_cursor")
	}
	if !slices.Equal(got, ids) {
		t.Errorf("by pages: got %q, want %q", got, ids)
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "cursor=", "cursor=!", "slug=a&slug=b"} {
		if a := do(t, s, "GET", "/zones?"+query, ""); a.status != 400 {
			t.Errorf("%s: got %d, want 400", query, a.status)
		}
	}
	one := must(t, s, "GET", "/zones/zone_c", "").body
	if all := must(t, s, "GET", "/zones", "").body["items"].([]any); !reflect.DeepEqual(all[2], any(one)) {
		t.Errorf("the list has %v, and the zone is %v", all[2], one)
	}
	if uri := must(t, s, "GET", "/zones/zone_c", "").text("protocols.oauth2.jwks_uri"); !strings.HasSuffix(uri, "/zones/zone_c/openidconnect/jwks") {
		t.Errorf("jwks_uri is %q", uri)
	}
}

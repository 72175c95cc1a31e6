package zone

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func withFaults(t testing.TB, rules ...string) func(*Options) {
	return func(o *Options) {
		for _, rule := range rules {
			f, err := ParseFault(rule)
			if err != nil {
				t.Fatal(err)
			}
			o.Faults = append(o.Faults, f)
		}
	}
}

func TestParseFault(t *testing.T) {
	for _, rule := range []string{
		"POST /…/versions:503", "POST /.../versions:503@0.1", "get /…:429=2#3", "* /…:drop",
		"PATCH /zones/*/policy-sets/*/versions/*:refuse@1#1", "POST /…:lag=500ms", "GET /…:delay=200ms@0",
		"DELETE /zones/*/policies/pol_*:truncate", "POST /service-account-token:429=150ms", "  GET  /…:599 ",
		"POST /x:503+retry", "POST /x:409=2+no-retry@0.5#3",
	} {
		if _, err := ParseFault(rule); err != nil {
			t.Errorf("%q: %v", rule, err)
		}
	}
	for _, rule := range []string{
		"", "POST", "POST /x", "POST x:503", "/x:503", "PO-ST /x:503", "POST /x:", "POST /x:banana", "POST /x:200", "POST /x:600",
		"POST /x:503=soon", "POST /x:503=-1", "POST /x:drop=1", "POST /x:lag", "POST /x:lag=", "POST /x:delay=-1s", "POST /x:delay=9999h",
		"POST /x:503@2", "POST /x:503@-0.1", "POST /x:503@NaN", "POST /x:503@", "POST /x:503#0", "POST /x:503#x", "POST /[:503",
		"POST /x:503+", "POST /x:503+maybe", "POST /x:drop+retry",
	} {
		if f, err := ParseFault(rule); err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("%q: got %+v, %v; want an error that quotes it", rule, f, err)
		}
	}
	for _, part := range []string{"METHOD /path:KIND", "drop", "refuse", "truncate", "lag=", "delay=", "+retry"} {
		if !strings.Contains(FaultHelp, part) {
			t.Errorf("the help doesn't explain %s", part)
		}
	}
}

func TestFaultPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, path string
		want          bool
	}{
		{"/…", "/", true}, {"/…", "/a/b", true}, {"/a", "/a", true}, {"/a", "/a/b", false}, {"/a/…", "/a", true}, {"/a/…", "/b/a", false},
		{"/…/versions", "/zones/z/policies/p/versions", true}, {"/…/versions", "/zones/z/policies/p/versions/v", false},
		{"/…/versions/*", "/a/versions/b/versions/c", true}, {"/*/b", "/a/b", true}, {"/*/b", "/a/c/b", false},
		{"/…/policies/…/versions", "/zones/z/policies/p/versions", true}, {"/zones/zone_*/…", "/zones/zone_local/x", true},
	} {
		f, err := ParseFault("GET " + test.pattern + ":503")
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequest("GET", "http://x"+test.path, nil)
		if got := f.matches(r); got != test.want {
			t.Errorf("%s matches %s: got %v, want %v", test.pattern, test.path, got, test.want)
		}
	}
}

func TestFaultStatus(t *testing.T) {
	s := open(t, withFaults(t, "POST /…/policies:429=150ms#2", "POST /…/policies:503#3", "POST /…/policies:409=7#4"))
	for i, test := range []struct {
		status    int
		after, ms string
	}{{201, "", ""}, {429, "1", "150"}, {503, "", ""}, {409, "7", "7000"}, {201, "", ""}} {
		a := do(t, s, "POST", "policies", `{"name":"p`+string(rune('a'+i))+`"}`)
		if a.status != test.status || a.header.Get("Retry-After") != test.after || a.header.Get("Retry-After-Ms") != test.ms {
			t.Errorf("request %d: got %d with %v, want %+v", i+1, a.status, a.header, test)
		}
	}
	for rule, want := range map[string]string{"GET /…:503": "", "GET /…:409+retry": "true", "GET /…:503=1+no-retry": "false"} {
		a := do(t, open(t, withFaults(t, rule)), "GET", "policies", "")
		if got := a.header.Get("X-Should-Retry"); got != want {
			t.Errorf("%s: x-should-retry is %q, want %q", rule, got, want)
		}
	}
	if got := len(must(t, s, "GET", "policies?filter[owner_type]=customer", "").items("id")); got != 2 {
		t.Errorf("a failed create did its work: got %d policies, want 2", got)
	}
}

func TestFaultsThatBreakOff(t *testing.T) {
	s := open(t, withFaults(t, "POST /…/policies:drop#1", "POST /…/policies:refuse#2", "POST /…/policies:truncate#3"))
	for i, name := range []string{"dropped", "refused", "truncated"} {
		_, err := try(s, "POST", "policies", `{"name":"`+name+`"}`)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("request %d: got %v, want a connection that ends", i+1, err)
		}
	}
	got := strings.Join(must(t, s, "GET", "policies?filter[owner_type]=customer&order=asc", "").items("name"), " ")
	if got != "dropped truncated" {
		t.Errorf("work that was done: got %q", got)
	}
}

func TestFaultProbability(t *testing.T) {
	count := func() (failed int) {
		s := open(t, withFaults(t, "GET /…:503@0.3"))
		for range 200 {
			if do(t, s, "GET", "policies", "").status == 503 {
				failed++
			}
		}
		return failed
	}
	first := count()
	if first < 30 || first > 90 {
		t.Errorf("of 200 requests %d failed, want about 60", first)
	}
	if second := count(); second != first {
		t.Errorf("two runs differ: %d and %d failed", first, second)
	}
}

func TestFaultDelay(t *testing.T) {
	s := open(t, withFaults(t, "GET /…:delay=30ms", "GET /…:delay=20ms"))
	start := time.Now()
	must(t, s, "GET", "policies", "")
	if took := time.Since(start); took < 50*time.Millisecond {
		t.Errorf("two delays: took %v, want at least 50ms", took)
	}
}

func TestFaultLag(t *testing.T) {
	s := open(t, withFaults(t, "POST /…:lag=80ms"))
	start := time.Now()
	must(t, s, "POST", "policies", `{"name":"late"}`)
	v := must(t, s, "POST", "policies/pol_late_1/versions", raw(permitAll)) // writes see it
	gone := do(t, s, "GET", "policies/pol_late_1", "").status
	below := do(t, s, "GET", "policies/pol_late_1/versions/"+v.text("id"), "").status
	list := must(t, s, "GET", "policies?filter[owner_type]=customer&expand[]=total_count", "")
	if time.Since(start) < 80*time.Millisecond { // else this machine was too slow to say
		if gone != 404 || below != 404 || list.text("pagination.total_count") != "0" {
			t.Errorf("while it lags: got %d, %d and %s", gone, below, list.raw)
		}
	}
	time.Sleep(100 * time.Millisecond)
	must(t, s, "GET", "policies/pol_late_1", "")
	must(t, s, "GET", "policies/pol_late_1/versions/"+v.text("id"), "")
	if got := must(t, s, "GET", "policies?filter[owner_type]=customer", "").items("name"); len(got) != 1 {
		t.Errorf("afterwards: got %v", got)
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add("POST /…/versions:503@0.1#2")
	f.Add("GET /.../*:429=150ms")
	f.Add("* /[a-:drop")
	f.Fuzz(func(t *testing.T, rule string) {
		fault, err := ParseFault(rule)
		if err != nil {
			return
		}
		if fault.probability < 0 || fault.probability > 1 || fault.wait < 0 || fault.wait > maxFaultWait {
			t.Errorf("%q: got %+v", rule, fault)
		}
		r, _ := http.NewRequest("POST", "http://x/zones/z/policies/p/versions", nil)
		fault.method = "POST"
		fault.matches(r)
	})
}

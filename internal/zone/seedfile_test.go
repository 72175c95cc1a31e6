package zone

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func seedFiles(files map[string]string) fs.FS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

const goodSeed = `{
  "policies": [
    {"name": "finance-read", "description": "Ledger.", "versions": [
      {"cedar_file": "cedar/finance.cedar"},
      {"cedar_raw": "forbid (principal, action, resource);", "schema_version": "2026-03-16"},
      {"cedar_raw": "forbid (principal, action, resource);"}]},
    {"name": "draft"}
  ],
  "policy_sets": [
    {"name": "agents", "active": 2, "versions": [
      {"policies": [{"policy": "finance-read", "version": 1}]},
      {"policies": ["finance-read", "default-user-grants"]}]},
    {"name": "empty"}
  ]
}`

func TestSeed(t *testing.T) {
	files := seedFiles(map[string]string{"seed.json": goodSeed, "cedar/finance.cedar": permitAll, "in/seed.json": `{}`})
	for _, name := range []string{"seed.json", "."} {
		seed, err := ReadSeed(files, name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "zone.db")
		s := open(t, inFile(path), func(o *Options) { o.Seed = seed; o.Zones = []string{LocalZoneID, "zone_other"} })
		checkInvariants(t, s)
		if got, want := must(t, s, "GET", "policies?filter[owner_type]=customer&order=asc", "").items("name"), []string{"finance-read", "draft"}; !slices.Equal(got, want) {
			t.Errorf("policies: got %q, want %q", got, want)
		}
		v := must(t, s, "GET", "policy-sets/ps_agents_1/versions/psv_agents_1_2", "")
		entries := v.body["manifest"].(map[string]any)["entries"].([]any)
		if v.text("active") != "true" || len(entries) != 2 || entries[0].(map[string]any)["policy_version_id"] != "pv_finance-read_1_3" {
			t.Errorf("the active version: got %s", v.raw)
		}
		if got := must(t, s, "GET", "policies/pol_finance-read_1/versions/pv_finance-read_1_1", "").text("cedar_raw"); !strings.Contains(got, "permit") {
			t.Errorf("from a file: got %q", got)
		}
		must(t, s, "GET", "/zones/zone_other/policy-sets/ps_agents_1", "")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, change := range []func(*Options){
			func(o *Options) {},
			func(o *Options) { o.Zones = []string{LocalZoneID, "zone_new"} },
			func(o *Options) { o.ReadOnly = true },
		} {
			if _, err := Open(func() Options { o := Options{Path: path, Seed: seed}; change(&o); return o }()); !errors.Is(err, ErrNotEmpty) {
				t.Errorf("a second time: got %v, want ErrNotEmpty", err)
			}
		}
	}
	if _, err := ReadSeed(files, "in"); err != nil {
		t.Errorf("an empty seed in a folder: %v", err)
	}
}

func TestBadSeeds(t *testing.T) {
	version := func(text string) string { return `{"policies":[{"name":"a","versions":[` + text + `]}]}` }
	set := func(text string) string {
		return `{"policies":[{"name":"a","versions":[{"cedar_raw":"permit (principal, action, resource);"}]},{"name":"b"}],"policy_sets":[` + text + `]}`
	}
	for _, test := range []struct{ seed, want string }{
		{``, "must be a JSON object"},
		{`{"policy":[]}`, `unknown property "policy"`},
		{`{"policies":{}}`, "policies must be an array"},
		{`{"policies":[{"versions":[]}]}`, "policies[0]: name is required"},
		{`{"policies":[{"name":"a","description":1}]}`, "description must be a string"},
		{version(`{}`), "policies[0]: versions[0]: cedar_raw or cedar_json is required"},
		{version(`{"cedar_raw":""}`), "empty"},
		{version(`{"cedar_raw":"permit"}`), "versions[0]"},
		{version(`{"cedar_raw":"x","cedar_file":"y"}`), "cedar_file can't be combined"},
		{version(`{"cedar_file":"missing.cedar"}`), "missing.cedar"},
		{version(`{"cedar_file":"../outside.cedar"}`), "outside of the seed's folder"},
		{version(`{"cedar_file":1}`), "cedar_file must be a string"},
		{version(`{"cedar_raw":"permit (principal, action, resource);","schema_version":"1999-01-01"}`), "1999-01-01"},
		{set(`{"name":"s","versions":[{"policies":[]}]}`), "needs at least one policy"},
		{set(`{"name":"s","versions":[{"policies":"a"}]}`), "policies must be an array"},
		{set(`{"name":"s","versions":[{"policies":[1]}]}`), "must be a JSON object"},
		{set(`{"name":"s","versions":[{"policies":[{"policy":"a","version":0}]}]}`), "version must be a number from 1"},
		{set(`{"name":"s","versions":[{"policies":["a"],"schema_version":"x"}]}`), "there is no policy schema"},
		{set(`{"name":"s","active":1}`), "there is no version 1"},
		{set(`{"name":"s","active":"1"}`), "active must be a number"},
	} {
		_, err := ReadSeed(seedFiles(map[string]string{"zone.json": test.seed}), "zone.json")
		if err == nil || !strings.HasPrefix(err.Error(), "zone.json: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\n got %v, want an error with %q", test.seed, err, test.want)
		}
	}
	// These are found when a store is made; nothing of it stays.
	for _, test := range []struct{ seed, want string }{
		{set(`{"name":"s","versions":[{"policies":["c"]}]}`), `policy set "s": version 1: there is no policy "c"`},
		{set(`{"name":"s","versions":[{"policies":["b"]}]}`), `policy "b" has no version 1`},
		{set(`{"name":"s","versions":[{"policies":[{"policy":"a","version":2}]}]}`), `policy "a" has no version 2`},
		{set(`{"name":"s","versions":[{"policies":["a","a"]}]}`), "twice"},
		{set(`{"name":"s","versions":[{"policies":["a"],"schema_version":"2026-03-16"}]}`), "was validated against schema"},
		{set(`{"name":"default-zone-policies"}`), "exists already"},
		{`{"policies":[{"name":"a"},{"name":"a"}]}`, "exists already"},
	} {
		seed, err := ReadSeed(seedFiles(map[string]string{"zone.json": test.seed}), "zone.json")
		if err != nil {
			t.Fatalf("%s: %v", test.seed, err)
		}
		path := filepath.Join(t.TempDir(), "zone.db")
		if _, err := Open(Options{Path: path, Seed: seed}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\n got %v, want an error with %q", test.seed, err, test.want)
		}
		if _, err := Open(Options{Path: path, Seed: &Seed{}}); err != nil {
			t.Errorf("%s: something of it stayed: %v", test.seed, err)
		}
	}
	if _, err := ReadSeed(seedFiles(nil), "zone.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: got %v, want fs.ErrNotExist", err)
	}
}

func FuzzSeed(f *testing.F) {
	f.Add([]byte(goodSeed))
	f.Add([]byte(`{"policies":[{"name":"a","versions":[{"cedar_json":{}}]}],"policy_sets":[{"name":"b","versions":[{"policies":[{}]}]}]}`))
	files := seedFiles(map[string]string{"cedar/finance.cedar": permitAll})
	f.Fuzz(func(t *testing.T, b []byte) {
		seed, err := parseSeed(files, ".", b)
		if err != nil {
			return
		}
		s, err := Open(Options{NoAuth: true, SequentialIDs: true, Seed: seed})
		if err == nil {
			checkInvariants(t, s)
		}
	})
}

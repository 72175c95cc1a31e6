package zone

import (
	"fmt"
	"path/filepath"
	"testing"
)

func inFile(path string) func(*Options) {
	return func(o *Options) { o.Path = path }
}

// BenchmarkCreate is a policy and its first version in a file that holds 10,000
// others, fsyncs included.
func BenchmarkCreate(b *testing.B) {
	s := open(b, inFile(filepath.Join(b.TempDir(), "zone.db")))
	fill(b, s, 10_000)
	b.ResetTimer()
	for i := range b.N {
		p := must(b, s, "POST", "policies", fmt.Sprintf(`{"name":"bench-%d"}`, i))
		must(b, s, "POST", "policies/"+p.text("id")+"/versions", raw(permitAll))
	}
}

// fill creates n policies with a version each, and one set with all of them.
func fill(t testing.TB, s *Server, n int) {
	t.Helper()
	text, err := newContent(permitAll, defaultSchema)
	if err != nil {
		t.Fatal(err)
	}
	c := &call{s: s, store: s.main, zone: LocalZoneID, subject: localUser}
	var m storedManifest
	err = s.main.update(func(w *writer) error {
		for i := range n {
			p, err := addPolicy(w, c.zone, c.newPolicy(w, fmt.Sprintf("policy-%05d", i), nil, targetZone))
			if err != nil {
				return err
			}
			v, err := c.addVersion(w, p, text)
			if err != nil {
				return err
			}
			m.Entries = append(m.Entries, entry{v.Version.PolicyID, v.Version.ID, v.Version.SHA})
			m.Places = append(m.Places, v.Place)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for _, e := range m.Entries {
		pairs = append(pairs, e.PolicyID, e.PolicyVersionID)
	}
	must(t, s, "POST", "policy-sets", `{"name":"all"}`)
	must(t, s, "POST", "policy-sets/ps_all_1/versions", manifestOf(pairs...))
}

// BenchmarkReadPinned reads the 100 pages of a set version's policies.
func BenchmarkReadPinned(b *testing.B) {
	s := open(b, inFile(filepath.Join(b.TempDir(), "zone.db")))
	fill(b, s, 10_000)
	b.ResetTimer()
	for range b.N {
		path := "policy-sets/ps_all_1/versions/psv_all_1_1/policies?format=cedar&limit=100"
		for after := ""; ; {
			a := must(b, s, "GET", path+after, "")
			cursor := a.text("pagination.after_cursor")
			if cursor == "" {
				break
			}
			after = "&after=" + cursor
		}
	}
}

// BenchmarkSetVersion creates a version with 10,000 entries.
func BenchmarkSetVersion(b *testing.B) {
	s := open(b, inFile(filepath.Join(b.TempDir(), "zone.db")))
	fill(b, s, 10_000)
	v := must(b, s, "GET", "policy-sets/ps_all_1/versions/psv_all_1_1", "")
	var pairs []string
	for _, e := range v.body["manifest"].(map[string]any)["entries"].([]any) {
		e := e.(map[string]any)
		pairs = append(pairs, fmt.Sprint(e["policy_id"]), fmt.Sprint(e["policy_version_id"]))
	}
	body := manifestOf(pairs...)
	b.ResetTimer()
	for range b.N {
		must(b, s, "POST", "policy-sets/ps_all_1/versions", body)
	}
}

// BenchmarkOpenMissing opens a store that isn't there, as a plan does.
func BenchmarkOpenMissing(b *testing.B) {
	for range b.N {
		s, err := Open(Options{Path: filepath.Join(b.TempDir(), "none"), ReadOnly: true, NoAuth: true})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

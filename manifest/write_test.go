package manifest

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// same compares what two sets say, not where.
func sameSet(a, b *Set) bool {
	strip := func(s *Set) Set {
		c := Set{Name: s.Name, Was: s.Was, SchemaVersion: s.SchemaVersion, TargetType: s.TargetType, Targets: s.Targets}
		for _, e := range s.Entries {
			e.Position.File, e.Position.Line, e.Position.Column = "", 0, 0
			c.Entries = append(c.Entries, e)
		}
		return c
	}
	return reflect.DeepEqual(strip(a), strip(b))
}

const sha = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func TestWriteSet(t *testing.T) {
	set := &Set{
		Name: "agents", SchemaVersion: "2026-06-18", TargetType: "zone", Targets: []string{"production"},
		Entries: []Entry{
			{Policy: "finance-read", Source: "policies/finance-read.cedar", Description: "Finance may read: all of it."},
			{Policy: "default-user-grants", Version: 3},
			{PolicyID: "pol_7", VersionID: "4711", SHA: sha},
			{Policy: "yes", Was: "no # really", Source: "policies/yes.cedar"},
		},
	}
	want := `apiVersion: policypin.dev/v1
kind: PolicySet
name: agents
schema_version: "2026-06-18"
targets: [production]
entries:
  - policy: finance-read
    source: policies/finance-read.cedar
    description: "Finance may read: all of it."
  - policy: default-user-grants
    version: 3
  - policy_id: pol_7
    policy_version_id: "4711"
    sha: "` + sha + `"
  - policy: "yes"
    was: "no # really"
    source: policies/yes.cedar
`
	got := string(WriteSet(set))
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	read, problems, _ := parseSet("agents.yaml", []byte(got))
	if read == nil || problems.Err() != nil || !sameSet(read, set) {
		t.Errorf("reading it back: got %+v with %v", read, problems)
	}
}

func TestWriteProject(t *testing.T) {
	two := 2
	tests := []struct {
		name string
		p    *Project
		want string
	}{
		{"nothing but defaults", NewProject(), ""},
		{
			"targets", NewProject(Target{Name: "local"}, Target{Name: "production", ZoneID: "zone_prd", Pins: "prd", Branch: "main", Active: "agents: all"}),
			"targets:\n  local: {}\n  production:\n    zone_id: zone_prd\n    branch: main\n    pins: prd\n    active: \"agents: all\"\n",
		},
		{
			"everything else", &Project{
				Manifests: []string{"sets/*.yaml", "more/*.yaml"}, Schemas: "cedar/{version}.schema", DefaultTarget: "local",
				Entities: []string{"export/*.json"},
				Gates:    Gates{MaxRemovedEntries: &two, Widened: "refuse", Uncovered: "allow"},
			},
			"manifests: [\"sets/*.yaml\", \"more/*.yaml\"]\nschemas: \"cedar/{version}.schema\"\ntests: []\nentities: [\"export/*.json\"]\nrequests: []\ngates:\n  max_removed_entries: 2\n  widened: refuse\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := WriteProject(tt.p)
			if want := "apiVersion: policypin.dev/v1\nkind: Project\n" + tt.want; string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			read, problems, err := LoadProject(fstest.MapFS{ProjectFile: {Data: got}})
			if err != nil || problems.Err() != nil {
				t.Fatalf("reading it back: %v %v", err, problems)
			}
			if again := WriteProject(read); !bytes.Equal(again, got) {
				t.Errorf("written again:\n%s", again)
			}
		})
	}
}

// FuzzWriteSet writes names that CheckName allows, and reads them back.
func FuzzWriteSet(f *testing.F) {
	for _, s := range []string{"agents", "true", "1e3", "- a", "a: b", "a #b", "*a", "ü", "a\"b\\c", "2026-01-01", "~", "=", "<<", "a, b", "{x}", "'", "!tag", "&x", "%d", "日本"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, name, description string) {
		if CheckName(name) != nil || CheckSetName(name) != nil || CheckDescription(description) != nil {
			return
		}
		if strings.ToValidUTF8(description, "") != description || len(tokenSpans([]byte(name+" "+description))) > 0 {
			return
		}
		set := &Set{Name: name, SchemaVersion: "1.10", TargetType: "zone", Entries: []Entry{{Policy: name, Source: "a.cedar", Description: description}}}
		text := WriteSet(set)
		read, problems, _ := parseSet("a.yaml", text)
		if problems.Err() != nil || !sameSet(read, set) {
			t.Fatalf("%q: got %v from\n%s", name, problems, text)
		}
	})
}

func TestChecks(t *testing.T) {
	token := "ghp_" + strings.Repeat("a1B2", 9)
	for _, tt := range []struct {
		check func(string) error
		good  []string
		bad   []string
	}{
		{CheckName, []string{"a", "Finance read", "日本"}, []string{"", " a", "a\x1b", strings.Repeat("a", 201), token}},
		{CheckSetName, []string{"a"}, []string{"", strings.Repeat("ü", 60), token}},
		{CheckTargetName, []string{"prod"}, []string{"", "a/b", "a b"}},
		{CheckID, []string{"zone_1"}, []string{"", "a b"}},
		{CheckSchemaVersion, []string{"2026-06-18"}, []string{"", "../x"}},
		{CheckDescription, []string{"", "a\nb"}, []string{strings.Repeat("a", 5000), token}},
	} {
		for _, s := range tt.good {
			if err := tt.check(s); err != nil {
				t.Errorf("%q: %v", s, err)
			}
		}
		for _, s := range tt.bad {
			if tt.check(s) == nil {
				t.Errorf("%q passes", s)
			}
		}
	}
}

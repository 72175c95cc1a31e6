package manifest

import (
	"strings"
	"testing"
)

func TestWithSchemaChangesTheValueAlone(t *testing.T) {
	const rest = "\nentries:\n  - {policy: a, version: 1} # schema_version: 2026-03-16\n"
	tests := []struct{ name, line, version, want string }{
		{"double quotes", `schema_version: "2026-03-16" # why`, "2026-06-18", `schema_version: "2026-06-18" # why`},
		{"single quotes", `schema_version:   '2026-03-16'`, "2026-06-18", `schema_version:   '2026-06-18'`},
		{"a plain date", `schema_version: 2026-03-16  # dated`, "2026-06-18", `schema_version: 2026-06-18  # dated`},
		{"a plain date becomes a number", `schema_version: 2026-03-16`, "1.10", `schema_version: "1.10"`},
		{"a plain word", `schema_version: next`, "v2", `schema_version: v2`},
		{"escapes", `schema_version: "2026\u002d03-16"`, "2026-06-18", `schema_version: "2026-06-18"`},
		{"a quoted key", `"schema_version" : "2026-03-16"`, "2026-06-18", `"schema_version" : "2026-06-18"`},
		{"the same", `schema_version: "2026-03-16"`, "2026-03-16", `schema_version: "2026-03-16"`},
	}
	for _, tt := range tests {
		for _, end := range []string{"\n", "\r\n"} {
			t.Run(tt.name, func(t *testing.T) {
				text := func(line string) string {
					all := "# ünïcode\napiVersion: policypin.dev/v1\nkind: PolicySet\nname: ü   # 2026-03-16\n" + line + rest
					return strings.ReplaceAll(all, "\n", end)
				}
				s, problems, _ := parseSet("a.yaml", []byte(text(tt.line)))
				if problems.Err() != nil {
					t.Fatal(problems)
				}
				got, err := s.WithSchema(tt.version)
				if err != nil || string(got) != text(tt.want) {
					t.Errorf("got %v and\n%s\nwant\n%s", err, got, text(tt.want))
				}
			})
		}
	}
}

func TestWithSchemaInFlowStyle(t *testing.T) {
	s, problems, _ := parseSet("a.yaml", []byte(`{apiVersion: policypin.dev/v1, kind: PolicySet, name: "ü", schema_version: 2026-03-16, entries: [{policy: a, version: 1}]}`))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	got, err := s.WithSchema("2026-06-18")
	if err != nil || !strings.Contains(string(got), `name: "ü", schema_version: 2026-06-18, entries`) {
		t.Errorf("got %v and %s", err, got)
	}
}

func TestWithSchemaRefusesWhatItCantKeep(t *testing.T) {
	for name, tt := range map[string]struct{ value, version string }{
		"a block":       {">-\n  2026-03-16", "2026-06-18"},
		"two lines":     {"\"2026-\\\n  03-16\"", "2026-06-18"},
		"a bad version": {`"2026-03-16"`, "../x"},
	} {
		s, problems, _ := parseSet("a.yaml", []byte("apiVersion: policypin.dev/v1\nkind: PolicySet\nname: a\nschema_version: "+tt.value+"\nentries:\n  - {policy: a, version: 1}\n"))
		if problems.Err() != nil {
			t.Fatalf("%s: %v", name, problems)
		}
		if got, err := s.WithSchema(tt.version); err == nil {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if _, err := (&Set{SchemaVersion: "a"}).WithSchema("b"); err == nil {
		t.Error("a set without a file was changed")
	}
}

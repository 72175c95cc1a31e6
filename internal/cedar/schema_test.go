package cedar

import (
	"fmt"
	"strings"
	"testing"
)

var zoneVersions = []string{"2026-02-24", "2026-03-16", "2026-06-18"}

func TestSchemaAsJSONValidatesTheSame(t *testing.T) {
	for _, version := range zoneVersions {
		s := zoneSchema(t, version)
		doc, err := s.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSchemaJSON(doc)
		if err != nil {
			t.Fatalf("%s: %v", version, err)
		}
		p := mustParse(t, head+"when { principal.emial == 1 && resource.id };")
		got, want := again.Validate(p), s.Validate(p)
		if got.Error() != want.Error() || len(want) == 0 {
			t.Errorf("%s:\n got %v\nwant %v", version, got, want)
		}
	}
}

func TestSchemaProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a keyword that isn't one", "namespace A {\n  entitty User;\n}", `s:2:3: error: expected declaration (entity, action, or type), got identifier "entitty" [schema-syntax]`},
		{"no closing brace", "namespace A {\n  entity User;\n", "s:3:1: error: expected '}' to close namespace, got EOF [schema-syntax]"},
		{"an unknown type", "entity User = {\n  a: Strin,\n};", `s:2:6: error: entity "User" shape: attribute "a": undefined type "Strin" [schema-invalid]`},
		{"an unknown entity type", "entity User in [Group];", `s:1:17: error: entity "User": undefined entity type "Group" [schema-invalid]`},
		{"a type of itself", "type A = { a: B };\ntype B = { b: A };\nentity E = A;", "[schema-"},
		{"an open string", "entity E enum [\"a\n\"];", "s:1:16: error: string isn't closed on its line [schema-syntax]"},
		{"a comma at the end of a list", "entity A;\nentity B in [A,];", "s:2:15: error: a list can't end in a comma [schema-syntax] (remove it)"},
		{"no comma between attributes", "entity A {\n  @doc(\"b\") b: Long\n  @doc(\"c\") c: Long\n};", "s:3:3: error: expected ',' or '}', got @ [schema-syntax]"},
		{"no comma in appliesTo", "entity A;\naction a, \"b\" appliesTo { principal: A resource: A };", "s:2:40: error: expected ',' or '}', got resource [schema-syntax]"},
		{"an action in no group", "action a, \"b\" in [];", "s:1:18: error: an action can't be in an empty list [schema-syntax] (remove `in []`)"},
		{"a type called Boolean", "namespace N {\n  entity A { b?: Set<Boolean> };\n}", `s:2:22: error: there is no type "Boolean"; it is called Bool [schema-invalid]`},
		{"an entity type called Action", "namespace N {\n  entity Action;\n}", `s:2:10: error: "N::Action" can't be declared as an entity type: it is the type of actions [schema-invalid]`},
		{"a byte order mark", "\ufeffentity E;", "s:1:1: error: file starts with a byte order mark, which Cedar doesn't accept [byte-order-mark] (save the file as UTF-8 without BOM)"},
		{"a carriage return", "entity E;\r", "s:1:10: error: carriage return without a line feed [control-character]"},
		{"deep nesting", "type A = " + strings.Repeat("Set<", 101) + "Long" + strings.Repeat(">", 101) + ";", "s:1:413: error: more than 100 levels of nesting [schema-too-deep]"},
		{"too large", strings.Repeat(" ", MaxSourceBytes+1), "s: error: schema has 1048577 bytes, more than 1048576 [schema-too-large]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, problems := ParseSchema("s", []byte(tt.text))
			if s != nil || !strings.Contains(problems.Error(), tt.want) {
				t.Errorf("\n got %s\nwant %s", problems.Error(), tt.want)
			}
		})
	}
}

// A schema of a few lines can stand for a type of any size, or for any number
// of combinations that each condition is checked for.
func TestSchemaLimits(t *testing.T) {
	var doubling, deep, many, wide strings.Builder
	for i := range 60 {
		fmt.Fprintf(&doubling, "type T%d = { a: T%d, b: T%d };\n", i, i+1, i+1)
		fmt.Fprintf(&deep, "type T%d = { a?: T%d };\n", i, i+1)
	}
	doubling.WriteString("type T60 = Long;\nentity E = { a: T0 };")
	deep.WriteString("type T60 = { a?: Long };\nentity E = { a: T0 };")
	for i := range maxTypes + 1 {
		fmt.Fprintf(&many, "entity E%d;\n", i)
	}
	var list []string
	for i := range 300 {
		fmt.Fprintf(&wide, "entity E%d;\n", i)
		list = append(list, fmt.Sprintf("E%d", i))
	}
	all := "[" + strings.Join(list, ",") + "]"
	fmt.Fprintf(&wide, "action A appliesTo { principal: %s, resource: %s };", all, all)
	for _, tt := range []struct{ name, text, want string }{
		{"a type that doubles 60 times", doubling.String(), "too large when its types are written out"},
		{"records 60 deep", deep.String(), "more than 16 levels deep"},
		{"too many types", many.String(), "more than 5000"},
		{"too many combinations", wide.String(), "90000 combinations"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, problems := ParseSchema("s", []byte(tt.text))
			if s != nil || !strings.Contains(problems.Error(), tt.want) {
				t.Errorf("got %s want %s", clip(problems.Error()), tt.want)
			}
		})
	}
}

func TestSchemaJSONRefuses(t *testing.T) {
	for _, tt := range []struct{ name, doc, want string }{
		{"nothing", "", "not valid JSON"},
		{"another shape", `{"": {"entityTypes": []}}`, "reading a schema"},
		{"an entity type called Action", `{"N": {"entityTypes": {"Action": {}}, "actions": {}}}`, "type of actions"},
		{"an unknown type", `{"": {"entityTypes": {"A": {"shape": {"type": "Record", "attributes": {"a": {"type": "Nope"}}}}}, "actions": {}}}`, "Nope"},
		{"deep nesting", strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), "levels of nesting"},
		{"type nesting", `{"": {"commonTypes": {"A": ` + strings.Repeat(`{"type":"Set","element":`, 40) + `{"type":"Long"}` + strings.Repeat("}", 40) + `}, "entityTypes": {}, "actions": {}}}`, "levels deep"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseSchemaJSON([]byte(tt.doc))
			if s != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v want %s", err, tt.want)
			}
		})
	}
}

package cedar

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestCheckSetNormalizes(t *testing.T) {
	normalized, doc, problems := CheckSet("f", []byte("// gone\n@id(\"a\") permit(principal is A,action,resource) when { context.a&&1<2 } unless {false};\nforbid(principal,action in [B::\"1\"],resource);"))
	const want = `@id("a")
permit (
  principal is A,
  action,
  resource
)
when { context.a && (1 < 2) }
unless { false };

forbid (
  principal,
  action in [B::"1"],
  resource
);
`
	if normalized != want || len(problems) > 0 {
		t.Errorf("got %s%v\nwant %s", normalized, problems, want)
	}
	const wantDoc = `{"staticPolicies":{"policy0":{"action":{"op":"All"},"annotations":{"id":"a"},"conditions":[{"body":{"&&":{"left":{".":{"attr":"a","left":{"Var":"context"}}},"right":{"<":{"left":{"Value":1},"right":{"Value":2}}}}},"kind":"when"},{"body":{"Value":false},"kind":"unless"}],"effect":"permit","principal":{"entity_type":"A","op":"is"},"resource":{"op":"All"}},` +
		`"policy1":{"action":{"entity":{"id":"1","type":"B"},"op":"in"},"conditions":[],"effect":"forbid","principal":{"op":"All"},"resource":{"op":"All"}}},"templates":{},"templateLinks":[]}`
	if string(doc) != wantDoc {
		t.Errorf("\n got %s\nwant %s", doc, wantDoc)
	}
}

func TestCheckSetKeepsLargeIntegersAsNumbers(t *testing.T) {
	_, doc, _ := CheckSet("f", []byte(head+"when { context.a == 9007199254740993 };"))
	if !json.Valid(doc) || !strings.Contains(string(doc), `{"Value":9007199254740993}`) {
		t.Errorf("got %s", doc)
	}
}

func TestCheckSetReportsProblems(t *testing.T) {
	normalized, doc, problems := CheckSet("f", []byte("permit(principal,action,resource);permit();"))
	if normalized != "" || doc != nil || problems.Error() != "f:1:42: error: expected 'principal', found ')' [cedar-syntax]" {
		t.Errorf("got %q %s %v", normalized, doc, problems)
	}
}

const bare = `{"effect":"permit","principal":{"op":"All"},"action":{"op":"All"},"resource":{"op":"All"},"conditions":[%]}`

func withBody(body string) string {
	return strings.Replace(bare, "%", `{"kind":"when","body":`+body+`}`, 1)
}

func TestFromJSON(t *testing.T) {
	one := strings.Replace(bare, "%", "", 1)
	tests := []struct{ name, doc, want string }{
		{"a bare policy", one, "permit(principal,action,resource);"},
		{"a set in the order of the document", `{"templates":{},"templateLinks":[],"staticPolicies":{"z":` + one + `,"a":` + strings.Replace(one, "permit", "forbid", 1) + `}}`, "permit(principal,action,resource); forbid(principal,action,resource);"},
		{"values that text writes as expressions", withBody(`{"==":{"left":{"Value":[1,{"a":{"__entity":{"type":"A::B","id":"x"}}}]},"right":{"Value":{"__extn":{"fn":"decimal","arg":"1.0"}}}}}`), head + `when { [1, {a: A::B::"x"}] == decimal("1.0") };`},
		{"a large integer", withBody(`{"==":{"left":{"Value":-9223372036854775808},"right":{"neg":{"arg":{"Value":9007199254740993}}}}}`), head + `when { -9223372036854775808 == -(9007199254740993) };`},
		{"the official engine's has with a path", withBody(`{"has":{"left":{"Var":"principal"},"attr":["a","b","c"]}}`), head + `when { principal has a.b.c };`},
		{"a record's member of that name", withBody(`{"==":{"left":{"Record":{"has":{"Value":1}}},"right":{"Var":"context"}}}`), head + `when { {has_: 1} == context };`},
		{"an attribute that isn't a name", withBody(`{".":{"left":{"Var":"context"},"attr":"a b\"] || true"}}`), head + `when { context["a b\"] || true"] };`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.ReplaceAll(tt.want, "has_:", `"has":`)
			got, err := FromJSON([]byte(tt.doc))
			if err != nil || !SameText(got, want) {
				t.Errorf("got %v\n%s\nwant %s", err, got, want)
			}
		})
	}
}

func TestFromJSONRefuses(t *testing.T) {
	one := strings.Replace(bare, "%", "", 1)
	tests := []struct{ name, doc, want string }{
		{"nothing", ``, "not valid JSON"},
		{"no object", `[]`, "policies in JSON must be an object"},
		{"neither form", `{"a":1}`, `unknown member "a" of a policy set`},
		{"an empty object", `{}`, "unknown effect"},
		{"an empty set", `{"staticPolicies":{}}`, "staticPolicies is empty"},
		{"templates", `{"staticPolicies":{"a":` + one + `},"templates":{"t":` + one + `},"templateLinks":[]}`, "templates are not supported"},
		{"two policies of one name", `{"staticPolicies":{"a":` + one + `,"a":` + one + `}}`, `duplicate member "a"`},
		{"data after the document", one + one, "not valid JSON"},
		{"deep nesting", withBody(strings.Repeat(`{"!":{"arg":`, 1100) + `{"Value":true}` + strings.Repeat(`}}`, 1100)), "levels of nesting"},
		{"an entity type that says more than a name", strings.Replace(one, `"principal":{"op":"All"}`, `"principal":{"op":"==","entity":{"type":"A::\"x\", action, resource); permit(principal == A","id":"x"}}`, 1), "invalid entity type"},
		{"the same in a value", withBody(`{"in":{"left":{"Var":"principal"},"right":{"Value":[{"__entity":{"type":"A B","id":"x"}}]}}}`), "invalid entity type"},
		{"an unknown operator", withBody(`{"nope":[]}`), "not a known extension function"},
		{"has that multiplies", withBody(strings.Repeat(`{"has":{"left":`, 8) + `{"Var":"principal"}` + strings.Repeat(`,"attr":["a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p"]}}`, 8)), "too large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := FromJSON([]byte(tt.doc))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v want %q", got, err, tt.want)
			}
		})
	}
}

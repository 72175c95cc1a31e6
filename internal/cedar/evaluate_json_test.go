package cedar

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/diag"
)

func TestParseEntitiesJSON(t *testing.T) {
	entities, problems := ParseEntitiesJSON("e.json", []byte(`[
  {"uid": {"type": "A::User", "id": "ada \"l\""}, "attrs": {"n": 1, "s": [true, null]}, "tags": {"a": "b"},
   "parents": [{"type": "Team", "id": "x"}, {"__entity": {"id": "y", "type": "Team"}}, "Team::\"z\""]},
  {"uid": {"__entity": {"type": "Team", "id": ""}}}
]`))
	if problems != nil || len(entities) != 2 {
		t.Fatalf("got %d entities, %v", len(entities), problems)
	}
	ada := entities[0]
	if got := ada.UID.String(); got != `A::User::"ada \"l\""` {
		t.Errorf("got uid %s", got)
	}
	if got := ada.Position.String(); got != "e.json:2:11" {
		t.Errorf("got position %s", got)
	}
	var parents []string
	for _, p := range ada.Parents {
		parents = append(parents, p.UID.String()+" "+p.Position.String())
	}
	want := []string{`Team::"x" e.json:3:16`, `Team::"y" e.json:3:45`, `Team::"z" e.json:3:88`}
	if !slices.Equal(parents, want) {
		t.Errorf("got parents %q, want %q", parents, want)
	}
	if n := ada.Attrs.Keys[0]; n.Name != "n" || n.Value.Kind != Number || n.Value.Text != "1" || n.Position.String() != "e.json:2:61" {
		t.Errorf("got attribute %+v", n)
	}
	if s := ada.Attrs.Keys[1].Value; s.Kind != List || s.Items[0].Text != "true" || s.Items[1].Kind != Null {
		t.Errorf("got attribute %+v", s)
	}
	if ada.Tags.Keys[0].Value.Text != "b" || entities[1].Attrs.Kind != Absent || entities[1].UID != (UID{Type: "Team"}) {
		t.Errorf("got %+v and %+v", ada.Tags, entities[1])
	}
}

// What is wrong in a file of entities is said where it is.
func TestEntitiesJSONProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no list", `{}`, "f:1:1: error: entities must be a list of objects, not a mapping [wrong-type]"},
		{"nothing", ``, "f:1:1: error: it isn't JSON: unexpected end of JSON input [json-syntax]"},
		{"a comma too many", "[\n1,]", "f:2:3: error: it isn't JSON: invalid character ']' looking for beginning of value [json-syntax]"},
		{"two documents", `[] []`, "f:1:4: error: it isn't JSON: invalid character '[' after top-level value [json-syntax]"},
		{"another encoding", "[\"é\", \"\xff\"]", "f:1:8: error: byte 0xff is not UTF-8 [not-utf8]"},
		{"half a pair", `["\ud800"]`, "f:1:2: error: the text has half of a surrogate pair, which stands for no character [json-syntax]"},
		{"an entity that is none", `[1]`, "f:1:2: error: an entity must be an object, not a number [wrong-type]"},
		{"no uid", `[{}]`, "f:1:2: error: the entity has no uid [missing-key]"},
		{"a slip", `[{"uid": "T::\"a\"", "attr": {}}]`, "f:1:22: error: unknown key `attr` in an entity [unknown-key] (did you mean `attrs`?)"},
		{"a key twice", "[{\"uid\": \"T::\\\"a\\\"\",\n\"uid\": 1}]", "f:2:1: error: key `uid` is already on line 1 [duplicate-key]"},
		{"parents that aren't a list", `[{"uid": "T::\"a\"", "parents": {}}]`, "f:1:33: error: parents must be a list, not a mapping [wrong-type]"},
		{"a type with a space", `[{"uid": {"type": "T ", "id": "a"}}]`, "f:1:10: error: the uid has a type that isn't one: `T ` [cedar-uid]"},
		{"a type with an id", `[{"uid": {"type": "T::\"a\"", "id": "a"}}]`, "f:1:10: error: the uid has a type that isn't one: `T::\"a\"` [cedar-uid]"},
		{"no type", `[{"uid": {"id": "a"}}]`, "f:1:10: error: the uid isn't the name of an entity [cedar-uid] (write it as {\"type\": \"T\", \"id\": \"…\"})"},
		{"more than a uid", `[{"uid": {"id": "a", "type": "T", "x": 1}}]`, "f:1:10: error: the uid isn't the name of an entity [cedar-uid] (write it as {\"type\": \"T\", \"id\": \"…\"})"},
		{"a bad parent", `[{"uid": "T::\"a\"", "parents": ["T"]}]`, "f:1:34: error: a parent isn't the name of an entity [cedar-uid]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := ParseEntitiesJSON("f", []byte(tt.text))
			if problems.Error() != tt.want {
				t.Errorf("got\n%v\nwant\n%s", problems, tt.want)
			}
		})
	}
	for name, text := range map[string]string{
		"nesting":       strings.Repeat("[", maxJSONDepth+1) + strings.Repeat("]", maxJSONDepth+1),
		"more nesting":  strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000),
		"any more":      strings.Repeat("[", 1<<20),
		"a long id":     `[{"uid": {"type": "T", "id": "` + strings.Repeat("a", maxUIDBytes) + `"}}]`,
		"many problems": "[" + strings.Repeat("1,", 10000) + "1]",
	} {
		if _, problems := ParseEntitiesJSON("f", []byte(text)); problems.Errors() == 0 || len(problems) > maxProblems {
			t.Errorf("%s: got %d problems", name, len(problems))
		}
	}
}

func TestParseRequestJSON(t *testing.T) {
	const text = `{"time": "now", "principal": "User::\"ada\"", "action": {"type": "Action", "id": "read"},
 "resource": {"__entity": {"type": "Doc", "id": "d"}}, "context": {"n": 1}}`
	got, problems := ParseRequestJSON(diag.Position{File: "log.jsonl", Line: 7}, []byte(text))
	if problems != nil {
		t.Fatal(problems)
	}
	line := fmt.Sprintf("%s %s %s", got.Principal.UID, got.Action.UID, got.Resource.UID)
	if line != `User::"ada" Action::"read" Doc::"d"` || got.Context.Keys[0].Value.Text != "1" {
		t.Errorf("got %s with %+v", line, got.Context)
	}
	if got.Position.String() != "log.jsonl:7:1" || got.Context.Position.String() != "log.jsonl:8:67" {
		t.Errorf("got positions %s and %s", got.Position, got.Context.Position)
	}
	for text, want := range map[string]string{
		`[]`: "f:1:1: error: a request must be an object, not a list [wrong-type]",
		`{"principal": "U::\"a\"", "resource": "U::\"a\""}`:                "f:1:1: error: the request has no action [missing-key]",
		`{"principal": 1, "action": "A::\"a\"", "resource": "U::\"a\""}`:   "f:1:15: error: the principal isn't the name of an entity [cedar-uid] (write it as {\"type\": \"T\", \"id\": \"…\"})",
		`{"principal": "U", "action": "A::\"a\"", "resource": "U::\"a\""}`: "f:1:15: error: the principal isn't the name of an entity [cedar-uid]",
	} {
		if _, problems := ParseRequestJSON(diag.Position{File: "f"}, []byte(text)); problems.Error() != want {
			t.Errorf("%s: got\n%v\nwant\n%s", text, problems, want)
		}
	}
}

// A datum from JSON has what encoding/json reads, in the order of the file, and
// positions that point to it.
func checkDatum(t *testing.T, lines []string, d Datum, want any) {
	t.Helper()
	at := []rune(lines[d.Line-1])
	if d.Column < 1 || d.Column > len(at) {
		t.Fatalf("position %d:%d is outside of the text", d.Line, d.Column)
	}
	starts := string(at[d.Column-1])
	switch want := want.(type) {
	case nil:
		if d.Kind != Null || starts != "n" {
			t.Fatalf("got %+v at %q for null", d, starts)
		}
	case bool:
		if d.Kind != Bool || d.Text != fmt.Sprint(want) || starts != d.Text[:1] {
			t.Fatalf("got %+v at %q for %v", d, starts, want)
		}
	case json.Number:
		if d.Kind != Number || d.Text != want.String() || starts != d.Text[:1] {
			t.Fatalf("got %+v at %q for %v", d, starts, want)
		}
	case string:
		if d.Kind != Text || d.Text != want || starts != `"` {
			t.Fatalf("got %+v at %q for %q", d, starts, want)
		}
	case []any:
		if d.Kind != List || len(d.Items) != len(want) || starts != "[" {
			t.Fatalf("got %+v at %q for %v", d, starts, want)
		}
		for i, item := range d.Items {
			checkDatum(t, lines, item, want[i])
		}
	case map[string]any:
		if d.Kind != Map || len(d.Keys) != len(want) || starts != "{" {
			t.Fatalf("got %+v at %q for %v", d, starts, want)
		}
		for _, m := range d.Keys {
			checkDatum(t, lines, m.Value, want[m.Name])
		}
	}
}

// FuzzJSON holds our reader against encoding/json.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		"", "null", "[]", "{}", "[1,]", `{"a":1,"a":2}`, "\ufeff[\"\ufeff\"]", `["\ud800","\ufffd"]`, "[\"\xff\"]", "[1e9,-0,1.50]",
		`[{"uid": {"type": "A::U", "id": "a"}, "attrs": {"é": [1, {"__entity": {"type": "T", "id": "b"}}]}, "parents": ["T::\"a\""], "tags": {}}]`,
		`{"principal": "User::\"ada\"", "action": {"type": "Action", "id": "read"}, "resource": {"__entity": {"type": "Doc", "id": "d"}}, "context": {}}`,
		strings.Repeat("[", 70), "{\"a\": \n\t[true, false, null]}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entities, problems := ParseEntitiesJSON("f", data)
		for _, e := range entities {
			if again, err := ParseUID(e.UID.String()); err != nil || again != e.UID {
				if len(e.UID.String()) <= maxUIDBytes {
					t.Fatalf("%s comes back as %v, %v", e.UID, again, err)
				}
			}
		}
		if _, problems := ParseRequestJSON(diag.Position{File: "f"}, data); len(problems) > maxProblems {
			t.Fatal("too many problems")
		}
		d, badDatum := ParseDatumJSON("f", data)
		text := strings.TrimPrefix(string(data), "\ufeff")
		var want any
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil && len(badDatum) == 0 {
			t.Fatalf("encoding/json refuses it, we don't: %v", err)
		}
		if len(badDatum) > 0 {
			for _, p := range append(badDatum, problems...) {
				if p.Line > strings.Count(text, "\n")+1 || p.Column < 0 {
					t.Fatalf("position %s is outside of the text", p.Position)
				}
			}
			return
		}
		checkDatum(t, strings.Split(text, "\n"), d, want)
	})
}

package cedar

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/policypin/policypin/diag"
)

// schemaDifferences are those in what is taken as a schema.
var schemaDifferences = []difference{
	{name: "Attributes that are actions", rule: "schema-invalid", words: `undefined type "(N::)?Action"`, ours: notCedar,
		example: `entity U { a: Action }; action b;`},
	{name: "Large schemas", rule: "schema-invalid", words: "16 levels deep", ours: notCedar,
		example: "entity U { a: " + strings.Repeat("Set<", 17) + "Long" + strings.Repeat(">", 17) + " };"},
}

func explainedSchema(problems diag.List) string {
	for _, d := range schemaDifferences {
		if len(problems) == 1 && problems[0].Rule == d.rule && regexp.MustCompile(d.words).MatchString(problems[0].Message) {
			return d.name
		}
	}
	return ""
}

// TestOfficialAgreesOnSchemas compares what the two take as a schema: the lines
// of a file, on the borders of the grammar and of names.
func TestOfficialAgreesOnSchemas(t *testing.T) {
	o := startOfficial(t)
	data, err := os.ReadFile("testdata/official/schemas.txt")
	if err != nil {
		t.Fatal(err)
	}
	taken, refused := 0, 0
	for _, text := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		s, problems := ParseSchema("s", []byte(text))
		theirs := o.ask(question{Ask: "schema", Schema: text}).Parse
		if (s == nil) == (len(theirs) == 0) && explainedSchema(problems) == "" {
			t.Errorf("%s\n we say %v\n the official engine %v", text, problems, theirs)
		}
		if s == nil {
			refused++
			continue
		}
		taken++
		doc, err := s.JSON()
		if err == nil {
			_, err = ParseSchemaJSON(doc)
		}
		if err != nil {
			t.Errorf("%s\n in JSON: %v", text, err)
		}
	}
	t.Logf("%d taken, %d refused", taken, refused)
	if taken < 80 || refused < 80 {
		t.Error("not much was compared")
	}
}

func TestOfficialSchemaDifferences(t *testing.T) {
	o := startOfficial(t)
	for _, d := range schemaDifferences {
		_, problems := ParseSchema("s", []byte(d.example))
		theirs := o.ask(question{Ask: "schema", Schema: d.example}).Parse
		if explainedSchema(problems) != d.name || len(theirs) > 0 {
			t.Errorf("%s: we say %v, the official engine %v", d.name, problems, theirs)
		}
	}
}

// Exports of all entities have the actions and the entities of enumerations, too.
func TestOfficialAgreesOnEntitiesOfTheSchema(t *testing.T) {
	o := startOfficial(t)
	const schema = `
entity E enum ["x"];
entity U;
action top;
action group in top;
action a in group appliesTo { principal: U, resource: U };
`
	s, problems := ParseSchema("s", []byte(schema))
	if s == nil {
		t.Fatal(problems)
	}
	const a, group, top = `{"uid": {"type": "Action", "id": "a"}, "attrs": {}, "parents": `, `{"uid": {"type": "Action", "id": "group"}, "attrs": {}, "parents": `, `{"uid": {"type": "Action", "id": "top"}, "attrs": {}, "parents": `
	const toGroup, toTop = `[{"type": "Action", "id": "group"}]}`, `[{"type": "Action", "id": "top"}]}`
	const both = `[{"type": "Action", "id": "group"}, {"type": "Action", "id": "top"}]}`
	for _, tt := range []struct {
		name, entities string
		taken          bool
	}{
		{"all actions", a + toGroup + "," + group + toTop + "," + top + "[]}", true},
		{"an action with all its groups", a + both, true},
		{"a group at the top", top + "[]}", true},
		{"an action without its groups", a + "[]}", false},
		{"an action without the group of its group", a + toGroup, false},
		{"an action with another group", top + toGroup, false},
		{"an action that nobody declares", `{"uid": {"type": "Action", "id": "b"}, "attrs": {}, "parents": []}`, false},
		{"an action with an attribute", `{"uid": {"type": "Action", "id": "top"}, "attrs": {"b": 1}, "parents": []}`, false},
		{"an entity of an enumeration", `{"uid": {"type": "E", "id": "x"}, "attrs": {}, "parents": [], "tags": {}}`, true},
		{"an id that the enumeration hasn't got", `{"uid": {"type": "E", "id": "y"}, "attrs": {}, "parents": []}`, false},
		{"an entity of an enumeration with a parent", `{"uid": {"type": "E", "id": "x"}, "attrs": {}, "parents": [{"type": "U", "id": "u"}]}`, false},
		{"an entity of an enumeration with a tag", `{"uid": {"type": "E", "id": "x"}, "attrs": {}, "parents": [], "tags": {"t": 1}}`, false},
	} {
		document := "[" + tt.entities + "]"
		data, problems := ParseEntitiesJSON("e", []byte(document))
		if problems.Err() == nil {
			_, problems = s.Entities(data)
		}
		theirs := o.ask(question{Ask: "entities", Schema: schema, Entities: json.RawMessage(document)}).Parse
		if ours := problems.Err() == nil; ours != tt.taken || ours != (len(theirs) == 0) {
			t.Errorf("%s: we say %v, the official engine %v, want taken %v", tt.name, problems, theirs, tt.taken)
		}
	}
}

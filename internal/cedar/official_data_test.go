package cedar

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/diag"
)

// dataSchema is what the examples of dataDifferences are for.
const dataSchema = `
entity E;
entity U = { d?: decimal, u?: U };
action a appliesTo { principal: [U], resource: [E] };
`

// dataDifferences are those in what is taken as entities or as the context of a
// request. The examples are lists of entities.
var dataDifferences = []difference{
	{name: "Entities given twice", rule: "duplicate-entity", words: "is already on line", ours: illTyped,
		example: `[{"uid": {"type": "E", "id": "x"}, "attrs": {}, "parents": []}, {"uid": {"type": "E", "id": "x"}, "attrs": {}, "parents": []}]`},
	{name: "More keys in an escape", rule: "cedar-type", words: "can't be any other mapping", ours: illTyped,
		example: `[{"uid": {"type": "U", "id": "a"}, "attrs": {"d": {"__extn": {"fn": "decimal", "arg": "1.0"}, "x": 1}}, "parents": []}]`},
	{name: "Entities as text", ours: accepted,
		example: `[{"uid": {"type": "U", "id": "a"}, "attrs": {"u": "U::\"b\""}, "parents": []}]`},
	{name: "Entities with a name alone", ours: accepted, example: `[{"uid": {"type": "E", "id": "x"}}]`},
}

func TestOfficialDataDifferences(t *testing.T) {
	o := startOfficial(t)
	s, problems := ParseSchema("s", []byte(dataSchema))
	if s == nil {
		t.Fatal(problems)
	}
	for _, d := range dataDifferences {
		data, problems := ParseEntitiesJSON("e", []byte(d.example))
		if problems.Err() == nil {
			_, problems = s.Entities(data)
		}
		a := o.ask(question{Ask: "entities", Schema: dataSchema, Entities: json.RawMessage(d.example)})
		theirs := len(a.Parse) == 0
		if ours := problems.Err() == nil; ours == theirs || ours != (d.ours == accepted) || refusedData(problems) == ours {
			t.Errorf("%s: we say %v, the official engine %v", d.name, problems, a.Parse)
		}
	}
}

// refusedData tells whether we refuse data for a reason that is documented, and
// for no other.
func refusedData(problems diag.List) bool {
	for _, p := range problems {
		if !slices.ContainsFunc(dataDifferences, func(d difference) bool { return d.rule == p.Rule && strings.Contains(p.Message, d.words) }) {
			return false
		}
	}
	return len(problems) > 0
}

// TestOfficialAgreesOnData compares what the two say of entities and requests
// that mostly don't fit their schema.
func TestOfficialAgreesOnData(t *testing.T) {
	o := startOfficial(t)
	taken, refused := 0, 0
	for i, name := range slices.Sorted(maps.Keys(officialSchemas)) {
		s, text := readSchema(t, officialSchemas[name])
		g := newGenerator(s, uint64(100+i))
		g.enter(pick(g, g.environments...))
		for range 100 {
			entities := g.entities()
			entities = entities[:min(len(entities), 3)]
			what := g.spoil(entities)
			if g.oneIn(8) {
				entities, what = append(entities, entities[0]), what+", an entity twice"
			}
			document, err := json.Marshal(entities)
			if err != nil {
				t.Fatal(err)
			}
			data, problems := ParseEntitiesJSON("e", document)
			if problems.Err() == nil {
				_, problems = s.Entities(data)
			}
			a := o.ask(question{Ask: "entities", Schema: text, Entities: entities})
			if ours, theirs := problems.Err() == nil, len(a.Parse) == 0 && a.Trap == ""; ours != theirs && !(theirs && refusedData(problems)) {
				t.Errorf("%s: entities with %s: we say %v, the official engine %v %s\n%s", name, what, problems, a.Parse, a.Trap, document)
			} else if ours {
				taken++
			} else {
				refused++
			}
		}
		q := question{Ask: "authorize", Schema: text, Policies: map[string]string{"0": head + ";"}, Entities: []any{}}
		var what []string
		for range 100 {
			r := g.request()
			what = append(what, g.spoilRequest(&r))
			q.Requests = append(q.Requests, r)
		}
		a := o.ask(q)
		if len(a.Decisions) != len(q.Requests) {
			t.Fatalf("%s %v", a.Trap, a.Parse)
		}
		world, _ := s.Entities(nil)
		authorizer := NewAuthorizer([]Named{{Name: "0", Policy: mustParse(t, head+";")}})
		for k, r := range q.Requests {
			line, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			_, problems := decide(s, authorizer, world, line)
			if ours, theirs := problems.Err() == nil, len(a.Decisions[k].Failure) == 0; ours != theirs && !(theirs && refusedData(problems)) {
				t.Errorf("%s: a request with %s: we say %v, the official engine %v\n%s", name, what[k], problems, a.Decisions[k].Failure, line)
			} else if ours {
				taken++
			} else {
				refused++
			}
		}
	}
	t.Logf("%d taken by both, %d refused by both", taken, refused)
	if taken < 100 || refused < 100 {
		t.Error("not much was compared")
	}
}

// spoil changes something in one of the entities, and says what.
func (g *generator) spoil(entities []entityJSON) string {
	e := &entities[g.IntN(len(entities))]
	switch g.IntN(9) {
	case 0:
		e.UID.Type = pick(g, "Nope", "Action", string(g.entityType()), "")
		return "the type " + e.UID.Type
	case 1:
		e.Parents = append(e.Parents, uidJSON{string(g.entityType()), g.id("")})
		return "another parent"
	case 2:
		e.Parents = append(e.Parents, e.UID)
		return "itself as a parent"
	case 3:
		e.Parents = append(e.Parents, uidJSON{"Nope", "a"})
		return "a parent of no type"
	case 4:
		if e.Tags == nil {
			e.Tags = map[string]any{}
		}
		e.Tags["t"] = g.anyValue()
		return "another tag"
	}
	return g.spoilMembers(e.Attrs)
}

// spoilMembers drops, adds or changes a member, of an inner record at times.
func (g *generator) spoilMembers(members map[string]any) string {
	names := slices.Sorted(maps.Keys(members))
	if len(names) == 0 || g.oneIn(5) {
		name := pick(g, "nothing", "", "__entity", "a b")
		members[name] = g.anyValue()
		return fmt.Sprintf("a member %q", name)
	}
	name := pick(g, names...)
	if inner, ok := members[name].(map[string]any); ok && !g.oneIn(4) {
		return name + ": " + g.spoilMembers(inner)
	}
	if g.oneIn(4) {
		delete(members, name)
		return "no " + name
	}
	members[name] = g.anyValue()
	return name + " of any value"
}

func (g *generator) anyValue() any {
	switch g.IntN(12) {
	case 0:
		return 1.5
	case 1:
		return nil
	case 2:
		return []any{1, "a"}
	case 3:
		return []any{}
	case 4:
		return map[string]any{}
	case 5:
		return map[string]any{"__extn": map[string]any{"fn": pick(g, "ip", "decimal", "datetime", "duration", "nope"), "arg": pick(g, brokenLiterals...)}}
	case 6:
		return map[string]any{"__entity": uidJSON{pick(g, "Nope", string(g.entityType())), g.id("")}}
	case 7:
		return map[string]any{"x": 1}
	case 8:
		return strings.Repeat("a", g.IntN(5))
	}
	return g.value(g.kind())
}

func (g *generator) spoilRequest(r *requestJSON) string {
	switch g.IntN(6) {
	case 0:
		r.Principal.Type = string(g.entityType())
		return "the principal " + r.Principal.Type
	case 1:
		r.Resource.Type = string(g.entityType())
		return "the resource " + r.Resource.Type
	case 2:
		r.Action.ID = pick(g, "nope", "read", "all", "join")
		return "the action " + r.Action.ID
	case 3:
		r.Principal.ID, r.Resource.ID = pick(g, generatedIDs...), pick(g, generatedIDs...)
		return "other ids"
	}
	return g.spoilMembers(r.Context)
}

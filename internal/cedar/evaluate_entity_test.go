package cedar

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go/types"
)

func TestParseUID(t *testing.T) {
	tests := []struct {
		name, text string
		want       UID // zero: refused
	}{
		{"a type and an id", `User::"ada"`, UID{"User", "ada"}},
		{"namespaces", `A::B_2::User::"ada"`, UID{"A::B_2::User", "ada"}},
		{"escapes in the id", `User::"a\"b\n\u{e9}"`, UID{"User", "a\"b\né"}},
		{"an id of any text", `User::"a::b c/é"`, UID{"User", "a::b c/é"}},
		{"an empty id", `User::""`, UID{"User", ""}},
		{"no type", `"ada"`, UID{}},
		{"no id", `User`, UID{}},
		{"an id without quotes", `User::ada`, UID{}},
		{"a number for a type", `1::"ada"`, UID{}},
		{"one colon", `User:"ada"`, UID{}},
		{"spaces", `User :: "ada"`, UID{}},
		{"a space at the end", `User::"ada" `, UID{}},
		{"a comment", "User::// x\n\"ada\"", UID{}},
		{"two ids", `User::"a"::"b"`, UID{}},
		{"an open string", `User::"ada`, UID{}},
		{"an escape that isn't one", `User::"\q"`, UID{}},
		{"nothing", ``, UID{}},
		{"a novel", `User::"` + strings.Repeat("a", maxUIDBytes) + `"`, UID{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseUID(tt.text)
			if got != tt.want || (err == nil) != (tt.want != UID{}) {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
			if again, err := ParseUID(got.String()); tt.want != (UID{}) && (again != got || err != nil) {
				t.Errorf("%s comes back as %+v, %v", got, again, err)
			}
		})
	}
}

const typesSchema = `
entity Team in [Team];
entity Color enum ["red", "green"];
entity User in [Team] = {
  n: Long, s: String, b?: Bool, set?: Set<Long>, deep?: { list: Set<{ user?: User }> },
  color?: Color, ip?: ipaddr, price?: decimal, at?: datetime, wait?: duration,
} tags Set<String>;
action read appliesTo { principal: [User], resource: [User], context: { n: Long } };
`

// randomDatum is a value of about the right form for something in typesSchema.
func randomDatum(r *rand.Rand, depth int) Datum {
	scalars := []Datum{
		{Kind: Null}, {Kind: Bool, Text: "true"}, {Kind: Number, Text: "1"}, {Kind: Number, Text: "1.5"}, {Kind: Number, Text: "0x1"},
		{Kind: Number, Text: "9223372036854775808"}, {Kind: Text, Text: "x"}, {Kind: Text, Text: `User::"u"`}, {Kind: Text, Text: `Color::"red"`},
		{Kind: Text, Text: `Color::"blue"`}, {Kind: Text, Text: `Team::"t"`}, {Kind: Text, Text: "10.0.0.1"}, {Kind: Text, Text: "1.25"},
		{Kind: Text, Text: "2026-01-01"}, {Kind: Text, Text: "1h"},
	}
	if depth == 0 || r.IntN(3) > 0 {
		return scalars[r.IntN(len(scalars))]
	}
	if r.IntN(2) == 0 {
		d := Datum{Kind: List}
		for range r.IntN(3) {
			d.Items = append(d.Items, randomDatum(r, depth-1))
		}
		return d
	}
	d := Datum{Kind: Map}
	for _, name := range []string{"list", "user", "__entity", "__extn", "type", "id", "fn", "arg"} {
		if r.IntN(5) == 0 {
			d.Keys = append(d.Keys, Member{Name: name, Value: randomDatum(r, depth-1)})
		}
	}
	return d
}

// What our check takes, the engine's validator takes as well; and of a good
// entity, both refuse the same changes.
func TestEntitiesConformAsTheEngineSays(t *testing.T) {
	schema, problems := ParseSchema("s", []byte(typesSchema))
	if schema == nil {
		t.Fatal(problems)
	}
	good := map[string][]Datum{
		"n": {{Kind: Number, Text: "-5"}}, "s": {{Kind: Text, Text: "x"}}, "b": {{Kind: Bool, Text: "false"}},
		"set":   {{Kind: List, Items: []Datum{{Kind: Number, Text: "1"}}}, {Kind: List}},
		"color": {{Kind: Text, Text: `Color::"green"`}}, "ip": {{Kind: Text, Text: "10.0.0.0/8"}}, "price": {{Kind: Number, Text: "1.50"}},
		"at": {{Kind: Text, Text: "2026-01-01T00:00:00Z"}}, "wait": {{Kind: Text, Text: "1h30m"}, {Kind: Map, Keys: []Member{{Name: "__extn", Value: Datum{Kind: Map, Keys: []Member{
			{Name: "fn", Value: Datum{Kind: Text, Text: "duration"}}, {Name: "arg", Value: Datum{Kind: Text, Text: "1h"}}}}}}}},
	}
	taken := 0
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 2))
		d := EntityData{PlacedUID: PlacedUID{UID: UID{"User", "u"}}, Attrs: Datum{Kind: Map}}
		for _, name := range keys(map[string]bool{"n": true, "s": true, "b": true, "set": true, "deep": true, "color": true, "ip": true, "price": true, "at": true, "wait": true, "other": true}) {
			switch list := good[name]; {
			case list != nil && r.IntN(20) > 0:
				d.Attrs.Keys = append(d.Attrs.Keys, Member{Name: name, Value: list[r.IntN(len(list))]})
			case r.IntN(6) == 0:
				d.Attrs.Keys = append(d.Attrs.Keys, Member{Name: name, Value: randomDatum(r, 3)})
			}
		}
		if r.IntN(3) == 0 {
			d.Tags = randomDatum(r, 2)
		}
		for range r.IntN(2) {
			d.Parents = append(d.Parents, PlacedUID{UID: []UID{{"Team", "t"}, {"User", "v"}, {"Color", "red"}}[r.IntN(3)]})
		}
		entities, problems := schema.Entities([]EntityData{d})
		e, ok := entities.own[d.engine()]
		if ok != (len(problems) == 0) {
			t.Fatalf("seed %d: problems %v, entity %v", seed, problems, ok)
		}
		if !ok {
			continue
		}
		taken++
		if err := schema.validator.Entity(e); err != nil {
			t.Fatalf("seed %d: we take %+v, the engine says %v", seed, d, err)
		}
	}
	if taken < 500 {
		t.Errorf("only %d entities were taken", taken)
	}
}

func TestEntityProblems(t *testing.T) {
	schema, _ := ParseSchema("s", []byte(typesSchema))
	number, text := func(s string) Datum { return Datum{Kind: Number, Text: s} }, func(s string) Datum { return Datum{Kind: Text, Text: s} }
	for _, tt := range []struct {
		name, attr string
		value      Datum
		want       string // "" if it is taken
	}{
		{"a number", "n", number("7"), ""},
		{"a number in quotes", "n", text("7"), "attribute `n` must be Long, not text"},
		{"a fraction", "n", number("7.0"), "attribute `n` must be a decimal number of 64 bits, not 7.0"},
		{"another base", "n", number("0x10"), "not 0x10"},
		{"text that could be a number", "s", number("7"), "attribute `s` must be String, not a number"},
		{"a set that isn't one", "set", number("7"), "attribute `set` must be Set<Long>, not a number"},
		{"an enum's id", "color", text(`Color::"red"`), ""},
		{"an id that isn't the enum's", "color", text(`Color::"rde"`), "isn't an id that Color declares"},
		{"an escaped entity", "color", entityEscape("Color", "red"), ""},
		{"an escaped entity of another type", "color", entityEscape("User", "u"), "must be of type Color, not User"},
		{"an extension's text", "ip", text("::1"), ""},
		{"an extension's number", "price", number("12.5"), ""},
		{"a bad extension value", "at", text("yesterday"), "isn't a valid datetime"},
		{"a value that was reported elsewhere", "at", Datum{Kind: Unusable}, "-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := EntityData{PlacedUID: PlacedUID{UID: UID{"User", "u"}}, Attrs: Datum{Kind: Map, Keys: []Member{{Name: tt.attr, Value: tt.value}}}}
			for _, need := range []Member{{Name: "n", Value: number("1")}, {Name: "s", Value: text("x")}} {
				if need.Name != tt.attr {
					d.Attrs.Keys = append(d.Attrs.Keys, need)
				}
			}
			entities, problems := schema.Entities([]EntityData{d})
			switch {
			case tt.want == "-":
				if len(problems) > 0 || entities.Has(d.UID) {
					t.Errorf("got %v and the entity", problems)
				}
			case tt.want == "" != (len(problems) == 0) || !strings.Contains(fmt.Sprint(problems), tt.want):
				t.Errorf("got %v, want %q", problems, tt.want)
			}
		})
	}
}

func entityEscape(kind, id string) Datum {
	return Datum{Kind: Map, Keys: []Member{{Name: "__entity", Value: Datum{Kind: Map, Keys: []Member{
		{Name: "type", Value: Datum{Kind: Text, Text: kind}}, {Name: "id", Value: Datum{Kind: Text, Text: id}}}}}}}
}

// The schema's own entities needn't be declared.
func TestEntitiesOfTheSchema(t *testing.T) {
	schema, _ := ParseSchema("s", []byte(typesSchema))
	entities, _ := schema.Entities([]EntityData{{PlacedUID: PlacedUID{UID: UID{"Team", "sales"}}}})
	for uid, want := range map[UID]bool{
		{"Color", "red"}: true, {"Color", "blue"}: false, {"Action", "read"}: true, {"Action", "write"}: false,
		{"Team", "sales"}: true, {"Team", "slaes"}: false,
	} {
		if got := entities.Has(uid); got != want {
			t.Errorf("%s: got %v, want %v", uid, got, want)
		}
	}
	if got := entities.Near(UID{"Team", "slaes"}); got != "did you mean `Team::\"sales\"`?" {
		t.Errorf("got %q", got)
	}
	if _, ok := entities.getter().Get(types.NewEntityUID("Action", "read")); !ok {
		t.Error("the engine doesn't see the actions")
	}
}

// A long chain of parents takes linear time, and a cycle ends.
func TestEntitiesOfAnyShape(t *testing.T) {
	schema, _ := ParseSchema("s", []byte(typesSchema))
	var chain []EntityData
	for i := range 50_000 {
		e := EntityData{PlacedUID: PlacedUID{UID: UID{"Team", fmt.Sprint(i)}}}
		if i < 49_999 {
			e.Parents = []PlacedUID{{UID: UID{"Team", fmt.Sprint(i + 1)}}}
		}
		chain = append(chain, e)
	}
	entities, problems := schema.Entities(chain)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := len(upwards(entities.getter(), types.NewEntityUID("Team", "0"))); got != len(chain) {
		t.Errorf("got %d ancestors, want %d", got, len(chain))
	}
	chain[len(chain)-1].Parents = []PlacedUID{{UID: UID{"Team", "0"}}}
	if _, problems = schema.Entities(chain); len(problems) != 1 || problems[0].Rule != "cedar-parent-cycle" {
		t.Errorf("got %v, want one cycle", problems)
	}
}

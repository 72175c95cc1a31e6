package cedar

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func indexRequest(t *testing.T, schema *Schema, r *rand.Rand) Request {
	t.Helper()
	request, problems := schema.Request(RequestData{
		Principal: PlacedUID{UID: []UID{{"User", fmt.Sprintf("u%d", r.IntN(5))}, {"Team", fmt.Sprintf("t%d", r.IntN(5))}}[r.IntN(2)]},
		Action:    PlacedUID{UID: UID{"Action", []string{"read", "list", "write"}[r.IntN(3)]}},
		Resource:  PlacedUID{UID: UID{"Doc", fmt.Sprintf("d%d", r.IntN(4))}},
		Context:   Datum{Kind: Map, Keys: []Member{{Name: "n", Value: Datum{Kind: Number, Text: fmt.Sprint(r.IntN(4))}}}},
	})
	if problems != nil {
		t.Fatal(problems)
	}
	return request
}

// Whether all policies are asked, or those alone whose scope matches, the answer
// is the same, and it is the one that the decision follows from. What a request
// can't lead to doesn't matter.
func TestAnswers(t *testing.T) {
	schema, _ := ParseSchema("s", []byte(indexSchema))
	permits, forbids, failures := 0, 0, 0
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 3))
		var named []Named
		var mentioned []UID
		for i := range 1 + r.IntN([]int{6, 40, 90}[seed%3]) {
			p := mustParse(t, randomPolicy(r))
			named = append(named, Named{Name: fmt.Sprintf("p%02d", i), Policy: p})
			mentioned = append(mentioned, p.Entities()...)
		}
		a := NewAuthorizer(named)
		world, problems := schema.Entities(randomEntities(r))
		if problems != nil {
			t.Fatal(problems)
		}
		for range 30 {
			request := indexRequest(t, schema, r)
			want := a.Answer(world, request)
			d := a.Decide(world, request)
			var failed []string
			for _, e := range d.Errors {
				failed = append(failed, e.Policy)
			}
			slices.Sort(failed)
			if d.Allow != (want.Permit && !want.Forbid) || !slices.Equal(failed, want.Failed) {
				t.Fatalf("seed %d, %s: got %+v, the decision is %+v", seed, request, want, d)
			}
			p, _, _ := a.Masks(world, request.Principal())
			_, action, _ := a.Masks(world, request.Action())
			_, _, resource := a.Masks(world, request.Resource())
			if got := a.AnswerOf(p&action&resource, world, request); !got.Same(want) {
				t.Fatalf("seed %d, %s: got %+v by masks, want %+v", seed, request, got, want)
			}
			small, _ := world.About(request, mentioned...)
			if got := a.Answer(small, request); !got.Same(want) {
				t.Fatalf("seed %d, %s: got %+v in the entities that it is about, want %+v", seed, request, got, want)
			}
			if want.Permit {
				permits++
			}
			if want.Forbid {
				forbids++
			}
			failures += len(want.Failed)
		}
	}
	if permits < 300 || forbids < 300 || failures < 300 {
		t.Errorf("the test shows little: %d permits, %d forbids, %d failures", permits, forbids, failures)
	}
}

func TestWith(t *testing.T) {
	schema, _ := ParseSchema("s", []byte(indexSchema))
	team := func(id string, parents ...string) EntityData {
		e := EntityData{PlacedUID: PlacedUID{UID: UID{"Team", id}}}
		for _, p := range parents {
			e.Parents = append(e.Parents, PlacedUID{UID: UID{"Team", p}})
		}
		return e
	}
	world := func(list ...EntityData) *Entities {
		e, problems := schema.Entities(list)
		if problems != nil {
			t.Fatal(problems)
		}
		return e
	}
	base := world(team("a", "b"), team("b"))
	both, ok := base.With(world(team("b", "c"), team("c")))
	if !ok || !both.Has(UID{"Team", "a"}) || !both.Has(UID{"Team", "c"}) || both.Has(UID{"Team", "d"}) || base.Has(UID{"Team", "c"}) {
		t.Fatalf("got %+v, %t", both, ok)
	}
	doc, err := both.JSON()
	if err != nil || strings.Count(string(doc), `"uid"`) != 3 || !strings.Contains(string(doc), `{"uid":{"type":"Team","id":"b"},"parents":[{"type":"Team","id":"c"}]`) {
		t.Errorf("got %s, %v", doc, err)
	}
	if _, ok := base.With(world(team("b", "a"))); ok {
		t.Error("a cycle over both was taken")
	}
	if _, ok := base.With(world(team("b", "c"), team("c", "a"))); ok {
		t.Error("a longer cycle over both was taken")
	}
}

func TestBare(t *testing.T) {
	schema, _ := ParseSchema("s", []byte(literalsSchema))
	e, _, ok := schema.Bare(UID{"Team", "t"}, UID{"Color", "red"}, UID{"Action", "read"})
	if doc, err := e.JSON(); !ok || err != nil || string(doc) != `[{"uid":{"type":"Team","id":"t"},"parents":[],"attrs":{},"tags":{}}]` {
		t.Errorf("got %s, %t, %v", doc, ok, err)
	}
	if _, missing, ok := schema.Bare(UID{"Team", "t"}, UID{"User", "u"}); ok || missing != (UID{"User", "u"}) {
		t.Errorf("got %v, %t: a user needs attributes", missing, ok)
	}
}

// An outline is refused where the request is, and has no context.
func TestOutline(t *testing.T) {
	schema, _ := ParseSchema("s", []byte(indexSchema))
	data := RequestData{
		Principal: PlacedUID{UID: UID{"User", "u"}}, Action: PlacedUID{UID: UID{"Action", "read"}}, Resource: PlacedUID{UID: UID{"Doc", "d"}},
		Context: Datum{Kind: Map, Keys: []Member{{Name: "n", Value: Datum{Kind: Number, Text: "1"}}}},
	}
	if r, problems := schema.Outline(data); problems != nil || r.request.Context.Len() != 0 {
		t.Errorf("got %+v, %v", r, problems)
	}
	for _, bad := range []Datum{{}, {Kind: Text}, {Kind: Map, Keys: []Member{{Name: "n", Value: Datum{Kind: Text, Text: "1"}}}}, {Kind: Map, Keys: []Member{{Name: "m"}}}} {
		data.Context = bad
		_, want := schema.Request(data)
		if _, got := schema.Outline(data); len(want) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

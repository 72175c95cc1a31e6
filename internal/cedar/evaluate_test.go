package cedar

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	cedargo "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

const indexSchema = `
entity Team in [Team];
entity User in [Team] = { level: Long, manager?: User };
entity Doc in [Doc] = { owner: User };
action all;
action readers in [all];
action read, list in [readers] appliesTo { principal: [User, Team], resource: [Doc], context: { n: Long } };
action write in [all] appliesTo { principal: [User, Team], resource: [Doc], context: { n: Long } };
`

// randomPolicy covers every form of scope, and conditions that are true, false,
// or can't be evaluated.
func randomPolicy(r *rand.Rand) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	user := func() string { return fmt.Sprintf(`User::"u%d"`, r.IntN(5)) }
	team := func() string { return fmt.Sprintf(`Team::"t%d"`, r.IntN(5)) }
	doc := func() string { return fmt.Sprintf(`Doc::"d%d"`, r.IntN(4)) }
	action := func() string { return pick(`Action::"read"`, `Action::"list"`, `Action::"write"`) }
	group := func() string { return pick(action(), `Action::"readers"`, `Action::"all"`) }
	principal := pick("principal", "principal == "+user(), "principal == "+team(), "principal in "+team(), "principal in "+user(),
		"principal is User", "principal is Team", "principal is User in "+team(), "principal is Team in "+team())
	actions := pick("action", "action == "+action(), "action in "+group(), "action in ["+group()+", "+group()+", "+action()+"]", "action == "+group())
	resource := pick("resource", "resource == "+doc(), "resource in "+doc(), "resource is Doc", "resource is Doc in "+doc())
	condition := pick("", "", fmt.Sprintf("when { context.n < %d }", r.IntN(4)), "when { principal.level > 1 }",
		"when { principal.manager.level > 0 }", "unless { resource.owner == principal }", "when { 9223372036854775807 + context.n > 0 }")
	return fmt.Sprintf("%s (%s, %s, %s) %s;", pick("permit", "permit", "forbid"), principal, actions, resource, condition)
}

// randomEntities leaves some entities out, as a caller may.
func randomEntities(r *rand.Rand) []EntityData {
	var list []EntityData
	uid := func(kind string, i int) UID {
		return UID{Type: kind, ID: fmt.Sprintf("%c%d", strings.ToLower(kind)[0], i)}
	}
	number := func(n int) Datum { return Datum{Kind: Number, Text: fmt.Sprint(n)} }
	// Parents have higher numbers, so that there are no cycles.
	parents := func(kind string, from, to int) (all []PlacedUID) {
		for i := from; i < to; i++ {
			if r.IntN(3) == 0 {
				all = append(all, PlacedUID{UID: uid(kind, i)})
			}
		}
		return all
	}
	for i := range 5 {
		list = append(list, EntityData{PlacedUID: PlacedUID{UID: uid("Team", i)}, Parents: parents("Team", i+1, 5)})
		user := EntityData{PlacedUID: PlacedUID{UID: uid("User", i)}, Parents: parents("Team", 0, 5)}
		user.Attrs = Datum{Kind: Map, Keys: []Member{{Name: "level", Value: number(r.IntN(4))}}}
		if r.IntN(2) == 0 {
			user.Attrs.Keys = append(user.Attrs.Keys, Member{Name: "manager", Value: Datum{Kind: Text, Text: uid("User", r.IntN(5)).String()}})
		}
		owner := Datum{Kind: Text, Text: uid("User", r.IntN(5)).String()}
		list = append(list, user, EntityData{
			PlacedUID: PlacedUID{UID: uid("Doc", i)}, Parents: parents("Doc", i+1, 5),
			Attrs: Datum{Kind: Map, Keys: []Member{{Name: "owner", Value: owner}}},
		})
	}
	return slices.DeleteFunc(list, func(EntityData) bool { return r.IntN(8) == 0 })
}

// Whatever the policies, the index changes no answer: decision, reasons and
// errors equal those of the engine asked with every policy.
func TestIndexChangesNoAnswer(t *testing.T) {
	schema, problems := ParseSchema("s", []byte(indexSchema))
	if schema == nil {
		t.Fatal(problems)
	}
	allowed, errored, skipped := 0, 0, 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 1))
		var named []Named
		all := cedargo.NewPolicySet()
		for i := range 1 + r.IntN(40) {
			p := mustParse(t, randomPolicy(r))
			named = append(named, Named{Name: fmt.Sprintf("p%02d", i), Policy: p})
		}
		authorizer := NewAuthorizer(named)
		for i, p := range authorizer.policies {
			all.Add(types.PolicyID(named[i].Name), p.policy)
		}
		entities, problems := schema.Entities(randomEntities(r))
		if problems != nil {
			t.Fatal(problems)
		}
		for range 60 {
			request, problems := schema.Request(RequestData{
				Principal: PlacedUID{UID: []UID{{"User", fmt.Sprintf("u%d", r.IntN(5))}, {"Team", fmt.Sprintf("t%d", r.IntN(5))}}[r.IntN(2)]},
				Action:    PlacedUID{UID: UID{"Action", []string{"read", "list", "write"}[r.IntN(3)]}},
				Resource:  PlacedUID{UID: UID{"Doc", fmt.Sprintf("d%d", r.IntN(4))}},
				Context:   Datum{Kind: Map, Keys: []Member{{Name: "n", Value: Datum{Kind: Number, Text: fmt.Sprint(r.IntN(4))}}}},
			})
			if problems != nil {
				t.Fatal(problems)
			}
			got := authorizer.Decide(entities, request)
			decision, diagnostic := cedargo.Authorize(all, entities.getter(), request.request)
			var reasons []string
			for _, reason := range diagnostic.Reasons {
				reasons = append(reasons, string(reason.PolicyID))
			}
			var errors []EvaluationError
			for _, err := range diagnostic.Errors {
				errors = append(errors, EvaluationError{string(err.PolicyID), err.Message})
			}
			slices.Sort(reasons)
			slices.SortFunc(errors, func(a, b EvaluationError) int { return strings.Compare(a.Policy, b.Policy) })
			if got.Allow != bool(decision) || !slices.Equal(got.Reasons, reasons) || !slices.Equal(got.Errors, errors) {
				t.Fatalf("seed %d, %s: got %+v, want %v %v %v", seed, request, got, decision, reasons, errors)
			}
			if got.Allow {
				allowed++
			}
			errored += len(got.Errors)
			skipped += len(named) - len(authorizer.index.candidates(entities.getter(), request.request))
		}
	}
	if allowed < 500 || errored < 500 || skipped < 10_000 {
		t.Errorf("the test shows little: %d allowed, %d errors, %d policies skipped", allowed, errored, skipped)
	}
}

func TestStatementsOfOneNameAreOneReason(t *testing.T) {
	policies, problems := ParseSet("a", []byte(`permit (principal, action, resource); permit (principal, action, resource); forbid (principal, action, resource) when { principal.level > 0 };`))
	if len(policies) != 3 {
		t.Fatal(problems)
	}
	named := []Named{}
	for _, p := range policies {
		named = append(named, Named{"a", p})
	}
	schema, _ := ParseSchema("s", []byte(indexSchema))
	entities, _ := schema.Entities(nil)
	d := NewAuthorizer(named).Decide(entities, Request{types.Request{Principal: types.NewEntityUID("User", "u")}})
	if !d.Allow || !slices.Equal(d.Reasons, []string{"a"}) || len(d.Errors) != 1 || d.Errors[0].Policy != "a" {
		t.Errorf("got %+v", d)
	}
}

// BenchmarkDecide is one decision among 1,000 policies of the usual shape.
func BenchmarkDecide(b *testing.B) {
	schema := zoneSchema(b, "2026-06-18")
	var named []Named
	for i, text := range sources(1000) {
		text = []byte(strings.Replace(string(text), "principal is Keycard::User", fmt.Sprintf(`principal == Keycard::User::"u%d"`, i%500), 1))
		named = append(named, Named{fmt.Sprint(i), mustParse(b, string(text))})
	}
	authorizer := NewAuthorizer(named)
	entities, _ := schema.Entities(nil)
	request := Request{types.Request{
		Principal: types.NewEntityUID("Keycard::User", "u7"), Action: types.NewEntityUID("Keycard::Action", "Access"),
		Resource: types.NewEntityUID("Keycard::Resource", "r"),
	}}
	b.ReportAllocs()
	for b.Loop() {
		if authorizer.Decide(entities, request).Allow {
			b.Fatal("allowed")
		}
	}
}

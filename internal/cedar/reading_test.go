package cedar

import (
	"strings"
	"testing"
)

// cedar-go reads "+1.0" as a decimal. To the official engine, a policy that
// evaluates it can't be evaluated.
func TestDecimalsHaveNoPlusSign(t *testing.T) {
	s, problems := ParseSchema("s", []byte(`entity U = { d: decimal }; action a appliesTo { principal: [U], resource: [U] };`))
	if s == nil {
		t.Fatal(problems)
	}
	entity := func(text string) []EntityData {
		return []EntityData{{PlacedUID: PlacedUID{UID: UID{"U", "u"}}, Attrs: Datum{Kind: Map, Keys: []Member{{Name: "d", Value: Datum{Kind: Text, Text: text}}}}}}
	}
	world, problems := s.Entities(entity("1.0"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	u := PlacedUID{UID: UID{"U", "u"}}
	r, problems := s.Request(RequestData{Principal: u, Action: PlacedUID{UID: UID{"Action", "a"}}, Resource: u})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	plus := mustParse(t, `permit(principal, action, resource) when { principal.d == decimal("1.0") && principal.d == decimal("+1.0") };`)
	a := NewAuthorizer([]Named{{"plus", plus}, {"plain", mustParse(t, `permit(principal, action, resource) when { principal.d == decimal("1.0") };`)}})
	d := a.Decide(world, r)
	if !d.Allow || len(d.Reasons) != 1 || d.Reasons[0] != "plain" || len(d.Errors) != 1 || d.Errors[0].Policy != "plus" {
		t.Errorf("got %+v", d)
	}
	if !strings.Contains(string(plus.JSON()), `"+1.0"`) {
		t.Errorf("the policy itself was changed: %s", plus.JSON())
	}
	if _, problems := s.Entities(entity("+1.0")); len(problems) != 1 || problems[0].Rule != "cedar-extension" {
		t.Errorf("got %v", problems)
	}
}

// Whatever is rewritten, positions stay those of the source.
func TestRewrittenPoliciesKeepTheirPlaces(t *testing.T) {
	s := richSchema(t)
	text := "permit(principal is User in Group::\"g\", action == Action::\"view\", resource)\nwhen { principal != principal || principal is User in principal.nmae || resource is Doc in Group::\"x\" && principal.seen > duration(\"1h\") };"
	problems := s.Validate(mustParse(t, text))
	const want = "a.cedar:2:65: error: User has no attribute `nmae` [cedar-unknown-attribute] (did you mean `name`?)"
	if got := problems.Error(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	checkPositions(t, text, problems)
}

// Before 1970, a day begins before its times.
func TestDaysBefore1970(t *testing.T) {
	s, problems := ParseSchema("s", []byte(`entity U; action a appliesTo { principal: [U], resource: [U] };`))
	if s == nil {
		t.Fatal(problems)
	}
	world, _ := s.Entities(nil)
	u := PlacedUID{UID: UID{"U", "u"}}
	r, problems := s.Request(RequestData{Principal: u, Action: PlacedUID{UID: UID{"Action", "a"}}, Resource: u})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, condition := range []string{
		`datetime("1969-12-31T23:59:59.999Z").toDate() == datetime("1969-12-31")`,
		`datetime("1969-12-31T23:59:59.999Z").toTime() == duration("23h59m59s999ms")`,
		`datetime("1969-12-31").toDate() == datetime("1969-12-31")`,
		`datetime("1969-12-31").toTime() == duration("0ms")`,
		`datetime("0000-01-01T00:00:00.001Z").toTime() == duration("1ms")`,
		`datetime("9999-12-31T12:00:00Z").toDate() == datetime("9999-12-31")`,
		`datetime("9999-12-31T12:00:00Z").toTime() == duration("12h")`,
		`datetime("1970-01-01").offset(datetime("1969-12-31T01:00:00Z").toTime()).toDate() == datetime("1970-01-01")`,
	} {
		p := mustParse(t, "permit(principal, action, resource) when { "+condition+" };")
		if problems := s.Validate(p); len(problems) > 0 {
			t.Error(problems)
		}
		if d := NewAuthorizer([]Named{{"p", p}}).Decide(world, r); !d.Allow {
			t.Errorf("%s: got %+v", condition, d)
		}
	}
}

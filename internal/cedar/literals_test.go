package cedar

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go/types"
)

const literalsSchema = `
entity Org;
entity Team in [Org];
entity Color enum ["red", "green"];
entity User in [Team] = { name: String, n: Long, m?: Long, vip: Bool, tags?: Set<String>, boss?: User, deep: { name: String, more?: { n: Long } },
  color: Color, price: decimal, cost: decimal, at: datetime, wait: duration, ip: ipaddr, nums: Set<Long> } tags String;
entity Doc = { owner: User, name: String };
action read appliesTo { principal: User, resource: Doc, context: { n?: Long } };
`

func survey(t *testing.T, conditions ...string) *Survey {
	t.Helper()
	schema, problems := ParseSchema("s", []byte(literalsSchema))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	var policies []*Policy
	for _, c := range conditions {
		policies = append(policies, mustParse(t, "permit (principal, action, resource) when { "+c+" };"))
	}
	return schema.Survey(Environment{Principal: "User", Action: UID{"Action", "read"}, Resource: "Doc"}, policies)
}

// terms are those that a policy asks about, with their representatives.
func (v *Survey) asked0() string {
	var list []string
	for i, term := range v.terms {
		if !v.Asks(0, i) {
			continue
		}
		var values []string
		for _, value := range term.values {
			if value == nil {
				values = append(values, "absent")
			} else {
				values = append(values, string(value.MarshalCedar()))
			}
		}
		slices.Sort(values)
		list = append(list, strings.Join(values, " "))
	}
	return strings.Join(list, "; ")
}

func TestSurvey(t *testing.T) {
	tests := []struct {
		name, condition string
		want            string // the representatives of each term
		open            string // the reasons why they don't cover everything
	}{
		{"nothing", `true`, ``, ""},
		{"an id", `principal == User::"a"`, `User::"a" User::"other"`, ""},
		{"an id of another type", `principal == Doc::"a"`, `User::"other"`, ""},
		{"a group", `principal in Team::"t"`, `User::"other"; false true`, ""},
		{"a group above a group, or the principal itself", `principal in [Org::"o", User::"a"]`, `User::"a" User::"other"; false true`, ""},
		{"a group that no principal can be in", `principal in Doc::"d"`, `User::"other"`, ""},
		{"a text", `principal.name == "x"`, `"other" "x"`, ""},
		{"a text that isn't", `principal.name != "other"`, `"other" "other2"`, ""},
		{"a boolean", `principal.vip`, `false true`, ""},
		{"an optional attribute", `principal has m`, `0 absent`, ""},
		{"an optional number", `principal has m && principal.m > 5`, `0 4 5 6 absent`, ""},
		{"a number and its edge", fmt.Sprintf(`principal.n <= %d`, math.MaxInt64), fmt.Sprintf(`0 %d %d`, math.MaxInt64-1, math.MaxInt64), ""},
		{"a literal on the left", `5 == principal.n`, `0 5`, ""},
		{"a negative number", `principal.n < -1`, `-1 -2 0 1`, ""},
		{"members of a set", `principal has tags && principal.tags.contains("x")`, `absent true; false true`, ""},
		{"all members of a set", `principal.nums == [1, 2]`, `false true; false true; false true`, ""},
		{"an attribute in a literal set", `["x", "y"].contains(principal.name)`, `"other" "x" "y"`, ""},
		{"a record in a record", `principal.deep has more && principal.deep.more.n == 1`, `absent true; 0 1`, ""},
		{"an attribute that nobody has", `principal has nothing`, ``, ""},
		{"an entity", `resource.owner == User::"a"`, `User::"a" User::"other"`, ""},
		{"two that are compared", `resource.owner == principal`, `User::"other" User::"other2"; User::"other" User::"other2"`, ""},
		{"an enum", `principal.color == Color::"red"`, `Color::"green" Color::"red"`, ""},
		{"a pattern at the beginning", `principal.name like "ab*"`, `"abother" "other"`, ""},
		{"a pattern without a star", `principal.name like "ab"`, `"ab" "other"`, ""},
		{"a decimal", `principal.price.lessThan(decimal("1.5"))`, `decimal("0.0") decimal("1.4999") decimal("1.5") decimal("1.5001")`, ""},
		{"a decimal below zero", `decimal("-0.0001").greaterThan(principal.price)`, `decimal("-0.0001") decimal("-0.0002") decimal("0.0") decimal("1.0")`, ""},
		{"an equal decimal", `principal.price == decimal("0.0")`, `decimal("0.0") decimal("1.0")`, ""},
		{"a point in time", `principal.at >= datetime("2026-01-01")`,
			`datetime("1970-01-01T00:00:00.000Z") datetime("2025-12-31T23:59:59.999Z") datetime("2026-01-01T00:00:00.000Z") datetime("2026-01-01T00:00:00.001Z")`, ""},
		{"a span of time", `principal.wait < duration("1s")`, `duration("0ms") duration("1s") duration("1s1ms") duration("999ms")`, ""},
		{"an address", `principal.ip == ip("10.0.0.1")`, `ip("10.0.0.1") ip("192.0.2.1")`, ""},

		{"a pattern with two stars", `principal.name like "a*b*"`, `User::"other"; "ab" "axbx" "other"`, "a pattern other than one with `*` at an end alone"},
		{"arithmetic", `principal.n + 1 == 3`, `User::"other"; 0 1 3`, "a comparison of two computed values"},
		{"two numbers", `principal.n == context.n`, `User::"other"; 0 1 2; 0 1 2 absent`, "a comparison of two computed values"},
		{"two decimals", `principal.price == principal.cost`, `User::"other"; decimal("0.0") decimal("1.0") decimal("2.0"); decimal("0.0") decimal("1.0") decimal("2.0")`, "a comparison of two computed values"},
		{"an order of two numbers", `principal.n < context.n`, `User::"other"; 0 1 2; 0 1 2 absent`, "an order of other than one attribute and one literal"},
		{"an order of decimals by operators", `principal.price < decimal("1.0")`, `User::"other"; decimal("0.0") decimal("1.0")`, "an order of other than one attribute and one literal"},
		{"a range of addresses", `principal.ip.isInRange(ip("10.0.0.0/8"))`, `User::"other"; ip("10.0.0.0/8") ip("192.0.2.1")`, "isInRange"},
		{"a time that is offset", `principal.at.offset(duration("1h")) < datetime("2026-01-01")`, `User::"other"; datetime("1970-01-01T00:00:00.000Z") datetime("1970-01-01T00:59:59.999Z") datetime("1970-01-01T01:00:00.000Z") datetime("1970-01-01T01:00:00.001Z") datetime("2026-01-01T00:00:00.000Z")`, "an order of other than one attribute and one literal"},
		{"a time at the end of the calendar", `principal.at < datetime("9999-12-31")`, `User::"other"; datetime("1970-01-01T00:00:00.000Z") datetime("9999-12-31T00:00:00.000Z")`, "an order of other than one attribute and one literal"},
		{"tags", `principal.hasTag("x")`, `User::"other"`, "tags"},
		{"an attribute of another entity", `principal.boss.vip`, `User::"other" User::"other2"; User::"other" User::"other2" absent; false true`, "an attribute of an entity that is not principal or resource"},
		{"an entity in an attribute", `resource.owner in Team::"t"`, `Doc::"other"; User::"other"`, "`in` other than of principal or resource in literal entities"},
		{"two sets", `principal.tags.containsAll(principal.tags)`, `User::"other"; absent true`, "a set that is asked for other than literals"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := survey(t, tt.condition)
			if got := v.asked0(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			var open []string
			for _, o := range v.Open {
				open = append(open, o.Reason)
			}
			if got := strings.Join(open, "; "); got != tt.open {
				t.Errorf("got open %q, want %q", got, tt.open)
			}
			// The combination that nobody mentions is a request of the schema, with the
			// entities that its attributes need.
			if _, _, ok := v.Build(make([]int, len(v.Terms()))); !ok {
				t.Error("the first values contradict each other")
			}
		})
	}
}

// An open expression is reported where its operator is.
func TestOpenPositions(t *testing.T) {
	v := survey(t, `principal.vip || principal.n * 2 > 3 || principal.hasTag("x")`)
	if len(v.Open) != 2 || v.Open[0].Column != 78 || v.Open[1].Column != 95 {
		t.Errorf("got %+v", v.Open)
	}
}

// Each policy is known to ask for its own terms, so that they can be varied alone.
func TestAsks(t *testing.T) {
	v := survey(t, `principal.vip`, `principal.name == "x"`, `principal.vip && principal.name == "y"`)
	var got []string
	for i := range v.Terms() {
		for p := range 3 {
			if v.Asks(p, i) {
				got = append(got, fmt.Sprintf("%d:%d", p, i))
			}
		}
	}
	if want := []string{"1:2", "2:2", "0:3", "2:3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Between a value and its neighbours there is nothing, and beyond the ends of a
// type neither.
func TestAround(t *testing.T) {
	decimal := func(s string) types.Value {
		d, err := types.ParseDecimal(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	tests := []struct {
		value types.Value
		want  string
	}{
		{types.Long(0), "-1 1"},
		{types.Long(math.MaxInt64), "9223372036854775806"},
		{types.Long(math.MinInt64), "-9223372036854775807"},
		{decimal("1.0"), `decimal("0.9999") decimal("1.0001")`},
		{decimal("-1.25"), `decimal("-1.2501") decimal("-1.2499")`},
		{decimal("0.0"), `decimal("-0.0001") decimal("0.0001")`},
		{decimal("922337203685477.5807"), `decimal("922337203685477.5806")`},
		{decimal("-922337203685477.5808"), `decimal("-922337203685477.5807")`},
		{types.NewDatetimeFromMillis(0), `datetime("1969-12-31T23:59:59.999Z") datetime("1970-01-01T00:00:00.001Z")`},
		{types.NewDatetimeFromMillis(math.MaxInt64), ""},
		{types.NewDurationFromMillis(0), `duration("-1ms") duration("1ms")`},
		{types.NewDurationFromMillis(math.MinInt64), ""},
		{types.String("x"), ""},
	}
	for _, tt := range tests {
		var got []string
		for _, near := range around(tt.value) {
			got = append(got, string(near.MarshalCedar()))
		}
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("%s: got %s, want %s", tt.value.MarshalCedar(), text, tt.want)
		}
	}
}

// What is made up is of its type, and no two values are equal.
func TestNumberedExtensions(t *testing.T) {
	for kind := range constructors {
		seen := map[string]bool{}
		for i := range 600 {
			v := numberedExtension(kind, i)
			if _, text := v.(types.String); text || seen[string(v.MarshalCedar())] {
				t.Fatalf("%s %d: got %s", kind, i, v.MarshalCedar())
			}
			seen[string(v.MarshalCedar())] = true
		}
	}
}

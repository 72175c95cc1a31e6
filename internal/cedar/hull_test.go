package cedar

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go/types"
)

// choices are all that a survey makes up, with whether its policy, number 0,
// matches.
func everyChoice(v *Survey, visit func([]int)) {
	sizes := v.Terms()
	choice := make([]int, len(sizes))
	var next func(int)
	next = func(i int) {
		if i == len(sizes) {
			visit(choice)
			return
		}
		for choice[i] = 0; choice[i] < sizes[i]; choice[i]++ {
			next(i + 1)
		}
		choice[i] = 0
	}
	next(0)
}

// hullOf is the hull of those requests of a survey that a policy with the
// condition permits.
func hullOf(t *testing.T, v *Survey, condition string) *Hull {
	t.Helper()
	a := NewAuthorizer([]Named{{Name: "p", Policy: mustParse(t, "permit (principal, action, resource) when { "+condition+" };")}})
	h := v.Aspects().Hull()
	everyChoice(v, func(choice []int) {
		if e, r, ok := v.Build(choice); ok && a.Decide(e, r).Allow {
			h.Add(e, r)
		}
	})
	return h
}

func TestCommon(t *testing.T) {
	tests := []struct{ name, asked, matched, want string }{
		{"nothing is asked", `true`, `true`, ""},
		{"every request", `principal.name == "x"`, `true`, ""},
		{"one value", `principal.name == "x"`, `principal.name == "x"`, `principal.name == "x"`},
		{"any other", `principal.name == "x"`, `principal.name != "x"`, `principal.name != "x"`},
		{"two values", `["x", "y", "z"].contains(principal.name)`, `["x", "y"].contains(principal.name)`, `principal.name is one of "x", "y"`},
		{"other than two", `["x", "y"].contains(principal.name)`, `!["x", "y"].contains(principal.name)`, `principal.name is none of "x", "y"`},
		{"too many values to name", `["1", "2", "3", "4", "5", "6"].contains(principal.name)`, `["1", "2", "3", "4", "5", "6"].contains(principal.name)`,
			`principal.name is one of "1", "2", "3", "4", "5", …`},
		{"a boolean", `principal.vip`, `principal.vip`, "principal.vip == true"},
		{"a group", `principal in Team::"t"`, `principal in Team::"t"`, `principal in Team::"t"`},
		{"no group", `principal in [Team::"t", Org::"o"]`, `!(principal in [Team::"t", Org::"o"])`, `principal in none of Org::"o", Team::"t"`},
		{"one of two groups", `principal in [Team::"t", Org::"o"]`, `principal in [Team::"t", Org::"o"]`, ""},
		{"something is there", `principal has m`, `principal has m`, "principal has m"},
		{"something is missing", `principal has m && principal.m == 1`, `!(principal has m)`, "no principal.m"},
		{"a value or none", `principal has m && principal.m == 1`, `!(principal has m) || principal.m == 1`, "principal.m == 1 (or no principal.m)"},
		{"above", `principal.n > 5`, `principal.n > 5`, "principal.n > 5"},
		{"at most", `principal.n <= 5`, `principal.n <= 5`, "principal.n <= 5"},
		{"between", `principal.n > 5 && principal.n < 9`, `principal.n > 5 && principal.n < 9`, "principal.n > 5; principal.n < 9"},
		{"at a boundary", `principal.n > 5`, `principal.n == 5`, "principal.n == 5"},
		{"all but a boundary", `principal.n > 5`, `principal.n != 5`, "principal.n != 5"},
		{"a decimal", `principal.price.lessThan(decimal("1.5"))`, `principal.price.lessThan(decimal("1.5"))`, `principal.price < decimal("1.5")`},
		{"a time", `principal.at < datetime("2026-01-01")`, `principal.at >= datetime("2026-01-01")`, `principal.at >= datetime("2026-01-01T00:00:00.000Z")`},
		{"the same address in other words", `principal.ip == ip("10.0.0.1/32")`, `principal.ip == ip("10.0.0.1")`, `principal.ip == ip("10.0.0.1")`},
		{"a pattern", `principal.name like "a*"`, `principal.name like "a*"`, `principal.name like "a*"`},
		{"a pattern with a star in it", `principal.name like "a\*\"*"`, `!(principal.name like "a\*\"*")`, `not principal.name like "a\*\"*"`},
		{"the end of a text", `principal.name like "*@x.org"`, `principal.name like "*@x.org"`, `principal.name like "*@x.org"`},
		{"an element", `principal has tags && principal.tags.contains("x")`, `principal has tags && principal.tags.contains("x")`, `principal.tags contains "x"`},
		{"no element, or no set", `principal has tags && principal.tags.contains("x")`, `!(principal has tags && principal.tags.contains("x"))`,
			`not principal.tags contains "x" (or no principal.tags)`},
		{"nothing but", `principal has tags && ["x", "y"].containsAll(principal.tags)`, `principal has tags && ["x", "y"].containsAll(principal.tags)`,
			`principal.tags has nothing but "x", "y"`},
		{"others", `["x", "y"].containsAll(principal.tags)`, `principal has tags && !(["x", "y"].containsAll(principal.tags))`, `principal.tags has others than "x", "y"`},
		{"an empty set", `principal.nums.isEmpty()`, `principal.nums.isEmpty()`, "principal.nums is empty"},
		{"a set that isn't empty", `principal.nums.isEmpty()`, `!principal.nums.isEmpty()`, "principal.nums is not empty"},
		{"the owner", `resource.owner == principal`, `resource.owner == principal`, "principal == resource.owner"},
		{"an enum", `principal.color == Color::"red"`, `principal.color == Color::"red"`, `principal.color == Color::"red"`},
		{"a record in a record", `principal.deep has more && principal.deep.more.n == 1`, `principal.deep has more && principal.deep.more.n == 1`, "principal.deep.more.n == 1"},
		{"no record in a record", `principal.deep has more && principal.deep.more.n == 1`, `!(principal.deep has more)`, "no principal.deep.more"},
		{"what isn't covered", `principal.ip.isInRange(ip("10.0.0.0/8")) && principal.vip`, `principal.ip.isInRange(ip("10.0.0.0/8")) && principal.vip`, "principal.vip == true"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := hullOf(t, survey(t, tt.asked), tt.matched)
			if got := strings.Join(Common([]*Hull{h}), "; "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Of two environments, only that is said which is asked and so in both.
func TestCommonOfMany(t *testing.T) {
	x := hullOf(t, survey(t, `principal.name == "x" && principal.vip`), `principal.name == "x" && principal.vip`)
	y := hullOf(t, survey(t, `principal.name == "y" && principal.vip`), `principal.name == "y" && principal.vip`)
	z := hullOf(t, survey(t, `principal.vip`), `true`)
	for _, tt := range []struct {
		hulls []*Hull
		want  string
	}{
		{[]*Hull{x}, `principal.name == "x"; principal.vip == true`}, {[]*Hull{x, y}, "principal.vip == true"}, {[]*Hull{x, z}, ""}, {[]*Hull{z, x}, ""}, {nil, ""},
	} {
		if got := strings.Join(Common(tt.hulls), "; "); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	var groups []string
	for i := range 40 {
		groups = append(groups, fmt.Sprintf(`Team::"t%02d"`, i))
	}
	v := survey(t, "principal in ["+strings.Join(groups, ", ")+"]")
	h := v.Aspects().Hull()
	e, r, _ := v.Build(make([]int, len(v.Terms())))
	if h.Add(e, r); Common([]*Hull{h}) != nil {
		t.Errorf("got %q of more questions than can be tried", Common([]*Hull{h}))
	}
	if facts := v.Aspects().Facts(e, r, true); len(facts) != 1 || !strings.HasSuffix(facts[0], `Team::"t04", …`) {
		t.Errorf("got %q", facts)
	}
}

func TestFacts(t *testing.T) {
	const asked = `principal in Team::"t" && principal.name == "x" && principal.n < 5 && principal has tags && ["a", "b"].containsAll(principal.tags) && context has n && resource == Doc::"d"`
	v := survey(t, asked)
	var first, last []string
	everyChoice(v, func(choice []int) {
		e, r, ok := v.Build(choice)
		if !ok {
			t.Fatal(choice)
		}
		facts := v.Aspects().Facts(e, r, true)
		if first == nil {
			first = facts
		}
		last = facts
	})
	if want := []string{`principal.n == 0`, `principal.tags == []`, "context has n", `resource != Doc::"d"`, `principal.name != "x"`, `not principal in Team::"t"`}; !slices.Equal(first, want) {
		t.Errorf("got  %q\nwant %q", first, want)
	}
	if want := []string{`principal in Team::"t"`, `principal.n == 6`, `principal.name == "x"`, "no principal.tags", "no context.n"}; !slices.Equal(slices.Sorted(slices.Values(last)), slices.Sorted(slices.Values(want))) {
		t.Errorf("got  %q\nwant %q", last, want)
	}
	// Of a request that was made, a value is told that nobody names.
	e, r, _ := v.Build(make([]int, len(v.Terms())))
	if got := v.Aspects().Facts(e, r, false); !slices.Contains(got, `principal.name == "other"`) || slices.Contains(got, `resource == Doc::"other"`) {
		t.Errorf("got %q", got)
	}
	// Where what is asked is no question that is known, the request is outlined.
	v = survey(t, `principal.hasTag("x")`)
	user := types.NewEntityUID("User", "u")
	e = &Entities{schema: v.schema, own: types.EntityMap{user: {UID: user, Parents: types.NewEntityUIDSet(types.NewEntityUID("Team", "t"))}}}
	r.request.Principal, r.request.Context = user, types.NewRecord(types.RecordMap{"n": types.Long(3)})
	if got := v.Aspects().Facts(e, r, false); !slices.Equal(got, []string{`principal in Team::"t"`, "context.n == 3"}) {
		t.Errorf("got %q", got)
	}
}

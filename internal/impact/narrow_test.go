package impact

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/manifest"
)

// withFewOthers compares with another word for how few policies are few.
func withFewOthers(t testing.TB, few int, from, to *manifest.Tree) Report {
	t.Helper()
	was := fewOthers
	fewOthers = few
	defer func() { fewOthers = was }()
	return Compare(from, to, Options{})
}

// many are policies for users of different departments, of which none has a
// document in common with another.
func many(effect string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf(`%s (principal, action, resource == Doc::"d%d") when { principal.dept == "x%d" && context has n && context.n > %d };`, effect, i, i, i))
	}
	return list
}

// Where many policies stay the same, what one of them says is found without
// trying what all of them ask, and that none can say it, too.
func TestManyOthers(t *testing.T) {
	const forbidVIP = `forbid (principal, action, resource == Doc::"d7") when { principal.vip };`
	tests := []struct {
		name     string
		from, to []string
		want     string
	}{
		{"one permit of many is brought out", append(many("permit", 300), forbidVIP), many("permit", 300), "widened p300 > "},
		{"a forbid for what nobody may", append(many("permit", 300), `forbid (principal, action, resource == Doc::"e");`), many("permit", 300), ""},
		{"a forbid for who has no permit", append(many("permit", 300), `forbid (principal, action, resource == Doc::"d7") when { principal.dept == "x8" };`), many("permit", 300), ""},
		{"a permit that forbids don't hide", append(many("forbid", 300), `permit (principal, action, resource) when { principal.vip };`), append(many("forbid", 300), anyone), "widened  > p300"},
		{"a permit that one forbid hides", append(many("forbid", 300), `forbid (principal, action, resource) when { !principal.vip };`, `permit (principal, action, resource) when { principal.vip };`),
			append(many("forbid", 300), `forbid (principal, action, resource) when { !principal.vip };`, anyone), ""},
		{"a permit that several forbids hide together", append(many("forbid", 300), `forbid (principal in Team::"a", action, resource);`, `forbid (principal, action, resource) when { principal.vip && !(principal in Team::"a") };`, `permit (principal, action, resource) when { !principal.vip };`),
			append(many("forbid", 300), `forbid (principal in Team::"a", action, resource);`, `forbid (principal, action, resource) when { principal.vip && !(principal in Team::"a") };`, anyone), ""},
		{"a permit between several forbids", append(many("forbid", 300), `forbid (principal, action, resource) when { !(context has tags) };`, `forbid (principal, action, resource) when { context.tags.contains("x") };`,
			`forbid (principal, action, resource) when { !context.tags.contains("y") };`, `permit (principal, action, resource) when { !principal.vip };`),
			append(many("forbid", 300), `forbid (principal, action, resource) when { !(context has tags) };`, `forbid (principal, action, resource) when { context.tags.contains("x") };`,
				`forbid (principal, action, resource) when { !context.tags.contains("y") };`, anyone), "widened  > p303"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Compare(tree(t, tt.from...), tree(t, tt.to...), Options{})
			if found, open := summary(r); found != tt.want || open != "" {
				t.Errorf("found %q, want %q; open %q", found, tt.want, open)
			}
			if n := r.Sets[0].Requests; n > 1000 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// What asking one by one can't settle isn't said to be complete.
func TestTooManyOthers(t *testing.T) {
	var ands []string
	for i := range 40 {
		ands = append(ands, fmt.Sprintf(`principal in Team::"t%d"`, i))
	}
	to := append(many("permit", 300), `permit (principal, action, resource) when { `+strings.Join(ands, " && ")+` };`)
	from := append(slices.Clone(to), `forbid (principal, action, resource == Doc::"e");`)
	if found, open := summary(Compare(tree(t, from...), tree(t, to...), Options{})); found != "" || !strings.Contains(open, "more combinations") {
		t.Errorf("found %q, open %q", found, open)
	}
}

// Asking the others one by one finds what asking all at once does, and says the
// same of it.
func TestOneByOne(t *testing.T) {
	complete := 0
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 23))
		w := newWild(r)
		var from []string
		for range 3 + r.IntN(6) {
			from = append(from, w.policy())
		}
		to := slices.Clone(from)
		to[r.IntN(len(to))] = w.policy()
		if r.IntN(3) == 0 {
			to = to[1:]
		}
		schema := map[string]string{"schemas/v1.cedarschema": w.text}
		a, b := treeWith(t, schema, from...), treeWith(t, schema, to...)
		said := func(r Report) (lines []string) {
			for _, s := range r.Sets {
				for _, f := range s.Findings {
					lines = append(lines, fmt.Sprint(f.key(), f.Common, f.Actions, f.Principals, f.Resources))
				}
			}
			return lines
		}
		together, narrow := withFewOthers(t, 1000, a, b), withFewOthers(t, -1, a, b)
		if !together.Complete() {
			continue
		}
		complete++
		if x, y := said(together), said(narrow); !narrow.Complete() || !slices.Equal(x, y) {
			t.Fatalf("seed %d, complete %t: together\n%s\none by one\n%s\n%s\nfrom\n%s\nto\n%s", seed, narrow.Complete(), strings.Join(x, "\n"), strings.Join(y, "\n"), w.text, strings.Join(from, "\n"), strings.Join(to, "\n"))
		}
	}
	if complete < 40 {
		t.Errorf("the test shows little: %d complete", complete)
	}
}

// A set of one element that is the principal, too: what the set is asked for says
// something of the principal, whom only a policy that stays the same asks about.
func TestASetThatIsAskedForThePrincipalByOthers(t *testing.T) {
	const schema = `
entity User;
entity Doc = { guests: Set<User> };
action read appliesTo { principal: User, resource: Doc };
`
	const forbid = `forbid (principal, action, resource) when { resource.guests.contains(User::"ada") };`
	for _, others := range [][]string{
		{`permit (principal, action, resource) when { resource.guests.contains(principal) && resource.guests == [User::"ada"] };`},
		{`permit (principal, action, resource);`, `forbid (principal, action, resource) when { resource.guests != [User::"ada"] };`, `forbid (principal, action, resource) unless { resource.guests.contains(principal) };`},
	} {
		for _, few := range []int{fewOthers, -1} {
			found, open := summary(withFewOthers(t, few, inSchema(t, schema, append(others, forbid)...), inSchema(t, schema, others...)))
			if want := fmt.Sprintf("widened p%d > ", len(others)); found != want || open != "" {
				t.Errorf("%d, %s: found %q, want %q; open %q", few, others, found, want, open)
			}
		}
	}
}

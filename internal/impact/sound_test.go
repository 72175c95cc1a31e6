package impact

import (
	"fmt"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

// inSchema is a tree of policies with a schema of its own.
func inSchema(t testing.TB, schema string, policies ...string) *manifest.Tree {
	t.Helper()
	if _, problems := cedar.ParseSchema("s", []byte(schema)); problems != nil {
		t.Fatal(problems)
	}
	return treeWith(t, map[string]string{"schemas/v1.cedarschema": schema}, policies...)
}

func summary(r Report) (found, open string) {
	var keys, reasons []string
	for _, s := range r.Sets {
		for _, f := range s.Findings {
			keys = append(keys, findingKey(f))
		}
		for _, u := range s.Uncovered {
			reasons = append(reasons, u.Reason)
		}
	}
	return strings.Join(keys, "; "), strings.Join(reasons, "; ")
}

// Attributes that may be missing are found missing wherever a policy looks at
// them, though no value of theirs would make a difference.
func TestMissingAttributes(t *testing.T) {
	const schema = `
entity User = { address?: { city?: String }, level?: Long };
entity Doc;
action read appliesTo { principal: User, resource: Doc, context: { list?: Set<String> } };
`
	for _, condition := range []string{
		`[].contains(principal.level)`, `principal.address has nope`, `context.list.containsAll([])`, `context.list.containsAny([])`,
		`[1].contains(principal.level) && false`, `principal.level is User && false`, `principal.level like "*" && false`, `principal.address.nope == 1 && false`,
		`[].containsAll(context.list) && false`,
	} {
		from := `permit (principal, action, resource) unless { ` + condition + ` };`
		r := Compare(inSchema(t, schema, from), inSchema(t, schema, `permit (principal, action, resource);`), Options{})
		if found, open := summary(r); !strings.Contains(found, "widened  > p0") {
			t.Errorf("%s: found %q, open %q", condition, found, open)
		}
	}
}

// An id that an enumeration doesn't declare is in no request.
func TestUndeclaredEnumIDs(t *testing.T) {
	const schema = `
entity Color enum ["red", "green"];
entity Doc in [Color] = { color: Color, colors: Set<Color> };
action read appliesTo { principal: Color, resource: Doc };
`
	for _, condition := range []string{`resource in Color::"blue"`, `resource.color == Color::"blue"`, `principal == Color::"blue"`, `principal in [Color::"blue"]`, `resource.colors.contains(Color::"blue")`} {
		from, to := inSchema(t, schema, `permit (principal, action, resource) when { false };`), inSchema(t, schema, `permit (principal, action, resource) when { `+condition+` };`)
		r := Compare(from, to, Options{})
		if found, open := summary(r); found != "" || open != "" {
			t.Errorf("%s: found %q, open %q", condition, found, open)
		}
	}
}

// Principal and resource of one type may be one entity or two.
func TestOneTypeTwice(t *testing.T) {
	const schema = `
entity Team in [Team];
entity User in [Team] = { vip: Bool, level?: Long, boss?: User };
entity Color enum ["red", "green"];
action see appliesTo { principal: User, resource: User };
action join appliesTo { principal: Team, resource: Team };
action mix appliesTo { principal: Color, resource: Color };
`
	tests := []struct{ from, to, want string }{
		{`permit (principal, action, resource) when { resource.vip };`, anyone, "widened  > p0"},
		{`permit (principal is User, action, resource) when { principal == resource || principal.vip };`, `permit (principal is User, action, resource) when { principal.vip };`, "narrowed p0 > "},
		{`permit (principal is User, action, resource is User) when { principal == resource && principal.vip && !resource.vip };`, `permit (principal, action, resource) when { false };`, ""},
		{`permit (principal is User, action, resource is User) when { principal.vip && !resource.vip };`, `permit (principal, action, resource) when { false };`, "narrowed p0 > "},
		{`permit (principal is User, action, resource is User) when { principal.boss == resource };`, `permit (principal is User, action, resource is User) when { resource.boss == principal };`, "error-changed p0 > ; error-changed  > p0; narrowed p0 > ; widened  > p0"},
		{`permit (principal == Color::"red", action, resource);`, `permit (principal == Color::"red", action, resource) when { resource == Color::"red" };`, "narrowed p0 > "},
		{`permit (principal == Color::"red", action, resource == Color::"red");`, `permit (principal == Color::"red", action, resource) when { resource == principal };`, ""},
		{`permit (principal in Team::"a", action, resource is Team);`, `permit (principal in Team::"b", action, resource is Team);`, "narrowed p0 > ; widened  > p0"},
		{`permit (principal in Team::"a", action, resource in Team::"a");`, `permit (principal in Team::"a", action, resource in Team::"a") unless { principal == resource };`, "narrowed p0 > "},
	}
	for _, tt := range tests {
		r := Compare(inSchema(t, schema, tt.from), inSchema(t, schema, tt.to), Options{})
		found, open := summary(r)
		want := tt.want
		for _, one := range strings.Split(want, "; ") {
			if !strings.Contains(found, one) {
				t.Errorf("%s\n%s\nfound %q, want %q", tt.from, tt.to, found, want)
			}
		}
		if want == "" && found != "" || open != "" {
			t.Errorf("%s\n%s\nfound %q, want %q; open %q", tt.from, tt.to, found, want, open)
		}
	}
}

// A text that the zone stores may have several statements. Those that stay the
// same are no cause, though they have the name of one that changes.
func TestStatementsOfOneName(t *testing.T) {
	set := func(text string) (*manifest.Tree, map[Entry][]*cedar.Policy) {
		policies, problems := cedar.ParseSet("zone", []byte(text))
		if problems != nil {
			t.Fatal(problems)
		}
		return withNumbered(tree(t, `permit (principal == User::"a", action, resource);`), "stored", len(text)), map[Entry][]*cedar.Policy{{"s", "stored"}: policies}
	}
	const same = `permit (principal == User::"b", action, resource); `
	from, texts := set(same + `permit (principal, action, resource) when { false };`)
	to, others := set(same)
	s := to.Sets[0]
	s.Entries, to.Sources["p"] = append(s.Entries, manifest.Entry{Policy: "p", Source: "p"}), tree(t, `forbid (principal, action, resource);`).Sources["policies/p0.cedar"]
	found, open := summary(Compare(from, to, Options{From: texts, To: others}))
	if found != "narrowed  > p" || open != "" {
		t.Errorf("found %q, open %q", found, open)
	}
}

// A source that can't be read isn't known to stay the same.
func TestUnreadSources(t *testing.T) {
	from, to := tree(t, anyone, `permit (principal, action, resource) when { principal.vip };`), tree(t, `permit (principal, action, resource) when { true };`, anyone)
	delete(from.Sources, "policies/p1.cedar")
	delete(to.Sources, "policies/p1.cedar")
	if _, open := summary(Compare(from, to, Options{})); !strings.Contains(open, "p1") {
		t.Errorf("open %q", open)
	}
}

// Where there are too many combinations, a change that one or two answers bring
// about is found all the same, and soon.
func TestManyCombinations(t *testing.T) {
	var tags []string
	for i := range 40 {
		tags = append(tags, fmt.Sprintf(`(context has tags && context.tags.containsAll(["a%d", "b%d"]))`, i, i))
	}
	permit := func(conditions []string) string {
		return `permit (principal, action, resource) when { ` + strings.Join(conditions, " || ") + ` };`
	}
	r := Compare(tree(t, permit(tags)), tree(t, permit(tags[:39])), Options{})
	found, open := summary(r)
	if found != "narrowed p0 > " || !strings.Contains(open, "more combinations") {
		t.Errorf("found %q, open %q", found, open)
	}
	if n := r.Sets[0].Requests; n > 50_000 {
		t.Errorf("%d requests", n)
	}
}

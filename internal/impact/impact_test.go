package impact

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

const testSchema = `
entity Team in [Org];
entity Org;
entity Folder;
entity User in [Team] = { dept: String, level?: Long, vip: Bool, rank?: decimal };
entity Doc in [Folder] = { owner: User };
action read, write appliesTo { principal: User, resource: Doc, context: { tags?: Set<String>, n?: Long, at?: datetime, wait?: duration, ip?: ipaddr } };
`

// tree is a project of one set with these policies: p0, p1 and so on.
func tree(t testing.TB, policies ...string) *manifest.Tree {
	t.Helper()
	return treeWith(t, nil, policies...)
}

// treeWith is such a project with other files.
func treeWith(t testing.TB, others map[string]string, policies ...string) *manifest.Tree {
	t.Helper()
	files := fstest.MapFS{}
	add := func(name, text string) { files[name] = &fstest.MapFile{Data: []byte(text)} }
	add("policypin.yaml", "apiVersion: policypin.dev/v1\nkind: Project\nschemas: schemas/{version}.cedarschema\n")
	add("schemas/v1.cedarschema", testSchema)
	set := "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: s\nschema_version: v1\nentries:\n"
	for i, p := range policies {
		add(fmt.Sprintf("policies/p%d.cedar", i), p+"\n")
		set += fmt.Sprintf("  - policy: p%d\n    source: policies/p%d.cedar\n", i, i)
	}
	add("policy-sets/s.yaml", set)
	for name, text := range others {
		add(name, text)
	}
	tree, problems, err := manifest.Load(files)
	if err != nil || tree == nil || len(tree.Sources) < len(policies) { // types may be wrong: requests that fail are part of it
		t.Fatal(err, problems)
	}
	return tree
}

func TestCompare(t *testing.T) {
	const all = "permit (principal, action, resource);"
	tests := []struct {
		name     string
		from, to []string
		want     string // kinds with causes
		open     string // part of what isn't covered
	}{
		{"layout", []string{"permit (principal, action, resource);"}, []string{"permit(principal,action,resource);"}, "", ""},
		{"a condition is dropped", []string{all[:len(all)-1] + ` when { principal.dept == "x" };`}, []string{all}, "widened p0", ""},
		{"a condition is added", []string{all}, []string{all[:len(all)-1] + ` when { principal.dept == "x" };`}, "narrowed p0", ""},
		{"a change that a forbid hides", []string{"forbid (principal, action, resource);", "permit (principal in Team::\"a\", action, resource);"},
			[]string{"forbid (principal, action, resource);", all}, "", ""},
		{"a change for one principal", []string{`permit (principal == User::"a", action, resource);`}, []string{`permit (principal == User::"b", action, resource);`},
			"narrowed p0; widened p0", ""},
		{"a boundary", []string{all[:len(all)-1] + " when { context has n && context.n > 5 };"}, []string{all[:len(all)-1] + " when { context has n && context.n >= 5 };"},
			"widened p0", ""},
		{"an attribute that may be missing", []string{all[:len(all)-1] + " when { context has n && context.n == 5 };"}, []string{all[:len(all)-1] + " when { context.n == 5 };"},
			"error-changed p0", ""},
		{"the owner", []string{all}, []string{all[:len(all)-1] + " when { resource.owner == principal };"}, "narrowed p0", ""},
		{"an organization above a team", []string{all}, []string{all[:len(all)-1] + ` unless { principal in Org::"o" };`}, "narrowed p0", ""},
		{"a pattern", []string{all}, []string{all[:len(all)-1] + ` when { principal.dept like "x*x" };`}, "narrowed p0", "policies/p0.cedar:1:60: a pattern"},
		{"a pattern with * at its end", []string{all[:len(all)-1] + ` when { principal.dept like "x*" };`}, []string{all[:len(all)-1] + ` when { principal.dept like "xy*" };`}, "narrowed p0", ""},
		{"patterns at both ends", []string{all[:len(all)-1] + ` when { principal.dept like "x*" };`},
			[]string{all[:len(all)-1] + ` when { principal.dept like "x*" && principal.dept like "*x" };`}, "narrowed p0", ""},
		{"a pattern that is no stricter", []string{all[:len(all)-1] + ` when { principal.dept like "x*" };`},
			[]string{all[:len(all)-1] + ` when { principal.dept like "xy*" || principal.dept like "x*" };`}, "", ""},
		{"a group that is named as an entity between would be", []string{`permit (principal in Team::"member of Org::\"o\"", action, resource);`},
			[]string{`permit (principal in Org::"o", action, resource);`}, "narrowed p0; widened p0", ""},
		{"a set with what only a policy that stays asks for",
			[]string{`forbid (principal, action, resource) unless { context has tags && ["x", "y"].containsAll(context.tags) };`},
			[]string{`forbid (principal, action, resource) unless { context has tags && ["x", "y"].containsAll(context.tags) };`,
				`permit (principal, action, resource) when { context has tags && !["x"].containsAll(context.tags) };`}, "widened p1", ""},
		{"an unequal way to say the same", []string{all[:len(all)-1] + ` when { ["x", "y"].contains(principal.dept) };`},
			[]string{all[:len(all)-1] + ` when { principal.dept == "x" || principal.dept == "y" };`}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Compare(tree(t, tt.from...), tree(t, tt.to...), Options{})
			var got, open []string
			for _, s := range r.Sets {
				for _, f := range s.Findings {
					got = append(got, string(f.Kind)+" "+f.Cause[0].Policy)
				}
				for _, u := range s.Uncovered {
					open = append(open, u.Position.String()+": "+u.Reason)
				}
			}
			slices.Sort(got)
			if text := strings.Join(got, "; "); text != tt.want {
				t.Errorf("got %q, want %q", text, tt.want)
			}
			if text := strings.Join(open, "; "); (text == "") != (tt.open == "") || !strings.Contains(text, tt.open) {
				t.Errorf("got uncovered %q, want %q", text, tt.open)
			}
		})
	}
}

// Requests of the older schema aren't made up, and so its differences aren't
// covered.
func TestSchemaChange(t *testing.T) {
	from, to := tree(t, "permit (principal, action, resource);"), tree(t, `permit (principal == User::"a", action, resource);`)
	to.Schemas["v1"], _ = cedar.ParseSchema("s", []byte(strings.Replace(testSchema, "vip: Bool", "vip?: Bool", 1)))
	r := Compare(from, to, Options{})
	if r.Complete() || !r.Changed() || !strings.Contains(r.Sets[0].Uncovered[0].Reason, "different schemas") {
		t.Errorf("got %+v", r.Sets[0].Uncovered)
	}
	from.Schemas = nil
	if r := Compare(to, from, Options{}); r.Complete() || r.Changed() {
		t.Errorf("got %+v without a schema", r)
	}
}

// The same policies can decide differently by another schema: an action is in a
// group by it.
func TestOtherSchemaAlone(t *testing.T) {
	const policy = `permit (principal, action in Action::"readers", resource);`
	side := func(version string) *manifest.Tree {
		schema := "entity User; action readers; action read%s appliesTo { principal: User, resource: User };"
		return treeWith(t, map[string]string{
			"schemas/v1.cedarschema": fmt.Sprintf(schema, ""),
			"schemas/v2.cedarschema": fmt.Sprintf(schema, " in [readers]"),
			"policy-sets/s.yaml": "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: s\nschema_version: " + version +
				"\nentries:\n  - policy: p0\n    source: policies/p0.cedar\n",
		}, policy)
	}
	if _, open := summary(Compare(side("v1"), side("v2"), Options{})); !strings.Contains(open, "different schemas") {
		t.Errorf("open %q", open)
	}
	alike := side("v2")
	alike.Schemas["v2"] = side("v1").Schemas["v1"]
	if r := Compare(side("v1"), alike, Options{}); len(r.Sets) != 0 {
		t.Errorf("got %+v for a schema that says the same", r.Sets)
	}
	alike.Schemas = nil // of two versions that aren't there nobody knows
	if r := Compare(side("v1"), alike, Options{}); r.Complete() {
		t.Error("says complete of a schema that isn't there")
	}
}

// randomPolicy asks about what the small universe below has, and sometimes in
// a way that isn't covered.
func randomPolicy(r *rand.Rand) string {
	pick := func(options ...string) string { return options[r.IntN(len(options))] }
	var leaf func(depth int) string
	leaf = func(depth int) string {
		if depth > 0 && r.IntN(3) == 0 {
			return fmt.Sprintf(pick("(%s && %s)", "(%s || %s)", "(if %s then %s else false)"), leaf(depth-1), leaf(depth-1))
		}
		user, team := pick(`User::"a"`, `User::"b"`), pick(`Team::"s"`, `Team::"t"`)
		return pick("(", "(", "!(") + pick(
			"principal == "+user, "principal in "+team, "principal in ["+team+", "+user+"]", "principal is User in "+team,
			`(principal.dept == "x")`, `["x"].contains(principal.dept)`, "principal.vip", "(principal has level)",
			"(principal has level && principal.level < 1)", "(principal.level > 0)", "(resource.owner == principal)",
			"(resource.owner == "+user+")", `(resource in Folder::"f")`, "(context has tags)", `context.tags.contains("x")`,
			`(context has tags && context.tags.containsAny(["x", "y"]))`, `(context has tags && context.tags.isEmpty())`,
			`(context has tags && ["x"].containsAll(context.tags))`, `(context has tags && context.tags == ["x"])`,
			pick(`(principal has rank && principal.rank.lessThan(decimal("1.0")))`, `(principal.rank.greaterThanOrEqual(decimal("0.5")))`, `(principal has rank && principal.rank == decimal("1.0"))`),
			pick(`(context has at && context.at < datetime("2026-01-01"))`, `(context has at && context.at != datetime("2026-01-01"))`, `(context has at && datetime("2026-01-01") <= context.at)`),
			pick(`(context has wait && context.wait > duration("1h"))`, `(context has wait && context.wait == duration("-1ms"))`, `(context.ip == ip("10.0.0.1"))`, `(context has ip && context.ip.isInRange(ip("10.0.0.0/8")))`),
			`(action == Action::"read")`, pick(`principal.vip`, `(principal.dept like "x*")`, `(principal.dept like "*z")`, `(principal.dept like "*x*")`, `(context has n && context.n + 1 == 1)`)) + ")"
	}
	scope := pick("principal", "principal", `principal == User::"a"`, `principal in Team::"s"`)
	policy := pick("permit", "permit", "forbid") + " (" + scope + ", " + pick("action", `action == Action::"read"`) + ", resource)"
	for range r.IntN(3) {
		policy += " " + pick("when", "unless") + " { " + leaf(2) + " }"
	}
	return policy + ";"
}

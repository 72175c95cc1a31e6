package impact

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/cedar"
)

// cedarOf is a condition in words as Cedar has it, in the reading of somebody
// who doesn't know how it was made. Values must be without commas.
func cedarOf(t testing.TB, words string) string {
	t.Helper()
	there := func(path string) string {
		i := strings.LastIndexByte(path, '.')
		if i < 0 || path == "principal.dept" || path == "principal.vip" || path == "resource.owner" {
			return "true"
		}
		return path[:i] + " has " + path[i+1:]
	}
	if head, path, ok := strings.Cut(strings.TrimSuffix(words, ")"), " (or no "); ok {
		return fmt.Sprintf("!(%s) || %s", there(path), cedarOf(t, head))
	}
	if path, ok := strings.CutPrefix(words, "no "); ok {
		return "!(" + there(path) + ")"
	}
	if m := regexp.MustCompile(`^\w+ has \w+$`); m.MatchString(words) {
		return words
	}
	negative := ""
	if rest, ok := strings.CutPrefix(words, "not "); ok {
		words, negative = rest, "!"
	}
	path, rest, _ := strings.Cut(words, " ")
	for _, form := range []struct{ begins, format string }{
		{"== [", "%s == [%s"}, {"is one of ", "[%[2]s].contains(%[1]s)"}, {"is none of ", "![%[2]s].contains(%[1]s)"},
		{"in all of ", "in all"}, {"in none of ", "!(%s in [%s])"}, {"in ", "%s in %s"},
		{"contains all of ", "%s.containsAll([%s])"}, {"contains none of ", "!%s.containsAny([%s])"}, {"contains ", "%s.contains(%s)"},
		{"has nothing but ", "[%[2]s].containsAll(%[1]s)"}, {"has others than ", "![%[2]s].containsAll(%[1]s)"},
		{"is empty", "%s.isEmpty()%s"}, {"is not empty", "!%s.isEmpty()%s"}, {"like ", "%s like %s"},
		{"== ", "%s == %s"}, {"!= ", "%s != %s"}, {">= ", "%s >= %s"}, {"> ", "%s > %s"}, {"<= ", "%s <= %s"}, {"< ", "%s < %s"},
	} {
		values, ok := strings.CutPrefix(rest, form.begins)
		if !ok {
			continue
		}
		if strings.Contains(values, "…") {
			t.Fatalf("%q leaves values out", words)
		}
		method := map[string]string{">= ": "greaterThanOrEqual", "> ": "greaterThan", "<= ": "lessThanOrEqual", "< ": "lessThan"}[form.begins]
		text := fmt.Sprintf(form.format, path, values)
		switch {
		case form.format == "in all":
			var all []string
			for v := range strings.SplitSeq(values, ", ") {
				all = append(all, path+" in "+v)
			}
			text = strings.Join(all, " && ")
		case method != "" && strings.HasPrefix(values, "decimal("):
			text = path + "." + method + "(" + values + ")"
		}
		text = negative + "(" + text + ")"
		// What isn't there isn't equal to anything, nor in a set.
		if negative != "" || strings.Contains(form.begins, "none") || form.begins == "!= " {
			return fmt.Sprintf("(!(%s) || %s)", there(path), text)
		}
		return fmt.Sprintf("(%s && %s)", there(path), text)
	}
	t.Fatalf("what does %q mean?", words)
	return ""
}

// A reading tells whether requests fulfil conditions in words.
type reading map[string]*cedar.Authorizer

func (all reading) holds(t testing.TB, words string, w universeCase) bool {
	t.Helper()
	if words == "…" { // there are more
		return true
	}
	if all[words] == nil {
		text := "permit (principal, action, resource) when { " + cedarOf(t, words) + " };"
		p, problems := cedar.Parse("c", []byte(text))
		if problems != nil {
			t.Fatalf("%q is %s: %v", words, text, problems)
		}
		all[words] = cedar.NewAuthorizer([]cedar.Named{{Name: "c", Policy: p}})
	}
	d := all[words].Decide(w.world, w.request)
	if d.Errors != nil {
		t.Fatalf("%q: %v", words, d.Errors)
	}
	return d.Allow
}

// Where impact is complete, every request of a small universe that changes in a
// way fulfils the conditions of the finding; and the requests of a log do
// whether it is complete or not, since they count. What is said of an example
// is so.
func TestCommonConditionsHold(t *testing.T) {
	u := newUniverse(t, tree(t, "permit (principal, action, resource);").Schemas["v1"])
	r := rand.New(rand.NewPCG(3, 5))
	var log strings.Builder
	var logged []universeCase
	for range 300 {
		w := u.cases[r.IntN(len(u.cases))]
		logged = append(logged, w)
		request, err := w.request.JSON()
		if err != nil {
			t.Fatal(err)
		}
		entities, err := w.world.JSON()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&log, "%s,\"entities\":%s}\n", request[:len(request)-1], strings.ReplaceAll(string(entities), `,"tags":{}`, ""))
	}
	words, checks, vain, facts := reading{}, 0, 0, 0
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 11))
		var from []string
		for range 1 + r.IntN(3) {
			from = append(from, randomPolicy(r))
		}
		to := slices.Clone(from)
		for range 1 + r.IntN(2) {
			to[r.IntN(len(to))] = randomPolicy(r)
		}
		a, b := tree(t, from...), tree(t, to...)
		sa, sb := newState(true, a, a.Sets[0], nil), newState(false, b, b.Sets[0], nil)
		sa.mark(sb)
		sb.mark(sa)
		c := newComparison(u.schema, sa, sb)
		check := func(report Report, cases []universeCase) {
			common := map[string][]string{}
			for _, s := range report.Sets {
				for _, f := range s.Findings {
					common[f.key()] = f.Common
					for _, e := range f.Examples {
						for _, text := range append(e.Facts, f.Common...) {
							if facts++; !words.holds(t, text, parse(t, u.schema, e.Entities, e.Request)) {
								t.Fatalf("seed %d: %q isn't so for %s %s\nfrom %s\nto %s", seed, text, e.Request, e.Entities, strings.Join(from, "\n"), strings.Join(to, "\n"))
							}
						}
					}
				}
			}
			for _, w := range cases {
				f, differs := c.judge(w.world, w.request)
				if !differs {
					continue
				}
				if len(common[f.key()]) == 0 {
					vain++
				}
				for _, text := range common[f.key()] {
					if checks++; !words.holds(t, text, w) {
						request, _ := w.request.JSON()
						entities, _ := w.world.JSON()
						t.Fatalf("seed %d: %s isn't %q: %s %s\nfrom %s\nto %s", seed, f.key(), text, request, entities, strings.Join(from, "\n"), strings.Join(to, "\n"))
					}
				}
			}
		}
		if report := Compare(a, b, Options{}); report.Complete() {
			some := make([]universeCase, 800) // all take ten times as long
			for i := range some {
				some[i] = u.cases[r.IntN(len(u.cases))]
			}
			check(report, some)
		} else {
			check(report, nil)
		}
		if seed%6 == 0 {
			given := &Given{}
			if problems, err := given.AddRequests("log.jsonl", strings.NewReader(log.String())); problems != nil || err != nil {
				t.Fatal(problems, err)
			}
			report := Compare(a, b, Options{Given: given})
			if len(report.Sets) > 0 && len(report.Sets[0].Findings) > 0 && report.Sets[0].Sources.Logs != len(logged) {
				t.Fatalf("got %q of the log", fmt.Sprintf("%+v", report.Sets[0].Skipped[0].Reason))
			}
			check(report, logged)
		}
	}
	t.Logf("%d conditions of requests hold, %d requests without any, %d facts", checks, vain, facts)
	if checks < 1000 || facts < 500 || checks < vain {
		t.Errorf("the test shows little: %d, %d, %d", checks, vain, facts)
	}
}

// findingLines are the findings of a comparison, each with its examples.
func findingLines(r Report) (lines []string) {
	for _, f := range r.Sets[0].Findings {
		text := string(f.Kind) + ": " + strings.Join(f.Common, "; ")
		for _, e := range f.Examples {
			text += " | " + strings.Join(e.Facts, "; ")
		}
		lines = append(lines, text)
	}
	return lines
}

func TestWhoGainsAccess(t *testing.T) {
	const all = "permit (principal, action, resource);"
	tests := []struct {
		name     string
		from, to []string
		want     string // what begins the line of the first finding
	}{
		{"after a condition was dropped, those that it kept out", []string{deptX}, []string{anyone}, `widened: principal.dept != "x" | principal.dept != "x"`},
		{"after a policy was replaced, those that the older one kept out",
			[]string{"forbid (principal == User::\"q\", action, resource);", deptX}, []string{"forbid (principal == User::\"q\", action, resource);", all}, `widened: principal.dept != "x"`},
		{"in a group that was added", []string{`permit (principal, action, resource) when { principal in Team::"a" };`},
			[]string{`permit (principal, action, resource) when { principal in [Team::"a", Team::"b"] };`},
			`widened: principal in Team::"b"; not principal in Team::"a" | principal in Team::"b"; not principal in Team::"a"`},
		{"what only policies that stay ask isn't said", []string{`forbid (principal, action, resource) unless { principal.vip };`},
			[]string{`forbid (principal, action, resource) unless { principal.vip };`, `permit (principal in Team::"a", action, resource);`}, `widened: principal in Team::"a" | principal in Team::"a"`},
		{"by one environment more", []string{`permit (principal in Team::"a", action == Action::"read", resource);`}, []string{`permit (principal in Team::"a", action, resource);`}, `widened: principal in Team::"a" |`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines := findingLines(Compare(tree(t, tt.from...), tree(t, tt.to...), Options{}))
			if len(lines) == 0 || !strings.HasPrefix(lines[0], tt.want) {
				t.Errorf("got  %q\nwant %q", lines, tt.want)
			}
		})
	}
}

// Where not all combinations were tried, an answer that nobody gave may be one
// that nobody was asked for.
func TestNothingIsSaidOfWhatWasNotTried(t *testing.T) {
	var groups []string
	for i := range 20 {
		groups = append(groups, fmt.Sprintf(`principal in Team::"t%d"`, i))
	}
	from, to := tree(t, anyone), tree(t, "permit (principal, action, resource) when { principal.vip } unless { "+strings.Join(groups, " || ")+" };")
	a, b := newState(true, from, from.Sets[0], nil), newState(false, to, to.Sets[0], nil)
	a.mark(b)
	b.mark(a)
	c := newComparison(to.Schemas["v1"], a, b)
	s := &search{comparison: c, env: c.schema.Environments()[0]}
	s.run(50, maxNarrow)
	if !s.partial || len(s.findings) != 1 {
		t.Fatalf("got %d findings, partial %t", len(s.findings), s.partial)
	}
	f := s.findings[0]
	if c.sum(&f, []cedar.Environment{s.env}); f.Common != nil || len(f.Actions) != 1 {
		t.Errorf("got %q of %q", f.Common, f.Actions)
	}
}

// What a log holds that looks like a credential is in no fact and no condition.
func TestFactsHideCredentials(t *testing.T) {
	token := "ghp_" + strings.Repeat("a1B2", 9)
	given := readGiven(t, strings.ReplaceAll(entities, `"dept": "y"`, `"dept": "`+token+`"`), request("y", ""))
	r := Compare(tree(t, deptX), tree(t, anyone), Options{Given: given})
	lines := strings.Join(findingLines(r), "\n")
	if r.Sets[0].Findings[0].Given != 1 || strings.Contains(lines, token) || !strings.Contains(lines, "principal.dept == ") {
		t.Errorf("got %s", lines)
	}
	long := shown([]string{strings.Repeat("ü", 1000), "a", "b", "c", "d", "e", "f", "g", "h"})
	if len(long) != maxFacts+1 || long[maxFacts] != "…" || len(long[0]) > maxFactBytes+3 {
		t.Errorf("got %q", long)
	}
}

// The principal of an enumeration has one of a few names, and where no policy
// asks which, the one that was tried is no condition.
func TestNothingIsSaidOfWhatNobodyAsks(t *testing.T) {
	const schema = `
entity Color enum ["red", "green"];
entity Doc = { vip: Bool };
action read appliesTo { principal: Color, resource: Doc };
`
	from, to := inSchema(t, schema, `permit (principal, action, resource) when { resource.vip };`), inSchema(t, schema, `permit (principal, action, resource);`)
	for _, few := range []int{fewOthers, -1} {
		f := withFewOthers(t, few, from, to).Sets[0].Findings[0]
		if got := strings.Join(f.Common, "; "); got != "resource.vip == false" {
			t.Errorf("%d: got %q", few, got)
		}
	}
}

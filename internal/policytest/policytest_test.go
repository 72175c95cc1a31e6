package policytest

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

const (
	schemaText = `
entity User = { level: Long };
entity Doc;
action read, write appliesTo { principal: [User], resource: [Doc], context: { n?: Long } };
`
	head     = "apiVersion: policypin.dev/v1\nkind: PolicyTest\n"
	entities = "entities:\n  User::\"ada\": {attrs: {level: 3}}\n  User::\"bob\": {attrs: {level: 1}}\n  Doc::\"d\":\n"
)

// files is a project with two sets: "all" has three policies with a source, and
// "mixed" one of them and a policy of the platform.
func files(tests string) fstest.MapFS {
	set := func(name, entries string) string {
		return "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: " + name + "\nschema_version: s\nentries:\n" + entries
	}
	fsys := fstest.MapFS{}
	for name, text := range map[string]string{
		"policypin.yaml":        "apiVersion: policypin.dev/v1\nkind: Project\n",
		"schemas/s.cedarschema": schemaText,
		"policy-sets/all.yaml":  set("all", "- {policy: seniors, source: p/seniors.cedar}\n- {policy: no-writes, source: p/no-writes.cedar}\n- {policy: sums, source: p/sums.cedar}\n"),
		"policy-sets/mixed.yaml": set("mixed", "- {policy: seniors, source: p/seniors.cedar}\n- {policy: no-writes, source: p/no-writes.cedar}\n"+
			"- {policy: platform, version: 3}\n"),
		"p/seniors.cedar":   "permit (principal, action, resource) when { principal.level > 2 };\n",
		"p/no-writes.cedar": "// why\nforbid (principal, action == Action::\"write\", resource);\n",
		"p/sums.cedar":      "forbid (principal, action, resource) when { context has n && context.n + 9223372036854775807 > 0 };\n",
		"tests/a.yaml":      tests,
	} {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func load(t testing.TB, tests string) *manifest.Tree {
	t.Helper()
	tree, problems, err := manifest.Load(files(tests))
	if err != nil {
		t.Fatal(err)
	}
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	return tree
}

// testCase is one case of a file.
func testCase(set, principal, action, rest string) string {
	return fmt.Sprintf("  - {set: %s, principal: 'User::%q', action: 'Action::%q', resource: 'Doc::\"d\"', %s}\n", set, principal, action, rest)
}

func TestOutcomes(t *testing.T) {
	tests := []struct {
		name                         string
		set, principal, action, rest string
		status                       string
		certain                      bool
		message                      string // part of the messages
	}{
		{"a permit", "all", "ada", "read", "expect: allow", Passed, true, ""},
		{"by whom", "all", "ada", "read", "expect: allow, determining: [seniors]", Passed, true, ""},
		{"by somebody else", "all", "ada", "read", "expect: allow, determining: [sums]", Failed, true,
			"expected allow by sums (p/sums.cedar:1:1), got it by seniors (p/seniors.cedar:1:1)"},
		{"by more than one says", "all", "ada", "write", "expect: deny, determining: []", Failed, true, "expected deny by no policy, got it by no-writes (p/no-writes.cedar:2:1)"},
		{"nothing permits", "all", "bob", "read", "expect: deny, determining: []", Passed, true, ""},
		{"nothing permits, unexpectedly", "all", "bob", "read", "expect: allow", Failed, true, "expected allow, got deny: no policy permits it"},
		{"a forbid", "all", "ada", "write", "expect: allow", Failed, true, "expected allow, got deny by no-writes (p/no-writes.cedar:2:1)"},
		{"a permit that shouldn't be", "all", "ada", "read", "expect: deny", Failed, true, "expected deny, got allow by seniors"},
		{"a policy that can't be evaluated fails the case", "all", "ada", "read", "context: {n: 5}, expect: allow", Failed, true, "sums (p/sums.cedar:1:1) couldn't be evaluated: "},
		{"unless that is expected", "all", "ada", "read", "context: {n: 5}, expect: allow, errors: [sums]", Passed, true, ""},
		{"which must be so", "all", "ada", "read", "context: {n: 0}, expect: deny, errors: [sums]", Failed, true, "sums (p/sums.cedar:1:1) was expected to fail, and was evaluated"},

		{"a permit that an unread policy could overrule", "mixed", "ada", "read", "expect: allow", Passed, false, ""},
		{"a forbid that it couldn't", "mixed", "ada", "write", "expect: deny", Passed, true, ""},
		{"a denial that it could turn", "mixed", "bob", "read", "expect: deny", Passed, false, ""},
		{"an expectation that it may meet isn't met", "mixed", "bob", "read", "expect: allow", Failed, false, "no policy permits it"},
		{"unless the case names it", "mixed", "bob", "read", "expect: allow, determining: [platform]", Skipped, false, "it rests on platform"},
		{"and nothing else decides", "mixed", "ada", "write", "expect: allow, determining: [platform]", Failed, true, "got deny by no-writes"},
		{"an unread policy beside a forbid", "mixed", "ada", "write", "expect: deny, determining: [platform]", Skipped, true, "it rests on platform"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Run(load(t, head+entities+"cases:\n"+testCase(tt.set, tt.principal, tt.action, tt.rest)), Options{})
			if len(r.Cases) != 1 {
				t.Fatalf("got %d results", len(r.Cases))
			}
			got := r.Cases[0]
			messages := strings.Join(got.Messages, "\n")
			if got.Status != tt.status || got.Certain != tt.certain || (tt.message == "") != (messages == "") || !strings.Contains(messages, tt.message) {
				t.Errorf("got %s, certain %v, %q; want %s, %v, %q", got.Status, got.Certain, messages, tt.status, tt.certain, tt.message)
			}
			if r.Passed+r.Failed+r.Skipped != 1 || got.Line != 8 || got.Set != tt.set {
				t.Errorf("got %+v", r)
			}
		})
	}
}

// What a zone has decides as what the repository has.
func TestStoredPolicies(t *testing.T) {
	tree := load(t, head+entities+"cases:\n"+
		testCase("mixed", "bob", "read", "expect: allow, determining: [platform]")+
		testCase("mixed", "ada", "read", "expect: allow, determining: [platform, seniors]"))
	text, problems := cedar.ParseSet("platform v3", []byte("permit (principal, action, resource); permit (principal, action, resource) when { principal.level < 2 };"))
	if problems != nil {
		t.Fatal(problems)
	}
	r := Run(tree, Options{Stored: map[Entry][]*cedar.Policy{{"mixed", "platform"}: text}})
	if r.Passed != 2 || !r.Cases[0].Certain || len(r.Sets[1].Unread) != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestFilterAndSet(t *testing.T) {
	tree := load(t, head+entities+"cases:\n"+testCase("all", "ada", "read", "name: seniors read, expect: allow")+
		testCase("mixed", "bob", "read", "name: juniors don't, expect: deny")+
		"  - {principal: 'User::\"bob\"', action: 'Action::\"read\"', resource: 'Doc::\"d\"', expect: deny}\n")
	for _, tt := range []struct {
		name, filter, set string
		want              []string
	}{
		{"everything; a case without a set is about each", "", "", []string{"all seniors read", "mixed juniors don't", "all bob", "mixed bob"}},
		{"by name", "^seniors", "", []string{"all seniors read"}},
		{"by request", `User::"bob"`, "", []string{"all bob", "mixed bob"}},
		{"by file", `tests/a`, "", []string{"all seniors read", "mixed juniors don't", "all bob", "mixed bob"}},
		{"by set", "", "mixed", []string{"mixed juniors don't", "mixed bob"}},
		{"by both", "seniors", "mixed", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Run(tree, Options{Filter: regexp.MustCompile(tt.filter), Set: tt.set})
			var got []string
			for _, c := range r.Cases {
				got = append(got, c.Set+" "+strings.Replace(c.Case, `User::"bob" Action::"read" Doc::"d"`, "bob", 1))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCoverage(t *testing.T) {
	r := Run(load(t, head+entities+"cases:\n"+testCase("all", "ada", "read", "expect: allow")+testCase("all", "ada", "write", "expect: deny")+
		testCase("all", "bob", "write", "expect: deny")+testCase("all", "bob", "read", "expect: allow")), Options{})
	all := r.Sets[0]
	want := []Coverage{{"seniors", "p/seniors.cedar", true, 1, 0}, {"no-writes", "p/no-writes.cedar", true, 0, 2}, {"sums", "p/sums.cedar", true, 0, 0}}
	if !slices.Equal(all.Coverage, want) || all.Cases != 4 || !slices.Equal(all.Uncovered(), []string{"sums"}) {
		t.Errorf("got %+v, want %+v", all, want)
	}
	mixed := r.Sets[1]
	if mixed.Cases != 0 || mixed.Coverage[2].Read || !slices.Equal(mixed.Unread, []string{"platform"}) {
		t.Errorf("got %+v", mixed)
	}
}

// Runs on all cores give one report.
func TestReportIsTheSameEveryTime(t *testing.T) {
	var b strings.Builder
	b.WriteString(head + entities + "cases:\n")
	for i := range 1000 {
		b.WriteString(testCase([]string{"all", "mixed"}[i%2], []string{"ada", "bob"}[i%3%2], "read", fmt.Sprintf("context: {n: %d}, expect: allow", i%7)))
	}
	tree := load(t, b.String())
	first, err := json.Marshal(Run(tree, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(first), "null") {
		t.Error("a list is null")
	}
	for range 5 {
		again, err := json.Marshal(Run(tree, Options{}))
		if err != nil || string(again) != string(first) {
			t.Fatal("two runs differ", err)
		}
	}
}

func TestNoTests(t *testing.T) {
	fsys := files("")
	delete(fsys, "tests/a.yaml")
	tree, problems, err := manifest.Load(fsys)
	if err != nil || problems.Err() != nil {
		t.Fatal(err, problems)
	}
	if r := Run(tree, Options{}); len(r.Cases) != 0 || len(r.Sets) != 2 {
		t.Errorf("got %+v", r)
	}
}

// BenchmarkRun decides 10,000 cases by 200 policies of the example's schema.
func BenchmarkRun(b *testing.B) {
	schema, err := os.ReadFile("../../examples/quickstart/schemas/2026-06-18.cedarschema")
	if err != nil {
		b.Fatal(err)
	}
	var set, tests strings.Builder
	fsys := fstest.MapFS{"policypin.yaml": {Data: []byte("apiVersion: policypin.dev/v1\nkind: Project\n")}, "schemas/s.cedarschema": {Data: schema}}
	set.WriteString("apiVersion: policypin.dev/v1\nkind: PolicySet\nname: a\nschema_version: s\nentries:\n")
	tests.WriteString(head + "entities:\n")
	for i := range 200 {
		fmt.Fprintf(&set, "- {policy: p%d, source: p/%d.cedar}\n", i, i)
		fsys[fmt.Sprintf("p/%d.cedar", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, `permit (principal is Keycard::User, action == Keycard::Action::"Access", resource is Keycard::Resource)
when { principal has groups && principal.groups.contains("team-%[1]d") && resource has identifier && resource.identifier like "https://team-%[1]d.example.com/*" };`, i)}
		fmt.Fprintf(&tests, "  Keycard::User::\"u%[1]d\": {attrs: {groups: [team-%[1]d]}}\n  Keycard::Resource::\"r%[1]d\": {attrs: {id: r, name: r, identifier: \"https://team-%[1]d.example.com/x\"}}\n", i)
	}
	tests.WriteString("cases:\n")
	for i := range 10_000 {
		fmt.Fprintf(&tests, "  - {principal: 'Keycard::User::\"u%d\"', action: 'Keycard::Action::\"Access\"', resource: 'Keycard::Resource::\"r%d\"', context: {on_behalf: false}, expect: allow}\n", i%200, i%200)
	}
	fsys["policy-sets/a.yaml"], fsys["tests/a.yaml"] = &fstest.MapFile{Data: []byte(set.String())}, &fstest.MapFile{Data: []byte(tests.String())}
	for b.Loop() {
		start := time.Now()
		tree, problems, err := manifest.Load(fsys)
		if err != nil || problems != nil {
			b.Fatal(err, problems)
		}
		read := time.Now()
		if r := Run(tree, Options{}); r.Passed != 10_000 {
			b.Fatal(r.Failed)
		}
		b.ReportMetric(float64(read.Sub(start).Milliseconds()), "ms-load")
		b.ReportMetric(float64(time.Since(read).Milliseconds()), "ms-run")
	}
}

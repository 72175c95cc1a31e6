package policytest

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/policypin/policypin/manifest"
)

// BenchmarkTenThousandCases reads and decides 10,000 cases of one file among 200
// policies.
func BenchmarkTenThousandCases(b *testing.B) {
	files := fstest.MapFS{}
	add := func(name, text string) { files[name] = &fstest.MapFile{Data: []byte(text)} }
	add("policypin.yaml", "apiVersion: policypin.dev/v1\nkind: Project\n")
	add("schemas/v1.cedarschema", "entity Team;\nentity User in [Team] = { dept: String };\nentity Doc;\naction read appliesTo { principal: User, resource: Doc, context: { n?: Long } };\n")
	set := "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: s\nschema_version: v1\nentries:\n"
	for i := range 200 {
		add(fmt.Sprintf("policies/p%d.cedar", i), fmt.Sprintf("permit (principal in Team::\"t%d\", action, resource) when { context has n && context.n > %d };\n", i, i%3))
		set += fmt.Sprintf("  - policy: p%d\n    source: policies/p%d.cedar\n", i, i)
	}
	add("policy-sets/s.yaml", set)
	var tests strings.Builder
	tests.WriteString("apiVersion: policypin.dev/v1\nkind: PolicyTest\nentities:\n")
	for i := range 200 {
		fmt.Fprintf(&tests, "  User::\"u%d\": {attrs: {dept: x}, parents: [Team::\"t%d\"]}\n  Doc::\"d%d\":\n", i, i, i)
	}
	tests.WriteString("cases:\n")
	for i := range 10_000 {
		fmt.Fprintf(&tests, "  - principal: User::\"u%d\"\n    action: Action::\"read\"\n    resource: Doc::\"d%d\"\n    context: {n: 5}\n    expect: allow\n", i%200, i*7%200)
	}
	add("tests/many.yaml", tests.String())
	b.SetBytes(int64(tests.Len()))
	b.ReportAllocs()
	for b.Loop() {
		tree, problems, err := manifest.Load(files)
		if err != nil || problems.Err() != nil {
			b.Fatal(err, problems)
		}
		if r := Run(tree, Options{}); r.Passed != 10_000 {
			b.Fatalf("got %d passed, %d failed", r.Passed, r.Failed)
		}
	}
}

package manifest

import (
	"slices"
	"testing"
	"testing/fstest"
)

// Of the files that changed, those are laid out that are the project's own and
// are still there.
func TestFormatChanged(t *testing.T) {
	const (
		loose = "permit(principal,action,resource);"
		test  = "kind: PolicyTest\napiVersion: policypin.dev/v1\ncases:\n  - {expect: deny, principal: A::\"a\", action: Action::\"r\", resource: A::\"b\"}\n"
	)
	set := func(source string) string {
		return "kind: PolicySet\napiVersion: policypin.dev/v1\nname: a\nschema_version: x\nentries:\n  - policy: p\n    source: " + source + "\n"
	}
	files := map[string]string{
		ProjectFile:           "kind: Project\napiVersion: policypin.dev/v1\n",
		"policy-sets/a.yaml":  set("policies/used.cedar"),
		"policy-sets/b.yaml":  set("policies/other.cedar"),
		"policies/used.cedar": loose, "policies/other.cedar": loose, "policies/spare.cedar": loose,
		"tests/t.yaml": test, "else/t.yaml": test,
	}
	all := []string{
		"else/t.yaml", "policies/gone.cedar", "policies/spare.cedar", "policies/used.cedar",
		"policy-sets/a.yaml", "policy-sets/gone.yaml", ProjectFile, "tests/gone.yaml", "tests/t.yaml",
	}
	for _, c := range []struct {
		name    string
		project string // instead of the project file
		changed []string
		want    []string
		rules   []string
	}{
		{name: "nothing changed"},
		{name: "a source", changed: []string{"policies/used.cedar"}, want: []string{"policies/used.cedar"}},
		{name: "a source that no manifest names", changed: []string{"policies/spare.cedar"}},
		{name: "all kinds", changed: all, want: []string{ProjectFile, "policy-sets/a.yaml", "policies/used.cedar", "tests/t.yaml"}},
		{name: "a project file that says nothing", project: "[]\n", changed: all, rules: []string{"wrong-type"}},
		{name: "a project file that said nothing before", project: "[]\n", changed: []string{"policies/used.cedar"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for name, text := range files {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if c.project != "" {
				fsys[ProjectFile] = &fstest.MapFile{Data: []byte(c.project)}
			}
			tree, _, err := LoadChanged(fsys, c.changed)
			if err != nil {
				t.Fatal(err)
			}
			list, problems, err := FormatChanged(fsys, tree, c.changed)
			if err != nil {
				t.Fatal(err)
			}
			var got, rules []string
			for _, f := range list {
				got = append(got, f.File)
				if p := f.Problem(); !f.Changed() || p.Rule != "not-formatted" || p.File != f.File {
					t.Errorf("%s changed: %v, %v", f.File, f.Changed(), p)
				}
			}
			for _, p := range problems {
				rules = append(rules, p.Rule)
			}
			if !slices.Equal(got, c.want) || !slices.Equal(rules, c.rules) {
				t.Errorf("got %v and %v, want %v and %v", got, problems, c.want, c.rules)
			}
		})
	}
}

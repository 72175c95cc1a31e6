package manifest

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A loggingFS notes what is opened. It stands for a Git index, where opening is
// the dear thing.
type loggingFS struct {
	fstest.MapFS
	opened *[]string
}

func (f loggingFS) Open(name string) (fs.File, error) {
	*f.opened = append(*f.opened, name)
	return f.MapFS.Open(name)
}

func (f loggingFS) ReadFile(name string) ([]byte, error) {
	*f.opened = append(*f.opened, name)
	return f.MapFS.ReadFile(name)
}

func TestLoadChanged(t *testing.T) {
	const set, read, other = "policy-sets/agents.yaml", "policies/read.cedar", "policies/deny-dcr.cedar"
	broken := "permit (principal"
	twoSources := strings.ReplaceAll(goodFiles[set], "agents", "b")
	for _, tt := range []struct {
		name    string
		files   files
		changed []string
		sources string // that were parsed
		rules   string
	}{
		{"nothing", goodFiles, nil, "", ""},
		{"a file that isn't the project's", goodFiles.with(files{read: broken}), []string{"README.md", "../x.cedar", "/"}, "", ""},
		{"a source", goodFiles.with(files{other: broken}), []string{read}, read, ""},
		{"a broken source", goodFiles.with(files{read: broken}), []string{read}, "", "cedar-syntax"},
		{"a source with a type error", goodFiles.edit(t, read, `"Access"`, `"Acces"`), []string{read}, read, "cedar-unknown-action"},
		{"a removed source", goodFiles.with(files{read: ""}), []string{read}, "", "missing-source"},
		{"a source that nothing names", goodFiles.with(files{"policies/x.cedar": broken}), []string{"policies/x.cedar"}, "", "unused-source"},
		{"a removed source that nothing names", goodFiles, []string{"policies/x.cedar"}, "", ""},
		{"a source that is named with an escape", goodFiles.edit(t, set, "policies/read.cedar", `"policies\x2fread.cedar"`).with(files{read: broken}),
			[]string{read}, "", "cedar-syntax"},
		{"a source with a space, named on two lines",
			goodFiles.edit(t, set, "policies/read.cedar", "policies/a\n      b.cedar").with(files{read: "", "policies/a b.cedar": broken}),
			[]string{"policies/a b.cedar"}, "", "cedar-syntax"},
		{"a manifest", goodFiles, []string{set}, other + " " + read, ""},
		{"a manifest against the others", goodFiles.with(files{"policy-sets/b.yaml": twoSources}).edit(t, "policy-sets/b.yaml", read, "policies/r.cedar").
			with(files{"policies/r.cedar": goodFiles[read]}), []string{"policy-sets/b.yaml"}, other + " policies/r.cedar", "policy-two-sources"},
		{"a source, while the manifests contradict each other", goodFiles.with(files{"policy-sets/b.yaml": twoSources}).
			edit(t, "policy-sets/b.yaml", read, "policies/r.cedar").with(files{"policies/r.cedar": goodFiles[read]}), []string{read}, read, ""},
		{"a removed manifest", goodFiles.with(files{set: ""}), []string{set}, "", "unknown-active-set"},
		{"the project file", goodFiles.edit(t, "policypin.yaml", "active: agents", "active: agent"), []string{"policypin.yaml"}, "", "unknown-active-set"},
		{"a schema", goodFiles, []string{"schemas/2026-03-16.cedarschema"}, other + " " + read, ""},
		{"a schema that no set uses", goodFiles, []string{"schemas/2026-02-24.cedarschema"}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree, problems, err := LoadChanged(tt.files.fs(t), tt.changed)
			if err != nil {
				t.Fatal(err)
			}
			var sources, rules []string
			for s := range tree.Sources {
				sources = append(sources, s)
			}
			slices.Sort(sources)
			for _, p := range problems {
				rules = append(rules, p.Rule)
			}
			if got := strings.Join(sources, " "); got != tt.sources {
				t.Errorf("parsed sources: got %q, want %q", got, tt.sources)
			}
			if got := strings.Join(rules, " "); got != tt.rules {
				t.Errorf("rules: got %q, want %q:\n%v", got, tt.rules, problems)
			}
		})
	}
}

// What LoadChanged says of a source is what Load says of it.
func TestLoadChangedAgreesWithLoad(t *testing.T) {
	const read = "policies/read.cedar"
	f := goodFiles.edit(t, read, `"Access"`, `"Acces"`).fs(t)
	_, all, err := Load(f)
	if err != nil {
		t.Fatal(err)
	}
	_, changed, err := LoadChanged(f, []string{read})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(all) != fmt.Sprint(changed) || len(all) == 0 {
		t.Errorf("Load:\n%v\nLoadChanged:\n%v", all, changed)
	}
}

// One changed source costs the project file, the manifests, the schema and
// itself, however many sources there are.
func TestLoadChangedOpensLittle(t *testing.T) {
	var opened []string
	fsys := loggingFS{bigProject(10, 100).fs(t), &opened}
	if _, problems, err := LoadChanged(fsys, []string{"policies/s3/p7.cedar"}); err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	want := []string{"policies/s3/p7.cedar", "policypin.yaml", "schemas/2026-03-16.cedarschema"}
	for i := range 10 {
		want = append(want, fmt.Sprintf("policy-sets/s%d.yaml", i))
	}
	slices.Sort(want)
	slices.Sort(opened)
	if got := slices.Compact(opened); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// bigProject has sets manifests with entries sources each.
func bigProject(sets, entries int) files {
	f := files{"policypin.yaml": "apiVersion: policypin.dev/v1\nkind: Project\n"}
	for i := range sets {
		var b strings.Builder
		fmt.Fprintf(&b, "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: s%d\nschema_version: \"2026-03-16\"\nentries:\n", i)
		for j := range entries {
			fmt.Fprintf(&b, "  - policy: s%d-p%d\n    source: policies/s%d/p%d.cedar\n", i, j, i, j)
			f[fmt.Sprintf("policies/s%d/p%d.cedar", i, j)] = fmt.Sprintf(`// Policy %d of team %d.
@id("s%d-p%d")
permit (
  principal is Keycard::User,
  action == Keycard::Action::"Access",
  resource is Keycard::Resource
)
when { principal has groups && principal.groups.contains("team-%d") }
when { resource.name == "resource-%d" && context.on_behalf };
`, j, i, i, j, i, j)
		}
		f[fmt.Sprintf("policy-sets/s%d.yaml", i)] = b.String()
	}
	return f
}

func BenchmarkLoad(b *testing.B) {
	fsys := bigProject(500, 20).fs(b)
	for b.Loop() {
		if _, problems, err := Load(fsys); err != nil || len(problems) > 0 {
			b.Fatal(err, problems)
		}
	}
}

func BenchmarkLoadChanged(b *testing.B) {
	fsys := bigProject(500, 20).fs(b)
	for _, changed := range []string{"policies/s250/p7.cedar", "policy-sets/s250.yaml"} {
		b.Run(changed, func(b *testing.B) {
			for b.Loop() {
				if _, problems, err := LoadChanged(fsys, []string{changed}); err != nil || len(problems) > 0 {
					b.Fatal(err, problems)
				}
			}
		})
	}
}

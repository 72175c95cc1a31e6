package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"
)

const (
	testHead     = "apiVersion: policypin.dev/v1\nkind: PolicyTest\n"
	goodEntities = `entities:
  Keycard::User::"ada":
  Keycard::Resource::"ledger":
    attrs: {id: ledger, name: Ledger}
`
	goodCase = `  - principal: Keycard::User::"ada"
    action: Keycard::Action::"Access"
    resource: Keycard::Resource::"ledger"
    context: {on_behalf: true}
    expect: allow
    determining: [read]
`
)

// testedProject is a project without problems and with one test file; files
// replaces some of it.
func testedProject(t testing.TB, files map[string]string) fstest.MapFS {
	t.Helper()
	fsys := project(t, &txtar.Archive{})
	for name, text := range map[string]string{
		"policy-sets/agents.yaml": "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: agents\nschema_version: \"2026-03-16\"\nentries:\n- {policy: read, source: policies/read.cedar}\n",
		"policies/read.cedar":     "permit (principal, action, resource);\n",
		"tests/a.yaml":            testHead + goodEntities + "cases:\n" + goodCase,
	} {
		fsys[name] = &fstest.MapFile{Mode: 0o644, Data: []byte(text)}
	}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Mode: 0o644, Data: []byte(text)}
	}
	return fsys
}

func TestTestsAreRead(t *testing.T) {
	tree, problems, err := Load(testedProject(t, nil))
	if err != nil || problems != nil {
		t.Fatal(err, problems)
	}
	if len(tree.Tests) != 1 || len(tree.Tests[0].Cases) != 1 {
		t.Fatalf("got %+v", tree.Tests)
	}
	f := tree.Tests[0]
	c := &f.Cases[0]
	if f.World("2026-03-16") == nil || f.World("x") != nil {
		t.Error("the entities are not there for their schema, or for another")
	}
	if _, ok := c.Request("2026-03-16"); !ok {
		t.Error("no request")
	}
	want := `Keycard::User::"ada" Keycard::Action::"Access" Keycard::Resource::"ledger"`
	if c.Label() != want || c.Expect != "allow" || !c.Stated || !slices.Equal(c.Determining, []string{"read"}) {
		t.Errorf("got %q %+v", c.Label(), c)
	}
	if tree, _, err := LoadSets(testedProject(t, nil)); err != nil || tree.Tests != nil || len(tree.Sets) != 1 {
		t.Errorf("LoadSets: got %+v, %v", tree, err)
	}
}

// Without a name, a case is about the sets that decide.
func TestTestedSets(t *testing.T) {
	other := "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: other\nschema_version: \"2026-03-16\"\nentries:\n- {policy: other, source: policies/other.cedar}\n"
	files := map[string]string{"policy-sets/other.yaml": other, "policies/other.cedar": "permit (principal, action, resource);\n"}
	active := "apiVersion: policypin.dev/v1\nkind: Project\ntargets:\n  a: {zone_id: z1, active: other}\n  b: {zone_id: z2, active: other}\n"
	files["tests/a.yaml"] = testHead + "set: agents\n" + goodEntities + "cases:\n" + goodCase
	for _, tt := range []struct{ name, project, file, own, want string }{
		{"every set where no target says which is active", "", "", "", "agents other"},
		{"the active ones", active, "", "", "other"},
		{"the file's", active, "agents", "", "agents"},
		{"the case's own first", active, "agents", "other", "other"},
		{"none where the name is wrong", "", "nobody", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.project != "" {
				files[ProjectFile] = tt.project
			} else {
				delete(files, ProjectFile)
			}
			tree, problems, err := Load(testedProject(t, files))
			if err != nil || problems != nil {
				t.Fatal(err, problems)
			}
			var got []string
			for _, s := range tree.TestedSets(&TestFile{Set: tt.file}, &Case{Set: tt.own}) {
				got = append(got, s.Name)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A commit hook looks at a test file only if it is in the commit, or if the
// schema is.
func TestLoadChangedReadsTests(t *testing.T) {
	broken := map[string]string{"tests/a.yaml": testHead + "cases: []\n", "tests/b.yaml": testHead + "set: agnts\ncases: []\n"}
	for _, tt := range []struct {
		name    string
		changed []string
		want    []string // files with problems
	}{
		{"a source", []string{"policies/read.cedar"}, nil},
		{"a manifest", []string{"policy-sets/agents.yaml"}, nil},
		{"something else", []string{"README.md"}, nil},
		{"one test file", []string{"tests/b.yaml"}, []string{"tests/b.yaml"}},
		{"one that was removed", []string{"tests/c.yaml"}, nil},
		{"a schema", []string{"schemas/2026-03-16.cedarschema"}, []string{"tests/a.yaml", "tests/b.yaml"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree, problems, err := LoadChanged(testedProject(t, broken), tt.changed)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range problems {
				if !slices.Contains(got, p.File) {
					got = append(got, p.File)
				}
			}
			if !slices.Equal(got, tt.want) || len(tree.Tests) != len(tt.want) {
				t.Errorf("got problems in %q and %d test files, want %q", got, len(tree.Tests), tt.want)
			}
		})
	}
}

// A test file of 10,000 cases is read fast enough not to be felt in validate.
func BenchmarkLoadTests(b *testing.B) {
	var cases bytes.Buffer
	fmt.Fprint(&cases, testHead, goodEntities, "cases:\n")
	for i := range 10_000 {
		fmt.Fprintf(&cases, `  - name: case %d
    principal: Keycard::User::"ada"
    action: Keycard::Action::"Access"
    resource: Keycard::Resource::"ledger"
    context: {on_behalf: true, scopes: [a, b%d]}
    expect: allow
    determining: [read]
`, i, i)
	}
	fsys := testedProject(b, map[string]string{"tests/a.yaml": cases.String()})
	b.SetBytes(int64(cases.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if tree, problems, err := Load(fsys); err != nil || problems != nil || len(tree.Tests[0].Cases) != 10_000 {
			b.Fatal(err, problems)
		}
	}
}

func FuzzTests(f *testing.F) {
	seeds(f, "tests/")
	f.Add(testedProject(f, nil)["tests/a.yaml"].Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		const file = "tests/a.yaml"
		tests, problems, secrets := parseTests(file, data)
		checkParsed(t, file, data, problems, secrets)
		if tests == nil && problems.Errors() == 0 {
			t.Error("no tests and no error")
		}
		fsys := testedProject(t, map[string]string{file: string(data)})
		tree, problems, err := Load(fsys)
		if err != nil {
			t.Fatal(err)
		}
		checkParsed(t, file, data, problems, nil)
		if problems.Errors() > 0 {
			return
		}
		for _, f := range tree.Tests {
			for i := range f.Cases {
				c := &f.Cases[i]
				if _, ok := c.Request("2026-03-16"); !ok || f.World("2026-03-16") == nil || c.Expect != "allow" && c.Expect != "deny" {
					t.Errorf("accepted the case %+v", c)
				}
			}
		}
	})
}

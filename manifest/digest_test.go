package manifest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
)

// files are the parts of a project in a test; set adds or replaces some.
type files map[string]string

var goodFiles = files{
	"policypin.yaml": `apiVersion: policypin.dev/v1
kind: Project
targets:
  staging: {zone_id: zone_stg}
  production: {zone_id: zone_prd, active: agents}
gates: {max_removed_entries: 3}
`,
	"policy-sets/agents.yaml": `apiVersion: policypin.dev/v1
kind: PolicySet
name: agents
schema_version: "2026-03-16"
entries:
  - policy: read
    source: policies/read.cedar
    description: Everybody may read.
  - policy: deny-dcr
    source: policies/deny-dcr.cedar
  - policy: default-user-grants
    version: 3
`,
	"policy-sets/exact.yaml": `apiVersion: policypin.dev/v1
kind: PolicySet
name: exact
schema_version: 2026-03-16
target_type: user
targets: [production]
entries:
  - policy_id: pol_7
    policy_version_id: pv_9
    sha: sha256:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08
`,
	"policies/read.cedar": `permit (
  principal is Keycard::User,
  action == Keycard::Action::"Access",
  resource
);
`,
	"policies/deny-dcr.cedar": `forbid (principal is Keycard::Application, action, resource)
when { principal.registration_method == Keycard::RegistrationMethod::"dcr" };
`,
}

// with returns a copy with some files replaced; an empty text removes a file.
func (f files) with(changed files) files {
	g := maps.Clone(f)
	for name, text := range changed {
		if text == "" {
			delete(g, name)
		} else {
			g[name] = text
		}
	}
	return g
}

// edit returns a copy in which old is replaced in one file.
func (f files) edit(t testing.TB, file, old, new string) files {
	t.Helper()
	if !strings.Contains(f[file], old) {
		t.Fatalf("%s has no %q", file, old)
	}
	return f.with(files{file: strings.ReplaceAll(f[file], old, new)})
}

func (f files) fs(t testing.TB) fstest.MapFS {
	t.Helper()
	fsys := project(t, nil)
	for name, text := range f {
		fsys[name] = &fstest.MapFile{Mode: 0o644, Data: []byte(text)}
	}
	return fsys
}

// load loads a project that must not have errors.
func (f files) load(t testing.TB) *Tree {
	t.Helper()
	tree, problems, err := Load(f.fs(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) > 0 {
		t.Fatalf("problems:\n%v", problems)
	}
	return tree
}

func digestOf(t testing.TB, tree *Tree, set string) string {
	t.Helper()
	s, ok := tree.Set(set)
	if !ok {
		t.Fatalf("no set %q", set)
	}
	d, err := tree.Digest(s)
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// These values are in pins for ever: a change here is a new digest format.
const (
	agentsDigest = "d757ab00a206edc8ec6e11efa16936f291257d86f283cadc35ae662d5fc55cdd"
	exactDigest  = "8f29dfa1e7a26a312b775e8cf40266f645b9a5cdf4d29ba294dd3c0681a26591"
)

func TestDigestIsGolden(t *testing.T) {
	tree := goodFiles.load(t)
	if got := digestOf(t, tree, "agents"); got != agentsDigest {
		t.Errorf("agents: got %s, want %s", got, agentsDigest)
	}
	// The same, with the canonical form written by hand.
	byHand := fmt.Sprintf(`{"entries":[{"policy":"default-user-grants","version":3},{"digest":"%s","policy":"deny-dcr"},{"digest":"%s","policy":"read"}],`+
		`"schema_version":"2026-03-16","target_type":"zone"}`,
		tree.Sources["policies/deny-dcr.cedar"].Digest(), tree.Sources["policies/read.cedar"].Digest())
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(byHand))); got != agentsDigest {
		t.Errorf("agents by hand: got %s, want %s", got, agentsDigest)
	}
	// The SHA-256 of {"entries":[{"policy_id":"pol_7","policy_version_id":"pv_9"}],"schema_version":"2026-03-16","target_type":"user"},
	// as any sha256sum says.
	if got := digestOf(t, tree, "exact"); got != exactDigest {
		t.Errorf("exact: got %s, want %s", got, exactDigest)
	}
}

func TestDigestFollowsMeaning(t *testing.T) {
	const set, read = "policy-sets/agents.yaml", "policies/read.cedar"
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	for _, tt := range []struct {
		name  string
		files files
		moves bool
	}{
		{"a comment in a source", goodFiles.edit(t, read, "permit", "// who reads?\npermit"), false},
		{"the layout of a source", goodFiles.edit(t, read, "\n  ", " "), false},
		{"line ends of a source", goodFiles.with(files{read: crlf(goodFiles[read])}), false},
		{"a comment in the manifest", goodFiles.edit(t, set, "entries:", "# the policies\nentries:"), false},
		{"line ends of the manifest", goodFiles.with(files{set: crlf(goodFiles[set])}), false},
		{"quotes around the schema version", goodFiles.edit(t, set, `"2026-03-16"`, "2026-03-16"), false},
		{"a description", goodFiles.edit(t, set, "Everybody", "Anybody"), false},
		{"what the set was", goodFiles.edit(t, set, "name: agents", "name: agents\nwas: old"), false},
		{"the order of entries", goodFiles.with(files{set: `apiVersion: policypin.dev/v1
kind: PolicySet
name: agents
schema_version: "2026-03-16"
entries:
  - {policy: default-user-grants, version: 3}
  - {source: policies/deny-dcr.cedar, policy: deny-dcr}
  - {policy: read, source: policies/read.cedar}
`}), false},
		{"targets", goodFiles.edit(t, set, "entries:", "targets: [staging, production]\nentries:"), false},
		{"a sha", goodFiles.edit(t, set, "version: 3", "version: 3\n    sha: "+strings.Repeat("0", 64)), false},
		{"another file for the same policy", goodFiles.with(files{read: "", "policies/r.cedar": goodFiles[read]}).edit(t, set, read, "policies/r.cedar"), false},
		{"what a source says", goodFiles.edit(t, read, "permit", "forbid"), true},
		{"the name of a policy", goodFiles.edit(t, set, "policy: read", "policy: reads"), true},
		{"a number", goodFiles.edit(t, set, "version: 3", "version: 4"), true},
		{"one entry less", goodFiles.edit(t, set, "  - policy: default-user-grants\n    version: 3\n", ""), true},
		{"the target type", goodFiles.edit(t, set, "entries:", "target_type: user\nentries:"), true},
		{"an annotation of a source", goodFiles.edit(t, read, "permit", "@id(\"read\")\npermit"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := digestOf(t, tt.files.load(t), "agents")
			if moved := got != agentsDigest; moved != tt.moves {
				t.Errorf("moved is %v, want %v", moved, tt.moves)
			}
		})
	}
	t.Run("the schema version", func(t *testing.T) {
		tree := goodFiles.load(t)
		s, _ := tree.Set("agents")
		other := *s
		other.SchemaVersion = "2026-02-24"
		d, err := tree.Digest(&other)
		if err != nil {
			t.Fatal(err)
		}
		if d.String() == agentsDigest {
			t.Error("the digest is the same for another schema version")
		}
	})
}

func TestDigestNeedsEverySource(t *testing.T) {
	tree, _, err := Load(goodFiles.with(files{"policies/read.cedar": "permit (principal"}).fs(t))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := tree.Set("agents")
	if d, err := tree.Digest(s); err == nil {
		t.Errorf("got %s for a set whose source doesn't parse", d)
	}
}

func TestTreeAnswers(t *testing.T) {
	tree := goodFiles.load(t)
	names := func(sets []*Set) string {
		var s []string
		for _, set := range sets {
			s = append(s, set.Name)
		}
		return strings.Join(s, " ")
	}
	for target, want := range map[string]string{"staging": "agents", "production": "agents exact", "local": "agents"} {
		if got := names(tree.SetsFor(target)); got != want {
			t.Errorf("sets for %s: got %q, want %q", target, got, want)
		}
	}
	if _, ok := tree.Set("nobody"); ok {
		t.Error("a set that doesn't exist was found")
	}
	p := tree.Project
	for name, want := range map[string]Target{
		"local":      {Name: "local", ZoneID: "zone_local", Pins: "local"},
		"staging":    {Name: "staging", ZoneID: "zone_stg", Pins: "staging"},
		"production": {Name: "production", ZoneID: "zone_prd", Pins: "production", Active: "agents"},
	} {
		if got, ok := p.Target(name); !ok || got != want {
			t.Errorf("target %s: got %+v, %v, want %+v", name, got, ok, want)
		}
	}
	if _, ok := p.Target("nobody"); ok {
		t.Error("a target that doesn't exist was found")
	}
	if p.DefaultTarget != "local" || p.Gates.Widened != "allow" || p.Gates.Uncovered != "allow" || *p.Gates.MaxRemovedEntries != 3 {
		t.Errorf("got %+v", p)
	}
	exact, _ := tree.Set("exact")
	if got := exact.Entries[0].SHA; got != "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" {
		t.Errorf("sha: got %s", got)
	}
	if exact.SchemaVersion != "2026-03-16" || exact.Position.String() != "policy-sets/exact.yaml:1:1" || exact.Entries[0].Position.Line != 8 {
		t.Errorf("got %+v", exact)
	}
}

func TestLoadWithoutProjectFile(t *testing.T) {
	_, _, err := Load(fstest.MapFS{"a": &fstest.MapFile{}})
	if err == nil || !strings.Contains(err.Error(), ProjectFile) {
		t.Errorf("got %v", err)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v doesn't wrap fs.ErrNotExist", err)
	}
}

// LoadProject needs nothing but the project file.
func TestLoadProject(t *testing.T) {
	alone := files{ProjectFile: goodFiles[ProjectFile]}.fs(t)
	p, problems, err := LoadProject(alone)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if d := compareProjects(p, goodFiles.load(t).Project); len(d) > 0 {
		t.Errorf("it differs from Load's: %v", d)
	}
	if p, problems, err := LoadProject(files{ProjectFile: "[]"}.fs(t)); p != nil || problems.Errors() != 1 || err != nil {
		t.Errorf("got %v, %v, %v", p, problems, err)
	}
	if _, _, err := LoadProject(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

// A folder that can't be read must not pass for one without manifests.
func TestLoadReportsIOErrors(t *testing.T) {
	fsys := brokenFS{goodFiles.fs(t), ""}
	for _, broken := range []string{"policypin.yaml", "policy-sets", "policy-sets/agents.yaml", "policies/read.cedar", "schemas/2026-03-16.cedarschema"} {
		fsys.broken = broken
		tree, _, err := Load(fsys)
		if err == nil || !strings.Contains(err.Error(), "disk on fire") {
			t.Errorf("%s: got tree %v, error %v", broken, tree != nil, err)
		}
	}
}

var errOnFire = errors.New("disk on fire")

type brokenFS struct {
	fstest.MapFS
	broken string
}

func (f brokenFS) Open(name string) (fs.File, error) {
	if name == f.broken {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errOnFire}
	}
	return f.MapFS.Open(name)
}

func (f brokenFS) ReadFile(name string) ([]byte, error) {
	if name == f.broken {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errOnFire}
	}
	return f.MapFS.ReadFile(name)
}

func (f brokenFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == f.broken {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errOnFire}
	}
	return f.MapFS.ReadDir(name)
}

// A file system with nothing but Open is read with a limit on every file, and
// means the same.
func TestLoadFromAPlainFS(t *testing.T) {
	plain := struct{ fs.FS }{goodFiles.fs(t)}
	tree, problems, err := Load(plain)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if got := digestOf(t, tree, "agents"); got != agentsDigest {
		t.Errorf("got %s, want %s", got, agentsDigest)
	}
	if _, _, err := LoadChanged(plain, []string{"policies/read.cedar"}); err != nil {
		t.Error(err)
	}
}

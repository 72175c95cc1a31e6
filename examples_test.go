package policypin_test

import (
	"bytes"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/policypin/policypin/internal/layerfs"
	"github.com/policypin/policypin/internal/policytest"
	"github.com/policypin/policypin/manifest"
)

// TestQuickstartProject checks the example with every rule that there is.
func TestQuickstartProject(t *testing.T) {
	tree := loadClean(t, os.DirFS("examples/quickstart"))
	if got := len(tree.Sources); got != 7 {
		t.Errorf("got %d sources, want 7", got)
	}
	const schema = "2026-06-18.cedarschema"
	example, err := os.ReadFile("examples/quickstart/schemas/" + schema)
	if err != nil {
		t.Fatal(err)
	}
	zones, err := os.ReadFile("internal/zone/schemas/" + schema)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(example, zones) {
		t.Error("the example's schema is not the local zone's")
	}
}

// TestQuickstartTests runs the example's decision tests, and those that
// docs/tests.md shows.
func TestQuickstartTests(t *testing.T) {
	page, err := os.ReadFile("docs/tests.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	files, err := layerfs.New(os.DirFS("examples/quickstart"), map[string][]byte{"tests/page.yaml": []byte(block)})
	if err != nil {
		t.Fatal(err)
	}
	tree := loadClean(t, files)
	r := policytest.Run(tree, policytest.Options{})
	for _, c := range r.Cases {
		if c.Status != policytest.Passed {
			t.Errorf("%s:%d: %s: %s", c.File, c.Line, c.Case, c.Messages)
		}
	}
	if len(tree.Tests) != 2 || r.Passed < 10 {
		t.Errorf("got %d cases in %d files", r.Passed, len(tree.Tests))
	}
	if got := r.Sets[0].Uncovered(); len(got) != 1 || got[0] != "default-user-grants" {
		t.Errorf("no case is about %q", got)
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n# (\\S+)\n(.*?)```")

// TestReadmeProject loads the files that README shows, over the sources and the
// schema of the quick start.
func TestReadmeProject(t *testing.T) {
	project := fstest.MapFS{}
	for _, m := range yamlBlock.FindAllStringSubmatch(documents(t)["README.md"], -1) {
		project[m[1]] = &fstest.MapFile{Data: []byte(m[2])}
	}
	if len(project) != 2 {
		t.Fatalf("README.md shows %d files, want 2", len(project))
	}
	for file := range project {
		for _, line := range strings.Split(string(project[file].Data), "\n") {
			if source, ok := strings.CutPrefix(line, "    source: "); ok {
				copyFile(t, project, source)
			}
			if version, ok := strings.CutPrefix(line, "schema_version: "); ok {
				copyFile(t, project, "schemas/"+strings.Trim(version, `"`)+".cedarschema")
			}
		}
	}
	files, _, err := manifest.Format(project, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Changed() {
			t.Errorf("README.md shows %s as fmt wouldn't leave it, want\n%s", f.File, f.After)
		}
	}
	tree := loadClean(t, project)
	if len(tree.Sets) != 1 || len(tree.Sets[0].Entries) != 3 {
		t.Errorf("got sets %+v, want one with three entries", tree.Sets)
	}
}

func copyFile(t *testing.T, to fstest.MapFS, name string) {
	t.Helper()
	data, err := fs.ReadFile(os.DirFS("examples/quickstart"), name)
	if err != nil {
		t.Fatal(err)
	}
	to[name] = &fstest.MapFile{Data: data}
}

// loadClean loads a project that must be without any problem.
func loadClean(t *testing.T, fsys fs.FS) *manifest.Tree {
	t.Helper()
	tree, problems, err := manifest.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%+v", p)
	}
	if tree == nil {
		t.FailNow()
	}
	return tree
}

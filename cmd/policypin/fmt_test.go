package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/policypin/policypin/manifest"
)

// What we give to people as an example, and what init writes, is formatted.
func TestOurOwnFilesAreFormatted(t *testing.T) {
	projects, err := filepath.Glob("../../examples/*/" + manifest.ProjectFile)
	if err != nil || len(projects) == 0 {
		t.Fatalf("found %d examples (%v), want some", len(projects), err)
	}
	scaffold := filepath.Join(t.TempDir(), manifest.ProjectFile)
	if got := call(t, filepath.Dir(scaffold), nil, "init"); got.status != statusOK {
		t.Fatal(got.stderr)
	}
	for _, file := range append(projects, scaffold) {
		list, problems, err := manifest.Format(os.DirFS(filepath.Dir(file)), nil)
		if err != nil || len(problems) > 0 || len(list) < 3 {
			t.Errorf("%s: %d files, %v, %v; want at least 3 and no problem", file, len(list), problems, err)
		}
		for _, f := range list {
			if f.Changed() {
				t.Errorf("%s: %s is not formatted, want\n%s", file, f.File, f.After)
			}
		}
	}
}

var cedarBlock = regexp.MustCompile("(?s)```cedar\n(.*?)```")

// So is the Cedar in the documentation.
func TestCedarInDocumentsIsFormatted(t *testing.T) {
	blocks := 0
	for _, page := range []string{"../../README.md", "../../docs/fmt.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range cedarBlock.FindAllSubmatch(text, -1) {
			blocks++
			fsys := fstest.MapFS{
				manifest.ProjectFile: &fstest.MapFile{Data: []byte("apiVersion: policypin.dev/v1\nkind: Project\n")},
				"a.cedar":            &fstest.MapFile{Data: m[1]},
			}
			list, problems, err := manifest.Format(fsys, []string{"a.cedar"})
			if err != nil || len(problems) > 0 || len(list) != 1 {
				t.Errorf("%s: %v, %v in\n%s", page, problems, err, m[1])
			} else if list[0].Changed() {
				t.Errorf("%s: not formatted, want\n%s", page, list[0].After)
			}
		}
	}
	if blocks == 0 {
		t.Error("found no Cedar")
	}
}

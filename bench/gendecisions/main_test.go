package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/policypin/policypin/internal/policytest"
	"github.com/policypin/policypin/manifest"
)

const schemaFile = "../../internal/zone/schemas/" + schemaVersion + ".cedarschema"

// TestProject loads what is generated: everything is valid, and every case passes.
func TestProject(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "project")
	if err := generate(dir, schemaFile, 12, 50, 300); err != nil {
		t.Fatal(err)
	}
	tree, problems, err := manifest.Load(os.DirFS(dir))
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	r := policytest.Run(tree, policytest.Options{})
	if r.Passed != 300 || r.Failed != 0 {
		t.Errorf("%d cases passed and %d failed, want 300 and none", r.Passed, r.Failed)
	}
	log, err := os.ReadFile(filepath.Join(dir, "requests", "log0.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(log, []byte("\n")); got != 50 {
		t.Errorf("got %d requests, want 50", got)
	}
}

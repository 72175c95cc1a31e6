package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policypin/policypin/manifest"
)

const schemaFile = "../../internal/zone/schemas/" + schemaVersion + ".cedarschema"

func gitOutput(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// TestDeterministic makes the same history twice.
func TestDeterministic(t *testing.T) {
	var heads []string
	for _, name := range []string{"first", "second"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := generate(dir, schemaFile, 5, 4, 30); err != nil {
			t.Fatal(err)
		}
		heads = append(heads, gitOutput(t, dir, "rev-parse", "HEAD"))
		if got := gitOutput(t, dir, "rev-list", "--count", "HEAD"); got != "30" {
			t.Errorf("got %s commits, want 30", got)
		}
		if got := gitOutput(t, dir, "status", "--porcelain"); got != "" {
			t.Errorf("the work tree isn't clean:\n%s", got)
		}
	}
	if heads[0] != heads[1] {
		t.Errorf("got different heads %s", heads)
	}
}

// TestValid loads what was generated: a benchmark of error messages would be
// worth little.
func TestValid(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	if err := generate(dir, schemaFile, 2*len(rules), 3, 40); err != nil {
		t.Fatal(err)
	}
	tree, problems, err := manifest.Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%+v", p)
	}
	if got, want := len(tree.Sources), 6*len(rules); got != want {
		t.Errorf("got %d sources, want %d", got, want)
	}
}

func TestRefusesExistingFolder(t *testing.T) {
	if err := generate(t.TempDir(), schemaFile, 1, 1, 1); err == nil {
		t.Error("wrote into a folder that was there")
	}
}

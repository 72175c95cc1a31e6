package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// why and test decide a case alike, by the same policies, and are as sure of it:
// each case of the example project.
func TestWhyAgreesWithTests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "examples", "quickstart"))); err != nil {
		t.Fatal(err)
	}
	read := func(into any, args ...string) {
		t.Helper()
		r := call(t, dir, nil, args...)
		if err := json.Unmarshal([]byte(r.stdout), into); err != nil || r.status != statusOK {
			t.Fatalf("%q: status %d, %v: %s", args, r.status, err, r.stderr)
		}
	}
	var tests struct {
		Cases []struct {
			Case, File, Set string
			Line            int
			Certain         bool
			Got             struct {
				Decision    string
				Determining []string
			}
		}
	}
	read(&tests, "test", "--format", "json")
	if len(tests.Cases) < 5 {
		t.Fatalf("got %d cases of the example, want some", len(tests.Cases))
	}
	for _, c := range tests.Cases {
		var why struct {
			Decision    string
			Certain     bool
			Determining []struct{ Policy string }
		}
		read(&why, "why", "--format", "json", "--at", "WORKTREE", "--set", c.Set, "--test", fmt.Sprintf("%s:%d", c.File, c.Line))
		policies := []string{}
		for _, p := range why.Determining {
			policies = append(policies, p.Policy)
		}
		slices.Sort(policies)
		slices.Sort(c.Got.Determining)
		if why.Decision != c.Got.Decision || why.Certain != c.Certain || !slices.Equal(policies, c.Got.Determining) {
			t.Errorf("%s: why says %s by %q (certain: %t), test %s by %q (certain: %t)",
				c.Case, why.Decision, policies, why.Certain, c.Got.Decision, c.Got.Determining, c.Certain)
		}
	}
}

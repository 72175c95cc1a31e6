package policypin_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// A preCommitHook is what .pre-commit-hooks.yaml says of one.
type preCommitHook struct {
	ID, Name, Description, Entry, Language, Files string
	Args                                          []string
	PassFilenames                                 bool `yaml:"pass_filenames"`
	AlwaysRun                                     bool `yaml:"always_run"`
}

func readHooks(t *testing.T) []preCommitHook {
	t.Helper()
	text, err := os.ReadFile(".pre-commit-hooks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	var hooks []preCommitHook
	if err := d.Decode(&hooks); err != nil {
		t.Fatal(err)
	}
	return hooks
}

// TestPreCommitHooks: each hook comes in two languages that differ in nothing
// else, and both begin with the name of the binary that is built.
func TestPreCommitHooks(t *testing.T) {
	hooks := map[string]preCommitHook{}
	for _, h := range readHooks(t) {
		hooks[h.ID] = h
		if h.PassFilenames {
			t.Errorf("%s gets file names, as seen from the top of the work tree", h.ID)
		}
		if command, _, _ := strings.Cut(h.Entry, " "); command != "policypin" {
			t.Errorf("%s runs %q", h.ID, h.Entry)
		}
	}
	for _, id := range []string{"policypin-validate", "policypin-fmt", "policypin-test"} {
		built, system := hooks[id], hooks[id+"-system"]
		if built.Language != "golang" || system.Language != "system" {
			t.Errorf("%s: got languages %q and %q, want golang and system", id, built.Language, system.Language)
		}
		if built.Entry != system.Entry || !slices.Equal(built.Args, system.Args) || built.Files != system.Files || built.AlwaysRun != system.AlwaysRun {
			t.Errorf("%s: the two languages differ:\n%+v\n%+v", id, built, system)
		}
	}
	if len(hooks) != 6 {
		t.Errorf("got %d hooks, want 6", len(hooks))
	}
}

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestCommandsPage keeps docs/commands.md equal to the help texts; -update
// writes it. It is the golden file of all of them.
func TestCommandsPage(t *testing.T) {
	const page = "../../docs/commands.md"
	var b strings.Builder
	b.WriteString("# Commands\n\nWhat `policypin help COMMAND` prints, for every command. This page is written by the tests of\n`cmd/policypin` from the help texts (`go test ./cmd/policypin -run TestCommandsPage -update`).\n")
	for _, path := range append([][]string{nil}, paths()...) {
		got := call(t, t.TempDir(), nil, append(slices.Clone(path), "--help")...)
		name := strings.Join(append([]string{"policypin"}, path...), " ")
		fmt.Fprintf(&b, "\n## %s\n\n```\n%s```\n", name, got.stdout)
	}
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != b.String() {
		t.Errorf("%s is not what the help texts say; run the test with -update and read the difference", page)
	}
}

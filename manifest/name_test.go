package manifest

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/policypin/policypin/diag"
)

func checkedProblems(message, fix string) diag.List {
	return diag.List{{Position: diag.Position{File: "f"}, Rule: "r", Message: message, Fix: fix}}
}

func TestNearest(t *testing.T) {
	words := []string{"manifests", "schemas", "tests", "targets", "default_target", "gates"}
	for in, want := range map[string]string{
		"manifest": "manifests", "Targets": "targets", "taregts": "targets", "gate": "gates", "default-target": "default_target",
		"colour": "", "x": "", "": "", strings.Repeat("x", 1000): "",
	} {
		if got := nearest(in, words); got != want {
			t.Errorf("nearest(%q): got %q, want %q", in, got, want)
		}
	}
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"é", "e", 1}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q): got %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := distance(tt.b, tt.a); got != tt.want {
			t.Errorf("distance(%q, %q): got %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

// What badBranch accepts, Git accepts. It may refuse more.
func TestBadBranchAgainstGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("git is the second witness of this test: ", err)
	}
	for _, tt := range []struct {
		name string
		ok   bool
	}{
		{"main", true}, {"release/2026.1", true}, {"a-b_c", true}, {"ü", true}, {"a/b/c", true}, {"a@b", true}, {"v1.lock.x", true},
		{"", false}, {"-x", false}, {"a..b", false}, {"a b", false}, {"a~1", false}, {"a^", false}, {"a:b", false}, {"a?", false},
		{"a*", false}, {"a[", false}, {"a\\b", false}, {"/a", false}, {"a/", false}, {"a//b", false}, {".a", false}, {"a/.b", false},
		{"a.lock", false}, {"a.lock/b", false}, {"a.", false}, {"@", false}, {"a@{1}", false}, {"a\x01", false}, {"a\x7f", false},
		{"refs/heads/main", false}, {"HEAD", false},
	} {
		if got := badBranch(tt.name) == ""; got != tt.ok {
			t.Errorf("badBranch(%q): accepted is %v, want %v", tt.name, got, tt.ok)
		}
		if tt.ok {
			if err := exec.Command("git", "check-ref-format", "--branch", tt.name).Run(); err != nil {
				t.Errorf("git refuses %q: %v", tt.name, err)
			}
		}
	}
}

package policypin_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDriftKeepsOneIssue runs the script of drift.yml with a gh that writes down
// what it is told. It needs bash, as GitHub's runners have it.
func TestDriftKeepsOneIssue(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("there is no bash here")
	}
	tests := []struct {
		name, drift, issue string
		want               []string // how the commands begin, after the list
		fails              bool
	}{
		{"the first drift opens one", "true", "", []string{"label create policypin-drift --force", "issue create --title Policy drift in production --label policypin-drift"}, false},
		{"the next one updates it", "true", "5", []string{"issue edit 5 --body Branch, pins and zone of the target production disagree."}, false},
		{"none closes it", "false", "5", []string{"issue close 5 --comment Branch, pins and zone agree again"}, false},
		{"none and no issue is nothing to do", "false", "", nil, false},
		{"no answer is no all-clear", "", "5", nil, true},
	}
	script := scriptOf(t, "examples/workflows/drift.yml", "drift")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "gh"), "#!/bin/sh\necho \"$*\" >>\"$TOLD\"\ncase $2 in list) printf '%s' \"$ISSUE\" ;; esac\n", 0o755)
			told := filepath.Join(dir, "told")
			cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "TOLD="+told, "DRIFT="+tt.drift, "ISSUE="+tt.issue, "RUN_URL=https://example.com/run")
			out, err := cmd.CombinedOutput()
			if (err != nil) != tt.fails {
				t.Fatalf("got %v, want a failure: %v\n%s", err, tt.fails, out)
			}
			text, err := os.ReadFile(told)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Split(strings.TrimSpace(string(text)), "\n")
			const list = "issue list --state open --label policypin-drift --limit 1 --json number --jq .[].number"
			if got[0] != list || len(got) != len(tt.want)+1 {
				t.Fatalf("got %q, want the list and %q", got, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i+1], want) {
					t.Errorf("got %q, want it to begin with %q", got[i+1], want)
				}
			}
		})
	}
}

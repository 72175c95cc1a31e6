package policypin_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPromoteTakesPinsOfStaging runs the script of promote.yml. A job that is
// skipped for a wrong tag would be green, and promote nothing. It needs bash, as
// GitHub's runners have it.
func TestPromoteTakesPinsOfStaging(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("there is no bash here")
	}
	script := scriptOf(t, "examples/workflows/promote.yml", "plan")
	for pin, good := range map[string]bool{
		"policypin/staging/agents/v12": true, "policypin/staging/a/b/v1": true,
		"": false, "agents/v12": false, "policypin/production/agents/v12": false, "policypin/staging/agents": false,
		"policypin/staging//v1": false, "refs/tags/policypin/staging/agents/v12": false, "policypin/staging/agents/v0": false,
	} {
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
		cmd.Env = append(os.Environ(), "PIN="+pin)
		out, err := cmd.CombinedOutput()
		if (err == nil) != good || !good && !strings.HasPrefix(string(out), "::error::the input pin is no tag of staging") {
			t.Errorf("%q: got %v, %s", pin, err, out)
		}
	}
}

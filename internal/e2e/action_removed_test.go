package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A pull request that takes the project away is red, and its comment says that
// nothing in a zone ends with it.
func TestActionRemovedProject(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		rm     []string
		folder string // of the project, and of the input
		other  bool   // a project at the root stays
		marker string
	}{
		{"all of it", []string{"policypin.yaml", "policies", "policy-sets", "schemas"}, "", false, "project=."},
		{"the project file alone", []string{"policypin.yaml"}, "", false, "project=."},
		{"a folder", []string{"teams/a"}, "teams/a", false, "project=teams/a"},
		{"a folder below another project", []string{"teams/a"}, "teams/a", true, "project=teams/a"},
		{"the file in a folder below another project", []string{"teams/a/policypin.yaml"}, "teams/a", true, "project=teams/a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, nil)
			w := j.world
			w.git("checkout", "-q", "-b", "away", j.commits["BASE_SHA"])
			if tt.folder != "" {
				moved := map[string]string{}
				for name, text := range project(t) {
					moved[tt.folder+"/"+name] = text
				}
				if !tt.other {
					w.git("rm", "-rq", "policypin.yaml", "policies", "policy-sets", "schemas")
				}
				j.commits["BASE_SHA"] = w.commit("Another project", moved)
				j.env["INPUT_WORKING-DIRECTORY"] = tt.folder
			}
			w.git(append([]string{"rm", "-rq"}, tt.rm...)...)
			j.commits["HEAD_SHA"] = w.commit("Take it away", map[string]string{"README.md": "moved\n"})
			j.commits["MERGE_SHA"] = w.git("commit-tree", "-p", j.commits["BASE_SHA"], "-p", j.commits["HEAD_SHA"], "-m", "Merge", "HEAD^{tree}")
			w.git("push", "-q", "--force", "origin", j.commits["MERGE_SHA"]+":refs/pull/7/merge")
			j.pull("pull_request")
			s := j.run()
			ours := j.hub.ours()
			if s.status != 1 || len(ours) != 1 || !s.has("error", "the change removes the project\nlet it remove the step") {
				t.Fatalf("got comments %q; %s", ours, s)
			}
			for _, want := range []string{
				"<!-- policypin:" + tt.marker + " -->\n### The project ", " is removed, and nothing in a zone changes with that\n",
				"- target `production`, zone `zone_prd`: the policy set that was activated there is `agents`\n",
				"- `agents`: removed with 3 entries\n", "- `readers`: removed with 2 entries\n",
			} {
				if !strings.Contains(ours[0], want) {
					t.Errorf("the comment lacks %q:\n%s", want, ours[0])
				}
			}
			if strings.Contains(ours[0], "access") || s.outputs["changed"] != "true" || s.outputs["widened"] != "unknown" || s.outputs["plan"] != "" {
				t.Errorf("got outputs %v and\n%s", s.outputs, ours[0])
			}
			if !strings.Contains(s.summary, "is removed, and nothing in a zone changes") {
				t.Errorf("got summary %s", s.summary)
			}
			w.git("checkout", "-q", j.commits["BASE_SHA"])
			j.reproduce(ours[0], 0)

			// What stays in the queue is red as well, without a comment.
			j.hub.writes = nil
			j.event("merge_group", "merge_group", map[string]string{"HEAD_SHA": j.commits["MERGE_SHA"], "BASE_SHA": j.commits["BASE_SHA"]})
			if s := j.run(); s.status != 1 || len(j.hub.writes) != 0 {
				t.Errorf("in the queue: got writes %q; %s", j.hub.writes, s)
			}
		})
	}
}

// A folder that never had a project, and none at all, are mistakes in the workflow.
func TestActionWithoutAProject(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	j.pull("pull_request")
	for _, command := range []string{"check", "validate", "plan", "publish", "drift"} {
		for folder, want := range map[string]string{"teams/none": "has no policypin.yaml in teams/none", "..": ""} {
			j.env["INPUT_WORKING-DIRECTORY"], j.env["INPUT_COMMAND"] = folder, command
			if s := j.run(); s.status != 1 || !s.has("error", want+"\nrun actions/checkout first") || len(j.hub.writes) != 0 {
				t.Errorf("%s in %s: want %q, got %s", command, folder, want, s)
			}
		}
	}
	// It doesn't hide what is wrong before that.
	payload := j.env["GITHUB_EVENT_PATH"]
	j.env["INPUT_WORKING-DIRECTORY"], j.env["GITHUB_EVENT_PATH"] = "teams/none", ""
	if s := j.run(); s.status != 1 || !s.has("error", "pull_request has no payload") {
		t.Errorf("without a payload: %s", s)
	}
	j.env["GITHUB_EVENT_PATH"] = payload
	// A checkout was forgotten.
	if err := os.RemoveAll(filepath.Join(j.workspace(), ".git")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(j.workspace(), "policypin.yaml")); err != nil {
		t.Fatal(err)
	}
	j.env["INPUT_WORKING-DIRECTORY"], j.env["INPUT_COMMAND"] = ".", "auto"
	if s := j.run(); s.status != 1 || !s.has("error", "run actions/checkout first") {
		t.Errorf("without a checkout: %s", s)
	}
}

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A run that is late, or was started again, is about an older commit than the
// comment, or about another branch.
func TestActionOfAnOlderCommit(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	j.pull("pull_request")
	j.hub.head, j.hub.base = j.commits["HEAD_SHA"], "main"
	if s := j.run(); s.status != 0 || len(j.hub.ours()) != 1 {
		t.Fatalf("got %s", s)
	}
	newer := strings.Replace(j.hub.comments[0].Body, "1 changed", "9 changed", 1)
	j.hub.comments[0].Body, j.hub.writes = newer, nil
	for _, now := range [][2]string{{gone, "main"}, {j.commits["HEAD_SHA"], "develop"}} {
		j.hub.head, j.hub.base = now[0], now[1]
		s := j.run()
		if s.status != 0 || len(j.hub.writes) != 0 || j.hub.comments[0].Body != newer || !s.has("notice", "is of "+now[0][:12]+" into "+now[1]+" by now") {
			t.Errorf("at %s: got writes %q; %s", now, j.hub.writes, s)
		}
	}
}

// What runs on the base says nothing about the pull request.
func TestActionOnPullRequestTarget(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	j.checkout(j.remote, "refs/remotes/origin/main", j.commits["BASE_SHA"])
	j.event("pull_request_target", "pull_request", j.commits)
	j.env["GITHUB_SHA"] = j.commits["BASE_SHA"]
	const notice = "this says nothing about the pull request"
	if s := j.run(); s.status != 0 || !s.has("notice", notice) || len(j.hub.writes) != 0 {
		t.Errorf("got %s", s)
	}
	if err := os.RemoveAll(filepath.Join(j.workspace(), ".git")); err != nil {
		t.Fatal(err)
	}
	j.checkout(j.remote, "refs/remotes/pull/7/head", j.commits["HEAD_SHA"])
	if s := j.run(); s.status != 0 || s.has("notice", notice) {
		t.Errorf("with the head checked out: %s", s)
	}
}

// A branch that was pushed over may leave nothing to compare with.
func TestActionChecksAForcedPush(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	j.checkout(j.remote, "refs/remotes/origin/topic", j.commits["HEAD_SHA"])
	j.event("push", "push_forced", j.commits)
	j.env["INPUT_COMMAND"] = "check"
	if s := j.run(); s.status != 0 || !s.has("notice", "is gone from the remote") || s.outputs["plan"] == "" {
		t.Errorf("got %s", s)
	}
}

// What is merged into another branch than the target's is not published by that,
// as in a stack of pull requests.
func TestActionOnAnotherBranch(t *testing.T) {
	t.Parallel()
	j := newJob(t, wider)
	other := map[string]string{"\"ref\": \"main\"": "\"ref\": \"develop\""}
	for name, commit := range j.commits {
		other[name] = commit
	}
	j.pull("pull_request")
	j.event("pull_request", "pull_request", other)
	j.env["INPUT_TARGET"] = "production"
	s := j.run()
	ours := j.hub.ours()
	if s.status != 3 || len(ours) != 1 || s.outputs["widened"] != "true" || s.outputs["plan"] != "" || s.outputs["tests"] != "failed" {
		t.Fatalf("got comments %q; %s", ours, s)
	}
	if !s.has("notice", "merging into develop publishes nothing") || strings.Contains(ours[0], "on merge") {
		t.Errorf("got %s and\n%s", s, ours[0])
	}
	if s.outputs["report"] != "policypin-report-production.md" {
		t.Errorf("got the report %q, which a step for another target would write, too", s.outputs["report"])
	}
	j.reproduce(ours[0], 0)
	for branch, other := range map[string]bool{"main": false, "develop": true} {
		j.event("merge_group", "merge_group", map[string]string{
			"HEAD_SHA": j.commits["MERGE_SHA"], "BASE_SHA": j.commits["BASE_SHA"], "refs/heads/main": "refs/heads/" + branch,
		})
		if s := j.run(); s.status != 3 || s.has("notice", "merging into develop") != other || (s.outputs["plan"] == "") != other {
			t.Errorf("queued for %s: %s", branch, s)
		}
	}
}

// Where nothing says which of several targets is meant, no gate is checked, and
// that isn't passed over.
func TestActionOfSeveralTargets(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{
		"policypin.yaml":       project(t)["policypin.yaml"] + "  staging: {zone_id: zone_stg, branch: main}\n",
		"policies/agent.cedar": policy("all-agents"),
	})
	j.pull("pull_request")
	s := j.run()
	ours := j.hub.ours()
	if s.status != 0 || len(ours) != 1 || s.outputs["plan"] != "" || !s.has("notice", "no gate is checked: the project has several targets") {
		t.Fatalf("got comments %q; %s", ours, s)
	}
	j.reproduce(ours[0], 0)
	j.env["INPUT_TARGET"] = "staging"
	if s := j.run(); s.status != 0 || s.outputs["plan"] == "" || s.has("notice", "no gate") {
		t.Errorf("with a target: %s", s)
	}
}

// GitHub's merge commit can be that of an older commit, or of the branch before:
// such a run is about a tree that nobody merges.
func TestActionOnAStaleMerge(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	j.pull("pull_request")
	for _, status := range []string{"ahead", "identical", "behind", "diverged"} {
		j.hub.status, j.hub.compared, j.hub.comments = status, nil, nil
		s := j.run()
		on := status == "ahead" || status == "identical"
		if (s.status == 0) != on || (len(j.hub.ours()) == 1) != on || s.has("error", "is not on main\npush to the pull request") == on {
			t.Errorf("%s: got %d comments; %s", status, len(j.hub.ours()), s)
		}
		if want := "compare/" + j.commits["BASE_SHA"] + "...main"; len(j.hub.compared) != 1 || j.hub.compared[0] != want {
			t.Errorf("GitHub was asked for %q, want %q", j.hub.compared, want)
		}
	}
	j.hub.status, j.hub.writes = "ahead", nil
	j.event("pull_request", "pull_request", map[string]string{"HEAD_SHA": gone, "STALE_SHA": j.commits["BASE_SHA"]})
	s := j.run()
	if s.status != 1 || len(j.hub.writes) != 0 || !s.has("error", "is of "+j.commits["HEAD_SHA"][:12]+", and the run is about "+gone[:12]) {
		t.Errorf("of an older commit: %s", s)
	}
	// Whoever checks out another commit has a reason.
	j.env["GITHUB_SHA"] = gone
	if s := j.run(); s.status != 0 {
		t.Errorf("on purpose: %s", s)
	}
}

// A run that GitHub gives no secrets to can't ask the zone, and isn't asked to.
func TestActionOnlineWithoutSecrets(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	j.env["INPUT_ONLINE"] = "true"
	const notice = "the zone isn't asked"
	j.pull("pull_request_fork")
	if s := j.run(); s.status != 0 || !s.has("notice", notice) || s.outputs["plan"] == "" {
		t.Errorf("from a fork: %s", s)
	}
	j.env["KEYCARD_API_TOKEN"], j.env["INPUT_API-URL"] = token, "http://127.0.0.1:1"
	if s := j.run(); s.status != 1 || s.has("notice", notice) {
		t.Errorf("from a fork, with credentials: %s", s)
	}
	delete(j.env, "KEYCARD_API_TOKEN")
	j.event("pull_request", "pull_request", j.commits)
	if s := j.run(); s.status != 1 || !s.has("error", "no credentials for target production") {
		t.Errorf("from the repository itself: %s", s)
	}
}

// A project file that can't be used is said on the pull request that breaks it,
// and doesn't stop the one that mends it.
func TestActionOnABrokenProjectFile(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"policypin.yaml": "kind: [\n"})
	j.pull("pull_request")
	for _, failOn := range []string{"problems", "none"} {
		j.env["INPUT_FAIL-ON"] = failOn
		s := j.run()
		ours := j.hub.ours()
		if s.status != 3 || len(ours) != 1 || !strings.Contains(ours[0], "\n### 1 error: nothing can be published\n") || len(s.annotations) != 1 || s.outputs["widened"] != "unknown" {
			t.Fatalf("fail-on %s: got comments %q; %s", failOn, ours, s)
		}
	}
	w := j.world
	w.git("checkout", "-q", "topic")
	j.commits["BASE_SHA"] = j.commits["HEAD_SHA"]
	j.commits["HEAD_SHA"] = w.commit("Mend", project(t))
	j.commits["MERGE_SHA"] = w.git("commit-tree", "-p", j.commits["BASE_SHA"], "-p", j.commits["HEAD_SHA"], "-m", "Merge", "HEAD^{tree}")
	w.git("push", "-q", "--force", "origin", j.commits["MERGE_SHA"]+":refs/pull/7/merge")
	if err := os.RemoveAll(filepath.Join(j.workspace(), ".git")); err != nil {
		t.Fatal(err)
	}
	j.env["INPUT_FAIL-ON"] = "problems,gates"
	j.pull("pull_request")
	s := j.run()
	ours := j.hub.ours()
	if s.status != 0 || len(ours) != 1 || s.outputs["plan"] == "" || s.outputs["widened"] != "unknown" {
		t.Fatalf("got comments %q; %s", ours, s)
	}
	if !s.has("notice", "the project file of the base has errors; the first is at policypin.yaml:2") || !strings.Contains(ours[0], "decisions not compared") {
		t.Errorf("got %s and\n%s", s, ours[0])
	}
}

// A project that was just begun has nowhere to publish to, and no workflow is red
// for that.
func TestActionPushWithoutATarget(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"policypin.yaml": "apiVersion: policypin.dev/v1\nkind: Project\n"})
	j.checkout(j.remote, "refs/remotes/origin/main", j.commits["MERGE_SHA"])
	j.event("push", "push", map[string]string{"HEAD_SHA": j.commits["MERGE_SHA"], "BASE_SHA": j.commits["BASE_SHA"]})
	if s := j.run(); s.status != 0 || !strings.Contains(s.log, "the project has no target but local: only validating") {
		t.Errorf("got %s", s)
	}
	j.env["INPUT_COMMAND"] = "publish"
	if s := j.run(); s.status != 2 || !s.has("error", "the input target names none") {
		t.Errorf("told to publish: %s", s)
	}
}

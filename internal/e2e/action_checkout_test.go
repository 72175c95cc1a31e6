package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/gittest"
)

// However a workflow checks out, the comparison is the same.
func TestActionCheckouts(t *testing.T) {
	t.Parallel()
	header := "http.extraheader=AUTHORIZATION: basic " + basic("x-access-token", jobToken)
	// The inputs of actions/checkout, by what it does for them (git-source-provider.ts).
	tests := []struct {
		name string
		make func(j *job, git func(args ...string))
	}{
		{"fetch-depth 0", func(j *job, git func(...string)) {
			git("-c", header, "fetch", "-q", "--prune", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*", "+refs/pull/7/merge:refs/remotes/pull/7/merge")
			git("checkout", "-q", "--force", "--detach", "refs/remotes/pull/7/merge")
		}},
		{"filter blob:none", func(j *job, git func(...string)) {
			git("config", "extensions.partialClone", "origin")
			git("config", "remote.origin.promisor", "true")
			git("-c", header, "fetch", "-q", "--filter=blob:none", "--prune", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/pull/7/merge:refs/remotes/pull/7/merge")
			git("-c", header, "checkout", "-q", "--force", "--detach", "refs/remotes/pull/7/merge")
		}},
		{"filter blob:none and depth 1", func(j *job, git func(...string)) {
			git("config", "extensions.partialClone", "origin")
			git("config", "remote.origin.promisor", "true")
			git("-c", header, "fetch", "-q", "--filter=blob:none", "--no-tags", "--depth=1", "origin", "+refs/pull/7/merge:refs/remotes/pull/7/merge")
			git("-c", header, "checkout", "-q", "--force", "--detach", "refs/remotes/pull/7/merge")
		}},
		{"sparse-checkout", func(j *job, git func(...string)) {
			git("-c", header, "fetch", "-q", "--filter=blob:none", "--no-tags", "--depth=1", "origin", "+refs/pull/7/merge:refs/remotes/pull/7/merge")
			git("sparse-checkout", "set", "--cone", "policies", "policy-sets", "schemas", "tests")
			git("-c", header, "checkout", "-q", "--force", "--detach", "refs/remotes/pull/7/merge")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, agentChange)
			gittest.Git(t, j.world.remote(), "config", "uploadpack.allowFilter", "true")
			zone := j.world.serve()
			j.world.git("checkout", "-q", "main")
			j.world.mustPublish(env(zone.url)) // so that there are pins to compare with
			git := func(args ...string) { gittest.Git(t, j.workspace(), args...) }
			git("init", "-q")
			git("remote", "add", "origin", j.remote)
			tt.make(j, git)
			j.event("pull_request", "pull_request", j.commits)
			before := gittest.Git(t, j.workspace(), "for-each-ref")
			s := j.run()
			ours := j.hub.ours()
			if s.status != 0 || s.outputs["changed"] != "true" || s.outputs["widened"] != "true" || len(ours) != 1 {
				t.Fatalf("got comments %q; %s", ours, s)
			}
			if !strings.Contains(ours[0], "`agents`: 1 changed → v2 on merge") || strings.Contains(ours[0], "all-readers") {
				t.Errorf("got comment\n%s", ours[0])
			}
			if after := gittest.Git(t, j.workspace(), "for-each-ref"); after != before {
				t.Errorf("the clone's refs were\n%s\nand are\n%s", before, after)
			}
		})
	}
}

// A checkout with the input path, and a project below its root: annotations name
// the file from the workspace, and each project has its comment.
func TestActionInAFolder(t *testing.T) {
	t.Parallel()
	j := newJob(t, nil)
	w := j.world
	w.git("checkout", "-q", "-b", "folder", j.commits["BASE_SHA"])
	for _, name := range []string{"policypin.yaml", "policies", "policy-sets", "schemas"} {
		os.MkdirAll(filepath.Join(w.clone(), "teams", "a"), 0o777)
		w.git("mv", name, "teams/a/"+name)
	}
	j.commits["BASE_SHA"] = w.commit("Move", nil)
	j.commits["HEAD_SHA"] = w.commit("Widen", map[string]string{
		"teams/a/policies/shared.cedar": wider["policies/shared.cedar"], "teams/a/tests/readers.yaml": decisionTest,
	})
	j.commits["MERGE_SHA"] = w.git("commit-tree", "-p", j.commits["BASE_SHA"], "-p", j.commits["HEAD_SHA"], "-m", "Merge", "HEAD^{tree}")
	w.git("push", "-q", "--force", "origin", j.commits["MERGE_SHA"]+":refs/pull/7/merge")
	workspace := j.workspace()
	if err := os.Mkdir(filepath.Join(workspace, "repo"), 0o777); err != nil {
		t.Fatal(err)
	}
	git := func(args ...string) { gittest.Git(t, filepath.Join(workspace, "repo"), args...) }
	header := "http.extraheader=AUTHORIZATION: basic " + basic("x-access-token", jobToken)
	git("init", "-q")
	git("remote", "add", "origin", j.remote)
	git("-c", header, "fetch", "-q", "--no-tags", "--depth=1", "origin", "+refs/pull/7/merge:refs/remotes/pull/7/merge")
	git("checkout", "-q", "--detach", "refs/remotes/pull/7/merge")
	j.event("pull_request", "pull_request", j.commits)
	j.env["INPUT_WORKING-DIRECTORY"] = "repo/teams/a"
	s := j.run()
	ours := j.hub.ours()
	if s.status != 3 || s.outputs["widened"] != "true" || len(ours) != 1 || s.outputs["report"] != "policypin-report-teams-a.md" ||
		s.outputs["plan"] != "policypin-plan-production-teams-a.json" {
		t.Fatalf("got comments %q; %s", ours, s)
	}
	if !strings.HasPrefix(ours[0], "<!-- policypin:project=teams/a -->\n") || !strings.Contains(ours[0], "in `teams/a` · widens access (") {
		t.Errorf("got comment\n%s", ours[0])
	}
	if a := s.annotations; len(a) != 1 || a[0].properties["file"] != "repo/teams/a/tests/readers.yaml" || a[0].properties["line"] != "11" {
		t.Errorf("got annotations %v", a)
	}
	j.reproduce(ours[0], 0)

	// What one job planned is found by the one that publishes, as the output has it.
	zone := w.serve()
	w.git("push", "-q", "--force", "origin", j.commits["MERGE_SHA"]+":refs/heads/main")
	j.env["KEYCARD_API_TOKEN"], j.env["INPUT_API-URL"] = token, zone.url
	j.event("push", "push", map[string]string{"HEAD_SHA": j.commits["MERGE_SHA"], "BASE_SHA": j.commits["BASE_SHA"]})
	j.env["INPUT_COMMAND"], j.env["INPUT_ONLINE"] = "plan", "true"
	s = j.run()
	j.env["INPUT_COMMAND"], j.env["INPUT_ONLINE"], j.env["INPUT_PLAN"] = "publish", "false", s.outputs["plan"]
	if published := j.run(); s.outputs["plan"] == "" || published.status != 0 || !strings.Contains(published.log, "published agents v1") {
		t.Errorf("got the plan %q and %s", s.outputs["plan"], published)
	}
}

package e2e_test

import (
	"os"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/gittest"
)

// Every event does what docs/action.md says.
func TestActionEvents(t *testing.T) {
	t.Parallel()
	tests := []struct {
		event, file string
		head        string // what is checked out
		says        string // part of the log
		status      int
		published   bool
		drift       string
	}{
		{"merge_group", "merge_group", "MERGE_SHA", "policy set agents", 0, false, ""},
		{"push", "push", "MERGE_SHA", "published agents v1 in production", 0, true, ""},
		{"push", "push_new_branch", "MERGE_SHA", "published agents v1 in production", 0, true, ""},
		{"push", "push_forced", "MERGE_SHA", "published agents v1 in production", 0, true, ""},
		{"push", "push_deleted", "BASE_SHA", "refs/heads/topic was deleted: nothing to do", 0, false, ""},
		{"push", "push_other_branch", "HEAD_SHA", "topic is not main, which is published: only validating", 0, false, ""},
		{"push", "push_tag", "HEAD_SHA", "refs/tags/v1.0.0 is not a branch: only validating", 0, false, ""},
		{"schedule", "schedule", "MERGE_SHA", "unpublished agents", 0, false, "true"},
		{"workflow_dispatch", "workflow_dispatch", "MERGE_SHA", "unpublished agents", 0, false, "true"},
		{"workflow_run", "workflow_run", "BASE_SHA", "no problems in 3 policy sets", 0, false, ""},
		{"issue_comment", "issue_comment", "BASE_SHA", "no problems in 3 policy sets", 0, false, ""},
		{"pull_request", "pull_request_closed", "BASE_SHA", "no problems in 3 policy sets", 0, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, agentChange)
			j.world.git("push", "-q", "--force", "origin", j.commits["MERGE_SHA"]+":refs/heads/main") // it was merged
			zone := j.world.serve()
			j.env["KEYCARD_API_TOKEN"], j.env["INPUT_API-URL"] = token, zone.url
			j.env["INPUT_ACTIVATE"], j.env["INPUT_REPLACE-ACTIVE"] = "true", "psv_default-zone-policies_1_1"
			j.checkout(j.remote, "refs/remotes/origin/main", j.commits[tt.head])
			if tt.event == "merge_group" {
				delete(j.env, "KEYCARD_API_TOKEN") // no secret is needed
			}
			after := map[string]string{}
			for name, commit := range j.commits {
				after[name] = commit
			}
			if tt.event == "push" {
				after["HEAD_SHA"] = j.commits[tt.head]
			}
			j.event(tt.event, tt.file, after)
			s := j.run()
			if s.status != tt.status || !strings.Contains(s.log, tt.says) {
				t.Fatalf("got %s", s)
			}
			if s.outputs["drift"] != tt.drift || len(j.hub.writes) != 0 || strings.Contains(s.log, token) && !strings.Contains(s.log, "::add-mask::"+token) {
				t.Errorf("got writes %q, outputs %v", j.hub.writes, s.outputs)
			}
			pins := gittest.Git(t, j.world.remote(), "for-each-ref", "refs/tags")
			if (pins != "") != tt.published || (s.outputs["published"] != "") != tt.published {
				t.Errorf("got pins %q and output %q, want some: %v", pins, s.outputs["published"], tt.published)
			}
			if tt.drift == "true" && !s.has("warning", "policy set agents: main at") {
				t.Errorf("got annotations %v, want the set that drifted", s.annotations)
			}
			if strings.Contains(tt.says, "validating") && !strings.Contains(s.summary, "### No problems\n") {
				t.Errorf("nothing was compared, and the summary says %s", s.summary)
			}
			if s.summary == "" && tt.file != "push_deleted" {
				t.Error("the summary is empty")
			}
			if !tt.published {
				return
			}
			if !strings.Contains(s.log, "activated agents v1") {
				t.Errorf("nothing was activated: %s", s)
			}
			if again := j.run(); again.status != 0 || !strings.Contains(again.log, "nothing to publish") || again.outputs["changed"] != "false" {
				t.Errorf("the second run: %s", again)
			}
		})
	}
}

// A job that an approval stands before publishes the plan that was approved.
func TestActionPublishesAPlan(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	zone := j.world.serve()
	j.env["KEYCARD_API_TOKEN"], j.env["KEYCARD_API_BASE_URL"] = token, zone.url
	j.checkout(j.remote, "refs/remotes/origin/main", j.commits["BASE_SHA"])
	j.event("push", "push", map[string]string{"HEAD_SHA": j.commits["BASE_SHA"], "BASE_SHA": j.commits["STALE_SHA"]})
	j.env["INPUT_COMMAND"], j.env["INPUT_ONLINE"] = "plan", "true"
	s := j.run()
	if s.status != 0 || len(s.outputs["plan-digest"]) != 64 || s.outputs["changed"] != "true" || gittest.Git(t, j.world.remote(), "tag") != "" {
		t.Fatalf("got %s", s)
	}
	if !strings.Contains(s.summary, "This text again, cut to the length of a comment:") {
		t.Errorf("a page of %d bytes claims to be what a command writes", len(s.summary))
	}
	j.env["INPUT_COMMAND"], j.env["INPUT_ONLINE"], j.env["INPUT_PLAN"] = "publish", "false", s.outputs["plan"]
	j.env["INPUT_ACTIVATE"] = "true"
	if s = j.run(); s.status != 5 || !s.has("error", "without --activate") {
		t.Errorf("another plan: got %s", s)
	}
	j.env["INPUT_ACTIVATE"] = "false"
	if s = j.run(); s.status != 0 || !strings.Contains(s.log, "published admins v1") {
		t.Errorf("got %s", s)
	}
}

// Whoever approves a plan sees who gains access: compared with the last pin, and
// where there is none, with what is active.
func TestActionPlanTellsDecisions(t *testing.T) {
	t.Parallel()
	j := newJob(t, wider)
	zone := j.world.serve()
	j.env["KEYCARD_API_TOKEN"], j.env["KEYCARD_API_BASE_URL"] = token, zone.url
	j.env["INPUT_COMMAND"] = "plan"
	plan := func(online string, commit string) *step {
		if err := os.RemoveAll(j.workspace()); err != nil {
			t.Fatal(err)
		}
		os.Mkdir(j.workspace(), 0o777)
		j.world.git("push", "-q", "--force", "origin", j.commits[commit]+":refs/heads/main")
		j.checkout(j.remote, "refs/remotes/origin/main", j.commits[commit])
		j.event("push", "push", map[string]string{"HEAD_SHA": j.commits[commit], "BASE_SHA": j.commits["STALE_SHA"]})
		j.env["INPUT_ONLINE"] = online
		return j.run()
	}
	s := plan("true", "BASE_SHA")
	if !strings.Contains(s.summary, "default-zone-policies, which is active, for `admins`") || s.outputs["widened"] == "" {
		t.Errorf("without a pin: got %s\nsummary %s", s, s.summary)
	}
	s = plan("false", "BASE_SHA")
	if !strings.Contains(s.summary, "`admins` it wasn't compared: there is no pin to compare with") || s.outputs["widened"] != "unknown" {
		t.Errorf("offline, without a pin: got %s\nsummary %s", s, s.summary)
	}

	j.world.git("checkout", "-q", "main")
	j.world.git("reset", "-q", "--hard", j.commits["BASE_SHA"])
	j.world.mustPublish(env(zone.url))
	for _, online := range []string{"true", "false"} {
		s := plan(online, "MERGE_SHA")
		if s.status != 0 || s.outputs["widened"] != "true" || len(j.hub.writes) != 0 {
			t.Fatalf("online %s: got %s", online, s)
		}
		at := 0
		for _, piece := range []string{
			"3 policy sets change · widens access (", "#### Widened access\n\n`admins`: widened by `shared` (`policies/shared.cedar:1`)",
			": was denied, is allowed by `shared`\n", "Decisions are compared with\n\n- `policypin/production/admins/v1`, for `admins`\n",
			"as JSON, with entities</summary>", "· widens access (",
		} {
			i := strings.Index(s.summary[at:], piece)
			if i < 0 {
				t.Fatalf("online %s: %q is missing or too early in:\n%s", online, piece, s.summary)
			}
			at += i
		}
		if !strings.Contains(s.log, "\n::group::policypin impact\n") || !strings.Contains(s.log, "from policypin/production/admins/v1 to HEAD (") {
			t.Errorf("online %s: got log %s", online, s.log)
		}
		harmless(t, "summary", s.summary)
		j.reproduceWith(s.summary, 0, append(gittest.Env(), env(zone.url)...))
	}
}

// Guards that refuse make a check red, unless they shouldn't.
func TestActionGates(t *testing.T) {
	t.Parallel()
	moved := strings.Replace(project(t)["policypin.yaml"], "zone_prd", "zone_evil", 1)
	j := newJob(t, map[string]string{"policypin.yaml": moved})
	zone := j.world.serve()
	j.world.git("checkout", "-q", "main")
	j.world.mustPublish(env(zone.url))
	j.pull("pull_request")
	s := j.run()
	if ours := j.hub.ours(); s.status != 5 || !s.has("error", "zone_id") || len(ours) != 1 || !strings.Contains(ours[0], "refused") || !strings.Contains(ours[0], "zone_evil") {
		t.Errorf("got %q; %s", ours, s)
	}
	j.env["INPUT_FAIL-ON"] = "problems"
	if s = j.run(); s.status != 0 || !s.has("warning", "zone_id") || s.has("error", "") {
		t.Errorf("got %s", s)
	}
}

// With credentials, a pull request can be planned with the zone, which is also
// looked at for drift.
func TestActionOnline(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	zone := j.world.serve()
	j.world.git("checkout", "-q", "main")
	j.world.mustPublish(env(zone.url))
	j.pull("pull_request")
	j.env["KEYCARD_API_TOKEN"], j.env["INPUT_API-URL"], j.env["INPUT_ONLINE"] = token, zone.url, "true"
	s := j.run()
	ours := j.hub.ours()
	if s.status != 0 || len(s.outputs["plan-digest"]) != 64 || len(ours) != 1 {
		t.Fatalf("got %q; %s", ours, s)
	}
	if !strings.Contains(ours[0], "v2 on merge") || !strings.Contains(ours[0], s.outputs["plan-digest"]) || !strings.Contains(strings.ToLower(ours[0]), "activated-elsewhere") {
		t.Errorf("got comment\n%s", ours[0])
	}
	if strings.Contains(ours[0], "byte for byte") {
		t.Errorf("no command looks for drift and for a plan, and one is named:\n%s", ours[0])
	}

	// The zone can't be asked: that is red, and what the comment said stays.
	j.env["INPUT_API-URL"] = "http://127.0.0.1:1"
	j.hub.writes = nil
	if s = j.run(); s.status != 1 || len(j.hub.writes) != 0 || !strings.Contains(s.summary, "127.0.0.1:1") {
		t.Errorf("got writes %q, summary %s; %s", j.hub.writes, s.summary, s)
	}
}

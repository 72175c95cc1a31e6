package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/gittest"
)

// A ghPull is pull request 7 as the API tells it, with its labels and their
// history.
type ghPull struct {
	merged      string // the commit that its merge made, or ""
	labels      []string
	events      []any
	permissions map[string]string // by login
	pushed      []string          // who wrote commits of it
	before      string            // who wrote what was merged before and isn't published
	forbidden   string            // what a path must have in it to be answered with 403
	asked       []string
}

// label sets a label, and unlabel takes it off again.
func (p *ghPull) label(login, kind, name string) {
	p.labels = append(p.labels, name)
	p.events = append(p.events, event("labeled", login, kind, name))
}

func (p *ghPull) unlabel(login, name string) {
	p.labels = nil
	p.events = append(p.events, event("unlabeled", login, "User", name))
}

func event(what, login, kind, label string) map[string]any {
	return map[string]any{"event": what, "actor": map[string]any{"login": login, "type": kind}, "label": map[string]any{"name": label}}
}

func (p *ghPull) doc() map[string]any {
	labels := []any{}
	for _, name := range p.labels {
		labels = append(labels, map[string]any{"name": name})
	}
	doc := map[string]any{
		"number": 7, "user": map[string]any{"login": "ada", "type": "User"}, "labels": labels, "merged_at": nil, "merge_commit_sha": p.merged,
		"base": map[string]any{"ref": "main", "repo": map[string]any{"full_name": "acme/policies"}},
	}
	if p.merged != "" {
		doc["merged_at"] = "2026-11-20T00:00:00Z"
	}
	return doc
}

// serve answers what is about the pull request.
func (p *ghPull) serve(w http.ResponseWriter, r *http.Request) bool {
	path := strings.TrimPrefix(r.URL.Path, "/repos/acme/policies/")
	if r.Method != http.MethodGet {
		return false
	}
	if p.forbidden != "" && strings.Contains(path, p.forbidden) {
		w.Header().Set("X-Accepted-GitHub-Permissions", "pull_requests=read")
		answer(w, 403, message("Resource not accessible by integration"))
		return true
	}
	switch {
	case path == "pulls/7":
		answer(w, 200, p.doc())
	case path == "commits/"+p.merged+"/pulls":
		answer(w, 200, []any{p.doc()})
	case strings.HasPrefix(path, "commits/"):
		answer(w, 200, []any{})
	case path == "pulls/7/commits":
		commits := []any{}
		for _, login := range p.pushed {
			commits = append(commits, map[string]any{"author": map[string]any{"login": login, "type": "User"}, "committer": nil})
		}
		answer(w, 200, commits)
	case strings.HasPrefix(path, "compare/"):
		answer(w, 200, map[string]any{"total_commits": 1, "commits": []any{map[string]any{
			"sha": p.merged, "author": map[string]any{"login": p.before, "type": "User"}, "parents": []any{},
		}}})
	case path == "issues/7/events":
		// A page has one event, so that all pages must be read.
		page := 0
		fmt.Sscan(r.URL.Query().Get("page"), &page)
		if page+1 < len(p.events) {
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?per_page=100&page=%d>; rel="next"`, r.Host, r.URL.Path, page+1))
		}
		answer(w, 200, p.events[min(page, len(p.events)):min(page+1, len(p.events))])
	case strings.HasPrefix(path, "collaborators/"):
		login, _, _ := strings.Cut(strings.TrimPrefix(path, "collaborators/"), "/")
		if p.permissions[login] == "" {
			answer(w, 404, message("Not Found"))
			return true
		}
		answer(w, 200, map[string]any{"permission": p.permissions[login]})
	default:
		return false
	}
	p.asked = append(p.asked, path)
	return true
}

// gateLabel is the label that the plan of a step names for a gate.
func (j *job) gateLabel(s *step, gate string) string {
	j.Helper()
	text, err := os.ReadFile(filepath.Join(j.workspace(), s.outputs["plan"]))
	if err != nil {
		j.Fatal(err)
	}
	var plan struct {
		Gates []struct{ Gate, Label string } `json:"gates"`
	}
	if err := json.Unmarshal(text, &plan); err != nil {
		j.Fatal(err)
	}
	for _, g := range plan.Gates {
		if g.Gate == gate {
			return g.Label
		}
	}
	return ""
}

// Somebody else's label on the pull request approves what its gate found, there
// and when it is published, and nothing else.
func TestActionLabelApproves(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{
		"policypin.yaml":       project(t)["policypin.yaml"] + "gates: {widened: approve}\n",
		"policies/agent.cedar": policy("all-agents"),
	})
	zone := j.world.serve()
	j.world.git("checkout", "-q", "main")
	j.world.mustPublish(env(zone.url))
	pull := &ghPull{permissions: map[string]string{"ada": "admin", "grace": "write", "eve": "read"}}
	j.hub.before = pull.serve
	j.pull("pull_request")

	s := j.run()
	label := j.gateLabel(s, "widened")
	if s.status != 5 || !strings.HasPrefix(label, "policypin/widened@") || !s.has("error", "--approve widened=REASON; the label "+label+" approves it") {
		t.Fatalf("without a label: %q, %s", label, s)
	}
	for _, tt := range []struct{ login, kind, name, says string }{
		{"ada", "User", label, "ada, who set it, is an author"},
		{"eve", "User", label, "eve, who set it, has no write access"},
		{"approver[bot]", "Bot", label, "is no person"},
		{"mallory", "User", label, "asking what mallory may do: GitHub answered 404"},
		{"grace", "User", "policypin/widened@000000000000", "the label " + label + " approves it"},
		{"grace", "User", "policypin/uncovered" + strings.TrimPrefix(label, "policypin/widened"), "the label " + label + " approves it"},
	} {
		pull.label(tt.login, tt.kind, tt.name)
		if s := j.run(); s.status != 5 || !s.has("error", tt.says) {
			t.Errorf("%s by %s: want %q, got %s", tt.name, tt.login, tt.says, s)
		}
		pull.unlabel(tt.login, tt.name)
	}
	pull.label("grace", "User", label)
	if s = j.run(); s.status != 0 || !s.has("notice", "approved by grace, label "+label+" on #7") {
		t.Errorf("with grace's label: %s", s)
	}
	// Set by grace once, and again by the author.
	pull.unlabel("ada", label)
	pull.label("ada", "User", label)
	if s = j.run(); s.status != 5 || !s.has("error", "is an author") {
		t.Errorf("set again by ada: %s", s)
	}
	pull.unlabel("ada", label)
	pull.label("grace", "User", label)
	pull.pushed = []string{"ada", "Grace"}
	if s = j.run(); s.status != 5 || !s.has("error", "grace, who set it, is an author") {
		t.Errorf("grace has pushed to it: %s", s)
	}
	pull.pushed = nil
	if pins := strings.Fields(gittest.Git(t, j.world.remote(), "tag")); len(pins) != 3 {
		t.Errorf("a check has pinned: %q", pins)
	}

	// The merge queue names it in its ref.
	j.event("merge_group", "merge_group", j.commits)
	j.env["GITHUB_REF"] = "refs/heads/gh-readonly-queue/main/pr-7-" + j.commits["BASE_SHA"]
	if s = j.run(); s.status != 0 || !s.has("notice", "approved by grace") {
		t.Errorf("in the merge queue: %s", s)
	}
	j.env["GITHUB_REF"] = "refs/heads/gh-readonly-queue/main"
	if s = j.run(); s.status != 5 || !s.has("error", "the merge queue doesn't say which pull request this is") {
		t.Errorf("in a queue without a name: %s", s)
	}

	// It is merged, and the same label holds for what is published.
	j.world.git("push", "-q", "--force", "origin", j.commits["MERGE_SHA"]+":refs/heads/main")
	j.env["KEYCARD_API_TOKEN"], j.env["INPUT_API-URL"] = token, zone.url
	j.event("push", "push", map[string]string{"HEAD_SHA": j.commits["MERGE_SHA"], "BASE_SHA": j.commits["BASE_SHA"]})
	j.env["GITHUB_REF"] = "refs/heads/main"
	if s = j.run(); s.status != 5 || !s.has("error", "the label "+label+" approves it") {
		t.Errorf("a commit that no merged pull request has: %s", s)
	}
	pull.merged, pull.forbidden = j.commits["MERGE_SHA"], "commits/"
	if s = j.run(); s.status != 5 || !s.has("error", "labels could not be asked for: ") || !s.has("error", "pull_requests=read") {
		t.Errorf("GitHub doesn't answer: %s", s)
	}
	j.env["INPUT_TOKEN"], pull.forbidden = "", "nothing"
	j.env["POLICYPIN_GIT_TOKEN"] = jobToken
	if s = j.run(); s.status != 5 || !s.has("error", "there is no token") {
		t.Errorf("without a token: %s", s)
	}
	j.env["INPUT_TOKEN"], pull.before = jobToken, "grace"
	if s = j.run(); s.status != 5 || !s.has("error", "grace, who set it, is an author") {
		t.Errorf("grace wrote what was left unpublished before: %s", s)
	}
	// An event about another pull request is no other question.
	pull.before = "eve"
	merged := pull.merged
	pull.merged = "" // 7 is the event's, and isn't what made the commit
	j.event("pull_request", "pull_request", j.commits)
	j.env["INPUT_COMMAND"] = "publish"
	if s = j.run(); s.status != 5 || !s.has("error", "the label "+label+" approves it") {
		t.Errorf("published for an event of another pull request: %s", s)
	}
	j.env["INPUT_COMMAND"] = "auto"
	pull.merged = merged
	j.event("push", "push", map[string]string{"HEAD_SHA": j.commits["MERGE_SHA"], "BASE_SHA": j.commits["BASE_SHA"]})
	j.env["GITHUB_REF"] = "refs/heads/main"
	if s = j.run(); s.status != 0 || !strings.Contains(s.log, "published agents v2") {
		t.Fatalf("with the label: %s", s)
	}
	pin := gittest.Git(t, j.world.remote(), "cat-file", "-p", "policypin/production/agents/v2")
	for _, want := range []string{`"gate":"widened"`, `"by":"grace"`, `"source":"label"`, `"reason":"label ` + label + ` on #7"`} {
		if !strings.Contains(strings.ReplaceAll(pin, `": "`, `":"`), want) {
			t.Errorf("the pin lacks %s:\n%s", want, pin)
		}
	}
}

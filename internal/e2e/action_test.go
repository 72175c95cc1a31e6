package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/gittest"
)

// A job is a runner with a GitHub, a Git server with a password, and commits: a
// pull request of one change, and main, which has moved on since it was opened.
type job struct {
	*runner
	hub     *github
	world   *world
	remote  string
	commits map[string]string
}

const gone = "dead00000000000000000000000000000000beef"

// newJob makes main, a topic branch with changes, and their merge.
func newJob(t testing.TB, changes map[string]string) *job {
	t.Helper()
	w := newWorld(t)
	gittest.Git(t, w.remote(), "config", "uploadpack.allowAnySHA1InWant", "true") // as GitHub does
	j := &job{world: w, hub: newGitHub(t), commits: map[string]string{"GONE_SHA": gone}}
	j.commits["STALE_SHA"] = w.commit("Keep our policies as code", project(t))
	w.git("checkout", "-q", "-b", "topic")
	j.commits["HEAD_SHA"] = w.commit("Change", changes)
	w.git("checkout", "-q", "main")
	j.commits["BASE_SHA"] = w.commit("Meanwhile", map[string]string{"README.md": "later\n", "policies/reader.cedar": policy("all-readers")})
	w.git("merge", "-q", "--no-ff", "-m", "Merge", "topic")
	j.commits["MERGE_SHA"] = w.git("rev-parse", "HEAD")
	w.git("push", "-q", "origin", "HEAD:refs/pull/7/merge")
	w.git("reset", "-q", "--hard", "HEAD^")
	server := gittest.Serve(t, filepath.Join(w.dir, "git"), gittest.ServeOptions{User: "x-access-token", Password: jobToken})
	j.remote = server.URL + "/project.git"
	j.runner = newRunner(t, server.URL, j.hub.URL)
	return j
}

// pull sets up the usual checkout of a pull request.
func (j *job) pull(file string) {
	j.Helper()
	j.checkout(j.remote, "refs/remotes/pull/7/merge", j.commits["MERGE_SHA"])
	j.event("pull_request", file, j.commits)
	j.env["GITHUB_SHA"], j.env["GITHUB_REF"] = j.commits["MERGE_SHA"], "refs/pull/7/merge"
	j.env["GITHUB_BASE_REF"], j.env["GITHUB_HEAD_REF"] = "main", "topic"
}

var agentChange = map[string]string{"policies/agent.cedar": policy("all-agents")}

// TestActionPullRequest follows one pull request.
func TestActionPullRequest(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	j.pull("pull_request")

	s := j.run()
	if s.status != 0 {
		t.Fatalf("got %s", s)
	}
	ours := j.hub.ours()
	if len(ours) != 1 || s.outputs["comment-url"] != j.hub.comments[0].HTMLURL {
		t.Fatalf("got comments %q and url %q, want one and its address", ours, s.outputs["comment-url"])
	}
	first := ours[0]
	if !strings.HasPrefix(first, "<!-- policypin:") || !strings.Contains(first, "`agents`: 1 changed → v1 on merge") {
		t.Errorf("got comment\n%s", first)
	}
	if strings.Contains(first, "all-readers") || strings.Contains(s.log, "all-readers") {
		t.Errorf("the comparison has what changed on main in the meantime:\n%s", first)
	}
	if !strings.Contains(first, j.commits["BASE_SHA"][:12]) || strings.Contains(first, j.commits["STALE_SHA"][:12]) {
		t.Errorf("the comment doesn't compare with the base that was merged, but with that of the payload:\n%s", first)
	}
	if s.outputs["changed"] != "true" || s.outputs["plan-digest"] != "" || s.outputs["drift"] != "" {
		t.Errorf("got outputs %v", s.outputs)
	}
	var plan struct {
		Offline bool   `json:"offline"`
		Target  string `json:"target"`
	}
	text, err := os.ReadFile(filepath.Join(j.workspace(), s.outputs["plan"]))
	if err != nil || json.Unmarshal(text, &plan) != nil || !plan.Offline || plan.Target != "production" {
		t.Errorf("got plan %q: %s, %v", s.outputs["plan"], text, err)
	}
	full, err := os.ReadFile(filepath.Join(j.workspace(), s.outputs["report"]))
	if err != nil || !strings.Contains(string(full), "all-agents") || !strings.Contains(s.summary, "all-agents") {
		t.Errorf("got report %s, %v and summary %s", full, err, s.summary)
	}
	if len(s.masks) == 0 || s.masks[0] != jobToken || strings.Contains(strings.Replace(s.log, "::add-mask::"+jobToken, "", 1), jobToken) {
		t.Errorf("the token isn't masked once, first, and shown nowhere else: %q", s.masks)
	}
	if out := gittest.Git(t, j.workspace(), "for-each-ref", "--format=%(refname)"); out != "refs/remotes/pull/7/merge" {
		t.Errorf("the clone has gained refs: %s", out)
	}
	if left, _ := filepath.Glob(filepath.Join(j.env["TMPDIR"], "*")); len(left) != 0 {
		t.Errorf("temporary files are left: %v", left)
	}

	// The comment says how to write it again, and that does.
	_, command, _ := strings.Cut(first, "```sh\n")
	command, _, _ = strings.Cut(command, "\n")
	gittest.Git(t, j.world.clone(), "fetch", "-q", "origin", j.commits["MERGE_SHA"])
	again := exec.Command(binary, strings.Fields(command)[1:]...)
	again.Dir, again.Env = j.world.clone(), gittest.Env()
	if out, err := again.Output(); err != nil || string(out) != first {
		t.Errorf("%s: got %v and\n%s\nwant\n%s", command, err, out, first)
	}

	// Again: nothing is written.
	j.hub.writes = nil
	if s = j.run(); s.status != 0 || len(j.hub.writes) != 0 || s.outputs["comment-url"] == "" {
		t.Errorf("the second run wrote %q; %s", j.hub.writes, s)
	}

	// The change is taken back: the comment says so, and stays.
	j.world.git("checkout", "-q", "topic")
	j.commits["HEAD_SHA"] = j.world.commit("Back", map[string]string{"policies/agent.cedar": policy("agents")})
	j.world.git("checkout", "-q", "main")
	j.world.git("merge", "-q", "--no-ff", "-m", "Merge", "topic")
	j.commits["MERGE_SHA"] = j.world.git("rev-parse", "HEAD")
	j.world.git("push", "-q", "--force", "origin", "HEAD:refs/pull/7/merge")
	if err := os.RemoveAll(j.workspace()); err != nil {
		t.Fatal(err)
	}
	os.Mkdir(j.workspace(), 0o777)
	j.pull("pull_request")
	s = j.run()
	if ours = j.hub.ours(); s.status != 0 || len(ours) != 1 || !strings.Contains(ours[0], "No policy changes") || s.outputs["changed"] != "false" {
		t.Errorf("got comments %q; %s", ours, s)
	}
}

// A pull request that never changed a policy gets no comment.
func TestActionCreatesNoEmptyComment(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"docs/notes.md": "hello\n"})
	j.pull("pull_request_draft")
	s := j.run()
	if s.status != 0 || len(j.hub.writes) != 0 || s.outputs["changed"] != "false" || s.outputs["comment-url"] != "" {
		t.Errorf("got writes %q; %s", j.hub.writes, s)
	}
}

// Among 300 comments, one of which pretends to be ours, there is still one.
func TestActionFindsItsComment(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	j.pull("pull_request")
	if s := j.run(); s.status != 0 {
		t.Fatalf("got %s", s)
	}
	old := j.hub.ours()[0]
	j.hub.comments = nil
	for i := range 300 {
		switch i {
		case 3:
			j.hub.add("mallory", old)
		case 250:
			j.hub.add(bot, strings.Replace(old, "1 changed", "7 changed", 1))
		case 251:
			j.hub.add(bot, "another action's comment, which quotes\n"+old)
		case 260:
			j.hub.add(bot, old) // of a second first run at the same time
		default:
			j.hub.add("ada", fmt.Sprintf("comment %d", i))
		}
	}
	j.hub.writes = nil
	s := j.run()
	if s.status != 0 || len(j.hub.comments) != 300 || j.hub.comments[250].Body != old {
		t.Errorf("got %d comments, ours is\n%s\n%s", len(j.hub.comments), j.hub.comments[250].Body, s)
	}
	if j.hub.comments[3].Body != old || !strings.HasPrefix(j.hub.comments[251].Body, "another") {
		t.Error("a comment of somebody else was changed")
	}
	if !strings.Contains(j.hub.comments[260].Body, j.hub.comments[250].HTMLURL) {
		t.Errorf("the second comment is %q", j.hub.comments[260].Body)
	}
	if len(j.hub.writes) != 2 {
		t.Errorf("got writes %q, want two", j.hub.writes)
	}
	j.hub.writes = nil
	if s := j.run(); s.status != 0 || len(j.hub.writes) != 0 {
		t.Errorf("the second run wrote %q", j.hub.writes)
	}
}

// What people do to the comment: edit it, hide it, delete it.
func TestActionCommentThatPeopleTouch(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	j.pull("pull_request")
	run := func(what string, writes ...string) {
		t.Helper()
		j.hub.writes = nil
		if s := j.run(); s.status != 0 || fmt.Sprint(j.hub.writes) != fmt.Sprint(writes) {
			t.Fatalf("%s: got writes %q, want %q; %s", what, j.hub.writes, writes, s)
		}
	}
	const post, patch = "POST /repos/acme/policies/issues/7/comments", "PATCH /repos/acme/policies/issues/comments/"
	run("first", post)
	first := j.hub.comments[0]
	text := first.Body
	first.Body = strings.Replace(text, "1 changed", "nothing changed", 1)
	if run("edited", patch+fmt.Sprint(first.ID)); first.Body != text {
		t.Errorf("the text of somebody else stays: %s", first.Body)
	}
	first.hidden = true
	run("hidden, and nothing is new")
	first.Body = strings.Replace(text, "1 changed", "3 changed", 1) // by an earlier commit
	run("hidden, and something is new", post)
	run("hidden, and said")
	if len(j.hub.comments) != 2 || j.hub.comments[1].Body != text || strings.Contains(first.Body, "See http") {
		t.Errorf("got %d comments, the hidden one is %s", len(j.hub.comments), first.Body)
	}
	j.hub.comments = nil
	run("deleted", post)
	j.hub.comments[0].Body = "Thanks, bot."
	run("without the marker", post)
}

// Whatever keeps a comment from being written, the check is none the worse.
func TestActionWithoutAComment(t *testing.T) {
	t.Parallel()
	limited := func(header, value string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(header, value)
			answer(w, 403, message("You have exceeded a secondary rate limit"))
		}
	}
	tests := []struct {
		name     string
		file     string
		set      func(j *job)
		comments int
		notice   string // "" if none is wanted
	}{
		{"a fork's token is read-only", "pull_request_fork", func(j *job) { j.hub.before = readOnly }, 0, "from a fork never may"},
		{"the fork was deleted", "pull_request_fork_deleted", func(j *job) { j.hub.before = readOnly }, 0, "from a fork never may"},
		{"the job lacks the permission", "pull_request", func(j *job) { j.hub.before = readOnly }, 0, "pull_requests=write"},
		{"the conversation is locked", "pull_request", func(j *job) {
			j.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == "GET" || r.URL.Path == "/graphql" {
					return false
				}
				answer(w, 403, message("Unable to create comment because issue is locked."))
				return true
			}
		}, 0, "(the conversation is locked)"},
		{"there is no token", "pull_request", func(j *job) {
			j.env["INPUT_TOKEN"] = ""
			j.env["POLICYPIN_GIT_TOKEN"] = jobToken
		}, 0, "there is no token"},
		{"comments are off", "pull_request", func(j *job) { j.env["INPUT_COMMENT"] = "false" }, 0, ""},
		{"a secondary limit for a second", "pull_request", func(j *job) { j.hub.before = once(limited("Retry-After", "1")) }, 1, ""},
		{"a limit for an hour", "pull_request", func(j *job) { j.hub.before = once(limited("Retry-After", "3600")) }, 0, "rate limit"},
		{"the primary limit, over in a moment", "pull_request", func(j *job) {
			j.hub.before = once(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-RateLimit-Remaining", "0")
				limited("X-RateLimit-Reset", fmt.Sprint(time.Now().Unix()+1))(w, r)
			})
		}, 1, ""},
		{"the answer to the create is lost", "pull_request", func(j *job) {
			j.hub.after = once(func(w http.ResponseWriter, r *http.Request) { answer(w, 502, message("Bad Gateway")) })
		}, 1, ""},
		{"GitHub is down", "pull_request", func(j *job) {
			j.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == "GET" {
					answer(w, 422, message("no"))
					return true
				}
				return false
			}
		}, 0, "422"},
		{"a redirect elsewhere gets no token", "pull_request", func(j *job) {
			elsewhere := newGitHub(j)
			elsewhere.before = func(w http.ResponseWriter, r *http.Request) bool {
				j.Errorf("the other origin was asked for %s", r.URL)
				return false
			}
			j.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
				return true
			}
		}, 0, "307"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, agentChange)
			j.pull(tt.file)
			tt.set(j)
			s := j.run()
			if s.status != 0 || s.outputs["changed"] != "true" || !strings.Contains(s.summary, "1 changed") {
				t.Fatalf("got %s\nsummary %s", s, s.summary)
			}
			if got := len(j.hub.ours()); got != tt.comments {
				t.Errorf("got %d comments, want %d", got, tt.comments)
			}
			notices := 0
			for _, a := range s.annotations {
				if a.level != "notice" {
					t.Errorf("got annotation %v", a)
				}
				notices++
			}
			if tt.notice == "" && notices > 0 || tt.notice != "" && !s.has("notice", tt.notice) {
				t.Errorf("got annotations %v, want a notice with %q", s.annotations, tt.notice)
			}
		})
	}
}

// Files with problems, refusals and wrong inputs, each with its status.
func TestActionFailures(t *testing.T) {
	t.Parallel()
	broken := map[string]string{"policies/agent.cedar": "permit (principal, action, resource)\nwhen { principal.nonsense };\n"}
	tests := []struct {
		name   string
		change map[string]string
		env    map[string]string
		status int
		level  string
		says   string
	}{
		{"a problem is on its line", broken, nil, 3, "error", "nonsense"},
		{"unless problems don't count", broken, map[string]string{"INPUT_FAIL-ON": "gates"}, 0, "error", "nonsense"},
		{"a boolean that is none", agentChange, map[string]string{"INPUT_COMMENT": "yes"}, 2, "error", `input comment is "yes"`},
		{"an unknown command", agentChange, map[string]string{"INPUT_COMMAND": "deploy"}, 2, "error", `input command is "deploy"`},
		{"an unknown failure", agentChange, map[string]string{"INPUT_FAIL-ON": "weather"}, 2, "error", `"weather"`},
		{"an unknown target", agentChange, map[string]string{"INPUT_TARGET": "moon"}, 2, "error", `no target "moon"`},
		{"a folder without a project", agentChange, map[string]string{"INPUT_WORKING-DIRECTORY": "policies/none"}, 1, "error", "policies/none"},
		{"a folder above the project", agentChange, map[string]string{"INPUT_WORKING-DIRECTORY": ".."}, 1, "error", "the input working-directory"},
		{"no event", agentChange, map[string]string{"GITHUB_EVENT_PATH": "/no/such/file", "GITHUB_EVENT_NAME": ""}, 0, "", ""},
		{"a wrong password for Git", agentChange, map[string]string{"INPUT_TOKEN": "another-token-that-is-not-real", "INPUT_COMMENT": "false"}, 1, "error", "reading the base"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, tt.change)
			j.pull("pull_request")
			for name, value := range tt.env {
				j.env[name] = value
			}
			j.hub.token = j.env["INPUT_TOKEN"]
			s := j.run()
			if s.status != tt.status {
				t.Fatalf("want status %d, got %s", tt.status, s)
			}
			if tt.level == "" {
				if len(s.annotations) > 0 {
					t.Errorf("got %v", s.annotations)
				}
				return
			}
			if !s.has(tt.level, tt.says) || s.summary == "" {
				t.Errorf("got summary %q; %s", s.summary, s)
			}
			if tt.says == "nonsense" {
				a := s.annotations[0]
				if a.properties["file"] != "policies/agent.cedar" || a.properties["line"] != "2" || a.properties["col"] == "" {
					t.Errorf("got annotation %v, want one on line 2", a)
				}
			}
		})
	}
}

// A checkout with an SSH key leaves a remote that a container can't reach.
func TestActionAfterACheckoutOverSSH(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	j.pull("pull_request")
	gittest.Git(t, j.workspace(), "remote", "set-url", "origin", "git@github.invalid:acme/policies.git")
	if err := os.MkdirAll(filepath.Join(j.world.dir, "git", "acme"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(j.world.remote(), filepath.Join(j.world.dir, "git", "acme", "policies")); err != nil {
		t.Fatal(err)
	}
	if s := j.run(); s.status != 0 || s.outputs["changed"] != "true" || s.outputs["plan"] == "" {
		t.Errorf("got %s", s)
	}
}

// A workflow that checks out the head of the branch instead of the merge.
func TestActionOnTheHead(t *testing.T) {
	t.Parallel()
	for _, deep := range []bool{true, false} {
		t.Run(fmt.Sprintf("whole history %v", deep), func(t *testing.T) {
			t.Parallel()
			j := newJob(t, agentChange)
			j.checkout(j.remote, "refs/remotes/origin/topic", j.commits["HEAD_SHA"])
			if deep {
				header := "http.extraheader=AUTHORIZATION: basic " + basic("x-access-token", jobToken)
				gittest.Git(t, j.workspace(), "-c", header, "fetch", "-q", "--unshallow", "origin", "+refs/heads/*:refs/remotes/origin/*")
			}
			j.commits["STALE_SHA"] = j.commits["BASE_SHA"] // the payload is as new as can be
			j.event("pull_request", "pull_request", j.commits)
			s := j.run()
			if s.status != 0 || s.outputs["changed"] != "true" {
				t.Fatalf("got %s", s)
			}
			if undone := strings.Contains(s.log, "all-readers"); undone == deep || s.has("notice", "may show as undone") == deep {
				t.Errorf("got %s", s)
			}
		})
	}
}

// A thousand problems: the runner's limits hold, and what is left out is said.
func TestActionLimits(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("policy-sets/set-%04d.yaml", i)] = manifest(fmt.Sprintf("set-%04d", i), strings.Repeat("missing-", 12)+fmt.Sprint(i))
	}
	j := newJob(t, nil)
	w := j.world
	w.git("checkout", "-q", "-b", "many", j.commits["BASE_SHA"])
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(w.clone(), name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	w.git("add", "-A")
	j.commits["HEAD_SHA"] = w.commit("Many", nil)
	j.commits["MERGE_SHA"] = w.git("commit-tree", "-p", j.commits["BASE_SHA"], "-p", j.commits["HEAD_SHA"], "-m", "Merge", "HEAD^{tree}")
	w.git("push", "-q", "--force", "origin", j.commits["MERGE_SHA"]+":refs/pull/7/merge")
	j.pull("pull_request")
	s := j.run()
	errors := 0
	for _, a := range s.annotations {
		if a.level == "error" {
			errors++
		}
	}
	if s.status != 3 || errors != 10 || !s.has("error", "more in the summary") {
		t.Errorf("got status %d, %d errors, %v", s.status, errors, s.annotations)
	}
	if len(s.summary) > 1<<20 || !strings.Contains(s.summary, "set-0999") {
		t.Errorf("the summary has %d bytes, or lacks a set", len(s.summary))
	}
	if ours := j.hub.ours(); len(ours) != 1 || len(ours[0]) > 60000 || !strings.Contains(ours[0], "The full report is in") {
		t.Errorf("got %d comments", len(ours))
	}
	j.hub.writes = nil
	if j.run(); len(j.hub.writes) != 0 {
		t.Errorf("the second run wrote %q", j.hub.writes)
	}
}

// The runner of long ago, or none: files are missing, and nothing panics.
func TestActionWithoutRunnerFiles(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	j.pull("pull_request")
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE", "GITHUB_GRAPHQL_URL", "GITHUB_RUN_ID"} {
		delete(j.env, name)
	}
	s := j.run()
	if s.status != 0 || len(j.hub.ours()) != 1 || strings.Contains(s.log, "panic") {
		t.Errorf("got %s", s)
	}
	j.env["GITHUB_OUTPUT"], j.env["GITHUB_STEP_SUMMARY"] = "/no/such/folder/output", j.dir
	if s = j.run(); s.status != 0 || strings.Contains(s.log, "panic") || !s.has("notice", "later steps lack outputs") || !s.has("notice", "writing the summary") {
		t.Errorf("got %s", s)
	}
}

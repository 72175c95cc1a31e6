package e2e_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"github.com/policypin/policypin/internal/gittest"
)

// decisionTest has a case that passes and one that fails on line 11, when the
// policies are those of wider.
const decisionTest = `apiVersion: policypin.dev/v1
kind: PolicyTest
set: readers
entities:
  Keycard::User::"ada":
    attrs: {groups: [interns]}
  Keycard::Resource::"ledger":
    attrs: {id: ledger, name: Ledger}
cases:
  - {name: interns may read, principal: 'Keycard::User::"ada"', action: 'Keycard::Action::"ReadTools"', resource: 'Keycard::Resource::"ledger"', context: {on_behalf: false}, expect: allow}
  - {name: interns may not write, principal: 'Keycard::User::"ada"', action: 'Keycard::Action::"WriteTools"', resource: 'Keycard::Resource::"ledger"', context: {on_behalf: false}, expect: deny, determining: []}
`

// wider lets everybody read what readers may, and more; the set has nothing but
// sources, so that what changes is all that can.
var wider = map[string]string{
	"policies/shared.cedar": "permit (principal is Keycard::User, action, resource);\n",
	"tests/readers.yaml":    decisionTest,
}

// reproduce runs the command that a comment ends with, in a clone that has the
// commits. It ends with a status.
func (j *job) reproduce(page string, status int) {
	j.Helper()
	j.reproduceWith(page, status, gittest.Env())
}

// reproduceWith is reproduce with other variables, such as the zone's.
func (j *job) reproduceWith(page string, status int, env []string) {
	j.Helper()
	_, command, ok := strings.Cut(page, "```sh\n")
	if !ok {
		j.Fatalf("no command in:\n%s", page)
	}
	command, _, _ = strings.Cut(command, "\n")
	gittest.Git(j, j.world.clone(), "fetch", "-q", "origin", j.commits["MERGE_SHA"])
	again := exec.Command("sh", "-c", strings.Replace(command, "policypin", binary, 1))
	again.Dir, again.Env = j.world.clone(), env
	var said strings.Builder
	again.Stderr = &said
	if out, _ := again.Output(); again.ProcessState.ExitCode() != status || string(out) != page {
		j.Errorf("%s: got status %d and\n%s%s\nwant %d and\n%s", command, again.ProcessState.ExitCode(), out, said.String(), status, page)
	}
}

// TestActionWidening follows a pull request that widens access, and breaks a test.
func TestActionWidening(t *testing.T) {
	t.Parallel()
	j := newJob(t, wider)
	j.pull("pull_request")
	s := j.run()
	ours := j.hub.ours()
	if s.status != 3 || len(ours) != 1 || s.outputs["widened"] != "true" || s.outputs["tests"] != "failed" || s.outputs["changed"] != "true" {
		t.Fatalf("got comments %q; %s", ours, s)
	}
	at := 0
	for _, piece := range []string{
		"\n### 3 policy sets change · widens access (", " · 1 of 2 decision tests fails\n",
		"\n#### Widened access\n\n`admins`: widened by `shared` (`policies/shared.cedar:1`), ", "- `Keycard::User::\"", ": was denied, is allowed by `shared`\n",
		"`readers`: widened by `shared`", "#### Not complete\n", "`agents` `policy-sets/agents.yaml:", "as JSON, with entities</summary>", "\"entities\": [",
		"- `agents`: 1 changed → v1 on merge · widens access (",
		"#### Decision tests: 1 passed, 1 failed\n", "- **failed** `tests/readers.yaml:11` `interns may not write`", "| policy set | policy |", "```diff\n",
	} {
		i := strings.Index(ours[0][at:], piece)
		if i < 0 {
			t.Fatalf("%q is missing or too early in:\n%s", piece, ours[0])
		}
		at += i
	}
	harmless(t, "comment", ours[0])
	var failed *annotation
	for i, a := range s.annotations {
		if a.level == "error" && strings.Contains(a.message, "interns may not write") {
			failed = &s.annotations[i]
		}
	}
	if failed == nil || failed.properties["file"] != "tests/readers.yaml" || failed.properties["line"] != "11" || len(s.annotations) != 1 {
		t.Errorf("got annotations %v, want the test that fails, on its line", s.annotations)
	}
	for _, group := range []string{"check", "test", "diff", "impact", "plan"} {
		if !strings.Contains("\n"+s.log, "\n::group::policypin "+group+"\n") {
			t.Errorf("the log has no group %s:\n%s", group, s.log)
		}
	}
	if strings.Count(s.log, "::group::") != strings.Count(s.log, "::endgroup::") {
		t.Errorf("the groups of the log aren't balanced:\n%s", s.log)
	}
	if len(s.summary) <= 60_000 {
		j.reproduce(s.summary, 0)
	}
	if !strings.Contains(s.summary, "#### Widened access") || !strings.Contains(s.log, "widened by shared (policies/shared.cedar:1)") {
		t.Errorf("got log %s\nsummary %s", s.log, s.summary)
	}
	j.reproduce(ours[0], 0)

	j.hub.writes = nil
	if s = j.run(); s.status != 3 || len(j.hub.writes) != 0 {
		t.Errorf("the second run wrote %q; %s", j.hub.writes, s)
	}
	j.env["INPUT_FAIL-ON"] = "gates"
	if s = j.run(); s.status != 0 || s.outputs["tests"] != "failed" || !s.has("error", "interns may not write") {
		t.Errorf("problems don't count, and got %s", s)
	}

	// A fork gets all of it in the summary.
	j.hub.comments, j.hub.before = nil, readOnly
	j.event("pull_request", "pull_request_fork", j.commits)
	if s = j.run(); s.status != 0 || s.outputs["widened"] != "true" || !strings.Contains(s.summary, "#### Widened access") || !s.has("notice", "from a fork never may") {
		t.Errorf("got %s", s)
	}
}

// A merge queue knows it as well, and has no comment.
func TestActionWideningInAMergeQueue(t *testing.T) {
	t.Parallel()
	j := newJob(t, wider)
	j.checkout(j.remote, "refs/remotes/origin/gh-readonly-queue", j.commits["MERGE_SHA"])
	j.event("merge_group", "merge_group", j.commits)
	s := j.run()
	if s.status != 3 || s.outputs["widened"] != "true" || s.outputs["tests"] != "failed" || len(j.hub.writes) != 0 {
		t.Errorf("got writes %q; %s", j.hub.writes, s)
	}
	if !s.has("error", "interns may not write") || !strings.Contains(s.summary, "#### Widened access") {
		t.Errorf("got summary %s\n%s", s.summary, s)
	}
}

// What the output widened says, and how a comment is written again where nothing
// can be planned.
func TestActionImpact(t *testing.T) {
	t.Parallel()
	local := strings.Split(project(t)["policypin.yaml"], "targets:")[0]
	withoutTarget := map[string]string{"policypin.yaml": local, "policies/shared.cedar": wider["policies/shared.cedar"]}
	tests := []struct {
		name    string
		change  map[string]string
		widened string
		says    string
	}{
		{"narrowed, and all is known", map[string]string{"policies/admin.cedar": "forbid (principal, action, resource);\n"},
			"false", "`admins`: 1 changed → v1 on merge · narrows access ("},
		{"nothing found, and not all is known", map[string]string{"policy-sets/agents.yaml": manifest("agents", "shared", "agent", "default-user-grants@4")},
			"unknown", "`agents`: 1 changed → v1 on merge · decisions not compared\n"},
		{"another description", map[string]string{"policy-sets/readers.yaml": manifest("readers", "shared", "reader") + "    description: Readers read.\n"},
			"false", "\n### 1 policy set changes · changes no decision\n"},
		{"no target", withoutTarget, "true", "\n### 3 policy sets change · widens access ("},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, tt.change)
			j.pull("pull_request")
			s := j.run()
			ours := j.hub.ours()
			if s.status != 0 || s.outputs["widened"] != tt.widened || s.outputs["tests"] != "" || len(ours) != 1 {
				t.Fatalf("got comments %q; %s", ours, s)
			}
			if !strings.Contains(ours[0], tt.says) {
				t.Errorf("want %q in\n%s", tt.says, ours[0])
			}
			j.reproduce(ours[0], 0)
		})
	}
}

// A base that can't be compared is said, everywhere, and makes no run red.
func TestActionWithABrokenBase(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"policies/agent.cedar": policy("all-agents")})
	w := j.world
	w.git("checkout", "-q", "main")
	broken := gittest.Commit(t, w.clone(), "Break", map[string]string{"policies/reader.cedar": "nonsense\n"})
	w.git("checkout", "-q", "-b", "fix")
	fixed := gittest.Commit(t, w.clone(), "Fix", map[string]string{"policies/reader.cedar": policy("readers")})
	j.commits["BASE_SHA"], j.commits["HEAD_SHA"] = broken, fixed
	j.commits["MERGE_SHA"] = w.git("commit-tree", "-p", broken, "-p", fixed, "-m", "Merge", "HEAD^{tree}")
	w.git("push", "-q", "--force", "origin", broken+":refs/heads/main", j.commits["MERGE_SHA"]+":refs/pull/7/merge")
	j.pull("pull_request")
	s := j.run()
	ours := j.hub.ours()
	if s.status != 0 || s.outputs["widened"] != "unknown" || !s.has("notice", "which decisions change isn't known: the files of the base have errors") {
		t.Fatalf("got %s", s)
	}
	if len(ours) != 1 || !strings.Contains(ours[0], " · decisions not compared\n") || !strings.Contains(ours[0], "Which decisions change isn't known: the files of the base have errors") {
		t.Errorf("got comments %q", ours)
	}
	j.reproduce(ours[0], 0)

	// Errors of the head are told as such; nothing claims that decisions stay.
	w.git("checkout", "-q", "-b", "worse", broken)
	j = newJob(t, map[string]string{"policies/agent.cedar": "nonsense\n"})
	j.pull("pull_request")
	s = j.run()
	if ours = j.hub.ours(); s.status != 3 || s.outputs["widened"] != "unknown" || len(ours) != 1 || !strings.Contains(ours[0], "Which decisions change isn't known: the files have errors") {
		t.Errorf("got comments %q; %s", ours, s)
	}
}

// A gate that a label approves: the comment names the label, and comes out alike
// where GitHub can't be asked, before and after the approval.
func TestActionCommentAboutAGate(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{
		"policypin.yaml":       project(t)["policypin.yaml"] + "gates: {widened: approve}\n",
		"policies/agent.cedar": policy("all-agents"),
	})
	zone := j.world.serve()
	j.world.git("checkout", "-q", "main")
	j.world.mustPublish(env(zone.url))
	j.world.git("fetch", "-q", "--tags", "origin")
	pull := &ghPull{permissions: map[string]string{"grace": "write"}}
	j.hub.before = pull.serve
	j.pull("pull_request")
	s := j.run()
	label := j.gateLabel(s, "widened")
	ours := j.hub.ours()
	if s.status != 5 || len(ours) != 1 || label == "" {
		t.Fatalf("got comments %q; %s", ours, s)
	}
	if !strings.Contains(ours[0], "#### Gates\n\n- `widened` for `agents`: refused; the label `"+label+"` approves it, set by somebody else with write access\n") ||
		!strings.Contains(ours[0], "\n### Publishing is refused, for 1 reason · widens access (") {
		t.Errorf("got comment\n%s", ours[0])
	}
	j.reproduce(ours[0], 5)
	j.hub.writes = nil
	pull.forbidden = "pulls/"
	if s = j.run(); s.status != 5 || len(j.hub.writes) != 0 {
		t.Errorf("the comment depends on what GitHub says about labels: %q\n%s", j.hub.writes, j.hub.ours()[0])
	}
	pull.forbidden = ""
	pull.label("grace", "User", label)
	s = j.run()
	if ours = j.hub.ours(); s.status != 0 || len(ours) != 1 || !strings.Contains(ours[0], "- `widened` for `agents`: approved") {
		t.Fatalf("got comments %q; %s", ours, s)
	}
	j.reproduce(ours[0], 0)
}

// TestActionInjectionThroughDecisions puts the attacks where requests come from:
// ids of entities, names of attributes, of policies and of tests.
func TestActionInjectionThroughDecisions(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	var entries, cases strings.Builder
	cases.WriteString("apiVersion: policypin.dev/v1\nkind: PolicyTest\nset: readers\nentities:\n  Keycard::User::\"ada\": {}\n  Keycard::Resource::\"ledger\":\n    attrs: {id: ledger, name: Ledger}\ncases:\n")
	for i, a := range attacks {
		name := fmt.Sprintf("attack-%d", i)
		files["policies/"+name+".cedar"] = fmt.Sprintf("permit (principal == Keycard::User::%s, action, resource)\nwhen { principal has email && principal.email == %s };\n", cedarString(a), cedarString("\n"+a))
		fmt.Fprintf(&entries, "  - policy: %s\n    source: policies/%s.cedar\n", name, name)
		if strings.ContainsFunc(a, func(r rune) bool { return !unicode.IsPrint(r) }) {
			continue // such a name of a test is a problem of its file
		}
		fmt.Fprintf(&cases, "  - {name: %q, principal: 'Keycard::User::\"ada\"', action: 'Keycard::Action::\"ReadTools\"', resource: 'Keycard::Resource::\"ledger\"', context: {on_behalf: false}, expect: allow}\n", a+" "+a)
	}
	files["policy-sets/readers.yaml"] = manifest("readers", "shared", "reader") + entries.String()
	files["tests/readers.yaml"] = cases.String()
	j := newJob(t, files)
	j.pull("pull_request")
	s := j.run() // fails the test for a command that isn't ours
	ours := j.hub.ours()
	if s.status != 3 || s.outputs["widened"] != "true" || len(ours) != 1 {
		t.Fatalf("got comments %q; %s", ours, s)
	}
	for _, a := range s.annotations {
		if strings.HasPrefix(a.message, "pwned") || a.properties["file"] != "tests/readers.yaml" && !strings.HasSuffix(a.message, "more in the summary") {
			t.Errorf("got annotation %v", a)
		}
		inert(t, "annotation", a.message)
	}
	// Every witness is there, as code.
	for where, text := range map[string]string{"comment": ours[0], "summary": s.summary, "log": s.log} {
		inert(t, where, text)
		if where != "log" {
			harmless(t, where, text)
		}
		for _, want := range []string{"::error::pwned", "@acme/everybody", "<img src=http://evil.example/x>", "##[error]pwned"} {
			if !strings.Contains(text, want) {
				t.Errorf("the %s has no witness with %q", where, want)
			}
		}
	}
	if !strings.Contains(s.summary, `\u202e`) || !strings.Contains(s.summary, "```json\n") {
		t.Error("the summary has no witness with an escaped mark")
	}
	j.reproduce(ours[0], 0)
}

// cedarString writes any text as a literal of Cedar.
func cedarString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ' || r > '~':
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

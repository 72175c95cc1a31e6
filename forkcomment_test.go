package policypin_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

// TestForkCommentTreatsTheReportAsData runs the script of fork-comment.yml with
// a gh that keeps what would be sent. It needs bash and jq, as GitHub's runners
// have them; .ci/run installs both.
func TestForkCommentTreatsTheReportAsData(t *testing.T) {
	for _, tool := range []string{"bash", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s here", tool)
		}
	}
	const head = "1111111111111111111111111111111111111111"
	tests := []struct {
		name           string
		number, report string
		mine           bool   // there is a comment already
		method         string // "" for none
		fails          bool
	}{
		{"a first comment", "7\n", "all is well\n", false, "POST", false},
		{"the same comment again", "7\n", "all is well\n", true, "PATCH", false},
		{"a fence can't be closed", "7\n", "```\n`````````\n@team <img src=x>\n~~~~~~~~\n", false, "POST", false},
		{"nor by what is taken out", "7\n", "``\u200b``\u202e``\x1b``\r\n@team\n", false, "POST", false},
		{"a report without end", "7\n", strings.Repeat("`é\n", 200_000), false, "POST", false},
		{"bytes that are no text", "7\n", "\xff\xfe\x00`````\n", false, "POST", false},
		{"another pull request", "8\n", "all is well\n", false, "", false},
		{"a pull request of somebody else at this commit", "9\n", "all is well\n", false, "", false},
		{"a pull request whose fork is gone", "10\n", "all is well\n", false, "", false},
		{"no number", "7; gh auth token\n", "all is well\n", false, "", true},
		{"an option", "--help\n", "all is well\n", false, "", true},
		{"two lines", "7\n8\n", "all is well\n", false, "", false},
		{"nothing", "", "all is well\n", false, "", true},
	}
	script := scriptOf(t, "examples/workflows/fork-comment.yml", "comment")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"number": tt.number, "report.md": tt.report} {
				writeFile(t, filepath.Join(dir, "policypin", name), text, 0o644)
			}
			writeFile(t, filepath.Join(dir, "bin", "gh"), fakeGH, 0o755)
			comments := theirComments
			if tt.mine {
				comments += ourComment
			}
			writeFile(t, filepath.Join(dir, "comments.json"), "["+comments+"]", 0o644)
			cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "RUNNER_TEMP="+dir,
				"REPOSITORY=o/r", "HEAD=4242 "+head, "SENT="+filepath.Join(dir, "sent"), "COMMENTS="+filepath.Join(dir, "comments.json"))
			out, err := cmd.CombinedOutput()
			if (err != nil) != tt.fails {
				t.Fatalf("got %v, want a failure: %v\n%s", err, tt.fails, out)
			}
			sent, err := os.ReadFile(filepath.Join(dir, "sent"))
			if tt.method == "" {
				if err == nil {
					t.Fatalf("sent %s, want nothing", sent)
				}
				return
			}
			if err != nil {
				t.Fatalf("nothing was sent: %s", out)
			}
			request, body, _ := strings.Cut(string(sent), "\n")
			want := map[string]string{"POST": "POST repos/o/r/issues/7/comments", "PATCH": "PATCH repos/o/r/issues/comments/42"}[tt.method]
			if request != want {
				t.Errorf("got request %q, want %q", request, want)
			}
			checkFenced(t, body)
		})
	}
}

// fakeGH answers as gh does, and keeps the request that writes.
const fakeGH = `#!/bin/sh
pull() { echo "{\"head\": {\"repo\": $1, \"sha\": \"$2\"}}" | jq -r "$3"; }
case "$*" in
"api repos/o/r/pulls/7 --jq "*) pull '{"id": 4242}' 1111111111111111111111111111111111111111 "$4" ;;
"api repos/o/r/pulls/9 --jq "*) pull '{"id": 4243}' 1111111111111111111111111111111111111111 "$4" ;;
"api repos/o/r/pulls/10 --jq "*) pull null 1111111111111111111111111111111111111111 "$4" ;;
"api repos/o/r/pulls/"*) pull '{"id": 4242}' 2222222222222222222222222222222222222222 "$4" ;;
"api --paginate repos/o/r/issues/7/comments"*) jq -r "$5" <"$COMMENTS" ;;
"api --method "*) { echo "$3 $4"; cat "$6"; } >"$SENT" ;;
*) echo "gh $*" >&2; exit 1 ;;
esac
`

// The comments of the pull request: others that look like ours, and ours.
const (
	theirComments = `
{"id": 39, "user": {"login": "github-actions[bot]"}, "body": "<!-- policypin:. -->\nanother one of ours"},
{"id": 40, "user": {"login": "github-actions[bot]"}, "body": "says\n<!-- policypin:fork -->"},
{"id": 41, "user": {"login": "mallory"}, "body": "<!-- policypin:fork -->\nmine"}`
	ourComment = `,
{"id": 42, "user": {"login": "github-actions[bot]"}, "body": "<!-- policypin:fork -->\nours"},
{"id": 43, "user": {"login": "github-actions[bot]"}, "body": "<!-- policypin:fork -->\na second one"}`
)

// checkFenced reads the comment that was sent: what the fork said is inside one
// fence, and small enough for GitHub.
func checkFenced(t *testing.T, body string) {
	t.Helper()
	var sent struct{ Body string }
	if err := json.Unmarshal([]byte(body), &sent); err != nil {
		t.Fatalf("%v in %.200s", err, body)
	}
	const limit = 65_536
	if len(sent.Body) > limit {
		t.Errorf("the comment has %d bytes, more than %d", len(sent.Body), limit)
	}
	lines := strings.Split(strings.TrimSuffix(sent.Body, "\n"), "\n")
	if len(lines) < 5 || lines[0] != "<!-- policypin:fork -->" || lines[3] != "`````markdown" || lines[len(lines)-1] != "`````" {
		t.Fatalf("got comment %.300q, want a fence after three lines", sent.Body)
	}
	for _, line := range lines[4 : len(lines)-1] {
		if strings.Contains(line, "````") {
			t.Errorf("a line may close the fence: %q", line)
		}
		if i := strings.IndexFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x202e || r == 0x200b }); i >= 0 {
			t.Errorf("a line has control characters: %q", line)
		}
	}
}

// scriptOf returns the only script of a job.
func scriptOf(t *testing.T, workflow, job string) string {
	t.Helper()
	w, _ := actionlint.Parse(workflows(t)[workflow])
	for _, step := range w.Jobs[job].Steps {
		if e, ok := step.Exec.(*actionlint.ExecRun); ok {
			return e.Run.Value
		}
	}
	t.Fatalf("%s has no script", workflow)
	return ""
}

func writeFile(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

package policypin_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"gopkg.in/yaml.v3"
)

// workflows returns the workflows that we give to people, and our own, by path.
func workflows(t *testing.T) map[string][]byte {
	t.Helper()
	texts := map[string][]byte{}
	for pattern, least := range map[string]int{
		"examples/workflows/*.yml":               7,
		"cmd/policypin/scaffold/workflows/*.yml": 2,
		".github/workflows/*.yml":                0,
	} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) < least {
			t.Fatalf("%s: got %d files (%v), want at least %d", pattern, len(names), err, least)
		}
		for _, name := range names {
			if texts[name], err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	return texts
}

// TestWorkflowsPassActionlint leaves shell scripts to .ci/run, which has
// shellcheck.
func TestWorkflowsPassActionlint(t *testing.T) {
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range workflows(t) {
		problems, err := linter.Lint(name, text, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, p := range problems {
			t.Error(p)
		}
	}
}

var pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

// unreleased is how workflows name the Action until there is a release: with
// a commit that can't exist, so that a run fails at once and never runs something
// else. scripts/release names the release in its place.
var unreleased = "policypin/policypin@" + strings.Repeat("0", 40) + " # v0.0.0"

const unreleasedNote = "# There is no release yet: put the commit and the version of one here."

// TestWorkflowsPinActions: a tag moves, a commit doesn't, and the version is
// what tools that update pins read.
func TestWorkflowsPinActions(t *testing.T) {
	pins := map[string]string{} // action to its commit and version
	for name, text := range workflows(t) {
		noted, made := false, true
		for i, line := range strings.Split(string(text), "\n") {
			line = strings.TrimPrefix(strings.TrimSpace(line), "- ")
			noted = noted || line == unreleasedNote
			uses, ok := strings.CutPrefix(line, "uses: ")
			if !ok {
				continue
			}
			if !pinned.MatchString(uses) {
				t.Errorf("%s:%d: %q is not a commit with its version", name, i+1, uses)
			}
			action, pin, _ := strings.Cut(uses, "@")
			if before, known := pins[action]; known && before != pin {
				t.Errorf("%s:%d: %s is pinned to %s, elsewhere to %s", name, i+1, action, pin, before)
			}
			pins[action] = pin
			made = made && uses != unreleased
		}
		if noted == made {
			t.Errorf("%s: there is a release: %v, and a comment that there is none: %v", name, made, noted)
		}
	}
	if pins["policypin/policypin"] == "" || pins["actions/checkout"] == "" {
		t.Errorf("got pins %v, want those of policypin and checkout", pins)
	}
}

// An actionFile is what this test reads of action.yml.
type actionFile struct {
	Inputs, Outputs map[string]struct{ Description string }
}

// TestWorkflowsAreModest parses each workflow and holds it to our own advice:
// permissions are granted job by job and each says why, no token is left in the
// clone, jobs end, runs don't pile up, and no expression gets into a shell.
func TestWorkflowsAreModest(t *testing.T) {
	for name, text := range workflows(t) {
		t.Run(name, func(t *testing.T) {
			w, problems := actionlint.Parse(text)
			for _, p := range problems {
				t.Fatal(p)
			}
			if w.Permissions == nil || w.Permissions.All != nil || len(w.Permissions.Scopes) > 0 {
				t.Error("the workflow's permissions are not {}")
			}
			if w.Concurrency == nil {
				t.Error("the workflow has no concurrency group")
			}
			lines := strings.Split(string(text), "\n")
			for id, job := range w.Jobs {
				if job.TimeoutMinutes == nil {
					t.Errorf("job %s has no time limit", id)
				}
				if job.Permissions == nil || job.Permissions.All != nil || len(job.Permissions.Scopes) == 0 {
					t.Errorf("job %s doesn't list its permissions", id)
					continue
				}
				for scope, p := range job.Permissions.Scopes {
					if line := lines[p.Name.Pos.Line-1]; !strings.Contains(line, " # ") {
						t.Errorf("job %s: nothing says why %s is granted", id, scope)
					}
				}
				for _, step := range job.Steps {
					checkStep(t, id, step)
				}
			}
		})
	}
}

func checkStep(t *testing.T, job string, step *actionlint.Step) {
	t.Helper()
	switch e := step.Exec.(type) {
	case *actionlint.ExecRun:
		if strings.Contains(e.Run.Value, "${{") {
			t.Errorf("job %s, line %d: an expression in a shell script; pass it in env", job, step.Pos.Line)
		}
		if e.Shell == nil || e.Shell.Value != "bash" {
			t.Errorf("job %s, line %d: without shell: bash a pipe hides failures", job, step.Pos.Line)
		}
	case *actionlint.ExecAction:
		action, _, _ := strings.Cut(e.Uses.Value, "@")
		if action == "actions/checkout" {
			if in := e.Inputs["persist-credentials"]; in == nil || in.Value.Value != "false" {
				t.Errorf("job %s, line %d: checkout leaves its token in the clone", job, step.Pos.Line)
			}
		}
	}
}

var (
	stepOutput = regexp.MustCompile(`steps\.([\w-]+)\.outputs\.([\w-]+)`)
	choices    = regexp.MustCompile(`auto, check, validate, plan, publish or drift`)
)

// TestWorkflowsFitTheAction: every input that is given exists and has a value
// that it takes, every output that is read exists, and credentials come in the
// environment.
func TestWorkflowsFitTheAction(t *testing.T) {
	text, err := os.ReadFile("action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action actionFile
	if err := yaml.Unmarshal(text, &action); err != nil {
		t.Fatal(err)
	}
	if !choices.MatchString(action.Inputs["command"].Description) {
		t.Fatalf("the input command takes other words than this test knows: %s", action.Inputs["command"].Description)
	}
	uses := 0
	for name, text := range workflows(t) {
		w, _ := actionlint.Parse(text)
		for id, job := range w.Jobs {
			ours := map[string]bool{} // steps that run the Action
			for _, step := range job.Steps {
				e, ok := step.Exec.(*actionlint.ExecAction)
				if !ok || !strings.HasPrefix(e.Uses.Value, "policypin/policypin@") {
					continue
				}
				uses++
				if step.ID != nil {
					ours[step.ID.Value] = true
				}
				for input, in := range e.Inputs {
					if _, known := action.Inputs[input]; !known {
						t.Errorf("%s, job %s: action.yml has no input %q", name, id, input)
					}
					if v := in.Value.Value; wrongValue(input, v) {
						t.Errorf("%s, job %s: %s is %q", name, id, input, v)
					}
				}
				checkAccess(t, name+", job "+id, job, step, e)
			}
			for _, m := range stepOutput.FindAllStringSubmatch(string(text), -1) {
				if _, known := action.Outputs[m[2]]; ours[m[1]] && !known {
					t.Errorf("%s, job %s: action.yml has no output %q", name, id, m[2])
				}
			}
		}
	}
	if uses < 10 {
		t.Errorf("the Action is used %d times, want at least 10", uses)
	}
}

func wrongValue(input, value string) bool {
	if strings.Contains(value, "${{") {
		return false
	}
	switch input {
	case "command":
		return !slices.Contains([]string{"auto", "check", "validate", "plan", "publish", "drift"}, value)
	case "comment", "online", "activate", "behind-tip":
		return value != "true" && value != "false"
	}
	return value == ""
}

// checkAccess: what asks the zone has credentials from an environment, what only
// checks has none, and contents are written only by what pins.
func checkAccess(t *testing.T, where string, job *actionlint.Job, step *actionlint.Step, e *actionlint.ExecAction) {
	t.Helper()
	command := "check"
	if in := e.Inputs["command"]; in != nil {
		command = in.Value.Value
	}
	credentials := 0
	if step.Env != nil {
		for name := range step.Env.Vars {
			if strings.HasPrefix(strings.ToUpper(name), "KEYCARD_API_") {
				credentials++
			}
		}
	}
	asks := command != "check" && command != "validate"
	if asks != (credentials == 2) || asks != (job.Environment != nil) {
		t.Errorf("%s: %s has %d variables of Keycard, in an environment: %v", where, command, credentials, job.Environment != nil)
	}
	contents := ""
	if p := job.Permissions.Scopes["contents"]; p != nil {
		contents = p.Value.Value
	}
	_, otherToken := e.Inputs["token"]
	want := "read"
	if command == "publish" && !otherToken {
		want = "write"
	}
	if contents != want {
		t.Errorf("%s: %s has contents: %s, want %s", where, command, contents, want)
	}
}

// TestWorkflowCommands holds scripts in workflows and hooks to the commands and
// flags that there are.
func TestWorkflowCommands(t *testing.T) {
	var lines []string
	for name, text := range workflows(t) {
		w, _ := actionlint.Parse(text)
		for _, job := range w.Jobs {
			for _, step := range job.Steps {
				if e, ok := step.Exec.(*actionlint.ExecRun); ok {
					for line := range strings.Lines(e.Run.Value) {
						if strings.HasPrefix(strings.TrimSpace(line), "policypin ") {
							lines = append(lines, name+": "+strings.TrimSpace(line))
						}
					}
				}
			}
		}
	}
	for _, h := range readHooks(t) {
		lines = append(lines, ".pre-commit-hooks.yaml: "+strings.Join(append([]string{h.Entry}, h.Args...), " "))
	}
	for _, line := range lines {
		if err := knownCommand(t, line); err != nil {
			t.Error(err)
		}
	}
	if err := knownCommand(t, "x: policypin validate --stagd"); err == nil {
		t.Error("a flag that doesn't exist passes")
	}
	if err := knownCommand(t, "x: policypin check"); err == nil {
		t.Error("a command that doesn't exist passes")
	}
}

// knownCommand looks a command line up in the page that the help texts wrote.
func knownCommand(t *testing.T, line string) error {
	t.Helper()
	_, command, _ := strings.Cut(line, ": policypin ")
	words := strings.Fields(command)
	_, help, ok := strings.Cut(documents(t)["docs/commands.md"], "\n## policypin "+words[0]+"\n")
	if !ok {
		return fmt.Errorf("%s: no such command", line)
	}
	help, _, _ = strings.Cut(help, "\n## ")
	for _, word := range words[1:] {
		flag, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(flag, "--") && !strings.Contains(help, "\n  "+flag+" ") && !strings.Contains(help, "\n  "+flag+"\n") {
			return fmt.Errorf("%s: no flag %s", line, flag)
		}
	}
	return nil
}

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/gittest"
)

// A runner stands in for actions/runner with a container action: folders, files,
// variables and nothing else, and the way it reads the log and the files.
type runner struct {
	testing.TB
	dir string // what is /github in a container
	env map[string]string
}

// Folders of a container (ContainerActionHandler.cs).
func (r *runner) workspace() string { return filepath.Join(r.dir, "workspace") }
func (r *runner) file(name string) string {
	return filepath.Join(r.dir, "file_commands", name)
}

// newRunner makes the folders and the variables of one job.
func newRunner(t testing.TB, server, api string) *runner {
	t.Helper()
	r := &runner{TB: t, dir: t.TempDir()}
	for _, name := range []string{"workspace", "home", "workflow", "file_commands", "tmp"} {
		if err := os.MkdirAll(filepath.Join(r.dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	r.env = map[string]string{
		"HOME": filepath.Join(r.dir, "home"), "PATH": "/nonexistent", "TMPDIR": filepath.Join(r.dir, "tmp"),
		"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "ada", "GITHUB_REPOSITORY": "acme/policies",
		"GITHUB_SERVER_URL": server, "GITHUB_API_URL": api, "GITHUB_GRAPHQL_URL": api + "/graphql",
		"GITHUB_WORKSPACE": r.workspace(), "GITHUB_EVENT_PATH": filepath.Join(r.dir, "workflow", "event.json"),
		"GITHUB_OUTPUT": r.file("output"), "GITHUB_STEP_SUMMARY": r.file("summary"), "GITHUB_ENV": r.file("env"),
		"GITHUB_STATE": r.file("state"), "GITHUB_PATH": r.file("path"),
		"GITHUB_RUN_ID": "1658821493", "GITHUB_RUN_ATTEMPT": "1", "RUNNER_OS": "Linux", "RUNNER_TEMP": "/github/runner_temp",
		// The runner passes every input, and an empty value for one that isn't given.
		"INPUT_COMMAND": "auto", "INPUT_TARGET": "", "INPUT_WORKING-DIRECTORY": ".", "INPUT_COMMENT": "true",
		"INPUT_ONLINE": "false", "INPUT_ACTIVATE": "false", "INPUT_PLAN": "", "INPUT_BEHIND-TIP": "false", "INPUT_APPROVE": "",
		"INPUT_ADOPT": "", "INPUT_REPLACE-ACTIVE": "", "INPUT_FAIL-ON": "problems,gates", "INPUT_API-URL": "", "INPUT_TOKEN": jobToken,
		// For tests: the local service answers at once.
		"POLICYPIN_TEST_RETRY_BASE": "5ms", "POLICYPIN_TEST_LOOKUP_FOR": "150ms",
	}
	return r
}

// jobToken is the token of the job, for Git and for the API.
const jobToken = "job-token-that-is-not-real"

// checkout does what actions/checkout does without credentials left behind: a
// shallow clone with one ref, HEAD detached (git-source-provider.ts).
func (r *runner) checkout(remote, ref, commit string) {
	r.Helper()
	git := func(args ...string) { gittest.Git(r, r.workspace(), args...) }
	git("init", "-q")
	git("remote", "add", "origin", remote)
	git("config", "--local", "gc.auto", "0")
	header := "http.extraheader=AUTHORIZATION: basic " + basic("x-access-token", jobToken)
	git("-c", header, "fetch", "-q", "--no-tags", "--prune", "--no-recurse-submodules", "--depth=1", "origin", "+"+commit+":"+ref)
	git("checkout", "-q", "--force", "--detach", ref)
}

// event writes the payload of an event, from the recorded ones, with commits put
// into it.
func (r *runner) event(name, file string, commits map[string]string) {
	r.Helper()
	text, err := os.ReadFile("../ghaction/testdata/events/" + file + ".json")
	if err != nil {
		r.Fatal(err)
	}
	payload := string(text)
	for from, to := range commits {
		payload = strings.ReplaceAll(payload, from, to)
	}
	if err := os.WriteFile(r.env["GITHUB_EVENT_PATH"], []byte(payload), 0o666); err != nil {
		r.Fatal(err)
	}
	r.env["GITHUB_EVENT_NAME"] = name
}

// A step is what the runner knows after the action ended.
type step struct {
	status      int
	log         string // all bytes, both streams
	shown       []string
	annotations []annotation
	masks       []string
	outputs     map[string]string
	summary     string
}

type annotation struct {
	level, message string
	properties     map[string]string
}

// run runs the action once, with fresh files.
func (r *runner) run() *step {
	r.Helper()
	for _, name := range []string{"output", "summary", "env", "state", "path"} {
		if err := os.WriteFile(r.file(name), nil, 0o666); err != nil {
			r.Fatal(err)
		}
	}
	cmd := exec.Command(binary, "action")
	cmd.Dir = r.workspace()
	for name, value := range r.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		r.Fatalf("the action did not start: %v", err)
	}
	s := &step{status: cmd.ProcessState.ExitCode(), log: string(out), outputs: map[string]string{}}
	s.readLog(r)
	s.readOutputs(r, r.file("output"))
	summary, err := os.ReadFile(r.file("summary"))
	if err != nil {
		r.Fatal(err)
	}
	s.summary = string(summary)
	for _, name := range []string{"env", "state", "path"} {
		if text, err := os.ReadFile(r.file(name)); err != nil || len(text) > 0 {
			r.Errorf("the file %s was written: %q, %v", name, text, err)
		}
	}
	return s
}

// readLog reads commands as the runner does (ActionCommand.cs and
// ActionCommandManager.cs): a line that begins with ::, or one that has ##[
// anywhere, and a word that pauses it.
func (s *step) readLog(t testing.TB) {
	t.Helper()
	registered := map[string]bool{}
	for _, name := range []string{"error", "warning", "notice", "debug", "group", "endgroup", "add-mask", "add-matcher", "remove-matcher", "stop-commands", "echo", "set-output", "save-state", "set-env", "add-path"} {
		registered[name] = true
	}
	paused := ""
	for line := range strings.SplitSeq(s.log, "\n") {
		name, properties, message, ok := parseV2(strings.TrimLeft(line, " \t"))
		if !ok || !registered[strings.ToLower(name)] {
			name, properties, message, ok = parseV1(line)
			ok = ok && registered[strings.ToLower(name)]
		}
		switch {
		case !ok:
			s.shown = append(s.shown, line)
		case paused != "":
			if name == paused {
				paused = ""
			} else {
				s.shown = append(s.shown, line)
			}
		default:
			switch strings.ToLower(name) {
			case "stop-commands":
				paused = message
				registered[message] = true
			case "add-mask":
				s.masks = append(s.masks, unescape(message))
			case "error", "warning", "notice":
				s.annotations = append(s.annotations, annotation{name, unescape(message), properties})
			case "group", "endgroup":
			default:
				t.Errorf("the runner was given the command %q: %q", name, line)
			}
		}
	}
	if paused != "" {
		t.Errorf("commands are paused when the step has ended")
	}
}

func parseV2(line string) (name string, properties map[string]string, message string, ok bool) {
	rest, ok := strings.CutPrefix(line, "::")
	if !ok {
		return "", nil, "", false
	}
	head, message, ok := strings.Cut(rest, "::")
	name, props, _ := strings.Cut(head, " ")
	return name, parseProperties(props, ","), message, ok
}

func parseV1(line string) (name string, properties map[string]string, message string, ok bool) {
	_, rest, ok := strings.Cut(line, "##[")
	if !ok {
		return "", nil, "", false
	}
	head, message, ok := strings.Cut(rest, "]")
	name, props, _ := strings.Cut(head, " ")
	return name, parseProperties(props, ";"), message, ok
}

func parseProperties(text, separator string) map[string]string {
	properties := map[string]string{}
	for pair := range strings.SplitSeq(text, separator) {
		if k, v, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
			properties[k] = unescape(v)
		}
	}
	return properties
}

func unescape(text string) string {
	return strings.NewReplacer("%3A", ":", "%2C", ",", "%0D", "\r", "%0A", "\n", "%25", "%").Replace(text)
}

// readOutputs reads a file of outputs as the runner does (FileCommandManager.cs,
// EnvFileKeyValuePairs).
func (s *step) readOutputs(t testing.TB, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(text) == 0 {
		lines = nil
	}
	for i := 0; i < len(lines); i++ {
		name, end, ok := strings.Cut(lines[i], "<<")
		if equals := strings.IndexByte(lines[i], '='); !ok || equals >= 0 && equals < len(name) || name == "" || end == "" {
			t.Fatalf("outputs: line %d is %q", i+1, lines[i])
		}
		var value []string
		for i++; i < len(lines) && lines[i] != end; i++ {
			value = append(value, lines[i])
		}
		if i == len(lines) {
			t.Fatalf("outputs: the value of %s has no end", name)
		}
		if _, twice := s.outputs[name]; twice {
			t.Errorf("output %s is set twice", name)
		}
		s.outputs[name] = strings.Join(value, "\n")
	}
}

// has tells whether an annotation of a level has a text in it.
func (s *step) has(level, text string) bool {
	for _, a := range s.annotations {
		if a.level == level && strings.Contains(a.message, text) {
			return true
		}
	}
	return false
}

func (s *step) String() string {
	return fmt.Sprintf("status %d\nannotations %v\noutputs %v\n%s", s.status, s.annotations, s.outputs, s.log)
}

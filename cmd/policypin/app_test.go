package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// paths lists every visible command as the words that call it, groups included.
func paths() [][]string {
	app := newApp((&world{getenv: func(string) string { return "" }}).guarded())
	var all [][]string
	var walk func(before []string, commands []*cli.Command)
	walk = func(before []string, commands []*cli.Command) {
		for _, cmd := range commands {
			if cmd.Hidden {
				continue
			}
			path := append(slices.Clone(before), cmd.Name)
			all = append(all, path)
			walk(path, cmd.Subcommands)
		}
	}
	walk(nil, app.Commands)
	return all
}

func TestEveryCommandHasHelp(t *testing.T) {
	for _, path := range append([][]string{nil}, paths()...) {
		name := strings.Join(append([]string{"policypin"}, path...), " ")
		t.Run(name, func(t *testing.T) {
			got := call(t, t.TempDir(), nil, append(slices.Clone(path), "--help")...)
			if got.status != 0 || got.stderr != "" {
				t.Fatalf("got status %d and stderr %q, want 0 and nothing", got.status, got.stderr)
			}
			if !strings.HasPrefix(got.stdout, name+": ") {
				t.Errorf("got %.60q…, want it to begin with %q", got.stdout, name+": ")
			}
			for _, part := range []string{"\nUsage:\n", "\nExamples:\n  ", "\nExit status:\n  0 ", "policypin", "\n  2    the command line is wrong\n"} {
				if !strings.Contains(got.stdout, part) {
					t.Errorf("the help lacks %q:\n%s", part, got.stdout)
				}
			}
			for line := range strings.Lines(got.stdout) {
				if len([]rune(line)) > 121 {
					t.Errorf("a line has over 120 characters: %s", line)
				}
			}
			if again := call(t, t.TempDir(), nil, append([]string{"help"}, path...)...); again.stdout != got.stdout {
				t.Errorf("help %s differs from --help", name)
			}
		})
	}
}

// Every example is a command line that exists: its commands and flags are known.
func TestExamplesAreRealCommandLines(t *testing.T) {
	checked := 0
	for _, path := range append([][]string{nil}, paths()...) {
		text := call(t, t.TempDir(), nil, append(slices.Clone(path), "--help")...).stdout
		_, text, _ = strings.Cut(text, "\nExamples:\n")
		text, _, _ = strings.Cut(text, "\n\n")
		text = strings.ReplaceAll(text, "\\\n", "") // a command on several lines
		for line := range strings.Lines(text) {
			_, line, ok := strings.Cut(line, "policypin ")
			if !ok {
				t.Errorf("%v: example %q doesn't call policypin", path, line)
				continue
			}
			app := newApp((&world{getenv: func(string) string { return "" }}).guarded())
			commands, flags := app.Commands, app.Flags
			for _, word := range strings.Fields(line) {
				if strings.HasPrefix(word, "--") {
					if lookupFlag(flags, word) == nil {
						t.Errorf("%v: example has unknown flag %s: %s", path, word, line)
					}
				}
				for _, cmd := range commands {
					if cmd.Name == word {
						commands, flags = cmd.Subcommands, cmd.Flags
						break
					}
				}
			}
			checked++
		}
	}
	if checked < 20 {
		t.Errorf("checked %d examples, want at least 20", checked)
	}
}

func TestUsageErrorsGoToStderr(t *testing.T) {
	for _, path := range append([][]string{nil}, paths()...) {
		for _, extra := range [][]string{{"--no-such-flag"}, {"--target"}, {"--color", "sometimes"}, {"-C"}} {
			args := append(slices.Clone(path), extra...)
			t.Run(strings.Join(args, " "), func(t *testing.T) {
				got := call(t, t.TempDir(), nil, args...)
				if got.status != statusUsage {
					t.Errorf("got status %d, want %d", got.status, statusUsage)
				}
				if got.stdout != "" {
					t.Errorf("got stdout %q, want nothing", got.stdout)
				}
				if !strings.HasPrefix(got.stderr, "error: ") || !strings.Contains(got.stderr, "\nhint: policypin") {
					t.Errorf("got stderr %q, want an error and a hint", got.stderr)
				}
			})
		}
	}
}

// Arguments that a command doesn't take, and flags that come too late to be
// seen, are errors and not ignored.
func TestStrayArgumentsAreRefused(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{}, "no command given"},
		{[]string{"versions"}, "no command given"},
		{[]string{"vallidate"}, `unknown command "vallidate"`},
		{[]string{"versions", "lst"}, `unknown command "versions lst"`},
		{[]string{"help", "nothing"}, `unknown command "nothing"`},
		{[]string{"help", "versions", "lits"}, "unknown command \"versions lits\"\nhint: did you mean \"list\"?"},
		{[]string{"validate", "main"}, `unexpected argument "main"`},
		{[]string{"diff", "HEAD", "--exit-code"}, `flag --exit-code comes after the argument "HEAD"`},
		{[]string{"diff", "a", "b", "c"}, `unexpected argument "c"`},
		{[]string{"diff", "--staged", "a", "b"}, "--staged and a second state exclude each other"},
		{[]string{"validate", "--staged", "--rev", "x"}, "--staged and --rev exclude each other"},
		{[]string{"validate", "--format", "xml"}, `invalid value "xml" for flag -format: must be text, json, github, sarif or junit`},
		{[]string{"versions", "show", "agents"}, "missing argument VERSION"},
		{[]string{"versions", "list", "--limit", "0", "x"}, "--limit is 0, not 1 to 100"},
		{[]string{"versions", "list", "--after", "a", "--before", "b", "x"}, "--after and --before exclude each other"},
		{[]string{"versions", "archive", "agents", "v1"}, "archiving can't be undone and there is nobody to ask"},
		{[]string{"activate"}, "missing argument SET"},
		{[]string{"activate", "agents", ""}, "argument 2 is empty\nhint: is a variable empty?"},
		{[]string{"log", ""}, "argument 1 is empty"},
		{[]string{"publish", "--plan", ""}, "--plan is empty"},
		{[]string{"publish", "--target", ""}, "--target is empty"},
		{[]string{"--target=", "publish"}, "--target is empty"},
		{[]string{"-C", "", "validate"}, "-C is empty"},
		{[]string{"publish", "--adopt", "a", "--adopt="}, "--adopt is empty"},
		{[]string{"verify", "--allowed-signers", ""}, "--allowed-signers is empty"},
		{[]string{"completion"}, "missing argument SHELL"},
		{[]string{"completion", "tcsh"}, `no completion for "tcsh"`},
		{[]string{"schema", "print", "cedar"}, `no JSON Schema of "cedar"`},
		{[]string{"serve", "--addr", "0.0.0.0:1"}, "--addr: 0.0.0.0 is not a loopback address"},
		{[]string{"serve", "--fault", "nonsense"}, `--fault "nonsense"`},
		{[]string{"log", "--limit", "-1"}, "--limit is negative"},
		{[]string{"log", "--limit", "x"}, `invalid value "x" for flag -limit: must be a whole number`},
		{[]string{"publish", "--lock-wait", "5"}, `invalid value "5" for flag -lock-wait: must be a time with its unit, such as 30s or 10m`},
		{[]string{"publish", "--traget", "x"}, "flag provided but not defined: -traget\nhint: did you mean --target?"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			got := call(t, t.TempDir(), nil, tt.args...)
			if got.status != statusUsage || got.stdout != "" {
				t.Errorf("got status %d and stdout %q, want %d and nothing", got.status, got.stdout, statusUsage)
			}
			if !strings.Contains(got.stderr, "error: "+tt.want) {
				t.Errorf("got stderr %q, want %q in it", got.stderr, tt.want)
			}
		})
	}
}

func TestGlobalFlagsMayStandBeforeTheCommand(t *testing.T) {
	dir := t.TempDir()
	if got := call(t, dir, nil, "init", "sub"); got.status != 0 {
		t.Fatalf("init: %s", got.stderr)
	}
	for _, args := range [][]string{{"-C", "sub", "digest"}, {"digest", "-C", "sub"}, {"-C", "/nowhere", "digest", "-C", "sub"}} {
		if got := call(t, dir, nil, args...); got.status != 0 || !strings.Contains(got.stdout, "main") {
			t.Errorf("%v: got status %d, stdout %q, stderr %q", args, got.status, got.stdout, got.stderr)
		}
	}
}

func TestInterruptedRunEndsWith130(t *testing.T) {
	dir := t.TempDir()
	if got := call(t, dir, nil, "init"); got.status != 0 {
		t.Fatalf("init: %s", got.stderr)
	}
	text, err := os.ReadFile(filepath.Join(dir, "policypin.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "targets:\n  far:\n    zone_id: zone_far\n"...)
	if err := os.WriteFile(filepath.Join(dir, "policypin.yaml"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	env := map[string]string{"KEYCARD_API_TOKEN": "not-a-real-token", "KEYCARD_API_BASE_URL": "http://127.0.0.1:1"}
	got := callIn(ctx, dir, env, "versions", "list", "--target", "far")
	if got.status != statusInterrupted || got.stderr != "error: interrupted\n" {
		t.Errorf("got status %d and stderr %q, want %d and that it was interrupted", got.status, got.stderr, statusInterrupted)
	}
}

// A reader of stdin that nobody feeds tells when it is read, and waits.
type silent struct{ asked, end chan struct{} }

func (s *silent) Read([]byte) (int, error) {
	close(s.asked)
	<-s.end
	return 0, io.EOF
}

// What reads a stdin that nobody ends, or computes for long, ends when it is
// told to, and isn't taken for done.
func TestHarmlessCommandsEndAtOnce(t *testing.T) {
	dir := t.TempDir()
	if got := call(t, dir, nil, "init"); got.status != statusOK {
		t.Fatalf("init: %s", got.stderr)
	}
	stdin := &silent{make(chan struct{}), make(chan struct{})}
	defer close(stdin.end)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-stdin.asked
		cancel()
	}()
	var errs bytes.Buffer
	w := &world{stdin: stdin, stdout: io.Discard, stderr: &errs, getenv: func(string) string { return "" }, dir: dir}
	status := run(ctx, w, []string{
		"why", "--at", "WORKTREE", "--context", "-",
		"--principal", `Keycard::User::"ada"`, "--action", `Keycard::Action::"Access"`, "--resource", `Keycard::Resource::"wiki"`,
	})
	if status != statusInterrupted || errs.String() != "error: interrupted\n" {
		t.Errorf("got status %d and stderr %q, want %d and that it was interrupted", status, errs.String(), statusInterrupted)
	}
}

// What was fetched for a command is removed when the command is left.
func TestALeftCommandLeavesNothingFetched(t *testing.T) {
	w := (&world{getenv: func(string) string { return "" }, stdout: io.Discard, stderr: io.Discard}).guarded()
	dir := filepath.Join(t.TempDir(), "fetched")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	computed := make(chan struct{})
	defer close(computed)
	c := cli.NewContext(cli.NewApp(), nil, nil)
	c.Context = ctx
	err := w.untilDone(c, func(*cli.Context) error {
		if err := os.MkdirAll(filepath.Join(dir, "objects"), 0o777); err != nil {
			return err
		}
		w.left.add(dir)
		cancel()
		<-computed
		return nil
	})
	if _, there := os.Stat(dir); !errors.Is(err, context.Canceled) || !errors.Is(there, fs.ErrNotExist) {
		t.Errorf("got %v, and of the folder %v", err, there)
	}
}

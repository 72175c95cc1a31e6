package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"policypin": func() { os.Exit(mainStatus()) },
	})
}

// TestScripts runs the stories in testdata/script, each with the real tool and
// the system's git in an empty home.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup:               setupScript,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":     exits,
			"serve":     serveZone,
			"replace":   replaceIn,
			"interrupt": interrupt,
			"request":   request,
		},
	})
}

// setupScript gives git a fixed identity and clock, and nothing of the machine's
// configuration. New commits are a second apart only if the script says so.
func setupScript(env *testscript.Env) error {
	// A program that is built with the race detector sleeps for a second at its
	// end otherwise.
	env.Setenv("GORACE", "atexit_sleep_ms=0")
	home := filepath.Join(env.WorkDir, "home")
	if err := os.MkdirAll(home, 0o777); err != nil {
		return err
	}
	config := "[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n" +
		"[core]\n\tautocrlf = false\n[advice]\n\tdetachedHead = false\n"
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(config), 0o666); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"HOME":                home,
		"GIT_CONFIG_NOSYSTEM": "1",
		"GIT_CONFIG_GLOBAL":   filepath.Join(home, ".gitconfig"),
		"GIT_AUTHOR_DATE":     "2026-01-02T03:04:05Z",
		"GIT_COMMITTER_DATE":  "2026-01-02T03:04:05Z",
		"TZ":                  "UTC",
		"LC_ALL":              "C",
		// A service that is down is noticed at once.
		"POLICYPIN_TEST_RETRY_BASE": "1ms",
		"POLICYPIN_TEST_LOOKUP_FOR": "50ms",
	} {
		env.Setenv(name, value)
	}
	return nil
}

// exits runs a command and checks its exit status: exits 3 policypin validate
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s ended with status %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// interrupt runs a command, sends it SIGINT, or SIGTERM with -term, once it has
// connected to a service that never answers, and checks that it ends with status
// 130: interrupt [-term] COMMAND [ARG…]
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	signal := os.Interrupt
	if len(args) > 0 && args[0] == "-term" {
		signal, args = syscall.SIGTERM, args[1:]
	}
	if neg || len(args) < 1 {
		ts.Fatalf("usage: interrupt [-term] COMMAND [ARG…]")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer listener.Close()
	self, err := exec.LookPath(args[0])
	ts.Check(err)
	cmd := exec.Command(self, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{
		"HOME=" + ts.Getenv("HOME"), "GIT_CONFIG_GLOBAL=" + ts.Getenv("GIT_CONFIG_GLOBAL"), "PATH=" + ts.Getenv("PATH"),
		"KEYCARD_API_TOKEN=not-a-real-token", "KEYCARD_API_BASE_URL=http://" + listener.Addr().String(),
	}
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = ts.Stdout(), &errs
	ts.Check(cmd.Start())
	conn, err := listener.Accept() // and never answer
	ts.Check(err)
	defer conn.Close()
	ts.Check(cmd.Process.Signal(signal))
	err = cmd.Wait()
	fmt.Fprint(ts.Stderr(), errs.String())
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 130 {
		ts.Fatalf("ended with %v, want status 130", err)
	}
}

// replaceIn edits a file: replace OLD NEW FILE, where \n in NEW is a line end.
func replaceIn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	text := ts.ReadFile(args[2])
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%s does not contain %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.ReplaceAll(text, args[0], strings.ReplaceAll(args[1], `\n`, "\n"))), 0o666))
}

// serveZone runs policypin serve in the background on a free port, and points
// KEYCARD_API_BASE_URL to it: serve [FLAG…]. It ends with the script, by
// SIGTERM, and must then have ended in order.
func serveZone(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("serve can't be negated")
	}
	self, err := exec.LookPath("policypin")
	ts.Check(err)
	cmd := exec.Command(self, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "KEYCARD_API_TOKEN", "KEYCARD_API_CLIENT_ID", "KEYCARD_API_CLIENT_SECRET"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Stderr = ts.Stderr()
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			ts.Logf("stopping serve: %v", err)
		}
		if err := cmd.Wait(); err != nil {
			ts.Fatalf("serve did not end in order: %v", err)
		}
	})
	buf := make([]byte, 4096)
	n, err := out.Read(buf)
	ts.Check(err)
	line, _, _ := strings.Cut(string(buf[:n]), "\n")
	url, ok := strings.CutPrefix(line, "listening on ")
	if !ok {
		ts.Fatalf("serve began with %q", line)
	}
	ts.Setenv("KEYCARD_API_BASE_URL", url)
}

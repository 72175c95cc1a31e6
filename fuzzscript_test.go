package policypin_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// raceOfGo is what go test prints when Go's own race at the end of the time
// fails a run that found nothing.
const raceOfGo = `fuzz: elapsed: 0s, gathering baseline coverage: 0/1 completed
fuzz: elapsed: 3s, execs: 16229 (5409/sec), new interesting: 8 (total: 9)
fuzz: elapsed: 4s, execs: 16229 (0/sec), new interesting: 8 (total: 9)
--- FAIL: FuzzThing (4.04s)
    context deadline exceeded
FAIL
exit status 1
FAIL	example.com/thing	4.057s
`

// fuzzScript is the path of .ci/fuzz. Reading it tells go test that results
// depend on it.
func fuzzScript(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(".ci/fuzz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFuzzScriptRepeatsOnlyGosOwnRace runs .ci/fuzz with a go command that
// fails as Go's race does, and with one that found something. It runs alone: while
// another test starts a process, a script just written can be "text file busy".
func TestFuzzScriptRepeatsOnlyGosOwnRace(t *testing.T) {
	script := fuzzScript(t)
	found := strings.Replace(raceOfGo, "    context deadline exceeded\n",
		"    --- FAIL: FuzzThing (0.00s)\n        thing_test.go:9: context deadline exceeded\n"+
			"    \n    Failing input written to testdata/fuzz/FuzzThing/582528ddfad69eb5\n", 1)
	for _, row := range []struct {
		name string
		runs []string // what each run of go prints; all but an empty one fail
		want int      // runs that are made
		ok   bool
	}{
		{"passes", []string{""}, 1, true},
		{"the race, then a pass", []string{raceOfGo, ""}, 2, true},
		{"the race twice, then a pass", []string{raceOfGo, raceOfGo, ""}, 3, true},
		{"the race each time", []string{raceOfGo, raceOfGo, raceOfGo}, 3, false},
		{"something found", []string{found, ""}, 1, false},
		{"the race, then something found", []string{raceOfGo, found, ""}, 2, false},
		{"nothing said", []string{"FAIL\n", ""}, 1, false},
		{"another target's race", []string{strings.ReplaceAll(raceOfGo, "FuzzThing", "FuzzThings"), ""}, 1, false},
		{"a build error", []string{"thing.go:3:1: syntax error\n", ""}, 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			for i, run := range row.runs {
				name := filepath.Join(dir, "run"+string(rune('1'+i)))
				if err := os.WriteFile(name, []byte(run), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			stub := "#!/bin/sh\ncd '" + dir + "'\necho run >>made\nn=$(grep -c run made)\ncat run$n\n[ ! -s run$n ]\n"
			if err := os.WriteFile(filepath.Join(dir, "go"), []byte(stub), 0o755); err != nil {
				t.Fatal(err)
			}
			command := exec.Command("bash", script, "./thing", "FuzzThing", "3s")
			command.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			output, err := command.CombinedOutput()
			if (err == nil) != row.ok {
				t.Errorf("ended with %v:\n%s", err, output)
			}
			made, err := os.ReadFile(filepath.Join(dir, "made"))
			if got := strings.Count(string(made), "run"); err != nil || got != row.want {
				t.Errorf("%d runs (%v), want %d:\n%s", got, err, row.want, output)
			}
		})
	}
}

// TestFuzzScriptFailsOnWhatGoFinds runs .ci/fuzz with the real go command on a
// target that fails, and on one that doesn't.
func TestFuzzScriptFailsOnWhatGoFinds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Indented, so that .ci/run doesn't take them for targets of this package.
	source := `package thing

import "testing"

 func FuzzBroken(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2 {
			t.Error("context deadline exceeded")
		}
	})
}

 func FuzzFine(f *testing.F) { f.Fuzz(func(*testing.T, string) {}) }
`
	for name, content := range map[string]string{"go.mod": "module example.com/thing\n\ngo 1.24\n", "thing_test.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script := fuzzScript(t)
	run := func(target, time string) (string, error) {
		command := exec.Command("bash", script, ".", target, time)
		command.Dir = dir
		output, err := command.CombinedOutput()
		return string(output), err
	}
	output, err := run("FuzzFine", "100ms")
	if err != nil || !strings.Contains(output, "PASS") {
		t.Errorf("FuzzFine: %v\n%s", err, output)
	}
	output, err = run("FuzzBroken", "60s")
	if err == nil || !strings.Contains(output, "Failing input written to") {
		t.Errorf("FuzzBroken: %v\n%s", err, output)
	}
}

package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
)

// A result is what one command line gave.
type result struct {
	status         int
	stdout, stderr string
}

// call runs the tool in this process.
func call(t *testing.T, dir string, env map[string]string, args ...string) result {
	t.Helper()
	return callIn(t.Context(), dir, env, args...)
}

func callIn(ctx context.Context, dir string, env map[string]string, args ...string) result {
	var out, errs bytes.Buffer
	w := &world{
		stdin:  strings.NewReader(""),
		stdout: &out,
		stderr: &errs,
		getenv: func(name string) string { return env[name] },
		dir:    dir,
	}
	status := run(ctx, w, args)
	return result{status, out.String(), errs.String()}
}

func TestColour(t *testing.T) {
	tests := []struct {
		name     string
		env      map[string]string
		flag     string
		terminal bool
		want     bool
	}{
		{"a pipe has none", nil, "", false, false},
		{"a terminal has it", nil, "", true, true},
		{"NO_COLOR turns it off", map[string]string{"NO_COLOR": "1"}, "", true, false},
		{"FORCE_COLOR turns it on", map[string]string{"FORCE_COLOR": "1"}, "", false, true},
		{"FORCE_COLOR=0 turns it off", map[string]string{"FORCE_COLOR": "0"}, "", true, false},
		{"NO_COLOR goes before FORCE_COLOR", map[string]string{"NO_COLOR": "1", "FORCE_COLOR": "1"}, "", true, false},
		{"the flag goes before NO_COLOR", map[string]string{"NO_COLOR": "1"}, "always", false, true},
		{"the flag goes before the terminal", nil, "never", true, false},
		{"a dumb terminal has none", map[string]string{"TERM": "dumb"}, "", true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			outer := &world{getenv: func(n string) string { return tt.env[n] }, stdout: io.Discard, stderr: io.Discard}
			w := outer.guarded()
			if tt.flag != "" {
				if err := w.global.color.Set(tt.flag); err != nil {
					t.Fatal(err)
				}
			}
			if got := w.colored(tt.terminal); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestFolderOfC(t *testing.T) {
	for _, tt := range []struct{ flag, want string }{
		{"", "/home/ada"}, {"sub", "/home/ada/sub"}, {"../x", "/home/x"}, {"/abs/./y", "/abs/y"},
	} {
		w := &world{dir: "/home/ada"}
		w.global.dir.value = tt.flag
		if got := w.workDir(); got != tt.want {
			t.Errorf("-C %q: got %s, want %s", tt.flag, got, tt.want)
		}
	}
}

func TestConfirm(t *testing.T) {
	for _, tt := range []struct {
		answer string
		want   bool
	}{
		{"y\n", true}, {"Yes\r\n", true}, {" y \n", true}, {"\n", false}, {"n\n", false}, {"yeah\n", false}, {"", false}, {"y", false},
	} {
		var errs bytes.Buffer
		outer := &world{getenv: func(string) string { return "" }, stdin: strings.NewReader(tt.answer), stdout: io.Discard, stderr: &errs}
		if got := outer.guarded().confirm("really\x1b[2J? "); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.answer, got, tt.want)
		}
		if got, want := errs.String(), `really\x1b[2J? `; got != want {
			t.Errorf("got question %q, want %q", got, want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// A result that could not be written is a failure.
func TestBrokenStdoutIsAFailure(t *testing.T) {
	w := &world{getenv: func(string) string { return "" }, stdin: strings.NewReader(""), stdout: full{}, stderr: io.Discard, dir: t.TempDir()}
	if got := run(t.Context(), w, []string{"version"}); got != statusFailed {
		t.Errorf("got status %d, want %d", got, statusFailed)
	}
}

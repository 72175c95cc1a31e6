package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestHookRemembersItsProjects(t *testing.T) {
	name := filepath.Join(t.TempDir(), "hooks", hookName)
	h := hook{}
	for _, p := range []string{"services/b", ".", "it's", "-C", "a b\t$(c)`d`\"e\"\\", "services/b"} {
		h = h.with(p)
	}
	text, err := h.script()
	if err != nil {
		t.Fatal(err)
	}
	if err := writeHook(name, text, true); err != nil {
		t.Fatal(err)
	}
	got, err := readHook(name)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"-C", ".", "a b\t$(c)`d`\"e\"\\", "it's", "services/b"}
	if !slices.Equal(got.projects, want) || string(got.text) != text || !got.complete {
		t.Errorf("got %q, complete %v, want %q", got.projects, got.complete, want)
	}
	if left := got.without("it's").projects; len(left) != len(want)-1 || slices.Contains(left, "it's") {
		t.Errorf("got %q without it's", left)
	}
}

// A hook that came up since we looked is somebody else's.
func TestFreshHookDoesNotReplaceAnother(t *testing.T) {
	name := filepath.Join(t.TempDir(), hookName)
	if err := os.WriteFile(name, []byte("theirs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeHook(name, "ours", true); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v, want ErrExist", err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "theirs" {
		t.Errorf("got %q, %v, want theirs", text, err)
	}
	files, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(files) != 1 {
		t.Errorf("got %v, %v, want the hook alone", files, err)
	}
}

func TestWhoseHookItIs(t *testing.T) {
	tests := []struct {
		name, text string
		ours       bool
		projects   []string
	}{
		{"an empty file", "", false, nil},
		{"a script", "#!/bin/sh\nmake test\n", false, nil},
		{"a script that calls us", "#!/bin/sh\npolicypin validate --staged\n", false, nil},
		{"the marker in the middle of a line", "echo '" + hookMarker + "'\n", false, nil},
		{"the marker", hookMarker + "\n", true, nil},
		{"projects", hookMarker + "\ncheck 'a'\ncheck 'b'\n", true, []string{"a", "b"}},
		{"what isn't a project", hookMarker + "\ncheck a\ncheck ''\ncheck '../up'\ncheck '/abs'\ncheck 'a' 'b'\ncheck 'a'b'\ncheck '\n", true, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), hookName)
			if err := os.WriteFile(name, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := readHook(name)
			if errors.Is(err, errForeignHook) == tt.ours || tt.ours && err != nil {
				t.Errorf("got %v, ours: %v", err, tt.ours)
			}
			if !slices.Equal(got.projects, tt.projects) {
				t.Errorf("got projects %q, want %q", got.projects, tt.projects)
			}
			if runtime.GOOS != "windows" && got.complete {
				t.Error("git would not run it, and it counts as complete")
			}
		})
	}
	if got, err := readHook(filepath.Join(t.TempDir(), hookName)); err != nil || got.text != nil {
		t.Errorf("without a file: got %+v, %v", got, err)
	}
	dir := t.TempDir()
	if _, err := readHook(dir); !errors.Is(err, errForeignHook) {
		t.Errorf("a folder: got %v", err)
	}
}

// FuzzShellQuote holds quoting to sh: one word, and the same bytes.
func FuzzShellQuote(f *testing.F) {
	for _, s := range []string{"", ".", "a b", "it's", "''", `\'`, "$(x)`y`", "-n", "a\nb", "é\u202e"} {
		f.Add(s)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		f.Skip("there is no sh here")
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := shellQuote(s)
		if back, ok := shellUnquote(quoted); !ok || back != s {
			t.Errorf("%q is quoted as %s, read back as %q, %v", s, quoted, back, ok)
		}
		if strings.Contains(s, "\x00") {
			return // no argument can hold it
		}
		out, err := exec.Command(sh, "-c", "printf '%s|' "+quoted).Output()
		if err != nil || string(out) != s+"|" {
			t.Errorf("%q is quoted as %s, which sh reads as %q (%v)", s, quoted, out, err)
		}
	})
}

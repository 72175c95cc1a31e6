package ghaction

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runnerIn is a runner whose files are in a folder.
func runnerIn(dir string) *Runner {
	env := map[string]string{
		"GITHUB_WORKSPACE": dir, "GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"),
	}
	return FromEnv(func(name string) string { return env[name] })
}

func TestOutputsCannotSetOthers(t *testing.T) {
	r := runnerIn(t.TempDir())
	values := []string{"", "one", "two\nlines", "x\n_GitHubActionsFileCommandDelimeter_\nchanged=evil", "evil=1\nevil<<EOF\n1\nEOF", "a\r\nb", "\xff"}
	var outputs []Output
	for _, v := range values {
		outputs = append(outputs, Output{"name", v})
	}
	if err := r.WriteOutputs(outputs); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.outputPath)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	ends := map[string]bool{}
	for i := 0; i < len(lines); i++ {
		name, end, ok := strings.Cut(lines[i], "<<")
		if !ok || name != "name" || ends[end] || len(end) < 32 {
			t.Fatalf("line %d is %q", i, lines[i])
		}
		ends[end] = true
		from := i + 1
		for i++; lines[i] != end; i++ {
		}
		if got, want := strings.Join(lines[from:i], "\n"), strings.ToValidUTF8(values[0], "\uFFFD"); got != want {
			t.Errorf("got value %q, want %q", got, want)
		}
		values = values[1:]
	}
	if len(values) > 0 {
		t.Errorf("values are missing: %q", values)
	}
}

// A value that is too long costs no other one.
func TestLongOutputs(t *testing.T) {
	r := runnerIn(t.TempDir())
	err := r.WriteOutputs([]Output{{"changed", "true"}, {"big", strings.Repeat("x", 1<<20)}, {"tag", "t"}})
	if err == nil || !strings.Contains(err.Error(), "output big is left empty") {
		t.Errorf("got %v", err)
	}
	text, err := os.ReadFile(r.outputPath)
	if err != nil || len(text) > 1000 {
		t.Fatalf("got %d bytes, %v", len(text), err)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 10 || lines[1] != "true" || lines[4] != "" || lines[7] != "t" {
		t.Errorf("got %q", lines)
	}
}

func TestSummaryIsNeverTooLong(t *testing.T) {
	r := runnerIn(t.TempDir())
	if err := r.WriteSummary(strings.Repeat("x", MaxSummary-10)); err != nil {
		t.Fatal(err)
	}
	if got := r.SummaryRoom(); got != 10 {
		t.Errorf("got room for %d bytes, want 10", got)
	}
	if err := r.WriteSummary(strings.Repeat("x", 11)); err == nil {
		t.Error("a byte too many was written")
	}
	if err := r.WriteSummary(strings.Repeat("x", 10)); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(r.summaryPath)
	if err != nil || info.Size() != MaxSummary || r.SummaryRoom() != 0 {
		t.Errorf("got %v, %v", info.Size(), err)
	}
}

func TestMissingFiles(t *testing.T) {
	r := FromEnv(func(string) string { return "" })
	if err := r.WriteOutputs(nil); !errors.Is(err, ErrNoFile) {
		t.Errorf("outputs: got %v", err)
	}
	if err := r.WriteSummary("x"); !errors.Is(err, ErrNoFile) || r.SummaryRoom() != 0 {
		t.Errorf("summary: got %v", err)
	}
	r = runnerIn("/no/such/folder")
	if err := r.WriteOutputs([]Output{{"a", "b"}}); err == nil || errors.Is(err, ErrNoFile) {
		t.Errorf("outputs: got %v", err)
	}
	if err := r.WriteSummary("x"); err == nil {
		t.Error("summary: no error")
	}
}

func TestPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "real"), link); err != nil {
		t.Fatal(err)
	}
	r := &Runner{Workspace: link}
	for _, tt := range []struct {
		file, want string
		ok         bool
	}{
		{filepath.Join(dir, "real", "a b.yaml"), "a b.yaml", true},
		{filepath.Join(link, "sub", "x.cedar"), "", false}, // the folder isn't there, so its link isn't resolved
		{filepath.Join(dir, "elsewhere"), "", false},
	} {
		if got, ok := r.Path(tt.file); got != tt.want || ok != tt.ok {
			t.Errorf("%s: got %q, %v, want %q, %v", tt.file, got, ok, tt.want, tt.ok)
		}
	}
	if _, ok := (&Runner{}).Path("/x"); ok {
		t.Error("a path without a workspace")
	}
}

func TestFence(t *testing.T) {
	for text, want := range map[string]string{
		"a":         "```text\na\n```\n",
		" ```\nb\n": "````text\n ```\nb\n````\n",
		"`````":     "``````text\n`````\n``````\n",
	} {
		if got := Fence(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

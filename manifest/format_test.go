package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
)

// TestFormatGolden lays out testdata/format/*.in.yaml. The results are files
// beside them, to be read.
func TestFormatGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/format/*.in.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %d files (%v), want at least 5", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			kind := kindByName(file)
			r := layoutOf(ProjectFile, kind, text)
			if r.problems.Err() != nil {
				t.Fatal(r.problems)
			}
			golden := strings.TrimSuffix(file, ".in.yaml") + ".out.yaml"
			if *update {
				if err := os.WriteFile(golden, r.after, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(r.after, want) {
				t.Errorf("got\n%s\nwant\n%s", r.after, want)
			}
			keepsPromises(t, kind, text, r.after)
		})
	}
}

func kindByName(file string) fileKind {
	switch base := filepath.Base(file); {
	case strings.HasPrefix(base, "project"):
		return projectFile
	case strings.HasPrefix(base, "test"):
		return testFile
	}
	return manifestFile
}

// keepsPromises checks what Format promises of a YAML file and its result.
func keepsPromises(t *testing.T, kind fileKind, text, got []byte) {
	t.Helper()
	if again := layoutOf(ProjectFile, kind, got); !bytes.Equal(again.after, got) {
		t.Errorf("not idempotent (%v): the first time\n%s\nthe second time\n%s", again.problems, got, again.after)
	}
	switch kind {
	case testFile:
		before, _, _ := parseTests("f", text)
		after, _, _ := parseTests("f", got)
		unplaced(before)
		unplaced(after)
		if !reflect.DeepEqual(before, after) {
			t.Errorf("the tests\n%+v\nbecame\n%+v", before, after)
		}
	case projectFile:
		before, _, _ := parseProject(text)
		after, _, _ := parseProject(got)
		before.places, after.places = nil, nil
		if a, b := WriteProject(before), WriteProject(after); !bytes.Equal(a, b) {
			t.Errorf("the project\n%s\nbecame\n%s", a, b)
		}
	default:
		before, _, _ := parseSet("f", text)
		after, _, _ := parseSet("f", got)
		if a, b := WriteSet(before), WriteSet(after); !bytes.Equal(a, b) {
			t.Errorf("the set\n%s\nbecame\n%s", a, b)
		}
	}
	if !bytes.HasSuffix(got, []byte("\n")) || bytes.HasSuffix(got, []byte("\n\n")) && !bytes.Contains(got, []byte("+")) || bytes.Contains(got, []byte("\r")) || got[0] == '\n' {
		t.Errorf("bad line ends: %q", got)
	}
}

// unplaced takes the positions out of a test file, so that it can be compared,
// and what else is layout: the order of a mapping's keys stays.
func unplaced(f *TestFile) {
	f.places = testPlaces{}
	uid := func(u *cedar.PlacedUID) { u.Position = diag.Position{} }
	var datum func(d *cedar.Datum)
	datum = func(d *cedar.Datum) {
		d.Position = diag.Position{}
		if d.Kind == cedar.Null {
			d.Text = ""
		}
		for i := range d.Items {
			datum(&d.Items[i])
		}
		for i := range d.Keys {
			d.Keys[i].Position = diag.Position{}
			datum(&d.Keys[i].Value)
		}
	}
	for i := range f.Entities {
		e := &f.Entities[i]
		uid(&e.PlacedUID)
		datum(&e.Attrs)
		datum(&e.Tags)
		for p := range e.Parents {
			uid(&e.Parents[p])
		}
	}
	for i := range f.Cases {
		c := &f.Cases[i]
		c.places, c.Position = casePlaces{}, diag.Position{}
		uid(&c.Principal)
		uid(&c.Action)
		uid(&c.Resource)
		datum(&c.Context)
	}
}

// The writer's layout is the canonical one, so that what import writes needs no
// formatting.
func TestWrittenFilesAreFormatted(t *testing.T) {
	three := 3
	long := []string{"a-target-with-a-long-name", "another-target-with-a-long-name", "a-third-target-with-a-name"}
	for _, text := range [][]byte{
		WriteProject(NewProject()),
		WriteProject(NewProject(Target{Name: "production", ZoneID: "1.10", Pins: "prd", Branch: "main", Active: "a b"}, Target{Name: "local"})),
		WriteProject(&Project{
			Manifests: []string{"a/*.yaml", "b b/*.yaml"}, Schemas: "s/{version}.x", Tests: []string{}, DefaultTarget: "prd",
			Targets: []Target{{Name: "prd", ZoneID: "zone_prd"}}, Gates: Gates{MaxRemovedEntries: &three, Widened: "allow", Uncovered: "refuse"},
		}),
		WriteProject(&Project{Manifests: []string{"first-folder-of-manifests/*.yaml", "second-folder-of-manifests/*.yaml", "third/*.yaml"}, Schemas: "s/{version}.x", DefaultTarget: "local", Gates: Gates{Widened: "approve", Uncovered: "approve"}}),
	} {
		if r := layoutOf(ProjectFile, projectFile, text); !bytes.Equal(r.after, text) {
			t.Errorf("formatting\n%s\ngives\n%s (%v)", text, r.after, r.problems)
		}
	}
	for _, set := range []*Set{
		{Name: "yes", Was: "no: no", SchemaVersion: "2026-03-16", TargetType: "user", Targets: []string{"staging", "production"}, Entries: []Entry{
			{Policy: "a", Was: "b", Source: "policies/a.cedar", Description: "first\nsecond \"quoted\" # no comment"},
			{Policy: "1.10", Version: 3, SHA: strings.Repeat("0a", 32)},
			{PolicyID: "pol_7", VersionID: "0x12"},
		}},
		{Name: "long", SchemaVersion: "1", Targets: long, Entries: []Entry{{Policy: "a", Version: 1}}},
	} {
		text := WriteSet(set)
		if r := layoutOf("f", manifestFile, text); !bytes.Equal(r.after, text) {
			t.Errorf("formatting\n%s\ngives\n%s (%v)", text, r.after, r.problems)
		}
	}
}

func TestFormatProject(t *testing.T) {
	fsys := fstest.MapFS{}
	for name, text := range map[string]string{
		ProjectFile:            "kind: Project\napiVersion: policypin.dev/v1\n",
		"policy-sets/a.yaml":   "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: a\nschema_version: \"x\"\nentries:\n  - policy: p\n    source: policies/p.cedar\n  - policy: gone\n    source: policies/gone.cedar\n",
		"policy-sets/bad.yaml": "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: [\n",
		"policies/p.cedar":     "permit(principal,action,resource);",
		"policies/other.cedar": "permit(",
		"tests/t.yaml":         "kind:   PolicyTest\napiVersion: policypin.dev/v1\ncases:\n  - {expect: deny, principal: A::\"a\", action: Action::\"r\", resource: A::\"b\"}\n",
		"workflow.yaml":        "kind:   Other\n",
		"notes.txt":            "x",
	} {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	list, problems, err := Format(fsys, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range list {
		got = append(got, f.File)
		if want := f.File != "policy-sets/a.yaml"; f.Changed() != want {
			t.Errorf("%s changed: %v, want %v", f.File, f.Changed(), want)
		}
	}
	if want := []string{ProjectFile, "policy-sets/a.yaml", "policies/p.cedar", "tests/t.yaml"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(problems) != 1 || problems[0].File != "policy-sets/bad.yaml" || problems[0].Rule != "yaml-syntax" {
		t.Errorf("got %v, want the syntax error alone", problems)
	}
	list, problems, err = Format(fsys, []string{"policies/other.cedar", "workflow.yaml", "notes.txt", "policies/p.cedar", "tests/t.yaml"})
	if err != nil || len(list) != 2 || list[0].File != "policies/p.cedar" || list[1].File != "tests/t.yaml" || len(problems) != 1 || problems[0].File != "policies/other.cedar" {
		t.Errorf("got %v, %v and %v, want the source and the tests, the other source's problem, and nothing for what is none of ours", list, problems, err)
	}
	if _, _, err := Format(fsys, []string{"policies/none.cedar"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want an error for a file that doesn't exist", err)
	}
}

// Wherever a comment or an empty line stands, the promises hold, and the file
// isn't refused. Seeds are fixed.
func TestFormatKeepsCommentsAnywhere(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	files, err := filepath.Glob("testdata/format/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for round := range 400 {
			commented := []byte(sprinkle(random, string(text), round))
			kind := kindByName(file)
			if readYAML(ProjectFile, kind, commented).problems.Err() != nil {
				continue // a comment in the middle of a value, or behind a |
			}
			tried++
			r := layoutOf(ProjectFile, kind, commented)
			if r.problems.Err() != nil {
				t.Errorf("refused: %v", r.problems)
			} else {
				keepsPromises(t, kind, commented, r.after)
			}
			if t.Failed() {
				t.Fatalf("%s:\n%s", file, commented)
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d texts were valid", tried)
	}
}

// sprinkle writes comments at ends of lines and between lines, with any
// indentation, and empty lines.
func sprinkle(random *rand.Rand, text string, density int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		for random.IntN(500) < density {
			b.WriteString(strings.Repeat(" ", random.IntN(8)) + []string{"\n", "# above\n", "# apart\n\n", "\t# tab \t\r\n"}[random.IntN(4)])
		}
		if random.IntN(500) < density {
			line = strings.TrimRight(line, "\r\n") + []string{" # after\n", "\t#after\r\n"}[random.IntN(2)]
		}
		b.WriteString(line)
	}
	return b.String()
}

// A file of one line is read once, not once for each of its scalars.
func TestFormatOfALongLineTakesNoTime(t *testing.T) {
	var b strings.Builder
	b.WriteString("{apiVersion: policypin.dev/v1, kind: PolicySet, name: a, schema_version: x, entries: [")
	const entries = 40_000
	for i := range entries {
		fmt.Fprintf(&b, "{policy: p%d, version: %d}, ", i, i+1)
	}
	b.WriteString("]} # end\n")
	start := time.Now()
	r := layoutOf("f", manifestFile, []byte(b.String()))
	if r.problems.Err() != nil {
		t.Fatal(r.problems[:1])
	}
	if got := bytes.Count(r.after, []byte("\n")); got != 2*entries+5 {
		t.Errorf("got %d lines, want %d", got, 2*entries+5)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}

// A test file can hold any value: long and deep ones are written once.
func TestFormatOfDeepDataTakesNoTime(t *testing.T) {
	const depth = maxNesting - 10
	long := strings.Repeat("word, ", 20_000)
	text := "apiVersion: policypin.dev/v1\nkind: PolicyTest\ncases:\n  - principal: A::\"a\"\n    action: Action::\"a\"\n    resource: A::\"a\"\n" +
		"    expect: deny\n    context: {a: " + strings.Repeat("[", depth) + long + strings.Repeat("]", depth) + "}\n"
	start := time.Now()
	r := layoutOf("f", testFile, []byte(text))
	if r.problems.Err() != nil || bytes.Count(r.after, []byte("- word\n")) != 20_000 {
		t.Errorf("%d bytes and %v, want one word a line", len(r.after), r.problems)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}

// Indentation makes a file larger. One that could not be read again is left as
// it is, before memory is full.
func TestFormatStopsAtTheLimit(t *testing.T) {
	const depth = maxNesting - 10
	text := "apiVersion: policypin.dev/v1\nkind: PolicyTest\ncases:\n  - principal: A::\"a\"\n    action: Action::\"a\"\n    resource: A::\"a\"\n" +
		"    expect: deny\n    context: {a: " + strings.Repeat("[", depth) + strings.Repeat("a, ", 200_000) + strings.Repeat("]", depth) + "}\n"
	r := layoutOf("f", testFile, []byte(text))
	if r.after != nil || len(r.problems) != 1 || r.problems[0].Rule != "format-unsafe" {
		t.Errorf("got %d bytes and %v, want the file refused", len(r.after), r.problems)
	}
}

// What could not be rewritten without a loss would be left alone: a comment that
// is gone is seen, whatever else moved.
func TestFormatSeesALoss(t *testing.T) {
	const text = "apiVersion: policypin.dev/v1\nkind: PolicySet # a kind\nname: a\nschema_version: x\nentries:\n" +
		"  - policy: p # its name\n    description:\n      |\n      kept # text\n    version: 1\n"
	before := readYAML("f", manifestFile, []byte(text))
	for _, tt := range []struct {
		name, old, new string
		same           bool
	}{
		{"nothing", "", "", true},
		{"a comment moved", "p # its name\n", "p\n    # its name\n", true},
		{"a comment is gone", " # its name", "", false},
		{"a comment became another", "# a kind", "# a kin", false},
		{"a comment became text", "kept # text", "kept # text # its name", true}, // which the content tells
		{"text became a comment", "|\n      kept # text", "kept # text", false},
	} {
		after := readYAML("f", manifestFile, []byte(strings.Replace(text, tt.old, tt.new, 1)))
		if got := sameRemarks(before, after); got != tt.same || after.root == nil {
			t.Errorf("%s: got the same comments %v, want %v", tt.name, got, tt.same)
		}
	}
	if r := layoutOf("f", manifestFile, []byte(text)); !strings.Contains(string(r.after), "description: |\n      kept # text\n") {
		t.Errorf("got %q, %v", r.after, r.problems)
	}
}

// FuzzFormatYAML holds the layout of project files, manifests and tests against its
// promises.
func FuzzFormatYAML(f *testing.F) {
	files, err := filepath.Glob("testdata/format/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	seeds(f, "")
	tests, err := os.ReadFile("../examples/quickstart/tests/agents.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tests)
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, kind := range []fileKind{projectFile, manifestFile, testFile} {
			r := layoutOf(ProjectFile, kind, text)
			if r.after == nil && r.problems.Err() == nil {
				t.Error("no text and no problem")
			}
			if r.after != nil {
				keepsPromises(t, kind, text, r.after)
			}
		}
	})
}

func TestLineEndsOfAFileAreKept(t *testing.T) {
	for _, row := range []struct{ name, before, after, want string }{
		{"LF", "a\nb\n", "a\nb\n", "a\nb\n"},
		{"CRLF", "a\r\n b\r\n", "a\nb\n", "a\r\nb\r\n"},
		{"mixed", "a\r\nb\n", "a\nb\n", "a\nb\n"},
		{"one line", "a", "a\n", "a\n"},
		{"CRLF inside of a text", "a(\"x\r\ny\")\r\n", "a(\"x\r\ny\")\n", "a(\"x\r\ny\")\r\n"},
		{"lone CR", "a\rb\n", "a\rb\n", "a\rb\n"},
	} {
		if got := lineEndsOf([]byte(row.before), []byte(row.after)); string(got) != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

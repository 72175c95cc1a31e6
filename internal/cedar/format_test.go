package cedar

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFormatGolden formats testdata/format/*.in.cedar. The results are files
// beside them, to be read.
func TestFormatGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/format/*.in.cedar")
	if err != nil || len(files) < 8 {
		t.Fatalf("found %d files (%v), want at least 8", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := format(t, string(text))
			golden := strings.TrimSuffix(file, ".in.cedar") + ".out.cedar"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			keepsPromises(t, string(text), got)
		})
	}
}

// TestFormatCorpus holds every source of the other tests against the promises.
func TestFormatCorpus(t *testing.T) {
	for _, file := range corpus(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, problems := ParseSet(file, text); problems.Err() != nil {
			continue
		}
		keepsPromises(t, string(text), format(t, string(text)))
	}
}

// Wherever a comment stands, it is still there afterwards. Seeds are fixed.
func TestFormatKeepsCommentsAnywhere(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	files := corpus(t)
	more, err := filepath.Glob("testdata/format/*.out.cedar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, more...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, problems := ParseSet(file, text); problems.Err() != nil {
			continue
		}
		for round := range 30 {
			commented := sprinkle(random, string(text), round)
			keepsPromises(t, commented, format(t, commented))
			if t.Failed() {
				t.Fatalf("%s:\n%s", file, commented)
			}
		}
	}
}

// sprinkle writes comments, line ends and empty lines between tokens.
func sprinkle(random *rand.Rand, text string, density int) string {
	tokens, _ := source{text: text}.scan(false)
	var b strings.Builder
	at := 0
	for i, t := range tokens {
		b.WriteString(text[at:t.start])
		for random.IntN(30) <= density {
			b.WriteString([]string{
				" // after %d\n", "\n// above %d\n", "\n\n// apart %d\n", "// tight %d \t\r\n", "\n\n\n", "\n// twice %d\n\n// or more\n\n",
			}[random.IntN(6)])
			if random.IntN(2) == 0 {
				break
			}
		}
		b.WriteString(text[t.start:t.end])
		at = tokens[i].end
	}
	return b.String()
}

func TestFormatLeavesProblemsAlone(t *testing.T) {
	for _, text := range []string{"", "// a comment alone\n", "permit(", "permit(principal, action, resource) when { 1 == ; };", "\ufeffpermit(principal, action, resource);"} {
		if got, problems := Format("f", []byte(text)); got != nil || problems.Err() == nil {
			t.Errorf("%q: got %q and problems %v, want none and some", text, got, problems)
		}
	}
}

// The guard that stands between a mistake of ours and somebody's file.
func TestSameTokens(t *testing.T) {
	const text = "permit (principal, action, resource); // a\n// b\n"
	for other, want := range map[string]bool{
		text: true,
		"// b\npermit(principal,action,resource,) // a\n;":    true,
		"permit (principal, action, resource); // a\n":        false,
		"forbid (principal, action, resource); // a\n// b":    false,
		"permit (principal, action); // a\n// b":              false,
		"permit (principal, action, resource); \" // a\n// b": false,
	} {
		if got := sameTokens(source{text: text}, source{text: other}); got != want {
			t.Errorf("%q: got %v, want %v", other, got, want)
		}
	}
}

func format(t *testing.T, text string) string {
	t.Helper()
	got, problems := Format("f", []byte(text))
	if problems.Err() != nil {
		t.Fatalf("%v in\n%s", problems, text)
	}
	return string(got)
}

// keepsPromises checks what Format promises of a text and its result.
func keepsPromises(t *testing.T, text, got string) {
	t.Helper()
	if again := format(t, got); again != got {
		t.Errorf("not idempotent: the first time\n%s\nthe second time\n%s", got, again)
	}
	before, _ := ParseSet("f", []byte(text))
	after, problems := ParseSet("f", []byte(got))
	if len(before) != len(after) {
		t.Fatalf("%d statements became %d (%v):\n%s", len(before), len(after), problems, got)
	}
	for i := range before {
		if before[i].Digest() != after[i].Digest() {
			t.Errorf("the digest of statement %d changed:\n%s", i, got)
		}
	}
	if a, b := commentLines(text), commentLines(got); !slices.Equal(a, b) {
		t.Errorf("comments\n%q\nbecame\n%q", a, b)
	}
	if !strings.HasSuffix(got, "\n") || strings.HasSuffix(got, "\n\n") || strings.HasPrefix(got, "\n") || strings.Contains(got, "\r") {
		t.Errorf("bad line ends: %q", got)
	}
	for line := range strings.Lines(got) {
		if line = strings.TrimSuffix(line, "\n"); strings.TrimRight(line, " \t") != line {
			t.Errorf("line with space at its end: %q", line)
		}
	}
}

// commentLines finds the comments of a text without the scanner that Format
// uses: a line's first // outside of a string, as no string spans lines.
func commentLines(text string) (list []string) {
	for line := range strings.Lines(text) {
		quoted := false
		for i := 0; i < len(line); i++ {
			switch {
			case quoted && line[i] == '\\':
				i++
			case line[i] == '"':
				quoted = !quoted
			case !quoted && strings.HasPrefix(line[i:], "//"):
				list = append(list, strings.TrimRight(line[i:], " \t\r\n"))
				i = len(line)
			}
		}
	}
	slices.Sort(list)
	return list
}

// FuzzFormatCedar holds Format against its promises for any source.
func FuzzFormatCedar(f *testing.F) {
	addCorpus(f)
	inputs, err := filepath.Glob("testdata/format/*.cedar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range inputs {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, parse := ParseSet("f", []byte(text))
		got, problems := Format("f", []byte(text))
		if (got == nil) != (problems.Err() != nil) || problems.Errors() != parse.Errors() {
			t.Fatalf("Format finds %v, ParseSet %v", problems, parse)
		}
		if got != nil {
			keepsPromises(t, text, string(got))
		}
	})
}

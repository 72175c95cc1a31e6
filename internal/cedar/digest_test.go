package cedar

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/jcs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a golden file, or writes it with -update.
func golden(t *testing.T, file string, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(no line)", "(no line)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Errorf("%s:%d\n got %s\nwant %s", file, i+1, a, b)
		}
	}
}

// mustParse parses a source that has no errors.
func mustParse(t testing.TB, text string) *Policy {
	t.Helper()
	p, problems := Parse("a.cedar", []byte(text))
	if len(problems) > 0 {
		t.Fatalf("%s\nin %s", problems.Error(), text)
	}
	return p
}

func corpus(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/digests/*.cedar")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	return files
}

// A digest is recorded in pins for ever. If this fails after an upgrade of a
// library, the encoding has to be kept as it was; if it must change, the digest
// format gets a new number.
func TestDigestsStayAsTheyAre(t *testing.T) {
	var got strings.Builder
	fmt.Fprintf(&got, "format %d\n", DigestFormat)
	for _, file := range corpus(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := mustParse(t, string(text))
		fmt.Fprintf(&got, "%s %s\n  %s\n", p.Digest(), filepath.Base(file), p.JSON())
	}
	golden(t, "testdata/digests/golden.txt", got.String())
}

func TestJSONIsCanonical(t *testing.T) {
	for _, file := range corpus(t) {
		text, _ := os.ReadFile(file)
		p := mustParse(t, string(text))
		again, err := jcs.Canonicalize(p.JSON())
		if err != nil || !bytes.Equal(again, p.JSON()) {
			t.Errorf("%s: %v\n got %s\nwant %s", file, err, p.JSON(), again)
		}
	}
}

// rewrite returns the text with its tokens apart, each on a line with a comment.
func rewrite(t testing.TB, text, lineEnd string) string {
	src := source{text: text}
	tokens, bad := src.scan(false)
	if bad != nil {
		t.Fatal(bad.message)
	}
	var b strings.Builder
	b.WriteString("// head" + lineEnd)
	for _, tok := range tokens {
		b.WriteString(" \t" + text[tok.start:tok.end] + " // \"('x" + lineEnd)
	}
	return b.String()
}

func TestCommentsAndLayoutDontMoveTheDigest(t *testing.T) {
	for _, file := range corpus(t) {
		text, _ := os.ReadFile(file)
		p := mustParse(t, string(text))
		for _, lineEnd := range []string{"\n", "\r\n"} {
			other := rewrite(t, string(text), lineEnd)
			if got := mustParse(t, other).Digest(); got != p.Digest() {
				t.Errorf("%s: got %s want %s for\n%s", file, got.Short(), p.Digest().Short(), other)
			}
		}
	}
}

func TestEachCorpusSourceHasItsOwnDigest(t *testing.T) {
	same := map[string]string{ // on purpose
		"scope-trailing-comma": "scope-all", "has-path-written-out": "has-path",
		"precedence-parenthesized": "precedence",
	}
	seen := map[jcs.Digest]string{}
	for _, file := range corpus(t) {
		text, _ := os.ReadFile(file)
		name := strings.TrimSuffix(filepath.Base(file), ".cedar")
		digest := mustParse(t, string(text)).Digest()
		if other, ok := seen[digest]; ok && same[name] != other && same[other] != name {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[digest] = name
	}
}

func TestWhatTheDigestTellsApart(t *testing.T) {
	const head = "permit(principal, action, resource)"
	tests := []struct {
		name, a, b string
		same       bool
	}{
		{"integers beyond 2^53 don't become one", head + "when { context.n == 9007199254740993 };", head + "when { context.n == 9007199254740992 };", false},
		{"an integer isn't its own encoding", head + "when { context.n == 9007199254740993 };", head + `when { context.n == {__long: "9007199254740993"} };`, false},
		{"nor is a string", head + "when { context.n == 9007199254740993 };", head + `when { context.n == "9007199254740993" };`, false},
		{"annotations count", "@id(\"a\")" + head + ";", "@id(\"b\")" + head + ";", false},
		{"the order of annotations doesn't", "@a(\"1\")@b(\"2\")" + head + ";", "@b(\"2\")@a(\"1\")" + head + ";", true},
		{"an annotation without a value is empty", "@a " + head + ";", "@a(\"\")" + head + ";", true},
		{"the order of a record's members doesn't count", head + "when { {a: 1, b: 2} == context };", head + "when { {b: 2, a: 1} == context };", true},
		{"the order of a set's members does", head + "when { [1, 2] == context.a };", head + "when { [2, 1] == context.a };", false},
		{"redundant parentheses don't", head + "when { ((context.a) && (context.b)) };", head + "when { context.a && context.b };", true},
		{"needed ones do", head + "when { context.a && (context.b && context.c) };", head + "when { context.a && context.b && context.c };", false},
		{"escapes don't", head + `when { context.a == "\u{41}\x42" };`, head + `when { context.a == "AB" };`, true},
		{"an escaped star in a pattern does", head + `when { context.a like "\*" };`, head + `when { context.a like "*" };`, false},
		{"attributes in quotes are attributes", head + `when { context["a"] };`, head + `when { context.a };`, true},
		{"when isn't unless", head + "when { context.a };", head + "unless { context.a };", false},
		{"a minus before a number belongs to it", head + "when { -5 == context.a };", head + "when { -(5) == context.a };", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := mustParse(t, tt.a), mustParse(t, tt.b)
			if same := a.Digest() == b.Digest(); same != tt.same {
				t.Errorf("same digest: got %v want %v\n%s\n%s", same, tt.same, a.JSON(), b.JSON())
			}
		})
	}
}

func TestPolicyTellsAboutItself(t *testing.T) {
	const text = "// é\r\n  @note(\"n\") @id(\"finance-read\")\r\nforbid (principal, action, resource);"
	p := mustParse(t, text)
	if p.ID() != "finance-read" || p.Effect() != "forbid" || p.Text() != text || p.Position().String() != "a.cedar:2:3" {
		t.Errorf("got %q %q %q %s", p.ID(), p.Effect(), p.Text(), p.Position())
	}
	q := mustParse(t, "permit(principal,action,resource);")
	if q.ID() != "" || q.Effect() != "permit" {
		t.Errorf("got %q %q", q.ID(), q.Effect())
	}
}

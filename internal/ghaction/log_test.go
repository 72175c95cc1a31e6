package ghaction

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/policypin/policypin/diag"
)

func TestTextIsNeverACommand(t *testing.T) {
	var out bytes.Buffer
	l := NewLog(&out, &out)
	fmt.Fprintf(l, "::error::one\n##[add-mask]two")
	l.Command("notice", map[string]string{"title": "a:b,c\n", "file": ""}, "100%\n::error::x\r")
	fmt.Fprintf(l, "::set-env name=PATH::/evil\n")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^::stop-commands::([0-9a-f]{32})
::error::one
##\[add-mask\]two
::([0-9a-f]{32})::
::notice title=a%3Ab%2Cc%0A::100%25%0A::error::x%0D
::stop-commands::([0-9a-f]{32})
::set-env name=PATH::/evil
::([0-9a-f]{32})::
$`)
	m := want.FindStringSubmatch(out.String())
	if m == nil {
		t.Fatalf("got %s", out.String())
	}
	if m[1] != m[2] || m[3] != m[4] || m[1] == m[3] {
		t.Errorf("got words %q", m[1:])
	}
}

func TestMask(t *testing.T) {
	var out, raw bytes.Buffer
	l := NewLog(&out, &raw)
	l.Mask("line-one\r\nline%two\n\nxyz\n")
	l.Mask("")
	if got, want := raw.String(), "::add-mask::line-one\n::add-mask::line%25two\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if out.Len() != 0 {
		t.Errorf("the filtered stream has %q", out.String())
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestBrokenLogDoesNotPanic(t *testing.T) {
	l := NewLog(broken{}, broken{})
	l.Command("error", nil, "x")
	l.Mask("secret")
	if _, err := l.Write([]byte("x")); err == nil {
		t.Error("Write returned no error")
	}
	if err := l.Close(); err == nil {
		t.Error("Close returned no error")
	}
}

func TestAnnotationsAreRankedAndCapped(t *testing.T) {
	tests := []struct {
		errors, warnings int
		want, left       int
	}{
		{0, 0, 0, 0}, {10, 10, 20, 0}, {11, 0, 10, 2}, {11, 11, 20, 4}, {500, 3, 13, 491},
	}
	for _, tt := range tests {
		var all []Annotation
		for i := range tt.warnings {
			all = append(all, Annotation{Level: Warning, Message: fmt.Sprint("w", i)})
		}
		for i := range tt.errors {
			all = append(all, Annotation{Level: Error, Rank: 1, Message: fmt.Sprint("e", i)})
		}
		if tt.errors > 0 {
			all[len(all)-1].Rank = 0
		}
		var out bytes.Buffer
		left := NewLog(&out, &out).Annotate(all)
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if out.Len() == 0 {
			lines = nil
		}
		if len(lines) != tt.want || left != tt.left {
			t.Errorf("%d errors, %d warnings: got %d lines and %d left, want %d and %d\n%s", tt.errors, tt.warnings, len(lines), left, tt.want, tt.left, out.String())
		}
		if tt.errors > 10 {
			if want := fmt.Sprint("::error::e", tt.errors-1); lines[0] != want {
				t.Errorf("got first %q, want %q", lines[0], want)
			}
			if want := fmt.Sprintf("::error title=policypin::%d more in the summary", tt.errors-9); lines[9] != want {
				t.Errorf("got last %q, want %q", lines[9], want)
			}
		}
	}
}

func TestAnnotationPlaces(t *testing.T) {
	tests := []struct {
		name string
		a    Annotation
		want string
	}{
		{"a place", AboutProblem(diag.Problem{Position: diag.Position{Line: 3, Column: 7}, Rule: "bad-name", Message: "no", Fix: "do"}, "sub/a,b.yaml"),
			"::error col=7,file=sub/a%2Cb.yaml,line=3,title=policypin bad-name::no (do)\n"},
		{"a warning for a file", AboutProblem(diag.Problem{Severity: diag.Warning, Rule: "r", Message: "m"}, "f"), "::warning file=f,title=policypin r::m\n"},
		{"a line without a file is none", Annotation{Line: 3, Column: 1, Message: "m"}, "::error::m\n"},
		{"a column without a line is none", Annotation{File: "f", Column: 1, Message: "m"}, "::error file=f::m\n"},
		{"no message", Annotation{Level: Notice, Title: "t"}, "::notice title=t::t\n"},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		NewLog(&out, &out).Annotate([]Annotation{tt.a})
		if out.String() != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, out.String(), tt.want)
		}
	}
	var out bytes.Buffer
	NewLog(&out, &out).Annotate([]Annotation{{Message: strings.Repeat("ä", 5000)}})
	if got := len([]rune(out.String())); got != len("::error::\n")+maxMessage {
		t.Errorf("a message of 5000 characters has %d, want it cut", got)
	}
}

package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

// A junitRule says what an element may hold: what the schemas of Jenkins
// (junit-10.xsd) and of Maven Surefire (surefire-test-report.xsd) both allow and
// what either requires.
type junitRule struct {
	required, optional []string // attributes
	children           []string
	text               bool
}

var junitRules = map[string]junitRule{
	"testsuites": {nil, []string{"name", "time", "tests", "failures", "errors"}, []string{"testsuite"}, false},
	"testsuite":  {[]string{"name", "tests", "failures", "errors", "skipped"}, []string{"time"}, []string{"testcase"}, false},
	"testcase":   {[]string{"name", "classname"}, []string{"time"}, []string{"skipped", "failure", "system-out"}, false},
	"failure":    {nil, []string{"message", "type"}, nil, true},
	"skipped":    {nil, nil, nil, true},
	"system-out": {nil, nil, nil, true},
}

var secondsPattern = regexp.MustCompile(`^[0-9]+\.[0-9]{3}$`)

// validJUnit holds a document to junitRules and its numbers to its cases.
func validJUnit(t *testing.T, doc string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(doc))
	var stack []string
	count := map[string]int{}
	claimed := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in:\n%s", err, doc)
		}
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			rule, known := junitRules[name]
			if parent := stack; len(parent) == 0 && name != "testsuites" || len(parent) > 0 && !slices.Contains(junitRules[parent[len(parent)-1]].children, name) || !known {
				t.Fatalf("<%s> is within %v", name, parent)
			}
			have := map[string]string{}
			for _, a := range token.Attr {
				have[a.Name.Local] = a.Value
				if !slices.Contains(append(slices.Clone(rule.required), rule.optional...), a.Name.Local) {
					t.Errorf("<%s> has the attribute %s", name, a.Name.Local)
				}
			}
			for _, a := range rule.required {
				if _, ok := have[a]; !ok {
					t.Errorf("<%s> lacks the attribute %s", name, a)
				}
			}
			if s, ok := have["time"]; ok && !secondsPattern.MatchString(s) {
				t.Errorf("<%s> has the time %q", name, s)
			}
			count[name]++
			if name == "testsuites" {
				for _, a := range []string{"tests", "failures"} {
					n, err := strconv.Atoi(have[a])
					if err != nil {
						t.Error(err)
					}
					claimed[a] = n
				}
			}
			stack = append(stack, name)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if s := strings.TrimSpace(string(token)); s != "" && !junitRules[stack[len(stack)-1]].text {
				t.Errorf("<%s> has the text %q", stack[len(stack)-1], s)
			}
			for _, r := range string(token) {
				if r != '\n' && r != '\t' && hazardous(r, 0) {
					t.Errorf("the text has the character %U", r)
				}
			}
		}
	}
	if claimed["tests"] != count["testcase"] || claimed["failures"] != count["failure"] {
		t.Errorf("it claims %v and has %v", claimed, count)
	}
}

func TestSuitesAsJUnit(t *testing.T) {
	var b strings.Builder
	err := JUnit(&b, "policypin",
		Suite{Name: "tests/agents.yaml", Cases: []Case{
			{Class: "agents", Name: "finance reads", Time: 1500 * time.Microsecond},
			{Class: "agents", Name: "strangers <don't> & never", Failure: "got allow, want deny", Details: "decided by finance-read\n]]> <x>\n", Time: time.Second},
			{Class: "agents", Name: "later", Skipped: "the schema is not committed"},
			{Class: "agents", Name: evil, Output: evil + "\ufffe"},
		}},
		Suite{Name: "empty"})
	if err != nil {
		t.Fatal(err)
	}
	validJUnit(t, b.String())
	golden(t, "testdata/suites.xml", b.String())
}

func TestProblemsAsJUnit(t *testing.T) {
	tree := &manifest.Tree{
		Sets:    []*manifest.Set{{File: "policy-sets/agents.yaml"}},
		Sources: map[string]*cedar.Policy{"policies/a b.cedar": nil, "policies/fine.cedar": nil},
	}
	var b strings.Builder
	if err := ProblemsJUnit(&b, tree, problems, "teams/a"); err != nil {
		t.Fatal(err)
	}
	validJUnit(t, b.String())
	golden(t, "testdata/problems.xml", b.String())
	for seed := range uint64(100) {
		g := generator{rand.New(rand.NewPCG(seed, 5))}
		b.Reset()
		if err := ProblemsJUnit(&b, nil, g.problems(10), g.text()); err != nil {
			t.Fatal(err)
		}
		validJUnit(t, b.String())
	}
}

func TestAnnotations(t *testing.T) {
	var b strings.Builder
	list := slices.Clone(problems)
	list[0].File = "a,b:c%.cedar"
	list[0].Message = "100% wrong ::error::x ##[add-mask]y"
	if err := GitHub(&b, list, "."); err != nil {
		t.Fatal(err)
	}
	want := `::error file=a%2Cb%3Ac%25.cedar,line=3,col=14,title=policypin cedar-syntax::100%25 wrong ::error::x # #[add-mask]y (remove it)
::error file=policypin.yaml,line=7,title=policypin unknown-key::unknown key "[x](http://evil.example)"
::error file=policypin.yaml,line=9,col=1,title=policypin a rule/of tomorrow::n\x1b[2J\u202e\nerror: faked
::warning file=policies/é#1.cedar,title=policypin unused-source::no policy set names this source
`
	if b.String() != want {
		t.Errorf("got:\n%swant:\n%s", b.String(), want)
	}
	for seed := range uint64(100) {
		g := generator{rand.New(rand.NewPCG(seed, 9))}
		list := g.problems(10)
		b.Reset()
		if err := GitHub(&b, list, g.text()); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if !strings.HasPrefix(line, "::error ") && !strings.HasPrefix(line, "::warning ") || strings.Contains(line, "##[") {
				t.Fatalf("seed %d: %q", seed, line)
			}
		}
	}
	for _, n := range []int{10, 11, 30} {
		b.Reset()
		if err := GitHub(&b, slices.Repeat(problems[:1], n), "."); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		more := fmt.Sprintf("::error title=policypin::%d more are in the log", n-9)
		if got := slices.Index(lines, more); n <= 10 && got != -1 || n > 10 && (got != 9 || len(lines) != n+1) {
			t.Errorf("%d problems: %d lines, and %q is line %d", n, len(lines), more, got)
		}
	}
}

package report

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/policytest"
)

// results are one case of each outcome, and one that passed.
func results() policytest.Report {
	result := func(line int, name, status string, certain bool, messages ...string) policytest.Result {
		return policytest.Result{
			Case: name, File: "tests/a.yaml", Line: line, Column: 5, Set: "agents", Status: status, Certain: certain, Messages: messages,
			Got: policytest.Got{Decision: "deny", Errors: []cedar.EvaluationError{}},
		}
	}
	return policytest.Report{
		Schema: 1, Passed: 1, Failed: 2, Skipped: 1,
		Sets: []policytest.SetReport{
			{Set: "agents", Cases: 4, Unread: []string{"p1", "p2", "p3", "p4"}, Uncertain: 2, Coverage: []policytest.Coverage{
				{Policy: "read", Source: "policies/read.cedar", Read: true, Allowed: 3},
				{Policy: "no-writes", Source: "policies/no-writes.cedar", Read: true},
				{Policy: "p1"},
			}},
			{Set: "other"},
		},
		Cases: []policytest.Result{
			result(3, "fine", policytest.Passed, true),
			result(8, "wrong", policytest.Failed, true, "expected allow, got deny", "p couldn't be evaluated: because"),
			result(13, "wrong so far", policytest.Failed, false, "expected allow, got deny"),
			result(18, "unknown", policytest.Skipped, false, "it rests on p1"),
		},
	}
}

func TestTestText(t *testing.T) {
	var b strings.Builder
	if err := TestText(&b, Style{}, results(), true); err != nil {
		t.Fatal(err)
	}
	want := `FAIL tests/a.yaml:8:5: wrong [agents]
     expected allow, got deny
     p couldn't be evaluated: because
FAIL tests/a.yaml:13:5: wrong so far [agents]
     expected allow, got deny
     policies that weren't read could change this
SKIP tests/a.yaml:18:5: unknown [agents]
     it rests on p1

agents: 1 of 3 policies determine a decision
POLICY     ALLOWED  DENIED  SOURCE
read       3        -       policies/read.cedar
no-writes  -        -       policies/no-writes.cedar
p1         -        -       not read

other: 0 of 0 policies determine a decision
POLICY  ALLOWED  DENIED  SOURCE
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
	if got, want := TestCount(results()), "1 of 4 cases passed, 2 failed, 1 skipped"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	notes := TestNotes(results())
	const note = "policy set agents has 4 policies without a source in the repository: p1, p2, p3 and 1 more; 2 results could change with them"
	if len(notes) != 1 || notes[0] != note {
		t.Errorf("got %q, want %q", notes, note)
	}
}

func TestTestCount(t *testing.T) {
	for _, tt := range []struct {
		passed int
		want   string
	}{{0, "no test cases"}, {1, "1 case passed"}, {12, "12 cases passed"}} {
		if got := TestCount(policytest.Report{Passed: tt.passed, Cases: make([]policytest.Result, tt.passed)}); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestTestJUnit(t *testing.T) {
	var b strings.Builder
	if err := TestJUnit(&b, results(), "zone"); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Class   string `xml:"classname,attr"`
				Name    string `xml:"name,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
					Text    string `xml:",chardata"`
				} `xml:"failure"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(b.String()), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Tests != 4 || doc.Failures != 2 || len(doc.Suites) != 1 || doc.Suites[0].Name != "agents" {
		t.Fatalf("got %+v", doc)
	}
	cases := doc.Suites[0].Cases
	if c := cases[0]; c.Class != "zone/tests/a.yaml" || c.Name != "fine" || c.Failure != nil || c.Skipped != nil {
		t.Errorf("got %+v", c)
	}
	if f := cases[1].Failure; f == nil || f.Message != "expected allow, got deny; p couldn't be evaluated: because" || !strings.HasPrefix(f.Text, "zone/tests/a.yaml:8:5\n") {
		t.Errorf("got %+v", f)
	}
	if cases[3].Skipped == nil {
		t.Error("the last case isn't skipped")
	}
}

func TestTestGitHub(t *testing.T) {
	var b strings.Builder
	if err := TestGitHub(&b, results(), "zone"); err != nil {
		t.Fatal(err)
	}
	want := `::error file=zone/tests/a.yaml,line=8,col=5,title=policypin test-failed::wrong [agents]: expected allow, got deny; p couldn't be evaluated: because
::error file=zone/tests/a.yaml,line=13,col=5,title=policypin test-failed::wrong so far [agents]: expected allow, got deny
::warning file=zone/tests/a.yaml,line=18,col=5,title=policypin test-skipped::unknown [agents]: it rests on p1
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

// Names of cases come from pull requests.
func TestTestsOfHostileNames(t *testing.T) {
	r := policytest.Report{
		Sets:  []policytest.SetReport{{Set: evil, Cases: 1, Unread: []string{evil}, Coverage: []policytest.Coverage{{Policy: evil, Source: evil, Read: true}}}},
		Cases: []policytest.Result{{Case: evil, File: evil, Set: evil, Status: policytest.Failed, Messages: []string{evil}}},
	}
	var b strings.Builder
	for _, err := range []error{TestText(&b, Style{}, r, true), TestJUnit(&b, r, "."), TestGitHub(&b, r, ".")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b.WriteString(strings.Join(TestNotes(r), "\n"))
	if strings.ContainsAny(b.String(), "\x1b\u202e") || strings.Contains(b.String(), "\nerror: faked") {
		t.Errorf("got %q", b.String())
	}
}

package report

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/impact"
	"github.com/policypin/policypin/internal/policytest"
	"github.com/policypin/policypin/manifest"
)

// requestJSON is a request whose ids are a text.
func requestJSON(text string) json.RawMessage {
	uid := func(kind string) map[string]any {
		return map[string]any{"__entity": map[string]string{"type": kind, "id": text}}
	}
	raw, err := json.Marshal(map[string]any{
		"principal": uid("User"), "action": uid("Action"), "resource": uid(text), "context": map[string]any{text: text},
	})
	if err != nil {
		panic(err)
	}
	return raw
}

func entitiesJSON(texts ...string) json.RawMessage {
	list := []any{}
	for _, text := range texts {
		list = append(list, map[string]any{"uid": map[string]string{"type": "User", "id": text}, "attrs": map[string]any{text: []string{text}}})
	}
	raw, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return raw
}

func (g generator) refs(most int) (list []impact.Ref) {
	for range g.IntN(1 + most) {
		list = append(list, impact.Ref{
			Policy: g.text(), From: g.IntN(2) == 0, Effect: "permit", Position: diag.Position{File: g.text(), Line: g.IntN(9)},
		})
	}
	return list
}

func (g generator) texts(most int) (list []string) {
	for range g.IntN(1 + most) {
		list = append(list, g.text())
	}
	return list
}

func (g generator) verdict() impact.Verdict {
	v := impact.Verdict{Allow: g.IntN(2) == 0, Determining: g.refs(10)}
	for range g.IntN(6) {
		v.Errors = append(v.Errors, cedar.EvaluationError{Policy: g.text(), Message: g.text()})
	}
	return v
}

func (g generator) impact(findings int) *impact.Report {
	r := &impact.Report{}
	kinds := []impact.Kind{impact.Widened, impact.Narrowed, impact.ErrorChanged, impact.Kind(g.text())}
	for range g.IntN(4) {
		s := impact.SetReport{Set: g.text(), Kind: g.kind(), Requests: g.IntN(500)}
		for range g.IntN(1 + findings) {
			f := impact.Finding{Kind: kinds[g.IntN(4)], Cause: g.refs(8), Count: g.IntN(500), Given: g.IntN(2), Common: g.texts(9), Actions: g.texts(8), Principals: g.texts(3), Resources: g.texts(3)}
			for range g.IntN(4) {
				e := impact.Example{Text: g.text(), Request: requestJSON(g.text()), Entities: entitiesJSON(g.text(), g.text()), Facts: g.texts(9), From: g.verdict(), To: g.verdict()}
				if g.IntN(2) == 0 {
					e.At = diag.Position{File: g.text(), Line: 3}
				}
				switch g.IntN(20) {
				case 0:
					e.Request, e.Entities = json.RawMessage(g.text()), json.RawMessage(g.text()) // nothing of ours
				case 1:
					e.Entities = entitiesJSON(strings.Repeat(g.text(), 2000))
				}
				f.Examples = append(f.Examples, e)
			}
			s.Findings = append(s.Findings, f)
		}
		for range g.IntN(20) {
			at := diag.Position{File: g.text(), Line: g.IntN(3)}
			s.Failing = append(s.Failing, impact.Failing{Ref: impact.Ref{Policy: g.text(), From: g.IntN(2) == 0, Position: at}, Count: g.IntN(3), Message: g.text(), Text: g.text()})
			s.Skipped = append(s.Skipped, impact.Skipped{Position: at, Reason: g.text(), Count: g.IntN(3)})
		}
		for range g.IntN(60) {
			s.Uncovered = append(s.Uncovered, impact.Uncovered{Position: diag.Position{File: g.text(), Line: g.IntN(3)}, Reason: g.text()})
		}
		r.Sets = append(r.Sets, s)
	}
	return r
}

func (g generator) tests(cases int) *policytest.Report {
	r := &policytest.Report{}
	for range g.IntN(3) {
		r.Sets = append(r.Sets, policytest.SetReport{Set: g.text(), Cases: 1, Unread: []string{g.text()}})
	}
	for range g.IntN(1 + cases) {
		c := policytest.Result{Case: g.text(), File: g.text(), Line: g.IntN(9), Set: g.text(), Status: policytest.Passed}
		for range g.IntN(6) {
			c.Messages = append(c.Messages, g.text())
		}
		switch g.IntN(3) {
		case 0:
			c.Status = policytest.Failed
			r.Failed++
		case 1:
			c.Status = policytest.Skipped
			r.Skipped++
		default:
			r.Passed++
		}
		r.Cases = append(r.Cases, c)
	}
	return r
}

// impactOf is one finding of each kind that has a text everywhere.
func impactOf(text string) *impact.Report {
	ref := []impact.Ref{{Policy: text, Position: diag.Position{File: text, Line: 1}}}
	verdict := impact.Verdict{Determining: append(ref, impact.Ref{Policy: text}), Errors: []cedar.EvaluationError{{Policy: text, Message: text}}}
	s := impact.SetReport{Set: text, Requests: 3, Uncovered: []impact.Uncovered{{Position: diag.Position{File: text}, Reason: text}}}
	s.Failing = []impact.Failing{{Ref: ref[0], Count: 1, Message: text, Text: text}}
	s.Skipped = []impact.Skipped{{Position: ref[0].Position, Reason: text, Count: 1}}
	for _, kind := range []impact.Kind{impact.Widened, impact.Narrowed, impact.Kind(text)} {
		s.Findings = append(s.Findings, impact.Finding{Kind: kind, Cause: ref, Count: 1, Common: []string{text}, Actions: []string{text}, Principals: []string{text}, Resources: []string{text}, Examples: []impact.Example{
			{Text: text, At: ref[0].Position, Facts: []string{text, text}, Request: requestJSON(text), Entities: entitiesJSON(text), From: verdict, To: verdict},
			{Text: text, Request: json.RawMessage(text), Entities: json.RawMessage(text), From: verdict, To: verdict},
		}})
	}
	return &impact.Report{Sets: []impact.SetReport{s}}
}

func testsOf(text string) *policytest.Report {
	return &policytest.Report{
		Failed: 1, Sets: []policytest.SetReport{{Set: text, Cases: 1, Unread: []string{text}}, {}},
		Cases: []policytest.Result{{Case: text, File: text, Set: text, Status: policytest.Failed, Messages: []string{text, text}}},
	}
}

// Ten thousand findings, and a witness of many megabytes: the page says first what
// widens access, and how much of it is left out.
func TestImpactOfManyFindings(t *testing.T) {
	for _, budget := range []int{MinBudget, CommentBudget, SummaryBudget} {
		g := generator{rand.New(rand.NewPCG(5, uint64(budget)))}
		c := g.comment(3)
		c.NoImpact, c.Problems, c.Impact = "", nil, impactOf("x")
		s := &c.Impact.Sets[0]
		for i := range 10_000 {
			kind := impact.Widened
			if i%4 == 0 {
				kind = impact.Narrowed
			}
			f := impact.Finding{Kind: kind, Cause: g.refs(4), Count: 1 + i}
			for range 3 {
				text := g.text()
				f.Examples = append(f.Examples, impact.Example{Text: text, Request: requestJSON(text), Entities: entitiesJSON(text)})
			}
			if i == 2 {
				f.Examples[0].Entities = entitiesJSON(strings.Repeat("huge ", 1<<20))
			}
			s.Findings = append(s.Findings, f)
		}
		page := render(t, c, budget)
		if !harmless(t, page, budget) {
			t.Fatalf("budget %d", budget)
		}
		widened, other := strings.Index(page, "#### Widened access\n"), strings.Index(page, "#### Other changes of decisions\n")
		if widened < 0 || other < widened || strings.Count(page[:widened], "\n\n") != 1 {
			t.Errorf("budget %d: widened access isn't what the page begins with:\n%.1000s", budget, page)
		}
		left := 0
		if _, err := fmt.Sscanf(page[strings.Index(page, "\n… "):], "\n… %d more findings are left out.", &left); err != nil {
			t.Errorf("budget %d: nothing says what is left out: %v", budget, err)
		}
		if shown := strings.Count(page[widened:other], "Widened by "); shown+left != 7501 {
			t.Errorf("budget %d: %d findings are shown and %d left out, want 7501", budget, shown, left)
		}
	}
}

// Witnesses are the first to go, what widens access is among the last.
func TestImpactIsCutByImportance(t *testing.T) {
	c := sample()
	c.Tool = "v0.4.0"
	for i := range 400 {
		c.Diff.Sets[0].Entries = append(c.Diff.Sets[0].Entries, manifest.EntryDiff{Policy: fmt.Sprint("policy-", i), Kind: manifest.Added, ToText: "permit (principal, action, resource);\n"})
	}
	page := render(t, c, MinBudget)
	for _, want := range []string{"widens access", "#### Widened access", "more requests as JSON are left out", "more entries are left out", "more Cedar diffs are left out"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in:\n%s", want, page)
		}
	}
	if strings.Contains(page, "```json") {
		t.Errorf("the witnesses stay, and entries are left out:\n%s", page)
	}
}

func TestEffect(t *testing.T) {
	of := func(uncovered int, counts ...int) []impact.SetReport {
		s := impact.SetReport{Set: "a", Requests: 168, Uncovered: make([]impact.Uncovered, uncovered)}
		for i, kind := range []impact.Kind{impact.Widened, impact.Narrowed, impact.ErrorChanged} {
			if i < len(counts) && counts[i] > 0 {
				s.Findings = append(s.Findings, impact.Finding{Kind: kind, Count: counts[i]})
			}
		}
		return []impact.SetReport{s}
	}
	tests := []struct {
		name string
		sets []impact.SetReport
		want string
	}{
		{"widened", of(0, 20), "widens access (20 of 168 requests tried)"},
		{"widened, and more could be", of(2, 20), "widens access (20 of 168 requests tried)"},
		{"both", of(0, 20, 3, 1), "widens access (20 of 168 requests tried) and narrows it (3)"},
		{"narrowed", of(0, 0, 3), "narrows access (3 of 168 requests tried)"},
		{"narrowed, as far as one can say", of(1, 0, 3), "narrows access (3 of 168 requests tried), may widen access"},
		{"errors", of(0, 0, 0, 1), "changes where policies fail (1 of 168 requests tried)"},
		{"nothing", of(0), "changes no decision"},
		{"nothing found", of(1), "no change of decisions found (168 requests tried), may widen access"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := effect(tt.sets); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A page never keeps silent about decisions that weren't compared, nor about what
// the comparison doesn't cover.
func TestImpactThatIsNotKnown(t *testing.T) {
	c := sample()
	c.Impact, c.NoImpact = nil, "the files of the base have errors; the first is at a.yaml:1"
	page := render(t, c, CommentBudget)
	if !strings.Contains(page, " · decisions not compared") || !strings.Contains(page, "Which decisions change isn't known: the files of the base have errors; the first is at `a.yaml:1`.") {
		t.Errorf("got:\n%s", page)
	}
	c.Impact, c.NoImpact = &impact.Report{Sets: []impact.SetReport{{Set: "agents", Requests: 7}}}, ""
	for i := range 30 {
		c.Impact.Sets[0].Uncovered = append(c.Impact.Sets[0].Uncovered, impact.Uncovered{Position: diag.Position{File: "p.cedar", Line: i + 1, Column: 3}, Reason: "a pattern with several wildcards"})
	}
	page = render(t, c, CommentBudget)
	for _, want := range []string{"may widen access", "#### Not complete\n\nNo change of decisions was found", "- `p.cedar:20:3` a pattern", "… 10 more reasons are left out."} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in:\n%s", want, page)
		}
	}
	if full := render(t, c, SummaryBudget); !strings.Contains(full, "`p.cedar:30:3`") {
		t.Error("the full report lacks a reason")
	}
}

// A witness stays JSON, whatever its names are.
func TestWitnessIsJSON(t *testing.T) {
	for _, text := range append(hostile, "\U000e0041", "\x7f") {
		var got struct {
			Request struct {
				Principal struct {
					Entity struct{ ID string } `json:"__entity"`
				}
			}
			Entities []struct{ UID struct{ ID string } }
		}
		out := witnessJSON(impact.Example{Request: requestJSON(text), Entities: entitiesJSON(text)})
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%q: %v in %s", text, err, out)
		}
		want := strings.ToValidUTF8(text, "\ufffd")
		if got.Request.Principal.Entity.ID != want || len(got.Entities) != 1 || got.Entities[0].UID.ID != want {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

// Failures of decision tests stand in the page, folded where they are many.
func TestMarkdownOfTests(t *testing.T) {
	c := Comment{Diff: &manifest.Diff{}, Tests: &policytest.Report{
		Passed: 12, Failed: 1, Sets: []policytest.SetReport{{Set: "agents", Cases: 13}},
		Cases: []policytest.Result{{
			Case: "finance writes", File: "tests/agents.yaml", Line: 12, Set: "agents", Status: policytest.Failed,
			Messages: []string{"expected allow, got deny: no policy permits it"},
		}},
	}}
	for range 12 {
		c.Tests.Cases = append(c.Tests.Cases, policytest.Result{Status: policytest.Passed})
	}
	page := render(t, c, CommentBudget)
	for _, want := range []string{
		"### No policy changes · 1 of 13 decision tests fails\n", "#### Decision tests: 12 passed, 1 failed\n\n",
		"- **failed** `tests/agents.yaml:12` `finance writes`: expected allow, got deny: no policy permits it\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in:\n%s", want, page)
		}
	}
	if c.Empty() {
		t.Error("a failed test is nothing to say")
	}
	for range 9 {
		c.Tests.Cases = append(c.Tests.Cases, c.Tests.Cases[0])
	}
	c.Tests.Failed = 10
	if page = render(t, c, CommentBudget); !strings.Contains(page, "<details><summary>10 cases that did not pass</summary>") || !harmless(t, page, CommentBudget) {
		t.Errorf("got:\n%s", page)
	}
	c.Tests = &policytest.Report{Passed: 3, Cases: c.Tests.Cases[1:4]}
	if page = render(t, c, CommentBudget); !strings.Contains(page, "\n\nDecision tests: 3 passed.\n\n") || !c.Empty() {
		t.Errorf("got:\n%s", page)
	}
	c.Tests = &policytest.Report{}
	if page = render(t, c, CommentBudget); strings.Contains(page, "tests") {
		t.Errorf("got:\n%s", page)
	}
}

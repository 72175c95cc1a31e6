package report

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/policytest"
)

// TestText writes the cases that didn't pass, each with what is wrong with it,
// and with coverage the policies of each set.
func TestText(w io.Writer, style Style, r policytest.Report, coverage bool) error {
	p := &printer{w: w, style: style}
	for _, c := range r.Cases {
		if c.Status == policytest.Passed {
			continue
		}
		mark := style.Error("FAIL")
		if c.Status == policytest.Skipped {
			mark = style.Warning("SKIP")
		}
		p.line("%s %s:%d:%d: %s %s", mark, Clean(c.File), c.Line, c.Column, Clean(c.Case), style.paint(sgrDim, "["+Clean(c.Set)+"]"))
		for _, message := range c.Messages {
			p.line("     %s", Clean(message))
		}
		if c.Status == policytest.Failed && !c.Certain {
			p.line("     %s", style.paint(sgrDim, "policies that weren't read could change this"))
		}
	}
	if coverage {
		p.coverage(r)
	}
	return p.err
}

// coverage writes a table for each set.
func (p *printer) coverage(r policytest.Report) {
	for i, s := range r.Sets {
		if i > 0 || r.Passed < len(r.Cases) {
			p.line("")
		}
		p.line("%s: %d of %d policies determine a decision", Clean(s.Set), len(s.Coverage)-len(s.Uncovered()), len(s.Coverage))
		rows := [][]string{{"POLICY", "ALLOWED", "DENIED", "SOURCE"}}
		for _, c := range s.Coverage {
			source := orDash(c.Source)
			if !c.Read {
				source = "not read"
			}
			rows = append(rows, []string{c.Policy, times(c.Allowed), times(c.Denied), source})
		}
		p.table(rows, func(row, _ int, cell string) string {
			if c := s.Coverage[row-1]; c.Allowed+c.Denied == 0 {
				return p.style.paint(sgrYellow, cell)
			}
			return cell
		})
	}
}

// times is a count in a table, where never is worth seeing.
func times(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// TestCount is the result in words: "11 of 12 cases passed, 1 failed".
func TestCount(r policytest.Report) string {
	all := len(r.Cases)
	if all == 0 {
		return "no test cases"
	}
	if r.Passed == all {
		return plural(all, "case", "cases") + " passed"
	}
	text := fmt.Sprintf("%d of %s passed", r.Passed, plural(all, "case", "cases"))
	if r.Failed > 0 {
		text += fmt.Sprintf(", %d failed", r.Failed)
	}
	if r.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", r.Skipped)
	}
	return text
}

// TestNotes says, for each set, which of its policies weren't read and how many
// results they could change.
func TestNotes(r policytest.Report) []string {
	var notes []string
	for _, s := range r.Sets {
		if s.Cases == 0 || len(s.Unread) == 0 {
			continue
		}
		names, more := s.Unread, ""
		if most := 3; len(names) > most {
			names, more = names[:most], fmt.Sprintf(" and %d more", len(names)-most)
		}
		them := "it"
		if len(s.Unread) > 1 {
			them = "them"
		}
		notes = append(notes, Clean(fmt.Sprintf("policy set %s has %s without a source in the repository: %s%s; %s could change with %s",
			s.Set, plural(len(s.Unread), "policy", "policies"), strings.Join(names, ", "), more, plural(s.Uncertain, "result", "results"), them)))
	}
	return notes
}

// TestJUnit writes a suite for each set. The files are in dir, a slash path in
// the repository.
func TestJUnit(w io.Writer, r policytest.Report, dir string) error {
	var suites []Suite
	for _, s := range r.Sets {
		suite := Suite{Name: s.Set}
		for _, c := range r.Cases {
			if c.Set != s.Set {
				continue
			}
			jc := Case{Class: path.Join(dir, c.File), Name: c.Case}
			switch c.Status {
			case policytest.Failed:
				jc.Failure = strings.Join(c.Messages, "; ")
				jc.Details = fmt.Sprintf("%s:%d:%d\n%s\n", path.Join(dir, c.File), c.Line, c.Column, strings.Join(c.Messages, "\n"))
			case policytest.Skipped:
				jc.Skipped = strings.Join(c.Messages, "; ")
			}
			suite.Cases = append(suite.Cases, jc)
		}
		if len(suite.Cases) > 0 {
			suites = append(suites, suite)
		}
	}
	return JUnit(w, "policypin test", suites...)
}

// TestGitHub writes the cases that didn't pass as annotations. dir is as for
// [GitHub].
func TestGitHub(w io.Writer, r policytest.Report, dir string) error {
	return GitHub(w, TestProblems(r), dir)
}

// TestProblems are the cases that didn't pass, as problems of their files.
func TestProblems(r policytest.Report) diag.List {
	var list diag.List
	for _, c := range r.Cases {
		p := diag.Problem{
			Position: diag.Position{File: c.File, Line: c.Line, Column: c.Column},
			Rule:     "test-failed",
			Message:  c.Case + " [" + c.Set + "]: " + strings.Join(c.Messages, "; "),
		}
		switch c.Status {
		case policytest.Passed:
			continue
		case policytest.Skipped:
			p.Severity, p.Rule = diag.Warning, "test-skipped"
		}
		list.Add(p)
	}
	return list
}

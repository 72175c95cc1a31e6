// Package diag says where in a user's files something is wrong, and what to do
// about it. Everything that reads such files reports a [List], so that all
// problems are shown at once and every output format renders the same value.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Position is a place in a source file, counted as editors do: Line and
// Column start at 1, and Column counts characters (runes), not bytes. Line 0
// means the file as a whole. File is slash-separated and relative to the
// project's folder.
type Position struct {
	File   string
	Line   int
	Column int
}

// String returns file, file:line or file:line:column, whichever is known.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Compare orders positions by file, line and column.
func (p Position) Compare(q Position) int {
	return cmp.Or(
		cmp.Compare(p.File, q.File),
		cmp.Compare(p.Line, q.Line),
		cmp.Compare(p.Column, q.Column),
	)
}

// Severity tells whether a problem stops a publish.
type Severity int

// An Error stops validate, plan and publish. A Warning is printed and stops
// nothing.
const (
	Error Severity = iota
	Warning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// A Problem is one thing that is wrong in a user's file.
type Problem struct {
	Position
	Severity Severity
	// Rule is the stable id of the rule, in lower case with dashes, such as
	// "duplicate-key". It never changes once released.
	Rule string
	// Message names the thing and says what is wrong; lower case, no period.
	Message string
	// Fix says what to do about it, or is empty when the message says it all.
	Fix string
}

// String is the problem as a compiler would print it, on one line.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s [%s]", p.Position, p.Severity, p.Message, p.Rule)
	if p.Fix != "" {
		fmt.Fprintf(&b, " (%s)", p.Fix)
	}
	return b.String()
}

// A List holds problems. The zero value is an empty list. It is an error, so
// that functions can return it as one; use [List.Err] for that.
type List []Problem

// Errorf adds an error.
func (l *List) Errorf(at Position, rule, format string, args ...any) {
	*l = append(*l, Problem{Position: at, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

// Warnf adds a warning.
func (l *List) Warnf(at Position, rule, format string, args ...any) {
	*l = append(*l, Problem{Position: at, Severity: Warning, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

// Add appends problems.
func (l *List) Add(problems ...Problem) { *l = append(*l, problems...) }

// Sort orders the list by position, then rule, then message, and drops exact
// repetitions, so that two runs over the same files print the same bytes.
func (l *List) Sort() {
	slices.SortStableFunc(*l, func(a, b Problem) int {
		return cmp.Or(
			a.Position.Compare(b.Position),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Message, b.Message),
		)
	})
	*l = slices.Compact(*l)
}

// Errors returns how many of the problems are errors.
func (l List) Errors() int {
	n := 0
	for _, p := range l {
		if p.Severity == Error {
			n++
		}
	}
	return n
}

// Err returns the list as an error if it holds at least one error, else nil.
func (l List) Err() error {
	if l.Errors() == 0 {
		return nil
	}
	return l
}

// Error lists every problem, one a line.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, p := range l {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

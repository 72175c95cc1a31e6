package ghaction

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/policypin/policypin/diag"
)

// Levels of annotations, the gravest first.
const (
	Error = iota
	Warning
	Notice
)

var levelNames = [...]string{Error: "error", Warning: "warning", Notice: "notice"}

// MaxPerLevel is how many annotations of each level the runner takes from one
// step (ExecutionContext.cs, _maxCountPerIssueType). It drops the rest without
// a word.
const MaxPerLevel = 10

// maxMessage is the length at which the runner cuts a message, in characters.
const maxMessage = 4096

// An Annotation is a message at a place of the repository, or about the run as
// a whole.
type Annotation struct {
	Level   int
	Rank    int    // lower ones of a level come first
	File    string // relative to the workspace; "" for the run as a whole
	Line    int    // from 1; 0 for the file as a whole
	Column  int    // from 1; 0 if unknown
	Title   string
	Message string
}

// AboutProblem is the annotation of a problem. file is its file relative to the
// workspace.
func AboutProblem(p diag.Problem, file string) Annotation {
	a := Annotation{File: file, Line: p.Line, Column: p.Column, Title: "policypin " + p.Rule, Message: p.Message}
	if p.Severity == diag.Warning {
		a.Level = Warning
	}
	if p.Fix != "" {
		a.Message += " (" + p.Fix + ")"
	}
	return a
}

// Annotate gives the runner as many annotations as it takes: errors first, then
// warnings, then notices, each by rank and in order. Where there are more than
// fit, the last says how many are left for the summary. It returns how many were
// left out.
func (l *Log) Annotate(all []Annotation) (left int) {
	for level := range levelNames {
		var these []Annotation
		for _, a := range all {
			if a.Level == level {
				these = append(these, a)
			}
		}
		slices.SortStableFunc(these, func(a, b Annotation) int { return cmp.Compare(a.Rank, b.Rank) })
		if n := len(these) - (MaxPerLevel - 1); n > 1 {
			these = append(these[:MaxPerLevel-1:MaxPerLevel-1], Annotation{
				Level: level, Title: "policypin", Message: fmt.Sprintf("%d more in the summary", n),
			})
			left += n
		}
		for _, a := range these {
			l.annotate(a)
		}
	}
	return left
}

func (l *Log) annotate(a Annotation) {
	properties := map[string]string{"title": a.Title, "file": a.File}
	// The runner drops columns without a line, and a line says nothing without
	// a file.
	if a.File != "" && a.Line > 0 {
		properties["line"] = strconv.Itoa(a.Line)
		if a.Column > 0 {
			properties["col"] = strconv.Itoa(a.Column)
		}
	}
	message := a.Message
	if runes := []rune(message); len(runes) > maxMessage {
		message = string(runes[:maxMessage-1]) + "…"
	}
	if message == "" {
		message = a.Title // the runner shows nothing for an empty message
	}
	l.Command(levelNames[a.Level], properties, message)
}

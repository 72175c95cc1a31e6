package report

import (
	"io"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/manifest"
)

// Problems writes each problem as a compiler would, with its fix below it.
func Problems(w io.Writer, style Style, list diag.List) error {
	p := &printer{w: w, style: style}
	for _, d := range list {
		severity := style.Error("error:")
		if d.Severity == diag.Warning {
			severity = style.Warning("warning:")
		}
		p.line("%s: %s %s %s", Clean(d.Position.String()), severity, Clean(d.Message), style.paint(sgrDim, "["+d.Rule+"]"))
		if d.Fix != "" {
			p.line("    fix: %s", Clean(d.Fix))
		}
	}
	return p.err
}

type problemsJSON struct {
	Schema   int           `json:"schema"`
	Problems []problemJSON `json:"problems"`
	Errors   int           `json:"errors"`
	Warnings int           `json:"warnings"`
}

type problemJSON struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"`
	Rule     string `json:"rule"`
	Message  string `json:"message"`
	Fix      string `json:"fix"`
}

// ProblemsJSON writes the list as JSON.
func ProblemsJSON(w io.Writer, list diag.List) error {
	doc := problemsJSON{Schema: Schema, Problems: []problemJSON{}, Errors: list.Errors()}
	doc.Warnings = len(list) - doc.Errors
	for _, d := range list {
		doc.Problems = append(doc.Problems, problemJSON{
			File: d.File, Line: d.Line, Column: d.Column,
			Severity: d.Severity.String(), Rule: d.Rule, Message: d.Message, Fix: d.Fix,
		})
	}
	return JSON(w, doc)
}

// Count is the list's size in words: "2 errors, 1 warning".
func Count(list diag.List) string {
	errors := list.Errors()
	text := plural(errors, "error", "errors")
	if warnings := len(list) - errors; warnings > 0 {
		text += ", " + plural(warnings, "warning", "warnings")
	}
	return text
}

// Checked is what a check that found no errors has to say.
func Checked(tree *manifest.Tree, list diag.List) string {
	text := "no errors"
	if len(list) == 0 {
		text = "no problems"
	}
	if tree != nil {
		text += " in " + plural(len(tree.Sets), "policy set", "policy sets") + " and " + plural(len(tree.Sources), "source", "sources")
	}
	if warnings := len(list) - list.Errors(); warnings > 0 {
		text += ", " + plural(warnings, "warning", "warnings")
	}
	return text
}

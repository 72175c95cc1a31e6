package report

import (
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/policypin/policypin/diag"
)

// What the runner of GitHub Actions takes: annotations of each level from one
// step, and characters of a message. It drops what is more without a word.
const (
	maxAnnotations = 10
	maxAnnotation  = 4096
)

// GitHub writes problems as workflow commands, which become annotations. Errors
// come first. Where the runner wouldn't show all, the last one that it shows
// says how many more are in the log. The files are in dir, a slash path from
// the root of the workspace.
func GitHub(w io.Writer, list diag.List, dir string) error {
	p := &printer{w: w}
	for _, level := range []diag.Severity{diag.Error, diag.Warning} {
		var these diag.List
		for _, d := range list {
			if d.Severity == level {
				these = append(these, d)
			}
		}
		for i, d := range these {
			if more := len(these) - i; i == maxAnnotations-1 && more > 1 {
				p.line("::%s title=policypin::%d more are in the log", level, more)
			}
			p.annotation(d, dir)
		}
	}
	return p.err
}

func (p *printer) annotation(d diag.Problem, dir string) {
	properties := []string{"file=" + commandProperty(Clean(path.Join(dir, d.File)))}
	if d.Line > 0 {
		properties = append(properties, fmt.Sprintf("line=%d", d.Line))
		if d.Column > 0 { // the runner drops columns without a line
			properties = append(properties, fmt.Sprintf("col=%d", d.Column))
		}
	}
	properties = append(properties, "title="+commandProperty(Clean("policypin "+d.Rule)))
	message := Clean(d.Message)
	if d.Fix != "" {
		message += " (" + Clean(d.Fix) + ")"
	}
	if utf8.RuneCountInString(message) > maxAnnotation {
		message = string([]rune(message)[:maxAnnotation-1]) + "…"
	}
	p.line("::%s %s::%s", d.Severity, strings.Join(properties, ","), commandData(message))
}

// commandData escapes the message of a command as the runner reads it
// (ActionCommand.cs). ##[ is how commands began once, and still do anywhere in a
// line that isn't read as one of these.
func commandData(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", "##[", "# #[").Replace(text)
}

// commandProperty escapes a property of a command.
func commandProperty(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(commandData(text))
}

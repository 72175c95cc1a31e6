package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/policypin/policypin/manifest"
)

// FormattedText writes the names of files, one a line.
func FormattedText(w io.Writer, files []manifest.Formatted) error {
	p := &printer{w: w}
	for _, f := range files {
		p.line("%s", Clean(f.File))
	}
	return p.err
}

// FormattedDiff writes what formatting changes, as unified diffs. Line ends of
// two characters would show every line as changed, so they are only named.
func FormattedDiff(w io.Writer, style Style, files []manifest.Formatted) error {
	p := &printer{w: w, style: style}
	for _, f := range files {
		before := strings.ReplaceAll(string(f.Before), "\r\n", "\n")
		if before != string(f.Before) {
			p.line("%s: CRLF line ends become LF", Clean(f.File))
		}
		for line := range strings.Lines(udiff.Unified(f.File, f.File, before, string(f.After))) {
			p.line("%s", style.diffLine(line))
		}
	}
	return p.err
}

// diffLine is one line of a unified diff, harmless and coloured by its mark.
func (s Style) diffLine(line string) string {
	line = strings.TrimRight(CleanLines(line), "\n")
	switch line[:min(1, len(line))] {
	case "+":
		return s.paint(sgrGreen, line)
	case "-":
		return s.paint(sgrRed, line)
	case "@":
		return s.paint(sgrCyan, line)
	}
	return line
}

// FormattedCount says how many of the files that were looked at changed, or
// would change if they were written.
func FormattedCount(changed, all int, written bool) string {
	switch {
	case changed == 0:
		return plural(all, "file is", "files are") + " formatted"
	case written:
		return fmt.Sprintf("formatted %d of %s", changed, plural(all, "file", "files"))
	}
	return fmt.Sprintf("not formatted: %d of %s", changed, plural(all, "file", "files"))
}

package report

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Style says how text looks. Colour adds no information.
type Style struct{ Color bool }

// Selected ANSI colours (ECMA-48, SGR).
const (
	sgrRed    = "31"
	sgrGreen  = "32"
	sgrYellow = "33"
	sgrCyan   = "36"
	sgrBold   = "1"
	sgrDim    = "2"
)

func (s Style) paint(sgr, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// Error, Hint and Warning colour the word before a message.
func (s Style) Error(text string) string { return s.paint(sgrRed, text) }

// Hint colours the word before a hint.
func (s Style) Hint(text string) string { return s.paint(sgrCyan, text) }

// Warning colours the word before a warning.
func (s Style) Warning(text string) string { return s.paint(sgrYellow, text) }

// Clean makes text safe for one line of a terminal or a log: control
// characters, line ends among them, bidirectional controls, invisible
// characters and broken UTF-8 become escapes. Names come from servers, tags and
// pull requests, and must not be able to move the cursor or fake a line.
func Clean(text string) string {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if hazardous(r, n) {
			return clean(text)
		}
		i += n
	}
	return text
}

func clean(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case hazardous(r, n) && r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case hazardous(r, n) && r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		case hazardous(r, n):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// hazardous tells whether a rune must not reach a terminal. Cf holds the
// bidirectional controls, zero-width characters and tags; U+2028 and U+2029
// end a line in some viewers.
func hazardous(r rune, size int) bool {
	return r == utf8.RuneError && size == 1 || unicode.IsControl(r) ||
		unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// CleanLines is Clean for text with several lines, such as Cedar: line ends and
// tabs stay.
func CleanLines(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		body := strings.TrimRight(line, "\r\n")
		cells := strings.Split(body, "\t")
		for j := range cells {
			cells[j] = Clean(cells[j])
		}
		lines[i] = strings.Join(cells, "\t")
		if strings.HasSuffix(line, "\n") {
			lines[i] += "\n"
		}
	}
	return strings.Join(lines, "")
}

// A printer writes lines and remembers the first error, so that a renderer
// reads as what it prints.
type printer struct {
	w     io.Writer
	style Style
	err   error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// table writes rows in columns, the first row being the heading. Cells are
// cleaned here, so that no renderer can forget it; paint colours a cell by its
// row and column, and may be nil.
func (p *printer) table(rows [][]string, paint func(row, column int, cell string) string) {
	var widths []int
	for i, row := range rows {
		for j, cell := range row {
			rows[i][j] = Clean(cell)
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], utf8.RuneCountInString(rows[i][j]))
		}
	}
	for i, row := range rows {
		var b strings.Builder
		for j, cell := range row {
			padding := ""
			if j < len(row)-1 {
				padding = strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell)+2)
			}
			if i == 0 {
				cell = p.style.paint(sgrBold, cell)
			} else if paint != nil {
				cell = paint(i, j, cell)
			}
			b.WriteString(cell + padding)
		}
		p.line("%s", strings.TrimRight(b.String(), " "))
	}
}

// plural is "1 policy" or "2 policies".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// moment is a time for people: UTC, to the second.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// orDash stands in for an empty cell, so that columns stay countable.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

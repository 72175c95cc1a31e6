package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/policypin/policypin/internal/importer"
)

// Imported says what import wrote.
type Imported struct {
	Schema  int                `json:"schema"`
	Target  string             `json:"target"`
	ZoneID  string             `json:"zone_id"`
	Written []string           `json:"written"` // the project file last
	Kept    []string           `json:"kept"`    // they exist with this content
	Sets    []importer.Summary `json:"sets"`
	Skipped []importer.Skipped `json:"skipped"`
	Notes   []string           `json:"notes"`
}

// ImportedText writes a line for each set, and how many files there are.
func ImportedText(w io.Writer, style Style, d Imported) error {
	p := &printer{w: w, style: style}
	for _, s := range d.Sets {
		parts := []string{}
		for _, part := range []struct {
			n    int
			word string
		}{{s.Sources, "by source"}, {s.ByNumber, "by number"}, {s.ByID, "by ids"}} {
			if part.n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", part.n, part.word))
			}
		}
		state := ""
		if s.Active {
			state = ", active"
		}
		p.line("imported %s v%d%s: %s (%s)", Clean(s.Name), s.Version, state, Clean(s.File), strings.Join(parts, ", "))
	}
	p.line("%s written, %d kept", plural(len(d.Written), "file", "files"), len(d.Kept))
	return p.err
}

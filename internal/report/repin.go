package report

import (
	"io"

	"github.com/policypin/policypin/internal/publish"
)

// RepinnedText writes the receipt of a pin that was written again.
func RepinnedText(w io.Writer, style Style, r *publish.Receipt) error {
	p := &printer{w: w, style: style}
	for _, s := range r.Sets {
		p.line("%s %s v%d in %s (%s)", style.paint(sgrGreen, "pinned"), Clean(s.Name), s.Version, Clean(r.Target), Clean(s.VersionID))
		p.line("  as %s on commit %s", Clean(s.Tag), s.PinCommit.Short())
	}
	return p.err
}

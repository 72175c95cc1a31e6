package report

import (
	"cmp"
	"fmt"
	"io"

	"github.com/policypin/policypin/internal/publish"
)

// ReceiptJSON writes a receipt as JSON.
func ReceiptJSON(w io.Writer, r *publish.Receipt) error {
	doc := *r
	doc.Sets, doc.Notes = list(doc.Sets), list(doc.Notes)
	return JSON(w, &doc)
}

// ReceiptText writes what a run did, a line for each set and one for the
// activation. What was done already is said in one line for all.
func ReceiptText(w io.Writer, style Style, r *publish.Receipt) error {
	p := &printer{w: w, style: style}
	did := false
	for _, s := range r.Sets {
		switch s.Status {
		case publish.Published:
			did = true
			p.line("%s %s v%d in %s (%s)", style.paint(sgrGreen, "published"), Clean(s.Name), s.Version, Clean(r.Target), Clean(s.VersionID))
			p.line("  pinned as %s on commit %s", Clean(s.Tag), s.PinCommit.Short())
		case publish.Superseded:
			did = true
			p.line("%s %s: %s", style.paint(sgrYellow, "superseded"), Clean(s.Name), Clean(cmp.Or(s.Reason, "a newer commit says something else")))
		}
	}
	if a := r.Activation; a != nil && a.Status != publish.Unchanged {
		did = true
		p.activated(r.Target, a)
	}
	if did {
		return p.err
	}
	if len(r.Sets) == 0 {
		p.line("nothing to publish: no policy set is declared for target %s", Clean(r.Target))
		return p.err
	}
	p.line("nothing to publish")
	for _, s := range r.Sets {
		if s.Version > 0 {
			p.line("  %s v%d is pinned as %s", Clean(s.Name), s.Version, Clean(s.Tag))
		}
	}
	if a := r.Activation; a != nil {
		p.line("  %s v%d is active", Clean(a.Set), a.Version)
	}
	return p.err
}

// ActivationText writes the receipt of an activation that published nothing.
func ActivationText(w io.Writer, style Style, r *publish.Receipt) error {
	p := &printer{w: w, style: style}
	switch a := r.Activation; {
	case a == nil:
		p.line("nothing to do")
	case a.Status == publish.Unchanged:
		p.line("nothing to do: %s v%d is active in %s", Clean(a.Set), a.Version, Clean(r.Target))
	default:
		p.activated(r.Target, a)
	}
	return p.err
}

func (p *printer) activated(target string, a *publish.Activated) {
	if a.Status == publish.Superseded {
		p.line("%s activation of %s: a newer commit says something else", p.style.paint(sgrYellow, "superseded"), Clean(a.Set))
		return
	}
	p.line("%s %s v%d in %s (%s)%s", p.style.paint(sgrGreen, "activated"), Clean(a.Set), a.Version, Clean(target), Clean(a.VersionID), replaced(a))
}

// replaced says what decided before.
func replaced(a *publish.Activated) string {
	if a.Replaced == "" {
		return ""
	}
	return fmt.Sprintf(", replacing %s v%d", Clean(cmp.Or(a.ReplacedSet, a.Set)), a.ReplacedVersion)
}

package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/policypin/policypin/internal/publish"
)

// DriftText writes what branch, pins and zone disagree about: a line per finding
// that begins with its kind, then who and when, then the commands.
func DriftText(w io.Writer, style Style, d *publish.Drift) error {
	p := &printer{w: w, style: style}
	p.line("%s", style.paint(sgrBold, fmt.Sprintf("drift of %s, zone %s: %s at %s of %s",
		Clean(d.Target), Clean(d.ZoneID), Clean(d.Branch), d.Tip.Short(), Clean(d.Origin))))
	switch a := d.Active; {
	case a == nil:
		p.line("nothing is active")
	case a.Tag == "":
		p.line("active: %s v%d (%s), without a pin", Clean(a.Set), a.Version, Clean(a.VersionID))
	default:
		p.line("active: %s v%d (%s), pinned as %s", Clean(a.Set), a.Version, Clean(a.VersionID), Clean(a.Tag))
	}
	for _, f := range d.Findings {
		p.finding(f)
	}
	found := "no drift"
	drifted, infos := 0, 0
	for _, f := range d.Findings {
		if f.Information {
			infos++
		} else {
			drifted++
		}
	}
	if drifted > 0 {
		found = plural(drifted, "finding", "findings")
	}
	if infos > 0 {
		found += fmt.Sprintf(", %d for information", infos)
	}
	p.line("%s; looked at %s of %s, the content of %d compared", found,
		plural(d.Pins, "pin", "pins"), plural(d.Sets, "policy set", "policy sets"), d.Checked)
	return p.err
}

func (p *printer) finding(f publish.Finding) {
	kind := p.style.paint(sgrYellow, f.Kind)
	if f.Information {
		kind = p.style.paint(sgrDim, f.Kind+" (information)")
	}
	about := ""
	if f.Set != "" {
		about = " " + p.style.paint(sgrBold, Clean(f.Set))
	}
	p.line("%s%s: %s", kind, about, Clean(f.Message))
	var facts []string
	if f.By != "" {
		by := "by " + Clean(f.By)
		if f.At != nil { // then it is the version's creation; nobody says who activated it
			by = "created " + by
		}
		facts = append(facts, by)
	}
	if f.At != nil {
		facts = append(facts, "at "+moment(*f.At))
	}
	if len(facts) > 0 {
		p.line("    %s", strings.Join(facts, " "))
	}
	if f.Tag != "" && !strings.Contains(f.Message, f.Tag) {
		p.line("    pin %s", Clean(f.Tag))
	}
	for _, c := range f.Commands {
		p.line("    %s %s", p.style.Hint("run:"), Clean(c))
	}
}

package report

import (
	"io"

	"github.com/policypin/policypin/internal/doctor"
)

// DoctorText writes a line per check, with the remedy below it.
func DoctorText(w io.Writer, style Style, r *doctor.Report) error {
	p := &printer{w: w, style: style}
	width := 0
	for _, c := range r.Checks {
		width = max(width, len(c.Name))
	}
	for _, c := range r.Checks {
		mark := map[string]string{
			doctor.OK:         style.paint(sgrGreen, "ok  "),
			doctor.Warning:    style.paint(sgrYellow, "warn"),
			doctor.Failure:    style.paint(sgrRed, "fail"),
			doctor.NotChecked: style.paint(sgrDim, "-   "),
		}[c.Status]
		p.line("%s  %-*s  %s", mark, width, c.Name, Clean(c.Message))
		if c.Remedy != "" {
			p.line("      %*s  %s %s", width, "", style.Hint("do:"), Clean(c.Remedy))
		}
	}
	switch {
	case r.Failures == 0 && r.Warnings == 0:
		p.line("nothing is known that would fail")
	default:
		p.line("%s, %s", plural(r.Failures, "failure", "failures"), plural(r.Warnings, "warning", "warnings"))
	}
	return p.err
}

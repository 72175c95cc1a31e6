package report

import (
	"io"
	"strings"
)

// A Verification is what verify found about pins.
type Verification struct {
	Schema  int           `json:"schema"`
	Target  string        `json:"target"`
	ZoneID  string        `json:"zone_id"`
	Origin  string        `json:"origin"`  // where the pins were read
	Offline bool          `json:"offline"` // the zone wasn't asked
	Pins    []VerifiedPin `json:"pins"`
}

// A VerifiedPin is the chain of one pin.
type VerifiedPin struct {
	Tag       string         `json:"tag"`
	Set       string         `json:"set"`                   // "" if the name isn't a pin's
	Version   int            `json:"version"`               // 0 if the name isn't a pin's
	VersionID string         `json:"policy_set_version_id"` // "" if the record can't be read
	Commit    string         `json:"commit"`                // "" if the tag can't be read
	Result    string         `json:"result"`                // mismatch, consistent or signed
	SignedBy  []string       `json:"signed_by"`
	Links     []VerifiedLink `json:"links"` // in the order of the chain
}

// A VerifiedLink is one claim of a pin.
type VerifiedLink struct {
	Link   string `json:"link"`
	Status string `json:"status"` // ok, mismatch, recorded or not-available
	Detail string `json:"detail"`
}

// linkWords are what people read for a status; the longest is that of recorded.
var linkWords = map[string]string{
	"ok": "ok", "mismatch": "mismatch", "recorded": "recorded by the publisher", "not-available": "not available",
}

var linkColor = map[string]string{"ok": sgrGreen, "mismatch": sgrRed, "recorded": sgrYellow, "not-available": sgrYellow}

// VerificationText writes each pin with its links, and a last line that says
// what they come to.
func VerificationText(w io.Writer, style Style, v Verification) error {
	p := &printer{w: w, style: style}
	for i, pin := range v.Pins {
		if i > 0 {
			p.line("")
		}
		p.line("%s", style.paint(sgrBold, Clean(pin.Tag)))
		width := 0
		for _, l := range pin.Links {
			width = max(width, len(l.Link))
		}
		for _, l := range pin.Links {
			words := linkWords[l.Status]
			fill := strings.Repeat(" ", len(linkWords["recorded"])-len(words))
			p.line("  %-*s  %s%s  %s", width, l.Link, style.paint(linkColor[l.Status], words), fill, Clean(l.Detail))
		}
		p.line("%s", Clean(verdict(pin)))
	}
	return p.err
}

// verdict is the last line of a pin: the word, what it rests on, and what it
// doesn't.
func verdict(pin VerifiedPin) string {
	by := map[string][]string{}
	for _, l := range pin.Links {
		by[l.Status] = append(by[l.Status], l.Link)
	}
	parts := []string{pin.Tag + " is " + pin.Result}
	switch pin.Result {
	case "mismatch":
		parts[0] = pin.Tag + " does not hold: " + strings.Join(by["mismatch"], ", ")
	case "signed":
		parts[0] += ": " + strings.Join(pin.SignedBy, ", ")
	}
	if list := by["recorded"]; len(list) > 0 {
		parts = append(parts, "recorded by the publisher: "+strings.Join(list, ", "))
	}
	if list := by["not-available"]; len(list) > 0 {
		parts = append(parts, "not available: "+strings.Join(list, ", "))
	}
	return strings.Join(parts, "; ")
}

package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/impact"
)

// An Impact is what decisions change between two sides.
type Impact struct {
	From, To Side
	impact.Report
	// Requests says that a text shows the requests of examples and their entities
	// as JSON. They are in the other formats anyway.
	Requests bool
}

// maxUncovered is how many reasons a text shows; JSON has all.
const maxUncovered = 20

// ImpactText writes the findings for people, each with its examples.
func ImpactText(w io.Writer, style Style, r Impact) error {
	p := &printer{w: w, style: style}
	if len(r.Sets) == 0 {
		p.line("no policies changed from %s to %s", r.From, r.To)
		return p.err
	}
	p.line("%s", style.paint(sgrBold, "from "+r.From.String()+" to "+r.To.String()))
	for _, s := range r.Sets {
		head := style.mark(s.Kind) + " policy set " + style.paint(sgrBold, Clean(s.Set))
		if s.Was != "" {
			head += " (was " + Clean(s.Was) + ")"
		}
		p.line("")
		p.line("%s: %s tried%s", head, plural(s.Requests, "request", "requests"), sourcesText(s.Sources))
		for _, f := range s.Findings {
			p.impactFinding(s, f, r.Requests)
		}
		for _, f := range s.Failing {
			p.line("  %s %s (%s:%d) for %s: %s", p.style.Error("can't evaluate"), Clean(f.Policy), Clean(f.File), f.Line,
				plural(f.Count, "request", "requests"), Clean(f.Message))
		}
		p.skipped(s.Skipped)
		p.completeness(s)
	}
	return p.err
}

// sourcesText says where requests come from, if not all were made up.
func sourcesText(s impact.Sources) string {
	var parts []string
	for _, one := range []struct {
		n    int
		what string
	}{{s.Tests, "from tests"}, {s.Logs, "from logs"}} {
		if one.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", one.n, one.what))
		}
	}
	if len(parts) > 0 {
		parts = append([]string{fmt.Sprintf("%d made up", s.Synthesized)}, parts...)
	}
	if s.Skipped > 0 {
		parts = append(parts, fmt.Sprintf("%d skipped", s.Skipped))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// skipped says which requests weren't decided, and why.
func (p *printer) skipped(list []impact.Skipped) {
	for i, s := range list {
		if i == maxUncovered {
			p.line("    and %d more reasons", len(list)-i)
			return
		}
		p.line("  skipped %s, first at %s: %s", plural(s.Count, "request", "requests"), Clean(s.Position.String()), Clean(s.Reason))
	}
}

// completeness says what the findings of a set are worth.
func (p *printer) completeness(s impact.SetReport) {
	if len(s.Uncovered) == 0 {
		what := "no request is decided differently"
		if len(s.Findings) > 0 {
			what = "these are all the ways in which decisions change"
		}
		p.line("  %s: %s", p.style.paint(sgrGreen, "complete"), what)
		return
	}
	what := "no change was found, yet there may be some, because of"
	if len(s.Findings) > 0 {
		what = "there may be other changes, because of"
	}
	p.line("  %s: %s", p.style.Warning("not complete"), what)
	for i, u := range s.Uncovered {
		if i == maxUncovered {
			p.line("    and %d more", len(s.Uncovered)-i)
			break
		}
		if u.File == "" {
			p.line("    %s", Clean(u.Reason))
			continue
		}
		p.line("    %s: %s", Clean(u.Position.String()), Clean(u.Reason))
	}
}

// lacking says of the policies of a cause that the newer side hasn't got them, by any
// text: what widens access then is that they are missing.
func lacking(set *impact.SetReport, cause []impact.Ref) string {
	for _, ref := range cause {
		if !ref.From || !slices.Contains(set.Policies, ref) || slices.ContainsFunc(set.Policies, func(p impact.Ref) bool { return !p.From && p.Policy == ref.Policy }) {
			return ""
		}
	}
	switch len(cause) {
	case 0:
		return ""
	case 1:
		return ", which was removed"
	}
	return ", which were removed"
}

func (p *printer) impactFinding(set impact.SetReport, f impact.Finding, requests bool) {
	kind := string(f.Kind)
	switch f.Kind {
	case impact.Widened:
		kind = p.style.Error(kind)
	case impact.Narrowed, impact.ErrorChanged:
		kind = p.style.Warning(kind)
	}
	count := plural(f.Count, "request", "requests")
	if f.Given > 0 {
		count += fmt.Sprintf(", %d of them from tests and logs", f.Given)
	}
	p.line("  %s by %s%s: %s", kind, refs(f.Cause), lacking(&set, f.Cause), count)
	if len(f.Actions) > 0 {
		p.line("    %s of %s on %s", few(f.Actions), few(f.Principals), few(f.Resources))
	}
	if len(f.Common) > 0 {
		p.line("    in all of them: %s", facts(f.Common))
	}
	for _, e := range f.Examples {
		text := Clean(e.Text)
		if e.At.File != "" {
			text += " (" + Clean(e.At.String()) + ")"
		}
		p.line("    %s", text)
		if len(e.Facts) > 0 {
			p.line("      %s", facts(e.Facts))
		}
		p.line("      was %s, is %s", verdictText(e.From), verdictText(e.To))
		if !requests {
			continue
		}
		p.line("      %s", p.style.paint(sgrDim, "request "+Clean(string(e.Request))))
		p.line("      %s", p.style.paint(sgrDim, "entities "+Clean(string(e.Entities))))
	}
}

// facts are conditions on one line.
func facts(list []string) string { return Clean(strings.Join(list, "; ")) }

// maxFew is how many actions and types of a finding are named.
const maxFew = 5

func few(list []string) string {
	text := Clean(strings.Join(list[:min(maxFew, len(list))], ", "))
	if more := len(list) - maxFew; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// refs lists policies with their places, each place once.
func refs(list []impact.Ref) string {
	if len(list) == 0 {
		return "no policy"
	}
	var parts []string
	for i, r := range list {
		text := fmt.Sprintf("%s (%s:%d)", Clean(r.Policy), Clean(r.File), r.Line)
		if i == 0 || text != parts[len(parts)-1] {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ", ")
}

func verdictText(v impact.Verdict) string {
	text := "denied"
	if v.Allow {
		text = "allowed"
	}
	if len(v.Determining) > 0 {
		text += " by " + refs(v.Determining)
	}
	for _, e := range v.Errors {
		text += "; " + Clean(e.Policy) + " fails: " + Clean(e.Message)
	}
	return text
}

type impactJSON struct {
	Schema       int             `json:"schema"`
	From         Side            `json:"from"`
	To           Side            `json:"to"`
	Changed      bool            `json:"changed"`
	Complete     bool            `json:"complete"`
	Widened      int             `json:"widened"`
	Narrowed     int             `json:"narrowed"`
	ErrorChanged int             `json:"error_changed"`
	Sets         []impactSetJSON `json:"sets"`
}

type impactSetJSON struct {
	Set           string              `json:"set"`
	Was           string              `json:"was"`
	Kind          string              `json:"kind"`
	SchemaVersion string              `json:"schema_version"`
	Requests      int                 `json:"requests"`
	Sources       impactSourcesJSON   `json:"sources"`
	Skipped       []impactSkippedJSON `json:"skipped"`
	Complete      bool                `json:"complete"`
	Policies      []impactRefJSON     `json:"policies"`
	Findings      []impactFindingJSON `json:"findings"`
	Failing       []impactFailingJSON `json:"failing"`
	Uncovered     []uncoveredJSON     `json:"uncovered"`
}

type impactSourcesJSON struct {
	Synthesized int `json:"synthesized"`
	Tests       int `json:"tests"`
	Logs        int `json:"logs"`
	Skipped     int `json:"skipped"`
}

type impactSkippedJSON struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

type impactFailingJSON struct {
	impactRefJSON
	Count   int    `json:"count"`
	Message string `json:"message"`
	Request string `json:"request"`
}

type impactRefJSON struct {
	Policy string `json:"policy"`
	Side   string `json:"side"`
	Effect string `json:"effect"`
	File   string `json:"file"`
	Line   int    `json:"line"`
}

type impactFindingJSON struct {
	Kind       string              `json:"kind"`
	Cause      []impactRefJSON     `json:"cause"`
	Count      int                 `json:"count"`
	Given      int                 `json:"given"`
	Common     []string            `json:"common"`
	Actions    []string            `json:"actions"`
	Principals []string            `json:"principals"`
	Resources  []string            `json:"resources"`
	Examples   []impactExampleJSON `json:"examples"`
}

type impactExampleJSON struct {
	File     string            `json:"file"`
	Line     int               `json:"line"`
	Facts    []string          `json:"facts"`
	Request  json.RawMessage   `json:"request"`
	Entities json.RawMessage   `json:"entities"`
	From     impactVerdictJSON `json:"from"`
	To       impactVerdictJSON `json:"to"`
}

type impactVerdictJSON struct {
	Decision    string            `json:"decision"`
	Determining []impactRefJSON   `json:"determining"`
	Errors      []impactErrorJSON `json:"errors"`
}

type impactErrorJSON struct {
	Policy  string `json:"policy"`
	Message string `json:"message"`
}

type uncoveredJSON struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Reason string `json:"reason"`
}

// ImpactJSON writes the findings as JSON.
func ImpactJSON(w io.Writer, r Impact) error {
	doc := impactJSON{
		Schema: Schema, From: r.From, To: r.To, Changed: r.Changed(), Complete: r.Complete(),
		Widened: r.Count(impact.Widened), Narrowed: r.Count(impact.Narrowed), ErrorChanged: r.Count(impact.ErrorChanged),
		Sets: []impactSetJSON{},
	}
	for _, s := range r.Sets {
		set := impactSetJSON{
			Set: s.Set, Was: s.Was, Kind: s.Kind, SchemaVersion: s.SchemaVersion, Requests: s.Requests, Complete: len(s.Uncovered) == 0,
			Sources: impactSourcesJSON(s.Sources), Skipped: []impactSkippedJSON{}, Failing: []impactFailingJSON{},
			Policies: refsJSON(s.Policies), Findings: []impactFindingJSON{}, Uncovered: []uncoveredJSON{},
		}
		for _, u := range s.Uncovered {
			set.Uncovered = append(set.Uncovered, uncoveredJSON{u.File, u.Line, u.Column, u.Reason})
		}
		for _, one := range s.Skipped {
			set.Skipped = append(set.Skipped, impactSkippedJSON{one.File, one.Line, one.Reason, one.Count})
		}
		for _, f := range s.Failing {
			set.Failing = append(set.Failing, impactFailingJSON{refsJSON([]impact.Ref{f.Ref})[0], f.Count, f.Message, f.Text})
		}
		for _, f := range s.Findings {
			finding := impactFindingJSON{
				Kind: string(f.Kind), Cause: refsJSON(f.Cause), Count: f.Count, Given: f.Given, Examples: []impactExampleJSON{},
				Common: append([]string{}, f.Common...), Actions: append([]string{}, f.Actions...),
				Principals: append([]string{}, f.Principals...), Resources: append([]string{}, f.Resources...),
			}
			for _, e := range f.Examples {
				finding.Examples = append(finding.Examples, impactExampleJSON{
					e.At.File, e.At.Line, append([]string{}, e.Facts...), e.Request, e.Entities, verdictJSON(e.From), verdictJSON(e.To),
				})
			}
			set.Findings = append(set.Findings, finding)
		}
		doc.Sets = append(doc.Sets, set)
	}
	return JSON(w, doc)
}

func refsJSON(list []impact.Ref) []impactRefJSON {
	out := []impactRefJSON{}
	for _, r := range list {
		side := "to"
		if r.From {
			side = "from"
		}
		out = append(out, impactRefJSON{r.Policy, side, r.Effect, r.File, r.Line})
	}
	return out
}

func verdictJSON(v impact.Verdict) impactVerdictJSON {
	doc := impactVerdictJSON{Decision: "deny", Determining: refsJSON(v.Determining), Errors: []impactErrorJSON{}}
	if v.Allow {
		doc.Decision = "allow"
	}
	for _, e := range v.Errors {
		doc.Errors = append(doc.Errors, impactErrorJSON(e))
	}
	return doc
}

package report

import (
	"fmt"
	"io"
	"time"
)

// A Why is the decision of one request, with what determines it and where that
// comes from.
type Why struct {
	Schema        int         `json:"schema"`
	At            Side        `json:"at"`
	Pin           *WhyPin     `json:"pin"` // null if at isn't a pin
	Set           string      `json:"set"`
	SchemaVersion string      `json:"schema_version"`
	Test          string      `json:"test"` // the test case whose request it is, or ""
	Principal     string      `json:"principal"`
	Action        string      `json:"action"`
	Resource      string      `json:"resource"`
	Decision      string      `json:"decision"` // allow or deny
	Certain       bool        `json:"certain"`  // false: policies that weren't read could change it
	Determining   []WhyPolicy `json:"determining"`
	Errors        []WhyError  `json:"errors"`
	Considered    int         `json:"considered"` // policies of the set whose text is known
	Unread        []string    `json:"unread"`     // policies of the set whose text isn't
	Undeclared    []string    `json:"undeclared"` // principal and resource, if they aren't among the entities
}

// A WhyPin is the published version whose commit was asked.
type WhyPin struct {
	Tag         string    `json:"tag"`
	Target      string    `json:"target"`
	Set         string    `json:"set"`
	Version     int       `json:"version"`
	VersionID   string    `json:"policy_set_version_id"`
	PublishedAt time.Time `json:"published_at"`
}

// A WhyPolicy is one policy of the set.
type WhyPolicy struct {
	Policy  string      `json:"policy"`
	Effect  string      `json:"effect"` // permit or forbid
	File    string      `json:"file"`   // its source; for one without, the manifest that names it
	Line    int         `json:"line"`
	Source  bool        `json:"source"`  // its text is in the repository
	Version int         `json:"version"` // its number in the zone, where the pin or the manifest says it; else 0
	History WhyHistory  `json:"history"`
	Since   []WhyChange `json:"since"` // commits after it that kept the content, newest first
}

// What is known of the commit that last changed a policy's content.
const (
	WhyCommitted   = "committed"   // commit is the one
	WhyUncommitted = "uncommitted" // the content isn't in a commit
	WhyShallow     = "shallow"     // the clone's history ends at commit, which needn't be the one
	WhyTooFar      = "too_far"     // the search ended at commit
)

// A WhyHistory is that commit. For a policy without a source it is the one that
// chose its version.
type WhyHistory struct {
	Status string `json:"status"`
	WhyCommit
}

// A WhyCommit is a commit as people know it. It is empty for uncommitted content.
type WhyCommit struct {
	Commit  string    `json:"commit"`
	Author  string    `json:"author"` // name <email>
	Date    time.Time `json:"date"`   // of the author
	Subject string    `json:"subject"`
}

// A WhyChange is a commit that changed a policy's file and not its content.
type WhyChange struct {
	Kind string `json:"kind"` // layout or moved
	From string `json:"from"` // the path before, for one that was moved
	WhyCommit
}

// Kinds of changes that keep the content.
const (
	WhyLayout = "layout"
	WhyMoved  = "moved"
)

// A WhyError is a policy that couldn't be evaluated, and so counts for nothing.
type WhyError struct {
	WhyPolicy
	Message string `json:"message"`
}

// maxSince is how many commits that kept the content a text shows; JSON has all.
const maxSince = 3

// WhyText writes a decision for people, its first word being ALLOW or DENY.
func WhyText(w io.Writer, style Style, y Why) error {
	p := &printer{w: w, style: style}
	word := style.Error("DENY")
	if y.Decision == "allow" {
		word = style.paint(sgrGreen, "ALLOW")
	}
	if !y.Certain {
		word += " " + style.Warning("(uncertain)")
	}
	p.line("%s %s %s %s", word, Clean(y.Principal), Clean(y.Action), Clean(y.Resource))
	p.line("by %s: %s considered", y.state(), plural(y.Considered, "policy", "policies"))
	if len(y.Unread) > 0 {
		p.line("%s the text of %s isn't in the repository, and could change this: %s", style.Warning("not read:"),
			plural(len(y.Unread), "policy", "policies"), cleanList(y.Unread))
	}
	for _, e := range y.Errors {
		p.line("")
		p.whyPolicy(style.Error("error")+" in "+e.Effect, e.WhyPolicy)
		p.line("  couldn't be evaluated, so it counts for nothing: %s", Clean(e.Message))
		p.whyHistory(e.WhyPolicy)
	}
	p.line("")
	switch {
	case len(y.Determining) == 0 && len(y.Unread) > 0:
		p.line("none of the policies that were read permits it")
	case len(y.Determining) == 0 && len(y.Errors) > 0:
		p.line("no policy that could be evaluated permits it")
	case len(y.Determining) == 0:
		p.line("no policy permits it")
	}
	for i, d := range y.Determining {
		if i > 0 {
			p.line("")
		}
		p.whyPolicy(d.Effect, d)
		p.whyHistory(d)
	}
	return p.err
}

// state says which version of which policy set decided.
func (y Why) state() string {
	text := "policy set " + Clean(y.Set)
	if y.Pin != nil {
		text += fmt.Sprintf(" v%d (%s, published %s)", y.Pin.Version, Clean(y.Pin.Tag), moment(y.Pin.PublishedAt))
	}
	return text + " in " + y.At.String()
}

func cleanList(names []string) string {
	text := ""
	for i, n := range names {
		if i > 0 {
			text += ", "
		}
		text += Clean(n)
	}
	return text
}

func (p *printer) whyPolicy(what string, y WhyPolicy) {
	name := p.style.paint(sgrBold, Clean(y.Policy))
	if y.Version > 0 {
		name += fmt.Sprintf(" v%d", y.Version)
	}
	p.line("%s %s %s", what, name, fmt.Sprintf("(%s:%d)", Clean(y.File), y.Line))
}

// whyHistory says which commit last changed a policy, and what is known of
// later ones.
func (p *printer) whyHistory(y WhyPolicy) {
	c := y.History.WhyCommit
	verb := "last changed"
	if !y.Source {
		verb = "its version chosen"
	}
	switch y.History.Status {
	case WhyCommitted:
		p.line("  %s in %s", verb, c.line())
		p.line("    %s", orDash(Clean(c.Subject)))
	case WhyUncommitted:
		p.line("  %s", p.style.Warning("not committed"))
	case WhyShallow:
		p.line("  %s before %s, where this clone's history ends; git fetch --unshallow brings the rest", verb, short(c.Commit))
	case WhyTooFar:
		p.line("  %s before %s, where the search ended", verb, c.line())
	}
	for i, s := range y.Since {
		if i == maxSince {
			p.line("  and %s that kept the content", plural(len(y.Since)-i, "earlier commit", "earlier commits"))
			break
		}
		what := "only its layout changed"
		if s.Kind == WhyMoved {
			what = "it was moved from " + Clean(s.From)
		}
		p.line("  %s", p.style.paint(sgrDim, what+" in "+s.line()))
	}
}

// line is a commit without its subject.
func (c WhyCommit) line() string {
	return fmt.Sprintf("%s, %s, by %s", short(c.Commit), moment(c.Date), orDash(Clean(c.Author)))
}

func short(commit string) string { return commit[:min(12, len(commit))] }

// WhyNotes are what a reader of a decision should know about its entities.
func WhyNotes(y Why) (notes []string) {
	for _, uid := range y.Undeclared {
		notes = append(notes, Clean(uid)+" isn't among the entities: it has no attributes and no parents")
	}
	return notes
}

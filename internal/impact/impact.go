// Package impact finds the requests that two states of a project decide
// differently. It makes up requests from what the policies ask, decides each on
// both sides, and says whether that covers every request the schema allows. It
// does no I/O, and the same two trees always give the same report.
package impact

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

// A Kind says in which way a request is decided differently.
type Kind string

// The kinds. A request whose decision stays the same, while a changed policy can
// or can no longer be evaluated for it, is ErrorChanged.
const (
	Widened      Kind = "widened"  // deny to allow
	Narrowed     Kind = "narrowed" // allow to deny
	ErrorChanged Kind = "error-changed"
)

// A Report is about two states of a project.
type Report struct {
	Sets []SetReport // by name; those whose policies changed
	// Problems are of lines in logs of requests that can't be read, and so weren't
	// tried. Where there are none, Sets says what the logs came to.
	Problems diag.List
}

// Count is the number of requests that were found to change in a way.
func (r Report) Count(kind Kind) int {
	n := 0
	for _, s := range r.Sets {
		for _, f := range s.Findings {
			if f.Kind == kind {
				n += f.Count
			}
		}
	}
	return n
}

// Changed tells whether any request is decided differently.
func (r Report) Changed() bool {
	return slices.ContainsFunc(r.Sets, func(s SetReport) bool { return len(s.Findings) > 0 })
}

// Complete tells whether no other request can be: every set is covered.
func (r Report) Complete() bool {
	return !slices.ContainsFunc(r.Sets, func(s SetReport) bool { return len(s.Uncovered) > 0 })
}

// A SetReport is about one policy set.
type SetReport struct {
	Set           string
	Was           string // the old name, for a rename
	Kind          string // as in manifest.SetDiff: added, removed, changed or renamed
	SchemaVersion string // of the newer side that has the set
	Policies      []Ref  // those that differ, older ones first
	Requests      int    // that were decided, from all sources
	Sources       Sources
	Skipped       []Skipped // by place; given requests that weren't decided
	Findings      []Finding
	Failing       []Failing   // changed policies that can't always be evaluated, older ones first
	Uncovered     []Uncovered // empty: the findings are all there are
}

// Sources are the numbers of requests by where they come from.
type Sources struct {
	Synthesized int // made up from what the policies ask
	Tests       int // cases of test files
	Logs        int // lines of files with requests
	Skipped     int // cases and lines that weren't decided, as Skipped says
}

// A Skipped is a reason for which requests weren't decided, such as that the
// schema has no such action any more. Its position is that of the first.
type Skipped struct {
	diag.Position
	Reason string
	Count  int
}

// An Uncovered is a reason why there may be changes that weren't found. Its
// position is that of an expression, or of a manifest's entry.
type Uncovered struct {
	diag.Position
	Reason string
}

// A Ref is a policy of one side.
type Ref struct {
	Policy string
	From   bool // of the older side
	Effect string
	diag.Position
}

// A Finding is all requests that change in one way for one cause.
type Finding struct {
	Kind     Kind
	Cause    []Ref // the changed policies that determine them, or that fail
	Count    int
	Given    int       // how many of them come from tests and logs
	Examples []Example // at most three, of different principals, actions or resources
	// Common are the conditions that all of them fulfil, in words: necessary among
	// the requests that were tried, and not sufficient. It ends with "…" if there
	// are more.
	Common []string
	// Actions are those of the requests, and the others the types of their
	// principals and resources, all sorted.
	Actions, Principals, Resources []string

	hulls map[cedar.Environment]*cedar.Hull
}

// An Example is a witness: a request with the entities that it is decided in.
type Example struct {
	Text     string        // principal, action and resource
	At       diag.Position // the test case or the line of a log; no file: it was made up
	Request  json.RawMessage
	Entities json.RawMessage
	Facts    []string // what the policies of the cause ask of it and what it answers, in words
	From, To Verdict

	env cedar.Environment
}

// A Verdict is the decision of one side.
type Verdict struct {
	Allow       bool
	Determining []Ref
	Errors      []cedar.EvaluationError
}

// Options say what a comparison uses besides the two trees. The zero value
// compares every set by what the repository has.
type Options struct {
	// Sets are the names of those to compare, of the newer side or, for a removed
	// one, of the older; nil takes all.
	Sets []string
	// From and To are the policies of entries without a source on either side,
	// where their text is known from elsewhere.
	From, To map[Entry][]*cedar.Policy
	// Given are requests to try besides those that are made up and those of the
	// tests of both trees. Nil has none.
	Given *Given
}

// An Entry is one entry of one set, by its label.
type Entry struct{ Set, Policy string }

// Compare finds what decisions change from one tree to another. Either may be
// nil, meaning nothing was there.
func Compare(from, to *manifest.Tree, opts Options) Report {
	if from == nil {
		from = &manifest.Tree{}
	}
	if to == nil {
		to = &manifest.Tree{}
	}
	var r Report
	var all []*pending
	for _, d := range manifest.Compare(from, to).Sets {
		if d.Kind == manifest.Layout || opts.Sets != nil && !slices.Contains(opts.Sets, d.Name) {
			continue
		}
		old := d.Name
		if d.Was != "" {
			old = d.Was
		}
		var a, b *manifest.Set
		if s, ok := from.Set(old); ok && d.Kind != manifest.Added {
			a = s
		}
		if s, ok := to.Set(d.Name); ok && d.Kind != manifest.Removed {
			b = s
		}
		p := prepare(newState(true, from, a, opts.From), newState(false, to, b, opts.To))
		if p == nil {
			continue
		}
		p.report.Set, p.report.Was, p.report.Kind = d.Name, d.Was, d.Kind
		all = append(all, p)
	}
	r.Problems = tryGiven(all, from, to, opts.Given)
	for _, p := range all {
		if p.comparison != nil {
			p.comparison.run(&p.report, &p.given)
		}
		if p.comparison == nil || !p.comparison.quiet || len(p.report.Uncovered) > 0 {
			p.report.Uncovered = append(p.report.Uncovered, p.veiled...)
		}
		p.report.Uncovered = tidy(p.report.Uncovered)
		r.Sets = append(r.Sets, p.report)
	}
	return r
}

// A pending set was found to have changed.
type pending struct {
	report     SetReport
	comparison *comparison // nil: there is nothing to decide
	given      trial
	veiled     []Uncovered // matter only if the changed policies answer some request differently
}

// prepare compares two states of one set; nil if they mean the same.
func prepare(from, to *state) *pending {
	from.mark(to)
	to.mark(from)
	p := &pending{}
	report := &p.report
	*report = SetReport{SchemaVersion: to.version(from), Policies: append(from.changed(), to.changed()...)}
	report.Uncovered = append(from.unknown(to), to.unknown(from)...)
	moved := from.set != nil && to.set != nil && !from.sameSchema(to)
	if len(report.Policies) == 0 && len(report.Uncovered) == 0 {
		// Whatever is asked, the same policies answer. With another schema they may
		// do so in another way: an action can be in another group.
		if !moved || len(to.set.Entries) == 0 {
			return nil
		}
		report.Uncovered = append(report.Uncovered, Uncovered{to.set.Position, "the two sides have different schemas, by which the same policies can decide differently"})
		return p
	}
	p.veiled = to.veiled(from)
	if moved {
		report.Uncovered = append(report.Uncovered, Uncovered{to.set.Position, "the two sides have different schemas, and requests are those of the newer"})
	}
	schema := to.schema(from)
	if schema == nil {
		report.Uncovered = append(report.Uncovered, Uncovered{to.position(from), "schema version " + report.SchemaVersion + " isn't in the repository"})
	} else if len(report.Policies) > 0 {
		p.comparison = newComparison(schema, from, to)
	}
	return p
}

// sameSchema tells whether the schemas of two sides are written alike. Where one
// isn't in the repository, they have to be of one version.
func (s *state) sameSchema(other *state) bool {
	a, b := s.schema(other), other.schema(s)
	if a == nil || b == nil {
		return a == b && s.version(other) == other.version(s)
	}
	x, errX := a.JSON()
	y, errY := b.JSON()
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// tidy sorts and says each thing once.
func tidy(list []Uncovered) []Uncovered {
	slices.SortFunc(list, func(a, b Uncovered) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Reason, b.Reason))
	})
	return slices.Compact(list)
}

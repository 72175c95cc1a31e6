package report

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/impact"
	"github.com/policypin/policypin/internal/policytest"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/manifest"
)

// A Comment is what a pull request is told about a change, as a value. The zero
// value says that nothing changed.
type Comment struct {
	// Project is the folder of the project file in the repository; "" and "." are
	// the root. It tells the comments of several projects apart.
	Project string
	// Target is what Plan and Drift are about, or "".
	Target string
	// Base and Head are what was compared. A side with a commit is called by it,
	// so that the same commits give the same text by whatever name.
	Base, Head Side
	// Tool is the version that wrote this, and Command the command line that
	// writes it again.
	Tool, Command string
	// Longer tells that this text is longer than what Command writes.
	Longer bool
	// Diff is what changed from Base to Head; nil if that wasn't compared, and
	// then the plan alone says what changes.
	Diff *manifest.Diff
	// Plan is what publishing Head would do, with the zone or offline; nil if
	// there is none.
	Plan *publish.Plan
	// Impact is what decisions change from Base to Head, and NoImpact why that
	// isn't known; nil and "" if nobody asked.
	Impact   *impact.Report
	NoImpact string
	// Since says what Impact compares the policy sets with, where that isn't Base.
	Since []publish.Since
	// Tests is what the decision tests of Head came to; nil if none ran.
	Tests *policytest.Report
	// OnMerge tells that publishing follows a merge.
	OnMerge bool
	// Problems are those of Head.
	Problems diag.List
	// Drift is what was found in the target's zone; nil if nobody looked.
	Drift *publish.Drift
	// Notes are sentences that belong to the run.
	Notes []string
	// Full says where the full report is, such as "the job summary"; "" if this
	// is all there is.
	Full string
}

// Empty tells whether there is nothing to say: no change but layout, no problem,
// no failed test, no refusal and no drift. What an earlier commit left to publish is no news.
func (c Comment) Empty() bool {
	switch {
	case len(c.Problems) > 0 || c.Drift != nil && c.Drift.Drifted:
		return false
	case c.Tests != nil && c.Tests.Failed > 0, c.Impact != nil && c.Impact.Changed():
		return false
	case c.Plan != nil && (len(c.Plan.Refusals) > 0 || c.Diff == nil && !c.Plan.Empty()):
		return false
	case c.Diff == nil:
		return true
	}
	return len(c.Diff.Project) == 0 && !slices.ContainsFunc(c.Diff.Sets, func(s manifest.SetDiff) bool {
		return s.Kind != manifest.Layout
	})
}

// Marker is the first line of a comment about the project in this folder: an
// HTML comment that no reader sees and that finds the comment again. A folder
// can't end it, since everything but letters and digits is escaped.
func Marker(project string) string {
	const longest = 300 // of a folder's name as it is; a longer one is digested
	if project == "" {
		project = "."
	}
	var b strings.Builder
	for i := range len(project) {
		switch c := project[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '/', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	id := b.String()
	if len(id) > longest {
		id = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(project)))
	}
	return "<!-- policypin:project=" + id + " -->"
}

// A tally counts what happens to the entries of a policy set.
type tally struct{ changed, added, removed, renamed, layout int }

func (t *tally) add(kind string) {
	switch kind {
	case manifest.Changed:
		t.changed++
	case manifest.Added:
		t.added++
	case manifest.Removed:
		t.removed++
	case manifest.Renamed:
		t.renamed++
	case manifest.Layout:
		t.layout++
	}
}

// words is "2 changed, 1 added", or "".
func (t tally) words() []string {
	var words []string
	for _, k := range []struct {
		n    int
		word string
	}{
		{t.changed, "changed"}, {t.added, "added"}, {t.removed, "removed"}, {t.renamed, "renamed"},
		{t.layout, "layout only"},
	} {
		if k.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", k.n, k.word))
		}
	}
	return words
}

// A setChange is all that a comment knows about one policy set.
type setChange struct {
	name, was string
	diff      *manifest.SetDiff
	plan      *publish.SetPlan
	tally     tally
}

// sets joins what the diff and the plan say, by name. Sets that neither changes
// are left out.
func (c Comment) sets() []setChange {
	byName := map[string]*setChange{}
	at := func(name string) *setChange {
		if byName[name] == nil {
			byName[name] = &setChange{name: name}
		}
		return byName[name]
	}
	if c.Diff != nil {
		for i := range c.Diff.Sets {
			d := &c.Diff.Sets[i]
			s := at(cmp.Or(d.Name, d.Unread)) // of a manifest that can't be understood, the path may be all that is known
			s.diff, s.was = d, d.Was
			for _, e := range d.Entries {
				s.tally.add(e.Kind)
			}
		}
	}
	if c.Plan != nil {
		for i := range c.Plan.Sets {
			p := &c.Plan.Sets[i]
			if byName[p.Name] == nil && p.Action == publish.Unchanged {
				continue
			}
			s := at(p.Name)
			s.plan = p
			if c.Diff == nil {
				s.was = p.Was
				for _, e := range p.Entries {
					s.tally.add(e.Change)
				}
			}
		}
	}
	all := make([]setChange, 0, len(byName))
	for _, s := range byName {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b setChange) int { return strings.Compare(a.name, b.name) })
	return all
}

// changes tells whether more than layout changes in the set.
func (s setChange) changes() bool {
	if s.diff != nil {
		return s.diff.Kind != manifest.Layout
	}
	return s.plan != nil && s.plan.Action != publish.Superseded
}

package report

import (
	"bufio"
	"bytes"
	"io"
	"runtime"
	"strings"
	"sync"

	"github.com/aymanbagabas/go-udiff"
	"github.com/policypin/policypin/manifest"
)

// A Diff is what changed between two states of a project. Set digests are not
// part of what is shown: they need every source of a set, and a diff reads only
// what changed.
type Diff struct {
	From, To Side
	manifest.Diff
}

// A Side names one of the states.
type Side struct {
	Name   string `json:"name"`   // as it was asked for
	Commit string `json:"commit"` // "" for a state that is no commit
}

// Changed tells whether anything but layout changed.
func (d Diff) Changed() bool {
	for _, s := range d.Sets {
		if s.Kind != manifest.Layout {
			return true
		}
	}
	return len(d.Project) > 0
}

// marks are what stands before a set or an entry.
var marks = map[string]string{
	manifest.Added:   "+",
	manifest.Removed: "-",
	manifest.Changed: "~",
	manifest.Renamed: ">",
	manifest.Layout:  "=",
	manifest.Unread:  "?",
}

func (s Style) mark(kind string) string {
	m := marks[kind]
	switch kind {
	case manifest.Added:
		return s.paint(sgrGreen, m)
	case manifest.Removed:
		return s.paint(sgrRed, m)
	case manifest.Changed, manifest.Renamed, manifest.Unread:
		return s.paint(sgrYellow, m)
	}
	return m
}

// DiffText writes a diff for people: project first, then each set with its
// fields and entries, Cedar as unified diffs.
func DiffText(w io.Writer, style Style, d Diff) error {
	out := bufio.NewWriterSize(w, 64<<10)
	p := &printer{w: out, style: style}
	if d.Empty() {
		p.line("no changes from %s to %s", d.From, d.To)
	} else {
		p.line("%s", style.paint(sgrBold, "from "+d.From.String()+" to "+d.To.String()))
	}
	if len(d.Project) > 0 {
		p.line("")
		p.line("%s project file", style.mark(manifest.Changed))
		p.changes("    ", d.Project)
	}
	inOrder(len(d.Sets), func(i int) []byte {
		var b bytes.Buffer
		set := &printer{w: &b, style: style}
		set.line("")
		set.set(d.Sets[i])
		return b.Bytes()
	}, func(text []byte) bool {
		if p.err == nil {
			_, p.err = out.Write(text)
		}
		return p.err == nil
	})
	if p.err != nil {
		return p.err
	}
	return out.Flush()
}

// inOrder makes n values on all cores and uses them in order, while the later
// ones are made, until use returns false. A diff of thousands of sources takes
// longer to compute than to write, and isn't held in memory.
func inOrder[T any](n int, value func(i int) T, use func(T) bool) {
	ahead := 4 * runtime.GOMAXPROCS(0)
	results := make([]chan T, n)
	for i := range results {
		results[i] = make(chan T, 1)
	}
	tickets := make(chan struct{}, ahead)
	next, stop := make(chan int), make(chan struct{})
	var workers sync.WaitGroup
	defer workers.Wait()
	defer close(stop)
	workers.Go(func() {
		defer close(next)
		for i := range n {
			select {
			case tickets <- struct{}{}:
				next <- i
			case <-stop:
				return
			}
		}
	})
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := range next {
				results[i] <- value(i)
			}
		})
	}
	for _, result := range results {
		if !use(<-result) {
			return
		}
		<-tickets
	}
}

// String names the side, with the commit where that says more.
func (s Side) String() string {
	name := Clean(s.Name)
	switch {
	case s.Commit == "":
		return name
	case strings.HasPrefix(s.Commit, s.Name):
		return s.Commit[:12]
	}
	return name + " (" + s.Commit[:12] + ")"
}

func (p *printer) set(s manifest.SetDiff) {
	if s.Kind == manifest.Unread {
		p.unread(s)
		return
	}
	head := p.style.mark(s.Kind) + " policy set " + p.style.paint(sgrBold, Clean(s.Name))
	if s.Was != "" {
		head += " (was " + Clean(s.Was) + ")"
	}
	switch {
	case s.Kind == manifest.Layout:
		head += ": layout only"
	case s.Kind == manifest.Added || s.Kind == manifest.Removed:
		head += ": " + s.Kind
	}
	p.line("%s", head)
	p.changes("    ", s.Fields)
	for _, e := range s.Entries {
		p.entry(e)
	}
}

// unread says of a set that nothing is known of what changed.
func (p *printer) unread(s manifest.SetDiff) {
	head := p.style.mark(s.Kind) + " "
	if s.Name != "" {
		head += "policy set " + p.style.paint(sgrBold, Clean(s.Name)) + ": "
	}
	p.line("%s%s can't be understood, so what changed isn't known", head, Clean(s.Unread))
}

func (p *printer) entry(e manifest.EntryDiff) {
	head := "  " + p.style.mark(e.Kind) + " " + Clean(e.Policy)
	if e.Was != "" {
		head += " (was " + Clean(e.Was) + ")"
	}
	if e.Kind == manifest.Layout {
		p.line("%s: layout only", head)
		return
	}
	p.line("%s: %s", head, e.Kind)
	p.changes("      ", e.Fields)
	for line := range strings.Lines(unified(e)) {
		p.line("      %s", p.style.diffLine(line))
	}
}

func (p *printer) changes(indent string, changes []manifest.Change) {
	for _, c := range changes {
		switch {
		case c.From == "":
			p.line("%s%s: %s", indent, Clean(c.Field), Clean(c.To))
		case c.To == "":
			p.line("%s%s: %s → (none)", indent, Clean(c.Field), Clean(c.From))
		default:
			p.line("%s%s: %s → %s", indent, Clean(c.Field), Clean(c.From), Clean(c.To))
		}
	}
}

// unified is the difference of an entry's Cedar, "" if it isn't by source on
// either side or the text is equal. Line ends are not part of it: CRLF would
// show every line as changed.
func unified(e manifest.EntryDiff) string {
	from, to := strings.ReplaceAll(e.FromText, "\r\n", "\n"), strings.ReplaceAll(e.ToText, "\r\n", "\n")
	return udiff.Unified(side(e.FromFile, from), side(e.ToFile, to), from, to)
}

// side is the file name in the head of a unified diff.
func side(file, text string) string {
	switch {
	case file != "":
		return file
	case text != "":
		return "(zone)"
	}
	return "/dev/null"
}

type diffJSON struct {
	Schema  int           `json:"schema"`
	From    Side          `json:"from"`
	To      Side          `json:"to"`
	Changed bool          `json:"changed"`
	Project []changeJSON  `json:"project"`
	Sets    []setDiffJSON `json:"sets"`
}

type changeJSON struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

type setDiffJSON struct {
	Set     string          `json:"set"`
	Was     string          `json:"was"`
	Kind    string          `json:"kind"`
	Unread  string          `json:"unread"`
	Fields  []changeJSON    `json:"fields"`
	Entries []entryDiffJSON `json:"entries"`
}

type entryDiffJSON struct {
	Policy   string       `json:"policy"`
	Was      string       `json:"was"`
	Kind     string       `json:"kind"`
	FromFile string       `json:"from_file"`
	ToFile   string       `json:"to_file"`
	Fields   []changeJSON `json:"fields"`
	Diff     string       `json:"diff"`
}

// DiffJSON writes a diff as JSON.
func DiffJSON(w io.Writer, d Diff) error {
	doc := diffJSON{
		Schema: Schema, From: d.From, To: d.To, Changed: d.Changed(),
		Project: changesJSON(d.Project), Sets: []setDiffJSON{},
	}
	inOrder(len(d.Sets), func(i int) setDiffJSON {
		s := d.Sets[i]
		set := setDiffJSON{
			Set: s.Name, Was: s.Was, Kind: s.Kind, Unread: s.Unread, Fields: changesJSON(s.Fields), Entries: []entryDiffJSON{},
		}
		for _, e := range s.Entries {
			set.Entries = append(set.Entries, entryDiffJSON{
				Policy: e.Policy, Was: e.Was, Kind: e.Kind, FromFile: e.FromFile, ToFile: e.ToFile,
				Fields: changesJSON(e.Fields), Diff: unified(e),
			})
		}
		return set
	}, func(set setDiffJSON) bool {
		doc.Sets = append(doc.Sets, set)
		return true
	})
	return JSON(w, doc)
}

func changesJSON(changes []manifest.Change) []changeJSON {
	out := []changeJSON{}
	for _, c := range changes {
		out = append(out, changeJSON(c))
	}
	return out
}

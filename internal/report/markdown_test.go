package report

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/manifest"
)

var update = flag.Bool("update", false, "rewrite golden files")

// golden compares with a file of testdata, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", name, got)
	}
}

func render(t testing.TB, c Comment, budget int) string {
	t.Helper()
	var b strings.Builder
	if err := Markdown(&b, c, budget); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// hostile are pieces that mean something to GitHub, to a terminal, to the runner
// or to a reader of Markdown.
var hostile = []string{
	"@team", "@org/team", "#1", "GH-1", "owner/repo#1", "http://evil.example", "https://evil.example/a?b=c", "www.evil.example",
	"ftp://evil.example", "a@evil.example", "mailto:a@evil.example", "xmpp:a@evil.example", ":tada:", ":+1:",
	"<img src=x onerror=alert(1)>", "<!--", "-->", "<script>", "</details>", "<details open>", "</summary>", "</code>", "<https://evil.example>",
	"![x](http://evil.example/x.png)", "[x](javascript:alert(1))", "[x]: http://evil.example", "[^1]", "[x]",
	"|", `\|`, `\`, `\\`, "``", "`", "```", "````", "~~~~", "~~x~~", "**x**", "__x__", "*", "_", "$x$", "$$", "$`x`$",
	"\n", "\r\n", "\n\n", "\n```\n", "\n~~~\n", "\n# x\n", "\n- x\n", "\n1. x\n", "\n    x\n", "\n---\n", "\n===\n", "\n> [!NOTE]\n", "\n</details>\n\n",
	"\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\x1b[31m", "\x00", "\xff", "\t", " ", "  ", "\u00a0",
	"::error::x", "##[error]x", "::stop-commands::x", "%0A", "{0}",
	"deadbeef", "0123456789abcdef0123456789abcdef01234567", "&lt;", "&#64;team", "&nbsp;", `"`, `"quoted text`, "'", "(", ")", ":", ";", "1.", "2)", "- [ ] x", "+", "#", "##",
	"00", "agents", "finance-read", "permit(principal, action, resource);", "a", "v3", "→", "…",
}

// A generator makes values out of hostile pieces.
type generator struct{ *rand.Rand }

func (g generator) text() string {
	var b strings.Builder
	for range g.IntN(6) {
		b.WriteString(hostile[g.IntN(len(hostile))])
	}
	if g.IntN(40) == 0 {
		b.WriteString(strings.Repeat(hostile[g.IntN(len(hostile))], g.IntN(5000)))
	}
	return b.String()
}

func (g generator) kind() string {
	return []string{manifest.Added, manifest.Removed, manifest.Changed, manifest.Renamed, manifest.Layout, manifest.Unread}[g.IntN(6)]
}

func (g generator) changes(most int) []manifest.Change {
	var list []manifest.Change
	for range g.IntN(most) {
		list = append(list, manifest.Change{Field: g.text(), From: g.text(), To: g.text()})
	}
	return list
}

func (g generator) problems(most int) diag.List {
	var list diag.List
	for range g.IntN(1 + g.IntN(most)) {
		list.Add(diag.Problem{
			Position: diag.Position{File: g.text(), Line: g.IntN(3), Column: g.IntN(3)},
			Severity: diag.Severity(g.IntN(2)), Rule: g.text(), Message: g.text(), Fix: g.text(),
		})
	}
	return list
}

func (g generator) comment(entries int) Comment {
	c := Comment{
		Project: g.text(), Target: g.text(), Tool: g.text(), Command: g.text(), Full: g.text(), OnMerge: g.IntN(2) == 0,
		Base: Side{Name: g.text()}, Head: Side{Name: g.text(), Commit: strings.Repeat("0a", 20)},
	}
	c.Problems = g.problems(200)
	for range g.IntN(1 + g.IntN(30)) {
		c.Notes = append(c.Notes, g.text())
	}
	if g.IntN(4) > 0 {
		c.Diff = &manifest.Diff{Project: g.changes(1 + g.IntN(100))}
		for i := 0; i < entries; {
			s := manifest.SetDiff{Name: fmt.Sprint(g.text(), i), Was: g.text(), Kind: g.kind(), Unread: g.text(), Fields: g.changes(4), To: manifest.Digest{1}}
			for range 1 + g.IntN(entries) {
				i++
				s.Entries = append(s.Entries, manifest.EntryDiff{
					Policy: g.text(), Was: g.text(), Kind: g.kind(), Fields: g.changes(3),
					FromText: g.text() + "\n" + g.text(), ToText: g.text() + "\n" + g.text(), FromFile: g.text(), ToFile: g.text(),
				})
			}
			c.Diff.Sets = append(c.Diff.Sets, s)
		}
	}
	if g.IntN(2) == 0 {
		c.Drift = &publish.Drift{Target: g.text(), Drifted: true}
		for range g.IntN(50) {
			c.Drift.Findings = append(c.Drift.Findings, publish.Finding{Kind: g.text(), Set: g.text(), Message: g.text(), Information: g.IntN(3) == 0})
		}
	}
	if g.IntN(2) == 0 {
		c.Plan = g.plan(entries)
	}
	switch g.IntN(4) {
	case 0:
		c.NoImpact = g.text()
	case 1, 2:
		c.Impact = g.impact(1 + entries/4)
		for range g.IntN(1 + entries) {
			c.Since = append(c.Since, publish.Since{Set: g.text(), What: g.text()})
		}
	}
	if g.IntN(2) == 0 {
		c.Tests = g.tests(1 + entries/2)
	}
	return c
}

func (g generator) plan(entries int) *publish.Plan {
	p := &publish.Plan{Target: g.text(), ZoneID: g.text(), Offline: g.IntN(2) == 0, Digest: g.text()}
	actions := []string{publish.Create, publish.Update, publish.Adopt, publish.Unchanged, publish.Superseded}
	for range g.IntN(20) {
		s := publish.SetPlan{Name: g.text(), Was: g.text(), SetDigest: g.text(), Action: actions[g.IntN(5)], Reason: g.text(), Version: g.IntN(3)}
		for range g.IntN(entries + 1) {
			s.Entries = append(s.Entries, publish.EntryPlan{Policy: g.text(), Change: g.kind(), Source: g.text(), From: g.IntN(3), To: g.IntN(3), Reused: g.IntN(2) == 0})
			p.Steps = append(p.Steps, publish.Step{Text: g.text()})
		}
		p.Sets = append(p.Sets, s)
	}
	for range g.IntN(1 + g.IntN(30)) {
		p.Notes = append(p.Notes, g.text())
		p.Refusals = append(p.Refusals, &publish.Refusal{Message: g.text(), Hint: g.text()})
	}
	for range g.IntN(1 + g.IntN(60)) {
		p.Gates = append(p.Gates, publish.GateResult{
			Gate: g.text(), Set: g.text(), Reason: g.text(), Label: g.text(),
			State: []string{publish.GatePassed, publish.GateRefused, publish.GateNotChecked, g.text()}[g.IntN(4)],
		})
	}
	if g.IntN(2) == 0 {
		p.Activate = &publish.Activation{Set: g.text(), ReplacesVersionID: g.text(), ReplacesSet: g.text(), Done: g.IntN(3) == 0}
	}
	return p
}

// Whatever a comment holds, the page fits, is balanced, and has no markup but
// ours.
func TestMarkdownOfHostileText(t *testing.T) {
	rounds := 120
	if testing.Short() {
		rounds = 50
	}
	for seed := range rounds {
		g := generator{rand.New(rand.NewPCG(uint64(seed), 7))}
		entries := 1 + g.IntN(60)
		c := g.comment(entries)
		budget := MinBudget + g.IntN(CommentBudget)
		if !harmless(t, render(t, c, budget), budget) {
			t.Fatalf("seed %d, budget %d", seed, budget)
		}
	}
}

// The same for what no pull request should have, and for the full report.
func TestMarkdownOfManyChanges(t *testing.T) {
	for seed, tt := range []struct{ budget, entries int }{
		{MinBudget, 300}, {CommentBudget, 10_000}, {SummaryBudget, 1000}, {100 << 20, 300},
	} {
		budget := tt.budget
		g := generator{rand.New(rand.NewPCG(uint64(seed), 11))}
		c := g.comment(tt.entries)
		for c.Diff == nil {
			c = g.comment(tt.entries)
		}
		page := render(t, c, budget)
		if !harmless(t, page, budget) {
			t.Fatalf("budget %d", budget)
		}
		want := 0
		for _, s := range c.Diff.Sets {
			for _, e := range s.Entries {
				if e.Kind != manifest.Layout {
					want++
				}
			}
		}
		left := 0
		if m := regexp.MustCompile(`(?m)^… (\d+) more entr`).FindStringSubmatch(page); m != nil {
			fmt.Sscan(m[1], &left)
		}
		shown := 0
		if rows := tables(page); len(rows) > 0 {
			shown = rows[0]
		}
		if left == want {
			shown = 0 // the first table is that of the digests
		}
		if shown+left != want {
			t.Errorf("budget %d: %d entries are shown and %d left out of %d", budget, shown, left, want)
		}
	}
}

// reader reads Markdown as GitHub does.
var reader = goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote))

func parse(page string) ast.Node { return reader.Parser().Parse(text.NewReader([]byte(page))) }

// tables counts the rows of each table.
func tables(page string) []int {
	var rows []int
	_ = ast.Walk(parse(page), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if n.Kind() == extast.KindTable && entering {
			rows = append(rows, n.ChildCount()-1)
		}
		return ast.WalkContinue, nil
	})
	return rows
}

var (
	markerLine  = regexp.MustCompile(`^<!-- policypin:project=[A-Za-z0-9%._/:]+ -->\n$`)
	summaryLine = regexp.MustCompile(`^<details><summary>(?:[A-Za-z0-9 ,·+−./()…-]|<code>(?:[^<>&"']|&(?:lt|gt|amp|#34|#39);)*</code>)*</summary>\n$`)
	detailsEnd  = regexp.MustCompile(`^</details>\n$`)
	// bare is what may stand outside of code: nothing that GitHub could turn into
	// a mention, a reference, a link or a picture.
	bare = regexp.MustCompile(`^[A-Za-z0-9 '’→—…·,.;:()-]*$`)
)

// harmless holds a page to what any page must be.
func harmless(t *testing.T, page string, budget int) bool {
	t.Helper()
	ok := true
	bad := func(format string, args ...any) {
		t.Helper()
		t.Errorf(format, args...)
		ok = false
	}
	if len(page) > budget {
		bad("the page has %d bytes, the budget is %d", len(page), budget)
	}
	if !utf8.ValidString(page) {
		bad("the page isn't UTF-8")
	}
	for _, r := range page {
		if r != '\n' && r != '\t' && hazardous(r, utf8.RuneLen(r)) {
			bad("the page has the character %U", r)
		}
	}
	if !strings.HasPrefix(page, "<!-- policypin:project=") {
		bad("the page doesn't begin with its marker")
	}
	source := []byte(page)
	open, blocks, last := 0, 0, ""
	lines := func(n ast.Node) string {
		var b bytes.Buffer
		for i := range n.Lines().Len() {
			seg := n.Lines().At(i)
			b.Write(seg.Value(source))
		}
		return b.String()
	}
	err := ast.Walk(parse(page), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		if n.Parent() != nil && n.Parent().Kind() == ast.KindDocument {
			last = lines(n)
		}
		switch n := n.(type) {
		case *ast.CodeSpan:
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			if text := string(n.Value(source)); !bare.MatchString(text) {
				bad("bare text %q", text)
			}
		case *ast.HTMLBlock:
			blocks++
			html := lines(n)
			switch {
			case markerLine.MatchString(html) && blocks == 1:
			case summaryLine.MatchString(html):
				open++
			case detailsEnd.MatchString(html):
				open--
			default:
				bad("HTML %q", html)
			}
			if open < 0 || open > 1 {
				bad("details are nested or closed twice: %q", html)
			}
		case *ast.Heading:
			if n.Level != 3 && n.Level != 4 || n.Parent().Kind() != ast.KindDocument {
				bad("a heading of level %d", n.Level)
			}
		case *ast.List:
			if n.Parent().Kind() != ast.KindDocument {
				bad("a list within a %s", n.Parent().Kind())
			}
		case *extast.Table:
			for row := n.FirstChild(); row != nil; row = row.NextSibling() {
				if row.ChildCount() != n.FirstChild().ChildCount() {
					bad("a row of %d cells in a table of %d", row.ChildCount(), n.FirstChild().ChildCount())
				}
			}
		case *ast.Emphasis:
			if n.Level != 2 {
				bad("emphasis of level %d", n.Level)
			}
		case *ast.Document, *ast.Paragraph, *ast.TextBlock, *ast.ListItem, *ast.FencedCodeBlock,
			*extast.TableHeader, *extast.TableRow, *extast.TableCell:
		default:
			bad("a %s", n.Kind())
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		bad("%v", err)
	}
	if open != 0 || last != "</details>\n" {
		bad("%d details are open at the end, which is %q", open, last)
	}
	return ok
}

// FuzzMarkdown puts one text everywhere.
func FuzzMarkdown(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
		f.Add("a" + text + "b " + text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 500 {
			return // longer ones are slow to read back, and the tests above have them
		}
		change := []manifest.Change{{Field: text, From: text, To: text}}
		c := Comment{
			Project: text, Target: text, Tool: text, Command: text, Full: text, Notes: []string{text},
			Base: Side{Name: text}, Head: Side{Commit: text},
			Problems: diag.List{{Position: diag.Position{File: text}, Rule: text, Message: text, Fix: text}},
			Diff: &manifest.Diff{Project: change, Sets: []manifest.SetDiff{{
				Name: text, Was: text, Kind: manifest.Changed, Fields: change, Entries: []manifest.EntryDiff{
					{Policy: text, Was: text, Kind: manifest.Changed, Fields: change, FromText: text, ToText: text + "\n" + text, FromFile: text, ToFile: text},
				},
			}}},
			Drift: &publish.Drift{Target: text, Drifted: true, Findings: []publish.Finding{{Kind: text, Set: text, Message: text}}},
			Plan: &publish.Plan{
				Target: text, ZoneID: text, Digest: text, Notes: []string{text}, Steps: []publish.Step{{Text: text}},
				Sets:     []publish.SetPlan{{Name: text, Action: publish.Superseded, Reason: text, SetDigest: text}},
				Activate: &publish.Activation{Set: text, ReplacesVersionID: text, ReplacesSet: text},
				Refusals: publish.Refusals{{Message: text, Hint: text}},
				Gates:    []publish.GateResult{{Gate: text, Set: text, Reason: text, State: text, Label: text}},
			},
			Impact: impactOf(text), Since: []publish.Since{{Set: text, What: text}}, Tests: testsOf(text),
		}
		harmless(t, render(t, c, MinBudget), MinBudget)
		c.Problems, c.Impact, c.NoImpact = nil, nil, text
		harmless(t, render(t, c, CommentBudget), CommentBudget)
	})
}

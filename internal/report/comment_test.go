package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	ghtml "github.com/yuin/goldmark/renderer/html"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/impact"
	"github.com/policypin/policypin/internal/policytest"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/manifest"
)

// sample is a comment as a team would see it.
func sample() Comment {
	const before = `permit (
  principal in Group::"finance",
  action in [Action::"read", Action::"list"],
  resource in Ledger::"main"
);
`
	after := strings.Replace(before, `[Action::"read", Action::"list"]`, `[Action::"read", Action::"list", Action::"export"]`, 1)
	after = strings.Replace(after, "\n);", "\n)\nwhen { context.mfa };", 1)
	refunds := strings.NewReplacer("finance", "support-leads", `Action::"read", Action::"list"`, `Action::"refund"`).Replace(before)
	return Comment{
		Target: "production", OnMerge: true, Tool: "v0.4.0",
		Base:    Side{Name: "main", Commit: "3f1c9a7be2d04568a1b7c6d5e4f30918273645af"},
		Head:    Side{Name: "HEAD", Commit: "b04d1e86f7a93c25d8e1f0a2b3c4d5e6f7089a1b"},
		Command: "policypin plan --format markdown --target production --rev b04d1e86f7a93c25d8e1f0a2b3c4d5e6f7089a1b --offline --base 3f1c9a7be2d04568a1b7c6d5e4f30918273645af",
		Diff: &manifest.Diff{
			Project: []manifest.Change{{Field: "gates.max_removed_entries", From: "3", To: "10"}},
			Sets: []manifest.SetDiff{{Name: "agents", Kind: manifest.Changed, Entries: []manifest.EntryDiff{
				{Policy: "finance-ledger", Kind: manifest.Changed, FromFile: "policies/finance-ledger.cedar", ToFile: "policies/finance-ledger.cedar", FromText: before, ToText: after},
				{Policy: "default-user-grants", Kind: manifest.Changed, Fields: []manifest.Change{{Field: "version", From: "3", To: "4"}}},
				{Policy: "support-refunds", Kind: manifest.Added, ToFile: "policies/support-refunds.cedar", ToText: refunds,
					Fields: []manifest.Change{{Field: "source", To: "policies/support-refunds.cedar"}, {Field: "description", To: "Leads may refund."}}},
			}}},
		},
		Impact: sampleImpact(),
		Tests:  &policytest.Report{Passed: 12, Cases: slices.Repeat([]policytest.Result{{Status: policytest.Passed}}, 12), Sets: []policytest.SetReport{{Set: "agents", Cases: 12}}},
		Problems: diag.List{{
			Position: diag.Position{File: "policies/old-contractors.cedar"}, Severity: diag.Warning, Rule: "unused-source",
			Message: "no policy set names this source", Fix: "name it in a manifest, or remove it",
		}},
		Plan: &publish.Plan{
			Offline: true, Target: "production", ZoneID: "zone_prd",
			Sets: []publish.SetPlan{{
				Name: "agents", Action: publish.Update, Pinned: 12, Version: 13,
				SetDigest: "b71c4e09d2a35f8867c1e0b94fa2d3356b8810c7f4ae9d21530c6eb87f1d4a92",
			}},
			Notes: []string{"offline: the zone was not asked, so its state and the gates that need it are not checked"},
		},
	}
}

func sampleImpact() *impact.Report {
	ref := func(policy string, from bool) []impact.Ref {
		return []impact.Ref{{Policy: policy, From: from, Effect: "permit", Position: diag.Position{File: "policies/" + policy + ".cedar", Line: 1, Column: 1}}}
	}
	const user = `{"uid":{"type":"User","id":"other"},"attrs":{},"parents":[{"type":"Group","id":"%s"}]}`
	example := func(group, action, context string) impact.Example {
		mfa := strings.TrimSuffix(strings.TrimPrefix(context, `{"mfa":`), "}")
		return impact.Example{
			Facts:    []string{`principal in Group::"` + group + `"`, "context.mfa == " + mfa},
			Request:  json.RawMessage(`{"principal":{"type":"User","id":"other"},"action":{"type":"Action","id":"` + action + `"},"resource":{"type":"Ledger","id":"main"},"context":` + context + `}`),
			Entities: json.RawMessage("[" + fmt.Sprintf(user, group) + "]"),
		}
	}
	export := example("finance", "export", `{"mfa":true}`)
	export.To = impact.Verdict{Allow: true, Determining: ref("finance-ledger", false)}
	refund := example("support-leads", "refund", `{"mfa":false}`)
	refund.Facts = refund.Facts[:1] // its policy doesn't ask for more
	refund.To = impact.Verdict{Allow: true, Determining: ref("support-refunds", false)}
	read, list := example("finance", "read", `{"mfa":false}`), example("finance", "list", `{"mfa":false}`)
	for _, e := range []*impact.Example{&read, &list} {
		e.From = impact.Verdict{Allow: true, Determining: ref("finance-ledger", true)}
	}
	finding := func(kind impact.Kind, cause []impact.Ref, count int, common []string, examples ...impact.Example) impact.Finding {
		f := impact.Finding{Kind: kind, Cause: cause, Count: count, Examples: examples, Principals: []string{"User"}, Resources: []string{"Ledger"}}
		for _, e := range examples {
			action := strings.Split(string(e.Request), `"type":"Action","id":`)[1]
			f.Actions = append(f.Actions, "Action::"+action[:strings.Index(action, "}")])
		}
		f.Common = append(common, `resource == Ledger::"main"`)
		return f
	}
	return &impact.Report{Sets: []impact.SetReport{{
		Set: "agents", Kind: manifest.Changed, Requests: 168,
		Findings: []impact.Finding{
			finding(impact.Widened, ref("finance-ledger", false), 8, []string{`principal in Group::"finance"`, "context.mfa == true"}, export),
			finding(impact.Widened, ref("support-refunds", false), 12, []string{`principal in Group::"support-leads"`}, refund),
			finding(impact.Narrowed, ref("finance-ledger", true), 4, []string{`principal in Group::"finance"`, "context.mfa == false"}, read, list),
		},
		Uncovered: []impact.Uncovered{{
			Position: diag.Position{File: "policy-sets/agents.yaml", Line: 9, Column: 5},
			Reason:   "policy default-user-grants has no source in the repository that could be read, and it changes",
		}},
	}}}
}

// css makes the page look like a comment on GitHub.
const css = `body{margin:0;padding:24px;background:#fff;font:14px/1.5 -apple-system,"Segoe UI","Noto Sans","Liberation Sans",Helvetica,Arial,sans-serif;color:#1f2328}
.box{width:860px;border:1px solid #d1d9e0;border-radius:6px}
.by{padding:8px 16px;background:#f6f8fa;border-bottom:1px solid #d1d9e0;border-radius:6px 6px 0 0;color:#59636e}
.by b{color:#1f2328}.bot{border:1px solid #d1d9e0;border-radius:2em;padding:0 6px;font-size:12px}
.text{padding:16px}h3{font-size:20px;margin:0 0 16px}h4{font-size:14px;margin:24px 0 16px}
code{background:#818b981f;border-radius:6px;padding:.2em .4em;font:85% "DejaVu Sans Mono",monospace}
pre{background:#f6f8fa;border-radius:6px;padding:16px;overflow:hidden;margin:8px 0 16px}pre code{background:none;padding:0;display:block;line-height:1.5}
ul{padding-left:2em;margin:0 0 16px}p{margin:0 0 16px}details{margin-bottom:8px}
table{border-collapse:collapse;margin-bottom:16px}th,td{border:1px solid #d1d9e0;padding:6px 13px;text-align:left}
.add{background:#dafbe1;display:block}.del{background:#ffebe9;display:block}.at{color:#8250df;display:block}.same{display:block}`

// page is the sample as HTML, with the first diff unfolded, for
// docs/images/make.sh.
func page(t *testing.T, markdown string) string {
	t.Helper()
	var b bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(ghtml.WithUnsafe()))
	if err := md.Convert([]byte(markdown), &b); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(b.String(), "<details><summary><code>agents</code> / <code>finance", "<details open><summary><code>agents</code> / <code>finance", 1)
	var out strings.Builder
	diff := false
	for line := range strings.Lines(text) {
		const begin = `<pre><code class="language-diff">`
		head := ""
		if rest, ok := strings.CutPrefix(line, begin); ok {
			diff, head, line = true, begin, rest
		}
		if strings.HasPrefix(line, "</code>") {
			diff = false
		}
		class := map[byte]string{'+': "add", '-': "del", '@': "at", ' ': "same"}[line[0]]
		if diff && class != "" {
			line = `<span class="` + class + `">` + strings.TrimSuffix(line, "\n") + "</span>"
		}
		out.WriteString(head + line)
	}
	return "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>" + html.EscapeString("policypin") + "</title>\n<style>\n" + css + "\n</style>\n" +
		"<div class=\"box\"><div class=\"by\"><b>github-actions</b> <span class=\"bot\">bot</span> commented</div><div class=\"text\">\n" +
		out.String() + "</div></div>\n"
}

// TestSampleComment keeps a comment in every detail, as Markdown and as the page
// that docs/images/make.sh makes a picture of.
func TestSampleComment(t *testing.T) {
	text := render(t, sample(), CommentBudget)
	if !harmless(t, text, CommentBudget) {
		t.Error("the sample isn't harmless")
	}
	golden(t, "testdata/comment.md", text)
	golden(t, "testdata/comment.html", page(t, text))
}

func TestVerdict(t *testing.T) {
	set := func(name, kind string, entries ...string) manifest.SetDiff {
		s := manifest.SetDiff{Name: name, Kind: kind}
		for _, k := range entries {
			s.Entries = append(s.Entries, manifest.EntryDiff{Policy: "p", Kind: k})
		}
		return s
	}
	diff := func(sets ...manifest.SetDiff) *manifest.Diff { return &manifest.Diff{Sets: sets} }
	agents := set("agents", manifest.Changed, manifest.Changed, manifest.Changed, manifest.Added)
	plan := func(sets ...publish.SetPlan) *publish.Plan { return &publish.Plan{Target: "production", Sets: sets} }
	update := publish.SetPlan{Name: "agents", Action: publish.Update, Version: 13}
	tests := []struct {
		name    string
		comment Comment
		heading string
		empty   bool
	}{
		{"nothing", Comment{Diff: diff()}, "No policy changes", true},
		{"nothing in a folder", Comment{Diff: diff(), Project: "teams/a"}, "No policy changes in `teams/a`", true},
		{"one set without a plan", Comment{Diff: diff(agents)}, "`agents`: 2 changed, 1 added", false},
		{"one set with a plan", Comment{Diff: diff(agents), Plan: plan(update), OnMerge: true}, "`agents`: 2 changed, 1 added → v13 on merge", false},
		{"a plan for somebody who publishes", Comment{Diff: diff(agents), Plan: plan(update)}, "`agents`: 2 changed, 1 added → v13 when published", false},
		{"layout is no change", Comment{Diff: diff(set("agents", manifest.Layout, manifest.Layout))}, "No policy changes", true},
		{"two sets", Comment{Diff: diff(agents, set("b", manifest.Added))}, "2 policy sets change", false},
		{"a renamed set", Comment{Diff: diff(manifest.SetDiff{Name: "b", Was: "a", Kind: manifest.Renamed})}, "`b`: was `a`", false},
		{"a removed set", Comment{Diff: diff(set("b", manifest.Removed, manifest.Removed))}, "`b`: removed with 1 entry", false},
		{"a manifest that can't be understood", Comment{Diff: diff(manifest.SetDiff{Name: "b", Kind: manifest.Unread, Unread: "sets/b.yaml"})},
			"`b`: what changes isn't known, since `sets/b.yaml` can't be understood", false},
		{"one of no known set", Comment{Diff: diff(manifest.SetDiff{Kind: manifest.Unread, Unread: "sets/b.yaml"})},
			"`sets/b.yaml` can't be understood, so what changes isn't known", false},
		{"another schema", Comment{Diff: diff(manifest.SetDiff{Name: "b", Kind: manifest.Changed, Fields: []manifest.Change{{Field: "schema_version", From: "1", To: "2"}}})},
			"`b`: `schema_version` `1` → `2`", false},
		{"a project file", Comment{Diff: &manifest.Diff{Project: []manifest.Change{{Field: "f", To: "x"}}}}, "The project file changes, no policy does", false},
		{"a project file, and what earlier commits left", Comment{
			Diff: &manifest.Diff{Project: []manifest.Change{{Field: "f", To: "x"}}}, Plan: plan(update), OnMerge: true, Impact: &impact.Report{},
		}, "The project file changes, no policy does", false},
		{"problems come first", Comment{Diff: diff(agents), Problems: diag.List{{}, {Severity: diag.Warning}}}, "1 error, 1 warning: nothing can be published", false},
		{"warnings don't", Comment{Diff: diff(agents), Problems: diag.List{{Severity: diag.Warning}}}, "`agents`: 2 changed, 1 added", false},
		{"a refusal", Comment{Diff: diff(agents), Plan: &publish.Plan{Refusals: publish.Refusals{{Message: "no"}}}}, "Publishing is refused, for 1 reason", false},
		{"superseded", Comment{Diff: diff(), Plan: plan(publish.SetPlan{Name: "agents", Action: publish.Superseded, Reason: "main says something else"})},
			"No policy changes", true},
		{"what earlier commits left", Comment{Diff: diff(), Plan: plan(update), OnMerge: true}, "`agents`: no change here → v13 on merge, from earlier commits", true},
		{"one set of two that are planned", Comment{Diff: diff(agents), Plan: plan(update, publish.SetPlan{Name: "b", Action: publish.Create, Version: 1})},
			"1 policy set changes", false},
		{"a plan alone", Comment{Plan: plan(publish.SetPlan{Name: "agents", Action: publish.Create, Version: 1, Entries: []publish.EntryPlan{{Change: manifest.Added}}})},
			"`agents`: 1 added → v1 when published", true},
		{"drift", Comment{Diff: diff(), Drift: &publish.Drift{Drifted: true, Findings: []publish.Finding{{Kind: "unpublished"}}}}, "No policy changes · drift found", false},
		{"no drift", Comment{Diff: diff(), Drift: &publish.Drift{}}, "No policy changes", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, rest, _ := strings.Cut(render(t, tt.comment, CommentBudget), "\n### ")
			if got, _, _ := strings.Cut(rest, "\n"); got != tt.heading {
				t.Errorf("got %q, want %q", got, tt.heading)
			}
			if got := tt.comment.Empty(); got != tt.empty {
				t.Errorf("Empty: got %v, want %v", got, tt.empty)
			}
		})
	}
}

// Who reads a refusal on a pull request has no command line, but can set a label.
func TestRefusalNamesItsLabel(t *testing.T) {
	c := Comment{Plan: &publish.Plan{Target: "production", Refusals: publish.Refusals{
		{Message: "more is allowed", Hint: "say so", Gate: "widened", Label: "policypin/widened@abc"}, {Message: "no", Hint: "try again"},
	}}, Diff: &manifest.Diff{}}
	const with = "- more is allowed. To go on: say so, or on the pull request with the label `policypin/widened@abc`, set by somebody else with write access\n"
	if text := render(t, c, CommentBudget); strings.Contains(text, with) {
		t.Errorf("no pull request is about this:\n%s", text)
	}
	c.OnMerge = true
	if text := render(t, c, CommentBudget); !strings.Contains(text, with) || !strings.Contains(text, "- no. To go on: try again\n") {
		t.Errorf("got\n%s", text)
	}
}

// What decides where things go is read before all else, and a table that is cut
// says so.
func TestOrderAndCounts(t *testing.T) {
	c := sample()
	c.Problems.Errorf(diag.Position{File: "a.yaml", Line: 1}, "r", "broken")
	c.Drift = &publish.Drift{Target: "production", Findings: []publish.Finding{{Kind: "unpublished", Set: "agents", Message: "m"}}}
	text := render(t, c, CommentBudget)
	at := 0
	for _, piece := range []string{
		"<!-- policypin:project=. -->\n### 1 error", "#### The project file changes", "- `agents`: 2 changed", "#### Problems", "- **error** `a.yaml:1`",
		"- **warning**", "| policy | change |", "<details><summary><code>agents", "#### Drift in `production`", "#### Notes", "base <code>3f1c9a7be2d0</code>",
		"head <code>b04d1e86f7a9</code>", "policypin <code>v0.4.0</code>", "| `agents` | `b71c", "```sh\npolicypin plan",
	} {
		i := strings.Index(text[at:], piece)
		if i < 0 {
			t.Fatalf("%q is missing or too early in:\n%s", piece, text)
		}
		at += i
	}
	for range 5000 {
		c.Notes = append(c.Notes, "a note")
	}
	c.Full = "the job summary"
	text = render(t, c, CommentBudget)
	if !strings.Contains(text, "more notes are left out.") || !strings.Contains(text, "The full report is in the job summary.") {
		t.Errorf("nothing says what is left out:\n%s", text[len(text)-1000:])
	}
	if full := render(t, c, SummaryBudget); strings.Contains(full, "left out") || len(full) < len(text) {
		t.Error("the full report leaves something out")
	}
}

// A diff that is too long is cut at a line, within its fence, and with a count.
func TestLongDiffIsCut(t *testing.T) {
	c := sample()
	c.Diff.Sets[0].Entries[0].ToText = strings.Repeat("```\n// a line of a long source\n", 20_000)
	text := render(t, c, CommentBudget)
	if !harmless(t, text, CommentBudget) || !strings.Contains(text, "more lines of this diff are left out.\n\n</details>") {
		t.Errorf("got:\n%s", text[len(text)-3000:])
	}
	if !strings.Contains(text, "+permit (\n+  principal in Group::\"support-leads\"") {
		t.Error("the long diff takes the place of the next one")
	}
}

func TestMarker(t *testing.T) {
	seen := map[string]string{}
	for _, project := range []string{".", "a", "a/b", "a%2Fb", "-->", "a b", strings.Repeat("x", 400), strings.Repeat("x", 401), "é"} {
		got := Marker(project)
		if !markerLine.MatchString(got + "\n") {
			t.Errorf("%q: got %q", project, got)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q have the marker %q", project, other, got)
		}
		seen[got] = project
	}
	if Marker("") != Marker(".") {
		t.Error("the root has two markers")
	}
}

func TestProse(t *testing.T) {
	c := clip{name: 100, text: 200}
	tests := []struct{ name, text, want string }{
		{"words stay bare", "the zone isn't asked, v3 is read-only.", "the zone isn't asked, v3 is read-only."},
		{"names become code", `unknown key "zone id" in policies/a.cedar: fix it`, "unknown key `\"zone id\"` in `policies/a.cedar`: fix it"},
		{"names in backticks too", "unknown type `Usr`", "unknown type `Usr`"},
		{"a call is one word", "write permit(…).", "write `permit(…)`."},
		{"parentheses stay outside", "it failed (see #1)", "it failed (see `#1`)"},
		{"mentions", "thanks @team, bye", "thanks `@team`, bye"},
		{"hashes", "commit deadbeef1 and 1234567", "commit `deadbeef1` and `1234567`"},
		{"no list begins", "1. x", "`1`. x"},
		{"backticks", "a ```` b", "a ````` ```` ````` b"},
		{"line ends", "a\nb", "`a\\nb`"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := c.prose(tt.text); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	if got, want := (clip{text: 5}).prose("ab cé and more"), "ab c… (10 characters more)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

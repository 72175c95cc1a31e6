package e2e_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/policypin/policypin/internal/gittest"
)

// attacks are texts that would be executed, mentioned, linked or rendered where
// somebody forgot what they are.
var attacks = []string{
	"::error::pwned", "::add-mask::x", "::set-env name=PATH::/evil", "##[error]pwned", "##[add-mask]x", "%0A::error::pwned",
	"```", "````` sh", "~~~", "@acme/everybody", "#1", "acme/policies#1", "GH-1", "<img src=http://evil.example/x>", "<details>",
	"</summary>", "<!-- policypin -->", "-->", "a|b", "[x](http://evil.example)", "![x](http://evil.example)", "https://evil.example",
	"\u202e\u2066bidi", "\u200bzero", "\x1b[31mred", "changed=evil", "ghadelimiter_x",
}

// comments puts the attacks into Cedar's comments, each at the start of a line
// and behind the spaces that a diff allows.
func comments() string {
	var b strings.Builder
	for _, a := range attacks {
		a = strings.Map(func(r rune) rune { // Cedar sources have neither, and say so
			if unicode.Is(unicode.Cf, r) || unicode.IsControl(r) {
				return -1
			}
			return r
		}, a)
		fmt.Fprintf(&b, "// x\n//%s\n// %s\n", a, a)
	}
	return b.String()
}

// TestActionInjection looks at every byte that leaves: the log as the runner
// reads it, outputs, the summary and the comment.
func TestActionInjection(t *testing.T) {
	t.Parallel()
	cases := map[string]map[string]string{
		// Cedar text in a diff.
		"cedar": {"policies/agent.cedar": "@note(\"" + strings.Join([]string{"::error::pwned", "##[error]pwned", "```", "@acme/everybody", "<img>", "|"}, " ") + "\")\n" + comments() + policy("all")},
		// Names of policies, sets and files, in changes and in problems.
		"names": {"policy-sets/agents.yaml": hostileManifest()},
		// Texts in errors of YAML and of Cedar.
		"errors": {
			"policy-sets/agents.yaml": "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: agents\n\"::error::pwned\\n::error::pwned\": 1\n" +
				"\"##[error]pwned @acme/everybody #1 <img src=x> | ``` \\u202e\": 2\n",
			"policies/agent.cedar": "permit (principal, action, resource) when { principal has \"\n::error::pwned\n##[error]pwned\" };\n",
		},
		// The project file: targets, and what it is compared with.
		"project": {"policypin.yaml": strings.Replace(project(t)["policypin.yaml"], "active: agents", "active: \"::error::pwned\\n##[error]pwned @acme/everybody #1 <img src=x> | ```\"", 1)},
		// A file's name is chosen as freely.
		"paths": {
			"policy-sets/::error::pwned,file=x.yaml":                   "nonsense\n",
			"policy-sets/##[error]pwned @acme `#1` <img src=x> |.yaml": "nonsense\n",
			"policy-sets/\u202ebidi\n::error::pwned.yaml":              "nonsense\n",
		},
	}
	for name, files := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, files)
			j.pull("pull_request")
			s := j.run() // fails the test for a command that isn't ours
			if s.status != 0 && s.status != 3 {
				t.Fatalf("got %s", s)
			}
			for _, a := range s.annotations {
				if strings.HasPrefix(a.message, "pwned") || a.properties["file"] == "x" {
					t.Errorf("got annotation %v", a)
				}
				inert(t, "annotation", a.message+a.properties["title"]+a.properties["file"])
			}
			if slices.ContainsFunc(s.masks, func(m string) bool { return m != jobToken }) {
				t.Errorf("got masks %q", s.masks)
			}
			if s.outputs["changed"] == "evil" {
				t.Error("an output was set by a file")
			}
			inert(t, "log", s.log)
			inert(t, "summary", s.summary)
			harmless(t, "summary", s.summary)
			if len(j.hub.ours()) != 1 {
				t.Fatalf("got comments %q", j.hub.ours())
			}
			inert(t, "comment", j.hub.ours()[0])
			harmless(t, "comment", j.hub.ours()[0])
		})
	}
}

func hostileManifest() string {
	var b strings.Builder
	b.WriteString("apiVersion: policypin.dev/v1\nkind: PolicySet\nname: agents\nschema_version: \"" + schema + "\"\nentries:\n  - policy: shared\n    source: policies/shared.cedar\n")
	for i, a := range attacks {
		fmt.Fprintf(&b, "  - policy: %q\n    version: %d\n    description: %q\n", a, i+1, a+"\n"+a)
	}
	return b.String()
}

// inert fails for characters that change how text around them looks.
func inert(t *testing.T, where, text string) {
	t.Helper()
	for _, r := range text {
		if unicode.Is(unicode.Cf, r) || unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' {
			t.Errorf("the %s has the character %U", where, r)
			return
		}
	}
}

var danger = regexp.MustCompile(`@\w|#\d|GH-\d|<img|https?://|!\[|\]\(|pwned|policypin -->`)

var htmlCode = regexp.MustCompile(`<code>[^<]*</code>`)

// outside returns a line without its code spans: a span ends at the next run of
// as many backticks as began it (GFM, 6.3).
func outside(line string) string {
	var b strings.Builder
	for {
		at := strings.IndexByte(line, '`')
		if at < 0 {
			return b.String() + line
		}
		b.WriteString(line[:at])
		n := ticks(line[at:])
		line = line[at+n:]
		for from := 0; ; {
			next := strings.IndexByte(line[from:], '`')
			if next < 0 {
				b.WriteString(strings.Repeat("`", n)) // nothing ends it: it is text
				break
			}
			from += next
			if run := ticks(line[from:]); run != n {
				from += run
				continue
			}
			line = line[from+n:]
			break
		}
	}
}

// ticks is the number of backticks that a text begins with.
func ticks(text string) int { return len(text) - len(strings.TrimLeft(text, "`")) }

// harmless fails for text of an attack outside of code. It reads fences as GFM
// does (4.5), and takes code spans and <code> out of the rest.
func harmless(t *testing.T, where, markdown string) {
	t.Helper()
	fence := ""
	for line := range strings.SplitSeq(markdown, "\n") {
		indented := strings.TrimLeft(line, " ")
		mark := indented[:len(indented)-len(strings.TrimLeft(indented, "`"))]
		if tildes := indented[:len(indented)-len(strings.TrimLeft(indented, "~"))]; len(tildes) > len(mark) {
			mark = tildes
		}
		switch {
		case fence != "":
			if len(mark) >= len(fence) && mark[0] == fence[0] && len(line)-len(indented) <= 3 && strings.TrimSpace(indented[len(mark):]) == "" {
				fence = ""
			}
			continue
		case len(mark) >= 3:
			fence = mark
			continue
		}
		rest := htmlCode.ReplaceAllString(outside(line), "")
		if found := danger.FindString(rest); found != "" {
			t.Errorf("the %s has %q outside of code: %q", where, found, line)
		}
	}
	if fence != "" {
		t.Errorf("the %s leaves a fence open", where)
	}
}

// A workspace of somebody else keeps its owner: what is kept for later steps, and
// what publishing writes into the clone.
func TestActionGivesFilesBack(t *testing.T) {
	t.Parallel()
	j := newJob(t, agentChange)
	if !canChown(t, j.workspace()) {
		t.Log("not root: files have one owner anyway")
	}
	zone := j.world.serve()
	j.env["KEYCARD_API_TOKEN"], j.env["INPUT_API-URL"] = token, zone.url
	j.checkout(j.remote, "refs/remotes/origin/main", j.commits["BASE_SHA"])
	j.event("push", "push", map[string]string{"HEAD_SHA": j.commits["BASE_SHA"], "BASE_SHA": j.commits["STALE_SHA"]})
	want := giveAway(t, j.workspace())
	if s := j.run(); s.status != 0 || s.outputs["published"] == "" {
		t.Fatalf("got %s", s)
	}
	j.env["INPUT_COMMAND"], j.env["INPUT_ONLINE"] = "plan", "true"
	if s := j.run(); s.status != 0 || s.outputs["plan"] == "" {
		t.Fatalf("got %s", s)
	}
	for _, name := range ownedByOthers(t, j.workspace(), want) {
		t.Errorf("%s changed its owner", name)
	}
	if tags := gittest.Git(t, j.workspace(), "-c", "safe.directory=*", "tag"); !strings.Contains(tags, "policypin/production/agents/v1") {
		t.Errorf("the clone has tags %q", tags)
	}
}

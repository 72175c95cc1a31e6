package cedar

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/diag"
)

// The official Cedar engine, written in Rust, is the second witness for what
// this package says of policies, entities and requests. It comes as WebAssembly
// and runs in Node; testdata/official pins its version. Where the two disagree,
// docs/cedar-differences.md has the reason, and official_differences_test.go
// an example of each that must still be one.

// An official engine answers questions about Cedar.
type official struct {
	t   *testing.T
	in  *json.Encoder
	out *bufio.Reader
}

// startOfficial runs the engine until the test ends. Without Node, or without
// the modules that .ci/run installs, the test is skipped.
func startOfficial(t *testing.T) *official {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("NOT COMPARED with the official Cedar engine: there is no node on the path")
	}
	dir := filepath.Join("testdata", "official")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@cedar-policy", "cedar-wasm")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("NOT COMPARED with the official Cedar engine: run npm ci in internal/cedar/" + filepath.ToSlash(dir))
	}
	cmd := exec.Command(node, "--stack-size=3900", "engine.mjs") // in KiB: deep policies need more than the usual 984
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the official engine ended with %v", err)
		}
	})
	in := json.NewEncoder(stdin)
	in.SetEscapeHTML(false)
	return &official{t: t, in: in, out: bufio.NewReader(stdout)}
}

// A question is one line to engine.mjs.
type question struct {
	Ask      string            `json:"ask"`
	Schema   string            `json:"schema,omitempty"`
	Policy   string            `json:"policy"`
	Policies map[string]string `json:"policies,omitempty"`
	Entities any               `json:"entities,omitempty"`
	Requests []any             `json:"requests,omitempty"`
}

// An answer is one line of engine.mjs: what is wrong with the texts, or what
// was asked for.
type answer struct {
	SDK       string             `json:"sdk"`
	Trap      string             `json:"trap"`  // the engine broke down
	Parse     []string           `json:"parse"` // not Cedar
	Errors    []string           `json:"errors"`
	Warnings  []string           `json:"warnings"`
	Decisions []officialDecision `json:"decisions"`
}

type officialDecision struct {
	Failure  []string `json:"failure"` // entities or request don't fit the schema
	Decision string   `json:"decision"`
	Reasons  []string `json:"reasons"`
	Errors   []struct {
		Policy  string `json:"policy"`
		Message string `json:"message"`
	} `json:"errors"`
}

func (o *official) ask(q question) answer {
	o.t.Helper()
	if err := o.in.Encode(q); err != nil {
		o.t.Fatal(err)
	}
	line, err := o.out.ReadBytes('\n')
	if err != nil {
		o.t.Fatalf("no answer from the official engine: %v", err)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		o.t.Fatalf("%v in %s", err, line)
	}
	return a
}

// The lock file and the running engine are the version that the documentation
// speaks of.
func TestOfficialVersion(t *testing.T) {
	o := startOfficial(t)
	got := o.ask(question{Ask: "version"})
	var lock struct {
		Packages map[string]struct{ Version, Integrity, Resolved string }
	}
	text, err := os.ReadFile("testdata/official/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(err)
	}
	engine := lock.Packages["node_modules/@cedar-policy/cedar-wasm"]
	if engine.Version != got.SDK || engine.Integrity == "" || engine.Resolved != "" {
		t.Errorf("the engine is %s, the lock file has %+v", got.SDK, engine)
	}
	page, err := os.ReadFile("../../docs/cedar-differences.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "cedar-wasm` "+got.SDK) {
		t.Errorf("docs/cedar-differences.md isn't about version %s", got.SDK)
	}
}

// A verdict is what an engine says of a policy's text.
type verdict string

const (
	accepted verdict = "accepted"
	illTyped verdict = "ill-typed" // parsed, and not valid by the schema
	notCedar verdict = "not Cedar" // or beyond a limit
	trapped  verdict = "trap"      // the official engine broke down
)

// ourVerdict gives our verdict and, where it isn't acceptance, the rules.
func ourVerdict(s *Schema, text string) (v verdict, rules []string, words string) {
	p, problems := Parse("p", []byte(text))
	if p == nil {
		return notCedar, errorRules(problems), problems.Error()
	}
	found := s.Validate(p)
	if found.Err() != nil {
		return illTyped, errorRules(found), found.Error()
	}
	return accepted, nil, found.Error()
}

// errorRules lists the rules that errors are about, each once.
func errorRules(problems diag.List) (rules []string) {
	for _, p := range problems {
		if p.Severity == diag.Error && !slices.Contains(rules, p.Rule) {
			rules = append(rules, p.Rule)
		}
	}
	return rules
}

func theirVerdict(o *official, schema, text string) (v verdict, words string) {
	o.t.Helper()
	a := o.ask(question{Ask: "validate", Schema: schema, Policy: text})
	switch {
	case a.Trap != "":
		return trapped, a.Trap
	case len(a.Parse) > 0:
		return notCedar, strings.Join(a.Parse, "; ")
	case len(a.Errors) > 0:
		return illTyped, strings.Join(a.Errors, "; ")
	}
	return accepted, strings.Join(a.Warnings, "; ")
}

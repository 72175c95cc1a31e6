package report

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/policypin/policypin/diag"
)

// problems are some of each kind.
var problems = diag.List{
	{Position: diag.Position{File: "policies/a b.cedar", Line: 3, Column: 14}, Rule: "cedar-syntax", Message: "unexpected token `}`", Fix: "remove it"},
	{Position: diag.Position{File: "policies/é#1.cedar"}, Severity: diag.Warning, Rule: "unused-source", Message: "no policy set names this source"},
	{Position: diag.Position{File: "policypin.yaml", Line: 7}, Rule: "unknown-key", Message: `unknown key "[x](http://evil.example)"`},
	{Position: diag.Position{File: "policypin.yaml", Line: 9, Column: 1}, Rule: "a rule/of tomorrow", Message: evil},
}

// sarifSchema has of SARIF 2.1.0 what is written, with the names, types and
// enumerations of the standard and nothing else allowed.
func sarifSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	file, err := os.Open("testdata/sarif.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	doc, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("sarif.schema.json")
}

func validSARIF(t *testing.T, schema *jsonschema.Schema, list diag.List, dir string) sarifLog {
	t.Helper()
	var b bytes.Buffer
	if err := SARIF(&b, list, dir, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Fatalf("%v\n%s", err, b.Bytes())
	}
	var log sarifLog
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	for i, r := range log.Runs[0].Results {
		if got := log.Runs[0].Tool.Driver.Rules[r.RuleIndex].ID; got != r.RuleID {
			t.Errorf("result %d: the index of its rule is that of %q, not of %q", i, got, r.RuleID)
		}
		at := r.Locations[0].Physical.Artifact.URI
		if u, err := url.Parse(at); err != nil || u.IsAbs() || u.Host != "" || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("result %d: %q is no relative path (%v)", i, at, err)
		}
		if strings.Contains(r.Message.Text, "](") {
			t.Errorf("result %d: %q holds a link", i, r.Message.Text)
		}
	}
	return log
}

func TestSARIF(t *testing.T) {
	schema := sarifSchema(t)
	log := validSARIF(t, schema, problems, "teams/a")
	var b strings.Builder
	if err := SARIF(&b, problems, "teams/a", "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/problems.sarif", b.String())
	if got, want := log.Runs[0].Results[0].Locations[0].Physical.Artifact.URI, "teams/a/policies/a%20b.cedar"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := len(validSARIF(t, schema, nil, ".").Runs[0].Results); n != 0 {
		t.Errorf("got %d results of no problem", n)
	}
	for seed := range uint64(100) {
		g := generator{rand.New(rand.NewPCG(seed, 3))}
		validSARIF(t, schema, g.problems(10), g.text())
	}
}

func TestURIPath(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{"policies/a-b_c.1~.cedar", "policies/a-b_c.1~.cedar"},
		{"a b", "a%20b"},
		{"c:d/e", "c%3Ad/e"},
		{"é", "%C3%A9"},
		{"50%/#1?x", "50%25/%231%3Fx"},
	} {
		got := uriPath(tt.path)
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.path, got, tt.want)
		}
		if back, err := url.PathUnescape(got); err != nil || back != tt.path {
			t.Errorf("%q: decoded to %q, %v", tt.path, back, err)
		}
	}
}

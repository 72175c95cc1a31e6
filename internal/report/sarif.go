package report

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/policytest"
)

// SARIF 2.1.0 (OASIS standard of 27 March 2020), as far as code scanning reads
// it. The numbers in comments are sections of that standard.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool sarifTool `json:"tool"`
		// Of results with one category, the last upload hides the others (3.17).
		Automation  *sarifAutomation  `json:"automationDetails,omitempty"`
		Invocations []sarifInvocation `json:"invocations,omitempty"`
		ColumnKind  string            `json:"columnKind"` // 3.14.17
		Results     []sarifResult     `json:"results"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications"`
	}
	sarifNotification struct {
		Level   string       `json:"level"`
		Message sarifMessage `json:"message"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string       `json:"id"`
		Short   sarifMessage `json:"shortDescription"`
		Full    sarifMessage `json:"fullDescription"`
		Help    sarifMessage `json:"help"`
		HelpURI string       `json:"helpUri"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifMessage      `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
		// The base is the root of the repository, whose place on disk is nobody's
		// business (3.4.4).
		BaseID string `json:"uriBaseId"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndLine     int `json:"endLine"`
		EndColumn   int `json:"endColumn"`
	}
)

// maxSARIFResults is what code scanning takes of one run; of more it refuses the
// whole file. It shows 5,000 of them, by level.
const maxSARIFResults = 25_000

// SARIF writes problems for code scanning. The files of the list are in fsys,
// which is dir, a slash path in the repository; version is that of this tool.
// Without a file's text, which fsys needn't have, its problems have no
// fingerprints.
func SARIF(w io.Writer, fsys fs.FS, list diag.List, dir, version string) error {
	category := ""
	if dir = path.Clean(dir); dir != "." {
		category = path.Join("policypin", dir)
	}
	return writeSARIF(w, fsys, list, dir, category, version)
}

// TestSARIF is the same of the cases that failed or were skipped. They are a
// category of their own, so that they don't take the place of validate's.
func TestSARIF(w io.Writer, fsys fs.FS, r policytest.Report, dir, version string) error {
	dir = path.Clean(dir)
	return writeSARIF(w, fsys, TestProblems(r), dir, path.Join("policypin-test", dir), version)
}

func writeSARIF(w io.Writer, fsys fs.FS, list diag.List, dir, category, version string) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "policypin", Version: Clean(version), InformationURI: "https://github.com/policypin/policypin",
			Rules: []sarifRule{},
		}},
		ColumnKind: "utf16CodeUnits", Results: []sarifResult{},
	}
	if category != "" {
		// Up to the last slash it is a category, which keeps apart what stands beside
		// each other.
		run.Automation = &sarifAutomation{Clean(category) + "/"}
	}
	if more := len(list) - maxSARIFResults; more > 0 {
		list = slices.Clone(list)
		slices.SortStableFunc(list, func(a, b diag.Problem) int { return int(a.Severity) - int(b.Severity) })
		list = list[:maxSARIFResults]
		run.Invocations = []sarifInvocation{{Successful: true, Notifications: []sarifNotification{{
			Level: "warning", Message: sarifMessage{fmt.Sprintf("%d more are left out, the least important ones", more)},
		}}}}
	}
	var ids []string
	for _, d := range list {
		ids = append(ids, d.Rule)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	index := map[string]int{}
	for i, id := range ids {
		r := rule(id)
		index[id] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: Clean(id), Short: sarifText(r.title), Full: sarifText(r.help), Help: sarifText(r.help),
			HelpURI: rulesPage + "#" + uriPath(id),
		})
	}
	sources := map[string]sarifSource{}
	for _, d := range list {
		source, read := sources[d.File]
		if !read {
			source = readSARIFSource(fsys, d.File)
			sources[d.File] = source
		}
		text := d.Message
		if d.Fix != "" {
			text += ". Fix: " + d.Fix
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: Clean(d.Rule), RuleIndex: index[d.Rule], Level: d.Severity.String(), Message: sarifText(text),
			Locations: []sarifLocation{{sarifPhysical{
				Artifact: sarifArtifact{URI: uriPath(path.Join(dir, d.File)), BaseID: "%SRCROOT%"},
				// A problem of the file as a whole is shown at its first line, since
				// code scanning wants one.
				Region: source.region(d.Position),
			}}},
			Fingerprints: source.fingerprint(d.Position),
		})
	}
	return JSON(w, sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	})
}

// sarifText makes a plain text message. A name must not make a link of it, which
// is [text](destination) even there (3.11.6).
func sarifText(text string) sarifMessage {
	return sarifMessage{strings.ReplaceAll(Clean(text), "](", "] (")}
}

// uriPath encodes a slash path as a relative URI: everything but the unreserved
// characters (RFC 3986, 2.3), so that a colon in the first part makes no scheme.
func uriPath(name string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

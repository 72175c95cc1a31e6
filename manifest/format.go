package manifest

import (
	"bytes"
	"io/fs"
	"maps"
	"path"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
)

// A Formatted file is one that has no problems of its own.
type Formatted struct {
	File          string
	Before, After []byte
}

// Changed tells whether the file was not in the canonical layout.
func (f Formatted) Changed() bool { return !bytes.Equal(f.Before, f.After) }

// Format lays out the files of a project: the project file, the manifests and
// test files that its patterns match, and the sources that the manifests name,
// in this order but for the tests, which come last. If only
// isn't nil, it lays out those of its files that are of one of these kinds,
// used or not, and leaves out the others. Paths are slash-separated.
//
// A result says the same as the file did: no digest changes and no comment is
// lost. Files with problems are left out, and their problems returned. What is
// wrong between files, such as a source that doesn't exist, is validate's.
//
// The error is as for [Load], and wraps [fs.ErrNotExist] too if a file in only
// doesn't exist.
func Format(fsys fs.FS, only []string) ([]Formatted, diag.List, error) {
	l := newLoader(fsys)
	if err := l.readProject(); err != nil {
		return nil, nil, err
	}
	files, err := l.laidOut(only)
	if err != nil {
		return nil, nil, err
	}
	return l.format(files)
}

// format lays out files. What was found before about any is forgotten.
func (l *loader) format(files []kindOfFile) ([]Formatted, diag.List, error) {
	results := make([]layoutResult, len(files))
	err := pipeline(len(files), func(i int) ([]byte, bool, error) {
		data, problems, err := l.read(files[i].name, files[i].kind.limit())
		results[i].problems = problems
		return data, len(problems) == 0, err
	}, func(i int, data []byte) {
		results[i] = layoutOf(files[i].name, files[i].kind, data)
		results[i].before = data
	})
	if err != nil {
		return nil, nil, err
	}
	var list []Formatted
	l.problems = nil
	for i, r := range results {
		l.problems.Add(truncate(files[i].name, r.problems)...)
		l.secrets = append(l.secrets, r.secrets...)
		if r.after != nil {
			list = append(list, Formatted{files[i].name, r.before, lineEndsOf(r.before, r.after)})
		}
	}
	return list, l.sorted(), nil
}

// lineEndsOf gives a laid out text the line ends of the file. Where each line ends
// in CRLF, Git made them so (core.autocrlf, eol=crlf) and would again: with LF
// the layout could never be reached by committing it. Of mixed ones LF is kept.
func lineEndsOf(before, after []byte) []byte {
	crlf := bytes.Count(before, []byte("\r\n"))
	if crlf == 0 || crlf != bytes.Count(before, []byte("\n")) {
		return after
	}
	after = bytes.ReplaceAll(after, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(after, []byte("\n"), []byte("\r\n"))
}

type fileKind uint8

const (
	projectFile fileKind = iota
	manifestFile
	sourceFile
	testFile
	anyYAML // a manifest or a test file if it says so
)

func (k fileKind) limit() int64 {
	switch k {
	case projectFile:
		return maxProjectBytes
	case sourceFile:
		return cedar.MaxSourceBytes
	case testFile:
		return maxTestBytes
	}
	return max(maxManifestBytes, maxTestBytes)
}

type kindOfFile struct {
	name string
	kind fileKind
}

// laidOut lists the files to lay out. Problems of reading manifests for the
// sources that they name come up again when they are laid out.
func (l *loader) laidOut(only []string) ([]kindOfFile, error) {
	files := []kindOfFile{{ProjectFile, projectFile}}
	if only != nil {
		return chosen(only), nil
	}
	if l.tree.Project == nil {
		return files, nil
	}
	manifests, err := l.manifestFiles()
	if err != nil {
		return nil, err
	}
	for _, name := range manifests {
		files = append(files, kindOfFile{name, manifestFile})
	}
	if err := l.readSets(manifests, nil); err != nil {
		return nil, err
	}
	uses := l.usesOf(l.tree.Sets)
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		if l.exists(name) {
			files = append(files, kindOfFile{name, sourceFile})
		}
	}
	tests, err := l.testFiles()
	if err != nil {
		return nil, err
	}
	for _, name := range tests {
		files = append(files, kindOfFile{name, testFile})
	}
	return files, nil
}

// chosen tells the kinds of files that were named, by their names.
func chosen(only []string) (files []kindOfFile) {
	for _, name := range only {
		switch ext := path.Ext(name); {
		case name == ProjectFile:
			files = append(files, kindOfFile{name, projectFile})
		case ext == ".cedar":
			files = append(files, kindOfFile{name, sourceFile})
		case ext == ".yaml" || ext == ".yml":
			files = append(files, kindOfFile{name, anyYAML})
		}
	}
	return files
}

type layoutResult struct {
	before, after []byte
	problems      diag.List
	secrets       []string
}

// layoutOf lays out one file. There is no text if the file has problems, or if
// it is none of ours.
func layoutOf(name string, kind fileKind, data []byte) (r layoutResult) {
	if kind == sourceFile {
		r.secrets = checkTokens(name, data, &r.problems)
		after, problems := cedar.Format(name, data)
		r.problems.Add(conflictsOr(problems, name, data)...)
		if r.problems.Err() == nil {
			r.after = after
		}
		return r
	}
	before := readYAML(name, kind, data)
	r.problems, r.secrets = before.problems, before.secrets
	if before.root == nil || r.problems.Err() != nil {
		return r
	}
	text, ok := settle(name, kind, before)
	if !ok {
		r.problems.Add(diag.Problem{
			Position: diag.Position{File: name}, Rule: "format-unsafe",
			Message: "formatting would lose a comment, change a value or make the file too large; it is left as it is",
			Fix:     "write long values and their comments on lines of their own",
		})
		return r
	}
	r.after = text
	return r
}

// maxPasses is how often a file is laid out at most. Comments within nested lists
// in brackets move to where the next pass moves others; two passes do for them.
const maxPasses = 4

// settle lays out a file until that changes nothing any more. ok is false if it
// doesn't come to that, or if a result doesn't say what the file said.
func settle(name string, kind fileKind, before yamlFile) (text []byte, ok bool) {
	last := before
	for range maxPasses {
		if text, ok = formatNodes(last.text, last.root, last.layout, kind.limit()); !ok {
			return nil, false
		}
		if bytes.Equal(text, last.text) {
			return text, true
		}
		last = readYAML(name, kind, text)
		if last.problems.Err() != nil || !bytes.Equal(before.content, last.content) || !sameRemarks(before, last) {
			return nil, false
		}
	}
	return nil, false
}

// A yamlFile is a file of ours with what it says.
type yamlFile struct {
	text     []byte // with line feeds alone
	root     *yaml.Node
	layout   *layout
	content  []byte // its canonical form, without comments
	problems diag.List
	secrets  []string
}

func readYAML(name string, kind fileKind, data []byte) (f yamlFile) {
	text, ok := checkText(name, data, &f.problems)
	f.secrets = checkTokens(name, text, &f.problems)
	if !ok {
		return f
	}
	f.text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	d := &decoder{file: name, source: f.text, problems: &f.problems}
	root := parseYAML(d)
	f.secrets = append(f.secrets, d.secrets...)
	if root == nil {
		return f
	}
	if kind == anyYAML {
		switch {
		case says(root, "PolicySet"):
			kind = manifestFile
		case says(root, "PolicyTest"):
			kind = testFile
		default:
			return yamlFile{}
		}
	}
	switch kind {
	case projectFile:
		if p := d.project(root); p != nil {
			f.root, f.layout, f.content = root, projectLayout, WriteProject(p)
		}
	case testFile:
		if t := d.tests(root); t != nil {
			f.root, f.layout, f.content = root, testLayout, contentOf(t)
		}
	default:
		if s := d.set(root); s != nil {
			f.root, f.layout, f.content = root, setLayout, WriteSet(s)
		}
	}
	f.problems.Sort()
	return f
}

// says tells whether a file is of a kind.
func says(root *yaml.Node, kind string) bool {
	if root.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "kind" {
			return root.Content[i+1].Value == kind
		}
	}
	return false
}

// sameRemarks tells whether two files have the same comments, in any order.
func sameRemarks(a, b yamlFile) bool {
	texts := func(f yamlFile) (list []string) {
		for _, r := range scanText(f.text, f.root).remarks {
			list = append(list, r.text)
		}
		slices.Sort(list)
		return list
	}
	return slices.Equal(texts(a), texts(b))
}

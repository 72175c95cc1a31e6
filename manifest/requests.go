package manifest

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
)

// RequestFiles lists the files of entities and of requests that the project's
// patterns match, sorted. A project may do without. What is wrong with a file's
// name or with a pattern is a problem; the error is one of fsys.
func (p *Project) RequestFiles(fsys fs.FS) (entities, requests []string, problems diag.List, err error) {
	l := newLoader(fsys)
	l.tree.Project = p
	if entities, err = l.dataFiles("entities", p.Entities); err == nil {
		requests, err = l.dataFiles("requests", p.Requests)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return entities, requests, l.sorted(), nil
}

// dataFiles are the files that the patterns of one key match.
func (l *loader) dataFiles(name string, patterns []string) ([]string, error) {
	p := l.tree.Project
	var files []string
	for _, pattern := range patterns {
		matches, err := l.glob(pattern)
		if err != nil {
			return nil, err
		}
		if at, written := p.places[name+" "+pattern]; written && len(matches) == 0 {
			l.problems.Add(diag.Problem{
				Position: at.in(ProjectFile), Severity: diag.Warning, Rule: "pattern-without-files",
				Message: "no file of " + name + " matches " + quote(pattern),
				Fix:     "leave " + name + " out if the project has none",
			})
		}
		for _, file := range matches {
			switch bad := badPath(file); {
			case bad != "":
				l.problems.Errorf(p.places[name].in(ProjectFile), "bad-path", "the path %s %s", quote(file), bad)
			case l.symlinked(file):
				l.problems.Errorf(diag.Position{File: file}, "symlink", "the file is a symbolic link")
			default:
				files = append(files, file)
			}
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// HideTokens is text without what is shaped like a credential. Logs hold what
// clients sent, and examples of them are shown.
func HideTokens(text string) string {
	spans := tokenSpans([]byte(text))
	if len(spans) == 0 {
		return text
	}
	var b strings.Builder
	at := 0
	for _, s := range spans {
		if s[0] >= at {
			b.WriteString(text[at:s[0]] + redacted)
			at = s[1]
		}
	}
	return b.String() + text[at:]
}

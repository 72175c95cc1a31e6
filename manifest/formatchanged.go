package manifest

import (
	"io/fs"
	"maps"
	"slices"

	"github.com/policypin/policypin/diag"
)

// FormatChanged is [Format] for those of the changed files that are the
// project's own: its project file, manifests and test files, and the sources
// that a manifest names. tree is what [LoadChanged] made of the same files and
// changes, so that no manifest is read again to find out. Removed files are left
// out.
func FormatChanged(fsys fs.FS, tree *Tree, changed []string) ([]Formatted, diag.List, error) {
	l := newLoader(fsys)
	l.direct = true
	var files []kindOfFile
	if tree == nil { // the project file says nothing that could be understood
		if slices.Contains(changed, ProjectFile) {
			files = append(files, kindOfFile{ProjectFile, projectFile})
		}
		return l.format(files)
	}
	l.tree.Project = tree.Project
	c := l.sortChanged(changed)
	if c.project {
		files = append(files, kindOfFile{ProjectFile, projectFile})
	}
	add := func(name string, kind fileKind) {
		if badPath(name) == "" && l.exists(name) {
			files = append(files, kindOfFile{name, kind})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.manifests)) {
		add(name, manifestFile)
	}
	uses := l.usesOf(tree.Sets)
	for _, name := range slices.Sorted(maps.Keys(c.sources)) {
		if uses[name] != nil {
			add(name, sourceFile)
		}
	}
	slices.Sort(c.tests)
	for _, name := range c.tests {
		add(name, testFile)
	}
	return l.format(files)
}

// Problem is what a check of layout says of a file that changed.
func (f Formatted) Problem() diag.Problem {
	return diag.Problem{
		Position: diag.Position{File: f.File}, Rule: "not-formatted",
		Message: "the file is not formatted",
	}
}

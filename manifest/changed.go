package manifest

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
)

// LoadChanged checks the changed files of a project and the manifests that name
// them, for a pre-commit hook that must not be felt. changed are slash paths
// relative to the project; removed files are changed files. Others than the
// project's own are ignored.
//
// The tree holds the manifests that were parsed and the sources that were
// checked: the changed ones, and all of the manifests that changed. Rules about
// the whole project are applied only if the project file or a manifest changed.
// If a schema changed, every source that is validated against it is checked, and
// every test file. Otherwise a test file is checked only if it changed itself.
//
// The error is as for [Load].
func LoadChanged(fsys fs.FS, changed []string) (*Tree, diag.List, error) {
	l := newLoader(fsys)
	l.direct = true
	if err := l.readProject(); err != nil {
		return nil, nil, err
	}
	if l.tree.Project == nil {
		return nil, l.sorted(), nil
	}
	c := l.sortChanged(changed)
	if !c.project && len(c.manifests)+len(c.sources)+len(c.schemas)+len(c.tests) == 0 {
		return l.tree, l.sorted(), nil
	}
	files, err := l.manifestFiles()
	if err != nil {
		return nil, nil, err
	}
	whole := c.project || len(c.manifests) > 0
	keep := c.searcher()
	if whole || len(c.tests) > 0 { // a test may be about any set
		keep = nil
	}
	if err := l.readSets(files, keep); err != nil {
		return nil, nil, err
	}
	if whole {
		checkTree(l.tree, l.unreadSets, &l.problems)
	}
	uses := c.uses(l.usesOf(l.tree.Sets))
	var sets []*Set // those with something to check
	for _, s := range l.tree.Sets {
		if whole || len(c.tests) > 0 || slices.ContainsFunc(s.Entries, func(e Entry) bool { return uses[e.Source] != nil }) {
			sets = append(sets, s)
		}
	}
	if err := l.readSchemas(sets); err != nil {
		return nil, nil, err
	}
	if err := l.readSources(uses); err != nil {
		return nil, nil, err
	}
	if !l.unreadSets || !whole {
		l.unusedChanged(c, uses)
	}
	if files, err = c.testFiles(l); err != nil {
		return nil, nil, err
	}
	if err := l.readTests(files); err != nil {
		return nil, nil, err
	}
	return l.tree, l.sorted(), nil
}

// changes are changed paths by what they are to the project.
type changes struct {
	project   bool
	manifests map[string]bool
	sources   map[string]bool
	schemas   map[string]bool // by version
	tests     []string
}

func (l *loader) sortChanged(changed []string) changes {
	c := changes{manifests: map[string]bool{}, sources: map[string]bool{}, schemas: map[string]bool{}}
	p := l.tree.Project
	before, _, _ := strings.Cut(p.Schemas, "{version}")
	for _, file := range changed {
		switch {
		case file == ProjectFile:
			c.project = true
		case slices.ContainsFunc(p.Manifests, func(pattern string) bool { ok, _ := path.Match(pattern, file); return ok }):
			c.manifests[file] = true
		case p.isTest(file):
			c.tests = append(c.tests, file)
		case path.Ext(file) == ".cedar":
			c.sources[file] = true
		default:
			// A pattern may have {version} twice: the first one tells.
			rest, ok := strings.CutPrefix(file, before)
			for n := 1; ok && n <= len(rest); n++ {
				if p.schemaFile(rest[:n]) == file {
					c.schemas[rest[:n]] = true
				}
			}
		}
	}
	return c
}

// searcher tells whether a manifest's text may name a changed file, without
// parsing it. It may say yes too often, never no too often: a path that could be
// written with escapes or over several lines counts as named.
func (c changes) searcher() func(text []byte) bool {
	if len(c.schemas) > 0 {
		return nil
	}
	for file := range c.sources {
		if strings.Contains(file, " ") || strings.Contains(file, "'") {
			return nil
		}
	}
	named := namesAny(c.sources)
	return func(text []byte) bool { return bytes.IndexByte(text, '\\') >= 0 || named(text) }
}

// uses leaves those sources that have to be checked again.
func (c changes) uses(all map[string][]use) map[string][]use {
	uses := map[string][]use{}
	for file, us := range all {
		if c.sources[file] || slices.ContainsFunc(us, func(u use) bool {
			return c.manifests[u.set.File] || c.schemas[u.set.SchemaVersion]
		}) {
			uses[file] = us
		}
	}
	return uses
}

// unusedChanged warns of changed sources that no manifest names. Which folders
// hold sources isn't known from the manifests that were parsed, so all do.
func (l *loader) unusedChanged(c changes, uses map[string][]use) {
	for file := range c.sources {
		if uses[file] == nil && fs.ValidPath(file) && l.exists(file) {
			l.unused(file)
		}
	}
}

// testFiles are the test files to check: those that changed, or all of them if a
// schema did.
func (c changes) testFiles(l *loader) ([]string, error) {
	if len(c.schemas) > 0 {
		return l.testFiles()
	}
	var files []string
	for _, file := range c.tests {
		if badPath(file) == "" && l.exists(file) {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files, nil
}

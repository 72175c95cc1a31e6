package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
)

// Load reads and checks a whole project. fsys is the folder that holds
// policypin.yaml; it is read by one goroutine at a time. Load returns what could
// be read together with every problem, sorted; the tree is nil only if there is
// no usable project file.
//
// It returns an error wrapping [fs.ErrNotExist] if there is no project file, and
// any error of fsys that doesn't mean that a file is missing.
func Load(fsys fs.FS) (*Tree, diag.List, error) { return load(fsys, true) }

// LoadSets is [Load] without the tests, for a commit that was published long
// ago: what decides requests doesn't depend on them.
func LoadSets(fsys fs.FS) (*Tree, diag.List, error) { return load(fsys, false) }

func load(fsys fs.FS, tests bool) (*Tree, diag.List, error) {
	l := newLoader(fsys)
	if err := l.readProject(); err != nil {
		return nil, nil, err
	}
	if l.tree.Project == nil {
		return nil, l.sorted(), nil
	}
	files, err := l.manifestFiles()
	if err != nil {
		return nil, nil, err
	}
	if err := l.readSets(files, nil); err != nil {
		return nil, nil, err
	}
	checkTree(l.tree, l.unreadSets, &l.problems)
	uses := l.usesOf(l.tree.Sets)
	if err := l.readSchemas(l.tree.Sets); err != nil {
		return nil, nil, err
	}
	if err := l.readSources(uses); err != nil {
		return nil, nil, err
	}
	if !l.unreadSets {
		if err := l.unusedSources(uses); err != nil {
			return nil, nil, err
		}
	}
	if tests {
		files, err := l.testFiles()
		if err != nil {
			return nil, nil, err
		}
		if err := l.readTests(files); err != nil {
			return nil, nil, err
		}
	}
	return l.tree, l.sorted(), nil
}

// A loader fills a tree.
type loader struct {
	folders
	tree       *Tree
	problems   diag.List
	secrets    []string
	unreadSets bool // some manifest isn't in the tree

	suggestions int // how many missing sources a near name was looked for
}

func newLoader(fsys fs.FS) *loader {
	return &loader{
		folders: folders{fsys: fsys, listings: map[string]listing{}},
		tree: &Tree{
			Sources: map[string]*cedar.Policy{},
			Schemas: map[string]*cedar.Schema{},
			broken:  map[string]string{},
		},
	}
}

// sorted returns the problems for people, without any credential.
func (l *loader) sorted() diag.List {
	redact(l.problems, l.secrets)
	l.problems.Sort()
	return l.problems
}

func (l *loader) readProject() error {
	if l.symlinked(ProjectFile) {
		l.problems.Errorf(diag.Position{File: ProjectFile}, "symlink", "the project file is a symbolic link")
		return nil
	}
	data, err := readFile(l.fsys, ProjectFile, maxProjectBytes)
	if errors.Is(err, errTooLarge) {
		l.problems.Errorf(diag.Position{File: ProjectFile}, "file-too-large", "%v", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the project file: %w", err)
	}
	p, problems, secrets := parseProject(data)
	l.tree.Project = p
	l.problems.Add(problems...)
	l.secrets = append(l.secrets, secrets...)
	return nil
}

// manifestFiles returns the files that the project's patterns match, sorted.
func (l *loader) manifestFiles() ([]string, error) {
	p := l.tree.Project
	var files []string
	for _, pattern := range p.Manifests {
		matches, err := l.glob(pattern)
		if err != nil {
			return nil, err
		}
		if len(matches) == 0 {
			at, ok := p.places["manifests "+pattern]
			if !ok {
				at = p.places["manifests"]
			}
			l.problems.Add(diag.Problem{
				Position: at.in(ProjectFile), Rule: "pattern-without-files",
				Message: "no manifest matches " + quote(pattern),
				Fix:     "write manifests: [] if the project has none",
			})
		}
		for _, file := range matches {
			if bad := badPath(file); bad != "" {
				l.problems.Errorf(p.places["manifests"].in(ProjectFile), "bad-path", "the path of the manifest %s %s", quote(file), bad)
				l.unreadSets = true
				continue
			}
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// readSets reads and parses manifests. Those for which keep says no are read but
// left out of the tree; a nil keep takes all.
func (l *loader) readSets(files []string, keep func(text []byte) bool) error {
	type result struct {
		set      *Set
		problems diag.List
		secrets  []string
		data     []byte
		skipped  bool
	}
	results := make([]result, len(files))
	err := pipeline(len(files), func(i int) ([]byte, bool, error) {
		data, problems, err := l.read(files[i], maxManifestBytes)
		results[i].problems = problems
		return data, len(problems) == 0, err
	}, func(i int, data []byte) {
		r := &results[i]
		if keep != nil && !keep(data) {
			r.skipped = true
			return
		}
		r.data = data
		r.set, r.problems, r.secrets = parseSet(files[i], data)
	})
	if err != nil {
		return err
	}
	for i, r := range results {
		l.problems.Add(r.problems...)
		l.secrets = append(l.secrets, r.secrets...)
		if r.set == nil {
			l.unreadSets = true
		}
		if !r.skipped {
			l.tree.addSet(files[i], r.set, r.data, r.problems)
		}
	}
	slices.SortStableFunc(l.tree.Sets, func(a, b *Set) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// read reads a file that should be there. What is wrong with the file is a
// problem; what is wrong with reading is an error.
func (l *loader) read(file string, limit int64) (data []byte, problems diag.List, err error) {
	at := diag.Position{File: file}
	if l.symlinked(file) {
		problems.Errorf(at, "symlink", "the file is a symbolic link")
		return nil, problems, nil
	}
	data, err = readFile(l.fsys, file, limit)
	if errors.Is(err, errTooLarge) {
		problems.Errorf(at, "file-too-large", "%v", err)
		return nil, problems, nil
	}
	if err != nil {
		if problem := l.unreadable(file); problem != "" {
			problems.Errorf(at, "not-a-file", "%s is %s", quote(file), problem)
			return nil, problems, nil
		}
		return nil, nil, fmt.Errorf("reading %s: %w", quote(file), err)
	}
	return data, nil, nil
}

// schemaFile is where the schema of a version is committed.
func (p *Project) schemaFile(version string) string {
	return strings.ReplaceAll(p.Schemas, "{version}", version)
}

// readSchemas reads the schemas that sets name.
func (l *loader) readSchemas(sets []*Set) error {
	versions := map[string][]*Set{}
	for _, s := range sets {
		if s.SchemaVersion != "" {
			versions[s.SchemaVersion] = append(versions[s.SchemaVersion], s)
		}
	}
	for _, version := range slices.Sorted(maps.Keys(versions)) {
		file := l.tree.Project.schemaFile(version)
		if !l.exists(file) {
			for _, s := range versions[version] {
				l.problems.Add(diag.Problem{
					Position: s.places.schemaVersion.in(s.File), Rule: "schema-not-committed",
					Message: fmt.Sprintf("schema version %s is not committed as %s", quote(version), quote(file)),
					Fix:     "policypin schema fetch " + version + " writes it from the zone; commit it too",
				})
			}
			continue
		}
		data, problems, err := l.read(file, maxSchemaBytes)
		if err != nil {
			return err
		}
		l.problems.Add(problems...)
		if len(problems) > 0 {
			continue
		}
		l.secrets = append(l.secrets, checkTokens(file, data, &l.problems)...)
		schema, problems := cedar.ParseSchema(file, data)
		if schema == nil {
			problems = conflictsOr(problems, file, data)
		}
		l.problems.Add(problems...)
		if schema != nil {
			l.tree.Schemas[version] = schema
		}
	}
	return nil
}

// A use is an entry that names a source.
type use struct {
	set   *Set
	entry int
}

// usesOf maps sources to the entries that name them.
func (l *loader) usesOf(sets []*Set) map[string][]use {
	uses := map[string][]use{}
	for _, s := range sets {
		for i, e := range s.Entries {
			if e.Source != "" {
				uses[e.Source] = append(uses[e.Source], use{s, i})
			}
		}
	}
	return uses
}

// readSources reads, parses and validates sources, each once for every schema
// version that a set uses it with.
func (l *loader) readSources(uses map[string][]use) error {
	files := slices.Sorted(maps.Keys(uses))
	type result struct {
		policy   *cedar.Policy
		text     string
		problems diag.List
		secrets  []string
	}
	results := make([]result, len(files))
	err := pipeline(len(files), func(i int) ([]byte, bool, error) {
		file := files[i]
		if !l.exists(file) {
			results[i].problems = l.missing(file, uses[file])
			return nil, false, nil
		}
		data, problems, err := l.read(file, cedar.MaxSourceBytes)
		results[i].problems = problems
		return data, len(problems) == 0, err
	}, func(i int, data []byte) {
		r := &results[i]
		r.secrets = checkTokens(files[i], data, &r.problems)
		var problems diag.List
		r.policy, problems = cedar.Parse(files[i], data)
		if r.policy == nil {
			problems = conflictsOr(problems, files[i], data)
		}
		r.problems.Add(problems...)
		if r.policy == nil {
			r.text = string(data)
			return
		}
		l.checkSource(r.policy, uses[files[i]], &r.problems)
	})
	if err != nil {
		return err
	}
	for i, r := range results {
		l.problems.Add(truncate(files[i], r.problems)...)
		l.secrets = append(l.secrets, r.secrets...)
		if r.policy != nil {
			l.tree.Sources[files[i]] = r.policy
		} else if r.text != "" {
			l.tree.broken[files[i]] = r.text
		}
	}
	return nil
}

// checkSource checks a source against those who use it.
func (l *loader) checkSource(p *cedar.Policy, uses []use, problems *diag.List) {
	var versions, names []string
	for _, u := range uses {
		name, version := u.set.Entries[u.entry].Policy, u.set.SchemaVersion
		if schema := l.tree.Schemas[version]; schema != nil && !slices.Contains(versions, version) {
			versions = append(versions, version)
			problems.Add(schema.Validate(p)...)
		}
		if id := p.ID(); id != "" && name != "" && id != name && !slices.Contains(names, name) {
			names = append(names, name)
			problems.Add(diag.Problem{
				Position: p.Position(), Severity: diag.Warning, Rule: "id-annotation",
				Message: fmt.Sprintf("@id is %s, but the policy is named %s", quote(id), quote(name)),
				Fix:     "logs and answers of the service show the @id; use one name",
			})
		}
	}
}

// missing reports a source that isn't there at every entry that names it.
func (l *loader) missing(file string, uses []use) (problems diag.List) {
	fix := ""
	// For 10,000 missing files among as many the search would take minutes.
	const maxCandidates, maxSuggestions = 2000, 50
	names := l.names(path.Dir(file))
	if len(names) <= maxCandidates && l.suggestions < maxSuggestions {
		l.suggestions++
		if near := nearest(path.Base(file), names); near != "" {
			fix = "did you mean " + quote(path.Join(path.Dir(file), near)) + "?"
		}
	}
	for _, u := range uses {
		problems.Add(diag.Problem{
			Position: u.set.places.entry[u.entry].source.in(u.set.File), Rule: "missing-source",
			Message: "source " + quote(file) + " doesn't exist", Fix: fix,
		})
	}
	return problems
}

// unusedSources warns of Cedar files beside sources that no manifest names: a
// policy that someone believes to be in force.
func (l *loader) unusedSources(uses map[string][]use) error {
	dirs := map[string]bool{}
	for file := range uses {
		dirs[path.Dir(file)] = true
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		for _, name := range l.names(dir) {
			file := path.Join(dir, name)
			if path.Ext(name) == ".cedar" && uses[file] == nil {
				l.unused(file)
			}
		}
	}
	return nil
}

func (l *loader) unused(file string) {
	l.problems.Add(diag.Problem{
		Position: diag.Position{File: file}, Severity: diag.Warning, Rule: "unused-source",
		Message: "no manifest names this source", Fix: "add an entry for it or delete it",
	})
}

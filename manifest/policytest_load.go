package manifest

import (
	"path"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
)

// maxTestBytes bounds a test file: 10,000 cases, the most that policypin is
// measured with, take about 3 MB.
const maxTestBytes = 8 << 20

// testFiles returns the files that the project's patterns for tests match,
// sorted. A project may do without; only a pattern that somebody wrote and that
// matches nothing is worth a word.
func (l *loader) testFiles() ([]string, error) {
	p := l.tree.Project
	var files []string
	for _, pattern := range p.Tests {
		matches, err := l.glob(pattern)
		if err != nil {
			return nil, err
		}
		if at, written := p.places["tests "+pattern]; written && len(matches) == 0 {
			l.problems.Add(diag.Problem{
				Position: at.in(ProjectFile), Severity: diag.Warning, Rule: "pattern-without-files",
				Message: "no test file matches " + quote(pattern),
				Fix:     "leave tests out if the project has none",
			})
		}
		for _, file := range matches {
			if bad := badPath(file); bad != "" {
				l.problems.Errorf(p.places["tests"].in(ProjectFile), "bad-path", "the path of the test file %s %s", quote(file), bad)
				continue
			}
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// isTest tells whether a path is one of the project's test files.
func (p *Project) isTest(file string) bool {
	return slices.ContainsFunc(p.Tests, func(pattern string) bool { ok, _ := path.Match(pattern, file); return ok })
}

// readTests reads test files and checks them against the sets and schemas of the
// tree, which are read by now.
func (l *loader) readTests(files []string) error {
	type result struct {
		file     *TestFile
		problems diag.List
		secrets  []string
	}
	results := make([]result, len(files))
	labels := make(map[*Set]map[string]bool, len(l.tree.Sets))
	for _, s := range l.tree.Sets {
		labels[s] = make(map[string]bool, len(s.Entries))
		for _, e := range s.Entries {
			labels[s][e.Label()] = true
		}
	}
	check := testCheck{tree: l.tree, labels: labels, unreadSets: l.unreadSets}
	err := pipeline(len(files), func(i int) ([]byte, bool, error) {
		data, problems, err := l.read(files[i], maxTestBytes)
		results[i].problems = problems
		return data, len(problems) == 0, err
	}, func(i int, data []byte) {
		r := &results[i]
		if r.file, r.problems, r.secrets = parseTests(files[i], data); r.file != nil {
			check.file(r.file, &r.problems)
		}
	})
	if err != nil {
		return err
	}
	for i, r := range results {
		r.problems.Sort() // what two schemas have to say is said once
		l.problems.Add(truncate(files[i], r.problems)...)
		l.secrets = append(l.secrets, r.secrets...)
		if r.file != nil {
			l.tree.Tests = append(l.tree.Tests, r.file)
		}
	}
	return nil
}

// A testCheck is what test files are checked against.
type testCheck struct {
	tree       *Tree
	labels     map[*Set]map[string]bool // the policies of each set
	unreadSets bool                     // some manifest isn't in the tree
}

// file checks a test file against the sets that its cases are about, and
// keeps its entities and requests as their schemas type them.
func (t testCheck) file(f *TestFile, problems *diag.List) {
	f.worlds = map[string]*cedar.Entities{}
	declared := make(map[cedar.UID]bool, len(f.Entities))
	for _, e := range f.Entities {
		declared[e.UID] = true
	}
	t.set(f.File, f.Set, f.places.set, problems)
	for i := range f.Cases {
		c := &f.Cases[i]
		if len(*problems) > maxProblems {
			return
		}
		t.set(f.File, c.Set, c.places.set, problems)
		sets := t.tree.TestedSets(f, c)
		t.policies(f.File, sets, c.Determining, c.places.determining, problems)
		t.policies(f.File, sets, c.Errors, c.places.errors, problems)
		named := c.Principal.Type != "" && c.Action.Type != "" && c.Resource.Type != ""
		c.requests = make(map[string]cedar.Request, 1)
		for _, s := range sets {
			schema := t.tree.Schemas[s.SchemaVersion]
			if _, done := c.requests[s.SchemaVersion]; schema == nil || done {
				continue
			}
			world := f.worlds[s.SchemaVersion]
			if world == nil {
				var list diag.List
				world, list = schema.Entities(f.Entities)
				f.worlds[s.SchemaVersion] = world
				problems.Add(list...)
			}
			if !named {
				continue // reported where it was read
			}
			request, list := schema.Request(c.RequestData)
			if problems.Add(list...); list != nil {
				continue
			}
			c.requests[s.SchemaVersion] = request
			for _, uid := range []cedar.PlacedUID{c.Principal, c.Resource} {
				if declared[uid.UID] || world.Has(uid.UID) {
					continue
				}
				fix := world.Near(uid.UID)
				if fix == "" {
					fix = "declare it in entities, if only by its name"
				}
				problems.Add(diag.Problem{
					Position: uid.Position, Rule: "undeclared-entity",
					Message: "the entities have no " + showUID(uid.UID), Fix: fix,
				})
			}
		}
	}
}

// set reports a policy set that doesn't exist.
func (t testCheck) set(file, name string, at place, problems *diag.List) {
	if name == "" || t.unreadSets {
		return
	}
	if _, ok := t.tree.Set(name); ok {
		return
	}
	var names []string
	for _, s := range t.tree.Sets {
		names = append(names, s.Name)
	}
	problems.Add(diag.Problem{
		Position: at.in(file), Rule: "unknown-set",
		Message: "no manifest has the policy set " + quote(name), Fix: didYouMean(name, names),
	})
}

// policies reports policies that none of the sets has.
func (t testCheck) policies(file string, sets []*Set, policies []string, at []place, problems *diag.List) {
	if len(sets) == 0 || t.unreadSets {
		return
	}
	for i, name := range policies {
		if slices.ContainsFunc(sets, func(s *Set) bool { return t.labels[s][name] }) {
			continue
		}
		var labels []string
		for _, s := range sets {
			for _, e := range s.Entries {
				labels = append(labels, e.Label())
			}
		}
		where := "policy set " + quote(sets[0].Name) + " has"
		if len(sets) > 1 {
			where = "the policy sets have"
		}
		problems.Add(diag.Problem{
			Position: at[i].in(file), Rule: "unknown-policy",
			Message: where + " no policy " + quote(name), Fix: didYouMean(name, labels),
		})
	}
}

// showUID is the name of an entity in a message.
func showUID(uid cedar.UID) string {
	name := uid.String()
	if q := quote(name); len(q) != len(name)+2+strings.Count(name, `"`) || q == redacted {
		return q // it is long, or has what can't be seen
	}
	return "`" + name + "`"
}

package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/impact"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
)

func findImpact(ctx context.Context, w *world, opts impactOptions, from, to string) (report.Impact, error) {
	doc := report.Impact{}
	p, err := w.findProject()
	if err != nil {
		return doc, err
	}
	defer p.close()
	var sides [2]*side
	for i, name := range []string{from, to} {
		s, err := w.side(ctx, p, diffOptions{apiURL: opts.apiURL}, name)
		if err != nil {
			return doc, err
		}
		if s.fsys != nil {
			// A set that can't be read must not look like one that was removed.
			if s.tree, err = load(s.fsys); missing(err) {
				err = nil // the project wasn't there yet
			}
			if err != nil {
				return doc, fmt.Errorf("%s: %w", s.label, err)
			}
		}
		sides[i] = s
	}
	a, b := sides[0], sides[1]
	var compare impact.Options
	if compare.Given, err = w.given(opts, b, a); err != nil {
		return doc, err
	}
	if err := liveTrees(a, b, &compare); err != nil {
		return doc, err
	}
	if opts.online {
		if err := w.storedOfBoth(ctx, p, opts, a, b, &compare); err != nil {
			return doc, err
		}
	}
	doc.From, doc.To = a.report(), b.report()
	doc.Report = impact.Compare(a.tree, b.tree, compare)
	return doc, broken(doc.Problems)
}

// brokenLog is what to do about a line that isn't a request: validate doesn't
// look at logs.
const brokenLog = "a line of a log is one request as a JSON object, see docs/impact.md; mend these lines, or take them out"

func broken(problems diag.List) error {
	if err := problems.Err(); err != nil {
		return &hinted{err: err, hint: brokenLog}
	}
	return nil
}

// given reads the requests that were really made: those of the first side that is
// a state of the repository, and the files that flags name.
func (w *world) given(opts impactOptions, sides ...*side) (*impact.Given, error) {
	if slices.Contains(opts.entities.Value(), "-") && slices.Contains(opts.requests.Value(), "-") {
		return nil, &usage{msg: "--entities and --requests can't both be read from stdin"}
	}
	var given *impact.Given
	var problems diag.List
	for _, s := range sides {
		if s.tree == nil || s.fsys == nil {
			continue
		}
		var err error
		if given, problems, err = impact.ReadGiven(s.fsys, s.tree.Project); err != nil {
			return nil, fmt.Errorf("%s: %w", s.label, err)
		}
		break
	}
	if given == nil {
		given = &impact.Given{}
	}
	for _, files := range []struct {
		names []string
		add   func(string, io.Reader) (diag.List, error)
	}{{opts.entities.Value(), given.AddEntities}, {opts.requests.Value(), given.AddRequests}} {
		for i, name := range files.names {
			if name == "-" && slices.Contains(files.names[:i], "-") {
				return nil, &usage{msg: "stdin can be read once"}
			}
			list, err := w.addGiven(name, files.add)
			if err != nil {
				return nil, err
			}
			problems.Add(list...)
		}
	}
	for _, problem := range problems {
		if problem.Severity == diag.Warning {
			w.say("warning: %s", report.Clean(problem.String()))
		}
	}
	return given, problems.Err()
}

func (w *world) addGiven(name string, add func(string, io.Reader) (diag.List, error)) (diag.List, error) {
	if name == "-" {
		return add("stdin", w.stdin)
	}
	f, err := os.Open(resolvePath(w.workDir(), name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("it is a folder")}
	}
	return add(filepath.ToSlash(name), f)
}

// storedOfBoth reads the policies without a source that sets which change name.
func (w *world) storedOfBoth(ctx context.Context, p *project, opts impactOptions, from, to *side, compare *impact.Options) error {
	proj := &manifest.Project{}
	for _, s := range []*side{from, to} {
		if s.tree != nil && s.tree.Project != nil {
			proj = s.tree.Project
		}
	}
	t, err := w.target(proj)
	if err != nil {
		return err
	}
	r, done, err := w.readZone(p, t, opts.apiURL)
	if err != nil {
		return err
	}
	defer done()
	changed := map[string]bool{}
	for _, d := range manifest.Compare(orEmpty(from.tree), orEmpty(to.tree)).Sets {
		if d.Kind != manifest.Layout {
			changed[d.Name], changed[d.Was] = true, true
		}
	}
	for _, one := range []struct {
		side *side
		into *map[impact.Entry][]*cedar.Policy
	}{{from, &compare.From}, {to, &compare.To}} {
		if one.side.live != nil || one.side.tree == nil {
			continue // a zone comes with its texts
		}
		sets := slices.DeleteFunc(slices.Clone(one.side.tree.SetsFor(t.Name)), func(s *manifest.Set) bool { return !changed[s.Name] })
		stored, err := readStored(ctx, r, sets, "")
		if err != nil {
			return err
		}
		if *one.into == nil {
			*one.into = map[impact.Entry][]*cedar.Policy{}
		}
		for entry, policies := range stored {
			(*one.into)[impact.Entry(entry)] = policies
		}
	}
	return nil
}

func orEmpty(tree *manifest.Tree) *manifest.Tree {
	if tree == nil {
		return &manifest.Tree{}
	}
	return tree
}

// liveTrees turns what is active in a zone into a tree, so that it compares like
// any other. What is active is one set, and the other side's set of that name is
// compared with it. Policies that the other side names by number are known too,
// where the zone has that number.
func liveTrees(a, b *side, compare *impact.Options) error {
	for i, s := range []*side{a, b} {
		if s.live == nil {
			continue
		}
		other, texts, others := b, &compare.From, &compare.To
		if i == 1 {
			other, texts, others = a, &compare.To, &compare.From
		}
		var err error
		s.tree, *texts, err = liveTree(s.label, s.live, other)
		if err != nil {
			return err
		}
		compare.Sets = append(compare.Sets, s.live.set)
		if other.tree == nil || other.live != nil {
			continue
		}
		set, ok := other.tree.Set(s.live.set)
		if !ok {
			return notThere(s, other)
		}
		if *others == nil {
			*others = map[impact.Entry][]*cedar.Policy{}
		}
		for _, e := range set.Entries {
			for _, have := range s.live.entries {
				if e.Source == "" && (e.Policy == have.policy && e.Version == have.version.Version || e.VersionID != "" && e.VersionID == have.version.ID) {
					(*others)[impact.Entry{Set: set.Name, Policy: e.Label()}] = (*texts)[impact.Entry{Set: set.Name, Policy: have.policy}]
				}
			}
		}
	}
	return nil
}

// notThere says that the set which is active in a zone isn't in the other state,
// and which are.
func notThere(zone, other *side) error {
	hint := fmt.Sprintf("impact compares the active set with the one of its name in %s, which has none", other.label)
	if len(other.tree.Sets) > 0 {
		var names []string
		for _, s := range other.tree.Sets {
			names = append(names, s.Name)
		}
		hint = fmt.Sprintf("%s has %s; what changes when one of them takes its place is what policypin plan --activate says, where the project file has gates", other.label, listed(names))
	}
	return &hinted{err: fmt.Errorf("%s has policy set %q active, which %s hasn't got", zone.label, zone.live.set, other.label), hint: hint}
}

// maxListed is how many names a hint has.
const maxListed = 5

func listed(names []string) string {
	if more := len(names) - maxListed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), more)
	}
	return strings.Join(names, ", ")
}

func liveTree(label string, live *liveSet, other *side) (*manifest.Tree, map[impact.Entry][]*cedar.Policy, error) {
	set := &manifest.Set{Name: live.set, File: label, SchemaVersion: live.version.SchemaVersion, TargetType: "zone"}
	set.Position = diag.Position{File: label}
	texts := map[impact.Entry][]*cedar.Policy{}
	for _, e := range live.entries {
		v := e.version
		policies, problems := cedar.ParseSet(fmt.Sprintf("%s:%s v%d", label, e.policy, v.Version), []byte(v.CedarRaw))
		if err := problems.Err(); err != nil {
			return nil, nil, fmt.Errorf("%s: reading policy %s: %w", label, e.policy, err)
		}
		set.Entries = append(set.Entries, manifest.Entry{Position: diag.Position{File: label}, Policy: e.policy, Version: v.Version})
		texts[impact.Entry{Set: live.set, Policy: e.policy}] = policies
	}
	slices.SortFunc(set.Entries, func(a, b manifest.Entry) int { return strings.Compare(a.Policy, b.Policy) })
	tree := &manifest.Tree{Sets: []*manifest.Set{set}, Sources: map[string]*cedar.Policy{}}
	if other.tree != nil {
		tree.Project, tree.Schemas = other.tree.Project, other.tree.Schemas // a zone's schema is what the repository fetched
	}
	return tree, texts, nil
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/manifest"
)

// A question is a request to a policy set at one state of the project.
type question struct {
	*project
	state *side
	tree  *manifest.Tree
	pin   *gitstore.Pin // nil if the state isn't a pin
	set   *manifest.Set
	only  bool // the set was chosen for being the only one
}

// read reads the state, as far as it decides the request.
func (q *question) read(ctx context.Context, w *world, opts whyOptions) (err error) {
	if q.state, err = w.side(ctx, q.project, diffOptions{}, opts.at); err != nil {
		return err
	}
	if q.state.fsys == nil {
		return fmt.Errorf("%s has no %s", opts.at, manifest.ProjectFile)
	}
	readTree := manifest.LoadSets
	if opts.request.test != "" {
		readTree = manifest.Load
	}
	var problems diag.List
	if q.tree, problems, err = readTree(q.state.fsys); err != nil {
		return noFile(err)
	}
	if q.tree == nil || opts.request.test != "" {
		if err := problems.Err(); err != nil {
			return err
		}
	}
	if q.set, err = q.choose(ctx, w, opts); err != nil {
		return cmp.Or(problems.Err(), err) // the set may be in a manifest that can't be read
	}
	if list := q.concerning(problems); len(list) > 0 {
		return list
	}
	w.noteErrors(q.state, problems)
	return nil
}

// concerning are the errors in the files that decide. Those in others are no
// reason not to answer; yet which set is the only one, a manifest that can't be
// read could change.
func (q *question) concerning(problems diag.List) (list diag.List) {
	files := []string{manifest.ProjectFile, q.set.File, strings.ReplaceAll(q.tree.Project.Schemas, "{version}", q.set.SchemaVersion)}
	for _, e := range q.set.Entries {
		files = append(files, e.Source)
	}
	slices.Sort(files)
	unchecked := q.tree.Schemas[q.set.SchemaVersion] == nil // there is an error that says why
	for _, p := range problems {
		_, named := slices.BinarySearch(files, p.File)
		if p.Severity == diag.Error && (named || q.only || unchecked) {
			list.Add(p)
		}
	}
	return list
}

// choose finds the policy set that decides, and the pin if the state is one.
func (q *question) choose(ctx context.Context, w *world, opts whyOptions) (set *manifest.Set, err error) {
	if q.pin, err = w.pinAt(ctx, q, opts.at); err != nil {
		return nil, err
	}
	name := opts.set
	if name == "" && q.pin != nil {
		name = q.pin.Record.PolicySet
	}
	if name == "" && opts.request.test != "" {
		if name, err = opts.request.testedSet(q.tree); err != nil {
			return nil, err
		}
	}
	if name == "" {
		t, err := w.target(q.tree.Project)
		if err != nil {
			return nil, err
		}
		name = t.Active
	}
	q.only = name == ""
	return chooseSet(q.tree, name)
}

// chooseSet is the set of a name, or the only one.
func chooseSet(tree *manifest.Tree, name string) (*manifest.Set, error) {
	if name == "" && len(tree.Sets) == 1 {
		return tree.Sets[0], nil
	}
	if s, ok := tree.Set(name); ok {
		return s, nil
	}
	var names []string
	for _, s := range tree.Sets {
		names = append(names, s.Name)
	}
	err := &usage{msg: fmt.Sprintf("no policy set %q", name), hint: "the project has " + strings.Join(names, ", ")}
	switch {
	case len(names) == 0:
		err.msg, err.hint = "the project has no policy sets", ""
	case name == "":
		err.msg, err.hint = "the project has several policy sets", "choose one with --set: "+strings.Join(names, ", ")
	}
	return nil, err
}

// pinAt reads the pin that a state was named by; nil if it wasn't.
func (w *world) pinAt(ctx context.Context, q *question, name string) (*gitstore.Pin, error) {
	short := pinNumber.FindStringSubmatch(name)
	if short == nil || q.repo == nil {
		return nil, nil
	}
	chosen, err := w.target(q.tree.Project)
	if err != nil {
		return nil, err
	}
	local := q.repo.Local()
	refs, err := local.Refs(ctx)
	if err != nil {
		return nil, err
	}
	full := strings.TrimPrefix(strings.TrimPrefix(name, "refs/"), "tags/")
	for _, t := range append([]manifest.Target{chosen}, q.tree.Project.Targets...) {
		pins, _ := refs.Pins(t.Pins)
		for _, ref := range pins {
			named := ref.Set == short[1] && strconv.Itoa(ref.Number) == short[2]
			if ref.Commit != q.state.commit || ref.Name != full && !named {
				continue
			}
			read, err := local.ReadPins(ctx, []gitstore.PinRef{ref})
			if err != nil {
				return nil, err
			}
			return read[0], nil
		}
	}
	return nil, nil // a branch or a tag may have such a name
}

// storedFor reads the policies of the set that have no source, by default from
// the zone that the pin is of.
func (w *world) storedFor(ctx context.Context, q *question, apiURL string) (storedPolicies, error) {
	t, err := w.target(q.tree.Project)
	if q.pin != nil && w.global.target.value == "" {
		t, err = targetNamed(q.tree.Project, q.pin.Record.Target)
	}
	if err != nil {
		return nil, err
	}
	if !q.set.For(t.Name) {
		return nil, &usage{msg: fmt.Sprintf("policy set %s isn't for target %s", q.set.Name, t.Name), hint: "choose another target with --target"}
	}
	r, done, err := w.readZone(q.project, t, apiURL)
	if err != nil {
		return nil, err
	}
	defer done()
	return readStored(ctx, r, []*manifest.Set{q.set}, "")
}

package main

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
)

// Limits of the search for the commit of one policy.
const (
	// maxWalk is how many commits are looked at: about 2 s and 200 MB where few of
	// them touch the policy's folder, 20 s in a folder of 3,000 files that every
	// commit changes. Most searches end after a few.
	maxWalk = 100_000
	// maxMoved is how many removed files are parsed to find one that was moved.
	maxMoved = 1000
)

// A tracer finds the commits that last changed what policies say.
type tracer struct {
	*question
	base   gitstore.Hash // where the search begins: the state's commit, else HEAD; zero without one
	finder *gitstore.ChangeFinder
	files  map[gitstore.Hash]fs.FS // of commits, from the repository's root
}

// traceAll sets the history of policies.
func (q *question) traceAll(base gitstore.Hash, policies []*report.WhyPolicy) error {
	var sources []string
	for _, y := range policies {
		y.History.Status = report.WhyUncommitted
		if y.Source {
			sources = append(sources, path.Join(q.rel, q.entry(y.Policy).Source))
		}
	}
	if base.IsZero() || len(policies) == 0 {
		return nil
	}
	finder, err := q.repo.Changes(sources...)
	if err != nil {
		return err
	}
	t := &tracer{question: q, base: base, finder: finder, files: map[gitstore.Hash]fs.FS{}}
	for _, y := range policies {
		if err := t.policy(y); err != nil {
			return err
		}
	}
	return nil
}

// policy sets the history of one policy.
func (t *tracer) policy(y *report.WhyPolicy) error {
	entry := t.entry(y.Policy)
	if !y.Source {
		return t.chosen(y, entry)
	}
	return t.changed(y, path.Join(t.rel, entry.Source), t.tree.Sources[entry.Source].Digest().String())
}

// changed goes back to the commit that gave a source its content.
func (t *tracer) changed(y *report.WhyPolicy, file, digest string) error {
	if t.state.commit.IsZero() {
		if same, err := t.has(t.base, file, digest); err != nil || !same {
			return err // it stays uncommitted
		}
	}
	at := t.base
	for walk := maxWalk; ; {
		c, done, err := t.last(y, at, file, &walk)
		if done || err != nil {
			return err
		}
		parent, before, err := t.before(c, file, digest)
		if err != nil {
			return err
		}
		if before == "" {
			y.History = report.WhyHistory{Status: report.WhyCommitted, WhyCommit: whyCommit(c)}
			return nil
		}
		kept := report.WhyChange{Kind: report.WhyLayout, WhyCommit: whyCommit(c)}
		if before != file {
			kept.Kind, kept.From = report.WhyMoved, before
			if rel := strings.TrimPrefix(before, t.rel+"/"); t.rel != "." {
				kept.From = rel
			}
		}
		y.Since = append(y.Since, kept)
		at, file = parent, before
	}
}

// last is the commit that last changed a file. done tells that the search ends
// here, with what is known in the history.
func (t *tracer) last(y *report.WhyPolicy, at gitstore.Hash, file string, walk *int) (c gitstore.Commit, done bool, err error) {
	c, err = t.finder.Last(at, file, walk)
	switch {
	case errors.Is(err, gitstore.ErrShallow):
		y.History = report.WhyHistory{Status: report.WhyShallow, WhyCommit: whyCommit(c)}
		return c, true, nil
	case errors.Is(err, gitstore.ErrTooFar):
		y.History = report.WhyHistory{Status: report.WhyTooFar, WhyCommit: whyCommit(c)}
		return c, true, nil
	}
	return c, err != nil, err
}

// before looks for the same content in the parents of a commit that changed the
// file: under its name, or under one that the commit removed. file is "" if the
// content is new.
func (t *tracer) before(c gitstore.Commit, name, digest string) (parent gitstore.Hash, file string, err error) {
	for _, p := range c.Parents {
		if same, err := t.has(p, name, digest); err != nil || same {
			return p, name, err
		}
	}
	for _, p := range c.Parents {
		changes, err := t.repo.ChangedPaths(p, c.Hash, ".")
		if err != nil {
			return p, "", err
		}
		tried := 0
		for _, change := range changes {
			if !change.To.IsZero() || path.Ext(change.Path) != path.Ext(name) {
				continue
			}
			if tried++; tried > maxMoved {
				break
			}
			if same, err := t.has(p, change.Path, digest); err != nil || same {
				return p, change.Path, err
			}
		}
	}
	return gitstore.Hash{}, "", nil
}

// has tells whether a commit has a source with the content. One that can't be
// read as a policy hasn't.
func (t *tracer) has(commit gitstore.Hash, file, digest string) (bool, error) {
	fsys, err := t.at(commit)
	if err != nil {
		return false, err
	}
	info, err := fs.Stat(fsys, file)
	if missing(err) || err == nil && (!info.Mode().IsRegular() || info.Size() > cedar.MaxSourceBytes) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	text, err := fs.ReadFile(fsys, file)
	if err != nil {
		return false, err
	}
	policy, _ := cedar.Parse(file, text)
	return policy != nil && policy.Digest().String() == digest, nil
}

func (t *tracer) at(commit gitstore.Hash) (fs.FS, error) {
	if fsys := t.files[commit]; fsys != nil {
		return fsys, nil
	}
	fsys, err := t.repo.TreeAt(commit, ".")
	if err == nil {
		t.files[commit] = fsys
	}
	return fsys, err
}

// chosen goes back to the commit that made the manifest name this version of a
// policy without a source.
func (t *tracer) chosen(y *report.WhyPolicy, e manifest.Entry) error {
	if t.state.commit.IsZero() {
		then, err := t.repo.TreeAt(t.base, t.rel)
		if missing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if same, err := t.sameEntry(then, t.state.fsys, []string{t.set.File}, e); err != nil || !same {
			return err // it stays uncommitted
		}
	}
	at := t.base
	for walk := maxWalk; ; {
		c, done, err := t.last(y, at, path.Join(t.rel, t.set.File), &walk)
		if done || err != nil {
			return err
		}
		kept := false
		for _, p := range c.Parents {
			if kept, err = t.keptEntry(p, c.Hash, e); err != nil {
				return err
			}
			if kept {
				at = p
				break
			}
		}
		if !kept {
			y.History = report.WhyHistory{Status: report.WhyCommitted, WhyCommit: whyCommit(c)}
			return nil
		}
	}
}

// keptEntry tells whether a commit left the version of an entry as its parent
// had it.
func (t *tracer) keptEntry(parent, commit gitstore.Hash, e manifest.Entry) (bool, error) {
	changes, err := t.repo.ChangedPaths(parent, commit, t.rel)
	if err != nil {
		return false, err
	}
	var changed []string
	for _, c := range changes {
		if c.Path == manifest.ProjectFile {
			return false, nil // it says which manifests there are
		}
		changed = append(changed, c.Path)
	}
	a, err := t.repo.TreeAt(parent, t.rel)
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	b, err := t.repo.TreeAt(commit, t.rel)
	if err != nil {
		return false, err
	}
	return t.sameEntry(a, b, changed, e)
}

func (t *tracer) sameEntry(a, b fs.FS, changed []string, e manifest.Entry) (bool, error) {
	d, _, _, err := manifest.CompareChanged(a, b, changed)
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, s := range d.Sets {
		if s.Name != t.set.Name {
			continue
		}
		if s.Kind == manifest.Added || s.Kind == manifest.Unread {
			return false, nil
		}
		for _, one := range s.Entries {
			if one.Policy == e.Label() && (one.Kind == manifest.Added || slices.ContainsFunc(one.Fields, choosesVersion)) {
				return false, nil
			}
		}
	}
	return true, nil
}

func choosesVersion(c manifest.Change) bool {
	return slices.Contains([]string{"version", "policy_id", "policy_version_id", "source"}, c.Field)
}

func whyCommit(c gitstore.Commit) report.WhyCommit {
	return report.WhyCommit{Commit: c.Hash.String(), Author: c.Author, Date: c.When.UTC(), Subject: c.Subject}
}

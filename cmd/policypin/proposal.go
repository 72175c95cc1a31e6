package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
)

// A proposal is a commit that asks to be merged, and what it is compared with.
type proposal struct {
	base, head *side
	diff       manifest.Diff
	closes     []io.Closer // what the base is read from
}

// close removes what was fetched.
func (p *proposal) close() {
	for _, c := range p.closes {
		c.Close()
	}
}

// propose compares a commit with its base, which the remote has if the clone
// hasn't. The caller closes the result.
func (w *world) propose(ctx context.Context, p *project, remote string, base gitstore.Hash, head *side) (*proposal, error) {
	made := &proposal{base: &side{label: base.Short(), commit: base}, head: head}
	if err := w.compareTo(ctx, p, remote, made); err != nil {
		made.close()
		return nil, err
	}
	return made, nil
}

// compareTo compares with the base as the clone has it, or as the remote has it
// if the clone lacks it or, being partial, lacks its files.
func (w *world) compareTo(ctx context.Context, p *project, remote string, made *proposal) error {
	tree, err := p.repo.TreeAt(made.base.commit, p.rel)
	if !errors.Is(err, gitstore.ErrNoRevision) {
		if err = w.compareWith(p, made, tree, err); !errors.Is(err, gitstore.ErrUnsupported) {
			return err
		}
	}
	tree, err = w.fetchedTree(ctx, p, remote, made)
	return w.compareWith(p, made, tree, err)
}

// compareWith compares with a base that was found, or wasn't.
func (w *world) compareWith(p *project, made *proposal, tree fs.FS, err error) error {
	if missing(err) {
		tree, err = nil, nil // the project wasn't there yet
	}
	if err != nil {
		return fmt.Errorf("reading the base %s: %w", made.base.commit.Short(), err)
	}
	made.base.fsys = tree
	made.diff, err = w.difference(p, made.base, made.head)
	return err
}

// fetchedTree is the project in the base, fetched into a temporary store.
func (w *world) fetchedTree(ctx context.Context, p *project, remote string, made *proposal) (fs.FS, error) {
	origin, err := p.repo.Remote(gitstore.RemoteOptions{
		Name: remote, Getenv: w.getenv, TempMade: w.left.add,
		Progress: func(text string) { w.say("%s", report.Clean(text)) },
	})
	if err != nil {
		return nil, err
	}
	made.closes = append(made.closes, origin)
	return origin.TreeAt(ctx, made.base.commit, p.rel)
}

// difference compares two states, by the files that changed where the clone has
// both.
func (w *world) difference(p *project, base, head *side) (manifest.Diff, error) {
	changed, known, err := p.changed(base, head)
	if err != nil && !errors.Is(err, gitstore.ErrNoRevision) {
		return manifest.Diff{}, err
	}
	if known && err == nil {
		return w.compareChanged(base, head, changed)
	}
	for _, s := range []*side{base, head} {
		if err := w.load(s); err != nil {
			return manifest.Diff{}, err
		}
	}
	return manifest.Compare(base.tree, head.tree), nil
}

// show puts what changed into a comment.
func (p *proposal) show(c *report.Comment) {
	c.Base, c.Head, c.Diff, c.OnMerge, c.Full = p.base.report(), p.head.report(), &p.diff, true, fullReport
}

// fullReport is where a comment says that the rest is.
const fullReport = "the summary of the job"

// proposed adds to the page of a plan what changed since --base, so that it is
// the page that a pull request gets.
func proposed(ctx context.Context, w *world, opts planOptions, c *report.Comment) error {
	p, err := w.committed(opts.rev)
	if err != nil {
		return err
	}
	defer p.close()
	base, err := gitstore.ParseHash(opts.base) // the clone may lack it
	if err != nil {
		if base, err = p.repo.Resolve(opts.base); err != nil {
			return resolving(opts.base, err)
		}
	}
	fsys, err := p.repo.TreeAt(p.commit, p.rel)
	if err != nil {
		return err
	}
	tree, problems, err := manifest.Load(fsys)
	if err != nil {
		return err
	}
	c.Problems = problems
	made, err := w.propose(ctx, p.project, opts.origin.remote, base, &side{label: "HEAD", fsys: fsys, commit: p.commit})
	if err != nil {
		return err
	}
	defer made.close()
	made.show(c)
	made.decide(c, tree, problems)
	return nil
}

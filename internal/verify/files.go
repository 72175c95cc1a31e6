package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// commit looks for the pin's commit on the target's branch.
func (c *Chain) commit(ctx context.Context, r *Result) error {
	at := r.Pin.Commit
	if len(c.Tips) == 0 {
		r.add(LinkCommit, NotAvailable, "%s: the target's branch isn't known here", at.Short())
		return nil
	}
	var names []string
	unknown := ""
	for _, tip := range c.Tips {
		names = append(names, tip.Name)
		on, err := c.Origin.Descends(ctx, tip.Commit, at)
		switch {
		case errors.Is(err, gitstore.ErrShallow):
			unknown = "the history is shallow"
		case errors.Is(err, gitstore.ErrNoRevision):
			unknown = "the branch's commit isn't here"
		case err != nil:
			return err
		case on:
			r.add(LinkCommit, OK, "%s is on %s", at.Short(), tip.Name)
			return nil
		}
	}
	branch := strings.Join(names, " and ")
	if unknown != "" {
		r.add(LinkCommit, NotAvailable, "%s: %s, so that it can't be looked for on %s", at.Short(), unknown, branch)
		return nil
	}
	if base, err := c.newBase(ctx, r.Pin); err != nil {
		return err
	} else if base != nil {
		r.add(LinkCommit, Recorded, "%s is not on %s; %s started again from another base", at.Short(), branch, base.Name)
		return nil
	}
	r.add(LinkCommit, Mismatch, "%s is not on %s", at.Short(), branch)
	return nil
}

// newBase finds a later pin of the set that is on the branch and says that the
// history was rewritten before it.
func (c *Chain) newBase(ctx context.Context, pin *gitstore.Pin) (*gitstore.Pin, error) {
	if c.Siblings == nil {
		return nil, nil
	}
	pins, err := c.Siblings(ctx, pin.Set)
	if err != nil {
		return nil, err
	}
	for _, p := range pins {
		if p.Number <= pin.Number || !slices.ContainsFunc(p.Record.Approvals, func(a gitstore.Approval) bool { return a.Gate == "new-base" }) {
			continue
		}
		for _, tip := range c.Tips {
			if on, err := c.Origin.Descends(ctx, tip.Commit, p.Commit); err == nil && on {
				return p, nil
			}
		}
	}
	return nil, nil
}

// load reads the project that a commit has. The error means that it can't be
// read, and what it has isn't a project if tree is nil.
func (c *Chain) load(ctx context.Context, commit gitstore.Hash, dir string) (*manifest.Tree, map[string]string, error) {
	p := &c.project
	if p.read && p.commit == commit && p.dir == dir {
		return p.tree, p.bad, p.err
	}
	p.commit, p.dir, p.read, p.tree, p.bad = commit, dir, true, nil, map[string]string{}
	var files fs.FS
	if files, p.err = c.Origin.TreeAt(ctx, commit, dir); p.err != nil {
		return nil, nil, p.err
	}
	var problems diag.List
	p.tree, problems, p.err = manifest.LoadSets(files)
	for _, problem := range problems {
		if file := problem.Position.File; problem.Severity == diag.Error && p.bad[file] == "" {
			p.bad[file] = problem.String()
		}
	}
	return p.tree, p.bad, p.err
}

// fromFiles are the links that the commit's files answer.
var fromFiles = []string{LinkProject, LinkSet, LinkSources, LinkSetDigest, LinkSchema, LinkEntries}

// noFiles adds the links that can't be checked after name is otherwise.
func (r *Result) noFiles(name string, status Status, format string, args ...any) {
	at := slices.Index(fromFiles, name)
	r.add(name, status, format, args...)
	for _, later := range fromFiles[at+1:] {
		r.add(later, NotAvailable, "it needs the link %q", name)
	}
}

// A declared set is what the commit says about the pin's policy set.
type declared struct {
	set  *manifest.Set
	tree *manifest.Tree
}

// files recomputes what follows from the commit alone. The set is nil if the
// commit doesn't have it.
func (c *Chain) files(ctx context.Context, r *Result) (*declared, error) {
	rec := &r.Pin.Record
	tree, bad, err := c.load(ctx, r.Pin.Commit, rec.Project)
	switch {
	case errors.Is(err, gitstore.ErrNoRevision), errors.Is(err, gitstore.ErrShallow):
		r.noFiles(LinkProject, NotAvailable, "commit %s isn't here", r.Pin.Commit.Short())
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		r.noFiles(LinkProject, Mismatch, "the commit has no project in folder %q", rec.Project)
		return nil, nil
	case err != nil:
		return nil, err
	case tree == nil || tree.Project == nil:
		r.noFiles(LinkProject, Mismatch, "the commit's project file can't be used: %s", bad[manifest.ProjectFile])
		return nil, nil
	}
	if why := checkTarget(tree.Project, r.Pin); why != "" {
		r.noFiles(LinkProject, Mismatch, "%s", why)
		return nil, nil
	}
	r.add(LinkProject, OK, "target %q, zone %q, pins %q", rec.Target, rec.ZoneID, r.Pin.Pins)

	set, ok := tree.Set(rec.PolicySet)
	switch {
	case !ok:
		r.noFiles(LinkSet, Mismatch, "the commit has no policy set %q", rec.PolicySet)
		return nil, nil
	case !set.For(rec.Target):
		r.noFiles(LinkSet, Mismatch, "%s isn't for target %q", set.File, rec.Target)
		return nil, nil
	}
	r.add(LinkSet, OK, "%s", set.File)
	d := &declared{set, tree}
	d.digest(r, bad)
	if set.SchemaVersion == rec.SchemaVersion {
		r.add(LinkSchema, OK, "%s", rec.SchemaVersion)
	} else {
		r.add(LinkSchema, Mismatch, "the manifest has %q, the record %q", set.SchemaVersion, rec.SchemaVersion)
	}
	if why := d.checkEntries(rec); why != "" {
		r.add(LinkEntries, Mismatch, "%s", why)
	} else {
		r.add(LinkEntries, OK, "%d, as in the manifest", len(rec.Entries))
	}
	return d, nil
}

func checkTarget(p *manifest.Project, pin *gitstore.Pin) string {
	rec := &pin.Record
	t, ok := p.Target(rec.Target)
	switch {
	case !ok:
		return fmt.Sprintf("the commit has no target %q", rec.Target)
	case t.ZoneID != rec.ZoneID:
		return fmt.Sprintf("target %q has zone %q at the commit, and %q in the record", t.Name, t.ZoneID, rec.ZoneID)
	case t.Pins != pin.Pins:
		return fmt.Sprintf("target %q has its pins under %q at the commit, and this one is under %q", t.Name, t.Pins, pin.Pins)
	}
	return ""
}

// digest adds the links of the sources and of the set digest.
func (d *declared) digest(r *Result, bad map[string]string) {
	rec := &r.Pin.Record
	sources := 0
	for _, e := range d.set.Entries {
		if e.Source == "" {
			continue
		}
		sources++
		if d.tree.Sources[e.Source] == nil {
			why := bad[e.Source]
			if why == "" {
				why = e.Source + " isn't there"
			}
			r.add(LinkSources, Mismatch, "%s", why)
			r.add(LinkSetDigest, NotAvailable, "it needs the link %q", LinkSources)
			return
		}
	}
	r.add(LinkSources, OK, "%d parsed", sources)
	digest, err := d.tree.Digest(d.set)
	switch {
	case err != nil:
		r.add(LinkSetDigest, Mismatch, "it can't be computed: %v", err)
	case rec.DigestFormat != cedar.DigestFormat:
		r.add(LinkSetDigest, NotAvailable, "it is of format %d, and this build computes format %d", rec.DigestFormat, cedar.DigestFormat)
	case digest.String() != rec.SetDigest:
		r.add(LinkSetDigest, Mismatch, "the commit's files give %s, the record has %.64s", digest, rec.SetDigest)
	default:
		r.add(LinkSetDigest, OK, "%s, from the commit's files", digest.Short())
	}
}

// checkEntries compares what the manifest names with what the record names.
func (d *declared) checkEntries(rec *gitstore.Record) string {
	byName, byID := map[string]gitstore.RecordEntry{}, map[string]gitstore.RecordEntry{}
	for _, e := range rec.Entries {
		if _, twice := byName[e.Policy]; twice && e.Policy != "" {
			return fmt.Sprintf("the record has policy %q twice", e.Policy)
		}
		if _, twice := byID[e.PolicyID]; twice {
			return fmt.Sprintf("the record has policy id %q twice", e.PolicyID)
		}
		byName[e.Policy], byID[e.PolicyID] = e, e
	}
	for _, e := range d.set.Entries {
		got, ok := byName[e.Policy]
		if e.Policy == "" {
			got, ok = byID[e.PolicyID]
		}
		name := e.Policy
		if name == "" {
			name = e.PolicyID
		}
		switch {
		case !ok:
			return fmt.Sprintf("the manifest has policy %q, the record doesn't", name)
		case e.Version != 0 && e.Version != got.Version:
			return fmt.Sprintf("policy %q has number %d in the manifest and %d in the record", name, e.Version, got.Version)
		case e.PolicyID != "" && e.PolicyID != got.PolicyID, e.VersionID != "" && e.VersionID != got.VersionID:
			return fmt.Sprintf("policy %q has other ids in the manifest than in the record", name)
		case e.SHA != "" && e.SHA != keycard.NormalSHA(got.SHA):
			return fmt.Sprintf("policy %q has sha %s in the manifest and %.72s in the record", name, e.SHA, got.SHA)
		}
	}
	if len(d.set.Entries) != len(rec.Entries) {
		return fmt.Sprintf("entries: %d in the manifest, %d in the record", len(d.set.Entries), len(rec.Entries))
	}
	return ""
}

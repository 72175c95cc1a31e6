package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// maxEnds is how many branches that were open at a moment are looked into. With
// more, nothing is said about that moment.
const maxEnds = 20

// readBefore finds the versions that are older than policypin: below the oldest
// pin, and created when nothing in its history declared the set. No publish can
// have made them, so they lost no pin. Tags don't count here, since who deletes
// some must not be able to explain the rest.
func (d *driftRun) readBefore(ctx context.Context, s *driftSet) error {
	oldest := s.oldest()
	if oldest == nil || s.live[oldest.pin.Record.PolicySetID] == nil {
		return nil
	}
	pinned := map[string]bool{}
	for _, p := range s.pins {
		if p.pin != nil {
			pinned[p.pin.Record.VersionID] = true
		}
	}
	for _, p := range s.lost {
		pinned[p.Record.VersionID] = true
	}
	for _, v := range s.live[oldest.pin.Record.PolicySetID].versions {
		if v.Version >= oldest.ref.Number || pinned[v.ID] || v.ArchivedAt != nil || v.CreatedAt.IsZero() {
			continue
		}
		could, err := d.couldPublish(ctx, s, oldest.pin.Commit, v.CreatedAt)
		if err != nil {
			return fmt.Errorf("what %s was when v%d was created: %w", d.branch, v.Version, err)
		}
		if !could {
			s.before = append(s.before, v)
		}
	}
	return nil
}

// oldest is the pin with the lowest number, or nil if it can't tell what was
// before it: because there is no history behind it, or one that was left behind
// on purpose.
func (s *driftSet) oldest() *driftPin {
	if slices.ContainsFunc(s.pins, func(p *driftPin) bool { return p.pin == nil || p.off || p.gone || p.newBase() }) {
		return nil
	}
	if len(s.pins) == 0 {
		return nil
	}
	return s.pins[len(s.pins)-1]
}

// newBase tells whether the pin was made with --new-base.
func (p *driftPin) newBase() bool {
	return slices.ContainsFunc(p.pin.Record.Approvals, func(a gitstore.Approval) bool { return a.Gate == "new-base" })
}

// couldPublish tells whether a version of the set could have been published at a
// moment: some commit that was in the history then declares it, or, as it may
// have been renamed since, a set that isn't declared any more.
func (d *driftRun) couldPublish(ctx context.Context, s *driftSet, from gitstore.Hash, moment time.Time) (bool, error) {
	ends, err := d.src.Origin.AsOf(ctx, from, moment)
	if err != nil || len(ends) > maxEnds {
		return true, err
	}
	for _, commit := range ends {
		names, err := d.declaredAt(ctx, commit)
		if err != nil {
			return true, err
		}
		for _, name := range names {
			kept := slices.ContainsFunc(d.sets, func(o *driftSet) bool { return o != s && o.decl != nil && o.name == name })
			if !kept {
				return true, nil
			}
		}
	}
	return false, nil
}

// declaredAt lists the sets that a commit declares for the zone, in whichever
// folder a project is: it may have been moved since.
func (d *driftRun) declaredAt(ctx context.Context, commit gitstore.Hash) ([]string, error) {
	if names, ok := d.declared[commit]; ok {
		return names, nil
	}
	root, err := d.src.Origin.TreeAt(ctx, commit, ".")
	if err != nil {
		return nil, err
	}
	var names []string
	err = fs.WalkDir(root, ".", func(file string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a submodule
		}
		if err != nil || e.IsDir() || path.Base(file) != manifest.ProjectFile {
			return err
		}
		tree, err := d.treeOf(ctx, commit, path.Dir(file))
		if err != nil || tree == nil {
			return err
		}
		local, _ := tree.Project.Target("local") // built in
		for _, t := range append([]manifest.Target{local}, tree.Project.Targets...) {
			if t.ZoneID == d.target.ZoneID {
				for _, s := range tree.SetsFor(t.Name) {
					names = append(names, s.Name)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for projects in %s: %w", commit.Short(), err)
	}
	d.declared[commit] = names
	return names, nil
}

// older says once which versions are from before policypin.
func (j *driftJudge) older(s *driftSet) {
	if len(s.before) == 0 {
		return
	}
	newest, first := s.before[0], s.before[len(s.before)-1]
	what := fmt.Sprintf("v%d has no pin; it was", first.Version)
	if n := len(s.before); n > 1 {
		what = fmt.Sprintf("%d versions from v%d to v%d have no pin; they were", n, first.Version, newest.Version)
	}
	f := Finding{
		Kind: DriftUnknown, Detail: detailBefore, Information: true, Set: s.name, VersionID: newest.ID, Version: newest.Version,
		Message:  fmt.Sprintf("%s created before %s declared %s, and not by policypin", what, j.branch, s.name),
		Commands: []string{j.command("versions unused")},
	}
	f.created(newest)
	j.add(f)
}

// isBefore tells whether a version is older than policypin.
func (s *driftSet) isBefore(versionID string) bool {
	return slices.ContainsFunc(s.before, func(v *keycard.PolicySetVersion) bool { return v.ID == versionID })
}

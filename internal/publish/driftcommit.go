package publish

import (
	"context"
	"errors"
	"fmt"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/manifest"
)

// readCommits reads what the pins' commits say, and whether they are on the
// branch.
func (d *driftRun) readCommits(ctx context.Context) error {
	d.trees, d.declared = map[commitDir]*manifest.Tree{}, map[gitstore.Hash][]string{}
	for _, s := range d.sets {
		if err := d.walk(ctx, s); err != nil {
			return fmt.Errorf("policy set %s: %w", s.name, err)
		}
		for _, p := range s.pins {
			if !p.checked {
				continue
			}
			key := commitDir{p.pin.Commit, p.pin.Record.Project}
			tree, ok := d.trees[key]
			if !ok {
				var err error
				tree, err = d.treeOf(ctx, key.commit, key.dir)
				if errors.Is(err, gitstore.ErrNoRevision) {
					p.gone = true
					continue
				}
				if err != nil {
					return err
				}
				d.trees[key] = tree
			}
			p.tree = tree
		}
		if err := d.readBefore(ctx, s); err != nil {
			return fmt.Errorf("policy set %s: %w", s.name, err)
		}
	}
	return nil
}

// walk finds the pins whose commits aren't on the branch. It goes from pin to
// older pin, so that no part of history is walked twice.
func (d *driftRun) walk(ctx context.Context, s *driftSet) error {
	from := d.tip
	for _, p := range s.pins {
		if p.pin == nil {
			continue
		}
		on, err := d.descends(ctx, from, p.pin.Commit)
		if err == nil && !on && from != d.tip {
			on, err = d.descends(ctx, d.tip, p.pin.Commit)
		}
		if err != nil {
			return fmt.Errorf("is pin %s on %s: %w", p.ref.Name, d.branch, err)
		}
		if p.off = !on; on {
			from = p.pin.Commit
		}
		// What was published before a new base was meant to be left behind.
		if p.newBase() {
			return nil
		}
	}
	return nil
}

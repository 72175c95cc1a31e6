package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/policypin/policypin/internal/keycard"
)

// createAttempts is how often a create is sent when its answer keeps getting
// lost and the object keeps not being there.
const createAttempts = 3

// create sends a create until it is known to have happened. After an answer was
// lost, find looks for the object, for as long as replicas may lag, before the
// create is sent again. repeated tells whether it was sent more than once.
func create[T any](ctx context.Context, wait time.Duration, send func() (*T, error), find func() (*T, error)) (obj *T, repeated bool, err error) {
	for attempt := 1; ; attempt++ {
		obj, err := send()
		if err == nil {
			return obj, attempt > 1, nil
		}
		conflict := errors.Is(err, keycard.ErrConflict)
		if !errors.Is(err, keycard.ErrAmbiguous) && !conflict {
			return nil, attempt > 1, err
		}
		found, findErr := poll(ctx, wait, find)
		if findErr != nil {
			return nil, attempt > 1, findErr
		}
		if found != nil {
			return found, attempt > 1, nil
		}
		if conflict || attempt == createAttempts {
			return nil, attempt > 1, err
		}
	}
}

// poll calls find until it finds something or the time is up.
func poll[T any](ctx context.Context, limit time.Duration, find func() (*T, error)) (*T, error) {
	end := time.Now().Add(limit)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		obj, err := find()
		if err != nil || obj != nil {
			return obj, err
		}
		left := time.Until(end)
		if left <= 0 {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(pause, left)):
		}
	}
}

// applyPolicies creates policies and their versions: in parallel across
// policies, one after the other within one, since the service races otherwise.
func (r *run) applyPolicies(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for _, p := range r.work.policies {
		g.Go(func() error {
			if err := r.applyPolicy(ctx, p); err != nil {
				return fmt.Errorf("policy %s: %w", p.name, err)
			}
			return nil
		})
	}
	return g.Wait()
}

func (r *run) applyPolicy(ctx context.Context, p *policyWork) error {
	if p.renameFrom != nil {
		if _, err := r.c.RenamePolicy(ctx, p.renameFrom, p.name); err != nil {
			return fmt.Errorf("renaming %s: %w", p.renameFrom.Name, err)
		}
		r.did("renamed policy %s to %s", p.renameFrom.Name, p.name)
	}
	if p.id == "" {
		live, _, err := create(ctx, r.opts.lookupFor(),
			func() (*keycard.Policy, error) {
				live, err := r.c.CreatePolicy(ctx, p.name, p.description)
				if err == nil {
					r.count(func(c *Created) { c.Policies++ })
				}
				return live, err
			},
			func() (*keycard.Policy, error) { return r.policyNamed(ctx, p.name) })
		if err != nil {
			return err
		}
		if live.LatestVersion > 0 {
			return Refusals{{
				Code: Foreign, Policy: p.name,
				Message: fmt.Sprintf("policy %s appeared in the zone as %s while this run was at work, created by %s", p.name, live.ID, live.CreatedBy),
				Hint:    "run the same command again",
			}}
		}
		p.id = live.ID
		r.did("created policy %s", p.name)
	}
	for _, v := range p.versions {
		if v.have == nil {
			if err := r.applyVersion(ctx, p, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) policyNamed(ctx context.Context, name string) (*keycard.Policy, error) {
	for p, err := range r.c.Policies(ctx, keycard.ListOptions{Query: name}) {
		if err != nil {
			return nil, err
		}
		if p.Name == name {
			return p, nil
		}
	}
	return nil, nil
}

func (r *run) applyVersion(ctx context.Context, p *policyWork, v *versionWork) error {
	made, _, err := create(ctx, r.opts.lookupFor(),
		func() (*keycard.PolicyVersion, error) {
			made, err := r.c.CreatePolicyVersion(ctx, p.id, v.schema, v.source.Text())
			if err == nil {
				r.count(func(c *Created) { c.PolicyVersions++ })
			}
			return made, err
		},
		func() (*keycard.PolicyVersion, error) {
			var newer []*keycard.PolicyVersion
			for live, err := range r.c.PolicyVersions(ctx, p.id, keycard.ListOptions{Order: "desc", Format: "cedar"}) {
				if err != nil {
					return nil, err
				}
				if live.Version <= p.latest {
					break
				}
				newer = append(newer, live)
			}
			return pick(newer, v.source, v.schema), nil
		})
	if err != nil {
		return err
	}
	if made.CedarRaw == "" {
		if made, err = r.c.PolicyVersion(ctx, p.id, made.ID, "cedar"); err != nil {
			return err
		}
	}
	if !v.source.Same(made.CedarRaw) {
		return fmt.Errorf("the zone stored other content than was sent, as version %d (%s); it is in no policy set", made.Version, made.ID)
	}
	if made.SchemaVersion != v.schema {
		return fmt.Errorf("the zone checked version %d (%s) against schema %s, not %s; it is in no policy set", made.Version, made.ID, made.SchemaVersion, v.schema)
	}
	if made.PolicyID == "" {
		made.PolicyID = p.id
	}
	p.latest = max(p.latest, made.Version)
	// The text has served its purpose. With 10,000 policies, keeping it and its
	// JSON would be a fifth of the memory.
	made.CedarRaw, made.CedarJSON = "", nil
	v.have = made
	r.did("created version %d of policy %s", made.Version, p.name)
	return nil
}

// applySet renames or creates the set, creates its version, and reads back the
// version that counts.
func (r *run) applySet(ctx context.Context, w *setWork) error {
	if w.action == Unchanged && !w.rename || w.action == Superseded {
		return nil
	}
	st, name := w.state, w.name()
	if w.rename {
		set := st.live
		if set == nil {
			var err error
			if set, err = r.c.PolicySet(ctx, st.id); err != nil {
				return err
			}
		}
		if set.Name != name {
			if _, err := r.c.RenamePolicySet(ctx, set, name); err != nil {
				return fmt.Errorf("renaming %s: %w", set.Name, err)
			}
			r.did("renamed policy set %s to %s", set.Name, name)
		}
	}
	if st.id == "" {
		set, _, err := create(ctx, r.opts.lookupFor(),
			func() (*keycard.PolicySet, error) {
				set, err := r.c.CreatePolicySet(ctx, name, w.past.decl.TargetType)
				if err == nil {
					r.count(func(c *Created) { c.PolicySets++ })
				}
				return set, err
			},
			func() (*keycard.PolicySet, error) { return r.setNamed(ctx, name, targetTypes(w.past)) })
		if err != nil {
			return err
		}
		if set.LatestVersion > 0 {
			return Refusals{{
				Code: Foreign, Set: name,
				Message: fmt.Sprintf("policy set %s appeared in the zone as %s while this run was at work, created by %s", name, set.ID, set.CreatedBy),
				Hint:    "run the same command again",
			}}
		}
		st.id = set.ID
		r.did("created policy set %s", name)
	}
	if w.action == Create || w.action == Update {
		if err := r.createSetVersion(ctx, w); err != nil {
			return err
		}
	}
	if w.action == Unchanged {
		return nil
	}
	return r.readBack(ctx, w)
}

func (r *run) setNamed(ctx context.Context, name string, types []string) (*keycard.PolicySet, error) {
	for s, err := range r.c.PolicySets(ctx, keycard.ListOptions{Query: name, TargetTypes: types}) {
		if err != nil {
			return nil, err
		}
		if s.Name == name {
			return s, nil
		}
	}
	return nil, nil
}

func (r *run) createSetVersion(ctx context.Context, w *setWork) error {
	entries := make([]keycard.ManifestEntry, len(w.wants))
	for i, want := range w.wants {
		v := want.version()
		entries[i] = keycard.ManifestEntry{PolicyID: v.PolicyID, VersionID: v.ID}
	}
	schema := w.past.decl.SchemaVersion
	var repeated bool
	var err error
	w.result, repeated, err = create(ctx, r.opts.lookupFor(),
		func() (*keycard.PolicySetVersion, error) {
			v, err := r.c.CreateSetVersion(ctx, w.state.id, schema, entries)
			if err == nil {
				r.count(func(c *Created) { c.SetVersions++ })
			}
			return v, err
		},
		func() (*keycard.PolicySetVersion, error) {
			newer, err := r.newerVersions(ctx, w)
			for _, v := range slices.Backward(newer) { // lowest first
				if v.ArchivedAt != nil {
					continue
				}
				full, err := r.c.SetVersion(ctx, w.state.id, v.ID)
				if err != nil {
					return nil, err
				}
				if full.SchemaVersion == schema && holds(full.Entries, w.wants) {
					return full, nil
				}
			}
			return nil, err
		})
	if err != nil {
		return r.archivedSet(ctx, w, err)
	}
	if repeated {
		r.retried[w.name()] = true
	}
	r.did("created version %d of policy set %s", w.result.Version, w.name())
	return nil
}

// archivedSet looks at why a set takes no version. That a set which a pin knows
// was archived shows only here: reading every set before would be a request more
// for each.
func (r *run) archivedSet(ctx context.Context, w *setWork, err error) error {
	var said *keycard.Error
	if !errors.As(err, &said) || said.Status < 400 || said.Status >= 500 {
		return err
	}
	set, readErr := r.c.PolicySet(ctx, w.state.id)
	gone := errors.Is(readErr, keycard.ErrNotFound)
	if !gone && (readErr != nil || set.ArchivedAt == nil) {
		return err
	}
	return Refusals{{
		Code: Archived, Set: w.name(),
		Message: fmt.Sprintf("policy set %s (%s) was archived in the zone: %v", w.name(), w.state.id, err),
		Hint:    fmt.Sprintf("a new set needs another name, or other pins for target %s in the project file", r.target.Name),
	}}
}

// newerVersions lists the versions above what was known when the plan was made,
// newest first.
func (r *run) newerVersions(ctx context.Context, w *setWork) ([]*keycard.PolicySetVersion, error) {
	var newer []*keycard.PolicySetVersion
	for v, err := range r.c.SetVersions(ctx, w.state.id, keycard.ListOptions{Order: "desc"}) {
		if err != nil {
			return nil, err
		}
		if v.Version <= w.state.latest {
			break
		}
		newer = append(newer, v)
	}
	return newer, nil
}

// readBack reads the version that is going to be pinned. Numbers have no gaps,
// so a version that follows the newest one known when the plan was made has no
// equal before it; otherwise the list tells, and the lowest equal one counts.
func (r *run) readBack(ctx context.Context, w *setWork) error {
	created := w.action != Adopt
	if created && (w.result.Version != w.state.latest+1 || r.retried[w.name()]) {
		if err := r.archiveSpares(ctx, w); err != nil {
			return err
		}
	}
	full, err := r.c.SetVersion(ctx, w.state.id, w.result.ID)
	if err != nil {
		return fmt.Errorf("reading version %d back: %w", w.result.Version, err)
	}
	if full.ArchivedAt != nil {
		return fmt.Errorf("version %d was archived while this run was at work", full.Version)
	}
	if err := w.contradiction(full); err != nil {
		return fmt.Errorf("%w; it is not pinned", err)
	}
	if full.PolicySetID == "" {
		full.PolicySetID = w.state.id
	}
	w.result = full
	return nil
}

// archiveSpares lists the versions since the plan was made. The lowest one that is
// equal to the result becomes the result; the others are spares.
func (r *run) archiveSpares(ctx context.Context, w *setWork) error {
	newer, err := r.newerVersions(ctx, w)
	if err != nil {
		return err
	}
	if r.retried[w.name()] && !gapless(newer, w) {
		// What an answer was lost for is there, but this replica doesn't know it.
		_, err := poll(ctx, r.opts.lookupFor(), func() (*bool, error) {
			if newer, err = r.newerVersions(ctx, w); err != nil || !gapless(newer, w) {
				return nil, err
			}
			return new(bool), nil
		})
		if err != nil {
			return err
		}
	}
	var equal []*keycard.PolicySetVersion // newest first
	for _, v := range newer {
		if v.ArchivedAt == nil && v.SchemaVersion == w.result.SchemaVersion && v.ManifestSHA == w.result.ManifestSHA {
			equal = append(equal, v)
		}
	}
	if len(equal) == 0 {
		return nil
	}
	w.result = equal[len(equal)-1]
	for _, spare := range equal[:len(equal)-1] {
		if err := r.archiveSpare(ctx, w, spare); err != nil {
			return err
		}
	}
	return nil
}

// gapless tells whether a list has every version from the plan's newest to the
// result: numbers have no gaps.
func gapless(newer []*keycard.PolicySetVersion, w *setWork) bool {
	there := map[int]bool{}
	for _, v := range newer {
		there[v.Version] = true
	}
	for n := w.state.latest + 1; n <= w.result.Version; n++ {
		if !there[n] {
			return false
		}
	}
	return true
}

func (r *run) archiveSpare(ctx context.Context, w *setWork, spare *keycard.PolicySetVersion) error {
	if _, err := r.c.ArchiveSetVersion(ctx, w.state.id, spare.ID); err != nil {
		return fmt.Errorf("archiving the spare version %d: %w", spare.Version, err)
	}
	r.did("archived the spare version %d (%s) of policy set %s", spare.Version, spare.ID, w.name())
	r.note("policy set %s: version %d (%s) was a spare of version %d, left by a lost answer, and is archived", w.name(), spare.Version, spare.ID, w.result.Version)
	return nil
}

package zone

import (
	"net/http"
	"slices"
)

func (c *call) listSetVersions() (int, any, error) {
	q := c.params
	expanded := q.expand(c.expandable()...)
	q.filters()
	q.choice("sort", "created_at")
	l := q.listing(key(c.zone, c.ids[0]), defaultPage, expanded)
	if err := q.err(); err != nil {
		return 0, nil, err
	}
	var out page[setVersion]
	err := c.store.view(func(r reader) error {
		if _, err := loadSet(r, c.zone, c.ids[0]); err != nil {
			return err
		}
		users := slices.Contains(expanded, "user")
		rows := rowsOf(r, tableVersions, rowPrefix(c.zone, c.ids[0]))
		var err error
		out, err = paginate(l, rows, func(id string) (setVersion, bool, error) {
			rec, err := loadSetVersion(r, c.zone, c.ids[0], id)
			if err != nil || c.lags(id) {
				return setVersion{}, false, err
			}
			var entries []entry
			if c.s.opts.ManifestsInLists {
				m, err := loadManifest(r, c.zone, id)
				if err != nil {
					return setVersion{}, false, err
				}
				entries = m.Entries
			}
			v, err := c.renderSetVersion(r, rec, entries, users)
			return v, true, err
		})
		return err
	})
	return http.StatusOK, out, err
}

func (c *call) listPinnedPolicies() (int, any, error) {
	q := c.params
	expanded := q.expand(c.expandable()...)
	q.filters()
	q.choice("sort", "created_at")
	format := c.contentFormat()
	l := q.listing(key(c.zone, c.ids[1], "policies"), defaultPage, expanded)
	if err := q.err(); err != nil {
		return 0, nil, err
	}
	var out page[policyVersion]
	err := c.store.view(func(r reader) error {
		rows, err := c.pinned(r)
		if err != nil {
			return err
		}
		out, err = paginate(l, rows, c.versionItem(r, format, slices.Contains(expanded, "user")))
		return err
	})
	return http.StatusOK, out, err
}

// pinned lists the policy versions of the path's set version in their order of
// creation. The last list is kept, since a client reads the pages of one version
// after the other and the list never changes.
func (c *call) pinned(r reader) (rowSource, error) {
	if _, err := loadSet(r, c.zone, c.ids[0]); err != nil {
		return nil, err
	}
	if _, err := loadSetVersion(r, c.zone, c.ids[0], c.ids[1]); err != nil {
		return nil, err
	}
	which := key(c.zone, c.ids[1])
	if last := c.s.lastPinned.Load(); last != nil && last.version == which {
		return rowsIn(last.rows), nil
	}
	m, err := loadManifest(r, c.zone, c.ids[1])
	if err != nil {
		return nil, err
	}
	rows := make([]placed, len(m.Entries))
	for i, e := range m.Entries {
		rows[i] = placed{m.Places[i], e.PolicyVersionID}
	}
	slices.SortFunc(rows, placed.compare)
	c.s.lastPinned.Store(&pinnedRows{which, rows})
	return rowsIn(rows), nil
}

// pinnedRows are the rows of one set version's policies.
type pinnedRows struct {
	version string
	rows    []placed
}

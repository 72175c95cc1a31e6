package zone

import (
	"iter"
	"net/http"
	"slices"
)

func (c *call) listSets() (int, any, error) {
	q := c.params
	expanded := q.expand(c.expandable()...)
	owners := q.several("filter[owner_type]", ownerPlatform, ownerCustomer)
	active := q.flag("filter[active]", "active")
	targets := c.targetFilter()
	byStatus := q.choice("sort", "created_at", "status") == "status"
	scope := key(c.zone, string(kindSet))
	if byStatus {
		scope = key(scope, "status")
	}
	matches := q.searches("name")
	l := q.listing(scope, defaultPage, expanded)
	if byStatus {
		if l.forwardOnly = true; l.ascending || l.before != nil {
			q.fail("sort=status allows only order=desc and after")
		}
	}
	if err := q.err(); err != nil {
		return 0, nil, err
	}
	var out page[policySet]
	err := c.store.view(func(r reader) error {
		rows := rowsOf(r, tableLive, rowPrefix(c.zone, string(kindSet)))
		if byStatus {
			var err error
			if rows, err = activeFirst(r, c.zone, rows); err != nil {
				return err
			}
		}
		users := slices.Contains(expanded, "user")
		var err error
		out, err = paginate(l, rows, func(id string) (policySet, bool, error) {
			set, err := loadSet(r, c.zone, id)
			if err != nil {
				return policySet{}, false, err
			}
			item, err := c.renderSet(r, set, users)
			ok := (len(owners) == 0 || slices.Contains(owners, item.OwnerType)) &&
				(len(targets) == 0 || slices.Contains(targets, item.ScopeType)) &&
				(active == nil || *active == item.Active) &&
				matches(map[string]string{"name": item.Name}) &&
				!c.lags(id)
			return item, ok, err
		})
		return err
	})
	return http.StatusOK, out, err
}

// targetFilter reads the filters by target. Generation 3 hides the sets of users
// unless they are asked for.
func (c *call) targetFilter() []string {
	q := c.params
	if c.s.opts.Generation < 3 {
		q.filters("filter[active]", "filter[owner_type]", "filter[scope_type]")
		return q.several("filter[scope_type]", targetZone, targetResource, targetUser, targetSession)
	}
	q.filters("filter[active]", "filter[owner_type]", "filter[scope_type]", "filter[target_type]")
	targets := q.several("filter[target_type]", targetZone, targetUser)
	scopes := q.several("filter[scope_type]", targetZone)
	if len(targets) > 0 && len(scopes) > 0 && !sameSet(targets, scopes) {
		q.fail("filter[target_type] and filter[scope_type] have different values")
	}
	if len(targets)+len(scopes) == 0 {
		return []string{targetZone}
	}
	return slices.Concat(targets, scopes)
}

// activeFirst puts the active set before all others. It gets a place beyond
// every other's, so that cursors work as in any list.
func activeFirst(r reader, zone string, rows rowSource) (rowSource, error) {
	z, err := loadZone(r, zone)
	if err != nil {
		return nil, err
	}
	active, err := load[setRecord](r, tableSets, key(zone, z.ActiveSet))
	if err != nil {
		return nil, err
	}
	const first = uint64(1) << 63
	return func(from uint64, down bool) iter.Seq2[uint64, string] {
		return func(yield func(uint64, string) bool) {
			if active != nil && down && from >= first+active.Place &&
				!yield(first+active.Place, active.Set.ID) {
				return
			}
			for place, id := range rows(min(from, first-1), down) {
				if (active == nil || id != active.Set.ID) && !yield(place, id) {
					return
				}
			}
		}
	}, nil
}

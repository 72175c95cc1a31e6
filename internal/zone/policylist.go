package zone

import (
	"net/http"
	"slices"
)

// maxFilterIDs is the documented most of filter[id].
const maxFilterIDs = 100

func (c *call) listPolicies() (int, any, error) {
	q := c.params
	expanded := q.expand(c.expandable()...)
	allowed := []string{"filter[id]", "filter[owner_type]"}
	if c.s.opts.Generation >= 3 {
		allowed = append(allowed, "filter[target_type]")
	}
	q.filters(allowed...)
	q.choice("sort", "created_at")
	ids, byID := q.values["filter[id]"], q.values.Has("filter[id]")
	limit := defaultPage
	if byID {
		limit = c.checkFilterIDs(ids)
	}
	owners := q.several("filter[owner_type]", ownerPlatform, ownerCustomer)
	targets := q.several("filter[target_type]", targetZone, targetUser)
	if len(targets) == 0 && !byID {
		targets = []string{targetZone}
	}
	matches := q.searches("name", "description")
	l := q.listing(key(c.zone, string(kindPolicy)), limit, expanded)
	if err := q.err(); err != nil {
		return 0, nil, err
	}
	var out page[policy]
	err := c.store.view(func(r reader) (err error) {
		rows := rowsOf(r, tableLive, rowPrefix(c.zone, string(kindPolicy)))
		if byID {
			if rows, err = livePolicies(r, c.zone, ids); err != nil {
				return err
			}
		}
		users := slices.Contains(expanded, "user")
		out, err = paginate(l, rows, func(id string) (policy, bool, error) {
			p, err := loadPolicy(r, c.zone, id)
			if err != nil {
				return policy{}, false, err
			}
			description := ""
			if p.Policy.Description != nil {
				description = *p.Policy.Description
			}
			ok := (len(owners) == 0 || slices.Contains(owners, p.Policy.OwnerType)) &&
				(len(targets) == 0 || slices.Contains(targets, p.TargetType)) &&
				matches(map[string]string{"name": p.Policy.Name, "description": description}) &&
				!c.lags(id)
			return p.Policy.expanded(users), ok, nil
		})
		return err
	})
	return http.StatusOK, out, err
}

func (c *call) checkFilterIDs(ids []string) (limit int) {
	q := c.params
	if len(ids) > maxFilterIDs {
		q.fail("filter[id] takes at most %d ids", maxFilterIDs)
	}
	if q.values.Has("after") || q.values.Has("before") {
		q.fail("filter[id] can't be combined with after or before")
	}
	for _, id := range ids {
		if id == "" || hasControl(id) || slices.Contains([]byte(id), ',') {
			q.fail("filter[id] is repeated for several ids, not joined: %q", clip(id))
		}
	}
	return max(1, len(ids))
}

// livePolicies finds the policies with the given ids; unknown and archived ones
// are left out.
func livePolicies(r reader, zone string, ids []string) (rowSource, error) {
	var found []placed
	for _, id := range ids {
		p, err := load[policyRecord](r, tablePolicies, key(zone, id))
		if err != nil {
			return nil, err
		}
		if p != nil && p.Policy.ArchivedAt == nil {
			found = append(found, placed{p.Place, id})
		}
	}
	slices.SortFunc(found, placed.compare)
	return rowsIn(slices.Compact(found)), nil
}

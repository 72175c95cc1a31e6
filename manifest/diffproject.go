package manifest

import (
	"slices"
	"strconv"
	"strings"
)

// compareProjects lists the differences of two project files, of which either
// may be nil: targets first, since they decide where things go, then gates.
func compareProjects(a, b *Project) []Change {
	if a == nil {
		a = &Project{}
	}
	if b == nil {
		b = &Project{}
	}
	var changes []Change
	names := make([]string, 0, len(b.Targets))
	for _, t := range b.Targets {
		names = append(names, t.Name)
	}
	for _, t := range a.Targets {
		if !slices.Contains(names, t.Name) {
			names = append(names, t.Name)
		}
	}
	for _, name := range names {
		// The built-in local target is there on both sides, listed or not.
		from, _ := a.Target(name)
		to, _ := b.Target(name)
		prefix := "targets." + name + "."
		changes = append(changes, compareFields(
			Change{prefix + "zone_id", from.ZoneID, to.ZoneID},
			Change{prefix + "branch", from.Branch, to.Branch},
			Change{prefix + "pins", from.Pins, to.Pins},
			Change{prefix + "active", from.Active, to.Active},
		)...)
	}
	limit := func(n *int) string {
		if n == nil {
			return ""
		}
		return strconv.Itoa(*n)
	}
	list := func(s []string) string { return strings.Join(s, ", ") }
	return append(changes, compareFields(
		Change{"gates.max_removed_entries", limit(a.Gates.MaxRemovedEntries), limit(b.Gates.MaxRemovedEntries)},
		Change{"gates.widened", a.Gates.Widened, b.Gates.Widened},
		Change{"gates.uncovered", a.Gates.Uncovered, b.Gates.Uncovered},
		Change{"default_target", a.DefaultTarget, b.DefaultTarget},
		Change{"manifests", list(a.Manifests), list(b.Manifests)},
		Change{"schemas", a.Schemas, b.Schemas},
		Change{"tests", list(a.Tests), list(b.Tests)},
		Change{"entities", list(a.Entities), list(b.Entities)},
		Change{"requests", list(a.Requests), list(b.Requests)},
	)...)
}

package manifest

import (
	"fmt"
	"slices"

	"github.com/policypin/policypin/diag"
)

// checkTree applies the rules that look at more than one file: the project
// against the sets, and the sets against each other. unread says that a manifest
// isn't in the tree, which may declare what is missing in it.
func checkTree(t *Tree, unread bool, problems *diag.List) {
	checkTargets(t, unread, problems)
	for _, s := range t.Sets {
		checkSetTargets(t.Project, s, problems)
	}
	checkSetNames(t.Sets, problems)
	checkPolicies(t.Sets, problems)
	checkSourceCase(t.Sets, problems)
}

// checkTargets applies the rules of the project's targets.
func checkTargets(t *Tree, unread bool, problems *diag.List) {
	p := t.Project
	names := p.targetNames()
	if _, ok := p.Target(p.DefaultTarget); !ok {
		problems.Add(diag.Problem{
			Position: p.places["default_target"].in(ProjectFile), Rule: "unknown-target",
			Message: "default_target " + quote(p.DefaultTarget) + " is not a target", Fix: didYouMean(p.DefaultTarget, names),
		})
	}
	zones, pins, cases := map[string]string{}, map[string]string{}, map[string]string{}
	targets := p.Targets
	if !slices.ContainsFunc(targets, func(t Target) bool { return t.Name == localTarget }) {
		// The built-in target comes first, so that the user's is the one that is
		// reported.
		local, _ := p.Target(localTarget)
		targets = slices.Concat([]Target{local}, targets)
	}
	for _, target := range targets {
		at := func(field string) diag.Position {
			if where, ok := p.places["targets."+target.Name+"."+field]; ok {
				return where.in(ProjectFile)
			}
			return p.places["targets."+target.Name].in(ProjectFile)
		}
		if other, ok := cases[sameCase(target.Name)]; ok {
			problems.Errorf(at(""), "names-differ-in-case", "target %s differs from target %s only in case", quote(target.Name), quote(other))
		}
		cases[sameCase(target.Name)] = target.Name
		if other, ok := zones[target.ZoneID]; ok && target.ZoneID != "" {
			problems.Errorf(at("zone_id"), "zone-twice", "target %s has the zone of target %s", quote(target.Name), quote(other))
		} else {
			zones[target.ZoneID] = target.Name
		}
		if other, ok := pins[sameCase(target.Pins)]; ok && sameCase(target.Name) != sameCase(other) {
			problems.Add(diag.Problem{
				Position: at("pins"), Rule: "pins-twice",
				Message: fmt.Sprintf("target %s would pin under the names of target %s", quote(target.Name), quote(other)),
				Fix:     "give one of them other pins",
			})
		} else {
			pins[sameCase(target.Pins)] = target.Name
		}
		if !unread {
			checkActive(t, target, at("active"), problems)
		}
	}
}

// checkActive checks that the set to activate is declared for the target.
func checkActive(t *Tree, target Target, at diag.Position, problems *diag.List) {
	if target.Active == "" {
		return
	}
	var names []string
	for _, s := range t.SetsFor(target.Name) {
		if s.Name == target.Active {
			return
		}
		names = append(names, s.Name)
	}
	problems.Add(diag.Problem{
		Position: at, Rule: "unknown-active-set",
		Message: fmt.Sprintf("no policy set %s is declared for target %s", quote(target.Active), quote(target.Name)),
		Fix:     didYouMean(target.Active, names),
	})
}

// checkSetTargets checks a set's targets, and the entries that depend on them.
func checkSetTargets(p *Project, s *Set, problems *diag.List) {
	for i, name := range s.Targets {
		if _, ok := p.Target(name); !ok {
			problems.Add(diag.Problem{
				Position: s.places.targets[i].in(s.File), Rule: "unknown-target",
				Message: quote(name) + " is not a target of the project", Fix: didYouMean(name, p.targetNames()),
			})
		}
	}
	if len(s.Targets) == 1 {
		return
	}
	for i, e := range s.Entries {
		if e.PolicyID != "" {
			problems.Add(diag.Problem{
				Position: s.places.entry[i].id.in(s.File), Rule: "ids-need-one-target",
				Message: "an entry by policy_id belongs to one zone, but the set is declared for several targets",
				Fix:     "list exactly one target in targets",
			})
		}
	}
}

// checkSetNames checks that sets can be told apart, and that renames are clear.
func checkSetNames(sets []*Set, problems *diag.List) {
	byName, byFold, byWas := map[string]*Set{}, map[string]*Set{}, map[string]*Set{}
	for _, s := range sets {
		if s.Name == "" {
			continue
		}
		at := s.places.name.in(s.File)
		if other := byName[s.Name]; other != nil {
			problems.Errorf(at, "duplicate-set", "policy set %s is already in %s", quote(s.Name), quote(other.File))
			continue
		}
		byName[s.Name] = s
		if other := byFold[Fold(s.Name)]; other != nil {
			rule, only := unalike(s.Name, other.Name)
			problems.Errorf(at, rule, "policy set %s differs from %s in %s %s", quote(s.Name), quote(other.Name), quote(other.File), only)
		}
		byFold[Fold(s.Name)] = s
	}
	for _, s := range sets {
		if s.Was == "" || s.Was == s.Name {
			continue
		}
		at := s.places.was.in(s.File)
		if other := byName[s.Was]; other != nil {
			problems.Errorf(at, "was-conflict", "policy set %s still exists in %s", quote(s.Was), quote(other.File))
		}
		if other := byWas[s.Was]; other != nil {
			problems.Errorf(at, "was-conflict", "policy set %s in %s was %s too", quote(other.Name), quote(other.File), quote(s.Was))
		} else {
			byWas[s.Was] = s
		}
	}
}

// checkPolicies checks policies across the sets that end up in one zone, where
// a policy has one name, one content, and versions that are bound to a schema.
func checkPolicies(sets []*Set, problems *diag.List) {
	byName, bySource, byFold, byWas := map[string][]use{}, map[string][]use{}, map[string]string{}, map[string][]use{}
	for _, s := range sets {
		for i, e := range s.Entries {
			u, places := use{s, i}, s.places.entry[i]
			if e.Policy != "" {
				if other, ok := byFold[Fold(e.Policy)]; ok && other != e.Policy {
					rule, only := unalike(e.Policy, other)
					problems.Errorf(places.policy.in(s.File), rule, "policy %s differs from policy %s %s", quote(e.Policy), quote(other), only)
				} else {
					byFold[Fold(e.Policy)] = e.Policy
				}
			}
			if e.Source == "" {
				continue
			}
			if other, ok := conflict(byName[e.Policy], s, func(o Entry, _ *Set) bool { return o.Source != e.Source }); ok && e.Policy != "" && other.set != s {
				problems.Errorf(places.source.in(s.File), "policy-two-sources", "policy %s has another source in %s: %s",
					quote(e.Policy), quote(other.set.File), quote(other.set.Entries[other.entry].Source))
			}
			if other, ok := conflict(bySource[e.Source], s, func(_ Entry, o *Set) bool {
				return o.SchemaVersion != s.SchemaVersion && o.SchemaVersion != "" && s.SchemaVersion != ""
			}); ok {
				problems.Errorf(places.source.in(s.File), "source-two-schemas", "source %s is used with schema version %s here and %s in %s",
					quote(e.Source), quote(s.SchemaVersion), quote(other.set.SchemaVersion), quote(other.set.File))
			}
			if other, ok := conflict(byWas[e.Policy], s, func(o Entry, _ *Set) bool { return o.Was != e.Was && e.Was != "" }); ok && e.Policy != "" && e.Was != "" && other.set != s {
				problems.Errorf(places.was.in(s.File), "was-conflict", "policy %s was %s in %s",
					quote(e.Policy), quote(other.set.Entries[other.entry].Was), quote(other.set.File))
			}
			remember(byName, e.Policy, u)
			remember(bySource, e.Source, u)
			if e.Was != "" {
				remember(byWas, e.Policy, u)
			}
		}
	}
	for _, s := range sets {
		for i, e := range s.Entries {
			if e.Was == "" || e.Was == e.Policy {
				continue
			}
			if other, ok := conflict(byName[e.Was], s, func(Entry, *Set) bool { return true }); ok {
				problems.Errorf(s.places.entry[i].was.in(s.File), "was-conflict", "policy %s still exists in %s",
					quote(e.Was), quote(other.set.File))
			}
		}
	}
}

// remember keeps the first use of a key in each set. Sets come one after the
// other, so the last use tells; without this, a manifest that names one source
// 100,000 times would take quadratic time.
func remember(uses map[string][]use, key string, u use) {
	if have := uses[key]; len(have) == 0 || have[len(have)-1].set != u.set {
		uses[key] = append(have, u)
	}
}

// conflict finds the first of uses that shares a target with s and that differs.
func conflict(uses []use, s *Set, differs func(Entry, *Set) bool) (use, bool) {
	for _, u := range uses {
		if differs(u.set.Entries[u.entry], u.set) && shareTarget(u.set, s) {
			return u, true
		}
	}
	return use{}, false
}

// checkSourceCase finds paths that are one file on macOS and Windows.
func checkSourceCase(sets []*Set, problems *diag.List) {
	byFold := map[string]string{}
	for _, s := range sets {
		for i, e := range s.Entries {
			if e.Source == "" {
				continue
			}
			key := Fold(e.Source)
			if other, ok := byFold[key]; ok && other != e.Source {
				rule, only := unalike(e.Source, other)
				problems.Errorf(s.places.entry[i].source.in(s.File), rule, "source %s differs from %s %s", quote(e.Source), quote(other), only)
				continue
			}
			byFold[key] = e.Source
		}
	}
}

package impact

import (
	"strings"
	"testing"

	"github.com/policypin/policypin/manifest"
)

// withNumbered adds an entry by number to the set of a tree.
func withNumbered(tree *manifest.Tree, policy string, version int) *manifest.Tree {
	s := tree.Sets[0]
	s.Entries = append(s.Entries, manifest.Entry{Policy: policy, Version: version})
	return tree
}

// A policy whose text isn't known can hide a change or bring one out, where the
// changed policies answer differently. Elsewhere it can't have a part in one.
func TestNumberedEntries(t *testing.T) {
	const one, same = `permit (principal, action, resource) when { ["x", "y"].contains(principal.dept) };`, `permit (principal, action, resource) when { principal.dept == "x" || principal.dept == "y" };`
	tests := []struct {
		name     string
		from, to *manifest.Tree
		want     string // of what isn't covered; "": complete
	}{
		{"said in another way", withNumbered(tree(t, one), "platform", 1), withNumbered(tree(t, same), "platform", 1), ""},
		{"a change", withNumbered(tree(t, one), "platform", 1), withNumbered(tree(t, anyone), "platform", 1), "policy platform has no source in the repository that could be read"},
		{"another number", withNumbered(tree(t, one), "platform", 1), withNumbered(tree(t, one), "platform", 2), "policy platform has no source in the repository that could be read, and it changes"},
		{"one that isn't there any more", withNumbered(tree(t, one), "platform", 1), tree(t, same), "policy platform has no source in the repository that could be read, and it changes"},
		{"said in another way, with an expression that isn't covered", withNumbered(tree(t, `permit (principal, action, resource) when { principal.dept like "a*b*c" };`), "platform", 1),
			withNumbered(tree(t, `permit (principal, action, resource) when { !(!(principal.dept like "a*b*c")) };`), "platform", 1),
			"a pattern"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Compare(tt.from, tt.to, Options{})
			var got []string
			for _, s := range r.Sets {
				for _, u := range s.Uncovered {
					got = append(got, u.Reason)
				}
			}
			if text := strings.Join(got, "; "); (text == "") != (tt.want == "") || !strings.Contains(text, tt.want) {
				t.Errorf("got %q, want %q", text, tt.want)
			}
		})
	}
}

// An expression of a policy that stays the same keeps impact from being complete
// only where it could hide a change or bring one out.
func TestUnchangedExpressions(t *testing.T) {
	const (
		vip        = `permit (principal, action, resource) when { principal.vip };`
		vipAgain   = `permit (principal, action, resource) unless { !principal.vip };`
		open       = `forbid (principal, action, resource) when { context has n && context.n * 2 > 7 };`
		permitOpen = `permit (principal, action, resource) when { context has n && context.n * 2 == 7 };`
		nobodyElse = `forbid (principal, action, resource) unless { context has n && context.n * 2 == 7 };`
		forbidVIP  = `forbid (principal, action, resource) when { principal.vip };`
	)
	for _, tt := range []struct {
		name              string
		from, to          []string
		changed, complete bool
	}{
		{"the changed ones answer alike", []string{open, vip}, []string{open, vipAgain}, false, true},
		{"a forbid that needn't match", []string{open, vip}, []string{open, anyone}, true, true},
		{"a forbid that may always match", []string{nobodyElse, vip}, []string{nobodyElse, anyone}, false, false},
		{"a permit that may never match", []string{permitOpen, forbidVIP}, []string{permitOpen}, false, false},
		{"a permit that another stands in for", []string{permitOpen, anyone, forbidVIP}, []string{permitOpen, anyone}, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, few := range []int{fewOthers, -1} {
				r := withFewOthers(t, few, tree(t, tt.from...), tree(t, tt.to...))
				if r.Complete() != tt.complete || r.Changed() != tt.changed {
					t.Errorf("%d: got %+v", few, r.Sets[0])
				}
			}
		})
	}
}

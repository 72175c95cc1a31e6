package impact

import (
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/cedar"
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

// An expression of a policy that stays the same keeps nothing from being
// complete where the changed ones answer alike.
func TestUnchangedExpressions(t *testing.T) {
	const open = `forbid (principal, action, resource) when { context has n && context.n * 2 > 7 };`
	r := Compare(tree(t, open, `permit (principal, action, resource) when { principal.vip };`), tree(t, open, `permit (principal, action, resource) unless { !principal.vip };`), Options{})
	if !r.Complete() || r.Changed() {
		t.Errorf("got %+v", r.Sets[0])
	}
	r = Compare(tree(t, open, `permit (principal, action, resource) when { principal.vip };`), tree(t, open, anyone), Options{})
	if r.Complete() || !r.Changed() {
		t.Errorf("got %+v", r.Sets[0])
	}
}

// Which entities an attribute of the actions' type can hold isn't known.
func TestAttributesThatHoldActions(t *testing.T) {
	schema, problems := cedar.ParseSchema("s", []byte(`
entity User, Doc, Action;
action read, write appliesTo { principal: User, resource: Doc, context: { last: Action } };
`))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	with := func(policy string) *manifest.Tree {
		tree := tree(t, policy)
		tree.Schemas["v1"] = schema
		return tree
	}
	for _, condition := range []string{`context.last == Action::"read"`, `context.last == action`, `[Action::"write"].contains(context.last)`} {
		r := Compare(with(`permit (principal, action, resource) when { `+condition+` };`), with(anyone), Options{})
		if r.Complete() {
			t.Errorf("%s: got %+v", condition, r.Sets[0])
		}
	}
}

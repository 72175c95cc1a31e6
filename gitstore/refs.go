package gitstore

import (
	"cmp"
	"slices"
	"strings"
)

const (
	branchPrefix = "refs/heads/"
	tagPrefix    = "refs/tags/"
)

// Refs is one listing of an origin's refs.
type Refs struct {
	Head   string          // the branch that HEAD points to, without refs/heads/, or ""
	All    map[string]Hash // full ref name to object id; "HEAD" is among them unless it is unborn
	Peeled map[string]Hash // annotated tags: full ref name to the commit they point to
}

// Branch returns the tip of a branch; "" is the default branch, whose name it
// returns too. Where HEAD is detached, that is the name "HEAD". ok is false if
// there is no such branch.
func (r *Refs) Branch(name string) (branch string, tip Hash, ok bool) {
	if name == "" {
		if name = r.Head; name == "" {
			tip, ok = r.All["HEAD"]
			return "HEAD", tip, ok
		}
	}
	tip, ok = r.All[branchPrefix+name]
	return name, tip, ok
}

// Pins lists the pins below policypin/<pins>/, sorted by set and number. Refs
// there that don't have the form of a pin name are returned in odd, as full ref
// names.
func (r *Refs) Pins(pins string) (refs []PinRef, odd []string) {
	for full, object := range r.All {
		name, ok := strings.CutPrefix(full, tagPrefix)
		if !ok || !strings.HasPrefix(name, "policypin/"+pins+"/") {
			continue
		}
		ref, ok := parsePinName(name)
		if !ok {
			odd = append(odd, full)
			continue
		}
		ref.Object, ref.Commit = object, r.Peeled[full]
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b PinRef) int {
		return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.Number, b.Number))
	})
	slices.Sort(odd)
	return refs, odd
}

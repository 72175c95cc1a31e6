package manifest

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/policypin/policypin/diag"
)

// valueLost are the rules after which a set lacks something that its manifest
// says, or tries to say.
var valueLost = map[string]bool{
	"wrong-type": true, "bad-value": true, "bad-name": true, "bad-path": true, "bad-sha": true,
	"alias": true, "tag": true, "merge-key": true, "duplicate-key": true,
	"unknown-key": true, "missing-key": true, "several-documents": true, "too-many-problems": true,
}

func loses(p diag.Problem) bool { return p.Severity == diag.Error && valueLost[p.Rule] }

// addSet puts what a manifest was parsed to into the tree. One that couldn't be
// understood, or not whole, is remembered: what is missing from it wasn't
// removed by anybody.
func (t *Tree) addSet(file string, s *Set, data []byte, problems diag.List) {
	if s != nil {
		t.Sets = append(t.Sets, s)
	}
	if s == nil || slices.ContainsFunc(problems, loses) {
		if t.unread == nil {
			t.unread = map[string][]byte{}
		}
		t.unread[file] = data
	}
}

// Unread returns a manifest that couldn't be understood, or not whole, and that
// may hold the policy set: "" if the tree has all there is to say of the set.
func (t *Tree) Unread(set string) string {
	if s, ok := t.Set(set); ok {
		if _, unread := t.unread[s.File]; unread {
			return s.File
		}
		return ""
	}
	files := slices.Sorted(maps.Keys(t.unread))
	if len(files) == 0 {
		return ""
	}
	return files[0]
}

// takeUnread takes the manifests that can't be compared, because they changed
// and one side of them couldn't be understood, out of two trees. Each becomes a
// difference of its own kind: that a set isn't there is not known of it.
func takeUnread(a, b *Tree) (*Tree, *Tree, []SetDiff) {
	if len(a.unread)+len(b.unread) == 0 {
		return a, b, nil
	}
	u := unreadSets{sides: [2]*Tree{a, b}}
	for i := range u.taken {
		u.taken[i] = map[*Set]bool{}
	}
	files := maps.Clone(a.unread)
	if files == nil {
		files = map[string][]byte{}
	}
	maps.Copy(files, b.unread)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		u.file(file)
	}
	for _, file := range u.nameless {
		u.missing(file)
	}
	return u.rest(0), u.rest(1), u.diffs
}

// unreadSets is the work of takeUnread.
type unreadSets struct {
	sides    [2]*Tree
	taken    [2]map[*Set]bool
	nameless []string // files of whose set neither side knows the name
	diffs    []SetDiff
}

// file takes the sets of one file, of which at least one side isn't whole.
func (u *unreadSets) file(file string) {
	var sets [2]*Set
	var texts [2][]byte
	for i, t := range u.sides {
		texts[i] = t.unread[file]
		if sets[i] = t.inFile(file); sets[i] != nil {
			texts[i] = sets[i].raw
		}
	}
	if bytes.Equal(texts[0], texts[1]) {
		return // nobody changed it
	}
	name := ""
	for i, s := range sets {
		if s == nil || s.Name == "" {
			if s != nil {
				u.taken[i][s] = true
			}
			continue
		}
		other, elsewhere := u.sides[1-i].Set(s.Name)
		elsewhere = elsewhere && other.File != file
		if _, unread := u.sides[i].unread[file]; elsewhere && !unread {
			continue // the set has moved, and what is here now is another one
		}
		u.taken[i][s] = true
		if elsewhere && !slices.ContainsFunc(u.sides[i].Sets, func(o *Set) bool { return o != s && o.Name == s.Name }) {
			u.taken[1-i][other] = true
		}
		name = cmp.Or(name, s.Name)
	}
	if name == "" {
		u.nameless = append(u.nameless, file)
		return
	}
	u.diffs = append(u.diffs, SetDiff{Name: name, Kind: Unread, Unread: file})
}

// missing gives a file without a name to the sets that may be in it: those that
// one side alone has, and whose own file the other doesn't have any more.
func (u *unreadSets) missing(file string) {
	found := false
	for i, t := range u.sides {
		other := u.sides[1-i]
		if _, unread := other.unread[file]; !unread {
			continue
		}
		for _, s := range t.Sets {
			_, kept := other.Set(s.Name)
			renamed := slices.ContainsFunc(other.Sets, func(o *Set) bool { return o.Was == s.Name })
			if kept || renamed || u.taken[i][s] || other.inFile(s.File) != nil {
				continue
			}
			u.taken[i][s], found = true, true
			u.diffs = append(u.diffs, SetDiff{Name: s.Name, Kind: Unread, Unread: file})
		}
	}
	if !found {
		u.diffs = append(u.diffs, SetDiff{Kind: Unread, Unread: file})
	}
}

// rest is a side without the sets that were taken.
func (u *unreadSets) rest(side int) *Tree {
	t := *u.sides[side]
	t.Sets = slices.DeleteFunc(slices.Clone(t.Sets), func(s *Set) bool { return u.taken[side][s] })
	return &t
}

// inFile returns the set of a manifest.
func (t *Tree) inFile(file string) *Set {
	for _, s := range t.Sets {
		if s.File == file {
			return s
		}
	}
	return nil
}

package cedar

import (
	"bytes"

	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Same tells whether stored, a text that the service returned, holds exactly
// one statement with the same parsed content as p. A text that can't be parsed,
// or is over a limit, is not the same.
//
// The comparison is of what the official engine keeps of a statement: there,
// a != b is !(a == b), and several conditions are one, so a text that was
// printed from its parsed form is still the same.
func (p *Policy) Same(stored string) bool {
	if stored == p.text && p.alone {
		return true
	}
	trees, err := parseStored(stored)
	return err == nil && len(trees) == 1 && sameTree(p.ast, trees[0])
}

func sameTree(a, b *ast.Policy) bool {
	return bytes.Equal(canonical(a, true), canonical(b, true))
}

// SameText tells whether two texts parse to the same sequence of statements,
// compared as [Policy.Same] does. Texts with several statements are compared
// statement by statement, in order. If either doesn't parse, they are the same
// only byte for byte.
func SameText(a, b string) bool {
	if a == b {
		return true
	}
	left, err := parseStored(a)
	if err != nil {
		return false
	}
	right, err := parseStored(b)
	if err != nil || len(left) != len(right) {
		return false
	}
	for i := range left {
		if !sameTree(left[i], right[i]) {
			return false
		}
	}
	return true
}

package cedar

import "strings"

// SameSource tells whether two sources have the same digest, or are equal byte
// for byte. A text that [Parse] refuses is the same only as itself.
//
// It is for comparing thousands of sources that somebody edited: most edits
// change a name or a value, which is seen without parsing.
func SameSource(a, b string) bool {
	if a == b {
		return true
	}
	x, y := source{text: a}, source{text: b}
	left, bad := x.scan(false)
	if bad != nil {
		return false
	}
	right, bad := y.scan(false)
	if bad != nil || namesDiffer(a, b, left, right) {
		return false
	}
	p, _ := Parse("", []byte(a))
	if p == nil {
		return false
	}
	q, _ := Parse("", []byte(b))
	return q != nil && p.Digest() == q.Digest()
}

// namesDiffer tells that one text has a word, a string or a number that the
// other one lacks. All of them end up in what the digest is taken over, so the
// digests differ too. It compares which there are, not how many: the engine
// reads "a has b.c" as "a has b && a.b has c".
func namesDiffer(a, b string, left, right []token) bool {
	inA, ok := names(a, left)
	if !ok {
		return false
	}
	inB, ok := names(b, right)
	if !ok || len(inA) != len(inB) {
		return ok
	}
	for name := range inA {
		if !inB[name] {
			return true
		}
	}
	return false
}

// names returns the words, strings and numbers of a text, without regard to
// which is which, since a.b is a["b"]. ok is false if some could be written in
// another way: with escapes, or a pattern with wildcards in a row.
func names(text string, tokens []token) (set map[string]bool, ok bool) {
	set = make(map[string]bool, len(tokens)/2)
	for _, t := range tokens {
		name := text[t.start:t.end]
		switch t.kind {
		case tokenIdent:
		case tokenInt:
			if name = strings.TrimLeft(name, "0"); name == "" {
				name = "0"
			}
		case tokenString:
			if strings.Contains(name, `\`) || strings.Contains(name, "**") {
				return nil, false
			}
			name = name[1 : len(name)-1]
		default:
			continue
		}
		if name != "" { // an annotation without a value has an empty one
			set[name] = true
		}
	}
	return set, true
}

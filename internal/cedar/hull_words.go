package cedar

import (
	"fmt"
	"slices"
	"strings"
)

// A claim is something that is so for one request or for all of some.
type claim struct {
	verb   verb
	path   string
	has    string // how Cedar asks whether it is there
	values []string
	orNone bool // or the attribute isn't there
}

type verb int

// The verbs; those that say what is so come before those that say what isn't.
const (
	equals verb = iota
	in
	contains
	only
	like
	same
	atLeast
	above
	atMost
	below
	more
	isPresent
	isAbsent
	differs
	notEquals
	notIn
	notContains
	notLike
)

// claims are what is so if the answers to a question are among those seen, in as
// far as others are possible.
func (q *aspect) claims(seen, possible []bool) (list []claim) {
	presence := q.kind == askValue || q.kind == askOrder || q.kind == askHas
	if !slices.Contains(seen[1:], true) {
		if presence && seen[absent] {
			list = append(list, claim{verb: isAbsent, path: q.path})
		}
		return list
	}
	claims := q.positive
	switch q.kind {
	case askValue:
		claims = q.values
	case askOrder:
		claims = q.bounds
	}
	for _, c := range claims(seen, possible) {
		c.path, c.orNone = q.path, seen[absent] && possible[absent]
		list = append(list, c)
	}
	if len(list) == 0 && possible[absent] && !seen[absent] && presence {
		list = append(list, claim{verb: isPresent, path: q.path, has: q.has})
	}
	return list
}

// positive are the claims of a question with two answers.
func (q *aspect) positive(seen, _ []bool) []claim {
	if q.kind == askHas || seen[no] == seen[yes] {
		return nil
	}
	verbs := map[aspectKind][2]verb{askLike: {notLike, like}, askIn: {notIn, in}, askSame: {differs, same}, askElement: {notContains, contains}, askMore: {only, more}}[q.kind]
	c := claim{verb: verbs[0], values: slices.Clone(q.params)}
	if seen[yes] {
		c.verb = verbs[1]
	}
	return []claim{c}
}

// values are the claims about which values there are.
func (q *aspect) values(seen, possible []bool) []claim {
	var named, left []string
	for i, value := range q.named {
		text := string(value.MarshalCedar())
		switch {
		case seen[2+i]:
			named = append(named, text)
		case possible[2+i]:
			left = append(left, text)
		}
	}
	switch {
	case len(left) == 0 && (seen[other] || !possible[other]):
		return nil
	case !seen[other]:
		return []claim{{verb: equals, values: named}}
	}
	return []claim{{verb: notEquals, values: left}}
}

// bounds are the claims about between which values all are.
func (q *aspect) bounds(seen, possible []bool) (list []claim) {
	first, last := slices.Index(seen[1:], true)+1, len(seen)-1
	for !seen[last] {
		last--
	}
	text := func(i int) []string { return []string{string(q.named[i].MarshalCedar())} }
	literal := func(answer int) bool { return answer%2 == 0 }
	if first == last && literal(first) {
		if slices.Index(possible[1:], true)+1 < first || slices.Contains(possible[first+1:], true) {
			list = append(list, claim{verb: equals, values: text(first/2 - 1)})
		}
		return list
	}
	if slices.Contains(possible[1:first], true) {
		if literal(first) {
			list = append(list, claim{verb: atLeast, values: text(first/2 - 1)})
		} else {
			list = append(list, claim{verb: above, values: text(first/2 - 1)})
		}
	}
	if slices.Contains(possible[last+1:], true) {
		if literal(last) {
			list = append(list, claim{verb: atMost, values: text(last/2 - 1)})
		} else {
			list = append(list, claim{verb: below, values: text(last / 2)})
		}
	}
	for i := first; i < last; i++ {
		if literal(i) && possible[i] && !seen[i] {
			list = append(list, claim{verb: notEquals, values: text(i/2 - 1)})
		}
	}
	return list
}

// maxClaims is how many claims are looked at closely, many more than are shown.
const maxClaims = 100

// words are claims as people read them, each thing once, those that say what is
// so first.
func words(claims []claim) []string {
	var list []claim
	for _, c := range claims {
		last := len(list) - 1
		if last >= 0 && list[last].path == c.path && list[last].verb == c.verb && list[last].orNone == c.orNone {
			switch c.verb {
			case in, notIn, contains, notContains, notEquals:
				list[last].values = append(list[last].values, c.values...)
				continue
			}
		}
		list = append(list, c)
	}
	list = list[:min(len(list), maxClaims)]
	list = slices.DeleteFunc(slices.Clone(list), func(c claim) bool { return slices.ContainsFunc(list, c.follows) })
	slices.SortStableFunc(list, func(a, b claim) int { return int(a.rank() - b.rank()) })
	var texts []string
	for _, c := range list {
		texts = append(texts, c.String())
	}
	return texts
}

func (c claim) rank() verb {
	if c.verb < isPresent {
		return equals
	}
	return c.verb
}

// follows tells whether a claim says nothing that another doesn't.
func (c claim) follows(from claim) bool {
	switch c.verb {
	case isPresent:
		if from.verb == isPresent {
			return from.path != c.path && inside(from.path, c.path)
		}
		return from.verb < isPresent && !from.orNone && inside(from.path, c.path)
	case isAbsent:
		return from.verb == isAbsent && from.path != c.path && inside(c.path, from.path)
	case notContains:
		return from.verb == only && from.path == c.path
	}
	return false
}

// inside tells whether a path is that of an attribute or of something in it.
func inside(path, of string) bool {
	rest, ok := strings.CutPrefix(path, of)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// maxValues is how many values of one claim are shown.
const maxValues = 5

func (c claim) String() string {
	text := c.sentence()
	if c.orNone {
		text += " (or no " + c.path + ")"
	}
	return text
}

func (c claim) sentence() string {
	values := strings.Join(c.values[:min(maxValues, len(c.values))], ", ")
	if len(c.values) > maxValues {
		values += ", …"
	}
	choose := func(single, several string) string {
		if len(c.values) == 1 {
			return fmt.Sprintf(single, c.path, values)
		}
		return fmt.Sprintf(several, c.path, values)
	}
	switch c.verb {
	case equals:
		return choose("%s == %s", "%s is one of %s")
	case notEquals:
		return choose("%s != %s", "%s is none of %s")
	case in:
		return choose("%s in %s", "%s in all of %s")
	case notIn:
		return choose("not %s in %s", "%s in none of %s")
	case contains:
		return choose("%s contains %s", "%s contains all of %s")
	case notContains:
		return choose("not %s contains %s", "%s contains none of %s")
	case only:
		if len(c.values) == 0 {
			return c.path + " is empty"
		}
		return c.path + " has nothing but " + values
	case more:
		if values == "" {
			return c.path + " is not empty"
		}
		return c.path + " has others than " + values
	case isPresent:
		return c.has
	case isAbsent:
		return "no " + c.path
	}
	operator := map[verb]string{like: "like", notLike: "like", same: "==", differs: "!=", atLeast: ">=", above: ">", atMost: "<=", below: "<"}[c.verb]
	if c.verb == notLike {
		return "not " + c.path + " like " + values
	}
	return c.path + " " + operator + " " + values
}

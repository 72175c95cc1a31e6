package cedar

import (
	"encoding/binary"
	"iter"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
)

// A Hull is what some requests of one environment answer to what policies ask.
// What none of them answers is what they have in common: a condition that all
// fulfil, and that others may fulfil as well.
type Hull struct {
	of   *Aspects
	seen [][]bool
}

// Cell is what one request answers to all of the questions. Policies that ask
// nothing else come to the same result for all requests of one cell.
func (a *Aspects) Cell(e *Entities, r Request) string {
	w := newView(e, r)
	code := make([]byte, 0, 2*len(a.list))
	for _, one := range a.list {
		if !one.idle {
			code = binary.AppendUvarint(code, uint64(one.answer(w)))
		}
	}
	return string(code)
}

// Hull is that of no request.
func (a *Aspects) Hull() *Hull {
	h := &Hull{of: a}
	if a.many {
		return h // which says nothing
	}
	h.seen = make([][]bool, len(a.list))
	for i, one := range a.list {
		h.seen[i] = make([]bool, len(one.possible))
	}
	return h
}

// Add puts a request into the hull.
func (h *Hull) Add(e *Entities, r Request) {
	if len(h.seen) == 0 {
		return
	}
	w := newView(e, r)
	for i, one := range h.of.list {
		h.seen[i][one.answer(w)] = true
	}
}

// Join puts the requests of another hull of the same aspects into this one.
func (h *Hull) Join(more *Hull) {
	for i, seen := range more.seen {
		join(h.seen[i], seen)
	}
}

func join(all, more []bool) {
	for i, answer := range more {
		all[i] = all[i] || answer
	}
}

// Common are the conditions that all requests of some hulls fulfil, in words. It
// says only what the policies ask in every one of the environments, and nothing
// of expressions whose answers the representatives don't cover.
func Common(hulls []*Hull) []string {
	if len(hulls) == 0 {
		return nil
	}
	var claims []claim
	var members []string // of the set at hand, those that some request has
	for i := range hulls[0].seen {
		q := hulls[0].of.list[i]
		if q.kind != askElement && q.kind != askMore {
			members = nil
		}
		if q.idle {
			continue
		}
		seen, possible := slices.Clone(hulls[0].seen[i]), slices.Clone(q.possible)
		sampled, everywhere := q.sampled, true
		for _, h := range hulls[1:] {
			at := h.find(q)
			if at < 0 {
				everywhere = false
				break
			}
			join(seen, h.seen[at])
			join(possible, h.of.list[at].possible)
			sampled = sampled || h.of.list[at].sampled
		}
		if !everywhere || sampled {
			continue
		}
		if q.kind == askElement && seen[yes] {
			members = append(members, q.params...)
		}
		for _, c := range q.claims(seen, possible) {
			if c.verb == only {
				c.values = members
			}
			claims = append(claims, c)
		}
	}
	return words(claims)
}

// find is the number of the same question in a hull, or -1.
func (h *Hull) find(q *aspect) int {
	if len(h.seen) == 0 {
		return -1
	}
	return slices.IndexFunc(h.of.list, func(have *aspect) bool {
		return !have.idle && have.kind == q.kind && have.path == q.path && slices.Equal(have.params, q.params) && slices.EqualFunc(have.named, q.named, types.Value.Equal)
	})
}

// Facts are what one request answers, in words, apart from the names of principal
// and resource, which it says itself. Of one that was made up, a value that
// nobody names says no more than that nobody names it.
func (a *Aspects) Facts(e *Entities, r Request, made bool) []string {
	w := newView(e, r)
	var claims []claim
	var elements []claim // of the set at hand
	for _, q := range a.list {
		if q.kind != askElement && q.kind != askMore {
			claims, elements = append(claims, elements...), nil
		}
		seen := make([]bool, len(q.possible))
		answer := q.answer(w)
		seen[answer] = true
		switch {
		case answer == absent:
			claims = append(claims, q.claims(seen, q.possible)...)
		case q.kind == askMore && answer == no:
			var has []string
			for _, c := range elements {
				if c.verb == contains {
					has = append(has, c.values...)
				}
			}
			elements = []claim{{verb: equals, path: q.path, values: []string{"[" + strings.Join(has, ", ") + "]"}}}
		case q.kind == askElement || q.kind == askMore:
			elements = append(elements, q.claims(seen, q.possible)...)
		case q.kind == askLike && !made, q.subject && q.kind == askValue && answer != other: // the value says it
		case q.plain(answer, made):
			claims = append(claims, claim{verb: equals, path: q.path, values: []string{string(q.get(w).MarshalCedar())}})
		default:
			claims = append(claims, q.claims(seen, q.possible)...)
		}
	}
	claims = append(claims, elements...)
	if len(claims) == 0 && a.open && !made {
		claims = w.outline()
	}
	return words(claims)
}

// outline is what one sees of a request at once, where the policies ask what
// isn't among the questions: the principal's parents and the context.
func (w *view) outline() (claims []claim) {
	e, _ := w.world.Get(w.uid("principal"))
	for _, text := range spelled(e.Parents.All()) {
		claims = append(claims, claim{verb: in, path: "principal", values: []string{text}})
	}
	context := w.request.request.Context
	for _, name := range slices.Sorted(context.Keys()) {
		value, _ := context.Get(name)
		path, _ := attributePath("context", name)
		claims = append(claims, claim{verb: equals, path: path, values: []string{string(value.MarshalCedar())}})
	}
	return claims
}

func spelled(uids iter.Seq[types.EntityUID]) (texts []string) {
	for uid := range uids {
		texts = append(texts, uid.String())
	}
	slices.Sort(texts)
	return texts
}

// plain tells whether a fact gives the value itself.
func (q *aspect) plain(answer int, made bool) bool {
	switch {
	case q.kind == askOrder || q.kind == askValue && q.sampled:
		return !q.subject
	case q.kind != askValue || answer != other:
		return false
	}
	return !made && !q.subject
}

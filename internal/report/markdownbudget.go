package report

import "strings"

// Budgets in bytes. GitHub refuses a comment over 65,536 characters and drops a
// step's whole summary over 1 MiB; bytes are the safe way to count both.
const (
	CommentBudget = 60_000
	SummaryBudget = 1_000_000
	// MinBudget is what the parts need that are never left out; a smaller budget
	// is taken for this one.
	MinBudget = 10_000
)

// A part is a piece of a page: a head, items and a tail, balanced together. What
// doesn't fit is left out by whole items, and said with its count.
type part struct {
	fixed string // always written; a part has this or items
	head  string
	n     int
	// item writes the i-th item in at most room bytes, or returns "" if it can't.
	item func(i, room int) string
	tail string
	left func(n int) string // what stands for n items; shorter for fewer
	// share is the divisor of the budget that the part may take at most, so that
	// no part takes the place of all others; 0 and 1 are the whole.
	share int
}

// least is what a part takes with nothing of it shown.
func (p *part) least() int {
	if p.n == 0 {
		return len(p.fixed)
	}
	return len(p.left(p.n))
}

// fill writes as many items as fit, and how many didn't.
func (p *part) fill(room int) (text string, left int) {
	if p.n == 0 {
		return p.fixed, 0
	}
	var b strings.Builder
	b.WriteString(p.head)
	i := 0
	for ; i < p.n; i++ {
		free := room - b.Len() - len(p.tail)
		if i < p.n-1 {
			free -= len(p.left(p.n - i - 1))
		}
		if free <= 0 {
			break
		}
		item := p.item(i, free)
		if item == "" || len(item) > free {
			break
		}
		b.WriteString(item)
	}
	switch i {
	case 0:
		return p.left(p.n), p.n
	case p.n:
		return b.String() + p.tail, 0
	}
	return b.String() + p.tail + p.left(p.n-i), p.n - i
}

// assemble writes the parts in the order of the page, and lets them take from
// the budget in the order of their importance. It tells how many items it left
// out.
func assemble(page, importance []*part, budget int) (string, int) {
	need := 0
	for _, p := range page {
		need += p.least()
	}
	texts, omitted := map[*part]string{}, 0
	for _, p := range importance {
		room := budget - need + p.least()
		if p.share > 1 {
			room = min(room, max(budget/p.share, p.least()))
		}
		text, left := p.fill(room)
		texts[p], omitted = text, omitted+left
		need += len(text) - p.least()
	}
	var b strings.Builder
	for _, p := range page {
		b.WriteString(texts[p])
	}
	return b.String(), omitted
}

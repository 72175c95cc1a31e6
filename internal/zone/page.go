package zone

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"iter"
	"math"
	"slices"
)

const (
	defaultPage     = 20
	maxPage         = 100
	maxCursorLength = 255
)

// A page is the envelope of every list.
type page[T any] struct {
	Items      []T        `json:"items"`
	Pagination pagination `json:"pagination"`
}

type pagination struct {
	AfterCursor  *string `json:"after_cursor"`
	BeforeCursor *string `json:"before_cursor"`
	TotalCount   *int    `json:"total_count,omitempty"`
}

// A listing says which page of a list is wanted. Rows have a place that never
// changes and grows with every new row, so that pages stay stable while rows are
// added: a cursor is the place of a row, and rows are strictly beyond it.
type listing struct {
	scope         [8]byte // which list; a cursor of another one is refused
	limit         int
	ascending     bool
	after, before *uint64
	total         bool
	forwardOnly   bool
}

// rowSource goes through the places of a list from one on, up or down.
type rowSource func(from uint64, down bool) iter.Seq2[uint64, string]

// listing reads the parameters of paging. scope names the list.
func (p *params) listing(scope string, limit int, expanded []string) listing {
	sum := sha256.Sum256([]byte(scope))
	l := listing{
		scope:     [8]byte(sum[:8]),
		limit:     p.limit(limit),
		ascending: p.choice("order", "desc", "asc") == "asc",
		total:     slices.Contains(expanded, "total_count"),
	}
	l.after, l.before = p.cursor("after", l.scope), p.cursor("before", l.scope)
	if l.after != nil && l.before != nil {
		p.fail("after and before can't be combined")
	}
	return l
}

func (p *params) cursor(name string, scope [8]byte) *uint64 {
	if !p.values.Has(name) {
		return nil
	}
	text := p.one(name)
	if text == "" || len(text) > maxCursorLength {
		p.fail("%s must have 1 to %d characters", name, maxCursorLength)
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 16 {
		p.fail("%s is not a cursor", name)
		return nil
	}
	if [8]byte(b) != scope {
		p.fail("%s is a cursor of another list", name)
		return nil
	}
	n := binary.BigEndian.Uint64(b[8:])
	return &n
}

func (l listing) encode(place uint64) *string {
	s := base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(l.scope[:], place))
	return &s
}

// paginate builds a page. item loads a row, and leaves out those that the
// filters don't want.
func paginate[T any](l listing, rows rowSource, item func(id string) (T, bool, error)) (page[T], error) {
	out := page[T]{Items: []T{}}
	down := !l.ascending
	type row struct {
		place uint64
		item  T
	}
	collect := func(cursor *uint64, inclusive, down bool, most int) ([]row, error) {
		from := uint64(0)
		if down {
			from = math.MaxUint64
		}
		if cursor != nil {
			from = *cursor
			switch {
			case inclusive:
			case down && from == 0, !down && from == math.MaxUint64:
				return nil, nil
			case down:
				from--
			default:
				from++
			}
		}
		var found []row
		for place, id := range rows(from, down) {
			if len(found) == most {
				break
			}
			it, ok, err := item(id)
			if err != nil {
				return nil, err
			}
			if ok {
				found = append(found, row{place, it})
			}
		}
		return found, nil
	}

	cursor, back := l.after, false
	if l.before != nil {
		cursor, back = l.before, true
	}
	found, err := collect(cursor, false, down != back, l.limit+1)
	if err != nil {
		return out, err
	}
	further := len(found) > l.limit // in the direction of reading
	found = found[:min(len(found), l.limit)]
	behind := false // on the cursor's own side, the cursor's row included
	if cursor != nil {
		rest, err := collect(cursor, true, down == back, 1)
		if err != nil {
			return out, err
		}
		behind = len(rest) > 0
	}
	if back {
		slices.Reverse(found)
		further, behind = behind, further
	}
	for _, r := range found {
		out.Items = append(out.Items, r.item)
	}
	if len(found) > 0 {
		if further {
			out.Pagination.AfterCursor = l.encode(found[len(found)-1].place)
		}
		if behind && !l.forwardOnly {
			out.Pagination.BeforeCursor = l.encode(found[0].place)
		}
	}
	if l.total {
		all, err := collect(nil, false, down, math.MaxInt)
		if err != nil {
			return out, err
		}
		n := len(all)
		out.Pagination.TotalCount = &n
	}
	return out, nil
}

// rowsOf is the source of a list that is stored.
func rowsOf(r reader, t table, prefix string) rowSource {
	return func(from uint64, down bool) iter.Seq2[uint64, string] {
		return r.rows(t, prefix, from, down)
	}
}

// A place and id of a list that isn't stored as one.
type placed struct {
	place uint64
	id    string
}

// rowsIn is the source of a list whose rows are given in rising order of place.
func rowsIn(all []placed) rowSource {
	return func(from uint64, down bool) iter.Seq2[uint64, string] {
		return func(yield func(uint64, string) bool) {
			i, found := slices.BinarySearchFunc(all, from, func(p placed, n uint64) int {
				switch {
				case p.place < n:
					return -1
				case p.place > n:
					return 1
				}
				return 0
			})
			step := 1
			if down {
				step = -1
				if !found {
					i--
				}
			}
			for ; i >= 0 && i < len(all); i += step {
				if !yield(all[i].place, all[i].id) {
					return
				}
			}
		}
	}
}

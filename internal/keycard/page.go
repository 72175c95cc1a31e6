package keycard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

const (
	// pageSize is always sent: the service's default isn't documented, and this
	// is its maximum.
	pageSize = 100

	// maxIDs of filter[id] in one request; more is an error of the service.
	maxIDs = 100

	// maxPages ends a list that has no end: a million objects.
	maxPages = 10_000

	// maxStale is how many pages in a row may bring nothing new. Rows can repeat
	// at the edge of pages, but not a page after page.
	maxStale = 10
)

// ListOptions narrow and order a list. Zero values are the service's defaults,
// except Limit, which is sent as 100 then. An option that a list doesn't have is
// an error.
type ListOptions struct {
	Limit         int
	Order         string   // asc or desc
	After, Before string   // cursors; Before only for one page
	Total         bool     // ask for the total count
	IDs           []string // filter[id], policies only; any number, sent by 100
	Owner         string   // filter[owner_type], policies and sets
	TargetTypes   []string // filter[target_type], sets only; the newest service lists zone sets alone without it
	Query         string   // substring of the name, policies and sets
	Active        *bool    // filter[active], sets only
	Format        string   // cedar or json, where there is Cedar
	Default       *bool    // filter[default], schemas only
}

// A Page is one answer of a list.
type Page[T any] struct {
	Items         []T
	After, Before string // cursors, "" at the end
	Total         int    // -1 when not asked for
}

// A listing is one list operation.
type listing[T object] struct {
	r       *Reader
	parts   []string // words and ids of the path
	filters []string // the optional ones among ListOptions
	read    func([]byte) (T, error)
}

// query encodes the options for this list.
func (l *listing[T]) query(o ListOptions) (string, error) {
	v := url.Values{}
	var unknown error
	filter := func(name, key string, values ...string) {
		if !slices.Contains(l.filters, name) {
			unknown = fmt.Errorf("%s can't be filtered by %s", l.parts[len(l.parts)-1], name)
		}
		v[key] = values
	}
	if o.After != "" && o.Before != "" {
		return "", errors.New("a list goes after one cursor or before one, not both")
	}
	if len(o.IDs) > 0 && (o.After != "" || o.Before != "") {
		return "", errors.New("a list of given ids has no cursors")
	}
	limit := pageSize
	if o.Limit != 0 {
		limit = o.Limit
	}
	v.Set("limit", strconv.Itoa(limit))
	for key, value := range map[string]string{"after": o.After, "before": o.Before, "order": o.Order} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if o.Total {
		v.Set("expand[]", "total_count")
	}
	if len(o.IDs) > 0 {
		filter("ids", "filter[id]", o.IDs...)
	}
	if len(o.TargetTypes) > 0 {
		filter("target", "filter[target_type]", o.TargetTypes...)
	}
	if o.Owner != "" {
		filter("owner", "filter[owner_type]", o.Owner)
	}
	if o.Query != "" {
		filter("query", "query[name]", o.Query)
	}
	if o.Active != nil {
		filter("active", "filter[active]", strconv.FormatBool(*o.Active))
	}
	if o.Format != "" {
		filter("format", "format", o.Format)
	}
	if o.Default != nil {
		filter("default", "filter[default]", strconv.FormatBool(*o.Default))
	}
	return v.Encode(), unknown
}

// page reads one page.
func (l *listing[T]) page(ctx context.Context, o ListOptions) (*Page[T], error) {
	q, err := l.r.request(http.MethodGet, l.parts...)
	if err != nil {
		return nil, err
	}
	if q.query, err = l.query(o); err != nil {
		return nil, err
	}
	var p *Page[T]
	q.decode = func(body []byte, _ http.Header) (err error) {
		p, err = decodePage(body, l.r.zone, l.read)
		return err
	}
	if _, err := l.r.c.do(ctx, &q); err != nil {
		return nil, err
	}
	return p, nil
}

// all goes over all pages and leaves out objects that were seen already.
func (l *listing[T]) all(ctx context.Context, o ListOptions) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if o.Before != "" {
			yield(none, errors.New("a list over all pages goes forward: use After"))
			return
		}
		seen := map[string]bool{}
		if len(o.IDs) == 0 {
			l.walk(ctx, o, seen, yield)
			return
		}
		ids := slices.Compact(slices.Sorted(slices.Values(o.IDs)))
		for chunk := range slices.Chunk(ids, maxIDs) {
			o := o
			o.IDs, o.Limit = chunk, maxIDs
			p, err := l.page(ctx, o)
			if err != nil {
				yield(none, err)
				return
			}
			if !fresh(p, seen, yield) {
				return
			}
		}
	}
}

// walk follows the cursors from o.After on.
func (l *listing[T]) walk(ctx context.Context, o ListOptions, seen map[string]bool, yield func(T, error) bool) {
	var none T
	cursors := map[string]bool{}
	stale := 0
	for range maxPages {
		p, err := l.page(ctx, o)
		if err != nil {
			yield(none, err)
			return
		}
		before := len(seen)
		if !fresh(p, seen, yield) || p.After == "" {
			return
		}
		if stale++; len(seen) > before {
			stale = 0
		}
		if cursors[p.After] || p.After == o.After || stale == maxStale {
			yield(none, fmt.Errorf("listing %s: %w: the pages go in circles", l.parts[len(l.parts)-1], errShape))
			return
		}
		cursors[p.After] = true
		o.After = p.After
	}
	yield(none, fmt.Errorf("listing %s: %w: more than %d pages", l.parts[len(l.parts)-1], errShape, maxPages))
}

// fresh yields what isn't in seen, and reports whether to go on.
func fresh[T object](p *Page[T], seen map[string]bool, yield func(T, error) bool) bool {
	for _, item := range p.Items {
		if seen[item.key()] {
			continue
		}
		seen[item.key()] = true
		if !yield(item, nil) {
			return false
		}
	}
	return true
}

// decodePage reads the envelope that all policy lists share.
func decodePage[T object](body []byte, zone string, read func([]byte) (T, error)) (*Page[T], error) {
	var w struct {
		Items      []json.RawMessage `json:"items"`
		Pagination *struct {
			After  string `json:"after_cursor"` // null at the end
			Before string `json:"before_cursor"`
			Total  *int   `json:"total_count"`
		} `json:"pagination"`
	}
	if err := unmarshal(body, &w); err != nil {
		return nil, err
	}
	if w.Items == nil || w.Pagination == nil {
		if d := readError(body); isErrorForm(body) || d.code != "" {
			return nil, fmt.Errorf("%w: an error in place of the list: %s %s", errShape, d.code, d.message)
		}
		return nil, fmt.Errorf("%w: a list needs items and pagination", errShape)
	}
	p := &Page[T]{Items: make([]T, 0, len(w.Items)), After: w.Pagination.After, Before: w.Pagination.Before, Total: -1}
	if w.Pagination.Total != nil {
		p.Total = *w.Pagination.Total
	}
	for i, raw := range w.Items {
		item, err := decodeOne(raw, zone, read)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		p.Items = append(p.Items, item)
	}
	return p, nil
}

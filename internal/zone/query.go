package zone

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// params are the query parameters of one request. Their methods note the first
// thing that is wrong, which err returns.
type params struct {
	values  url.Values
	problem *apiError
}

func parseParams(rawQuery string) (*params, error) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, badRequest("the query can't be parsed: %v", err)
	}
	return &params{values: values}, nil
}

func (p *params) fail(format string, args ...any) {
	if p.problem == nil {
		p.problem = badRequest(format, args...)
	}
}

func (p *params) err() error {
	if p.problem != nil {
		return p.problem
	}
	return nil
}

// one is a parameter that may be given once.
func (p *params) one(name string) string {
	v := p.values[name]
	if len(v) > 1 {
		p.fail("%s is given more than once", name)
	}
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

// choice is a parameter with a closed list of values; the first is the default.
func (p *params) choice(name string, allowed ...string) string {
	v := p.one(name)
	if !p.values.Has(name) {
		return allowed[0]
	}
	p.check(name, v, allowed)
	return v
}

func (p *params) check(name, value string, allowed []string) {
	if !slices.Contains(allowed, value) {
		p.fail("%s: unknown value %q (allowed: %s)", name, clip(value), strings.Join(allowed, ", "))
	}
}

// several is a repeatable parameter with a closed list of values.
func (p *params) several(name string, allowed ...string) []string {
	for _, v := range p.values[name] {
		p.check(name, v, allowed)
	}
	return p.values[name]
}

// flag is a boolean with a deprecated alias; nil if neither is given.
func (p *params) flag(name, alias string) *bool {
	values := slices.Concat(p.several(name, "true", "false"), p.several(alias, "true", "false"))
	if len(values) == 0 {
		return nil
	}
	for _, v := range values {
		if v != values[0] {
			p.fail("%s and %s have conflicting values", name, alias)
		}
	}
	v := values[0] == "true"
	return &v
}

// filters refuses filters that this list doesn't have.
func (p *params) filters(allowed ...string) {
	for name := range p.values {
		if strings.HasPrefix(name, "filter[") && !slices.Contains(allowed, name) {
			if len(allowed) == 0 {
				p.fail("%s: this list has no filters", clip(name))
				continue
			}
			p.fail("unknown filter %s (allowed: %s)", clip(name), strings.Join(allowed, ", "))
		}
	}
}

// expand reads expand[] and its deprecated spelling expand.
func (p *params) expand(allowed ...string) (fields []string) {
	fields = p.several("expand[]", allowed...)
	old := p.several("expand", allowed...)
	if p.values.Has("expand[]") && p.values.Has("expand") && !sameSet(fields, old) {
		p.fail("expand[] and expand have different values")
	}
	if len(fields) == 0 {
		fields = old
	}
	return fields
}

func sameSet(a, b []string) bool {
	a, b = slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b)))
	return slices.Equal(a, b)
}

// searches reads the text searches over one or more fields: values of one
// parameter are OR-ed, and parameters are AND-ed. The returned function matches
// case-insensitive substrings.
func (p *params) searches(fields ...string) func(values map[string]string) bool {
	type search struct {
		field string // "" is every field
		texts []string
	}
	var all []search
	add := func(field string, names ...string) {
		var texts []string
		for _, name := range names {
			for _, v := range p.values[name] {
				texts = append(texts, strings.ToLower(v))
			}
		}
		if texts != nil {
			all = append(all, search{field, texts})
		}
	}
	add("", "query", "query[]")
	for _, f := range fields {
		add(f, "query["+f+"]", "query["+f+"][]")
	}
	return func(values map[string]string) bool {
		for _, s := range all {
			if !slices.ContainsFunc(s.texts, func(text string) bool {
				for field, value := range values {
					if (s.field == "" || s.field == field) && strings.Contains(strings.ToLower(value), text) {
						return true
					}
				}
				return false
			}) {
				return false
			}
		}
		return true
	}
}

// limit is the page size. The API's default isn't documented; 20 makes a client
// that relies on one notice.
func (p *params) limit(ifAbsent int) int {
	if !p.values.Has("limit") {
		return ifAbsent
	}
	n, err := strconv.Atoi(p.one("limit"))
	if err != nil || n < 1 || n > maxPage {
		p.fail("limit must be a number from 1 to %d", maxPage)
		return maxPage
	}
	return n
}

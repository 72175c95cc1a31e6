package cedar

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

// patternParts are the literals of a pattern, with "" and wild for each "*".
func patternParts(p types.Pattern) (parts []struct {
	text string
	wild bool
}, ok bool) {
	doc, err := p.MarshalJSON()
	if err != nil {
		return nil, false
	}
	var list []any
	if json.Unmarshal(doc, &list) != nil {
		return nil, false
	}
	for _, item := range list {
		part := struct {
			text string
			wild bool
		}{wild: true}
		if literal, ok := item.(map[string]any); ok {
			part.text, _ = literal["Literal"].(string)
			part.wild = false
		}
		parts = append(parts, part)
	}
	return parts, true
}

// like notes a pattern. Those with one "*", at an end, are covered.
func (r *reader) like(n ast.NodeTypeLike) bool {
	s, known := r.place(n.Arg)
	parts, ok := patternParts(n.Value)
	if !known || !ok {
		return false
	}
	if s == nil {
		return true
	}
	if _, ok := s.want.(resolved.StringType); !ok {
		return false
	}
	s.by[r.number] = true
	switch {
	case len(parts) == 0:
		r.constant(s, types.String(""))
	case len(parts) == 1 && !parts[0].wild:
		r.constant(s, types.String(parts[0].text))
	case len(parts) == 1:
	case len(parts) == 2 && parts[1].wild && !parts[0].wild:
		s.begins = append(s.begins, parts[0].text)
	case len(parts) == 2 && parts[0].wild && !parts[1].wild:
		s.ends = append(s.ends, parts[1].text)
	default:
		if parts[0].wild {
			text, _ := likeSamples(n.Value)[0].(types.String)
			s.inner = append(s.inner, string(text))
		}
		return false
	}
	return true
}

// likeSamples are some texts that match a pattern.
func likeSamples(p types.Pattern) (values []types.Value) {
	parts, _ := patternParts(p)
	for _, wild := range []string{"", "x"} {
		var b strings.Builder
		for _, part := range parts {
			if b.WriteString(part.text); part.wild {
				b.WriteString(wild)
			}
		}
		values = append(values, types.String(b.String()))
	}
	return values
}

// texts are n texts, none of them mentioned, for each way in which one can
// begin and end: with what patterns ask for, and with something else between.
// The text that no pattern matches comes first.
func texts(begins, ends []string, mentioned map[string]types.Value, n int) (values []types.Value) {
	distinct := func(list []string) []string {
		return slices.Compact(slices.Sorted(slices.Values(append([]string{""}, list...))))
	}
	begins, ends = distinct(begins), distinct(ends)
	all := strings.Join(begins, "") + strings.Join(ends, "")
	// A rune that no pattern has keeps what is between from making one longer.
	// Without patterns, and mostly with them, it isn't needed.
	between := func(i int, guard string) string {
		text := "other"
		if i > 0 {
			text = fmt.Sprintf("other%d", i+1)
		}
		return guard + text + guard
	}
	guard := '~'
	for strings.ContainsRune(all, guard) {
		guard++
	}
	for _, p := range begins {
		for _, s := range ends {
			for i, found := 0, 0; found < n; i++ {
				text := p + between(i, "") + s
				if longest(begins, text, strings.HasPrefix) != p || longest(ends, text, strings.HasSuffix) != s {
					text = p + between(i, string(guard)) + s
				}
				value := types.String(text)
				if _, taken := mentioned[string(value.MarshalCedar())]; !taken {
					values, found = append(values, value), found+1
				}
			}
		}
	}
	return values
}

// longest is the longest of the sorted literals that the text has at its end.
func longest(literals []string, text string, has func(text, literal string) bool) string {
	best := ""
	for _, l := range literals {
		if has(text, l) && len(l) > len(best) {
			best = l
		}
	}
	return best
}

// asks collects what is asked of a class of slots that are compared.
func asks(class map[*slot]bool) (mentioned map[string]types.Value, begins, ends []string, ordered bool) {
	mentioned = map[string]types.Value{}
	for s := range class {
		maps.Copy(mentioned, s.values)
		begins, ends = append(begins, s.begins...), append(ends, s.ends...)
		ordered = ordered || s.ordered
	}
	return mentioned, begins, ends, ordered
}

// maxJoined bounds the texts that are joined for one attribute. More patterns in
// the middle of texts are many combinations already.
const maxJoined = 8

// joined are texts that begin as one pattern asks and go on as another that isn't
// covered.
func (s *slot) joined(begins []string, mentioned map[string]types.Value) (values []types.Value) {
	for _, p := range begins {
		for _, inner := range s.inner {
			value := types.String(p + inner)
			if _, taken := mentioned[string(value.MarshalCedar())]; !taken && len(values) < maxJoined && !slices.Contains(values, types.Value(value)) {
				values = append(values, value)
			}
		}
	}
	return values
}

package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/policypin/policypin/internal/impact"
)

// witnesses are the requests with their entities, to decide them again.
func (m *markdown) witnesses() *part {
	type witness struct {
		found
		impact.Example
	}
	var list []witness
	for _, f := range append(m.findings(true), m.findings(false)...) {
		for _, e := range f.Examples {
			list = append(list, witness{f, e})
		}
	}
	return &part{
		head: "<details><summary>" + plural(len(list), "request", "requests") + " as JSON, with entities</summary>\n\n",
		n:    len(list), tail: "</details>\n\n", share: 3,
		item: func(i, room int) string {
			e := list[i]
			caption := plain(string(e.Kind)) + ": " + m.request(e.Example)
			if len(m.Impact.Sets) > 1 {
				caption = m.id(e.set.Set) + " " + caption
			}
			text := witnessJSON(e.Example)
			// One that is huge leaves room for the next ones.
			if most := m.budget / 15; len(text) > min(most, room-len(caption)-20) {
				return caption + fmt.Sprintf(" is left out, it has %d bytes; the command `policypin impact` writes it\n\n", len(text))
			}
			return caption + "\n\n" + fence("json", text) + "\n"
		},
		left: func(n int) string { return leftOut(n, "request as JSON", "requests as JSON") },
	}
}

// witnessJSON is one document with the request and the entities, one a line.
func witnessJSON(e impact.Example) string {
	var entities []json.RawMessage
	if !json.Valid(e.Request) || json.Unmarshal(e.Entities, &entities) != nil {
		return CleanLines(string(e.Request) + "\n" + string(e.Entities)) // none of ours
	}
	var b bytes.Buffer
	b.WriteString("{\n  \"request\": ")
	compact := func(raw json.RawMessage) { _ = json.Compact(&b, raw) } // which is valid
	compact(e.Request)
	b.WriteString(",\n  \"entities\": [")
	for i, entity := range entities {
		b.WriteString(strings.Repeat(",", min(i, 1)) + "\n    ")
		compact(entity)
	}
	b.WriteString("\n  ]\n}\n")
	return jsonEscapes(b.String())
}

// jsonEscapes does what [CleanLines] does and leaves it JSON: what could harm
// stands within strings, where an escape means the same.
func jsonEscapes(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '\n' || !hazardous(r, n):
			b.WriteString(text[i : i+n])
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
		i += n
	}
	return b.String()
}

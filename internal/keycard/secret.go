package keycard

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	// mask is written in place of a secret.
	mask = "***"

	// minSecret is the shortest value that is masked: a shorter one is no secret
	// worth the name, and would blot out ordinary words.
	minSecret = 4

	// minEncoded is the shortest encoded form that is masked, for the same reason.
	minEncoded = 6

	// maxRotated is how many fetched tokens are remembered. A process that runs
	// for weeks fetches thousands, and an old one has expired long ago.
	maxRotated = 16
)

// secrets are the values that must not leave this package in a text. The server
// can echo them in any form, so the usual encodings are masked as well.
type secrets struct {
	onAdd func(string) // may be nil

	mu       sync.RWMutex
	fixed    []string // configured
	rotated  []string // fetched tokens, oldest first
	replacer *strings.Replacer
}

// add remembers a configured secret.
func (s *secrets) add(value string) {
	if value == "" {
		return
	}
	s.mu.Lock()
	s.fixed = append(s.fixed, value)
	s.rebuild()
	s.mu.Unlock()
	if s.onAdd != nil {
		s.onAdd(value)
	}
}

// rotate remembers a fetched token.
func (s *secrets) rotate(token string) {
	s.mu.Lock()
	known := slices.Contains(s.rotated, token)
	if !known {
		s.rotated = append(s.rotated, token)
		if len(s.rotated) > maxRotated {
			s.rotated = slices.Delete(s.rotated, 0, 1)
		}
		s.rebuild()
	}
	s.mu.Unlock()
	if !known && s.onAdd != nil {
		s.onAdd(token)
	}
}

func (s *secrets) list() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Concat(s.fixed, s.rotated)
}

func (s *secrets) redact(text string) string {
	s.mu.RLock()
	r := s.replacer
	s.mu.RUnlock()
	if r == nil {
		return text
	}
	return r.Replace(text)
}

// rebuild is called with mu held.
func (s *secrets) rebuild() { s.replacer = replacer(slices.Concat(s.fixed, s.rotated)) }

// replacer masks values in all their forms; nil when there is nothing to mask.
func replacer(values []string) *strings.Replacer {
	var all []string
	for _, v := range values {
		if len(v) >= minSecret {
			all = append(all, forms(v)...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	all = slices.Compact(all)
	// At one position a Replacer takes the first that fits: let that be the longest.
	slices.SortStableFunc(all, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(all))
	for _, form := range all {
		pairs = append(pairs, form, mask)
	}
	return strings.NewReplacer(pairs...)
}

// forms are the ways in which a secret is likely to be written down.
func forms(secret string) []string {
	query, path := url.QueryEscape(secret), url.PathEscape(secret)
	out := []string{secret, query, path, lowerEscapes(query), lowerEscapes(path), trimQuotes(strconv.Quote(secret))}
	if quoted, err := json.Marshal(secret); err == nil {
		out = append(out, trimQuotes(string(quoted)))
	}
	encoded := []string{hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret)))}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		encoded = append(encoded, within(enc, secret)...)
	}
	for _, e := range encoded {
		if len(e) >= minEncoded {
			out = append(out, e, url.QueryEscape(e))
		}
	}
	return out
}

// within is how a secret looks inside the base64 of a longer text, such as that
// of "id:secret". Where it begins within a group of three bytes gives three
// forms; the first and last characters that also depend on a neighbour are left
// out, except at the end of the text.
func within(enc *base64.Encoding, secret string) []string {
	var out []string
	for before := range 3 {
		text := enc.EncodeToString([]byte(strings.Repeat("\x00", before) + secret))
		first, last := (before*8+5)/6, (before+len(secret))*8/6
		if first < last {
			out = append(out, text[first:last], text[first:])
		}
	}
	return out
}

// lowerEscapes writes %2F as %2f.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(string(b[i+1:i+3])))
			i += 2
		}
	}
	return string(b)
}

func trimQuotes(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(s, `"`), `"`)
}

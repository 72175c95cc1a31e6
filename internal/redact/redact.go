// Package redact keeps secrets out of output. A [Writer] replaces every form in
// which a known secret could appear, whoever wrote it: our own messages, a
// server that echoes a header, or a child process.
package redact

import (
	"bytes"
	"slices"
	"strings"
	"sync"
)

// Mask is what is written instead of a secret.
const Mask = "***"

// minSecret is the shortest value that is treated as a secret. A shorter one
// would blot out ordinary words and protect nothing.
const minSecret = 4

// Secrets is a set of values that must not be shown. The zero value is empty
// and ready to use. It is safe for concurrent use, since an access token may be
// fetched while something is being printed.
type Secrets struct {
	mu      sync.RWMutex
	forms   [][]byte
	known   map[string]bool
	longest int
}

// Add makes values secret, together with their encoded forms. The lines of a
// value with several lines, such as a private key, are secret one by one,
// because output is cleaned line by line. Values under four bytes are ignored.
func (s *Secrets) Add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, value := range values {
		for _, line := range strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' }) {
			s.add(line)
			s.add(strings.TrimSpace(line))
		}
	}
}

func (s *Secrets) add(value string) {
	if len(value) < minSecret || s.known[value] {
		return
	}
	if s.known == nil {
		s.known = map[string]bool{}
	}
	s.known[value] = true
	for _, form := range forms(value) {
		s.forms = append(s.forms, []byte(form))
		s.longest = max(s.longest, len(form))
	}
}

// empty tells whether there is nothing to hide.
func (s *Secrets) empty() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.forms) == 0
}

// String returns text with every secret in it replaced.
func (s *Secrets) String(text string) string { return string(s.Bytes([]byte(text))) }

// Bytes returns b with every secret in it replaced. Occurrences that overlap or
// touch become one mask, so that no piece of a secret is left between two
// others. b itself is not changed.
func (s *Secrets) Bytes(b []byte) []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	spans := s.find(b)
	if len(spans) == 0 {
		return b
	}
	var out []byte
	at := 0
	for _, sp := range spans {
		out = append(out, b[at:sp.from]...)
		out = append(out, Mask...)
		at = sp.to
	}
	return append(out, b[at:]...)
}

// cut is the length of the longest start of b that can be written although more
// may follow: what comes after it could be the beginning of a secret.
func (s *Secrets) cut(b []byte) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := max(0, len(b)-(s.longest-1))
	for _, sp := range s.find(b) {
		if sp.from < n && n < sp.to {
			return sp.from
		}
	}
	return n
}

type span struct{ from, to int }

// find returns the places of all secrets in b, merged and in order.
func (s *Secrets) find(b []byte) []span {
	var found []span
	for _, form := range s.forms {
		for at := 0; ; {
			i := bytes.Index(b[at:], form)
			if i < 0 {
				break
			}
			found = append(found, span{at + i, at + i + len(form)})
			at += i + 1
		}
	}
	slices.SortFunc(found, func(a, b span) int { return a.from - b.from })
	merged := found[:0]
	for _, sp := range found {
		if n := len(merged); n > 0 && sp.from <= merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, sp.to)
			continue
		}
		merged = append(merged, sp)
	}
	return merged
}

package keycard

import (
	"slices"
	"sync"

	"github.com/policypin/policypin/internal/redact"
)

// secrets are the values that must not leave this package in a text. The server
// can echo them in any form, so the usual encodings are masked as well.
type secrets struct {
	onAdd func(string) // may be nil

	mu     sync.Mutex
	values []string
	known  redact.Secrets
}

// add remembers a secret, configured or fetched.
func (s *secrets) add(value string) {
	if value == "" {
		return
	}
	s.mu.Lock()
	known := slices.Contains(s.values, value)
	if !known {
		s.values = append(s.values, value)
		s.known.Add(value)
	}
	s.mu.Unlock()
	if !known && s.onAdd != nil {
		s.onAdd(value)
	}
}

func (s *secrets) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.values)
}

func (s *secrets) redact(text string) string { return s.known.String(text) }

package gitstore

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// A Hash is the id of a Git object in a SHA-1 repository.
type Hash [20]byte

// String returns 40 lower-case hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short returns the first 12 hex digits, for messages.
func (h Hash) Short() string { return h.String()[:12] }

// IsZero tells whether h names nothing.
func (h Hash) IsZero() bool { return h == Hash{} }

// ParseHash reads 40 hex digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != hex.EncodedLen(len(h)) {
		return h, fmt.Errorf("object id has %d characters, not 40", len(s))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, errors.New("object id is not hexadecimal")
	}
	return h, nil
}

// MarshalText encodes h as 40 hex digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 40 hex digits.
func (h *Hash) UnmarshalText(text []byte) error {
	p, err := ParseHash(string(text))
	if err == nil {
		*h = p
	}
	return err
}

// toHash and fromHash stand at the door to go-git, whose types don't leave
// this package.
func toHash(h plumbing.Hash) Hash { return Hash(h) }

func fromHash(h Hash) plumbing.Hash { return plumbing.Hash(h) }

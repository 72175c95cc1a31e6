package jcs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// A Digest is a SHA-256 over canonical JSON.
type Digest [sha256.Size]byte

// String returns 64 lower-case hex digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Short returns the first 12 hex digits, for tables.
func (d Digest) Short() string { return d.String()[:12] }

// IsZero tells whether d was never set.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText encodes d as 64 lower-case hex digits.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 64 hex digits.
func (d *Digest) UnmarshalText(text []byte) error {
	p, err := ParseDigest(string(text))
	if err != nil {
		return err
	}
	*d = p
	return nil
}

// ParseDigest reads 64 hex digits of either case.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if len(s) != hex.EncodedLen(len(d)) {
		return d, fmt.Errorf("digest has %d characters, not 64", len(s))
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return Digest{}, fmt.Errorf("digest is not hexadecimal")
	}
	return d, nil
}

// Sum returns the digest of v's canonical JSON. It fails as [Marshal] does.
func Sum(v any) (Digest, error) {
	b, err := Marshal(v)
	if err != nil {
		return Digest{}, err
	}
	return sha256.Sum256(b), nil
}

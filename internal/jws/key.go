package jws

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// A Key signs. It has a private part, so it is neither printed nor logged.
type Key struct{ key jose.JSONWebKey }

// NewKey makes an RSA key of 2048 bits for RS256, under the given id. That takes
// some tenths of a second.
func NewKey(id string) (*Key, error) {
	if id == "" {
		return nil, fmt.Errorf("a signing key needs an id")
	}
	private, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		return nil, err
	}
	return &Key{jose.JSONWebKey{Key: private, KeyID: id, Algorithm: string(jose.RS256), Use: "sig"}}, nil
}

// ParseKey reads what [Key.MarshalJSON] wrote.
func ParseKey(data []byte) (*Key, error) {
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("reading a signing key: %w", err)
	}
	if private, ok := k.Key.(*rsa.PrivateKey); !ok || private.Validate() != nil || k.KeyID == "" {
		return nil, fmt.Errorf("reading a signing key: it is no RSA key with an id")
	}
	return &Key{k}, nil
}

// MarshalJSON writes the key, the private part included, as a JSON Web Key.
func (k *Key) MarshalJSON() ([]byte, error) { return k.key.MarshalJSON() }

// String hides the key.
func (k *Key) String() string { return "signing key " + k.key.KeyID }

// GoString hides the key.
func (k *Key) GoString() string { return k.String() }

// ID is the kid of what the key signs.
func (k *Key) ID() string { return k.key.KeyID }

// Sign puts content into an envelope. The same content and key give the same
// bytes: RS256 is deterministic (RFC 8017, section 8.2).
func (k *Key) Sign(payload []byte) ([]byte, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: k.key}, nil)
	if err != nil {
		return nil, err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return nil, err
	}
	return []byte(signed.FullSerialize()), nil
}

// Public returns the set of the keys' public parts.
func Public(keys ...*Key) *KeySet {
	set := &KeySet{}
	for _, k := range keys {
		set.keys = append(set.keys, k.key.Public())
	}
	return set
}

package jws

import (
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// Limits of a key set and its keys.
const (
	maxKeySetBytes = 1 << 20
	maxKeys        = 1000
	// RFC 7518, section 3.3, wants 2048 bits at least. go-jose takes no more than
	// 8192, which bounds what a hostile key costs.
	minRSABits = 2048
)

// A KeySet holds the public keys of a zone. The zero value is empty.
type KeySet struct{ keys []jose.JSONWebKey }

// ParseKeySet reads a JSON Web Key Set. As RFC 7517, section 5, has it, keys of
// kinds that aren't understood or are out of range are left out; a key that
// shows its private part is refused.
func ParseKeySet(data []byte) (*KeySet, error) {
	if len(data) > maxKeySetBytes {
		return nil, fmt.Errorf("the key set has more than %d bytes", maxKeySetBytes)
	}
	members, err := readObject(data)
	if err != nil {
		return nil, fmt.Errorf("the key set is not JSON: %w", err)
	}
	list, ok := members["keys"].([]any)
	if !ok {
		return nil, fmt.Errorf(`this is no key set: it has no array "keys"`)
	}
	if len(list) > maxKeys {
		return nil, fmt.Errorf("the key set has more than %d keys", maxKeys)
	}
	set := &KeySet{}
	for i, item := range list {
		raw, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("keys[%d] is not an object", i)
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth"} {
			if _, ok := raw[private]; ok {
				return nil, fmt.Errorf("keys[%d] shows a private key", i)
			}
		}
		if k, ok := readPublicKey(raw); ok {
			set.keys = append(set.keys, k)
		}
	}
	return set, nil
}

// readPublicKey takes an RSA or Ed25519 key that may verify signatures. It sees
// neither the members of other kinds nor certificates, which prove nothing here.
func readPublicKey(raw map[string]any) (k jose.JSONWebKey, ok bool) {
	if operations, ok := raw["key_ops"].([]any); ok && !slices.Contains(operations, any("verify")) {
		return k, false
	}
	kept := make(map[string]any)
	for _, name := range []string{"kty", "kid", "use", "alg", "n", "e", "crv", "x"} {
		if v, ok := raw[name]; ok {
			kept[name] = v
		}
	}
	data, err := json.Marshal(kept)
	if err != nil || json.Unmarshal(data, &k) != nil || k.KeyID == "" {
		return k, false
	}
	return k, k.Use == "" || k.Use == "sig"
}

// fits tells whether a key may verify signatures of an algorithm.
func fits(k jose.JSONWebKey, algorithm string) bool {
	if k.Algorithm != "" && k.Algorithm != algorithm {
		return false
	}
	switch public := k.Key.(type) {
	case *rsa.PublicKey:
		return algorithm == string(jose.RS256) && public.N.BitLen() >= minRSABits
	case ed25519.PublicKey:
		return algorithm == string(jose.EdDSA)
	}
	return false
}

// IDs lists the key ids, in the order of the set.
func (s *KeySet) IDs() []string {
	ids := []string{}
	for _, k := range s.keys {
		ids = append(ids, k.KeyID)
	}
	return ids
}

// byID finds the keys of an id. RFC 7517, section 4.5, allows several, of
// different kinds.
func (s *KeySet) byID(id string) []jose.JSONWebKey {
	var found []jose.JSONWebKey
	for _, k := range s.keys {
		if k.KeyID == id {
			found = append(found, k)
		}
	}
	return found
}

// MarshalJSON writes the set as JSON Web Keys.
func (s *KeySet) MarshalJSON() ([]byte, error) {
	keys := s.keys
	if keys == nil {
		keys = []jose.JSONWebKey{}
	}
	return json.Marshal(jose.JSONWebKeySet{Keys: keys})
}

// Package jws signs and verifies attestations: JSON Web Signatures in the
// flattened JSON form (RFC 7515, section 7.2.2), with keys from JSON Web Key
// Sets (RFC 7517). It is the one door to go-jose, and narrower than it: one
// signature, everything protected, RS256 or EdDSA, and a key that is named.
package jws

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// Errors of [Parse] and [Envelope.Verify]. Others wrap them with the detail.
var (
	// ErrShape: it isn't one protected signature in the flattened JSON form.
	ErrShape = errors.New("not a flattened JWS")
	// ErrAlgorithm: the algorithm is none of [Algorithms]. "none" and HMAC never are.
	ErrAlgorithm = errors.New("signature algorithm is not accepted")
	// ErrCritical: the header demands an extension (crit) that isn't understood.
	ErrCritical = errors.New("critical header is not understood")
	// ErrUnknownKey: the key set has no key with the id that the header names.
	// After a rotation a newer key set may have it.
	ErrUnknownKey = errors.New("unknown signing key")
	// ErrUnfitKey: the named key is there and may not verify this algorithm.
	ErrUnfitKey = errors.New("signing key doesn't fit")
	// ErrSignature: the signature isn't that of this content by that key.
	ErrSignature = errors.New("wrong signature")
)

// Algorithms that are accepted, by their names in RFC 7518 and RFC 8037.
var Algorithms = []string{string(jose.RS256), string(jose.EdDSA)}

// maxBytes bounds an envelope: the statement of a manifest with 10,000 entries
// has under 3 MB, and base64 adds a third.
const maxBytes = 8 << 20

// maxHeaderBytes bounds the protected header, which names an algorithm and a key.
const maxHeaderBytes = 8 << 10

// An Envelope is a parsed signature. Nothing in it is true before [Envelope.Verify].
type Envelope struct {
	Algorithm string // one of Algorithms
	KeyID     string // kid of the header, never empty
	Payload   []byte // the signed bytes

	signed *jose.JSONWebSignature
}

// Parse reads an envelope {"payload","protected","signature"} without verifying
// it. The error wraps [ErrShape], [ErrAlgorithm] or [ErrCritical].
//
// Members besides those three are refused, an unprotected header among them,
// since nothing signs it. So is base64url that isn't the one encoding of its
// bytes, so that an envelope can't be rewritten unnoticed.
func Parse(data []byte) (*Envelope, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrShape, maxBytes)
	}
	members, err := parseMembers(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrShape, err)
	}
	header, err := readHeader(members["protected"])
	if err != nil {
		return nil, err
	}
	signed, err := jose.ParseSignedCompact(
		members["protected"]+"."+members["payload"]+"."+members["signature"],
		[]jose.SignatureAlgorithm{jose.RS256, jose.EdDSA})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrShape, err)
	}
	return &Envelope{
		Algorithm: header.Algorithm, KeyID: header.KeyID,
		Payload: signed.UnsafePayloadWithoutVerification(), signed: signed,
	}, nil
}

// Verify checks the signature with the key of that id. The error wraps
// [ErrUnknownKey], [ErrUnfitKey] or [ErrSignature].
func (e *Envelope) Verify(keys *KeySet) error {
	candidates := keys.byID(e.KeyID)
	if len(candidates) == 0 {
		return fmt.Errorf("%w: %q", ErrUnknownKey, e.KeyID)
	}
	err := fmt.Errorf("%w: %q is no key for %s", ErrUnfitKey, e.KeyID, e.Algorithm)
	for _, k := range candidates {
		if !fits(k, e.Algorithm) {
			continue
		}
		if _, failed := e.signed.Verify(k.Key); failed == nil {
			return nil
		}
		err = fmt.Errorf("%w by key %q", ErrSignature, e.KeyID)
	}
	return err
}

// Verify is [Parse] and [Envelope.Verify] in one.
func Verify(data []byte, keys *KeySet) (*Envelope, error) {
	e, err := Parse(data)
	if err != nil {
		return nil, err
	}
	return e, e.Verify(keys)
}

// parseMembers reads the three members of the flattened form.
func parseMembers(data []byte) (map[string]string, error) {
	members, err := readObject(data)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(members))
	for name, value := range members {
		if name != "payload" && name != "protected" && name != "signature" {
			return nil, fmt.Errorf("unexpected member %q", clip(name))
		}
		text, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("%s is not a string", name)
		}
		if err := checkBase64(text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = text
	}
	for _, name := range []string{"payload", "protected", "signature"} {
		if out[name] == "" {
			return nil, fmt.Errorf("%s is missing or empty", name)
		}
	}
	return out, nil
}

// checkBase64 accepts base64url without padding in its one canonical form:
// encoding/base64 would skip line ends, and go-jose encodes anew what is signed.
func checkBase64(text string) error {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return errors.New("not base64url without padding")
		}
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(text); err != nil {
		return errors.New("not canonical base64url")
	}
	return nil
}

type header struct{ Algorithm, KeyID string }

// readHeader checks a protected header. It refuses every critical extension, and
// b64 (RFC 7797), which changes what is signed.
func readHeader(encoded string) (header, error) {
	if len(encoded) > maxHeaderBytes {
		return header{}, fmt.Errorf("%w: the header has more than %d bytes", ErrShape, maxHeaderBytes)
	}
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return header{}, fmt.Errorf("%w: protected: %w", ErrShape, err)
	}
	members, err := readObject(text)
	if err != nil {
		return header{}, fmt.Errorf("%w: protected header: %w", ErrShape, err)
	}
	var h header
	h.Algorithm, _ = members["alg"].(string)
	h.KeyID, _ = members["kid"].(string)
	for _, name := range []string{"crit", "b64"} {
		if v, ok := members[name]; ok {
			shown, _ := json.Marshal(v)
			return header{}, fmt.Errorf("%w: %s %s", ErrCritical, name, clip(string(shown)))
		}
	}
	if !slices.Contains(Algorithms, h.Algorithm) {
		return header{}, fmt.Errorf("%w: %q", ErrAlgorithm, clip(h.Algorithm))
	}
	if h.KeyID == "" {
		return header{}, fmt.Errorf("%w: the header names no key (kid)", ErrShape)
	}
	return h, nil
}

// Package jcs canonicalizes JSON by RFC 8785. It is the one door to the library
// that does the work, and adds the guards that the library leaves out.
package jcs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrNumber is wrapped when a document holds a number that an IEEE 754 double
// can't hold exactly enough to be canonical: an overflow such as 1e400, or an
// integer beyond 2^53, of which two different ones would become the same text
// and so the same digest.
var ErrNumber = errors.New("number can't be canonicalized without loss")

// Canonicalize returns the canonical form of one JSON document: UTF-8, members
// sorted by UTF-16 code units, no spaces, numbers as ECMAScript prints them.
//
// Duplicate members, invalid UTF-8, lone surrogates and data after the document
// are errors; the error wraps [ErrNumber] for a number that would lose value.
func Canonicalize(doc []byte) ([]byte, error) {
	if err := checkNumbers(doc); err != nil {
		return nil, err
	}
	v := jsontext.Value(bytes.Clone(doc))
	if err := v.Canonicalize(); err != nil {
		return nil, fmt.Errorf("canonicalizing JSON: %w", err)
	}
	return v, nil
}

// Marshal encodes v with encoding/json, without HTML escapes, and canonicalizes
// the result. It fails as [Canonicalize] does.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return Canonicalize(b.Bytes())
}

// maxExact is 2^53, up to which every integer has a double of its own.
const maxExact = 1 << 53

// checkNumbers reads the whole document once, so that the canonical form is
// never computed from one that holds a lossy number. The library turns 1e400
// into the largest double instead of refusing it.
func checkNumbers(doc []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(doc))
	for {
		tok, err := dec.ReadToken()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading JSON: %w", err)
		}
		if tok.Kind() != '0' {
			continue
		}
		text := tok.String()
		f, err := tok.Float()
		if err != nil || math.IsInf(f, 0) {
			return fmt.Errorf("%w: %s", ErrNumber, clip(text))
		}
		if strings.ContainsAny(text, ".eE") || math.Abs(f) <= maxExact-1 {
			continue
		}
		n, ok := new(big.Int).SetString(text, 10)
		if !ok || n.CmpAbs(big.NewInt(maxExact)) > 0 {
			return fmt.Errorf("%w: %s", ErrNumber, clip(text))
		}
	}
}

// clip keeps a hostile number from filling a terminal.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// Package jcs canonicalizes JSON by RFC 8785. It is the one door to the library
// that does the work, and adds the guards that the library leaves out.
package jcs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrNumber is wrapped when a document holds a number that canonicalizing would
// change: an overflow such as 1e400, an underflow such as 1e-400, or a number
// beyond 2^53 that isn't the one its IEEE 754 double prints as. Two different
// ones would become the same text and so the same digest.
var ErrNumber = errors.New("number can't be canonicalized without loss")

// Canonicalize returns the canonical form of one JSON document: UTF-8, members
// sorted by UTF-16 code units, no spaces, numbers as ECMAScript prints them.
//
// Duplicate members, invalid UTF-8, lone surrogates, data after the document and
// more than 10,000 levels of nesting are errors; the error wraps [ErrNumber] for
// a number that would lose value.
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

// checkNumbers looks at every number of a document before it is canonicalized,
// because the library turns 1e400 into the largest double instead of refusing
// it. It only finds the numbers; whether the document is JSON at all is checked
// by the library.
func checkNumbers(doc []byte) error {
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case c == '"':
			for i++; i < len(doc) && doc[i] != '"'; i++ {
				if doc[i] == '\\' {
					i++
				}
			}
		case c == '-' || c >= '0' && c <= '9':
			start := i
			for i < len(doc) && numeric(doc[i]) {
				i++
			}
			if err := checkNumber(string(doc[start:i])); err != nil {
				return err
			}
			i--
		}
	}
	return nil
}

func numeric(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

func checkNumber(text string) error {
	if len(text) <= 15 && !strings.ContainsAny(text, "eE") {
		return nil // at most 15 digits, which every double keeps
	}
	f, err := strconv.ParseFloat(text, 64)
	if errors.Is(err, strconv.ErrSyntax) {
		return nil // not a number: the library will say so
	}
	digits, exponent := decimal(text)
	if err != nil || f == 0 && digits != "" {
		return fmt.Errorf("%w: %s", ErrNumber, clip(text))
	}
	if math.Abs(f) < maxExact {
		return nil
	}
	printed, printedExponent := decimal(strconv.FormatFloat(f, 'e', -1, 64))
	if digits != printed || exponent != printedExponent {
		return fmt.Errorf("%w: %s", ErrNumber, clip(text))
	}
	return nil
}

// decimal takes a number apart: it is 0.digits × 10^exponent, digits without
// zeros at either end.
func decimal(text string) (digits string, exponent int) {
	text = strings.TrimPrefix(text, "-")
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exponent, _ = strconv.Atoi(text[i+1:]) // ParseFloat has taken it before
		text = text[:i]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exponent += len(whole) - (len(whole+fraction) - len(digits))
	digits = strings.TrimRight(digits, "0")
	return digits, exponent
}

// clip keeps a hostile number from filling a terminal.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

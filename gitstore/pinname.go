package gitstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A PinRef is a pin's ref as an origin lists it, before its object is read.
type PinRef struct {
	Name   string // tag name without refs/tags/: policypin/production/agents/v12
	Pins   string // production
	Set    string // agents, decoded
	Number int    // 12
	Object Hash   // the tag object
	Commit Hash   // what it points to, when the listing says so
}

// maxPinName keeps refs/tags/<name>.lock below the 255 bytes that most file
// systems allow for a path component, even if a server flattens names.
const maxPinName = 200

// PinName returns the tag name for a version. Bytes of set outside
// [A-Za-z0-9_-] are written %XX; a name over 200 bytes is an error.
func PinName(pins, set string, number int) (string, error) {
	switch {
	case pins == "" || escapeName(pins) != pins:
		return "", fmt.Errorf("pins name %.80q has characters outside A-Z a-z 0-9 _ -", pins)
	case set == "":
		return "", errors.New("policy set has no name")
	case number < 1:
		return "", fmt.Errorf("version number is %d", number)
	}
	name := fmt.Sprintf("policypin/%s/%s/v%d", pins, escapeName(set), number)
	if len(name) > maxPinName {
		return "", fmt.Errorf("tag name %.80s… has %d bytes, more than %d", name, len(name), maxPinName)
	}
	return name, nil
}

// parsePinName is the strict inverse of [PinName]: what it accepts, PinName
// writes in the same way.
func parsePinName(name string) (PinRef, bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || !strings.HasPrefix(parts[3], "v") {
		return PinRef{}, false
	}
	set, ok := unescapeName(parts[2])
	if !ok {
		return PinRef{}, false
	}
	number, err := strconv.Atoi(parts[3][1:])
	if err != nil {
		return PinRef{}, false
	}
	if again, err := PinName(parts[1], set, number); err != nil || again != name {
		return PinRef{}, false
	}
	return PinRef{Name: name, Pins: parts[1], Set: set, Number: number}, true
}

// escapeName writes bytes outside [A-Za-z0-9_-] as %XX. The result is valid as
// a component of a ref name (git-check-ref-format).
func escapeName(s string) string {
	var out strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

func unescapeName(s string) (string, bool) {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out.WriteByte(s[i])
			continue
		}
		if i+3 > len(s) {
			return "", false
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		out.WriteByte(byte(c))
		i += 2
	}
	return out.String(), true
}

package zone

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a request.
const (
	// maxBodyBytes holds a manifest of 10,000 entries with long ids twice over.
	maxBodyBytes = 4 << 20
	// maxBodyDepth is far above what Cedar's own nesting limit can need, and far
	// below what could exhaust a stack.
	maxBodyDepth = 1000
)

// An object is a decoded JSON object whose member names are exact: encoding/json
// alone would take "Name" for "name".
type object map[string]json.RawMessage

// readBody reads the whole body, within the limit.
func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes+1))
	if err != nil {
		return nil, badRequest("reading the body: %v", err)
	}
	if len(b) > maxBodyBytes {
		return nil, &apiError{status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("the body has more than %d bytes", maxBodyBytes)}
	}
	return b, nil
}

// body reads the request's JSON object and refuses members that aren't allowed.
func (c *call) body(allowed ...string) (object, error) {
	b, err := readBody(c.r)
	if err != nil {
		return nil, err
	}
	return parseObject(b, allowed...)
}

func parseObject(b []byte, allowed ...string) (object, error) {
	if !utf8.Valid(b) {
		return nil, badRequest("the body is not UTF-8")
	}
	if tooDeep(b) {
		return nil, badRequest("the body nests deeper than %d levels", maxBodyDepth)
	}
	return subObject("the body", b, allowed...)
}

// subObject decodes an object inside a body that has been checked already.
func subObject(what string, b []byte, allowed ...string) (object, error) {
	var o object
	if b = bytes.TrimSpace(b); len(b) == 0 || b[0] != '{' {
		return nil, badRequest("%s must be a JSON object", what)
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, badRequest("%s is not valid JSON: %v", what, err)
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(allowed, name) {
			return nil, badRequest("%s has an unknown property %q (known: %s)", what, clip(name), strings.Join(allowed, ", "))
		}
	}
	return o, nil
}

// tooDeep counts brackets outside of strings; it needs no valid JSON.
func tooDeep(b []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch ch := b[i]; {
		case inString:
			switch ch {
			case '\\':
				i++
			case '"':
				inString = false
			}
		case ch == '"':
			inString = true
		case ch == '{' || ch == '[':
			if depth++; depth > maxBodyDepth {
				return true
			}
		case ch == '}' || ch == ']':
			depth--
		}
	}
	return false
}

// has tells whether a member is there and not null.
func (o object) has(name string) bool {
	v, ok := o[name]
	return ok && string(v) != "null"
}

// text is a string member; it is nil if absent or null.
func (o object) text(name string) (*string, error) {
	if !o.has(name) {
		return nil, nil
	}
	var s string
	if err := json.Unmarshal(o[name], &s); err != nil {
		return nil, badRequest("%s must be a string", name)
	}
	return &s, nil
}

// requiredText is a string member that must be there and not empty.
func (o object) requiredText(name string) (string, error) {
	s, err := o.text(name)
	if err != nil {
		return "", err
	}
	if s == nil || *s == "" {
		return "", badRequest("%s is required", name)
	}
	return *s, nil
}

// boolean is a member that is true or false; absent is false.
func (o object) boolean(name string) (bool, error) {
	if !o.has(name) {
		return false, nil
	}
	var v bool
	if err := json.Unmarshal(o[name], &v); err != nil {
		return false, badRequest("%s must be true or false", name)
	}
	return v, nil
}

// list is an array member.
func (o object) list(name string) ([]json.RawMessage, error) {
	var v []json.RawMessage
	if err := json.Unmarshal(o[name], &v); err != nil || v == nil {
		return nil, badRequest("%s must be an array", name)
	}
	return v, nil
}

// name is the name of a new or renamed object.
func (o object) name() (string, error) {
	s, err := o.text("name")
	if err != nil {
		return "", err
	}
	if s == nil {
		return "", badRequest("name is required")
	}
	if problem := checkName(*s); problem != "" {
		return "", badRequest("%s", problem)
	}
	return *s, nil
}

// clip keeps hostile text short in a message.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// choice is a string member with a closed list of values; "" if absent.
func (o object) choice(name string, allowed []string) (string, error) {
	s, err := o.text(name)
	if err != nil || s == nil {
		return "", err
	}
	if !slices.Contains(allowed, *s) {
		return "", badRequest("%s: unknown value %q (allowed: %s)", name, clip(*s), strings.Join(allowed, ", "))
	}
	return *s, nil
}

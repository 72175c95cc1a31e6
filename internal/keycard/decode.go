package keycard

import (
	"encoding/json"
	"errors"
	"fmt"
)

// errShape is wrapped by errors about answers that are complete, but not what
// the API describes. Asking again wouldn't help.
var errShape = errors.New("not what the API describes")

// unmarshal decodes one JSON value. An answer that ends too early is told from
// one that is wrong, since it may come whole the next time.
func unmarshal(body []byte, v any) error {
	err := json.Unmarshal(body, v)
	if err == nil {
		return nil
	}
	if err.Error() == "unexpected end of JSON input" { // encoding/json has no sentinel for it
		return fmt.Errorf("the answer is cut off after %d bytes", len(body))
	}
	return fmt.Errorf("%w: %w", errShape, err)
}

// An object is what the service keeps: it checks itself after decoding.
type object interface {
	// check returns what is missing.
	check() error
	// key is what makes the object unique within a list.
	key() string
}

// decodeOne reads a single object of a zone.
func decodeOne[T object](body []byte, zone string, read func([]byte) (T, error)) (T, error) {
	var none T
	v, err := read(body)
	if err != nil {
		return none, err
	}
	if err := v.check(); err != nil {
		if d := readError(body); d.code != "" || isErrorForm(body) {
			return none, fmt.Errorf("%w: an error in place of the object: %s %s", errShape, d.code, d.message)
		}
		return none, fmt.Errorf("%w: %w", errShape, err)
	}
	var of struct {
		ZoneID *string `json:"zone_id"` // not every object has it
	}
	if err := unmarshal(body, &of); err != nil {
		return none, err
	}
	if of.ZoneID != nil {
		return v, same("zone_id", *of.ZoneID, zone)
	}
	return v, nil
}

// isErrorForm tells whether the body has the service's message field, which no
// object of the API has.
func isErrorForm(body []byte) bool {
	var f struct{ Message string }
	return json.Unmarshal(body, &f) == nil && f.Message != ""
}

// required checks pairs of field name and value.
func required(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			return fmt.Errorf("%s is missing", pairs[i])
		}
	}
	return nil
}

// numbered checks a version number, which starts at 1.
func numbered(n int) error {
	if n < 1 {
		return fmt.Errorf("version is %d, not a number from 1", n)
	}
	return nil
}

// same refuses an answer about another object than the one that was asked for.
func same(what, got, want string) error {
	if got != want {
		return fmt.Errorf("%w: %s is %q, not %q", errShape, what, got, want)
	}
	return nil
}

// null makes the JSON value null the same as a missing one.
func null(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

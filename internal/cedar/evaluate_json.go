package cedar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/policypin/policypin/diag"
)

// MaxJSONBytes bounds a file of entities or requests: an export of 100,000
// entities takes about 30 MB.
const MaxJSONBytes = 64 << 20

// maxJSONDepth bounds the nesting of values. Schemas with more levels are refused
// as well, so nothing deeper could have a type.
const maxJSONDepth = 64

// ParseEntitiesJSON reads entities in Cedar's JSON format: a list of objects with
// uid, attrs, parents and tags, of which uid alone is required. Whether they fit
// a schema is for [Schema.Entities] to say. It must not be asked if there are
// errors.
func ParseEntitiesJSON(file string, data []byte) ([]EntityData, diag.List) {
	r := readJSON(diag.Position{File: file, Line: 1, Column: 1}, data)
	root, ok := r.document()
	if !ok {
		return nil, r.problems
	}
	if root.Kind != List {
		r.errorf(root.Position, "wrong-type", "entities must be a list of objects, not %s", kindNames[root.Kind])
		return nil, r.problems
	}
	entities := make([]EntityData, 0, len(root.Items))
	for _, item := range root.Items {
		if e, ok := r.entity(item); ok {
			entities = append(entities, e)
		}
	}
	return entities, r.problems
}

// ParseRequestJSON reads one request: an object with principal, action, resource
// and, if it isn't empty, context. Other keys are passed over, since logs have
// many. at is where data begins, so that a line of a larger file can be read; a
// zero Line stands for the first. The request must not be used if there are
// errors.
func ParseRequestJSON(at diag.Position, data []byte) (RequestData, diag.List) {
	r := readJSON(at, data)
	root, ok := r.document()
	if !ok {
		return RequestData{}, r.problems
	}
	if root.Kind != Map {
		r.errorf(root.Position, "wrong-type", "a request must be an object, not %s", kindNames[root.Kind])
		return RequestData{}, r.problems
	}
	request := RequestData{Position: root.Position}
	missing := map[string]*PlacedUID{"principal": &request.Principal, "action": &request.Action, "resource": &request.Resource}
	for _, m := range root.Keys {
		if m.Name == "context" {
			request.Context = m.Value
		} else if dest := missing[m.Name]; dest != nil {
			delete(missing, m.Name)
			*dest, _ = r.uid(m.Value, "the "+m.Name)
		}
	}
	for _, name := range keys(missing) {
		r.errorf(root.Position, "missing-key", "the request has no %s", name)
	}
	return request, r.problems
}

// ParseDatumJSON reads one JSON document as a value without a type yet, such as
// the context of a request.
func ParseDatumJSON(file string, data []byte) (Datum, diag.List) {
	r := readJSON(diag.Position{File: file, Line: 1, Column: 1}, data)
	d, _ := r.document()
	return d, r.problems
}

// A jsonReader turns JSON into data with positions. Its decoder's offsets only
// grow, so lines and columns are counted once.
type jsonReader struct {
	data     []byte
	decoder  *json.Decoder
	counted  int           // the offset that at is the position of
	at       diag.Position // of the next byte
	problems diag.List
}

func readJSON(at diag.Position, data []byte) *jsonReader {
	at.Line, at.Column = max(at.Line, 1), max(at.Column, 1)
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // exports of some systems have one
	r := &jsonReader{data: data, at: at, decoder: json.NewDecoder(bytes.NewReader(data))}
	r.decoder.UseNumber()
	return r
}

func (r *jsonReader) errorf(at diag.Position, rule, format string, args ...any) {
	r.add(at, rule, "", format, args...)
}

func (r *jsonReader) add(at diag.Position, rule, fix, format string, args ...any) {
	if len(r.problems) < maxProblems {
		r.problems.Add(diag.Problem{Position: at, Rule: rule, Message: fmt.Sprintf(format, args...), Fix: fix})
	}
}

// position is the position of an offset that isn't before the last one.
func (r *jsonReader) position(offset int) diag.Position {
	for offset = min(offset, len(r.data)); r.counted < offset; {
		if r.data[r.counted] == '\n' {
			r.at.Line, r.at.Column = r.at.Line+1, 0
		}
		_, size := utf8.DecodeRune(r.data[r.counted:])
		r.counted += size
		r.at.Column++
	}
	return r.at
}

// document reads the whole text. ok is false if it isn't JSON.
func (r *jsonReader) document() (d Datum, ok bool) {
	if len(r.data) > MaxJSONBytes {
		r.errorf(diag.Position{File: r.at.File}, "file-too-large", "it has %d bytes, more than %d", len(r.data), MaxJSONBytes)
		return Datum{Kind: Unusable}, false
	}
	if bad := invalidUTF8(r.data); bad >= 0 {
		r.errorf(r.position(bad), "not-utf8", "byte %#02x is not UTF-8", r.data[bad])
		return Datum{Kind: Unusable}, false
	}
	// The decoder of tokens forgives some commas; this check doesn't.
	var whole json.RawMessage
	if err := json.Unmarshal(r.data, &whole); err != nil {
		r.errorf(r.position(syntaxOffset(err, len(r.data))), "json-syntax", "it isn't JSON: %s", shown(err.Error()))
		return Datum{Kind: Unusable}, false
	}
	d, ok = r.value(0)
	return d, ok && len(r.problems) == 0
}

func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; ; {
		c, size := utf8.DecodeRune(data[i:])
		if c == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
}

func syntaxOffset(err error, end int) int {
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) && syntax.Offset > 0 {
		return int(syntax.Offset) - 1
	}
	return end
}

// token reads the next token and says where it begins.
func (r *jsonReader) token() (json.Token, diag.Position, bool) {
	start := int(r.decoder.InputOffset())
	for start < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[start]) >= 0 {
		start++
	}
	at := r.position(start)
	token, err := r.decoder.Token()
	if err != nil && err != io.EOF {
		r.errorf(at, "json-syntax", "it isn't JSON: %s", shown(err.Error()))
	}
	if text, ok := token.(string); ok && err == nil && r.repaired(text, r.data[start:r.decoder.InputOffset()]) {
		r.errorf(at, "json-syntax", "the text has half of a surrogate pair, which stands for no character")
	}
	return token, at, err == nil
}

// repaired tells whether the decoder put U+FFFD where the file has none.
func (r *jsonReader) repaired(text string, raw []byte) bool {
	const replacement = "\ufffd"
	if !strings.Contains(text, replacement) {
		return false
	}
	have := bytes.Count(raw, []byte(replacement)) + bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`))
	return strings.Count(text, replacement) > have
}

// value reads one value. ok is false where reading can't go on.
func (r *jsonReader) value(depth int) (Datum, bool) {
	token, at, ok := r.token()
	d := Datum{Position: at, Kind: Unusable}
	if !ok {
		return d, false
	}
	switch token := token.(type) {
	case nil:
		d.Kind = Null
	case bool:
		d.Kind, d.Text = Bool, fmt.Sprint(token)
	case json.Number:
		d.Kind, d.Text = Number, token.String()
	case string:
		d.Kind, d.Text = Text, token
	case json.Delim:
		if depth >= maxJSONDepth {
			r.errorf(at, "json-syntax", "values are nested more than %d levels deep", maxJSONDepth)
			return d, false
		}
		if token == '[' {
			d.Kind = List
			ok = r.list(&d, depth)
		} else {
			d.Kind = Map
			ok = r.object(&d, depth)
		}
	}
	return d, ok
}

func (r *jsonReader) list(d *Datum, depth int) bool {
	for r.decoder.More() {
		item, ok := r.value(depth + 1)
		if !ok {
			return false
		}
		d.Items = append(d.Items, item)
	}
	_, _, ok := r.token()
	return ok
}

// object reads members. A key that comes twice is refused: readers disagree
// about which of the two counts.
func (r *jsonReader) object(d *Datum, depth int) bool {
	lines := map[string]int{}
	for r.decoder.More() {
		token, at, ok := r.token()
		if !ok {
			return false
		}
		name, _ := token.(string)
		value, ok := r.value(depth + 1)
		if !ok {
			return false
		}
		if line, twice := lines[name]; twice {
			r.errorf(at, "duplicate-key", "key `%s` is already on line %d", shown(name), line)
			continue
		}
		lines[name] = at.Line
		d.Keys = append(d.Keys, Member{Position: at, Name: name, Value: value})
	}
	_, _, ok := r.token()
	return ok
}

// entityJSONKeys are the keys of an entity in Cedar's JSON format.
var entityJSONKeys = []string{"uid", "attrs", "parents", "tags"}

// entity reads one item of the list. ok is false if it has no usable name.
func (r *jsonReader) entity(d Datum) (e EntityData, ok bool) {
	if d.Kind != Map {
		r.errorf(d.Position, "wrong-type", "an entity must be an object, not %s", kindNames[d.Kind])
		return e, false
	}
	for _, m := range d.Keys {
		switch m.Name {
		case "uid":
			e.PlacedUID, ok = r.uid(m.Value, "the uid")
			if !ok {
				return e, false
			}
		case "attrs":
			e.Attrs = m.Value
		case "tags":
			e.Tags = m.Value
		case "parents":
			if m.Value.Kind != List {
				r.errorf(m.Value.Position, "wrong-type", "parents must be a list, not %s", kindNames[m.Value.Kind])
				continue
			}
			for _, item := range m.Value.Items {
				if parent, ok := r.uid(item, "a parent"); ok {
					e.Parents = append(e.Parents, parent)
				}
			}
		default:
			r.add(m.Position, "unknown-key", didYouMean(m.Name, entityJSONKeys), "unknown key `%s` in an entity", shown(m.Name))
		}
	}
	if !ok && !slices.ContainsFunc(d.Keys, func(m Member) bool { return m.Name == "uid" }) {
		r.errorf(d.Position, "missing-key", "the entity has no uid")
	}
	return e, ok
}

// uid reads the name of an entity: {"type": T, "id": I}, the same below
// "__entity", or text as Cedar writes it.
func (r *jsonReader) uid(d Datum, name string) (PlacedUID, bool) {
	placed := PlacedUID{Position: d.Position}
	if d.Kind == Text {
		uid, err := ParseUID(d.Text)
		if err != nil {
			r.errorf(d.Position, "cedar-uid", "%s %v", name, err)
		}
		placed.UID = uid
		return placed, err == nil
	}
	object := d
	if len(d.Keys) == 1 && d.Keys[0].Name == "__entity" {
		object = d.Keys[0].Value
	}
	have := 0
	for _, m := range object.Keys {
		switch {
		case m.Name == "type" && m.Value.Kind == Text:
			placed.Type = m.Value.Text
			have++
		case m.Name == "id" && m.Value.Kind == Text:
			placed.ID = m.Value.Text
			have++
		}
	}
	switch {
	case have != 2 || len(object.Keys) != 2:
		r.add(d.Position, "cedar-uid", `write it as {"type": "T", "id": "…"}`, "%s isn't the name of an entity", name)
		return placed, false
	case len(placed.Type)+len(placed.ID) > maxUIDBytes:
		r.errorf(d.Position, "cedar-uid", "%s has %d bytes, more than %d", name, len(placed.Type)+len(placed.ID), maxUIDBytes)
		return placed, false
	}
	// The type is read as Cedar would: "User//" is none, and nor is "".
	uid, err := ParseUID(UID{Type: placed.Type}.String())
	if err != nil || uid.Type != placed.Type {
		r.errorf(d.Position, "cedar-uid", "%s has a type that isn't one: `%s`", name, shown(placed.Type))
		return placed, false
	}
	return placed, true
}

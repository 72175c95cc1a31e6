package cedar

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/policypin/policypin/diag"
)

// A Datum is a value as a file has it, before a schema says what it means.
type Datum struct {
	diag.Position
	Kind  Kind
	Text  string   // of a scalar, as it is written
	Items []Datum  // of a List
	Keys  []Member // of a Map, in file order, each name once
}

// A Member is one key of a map with its value.
type Member struct {
	diag.Position // of the key
	Name          string
	Value         Datum
}

// A Kind says what a datum is in its file.
type Kind uint8

// A datum that isn't there is Absent. One that is Unusable was reported where
// the file was read, and is passed over.
const (
	Absent Kind = iota
	Unusable
	Null
	Bool
	Number
	Text
	List
	Map
)

var kindNames = [...]string{"nothing", "nothing", "nothing", "a boolean", "a number", "text", "a list", "a mapping"}

// A typing turns data into Cedar values, as the schema types them, and reports
// what doesn't fit.
type typing struct {
	schema   *Schema
	problems diag.List
	dry      bool // checks alone: records and sets come out empty
}

// A label is what a value is called in messages. It becomes text only there,
// since nearly all values are good.
type label struct {
	items        int // how many sets it is in
	before, name string
}

func (l label) String() string {
	text := strings.Repeat("an item of ", l.items) + l.before
	if l.name != "" {
		text += "`" + shown(l.name) + "`"
	}
	return text
}

func attributeLabel(name string) label { return label{before: "attribute ", name: name} }

func (l label) item() label { l.items++; return l }

func (t *typing) add(at diag.Position, rule, fix, format string, args ...any) {
	if len(t.problems) < maxProblems {
		t.problems.Add(diag.Problem{Position: at, Rule: rule, Message: fmt.Sprintf(format, args...), Fix: fix})
	}
}

// value returns d as a value of the type. name is what d is called in messages.
// ok is false if it was reported.
func (t *typing) value(d Datum, want resolved.IsType, name label) (v types.Value, ok bool) {
	if d.Kind == Unusable {
		return nil, false
	}
	wrong := func(fix string) (types.Value, bool) {
		t.add(d.Position, "cedar-type", fix, "%s must be %s, not %s", name, typeText(want), kindNames[d.Kind])
		return nil, false
	}
	scalar := d.Kind == Bool || d.Kind == Number
	switch want := want.(type) {
	case resolved.StringType:
		if d.Kind == Text {
			return types.String(d.Text), true
		}
		if scalar {
			return wrong("put it in quotes")
		}
	case resolved.BoolType:
		if d.Kind == Bool {
			return types.Boolean(d.Text == "true"), true
		}
	case resolved.LongType:
		if d.Kind == Number {
			if n, err := strconv.ParseInt(d.Text, 10, 64); err == nil && strconv.FormatInt(n, 10) == d.Text {
				return types.Long(n), true
			}
			t.add(d.Position, "cedar-type", "", "%s must be a decimal number of 64 bits, not %s", name, shown(d.Text))
			return nil, false
		}
	case resolved.SetType:
		if d.Kind == List {
			return t.set(d, want, name)
		}
		if d.Kind == Text || scalar {
			return wrong("write it in brackets")
		}
	case resolved.RecordType:
		if d.Kind == Map {
			return t.record(d, want, d.Position, name)
		}
	case resolved.EntityType:
		switch d.Kind {
		case Text:
			uid, err := ParseUID(d.Text)
			if err == nil {
				return t.reference(d.Position, uid, types.EntityType(want), name)
			}
			meant := UID{Type: string(want), ID: d.Text}
			t.add(d.Position, "cedar-uid", "write "+shown(meant.String()), "%s %v", name, err)
			return nil, false
		case Map:
			if parts, ok := t.escape(d, "__entity", "type", "id", name); ok {
				return t.reference(d.Position, UID{Type: parts[0], ID: parts[1]}, types.EntityType(want), name)
			}
			return nil, false
		}
	case resolved.ExtensionType:
		if d.Kind == Text || d.Kind == Number {
			return t.extension(d.Position, string(want), d.Text, name)
		}
		if d.Kind == Map {
			return t.extensionCall(d, string(want), name)
		}
	}
	return wrong("")
}

func (t *typing) set(d Datum, want resolved.SetType, name label) (types.Value, bool) {
	good := true
	var items []types.Value
	if !t.dry {
		items = make([]types.Value, 0, len(d.Items))
	}
	for _, item := range d.Items {
		v, ok := t.value(item, want.Element, name.item())
		if good = good && ok; ok && !t.dry {
			items = append(items, v)
		}
	}
	if t.dry {
		return types.Set{}, good
	}
	return types.NewSet(items...), good
}

// record checks a map against the attributes that it may and must have. at is
// where a missing attribute is reported. A datum that is Absent has none.
func (t *typing) record(d Datum, want resolved.RecordType, at diag.Position, name label) (types.Record, bool) {
	good := d.Kind == Map || d.Kind == Absent
	if !good && d.Kind != Unusable {
		t.add(d.Position, "cedar-type", "", "%s must be a mapping, not %s", name, kindNames[d.Kind])
	}
	if !good {
		return types.Record{}, false
	}
	var values types.RecordMap
	if !t.dry {
		values = make(types.RecordMap, len(d.Keys))
	}
	required := 0
	for _, m := range d.Keys {
		attribute, known := want[types.String(m.Name)]
		if !known {
			var names []string
			for n := range want {
				names = append(names, string(n))
			}
			t.add(m.Position, "cedar-unknown-attribute", didYouMean(m.Name, names), "%s has no attribute `%s`", name, shown(m.Name))
			good = false
			continue
		}
		if !attribute.Optional {
			required++
		}
		v, ok := t.value(m.Value, attribute.Type, attributeLabel(m.Name))
		if good = good && ok; ok && !t.dry {
			values[types.String(m.Name)] = v
		}
	}
	for _, a := range want {
		if !a.Optional {
			required--
		}
	}
	if required < 0 {
		t.missing(d, want, at, name)
		good = false
	}
	if t.dry {
		return types.Record{}, good
	}
	return types.NewRecord(values), good
}

// missing reports the attributes that must be there and aren't.
func (t *typing) missing(d Datum, want resolved.RecordType, at diag.Position, name label) {
	given := make(map[string]bool, len(d.Keys))
	for _, m := range d.Keys {
		given[m.Name] = true
	}
	for _, n := range keys(stringKeys(want)) {
		if !want[types.String(n)].Optional && !given[n] {
			t.add(at, "cedar-missing-attribute", "", "%s needs the attribute `%s`, %s", name, n, typeText(want[types.String(n)].Type))
		}
	}
}

func stringKeys(r resolved.RecordType) map[string]bool {
	names := make(map[string]bool, len(r))
	for n := range r {
		names[string(n)] = true
	}
	return names
}

// escape reads one of the escapes of Cedar's JSON: a map with a single key that
// holds a map with two texts, or that map itself, since the schema says what is
// meant.
func (t *typing) escape(d Datum, key, first, second string, name label) (values [2]string, ok bool) {
	inner := d.Keys
	if len(inner) == 1 && inner[0].Name == key {
		inner = inner[0].Value.Keys
	}
	if len(inner) == 2 {
		have := 0
		for _, m := range inner {
			for i, n := range []string{first, second} {
				if m.Name == n && m.Value.Kind == Text {
					values[i] = m.Value.Text
					have++
				}
			}
		}
		if have == 2 {
			return values, true
		}
	}
	t.add(d.Position, "cedar-type", fmt.Sprintf("write it as text, or as {%s: {%s: …, %s: …}}", key, first, second),
		"%s can't be any other mapping", name)
	return values, false
}

// reference checks an entity that a value names.
func (t *typing) reference(at diag.Position, uid UID, want types.EntityType, name label) (types.Value, bool) {
	if types.EntityType(uid.Type) != want {
		t.add(at, "cedar-type", t.near(uid, want), "%s must be of type %s, not %s", name, want, shown(uid.Type))
		return nil, false
	}
	return uid.engine(), t.known(at, uid)
}

// near suggests the wanted type where an id was given to another one.
func (t *typing) near(uid UID, want types.EntityType) string {
	if lastPart(uid.Type) == lastPart(string(want)) {
		return "did you mean `" + shown(UID{Type: string(want), ID: uid.ID}.String()) + "`?"
	}
	return ""
}

// constructors are the functions that make extension values, by type.
var constructors = map[string]string{"ipaddr": "ip", "decimal": "decimal", "datetime": "datetime", "duration": "duration"}

func (t *typing) extension(at diag.Position, kind, text string, name label) (v types.Value, ok bool) {
	var err error
	switch kind {
	case "ipaddr":
		v, err = types.ParseIPAddr(text)
	case "decimal":
		if strings.HasPrefix(text, "+") {
			err = errors.New("a decimal has no plus sign") // cedar-go takes it
			break
		}
		v, err = types.ParseDecimal(text)
	case "datetime":
		v, err = types.ParseDatetime(text)
	case "duration":
		v, err = types.ParseDuration(text)
	default:
		err = fmt.Errorf("extension type %s is not known", kind)
	}
	if err != nil {
		t.add(at, "cedar-extension", "", "%s isn't a valid %s: %s", name, kind, shown(strings.TrimPrefix(err.Error(), "error parsing ")))
		return nil, false
	}
	return v, true
}

// extensionCall reads {__extn: {fn: F, arg: A}}.
func (t *typing) extensionCall(d Datum, kind string, name label) (types.Value, bool) {
	call, ok := t.escape(d, "__extn", "fn", "arg", name)
	if !ok {
		return nil, false
	}
	if call[0] != constructors[kind] {
		t.add(d.Position, "cedar-type", "", "%s is of type %s, which %s makes, not %s", name, kind, constructors[kind], shown(call[0]))
		return nil, false
	}
	return t.extension(d.Position, kind, call[1], name)
}

// typeText names a type as a schema does.
func typeText(t resolved.IsType) string {
	switch t := t.(type) {
	case resolved.StringType:
		return "String"
	case resolved.LongType:
		return "Long"
	case resolved.BoolType:
		return "Bool"
	case resolved.SetType:
		return "Set<" + typeText(t.Element) + ">"
	case resolved.RecordType:
		return "a record"
	case resolved.EntityType:
		return string(t)
	case resolved.ExtensionType:
		return string(t)
	}
	return "a value"
}

// shown is text of a file as a message may have it: on one line and not long.
func shown(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		s = strconv.Quote(s)
		s = s[1 : len(s)-1]
	}
	return clip(s)
}

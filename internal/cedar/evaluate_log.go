package cedar

import (
	"strings"
	"unicode/utf8"

	"github.com/policypin/policypin/diag"
)

// A LogReader reads requests from lines of JSON as [ParseRequestJSON] does, which
// it asks about every line that it doesn't understand itself. It takes a tenth
// of the time, since it makes no tokens and copies no text: a log has a million
// lines. The zero value is ready; it isn't safe for concurrent use.
type LogReader struct {
	text    string
	at      int
	where   diag.Position
	scratch []Member // of objects that aren't closed yet
	members []Member // of this line, reused for the next
	items   []Datum
	queue   []Datum // of lists that aren't closed yet
	uids    map[string]name
	resets  int
}

// A name is what a text stands for, and its number among those that are
// remembered.
type name struct {
	UID
	number int
}

// A LogLine is one request of a log.
type LogLine struct {
	RequestData
	// Entities is the JSON list of the entities that the line brings along, or "".
	Entities string
	// Names are numbers for the spellings of principal, action and resource: the
	// same number stands for the same entity until Resets grows. Where the line was
	// read the slow way they are -1.
	Names  [3]int
	Resets int
}

// Read reads one line, without its end. What it returns is valid until the next
// call and refers to the text. The request must not be used if there are errors.
func (l *LogReader) Read(at diag.Position, line string) (LogLine, diag.List) {
	l.text, l.at, l.where = line, 0, at
	l.scratch, l.members, l.items, l.queue = l.scratch[:0], l.members[:0], l.items[:0], l.queue[:0]
	r, ok := l.line()
	if ok {
		return r, nil
	}
	r = LogLine{Names: [3]int{-1, -1, -1}}
	data, problems := ParseRequestJSON(at, []byte(line))
	if problems == nil {
		var d Datum
		if d, problems = ParseDatumJSON(at.File, []byte(line)); problems == nil {
			r.Entities = entitiesOf(line, d)
		}
	}
	r.RequestData = data
	return r, problems
}

// entitiesOf is the text of a line's own entities, where the line had to be read
// the slow way.
func entitiesOf(line string, d Datum) string {
	for _, m := range d.Keys {
		if m.Name != "entities" || m.Value.Kind == Null {
			continue
		}
		// Columns count characters; a line has no line breaks.
		rest := line
		for range m.Value.Column - 1 {
			_, size := utf8.DecodeRuneInString(rest)
			rest = rest[size:]
		}
		inner := LogReader{text: rest}
		if inner.skip(0) {
			return rest[:inner.at]
		}
		return rest
	}
	return ""
}

// line reads the whole line. ok is false for whatever isn't plainly a request.
func (l *LogReader) line() (r LogLine, ok bool) {
	if !utf8.ValidString(l.text) || len(l.text) > MaxJSONBytes || !l.take('{') {
		return r, false
	}
	r.Position = l.where
	var have [5]bool
	for first := true; ; first = false {
		if l.take('}') {
			break
		}
		if !first && !l.take(',') {
			return r, false
		}
		name, ok := l.key()
		if !ok {
			return r, false
		}
		which := -1
		switch name {
		case "principal":
			which, ok = 0, l.uid(&r.Principal, &r.Names[0])
		case "action":
			which, ok = 1, l.uid(&r.Action, &r.Names[1])
		case "resource":
			which, ok = 2, l.uid(&r.Resource, &r.Names[2])
		case "context":
			which = 3
			r.Context, ok = l.value(1)
		case "entities":
			which = 4
			r.Entities, ok = l.raw()
		default:
			// A key that comes twice is refused, also one that nobody reads: with
			// few keys comparing them is the cheapest way to see that.
			for _, m := range l.scratch {
				if m.Name == name {
					return r, false
				}
			}
			l.scratch = append(l.scratch, Member{Name: name})
			ok = l.skip(1)
		}
		if !ok || which >= 0 && have[which] {
			return r, false
		}
		if which >= 0 {
			have[which] = true
		}
		const maxKeys = 64 // from here on the quadratic search would cost more
		if len(l.scratch) > maxKeys {
			return r, false
		}
	}
	l.space()
	r.Resets = l.resets
	return r, l.at == len(l.text) && have[0] && have[1] && have[2]
}

func (l *LogReader) space() {
	for l.at < len(l.text) {
		switch l.text[l.at] {
		case ' ', '\t', '\r', '\n':
			l.at++
		default:
			return
		}
	}
}

// take reads one character, after white space.
func (l *LogReader) take(c byte) bool {
	l.space()
	if l.at < len(l.text) && l.text[l.at] == c {
		l.at++
		return true
	}
	return false
}

func (l *LogReader) word(w string) bool {
	if strings.HasPrefix(l.text[l.at:], w) {
		l.at += len(w)
		return true
	}
	return false
}

func (l *LogReader) key() (string, bool) {
	l.space()
	name, ok := l.str()
	return name, ok && l.take(':')
}

// str reads a text. Those with escapes are left to the slow way, unless it is a
// simple one.
func (l *LogReader) str() (string, bool) {
	if l.at >= len(l.text) || l.text[l.at] != '"' {
		return "", false
	}
	l.at++
	rest := l.text[l.at:]
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			l.at += i + 1
			return rest[:i], true
		case c == '\\':
			return l.escaped(i)
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// simpleEscapes are those of one character.
var simpleEscapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped reads the rest of a text whose first escape is at i. \u is left to the
// slow way, with its surrogates.
func (l *LogReader) escaped(i int) (string, bool) {
	rest := l.text[l.at:]
	var b strings.Builder
	b.WriteString(rest[:i])
	for ; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			l.at += i + 1
			return b.String(), true
		case c == '\\':
			if i++; i == len(rest) {
				return "", false
			}
			plain, ok := simpleEscapes[rest[i]]
			if !ok {
				return "", false
			}
			b.WriteByte(plain)
		case c < ' ':
			return "", false
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// number reads a number by the grammar of RFC 8259, section 6.
func (l *LogReader) number() (string, bool) {
	start := l.at
	digits := func() bool {
		from := l.at
		for l.at < len(l.text) && l.text[l.at] >= '0' && l.text[l.at] <= '9' {
			l.at++
		}
		return l.at > from
	}
	l.word("-")
	if zero := l.word("0"); !zero && !digits() {
		return "", false
	}
	if l.word(".") && !digits() {
		return "", false
	}
	if l.word("e") || l.word("E") {
		if !l.word("+") {
			l.word("-")
		}
		if !digits() {
			return "", false
		}
	}
	return l.text[start:l.at], true
}

// value reads a value into data.
func (l *LogReader) value(depth int) (d Datum, ok bool) {
	l.space()
	if l.at >= len(l.text) || depth >= maxJSONDepth {
		return d, false
	}
	d.Position = l.where
	switch l.text[l.at] {
	case '"':
		d.Kind = Text
		d.Text, ok = l.str()
	case '{':
		d.Kind = Map
		d.Keys, ok = l.object(depth)
	case '[':
		d.Kind = List
		d.Items, ok = l.list(depth)
	case 't':
		d.Kind, d.Text, ok = Bool, "true", l.word("true")
	case 'f':
		d.Kind, d.Text, ok = Bool, "false", l.word("false")
	case 'n':
		d.Kind, ok = Null, l.word("null")
	default:
		d.Kind = Number
		d.Text, ok = l.number()
	}
	return d, ok
}

func (l *LogReader) object(depth int) ([]Member, bool) {
	l.at++
	start := len(l.scratch)
	for !l.take('}') {
		if len(l.scratch) > start && !l.take(',') {
			return nil, false
		}
		name, ok := l.key()
		if !ok {
			return nil, false
		}
		for _, m := range l.scratch[start:] {
			if m.Name == name {
				return nil, false
			}
		}
		const maxKeys = 64
		if len(l.scratch)-start > maxKeys {
			return nil, false
		}
		v, ok := l.value(depth + 1)
		if !ok {
			return nil, false
		}
		l.scratch = append(l.scratch, Member{Position: l.where, Name: name, Value: v})
	}
	from := len(l.members)
	l.members = append(l.members, l.scratch[start:]...)
	l.scratch = l.scratch[:start]
	return l.members[from:len(l.members):len(l.members)], true
}

func (l *LogReader) list(depth int) ([]Datum, bool) {
	l.at++
	start := len(l.queue)
	for !l.take(']') {
		if len(l.queue) > start && !l.take(',') {
			return nil, false
		}
		v, ok := l.value(depth + 1)
		if !ok {
			return nil, false
		}
		l.queue = append(l.queue, v)
	}
	from := len(l.items)
	l.items = append(l.items, l.queue[start:]...)
	l.queue = l.queue[:start]
	return l.items[from:len(l.items):len(l.items)], true
}

// skip passes over a value that nobody reads, and checks it all the same.
func (l *LogReader) skip(depth int) bool {
	_, ok := l.value(depth)
	return ok
}

// raw is the text of the line's own entities; null stands for none.
func (l *LogReader) raw() (string, bool) {
	l.space()
	start := l.at
	if l.word("null") {
		return "", true
	}
	ok := l.skip(1)
	return l.text[start:l.at], ok
}

// maxUIDs bounds the names that are remembered: logs name the same entities
// again and again, and a name takes a microsecond to read.
const maxUIDs = 100_000

// uid reads the name of an entity: text, {"type", "id"}, or the same below
// "__entity".
func (l *LogReader) uid(into *PlacedUID, number *int) bool {
	into.Position = l.where
	l.space()
	start := l.at
	seen := l.glance()
	if known, ok := l.uids[seen]; ok {
		l.at += len(seen)
		into.UID, *number = known.UID, known.number
		return true
	}
	d, ok := l.value(1)
	if !ok {
		return false
	}
	r := jsonReader{at: l.where}
	placed, ok := r.uid(d, "")
	if !ok {
		return false
	}
	if l.uids == nil || len(l.uids) >= maxUIDs {
		l.uids = map[string]name{}
		l.resets++
	}
	known, ok := l.uids[l.text[start:l.at]] // with white space or "__entity" it wasn't seen at a glance
	if !ok {
		known = name{placed.UID, len(l.uids)}
	}
	l.uids[l.text[start:l.at]] = known
	into.UID, *number = known.UID, known.number
	return true
}

// glance is what looks like a name, without reading it. Only whole values are
// remembered, so that a text that is remembered ends where a value does.
func (l *LogReader) glance() string {
	rest := l.text[l.at:]
	n := 0
	switch {
	case rest == "":
	case rest[0] == '{':
		n = strings.IndexByte(rest, '}') + 1
	case rest[0] == '"':
		for n = 1; n < len(rest) && rest[n] != '"'; n++ {
			if rest[n] == '\\' {
				n++
			}
		}
		n = min(n+1, len(rest))
	}
	return rest[:n]
}

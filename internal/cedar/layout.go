package cedar

import (
	"strings"
	"unicode/utf8"
)

// maxWidth is the line width that layouts aim at: that of Cedar's own formatter.
const maxWidth = 80

// A comment is one line of it, without the space around.
type comment struct {
	text  string
	after bool // it follows code on its line
	blank bool // the line before it is empty
}

type opKind uint8

const (
	opText opKind = iota
	opLine
	opGroup // up to its opEnd; either all its lines are broken, or none
	opEnd
	opIndent
	opDedent
)

// An op is one step of a layout: a text, or a place where a line may end. Every
// comment hangs on such a place, which must be broken then, so that a comment
// can neither swallow code nor get lost, and formatting again finds it at the
// same place.
type op struct {
	kind   opKind
	text   string    // opText
	end    int       // opGroup: its opEnd
	broken bool      // opGroup, opLine: must be broken
	blank  bool      // opLine: with an empty line before what follows
	apart  bool      // opLine: with an empty line before the comments as well
	flat   string    // opLine: what stands there if it isn't broken
	stays  bool      // opLine: broken for nothing but a comment
	edge   edge      // opLine
	suffix string    // opLine: the comment at the end of the line
	below  []comment // opLine: the comments on lines of their own, after it
}

// An edge says that a place is next to a bracket.
type edge uint8

const (
	within edge = iota
	opening
	closing
)

// A layout is built from front to back, in the order of the tokens.
type layout struct {
	ops     []op
	open    []int     // the groups that haven't ended
	units   []int     // the values of unit to go back to
	unit    int       // the place before the thing that is being written
	pending []comment // waiting for the next place
}

func (l *layout) text(s string) { l.ops = append(l.ops, op{kind: opText, text: s}) }

func (l *layout) begin() {
	l.open = append(l.open, len(l.ops))
	l.units = append(l.units, l.unit)
	l.ops = append(l.ops, op{kind: opGroup})
}

func (l *layout) finish() {
	last := len(l.open) - 1
	l.ops[l.open[last]].end = len(l.ops)
	l.unit = l.units[last]
	l.open, l.units = l.open[:last], l.units[:last]
	l.ops = append(l.ops, op{kind: opEnd})
}

func (l *layout) indent() { l.ops = append(l.ops, op{kind: opIndent}) }
func (l *layout) dedent() { l.ops = append(l.ops, op{kind: opDedent}) }

// line adds a place where the line may end, and hangs the comments on it that
// wait for one.
func (l *layout) line(o op) {
	o.kind = opLine
	for _, c := range l.pending {
		if c.after && o.suffix == "" {
			o.suffix = c.text
			continue
		}
		o.below = append(o.below, c)
	}
	o.broken = o.broken || len(l.pending) > 0
	l.pending = nil
	l.unit = len(l.ops)
	l.ops = append(l.ops, o)
}

func (l *layout) space()         { l.line(op{flat: " "}) }
func (l *layout) newline()       { l.line(op{broken: true}) }
func (l *layout) edge(side edge) { l.line(op{edge: side}) }

// above hangs comments on the place before the thing that is being written.
func (l *layout) above(comments []comment) {
	if len(comments) == 0 {
		return
	}
	o := &l.ops[l.unit]
	o.below = append(o.below, comments...)
	o.broken = true
}

// spread breaks every group that holds a place that must be broken.
func (l *layout) spread() {
	var open []int
	for i := range l.ops {
		switch o := &l.ops[i]; o.kind {
		case opGroup:
			open = append(open, i)
		case opLine:
			if o.broken && len(open) > 0 {
				l.ops[open[len(open)-1]].broken = true
			}
		case opEnd:
			last := len(open) - 1
			if l.ops[open[last]].broken && last > 0 {
				l.ops[open[last-1]].broken = true
			}
			open = open[:last]
		}
	}
}

// fits tells whether the group at i can stand on the rest of a line, together
// with what follows it up to the next place where the line may end.
func (l *layout) fits(i, column int) bool {
	end := l.ops[i].end
	for ; i < len(l.ops); i++ {
		switch o := l.ops[i]; o.kind {
		case opText:
			column += utf8.RuneCountInString(o.text)
		case opLine:
			if i > end && (o.broken || !o.stays) {
				return true
			}
			column += len(o.flat)
		}
		if column > maxWidth {
			return false
		}
	}
	return true
}

// String lays it out. The result ends with a line end unless it is empty.
func (l *layout) String() string {
	l.spread()
	var w lineWriter
	broken := []bool{true}
	for i, o := range l.ops {
		switch o.kind {
		case opText:
			w.write(o.text)
		case opGroup:
			broken = append(broken, o.broken || broken[len(broken)-1] && !l.fits(i, w.at()))
		case opEnd:
			broken = broken[:len(broken)-1]
		case opIndent:
			w.level++
		case opDedent:
			w.level--
		case opLine:
			if !o.broken && (o.stays || !broken[len(broken)-1]) {
				w.write(o.flat)
				continue
			}
			w.end(o)
		}
	}
	return w.String()
}

// A lineWriter writes lines, with the indentation only before text, so that no
// line ends in spaces.
type lineWriter struct {
	strings.Builder
	level, column int
}

// at is the column where text would begin, counted from 0.
func (w *lineWriter) at() int {
	if w.column == 0 {
		return 2 * w.level
	}
	return w.column
}

func (w *lineWriter) write(s string) {
	if s == "" {
		return
	}
	if w.column == 0 {
		w.column = 2 * w.level
		w.WriteString(strings.Repeat(" ", w.column))
	}
	w.WriteString(s)
	w.column += utf8.RuneCountInString(s)
}

// next begins a new line, if this one isn't new already. There is never an
// empty line at the start.
func (w *lineWriter) next(blank bool) {
	if w.column > 0 {
		w.WriteByte('\n')
		w.column = 0
	}
	if blank && w.Len() > 0 {
		w.WriteByte('\n')
	}
}

// end ends the line at a place, with the comments that hang on it.
func (w *lineWriter) end(o op) {
	if o.suffix != "" {
		w.write(" " + o.suffix)
	}
	if o.edge == closing {
		w.level++ // the comments belong to what the bracket closes
	}
	for i, c := range o.below {
		w.next(i == 0 && o.apart || c.blank && (i > 0 || o.edge != opening))
		w.write(c.text)
	}
	if o.edge == closing {
		w.level--
	}
	w.next(o.blank || o.apart && len(o.below) == 0)
}

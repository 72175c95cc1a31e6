package manifest

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/policypin/policypin/diag"
)

const (
	// maxNesting bounds brackets and indentation before yaml.v3 sees them. The
	// formats here nest five deep; the library recurses and allows 10,000.
	maxNesting = 200
	// maxProblems is per file: a hostile file must not fill memory or a log.
	maxProblems = 200
)

// parseYAML reads one document strictly and returns its root, or nil if there
// is nothing to look at. The problems are those of the YAML alone: everything
// that could make two readers disagree about what the file says.
func parseYAML(d *decoder) *yaml.Node {
	file, text, problems := d.file, d.source, d.problems
	if at, rule, message := refuse(text); message != "" {
		problems.Errorf(positionAt(file, text, at), rule, "%s", message)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	doc, err := decode(dec)
	if err == io.EOF || err == nil && len(doc.Content) == 0 {
		problems.Errorf(diag.Position{File: file, Line: 1, Column: 1}, "empty-document", "the file has no content")
		return nil
	}
	if err != nil {
		d.syntax(err)
		return nil
	}
	second, err := decode(dec)
	switch {
	case err == nil:
		d.errorf(second, "several-documents", "keep one document in a file", "a second YAML document starts here")
	case err != io.EOF:
		d.syntax(err)
		return nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		problems.Errorf(diag.Position{File: file, Line: 1, Column: 1}, "empty-document", "the file has no content")
		return nil
	}
	d.structure(root)
	return root
}

// decode reads the next document. yaml.v3 reports its own failures as errors,
// but an index error inside it would still be a panic.
func decode(dec *yaml.Decoder) (n *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = nil, fmt.Errorf("yaml: %v", r)
		}
	}()
	n = new(yaml.Node)
	return n, dec.Decode(n)
}

// refuse looks for what yaml.v3 shouldn't see: directives, whose handling is
// quadratic and which no manifest needs, and deep nesting. Brackets in text and
// comments count too, which matters only to text with 200 of them left open.
func refuse(text []byte) (offset int, rule, message string) {
	depth := 0
	for start := 0; start < len(text); {
		end := len(text)
		if n := bytes.IndexByte(text[start:], '\n'); n >= 0 {
			end = start + n
		}
		line := text[start:end]
		if len(line) > 0 && line[0] == '%' {
			return start, "directive", "YAML directives are not allowed"
		}
		indent := 0
		for indent < len(line) && strings.IndexByte(" \t-?:", line[indent]) >= 0 {
			indent++
		}
		if indent > 2*maxNesting && indent < len(line) {
			return start, "nesting", "the text is indented too deep"
		}
		for i, c := range line {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			}
			if depth > maxNesting {
				return start + i, "nesting", fmt.Sprintf("more than %d brackets are open", maxNesting)
			}
		}
		start = end + 1
	}
	return 0, "", ""
}

// A decoder turns nodes into values and reports what doesn't fit.
type decoder struct {
	file     string
	source   []byte // the file's text
	problems *diag.List
	secrets  []string // credentials that are in the text only with escapes
}

func (d *decoder) position(n *yaml.Node) diag.Position {
	return diag.Position{File: d.file, Line: n.Line, Column: n.Column}
}

func (d *decoder) errorf(n *yaml.Node, rule, fix, format string, args ...any) {
	if d.full() {
		return
	}
	d.problems.Add(diag.Problem{Position: d.position(n), Rule: rule, Message: fmt.Sprintf(format, args...), Fix: fix})
}

// full tells whether there are more problems than will be shown, so that
// looking for suggestions would only burn time.
func (d *decoder) full() bool { return len(*d.problems) > maxProblems }

// structure reports what is wrong at any depth, wherever it stands.
func (d *decoder) structure(n *yaml.Node) {
	if d.full() {
		return
	}
	if n.Anchor != "" {
		d.errorf(n, "anchor", "write the value where it is needed", "anchors are not allowed")
	}
	if n.Style&yaml.TaggedStyle != 0 {
		d.errorf(n, "tag", "remove it", "YAML tags are not allowed")
	}
	switch n.Kind {
	case yaml.ScalarNode:
		d.escapedToken(n)
	case yaml.AliasNode:
		// Its target is a node that has been or will be looked at anyway.
		d.errorf(n, "alias", "write the value out", "aliases are not allowed")
	case yaml.SequenceNode:
		for _, c := range n.Content {
			d.structure(c)
		}
	case yaml.MappingNode:
		first := make(map[string]int, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			switch {
			case key.Kind != yaml.ScalarNode:
				d.errorf(key, "wrong-type", "", "a key must be a plain word, not %s", kindOf(key))
			case key.Tag == "!!merge":
				d.errorf(key, "merge-key", "write the keys out", "merge keys are not allowed")
			case first[key.Value] != 0:
				d.errorf(key, "duplicate-key", "", "key %s is already on line %d", quote(key.Value), first[key.Value])
			default:
				first[key.Value] = key.Line
			}
			if key.Kind != yaml.SequenceNode && key.Kind != yaml.MappingNode {
				d.structure(key)
			}
			d.structure(value)
		}
	}
}

// escapedToken finds a credential that the text hides behind escapes.
func (d *decoder) escapedToken(n *yaml.Node) {
	if n.Style&yaml.DoubleQuotedStyle == 0 {
		return
	}
	value := []byte(n.Value)
	for _, span := range tokenSpans(value) {
		if token := value[span[0]:span[1]]; !bytes.Contains(d.source, token) {
			d.secrets = append(d.secrets, string(token))
			d.errorf(n, "token-shaped", tokenFix, "this looks like a credential")
		}
	}
}

// kindOf names what a node is, for messages.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "a boolean"
	case "!!int", "!!float":
		return "a number"
	case "!!merge":
		return "the merge key `<<`"
	}
	return "text"
}

// opaque tells whether structure has already said why a node can't be used.
func opaque(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.AliasNode || n.Style&yaml.TaggedStyle != 0
}

// A key is one that a mapping may have.
type key struct {
	name     string
	required bool
}

// A wrongKey is a key that people can be expected to try, and what to tell them.
type wrongKey struct {
	rule, message, fix string
}

// mapping returns the values of n by key. name is what n is called in messages.
// ok is false if n is no mapping at all.
func (d *decoder) mapping(n *yaml.Node, name string, keys []key, wrong map[string]wrongKey) (values map[string]*yaml.Node, ok bool) {
	if opaque(n) {
		return nil, false
	}
	if n.Kind != yaml.MappingNode {
		d.errorf(n, "wrong-type", "", "%s must be a mapping, not %s", name, kindOf(n))
		return nil, false
	}
	values = make(map[string]*yaml.Node, len(keys))
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" || d.full() {
			continue
		}
		if slices.ContainsFunc(keys, func(known key) bool { return known.name == k.Value }) {
			if values[k.Value] == nil {
				values[k.Value] = v
			}
			continue
		}
		if w, ok := wrong[strings.ToLower(k.Value)]; ok {
			d.errorf(k, w.rule, w.fix, "%s", w.message)
			continue
		}
		names := make([]string, len(keys))
		for i, known := range keys {
			names[i] = known.name
		}
		d.errorf(k, "unknown-key", didYouMean(k.Value, names), "unknown key %s in %s", quote(k.Value), name)
	}
	for _, known := range keys {
		if known.required && values[known.name] == nil {
			d.errorf(n, "missing-key", "", "%s has no %s", name, known.name)
		}
	}
	return values, true
}

// list returns the items of n.
func (d *decoder) list(n *yaml.Node, name string) ([]*yaml.Node, bool) {
	if opaque(n) {
		return nil, false
	}
	if n.Kind != yaml.SequenceNode {
		fix := ""
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
			fix = "write it in brackets"
		}
		d.errorf(n, "wrong-type", fix, "%s must be a list, not %s", name, kindOf(n))
		return nil, false
	}
	return n.Content, true
}

// text returns a scalar that is text. A plain 2026-03-16 is text, as in YAML
// 1.2; a plain number or true is not, because other readers would change it.
func (d *decoder) text(n *yaml.Node, name string) (string, bool) {
	if opaque(n) {
		return "", false
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" && n.Tag != "!!timestamp" {
		fix := ""
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
			fix = "put it in quotes"
		}
		d.errorf(n, "wrong-type", fix, "%s must be text, not %s", name, kindOf(n))
		return "", false
	}
	return n.Value, true
}

// literal returns a scalar as it is written, so that 1.10 doesn't become 1.1 and
// a hexadecimal id that looks like a number stays what it is.
func (d *decoder) literal(n *yaml.Node, name string) (string, bool) {
	if !opaque(n) && n.Kind == yaml.ScalarNode && (n.Tag == "!!int" || n.Tag == "!!float") {
		return n.Value, true
	}
	return d.text(n, name)
}

// number returns a decimal integer from lowest up to the largest that every
// reader of JSON keeps.
func (d *decoder) number(n *yaml.Node, name string, lowest int) (int, bool) {
	if opaque(n) {
		return 0, false
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" {
		fix := ""
		if _, err := strconv.Atoi(n.Value); err == nil && n.Kind == yaml.ScalarNode {
			fix = "remove the quotes"
		}
		d.errorf(n, "wrong-type", fix, "%s must be a whole number, not %s", name, kindOf(n))
		return 0, false
	}
	v, err := strconv.ParseInt(n.Value, 10, 32)
	if err != nil || n.Value != strconv.FormatInt(v, 10) || v < int64(lowest) {
		d.errorf(n, "bad-value", "", "%s must be a decimal number from %d up, not %s", name, lowest, quote(n.Value))
		return 0, false
	}
	return int(v), true
}

// oneOf returns a word out of a few.
func (d *decoder) oneOf(n *yaml.Node, name string, words ...string) (string, bool) {
	s, ok := d.text(n, name)
	if !ok {
		return "", false
	}
	if !slices.Contains(words, s) {
		fix := didYouMean(s, words)
		if fix == "" {
			fix = "write " + strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
		}
		d.errorf(n, "bad-value", fix, "%s can't be %s", name, quote(s))
		return "", false
	}
	return s, true
}

// truncate keeps the first problems of a file that has too many.
func truncate(file string, problems diag.List) diag.List {
	if len(problems) <= maxProblems {
		return problems
	}
	problems = problems[:maxProblems:maxProblems]
	problems.Errorf(diag.Position{File: file}, "too-many-problems", "only the first %d problems of this file are listed", maxProblems)
	return problems
}

// Package cedar is the one door to the Cedar engine: it parses sources, gives
// them digests, validates them against a schema, and points every problem at a
// line and column of the user's file.
package cedar

import (
	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/jcs"
)

// DigestFormat numbers the way [Policy.Digest] is computed. It changes when the
// same source would get another digest.
const DigestFormat = 1

// Limits, applied before the engine sees a byte: its parser recurses, and a
// stack overflow can't be recovered from.
const (
	MaxSourceBytes = 1 << 20
	MaxNesting     = 100
)

// A Policy is one parsed Cedar statement: the content of one source.
type Policy struct {
	_ int // fields are unexported
}

// Parse reads a source that must hold exactly one statement. file is used in
// positions only. The policy is nil if and only if the list has errors.
// CRLF line ends are accepted; a byte order mark, templates, and several
// statements are problems with rules of their own.
func Parse(file string, text []byte) (*Policy, diag.List) { panic("unwritten") }

// Digest is the policy digest: over the canonical Cedar JSON, so comments,
// layout, line ends and redundant parentheses don't change it.
func (p *Policy) Digest() jcs.Digest { panic("unwritten") }

// JSON is the canonical Cedar JSON that Digest is taken over.
func (p *Policy) JSON() []byte { panic("unwritten") }

// Text is the source as it was given to Parse.
func (p *Policy) Text() string { panic("unwritten") }

// ID is the value of the @id annotation, or "".
func (p *Policy) ID() string { panic("unwritten") }

// Position is where the statement starts.
func (p *Policy) Position() diag.Position { panic("unwritten") }

// Effect is "permit" or "forbid".
func (p *Policy) Effect() string { panic("unwritten") }

// Same tells whether stored, a text that the service returned, holds exactly
// one statement with the same parsed content as p. A text that can't be parsed,
// or is over a limit, is not the same.
func (p *Policy) Same(stored string) bool { panic("unwritten") }

// SameText tells whether two texts parse to the same sequence of statements.
// Texts with several statements are compared statement by statement, in order.
// If either doesn't parse, they are the same only byte for byte.
func SameText(a, b string) bool { panic("unwritten") }

// CheckSet parses a text that may hold several statements, as the service
// accepts them in one policy version, and returns its problems. Used by the
// local zone.
func CheckSet(file string, text []byte) (normalized string, json []byte, problems diag.List) {
	panic("unwritten")
}

// FromJSON converts the Cedar JSON of a policy set (with staticPolicies) or of
// one bare policy to Cedar text. Used by the local zone for cedar_json.
func FromJSON(doc []byte) (text string, err error) { panic("unwritten") }

// A Schema is a parsed Cedar schema.
type Schema struct {
	_ int
}

// ParseSchema reads a schema in Cedar's syntax. The schema is nil if and only
// if the list has errors.
func ParseSchema(file string, text []byte) (*Schema, diag.List) { panic("unwritten") }

// ParseSchemaJSON reads a schema in Cedar's JSON form, as the API gives it.
func ParseSchemaJSON(doc []byte) (*Schema, error) { panic("unwritten") }

// JSON is the schema in Cedar's JSON form.
func (s *Schema) JSON() ([]byte, error) { panic("unwritten") }

// Validate checks the types of one policy: unknown attributes, entity types,
// actions and enum ids, and type errors, each with a position in the source, a
// rule id, and a "did you mean" where a name is near. It is safe for concurrent
// use.
func (s *Schema) Validate(p *Policy) diag.List { panic("unwritten") }

// Package cedar is the one door to the Cedar engine: it parses sources, gives
// them digests, validates them against a schema, and points every problem at a
// line and column of the user's file.
//
// The rules of its problems, which never change once released:
//
//	byte-order-mark, not-utf8, control-character, bidi-control
//	cedar-syntax, cedar-template, cedar-integer-range
//	cedar-no-statement, cedar-several-statements, cedar-too-large, cedar-too-deep
//	cedar-unknown-attribute, cedar-unknown-entity-type, cedar-unknown-action
//	cedar-unknown-enum-id, cedar-unsafe-optional, cedar-unsafe-tag, cedar-type
//	cedar-empty-set, cedar-extension, cedar-no-applicable-action
//	schema-syntax, schema-invalid, schema-too-large, schema-too-deep
//	format-unsafe
package cedar

import (
	"crypto/sha256"
	"sync"

	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/jcs"
)

// DigestFormat numbers the way [Policy.Digest] is computed. It changes when the
// same source would get another digest.
//
// Format 1 is the SHA-256 of the RFC 8785 form of the statement in Cedar's JSON
// policy format, annotations included, with one addition: an integer beyond
// ±(2^53-1) is written {"Value":{"__long":"9007199254740993"}}, since RFC 8785
// numbers would make two such integers one.
const DigestFormat = 1

// Limits, applied before the engine sees a byte: its parser recurses, and a
// stack overflow can't be recovered from.
const (
	MaxSourceBytes = 1 << 20
	MaxNesting     = 100
)

// A Policy is one parsed Cedar statement: the content of one source. It is
// immutable and safe for concurrent use.
type Policy struct {
	source
	start  int  // byte offset of the statement
	index  int  // of the statement in the text
	alone  bool // the text holds no other statement
	ast    *ast.Policy
	digest func() jcs.Digest
}

func newPolicy(src source, statements []statement, i int, tree *ast.Policy) *Policy {
	p := &Policy{source: src, start: statements[i].start, index: i, alone: len(statements) == 1, ast: tree}
	p.digest = sync.OnceValue(func() jcs.Digest { return sha256.Sum256(p.JSON()) })
	return p
}

// canonical returns the RFC 8785 form of a statement, or with core that of what
// the official engine keeps of it.
func canonical(tree *ast.Policy, core bool) []byte {
	e := encoder{longs: true, core: core}
	e.policy(tree)
	b, err := jcs.Canonicalize(e.buf)
	if err != nil {
		// The encoder writes no number that is refused, no member twice, and
		// nothing deeper than the limits on an expression's height.
		panic("canonical JSON of a policy: " + err.Error())
	}
	return b
}

// Digest is the policy digest: over the canonical Cedar JSON, so comments,
// layout, line ends and redundant parentheses don't change it.
func (p *Policy) Digest() jcs.Digest { return p.digest() }

// JSON is the canonical Cedar JSON that Digest is taken over. It isn't kept,
// since it is larger than the source.
func (p *Policy) JSON() []byte { return canonical(p.ast, false) }

// Text is the source as it was given to Parse.
func (p *Policy) Text() string { return p.text }

// ID is the value of the @id annotation, or "".
func (p *Policy) ID() string {
	for _, a := range p.ast.Annotations {
		if a.Key == "id" {
			return string(a.Value)
		}
	}
	return ""
}

// Position is where the statement starts.
func (p *Policy) Position() diag.Position { return p.at(p.start) }

// Effect is "permit" or "forbid".
func (p *Policy) Effect() string { return effect(p.ast) }

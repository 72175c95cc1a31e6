package cedar

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	cedarschema "github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
	"github.com/policypin/policypin/diag"
)

// A Schema is a parsed Cedar schema. It is immutable and safe for concurrent
// use.
type Schema struct {
	schema    cedarschema.Schema
	resolved  *resolved.Schema
	validator *validate.Validator

	actionTypes map[types.EntityType]bool
	attributes  map[string]bool // the names of all attributes, of whatever type
	kinds       map[string]uint // for each name, which values with an order its attributes have
	contexts    int             // how many actions have one

	environments int // combinations of principal, action and resource types, at least 1
}

// ParseSchema reads a schema in Cedar's syntax. The schema is nil if and only
// if the list has errors.
func ParseSchema(file string, text []byte) (*Schema, diag.List) {
	src := source{file: file, text: string(text)}
	var problems diag.List
	if len(text) > MaxSourceBytes {
		problems.Errorf(diag.Position{File: file}, "schema-too-large", "schema has %d bytes, more than %d", len(text), MaxSourceBytes)
		return nil, problems
	}
	if src.checkText(&problems); len(problems) > 0 {
		return nil, problems
	}
	tokens, bad := src.scan(true)
	if bad != nil {
		problems.Errorf(src.at(bad.offset), "schema-syntax", "%s", bad.message)
		return nil, problems
	}
	depth := 0
	for _, t := range tokens {
		switch src.text[t.start:t.end] {
		case "(", "[", "{", "<":
			if depth++; depth > MaxNesting {
				problems.Errorf(src.at(t.start), "schema-too-deep", "more than %d levels of nesting", MaxNesting)
				return nil, problems
			}
		case ")", "]", "}", ">":
			depth--
		}
	}
	var s Schema
	if err := s.schema.UnmarshalCedar(text); err != nil {
		problems.Add(src.schemaSyntax(err))
		return nil, problems
	}
	if src.checkSchemaGrammar(tokens, &problems); len(problems) > 0 {
		return nil, problems
	}
	if err := checkBoolean(s.schema.AST()); err != nil {
		problems.Errorf(src.mention(tokens, err), "schema-invalid", "%s", err)
		return nil, problems
	}
	if err := s.resolve(); err != nil {
		problems.Errorf(src.mention(tokens, err), "schema-invalid", "%s", err)
		return nil, problems
	}
	return &s, nil
}

var schemaPosition = regexp.MustCompile(`^<input>:(\d+):(\d+): `)

func (s source) schemaSyntax(err error) diag.Problem {
	p := diag.Problem{Position: diag.Position{File: s.file, Line: 1, Column: 1}, Rule: "schema-syntax", Message: err.Error()}
	if m := schemaPosition.FindStringSubmatch(p.Message); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Column, _ = strconv.Atoi(m[2])
		p.Message = p.Message[len(m[0]):]
	}
	return p
}

var quotedName = regexp.MustCompile(`"((?:[^"\\]|\\.)+)"`)

// mention finds the last place where the schema says the name that an error
// without a position is about. Such errors go from the outside in, so their
// last name is the nearest.
func (s source) mention(tokens []token, err error) diag.Position {
	for _, m := range slices.Backward(quotedName.FindAllStringSubmatch(err.Error(), -1)) {
		name := m[1][strings.LastIndexByte(m[1], ':')+1:]
		for i := len(tokens) - 1; i >= 0; i-- {
			if word := s.text[tokens[i].start:tokens[i].end]; word == name || word == `"`+name+`"` {
				return s.at(tokens[i].start)
			}
		}
	}
	return diag.Position{File: s.file}
}

// ParseSchemaJSON reads a schema in Cedar's JSON form, as the API gives it.
func ParseSchemaJSON(doc []byte) (*Schema, error) {
	if err := checkJSON(doc); err != nil {
		return nil, err
	}
	var s Schema
	if err := s.schema.UnmarshalJSON(doc); err != nil {
		return nil, fmt.Errorf("reading a schema: %w", err)
	}
	if err := s.resolve(); err != nil {
		return nil, fmt.Errorf("reading a schema: %w", err)
	}
	return &s, nil
}

// JSON is the schema in Cedar's JSON form.
func (s *Schema) JSON() ([]byte, error) { return s.schema.MarshalJSON() }

func (s *Schema) resolve() error {
	if err := checkSchema(s.schema.AST()); err != nil {
		return err
	}
	r, err := s.schema.Resolve()
	if err != nil {
		return err
	}
	s.resolved, s.validator = r, validate.New(r)
	s.index()
	return nil
}

// Limits on what a schema means, as opposed to how it is written. The engine
// copies a common type wherever it is used, so a few short lines can stand for
// billions of attributes; it checks each condition once for each combination of
// principal, action and resource types; and its check of optional attributes
// takes exponential time in the depth of records within records.
const (
	maxTypes        = 5_000  // entity types, common types and actions
	maxTypeSize     = 50_000 // attributes, with common types written out
	maxTypeDepth    = 16     // records and sets within each other
	maxEnvironments = 50_000 // principal × action × resource types
)

var errSchemaSize = errors.New("schema is too large when its types are written out")

func checkSchema(s *ast.Schema) error {
	m := measure{common: map[types.Path]ast.IsType{}, done: map[types.Path]extent{}}
	namespaces := []struct {
		name types.Path
		ast.Namespace
	}{{"", ast.Namespace{Entities: s.Entities, Enums: s.Enums, Actions: s.Actions, CommonTypes: s.CommonTypes}}}
	for name, ns := range s.Namespaces {
		namespaces = append(namespaces, struct {
			name types.Path
			ast.Namespace
		}{name, ns})
	}
	count := 0
	for _, ns := range namespaces {
		_, entity := ns.Entities["Action"]
		if _, enum := ns.Enums["Action"]; entity || enum {
			return fmt.Errorf("%q can't be declared as an entity type: it is the type of actions", qualify(ns.name, "Action"))
		}
		count += len(ns.Entities) + len(ns.Enums) + len(ns.Actions) + len(ns.CommonTypes)
		for name, t := range ns.CommonTypes {
			m.common[qualify(ns.name, types.Path(name))] = t.Type
		}
	}
	if count > maxTypes {
		return fmt.Errorf("schema declares %d types and actions, more than %d", count, maxTypes)
	}
	var all extent
	environments := 0
	for _, ns := range namespaces {
		for _, t := range ns.CommonTypes {
			all.add(m.of(ns.name, t.Type))
		}
		for _, e := range ns.Entities {
			all.add(m.of(ns.name, e.Shape))
			all.add(m.of(ns.name, e.Tags))
		}
		for _, a := range ns.Actions {
			if a.AppliesTo != nil {
				all.add(m.of(ns.name, a.AppliesTo.Context))
				environments += len(a.AppliesTo.Principals) * len(a.AppliesTo.Resources)
			}
		}
	}
	switch {
	case all.size > maxTypeSize:
		return errSchemaSize
	case all.depth > maxTypeDepth:
		return fmt.Errorf("schema has types more than %d levels deep", maxTypeDepth)
	case environments > maxEnvironments:
		return fmt.Errorf("schema allows %d combinations of principal, action and resource types, more than %d", environments, maxEnvironments)
	}
	return nil
}

func qualify(namespace, name types.Path) types.Path {
	if namespace == "" {
		return name
	}
	return namespace + "::" + name
}

// An extent is how large a type is with common types written out.
type extent struct{ size, depth int }

func (e *extent) add(o extent) {
	e.size = min(e.size+o.size, maxTypeSize+1)
	e.depth = max(e.depth, o.depth)
}

type measure struct {
	common map[types.Path]ast.IsType
	done   map[types.Path]extent
}

func (m measure) of(namespace types.Path, t ast.IsType) extent {
	e := extent{size: 1}
	switch t := t.(type) {
	case ast.SetType:
		e.add(m.of(namespace, t.Element))
		e.depth++
	case ast.RecordType:
		for _, a := range t {
			e.add(m.of(namespace, a.Type))
		}
		e.depth++
	case ast.TypeRef:
		name := qualify(namespace, types.Path(t))
		if _, ok := m.common[name]; !ok {
			name = types.Path(t)
		}
		e.add(m.named(name))
	}
	return e
}

// named measures a common type once. A type that contains itself counts as
// nothing here; the engine refuses it.
func (m measure) named(name types.Path) extent {
	t, ok := m.common[name]
	if !ok {
		return extent{}
	}
	e, ok := m.done[name]
	if !ok {
		m.done[name] = extent{}
		namespace := types.Path("")
		if i := strings.LastIndex(string(name), "::"); i >= 0 {
			namespace = name[:i]
		}
		e = m.of(namespace, t)
		m.done[name] = e
	}
	return e
}

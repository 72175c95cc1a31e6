package cedar

import (
	"fmt"

	"github.com/cedar-policy/cedar-go/x/exp/schema/ast"
	"github.com/policypin/policypin/diag"
)

// cedar-go 1.9 takes a few schemas that Cedar's grammar and its official engine
// don't: a comma after the last item of a list, none between two attributes, an
// empty list of action groups, types called Boolean and Action. What passes here
// has to pass there.

// checkSchemaGrammar reports the first of those that show in the tokens.
func (s source) checkSchemaGrammar(tokens []token, problems *diag.List) {
	word := func(i int) string {
		if i < 0 || i >= len(tokens) {
			return ""
		}
		return s.text[tokens[i].start:tokens[i].end]
	}
	for i, t := range tokens {
		switch word(i) {
		case ",":
			if word(i+1) == "]" {
				problems.Add(diag.Problem{Position: s.at(t.start), Rule: "schema-syntax", Message: "a list can't end in a comma", Fix: "remove it"})
				return
			}
		case "]":
			if word(i-1) == "[" && word(i-2) == "in" && s.declares(tokens, i-2) == "action" {
				problems.Add(diag.Problem{Position: s.at(tokens[i-1].start), Rule: "schema-syntax", Message: "an action can't be in an empty list", Fix: "remove `in []`"})
				return
			}
		case ":":
			key := i - 1
			if word(key) == "?" {
				key--
			}
			before := s.beforeAnnotations(tokens, key-1)
			if w := word(before); before >= 0 && w != "{" && w != "," {
				problems.Errorf(s.at(tokens[before+1].start), "schema-syntax", "expected ',' or '}', got %s", word(before+1))
				return
			}
		}
	}
}

// declares is the keyword before the names that end at a token.
func (s source) declares(tokens []token, end int) string {
	i := end - 1
	for i > 1 && s.text[tokens[i-1].start:tokens[i-1].end] == "," {
		i -= 2
	}
	if i < 1 {
		return ""
	}
	return s.text[tokens[i-1].start:tokens[i-1].end]
}

// beforeAnnotations is the last token at or before i that isn't of an annotation.
func (s source) beforeAnnotations(tokens []token, i int) int {
	at := func(i int, word string) bool { return i >= 0 && s.text[tokens[i].start:tokens[i].end] == word }
	for {
		switch {
		case at(i, ")") && at(i-2, "(") && at(i-4, "@"):
			i -= 5
		case i >= 1 && tokens[i].kind == tokenIdent && at(i-1, "@"):
			i -= 2
		default:
			return i
		}
	}
}

// checkBoolean finds the type Boolean, which is called Bool in Cedar's syntax,
// where no entity type goes by that name.
func checkBoolean(s *ast.Schema) error {
	check := func(n ast.Namespace) error {
		declared := false
		for _, n := range []ast.Namespace{n, {Entities: s.Entities, Enums: s.Enums}} {
			_, entity := n.Entities["Boolean"]
			_, enum := n.Enums["Boolean"]
			declared = declared || entity || enum
		}
		var all []ast.IsType
		for _, t := range n.CommonTypes {
			all = append(all, t.Type)
		}
		for _, e := range n.Entities {
			all = append(all, e.Shape, e.Tags)
		}
		for _, a := range n.Actions {
			if a.AppliesTo != nil {
				all = append(all, a.AppliesTo.Context)
			}
		}
		for _, t := range all {
			if mentionsBoolean(t, declared) {
				return fmt.Errorf("there is no type %q; it is called Bool", "Boolean")
			}
		}
		return nil
	}
	if err := check(ast.Namespace{Entities: s.Entities, Enums: s.Enums, Actions: s.Actions, CommonTypes: s.CommonTypes}); err != nil {
		return err
	}
	for _, n := range s.Namespaces {
		if err := check(n); err != nil {
			return err
		}
	}
	return nil
}

func mentionsBoolean(t ast.IsType, declared bool) bool {
	switch t := t.(type) {
	case ast.SetType:
		return mentionsBoolean(t.Element, declared)
	case ast.RecordType:
		for _, a := range t {
			if mentionsBoolean(a.Type, declared) {
				return true
			}
		}
	case ast.TypeRef:
		return t == "__cedar::Boolean" || t == "Boolean" && !declared
	}
	return false
}

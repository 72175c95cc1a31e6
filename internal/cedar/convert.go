package cedar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	cedargo "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/policypin/policypin/diag"
)

// CheckSet parses a text that may hold several statements, as the service
// accepts them in one policy version, and returns its problems. If none is an
// error, normalized is the text as the service stores it, with parentheses and
// without comments, and json is the Cedar JSON of the policy set: staticPolicies
// named policy0, policy1… in the order of the source. Used by the local zone.
func CheckSet(file string, text []byte) (normalized string, json []byte, problems diag.List) {
	_, _, trees, problems := parseAll(file, text)
	if problems.Err() != nil {
		return "", nil, problems
	}
	var p printer
	e := encoder{}
	e.raw(`{"staticPolicies":{`)
	for i, tree := range trees {
		if i > 0 {
			p.write("\n")
		}
		p.policy(tree)
		e.comma(i)
		e.string("policy" + strconv.Itoa(i))
		e.raw(`:`)
		e.policy(tree)
	}
	e.raw(`},"templates":{},"templateLinks":[]}`)
	return p.String(), e.buf, problems
}

// FromJSON converts the Cedar JSON of a policy set (with staticPolicies) or of
// one bare policy to Cedar text, statements in the order of the document. Used
// by the local zone for cedar_json.
func FromJSON(doc []byte) (text string, err error) {
	if err := checkJSON(doc); err != nil {
		return "", err
	}
	members, err := orderedMembers(doc)
	if err != nil {
		return "", err
	}
	policies := []json.RawMessage{doc}
	if len(members) > 0 && !has(members, "effect") {
		if policies, err = staticPolicies(members); err != nil {
			return "", err
		}
	}
	var p printer
	for i, one := range policies {
		one, err := plainHas(one)
		if err != nil {
			return "", fmt.Errorf("policy %d: %w", i, err)
		}
		var policy cedargo.Policy
		if err := policy.UnmarshalJSON(one); err != nil {
			return "", fmt.Errorf("policy %d: %w", i, err)
		}
		tree := (*ast.Policy)(policy.AST())
		if err := checkNames(tree); err != nil {
			return "", fmt.Errorf("policy %d: %w", i, err)
		}
		if i > 0 {
			p.write("\n")
		}
		p.policy(tree)
	}
	// What JSON can say and text can't, such as a method with too many
	// arguments, shows here.
	trees, err := parseStored(p.String())
	if err != nil {
		return "", fmt.Errorf("policies can't be written as Cedar text: %w", err)
	}
	if len(trees) != len(policies) {
		return "", errors.New("policies can't be written as Cedar text")
	}
	return p.String(), nil
}

// plainHas rewrites what the official engine makes of "principal has a.b", a
// "has" with a list of attributes, which cedar-go can't read.
func plainHas(doc []byte) ([]byte, error) {
	if !bytes.Contains(doc, []byte(`"has"`)) {
		return doc, nil
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	r := hasRewriter{budget: maxStoredBytes}
	tree = r.rewrite(tree)
	if r.budget < 0 {
		return nil, errors.New(`too large when "has" with several attributes is written out`)
	}
	return json.Marshal(tree)
}

// A hasRewriter counts the bytes it repeats, so that lists within lists don't
// multiply.
type hasRewriter struct{ budget int }

func (r *hasRewriter) rewrite(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = r.rewrite(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = r.rewrite(v[name])
		}
		inner, _ := v["has"].(map[string]any)
		attrs, _ := inner["attr"].([]any)
		if len(v) != 1 || len(inner) != 2 || len(attrs) == 0 || r.budget < 0 {
			return v
		}
		type object = map[string]any
		left := inner["left"]
		size, err := json.Marshal(left)
		if r.budget -= (len(size) + 50*len(attrs)) * len(attrs); r.budget < 0 || err != nil {
			return v
		}
		all := object{"has": object{"left": left, "attr": attrs[0]}}
		for i, attr := range attrs[1:] {
			left = object{".": object{"left": left, "attr": attrs[i]}}
			all = object{"&&": object{"left": all, "right": object{"has": object{"left": left, "attr": attr}}}}
		}
		return all
	}
	return v
}

func staticPolicies(members []member) ([]json.RawMessage, error) {
	var list []json.RawMessage
	found := false
	for _, m := range members {
		switch m.name {
		case "staticPolicies":
			found = true
			inner, err := orderedMembers(m.value)
			if err != nil {
				return nil, err
			}
			for _, p := range inner {
				list = append(list, p.value)
			}
		case "templates", "templateLinks":
			switch string(bytes.TrimSpace(m.value)) {
			case "{}", "[]", "null":
			default:
				return nil, fmt.Errorf("%s are not supported", m.name)
			}
		default:
			return nil, fmt.Errorf("unknown member %q of a policy set", m.name)
		}
	}
	if !found {
		return nil, errors.New("neither a policy nor a policy set: no member effect or staticPolicies")
	}
	if len(list) == 0 {
		return nil, errors.New("staticPolicies is empty")
	}
	return list, nil
}

type member struct {
	name  string
	value json.RawMessage
}

func has(members []member, name string) bool {
	for _, m := range members {
		if m.name == name {
			return true
		}
	}
	return false
}

// orderedMembers reads one level of an object and keeps its order.
func orderedMembers(doc []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	tok, err := dec.Token()
	if err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	if tok != json.Delim('{') {
		return nil, errors.New("policies in JSON must be an object")
	}
	var list []member
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("reading JSON: %w", err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("reading JSON: %w", err)
		}
		if has(list, name.(string)) {
			return nil, fmt.Errorf("duplicate member %q", name)
		}
		list = append(list, member{name.(string), value})
	}
	return list, nil
}

// maxJSONNesting is what the highest expression takes: two levels each, and a
// few for the policy around it.
const maxJSONNesting = 2*maxDepth + 20

// checkJSON applies the limits before anything recurses over the document.
func checkJSON(doc []byte) error {
	if len(doc) > maxStoredBytes {
		return fmt.Errorf("document has %d bytes, more than %d", len(doc), maxStoredBytes)
	}
	depth, inString := 0, false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxJSONNesting {
				return fmt.Errorf("document has more than %d levels of nesting", maxJSONNesting)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	if !json.Valid(doc) {
		return errors.New("not valid JSON")
	}
	return nil
}

// checkNames refuses entity types that aren't names. cedar-go's JSON form takes
// any string there, and text printed from it could say something else.
func checkNames(tree *ast.Policy) error {
	for _, uid := range entities(tree) {
		if !path(string(uid.Type)) {
			return fmt.Errorf("invalid entity type %q", uid.Type)
		}
	}
	return nil
}

// entities lists the entities that a statement names, in scope and conditions.
func entities(tree *ast.Policy) []types.EntityUID {
	var list []types.EntityUID
	for _, s := range []ast.IsScopeNode{tree.Principal, tree.Action, tree.Resource} {
		switch s := s.(type) {
		case ast.ScopeTypeEq:
			list = append(list, s.Entity)
		case ast.ScopeTypeIn:
			list = append(list, s.Entity)
		case ast.ScopeTypeInSet:
			list = append(list, s.Entities...)
		case ast.ScopeTypeIsIn:
			list = append(list, s.Entity)
		}
	}
	for _, c := range tree.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if v, ok := n.(ast.NodeValue); ok {
				list = appendEntities(list, v.Value)
			}
			return true
		})
	}
	return list
}

func appendEntities(list []types.EntityUID, v types.Value) []types.EntityUID {
	switch v := v.(type) {
	case types.EntityUID:
		return append(list, v)
	case types.Set:
		for item := range v.All() {
			list = appendEntities(list, item)
		}
	case types.Record:
		for _, item := range v.All() {
			list = appendEntities(list, item)
		}
	}
	return list
}

// path tells whether s is a name such as Keycard::User.
func path(s string) bool {
	for part := range strings.SplitSeq(s, "::") {
		if !ident(part) {
			return false
		}
	}
	return true
}

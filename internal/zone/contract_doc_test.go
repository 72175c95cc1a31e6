package zone

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// A contract is api/openapi.yaml, with what the tests have seen of it so far.
// Places in it are JSON pointers, such as "#/components/schemas/Policy".
type contract struct {
	doc      map[string]any
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // compiled, by place
	ops      map[string]*operation
	order    []string // operation ids, as in the document
	seen     map[string]bool
}

// An operation is one method of one path.
type operation struct {
	id, method, path string
	at               string            // place
	params           map[string]string // "query limit" → place of the parameter
}

// contractText is the document as JSON values, read once.
var contractText = sync.OnceValues(func() (any, error) {
	text, err := os.ReadFile("../../api/openapi.yaml")
	if err != nil {
		return nil, err
	}
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	b, err := json.Marshal(doc) // fails for keys that aren't text
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(b))
})

func readContract(t testing.TB) *contract {
	t.Helper()
	doc, err := contractText()
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{
		doc: doc.(map[string]any), compiler: jsonschema.NewCompiler(),
		schemas: make(map[string]*jsonschema.Schema), ops: make(map[string]*operation), seen: make(map[string]bool),
	}
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	for path, item := range c.doc["paths"].(map[string]any) {
		item := item.(map[string]any)
		for method, node := range item {
			if method == "parameters" {
				continue
			}
			at := join("#/paths", path, method)
			op := &operation{
				id: text(node, "operationId"), method: strings.ToUpper(method), path: path, at: at,
				params: make(map[string]string),
			}
			for _, where := range []string{join("#/paths", path, "parameters"), at + "/parameters"} {
				list, _ := c.look(where).([]any)
				for i := range list {
					place := c.resolve(fmt.Sprintf("%s/%d", where, i))
					param := c.look(place)
					op.params[text(param, "in")+" "+text(param, "name")] = place
				}
			}
			if c.ops[op.id] != nil {
				t.Errorf("operation %q is there twice", op.id)
			}
			c.ops[op.id] = op
		}
	}
	c.order = slices.Sorted(maps.Keys(c.ops))
	return c
}

func text(node any, name string) string {
	m, _ := node.(map[string]any)
	s, _ := m[name].(string)
	return s
}

// join makes a JSON pointer (RFC 6901) longer.
func join(at string, parts ...string) string {
	for _, p := range parts {
		at += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p)
	}
	return at
}

// look finds the node at a place; nil if there is none.
func (c *contract) look(at string) any {
	var node any = c.doc
	for part := range strings.SplitSeq(strings.TrimPrefix(at, "#/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch v := node.(type) {
		case map[string]any:
			node = v[part]
		case []any:
			var i int
			if _, err := fmt.Sscan(part, &i); err != nil || i < 0 || i >= len(v) {
				return nil
			}
			node = v[i]
		default:
			return nil
		}
	}
	return node
}

// resolve follows references to where the thing itself is.
func (c *contract) resolve(at string) string {
	for range 10 {
		ref := text(c.look(at), "$ref")
		if ref == "" {
			return at
		}
		c.seen[ref] = true // of components, to find unused ones
		at = ref
	}
	panic("references in a circle at " + at)
}

// conforms checks a value against the schema at a place.
func (c *contract) conforms(at string, value any) error {
	schema := c.schemas[at]
	if schema == nil {
		var err error
		if schema, err = c.compiler.Compile("openapi.json" + at); err != nil {
			return err
		}
		c.schemas[at] = schema
	}
	return schema.Validate(value)
}

// meet walks a value along the schema at a place, notes which properties and
// values it has, and returns the paths of properties that aren't documented.
func (c *contract) meet(at string, value any, path string) (unknown []string) {
	layers := c.layers(c.resolve(at), value)
	for _, layer := range layers {
		c.meetEnum(layer, value)
	}
	switch v := value.(type) {
	case []any:
		for _, layer := range layers {
			if c.look(layer+"/items") != nil {
				for i, item := range v {
					unknown = append(unknown, c.meet(layer+"/items", item, fmt.Sprintf("%s[%d]", path, i))...)
				}
			}
		}
	case map[string]any:
		for name, member := range v {
			known := false
			for _, layer := range layers {
				place := join(layer+"/properties", name)
				if c.look(place) != nil {
					known = true
					c.seen[place] = true
					unknown = append(unknown, c.meet(place, member, path+"."+name)...)
				} else if node, _ := c.look(layer).(map[string]any); node["additionalProperties"] == true {
					known = true
				}
			}
			if !known {
				unknown = append(unknown, path+"."+name)
			}
		}
	}
	return unknown
}

// layers are the schemas that say something about a value: the one at a place,
// those it is made of, and those of its alternatives that fit.
func (c *contract) layers(at string, value any) []string {
	all := []string{at}
	for _, word := range []string{"allOf", "oneOf"} {
		list, _ := c.look(at + "/" + word).([]any)
		for i := range list {
			part := c.resolve(fmt.Sprintf("%s/%s/%d", at, word, i))
			if word == "allOf" || c.conforms(part, value) == nil {
				all = append(all, c.layers(part, value)...)
			}
		}
	}
	return all
}

func (c *contract) meetEnum(at string, value any) {
	if list, ok := c.look(at + "/enum").([]any); ok && slices.Contains(list, value) {
		c.seen[fmt.Sprintf("%s = %v", at, value)] = true
	}
}

// expect lists what the schema at a place documents, for comparing with what was
// met: properties, and values of closed lists. visited are
// the schemas that are listed already.
func (c *contract) expect(at string, visited, wanted map[string]bool) {
	at = c.resolve(at)
	node, ok := c.look(at).(map[string]any)
	if !ok || visited[at] {
		return
	}
	visited[at] = true
	enum, _ := node["enum"].([]any)
	for _, value := range enum {
		wanted[fmt.Sprintf("%s = %v", at, value)] = true
	}
	properties, _ := node["properties"].(map[string]any)
	for name := range properties {
		wanted[join(at+"/properties", name)] = true
		c.expect(join(at+"/properties", name), visited, wanted)
	}
	c.expect(at+"/items", visited, wanted)
	for _, word := range []string{"allOf", "oneOf"} {
		list, _ := node[word].([]any)
		for i := range list {
			c.expect(fmt.Sprintf("%s/%s/%d", at, word, i), visited, wanted)
		}
	}
}

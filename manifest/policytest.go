package manifest

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
)

// A TestFile is one parsed PolicyTest file: entities, and the decisions that
// are expected about them.
type TestFile struct {
	File     string
	Set      string // the policy set that its cases are about, or ""
	Entities []cedar.EntityData
	Cases    []Case

	places testPlaces
	worlds map[string]*cedar.Entities // by schema version
}

// A Case is one request with the decision that is expected.
type Case struct {
	cedar.RequestData
	Name        string // "" if it has none
	Set         string // "" if it has none of its own
	Expect      string // "allow" or "deny"
	Determining []string
	// Stated tells whether the file has a list of determining policies: an empty
	// one says that nothing determines the decision.
	Stated bool
	Errors []string // the policies that are expected to fail

	places   casePlaces
	requests map[string]cedar.Request // by schema version
}

// Label is what the case is called: its name, or its request.
func (c *Case) Label() string {
	if c.Name != "" {
		return c.Name
	}
	return c.Principal.UID.String() + " " + c.Action.UID.String() + " " + c.Resource.UID.String()
}

// World returns the file's entities as a schema types them. It is nil if there
// was no such schema when the tree was loaded, and mustn't be used if there were
// errors.
func (f *TestFile) World(schemaVersion string) *cedar.Entities { return f.worlds[schemaVersion] }

// Request returns the case's request as a schema types it. ok is false if it
// isn't a request of that schema.
func (c *Case) Request(schemaVersion string) (r cedar.Request, ok bool) {
	r, ok = c.requests[schemaVersion]
	return r, ok
}

// TestedSets are the policy sets that a case is about: the one that the case or
// else its file names. Without a name they are the sets that decide, which are
// those that some target has as its active one; where no target says so, every
// set.
func (t *Tree) TestedSets(f *TestFile, c *Case) []*Set {
	name := c.Set
	if name == "" {
		name = f.Set
	}
	if name != "" {
		if s, ok := t.Set(name); ok {
			return []*Set{s}
		}
		return nil
	}
	return t.deciding()
}

// deciding are the sets that some target activates, or every set.
func (t *Tree) deciding() []*Set {
	active := map[string]bool{}
	for _, target := range t.Project.Targets {
		active[target.Active] = true
	}
	var sets []*Set
	for _, s := range t.Sets {
		if active[s.Name] && s.Name != "" {
			sets = append(sets, s)
		}
	}
	if sets == nil {
		return t.Sets
	}
	return sets
}

// Label is what an entry is called: its policy's name, or the id where it has
// none.
func (e Entry) Label() string {
	if e.Policy != "" {
		return e.Policy
	}
	return e.PolicyID
}

// The keys of a test file. The JSON Schema says the same, held by a test.
var (
	testKeys   = []key{{"apiVersion", true}, {"kind", true}, {"set", false}, {"entities", false}, {"cases", true}}
	entityKeys = []key{{"attrs", false}, {"parents", false}, {"tags", false}}
	caseKeys   = []key{
		{"name", false}, {"set", false}, {"principal", true}, {"action", true}, {"resource", true}, {"context", false},
		{"expect", true}, {"determining", false}, {"errors", false},
	}
	decisions = []string{"allow", "deny"}
)

var (
	testWrongKeys = map[string]wrongKey{
		"tests":      meant("tests", "the test file", "cases"),
		"sets":       meant("sets", "the test file", "set"),
		"policy_set": meant("policy_set", "the test file", "set"),
	}
	entityWrongKeys = map[string]wrongKey{
		"attributes": meant("attributes", "an entity", "attrs"),
		"attr":       meant("attr", "an entity", "attrs"),
		"uid":        {"unknown-key", `unknown key "uid" in an entity`, "the key of an entity is its name"},
	}
	caseWrongKeys = map[string]wrongKey{
		"error":       meant("error", "a case", "errors"),
		"decision":    meant("decision", "a case", "expect"),
		"effect":      meant("effect", "a case", "expect"),
		"expected":    meant("expected", "a case", "expect"),
		"policies":    meant("policies", "a case", "determining"),
		"reasons":     meant("reasons", "a case", "determining"),
		"description": meant("description", "a case", "name"),
		"policy_set":  meant("policy_set", "a case", "set"),
	}
)

// testPlaces are the positions of a file's values, casePlaces those of a case's.
type (
	testPlaces struct{ set place }
	casePlaces struct {
		set         place
		determining []place
		errors      []place
	}
)

// parseTests reads a test file. It is nil if it can't be understood as one.
// secrets are the strings that no message may show.
func parseTests(file string, data []byte) (f *TestFile, problems diag.List, secrets []string) {
	text, ok := checkText(file, data, &problems)
	secrets = checkTokens(file, text, &problems)
	if !ok {
		return nil, truncate(file, problems), secrets
	}
	d := &decoder{file: file, source: text, problems: &problems}
	if root := parseYAML(d); root != nil {
		f = d.tests(root)
	}
	problems.Sort()
	return f, truncate(file, problems), append(secrets, d.secrets...)
}

// tests decodes the root of a test file.
func (d *decoder) tests(root *yaml.Node) *TestFile {
	if !d.header(root, "PolicyTest") {
		return nil
	}
	v, ok := d.mapping(root, "the test file", testKeys, testWrongKeys)
	if !ok {
		return nil
	}
	d.text(v["apiVersion"], "apiVersion")
	d.text(v["kind"], "kind")
	f := &TestFile{File: d.file, Set: d.name(v["set"], "set", badSetName), places: testPlaces{placeOf(v["set"])}}
	d.entities(v["entities"], f)
	items, ok := d.list(v["cases"], "cases")
	if ok && len(items) == 0 {
		d.errorf(v["cases"], "no-cases", "", "the test file has no cases")
	}
	names := map[string]int{}
	for _, item := range items {
		c, ok := d.testCase(item)
		if !ok || d.full() {
			continue
		}
		if first := names[c.Name]; first != 0 && c.Name != "" {
			d.errorf(item, "duplicate-case", "", "a case named %s is already on line %d", quote(c.Name), first)
		} else {
			names[c.Name] = item.Line
		}
		f.Cases = append(f.Cases, c)
	}
	return f
}

// entities decodes the mapping of names to entities.
func (d *decoder) entities(n *yaml.Node, f *TestFile) {
	if opaque(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.errorf(n, "wrong-type", `write Type::"id": {…} for each`, "entities must be a mapping of names, not %s", kindOf(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" || d.full() {
			continue
		}
		uid, ok := d.uid(k, "the entity")
		if !ok {
			continue
		}
		e := cedar.EntityData{PlacedUID: uid}
		f.Entities = append(f.Entities, e)
		at := &f.Entities[len(f.Entities)-1]
		if v.Kind == yaml.ScalarNode && v.Tag == "!!null" && !opaque(v) {
			continue // the name alone
		}
		values, ok := d.mapping(v, "an entity", entityKeys, entityWrongKeys)
		if !ok {
			at.Attrs.Kind = cedar.Unusable
			continue
		}
		at.Attrs, at.Tags = d.datum(values["attrs"]), d.datum(values["tags"])
		if parents := values["parents"]; parents != nil {
			items, _ := d.list(parents, "parents")
			for _, item := range items {
				if p, ok := d.uid(item, "a parent"); ok {
					at.Parents = append(at.Parents, p)
				}
			}
		}
	}
}

// testCase decodes one case. One with a bad value is kept, so that the rest of
// it is checked too.
func (d *decoder) testCase(n *yaml.Node) (c Case, ok bool) {
	v, ok := d.mapping(n, "a case", caseKeys, caseWrongKeys)
	if !ok {
		return c, false
	}
	c.Position = d.position(n)
	c.Name = d.name(v["name"], "name", badName)
	c.Set = d.name(v["set"], "set", badSetName)
	c.places.set = placeOf(v["set"])
	c.Principal, _ = d.uid(v["principal"], "the principal")
	c.Action, _ = d.uid(v["action"], "the action")
	c.Resource, _ = d.uid(v["resource"], "the resource")
	c.Context = d.datum(v["context"])
	if v["expect"] != nil {
		c.Expect, _ = d.oneOf(v["expect"], "expect", decisions...)
	}
	if v["determining"] != nil {
		c.Determining, c.places.determining, c.Stated = d.policies(v["determining"], "determining")
		if c.Stated && len(c.Determining) == 0 && c.Expect == "allow" && len(v["determining"].Content) == 0 {
			d.errorf(v["determining"], "bad-value", "leave determining out to mean any policy", "nothing is allowed without a determining policy")
		}
	}
	if v["errors"] != nil {
		c.Errors, c.places.errors, _ = d.policies(v["errors"], "errors")
	}
	return c, true
}

// policies decodes a list of policies' names.
func (d *decoder) policies(n *yaml.Node, name string) (names []string, places []place, ok bool) {
	items, ok := d.list(n, name)
	for _, item := range items {
		s := d.name(item, "a policy in "+name, badName)
		if s == "" {
			continue
		}
		if slices.Contains(names, s) {
			d.errorf(item, "duplicate-policy", "remove it", "policy %s is already in %s", quote(s), name)
			continue
		}
		names, places = append(names, s), append(places, placeOf(item))
	}
	return names, places, ok
}

// uid decodes the name of an entity.
func (d *decoder) uid(n *yaml.Node, name string) (cedar.PlacedUID, bool) {
	if n == nil {
		return cedar.PlacedUID{}, false
	}
	at := cedar.PlacedUID{Position: d.position(n)}
	s, ok := d.text(n, name)
	if !ok {
		return at, false
	}
	uid, err := cedar.ParseUID(s)
	if err != nil {
		d.errorf(n, "cedar-uid", `write it as Type::"id"`, "%s %s %v", name, quote(s), err)
		return at, false
	}
	at.UID = uid
	return at, true
}

// datum turns a node into a value without a type yet. What structure reports is
// left out, or marked as unusable.
func (d *decoder) datum(n *yaml.Node) cedar.Datum {
	if n == nil {
		return cedar.Datum{}
	}
	v := cedar.Datum{Position: d.position(n), Text: n.Value}
	switch {
	case opaque(n):
		v.Kind = cedar.Unusable
	case n.Kind == yaml.SequenceNode:
		v.Kind, v.Items = cedar.List, make([]cedar.Datum, len(n.Content))
		for i, item := range n.Content {
			v.Items[i] = d.datum(item)
		}
	case n.Kind == yaml.MappingNode:
		v.Kind = cedar.Map
		seen := make(map[string]bool, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind == yaml.ScalarNode && k.Tag != "!!merge" && !seen[k.Value] {
				seen[k.Value] = true
				v.Keys = append(v.Keys, cedar.Member{Position: d.position(k), Name: k.Value, Value: d.datum(n.Content[i+1])})
			}
		}
	default:
		v.Kind = scalarKinds[n.Tag]
		if v.Kind == cedar.Bool {
			v.Text = strings.ToLower(v.Text) // YAML has True and TRUE as well
		}
	}
	return v
}

// scalarKinds maps the tags that yaml.v3 resolves. A date is text, as everywhere
// in these files.
var scalarKinds = map[string]cedar.Kind{
	"!!null": cedar.Null, "!!bool": cedar.Bool, "!!int": cedar.Number, "!!float": cedar.Number,
	"!!str": cedar.Text, "!!timestamp": cedar.Text, "!!merge": cedar.Text,
}

package manifest

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/policypin/policypin/diag"
)

// apiVersion is the version of both file formats.
const apiVersion = "policypin.dev/v1"

// The built-in target needs no account. Its zone id is the local zone's.
const (
	localTarget = "local"
	localZoneID = "zone_local"
)

var gateWords = []string{"allow", "approve", "refuse"}

// The keys of the project file. The JSON Schema says the same, held by a test.
var (
	projectKeys = []key{
		{"apiVersion", true}, {"kind", true}, {"manifests", false}, {"schemas", false}, {"tests", false},
		{"entities", false}, {"requests", false},
		{"targets", false}, {"default_target", false}, {"gates", false},
	}
	targetKeys      = []key{{"zone_id", true}, {"branch", false}, {"pins", false}, {"active", false}}
	localTargetKeys = []key{{"zone_id", false}, {"branch", false}, {"pins", false}, {"active", false}}
	gateKeys        = []key{{"max_removed_entries", false}, {"widened", false}, {"uncovered", false}}
)

var (
	addressKey = wrongKey{
		"api-address", "the API's address is not set in a file, since whoever opens a pull request could change it",
		"set KEYCARD_API_BASE_URL in the environment",
	}
	credentialKey = wrongKey{
		"credential-key", "credentials are never read from a file",
		"set KEYCARD_API_CLIENT_ID and KEYCARD_API_CLIENT_SECRET, or KEYCARD_API_TOKEN, in the environment",
	}
	projectWrongKeys = map[string]wrongKey{
		"api": addressKey, "api_url": addressKey, "apiurl": addressKey, "api_base_url": addressKey, "base_url": addressKey,
		"baseurl": addressKey, "url": addressKey, "endpoint": addressKey, "host": addressKey, "server": addressKey,
		"keycard_api_base_url": addressKey,
		"token":                credentialKey, "api_token": credentialKey, "api_key": credentialKey, "client_id": credentialKey,
		"client_secret": credentialKey, "secret": credentialKey, "credentials": credentialKey, "password": credentialKey,
		"keycard_api_token": credentialKey, "keycard_api_client_id": credentialKey, "keycard_api_client_secret": credentialKey,
	}
	targetWrongKeys = func() map[string]wrongKey {
		m := map[string]wrongKey{
			"zone": {"unknown-key", `unknown key "zone" in a target`, `did you mean "zone_id"?`},
		}
		for k, w := range projectWrongKeys {
			m[k] = w
		}
		return m
	}()
)

// A place is a position inside a file that is known from elsewhere.
type place struct{ line, column int }

func placeOf(n *yaml.Node) place {
	if n == nil {
		return place{}
	}
	return place{n.Line, n.Column}
}

func (p place) in(file string) diag.Position {
	return diag.Position{File: file, Line: p.line, Column: p.column}
}

// defaultProject is what an empty project file means.
func defaultProject() *Project {
	return &Project{
		Manifests:     []string{"policy-sets/*.yaml"},
		Schemas:       "schemas/{version}.cedarschema",
		Tests:         []string{"tests/*.yaml"},
		Entities:      []string{"entities/*.json"},
		Requests:      []string{"requests/*.jsonl"},
		DefaultTarget: localTarget,
		Gates:         Gates{Widened: "allow", Uncovered: "allow"},
		places:        map[string]place{},
	}
}

// Target returns the named target; "local" always exists, with zone id
// "zone_local" and pins "local" unless the file says otherwise.
func (p *Project) Target(name string) (Target, bool) {
	for _, t := range p.Targets {
		if t.Name == name {
			return t, true
		}
	}
	if name == localTarget {
		return Target{Name: localTarget, ZoneID: localZoneID, Pins: localTarget}, true
	}
	return Target{}, false
}

// targetNames lists every target, the built-in one last.
func (p *Project) targetNames() []string {
	names := make([]string, 0, len(p.Targets)+1)
	for _, t := range p.Targets {
		names = append(names, t.Name)
	}
	if !slices.Contains(names, localTarget) {
		names = append(names, localTarget)
	}
	return names
}

// parseProject reads the project file. The project is nil if the file can't be
// understood as one. secrets are the strings that no message may show.
func parseProject(data []byte) (p *Project, problems diag.List, secrets []string) {
	text, ok := checkText(ProjectFile, data, &problems)
	secrets = checkTokens(ProjectFile, text, &problems)
	if !ok {
		return nil, truncate(ProjectFile, problems), secrets
	}
	d := &decoder{file: ProjectFile, source: text, problems: &problems}
	if root := parseYAML(d); root != nil {
		p = d.project(root)
	}
	problems.Sort()
	return p, truncate(ProjectFile, problems), append(secrets, d.secrets...)
}

// header checks apiVersion and kind, and tells whether the rest is worth
// reading.
func (d *decoder) header(root *yaml.Node, kind string) bool {
	if opaque(root) {
		return false
	}
	if root.Kind != yaml.MappingNode {
		d.errorf(root, "wrong-type", "", "the file must hold a mapping, not %s", kindOf(root))
		return false
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		k, v := root.Content[i], root.Content[i+1]
		switch {
		case k.Value == "kind" && v.Kind == yaml.ScalarNode && v.Value != kind && !opaque(v):
			d.errorf(v, "bad-kind", "", "kind is %s, but this file must be a %s", quote(v.Value), kind)
			return false
		case k.Value == "apiVersion" && v.Kind == yaml.ScalarNode && v.Value != apiVersion && !opaque(v):
			fix := "write " + apiVersion
			if strings.HasPrefix(v.Value, "policypin.dev/v") {
				fix = "a newer policypin may read it; this one reads " + apiVersion
			}
			d.errorf(v, "bad-api-version", fix, "apiVersion %s is not known", quote(v.Value))
			return false
		}
	}
	return true
}

// project decodes the root of a project file.
func (d *decoder) project(root *yaml.Node) *Project {
	if !d.header(root, "Project") {
		return nil
	}
	v, ok := d.mapping(root, "the project", projectKeys, projectWrongKeys)
	if !ok {
		return nil
	}
	d.text(v["apiVersion"], "apiVersion")
	d.text(v["kind"], "kind")
	p := defaultProject()
	p.places["manifests"] = placeOf(root)
	for _, name := range []string{"manifests", "schemas", "tests", "entities", "requests", "default_target"} {
		if v[name] != nil {
			p.places[name] = placeOf(v[name])
		}
	}
	if n := v["manifests"]; n != nil {
		p.Manifests = d.patterns(n, "manifests", p)
	}
	if n := v["tests"]; n != nil {
		p.Tests = d.patterns(n, "tests", p)
	}
	if n := v["entities"]; n != nil {
		p.Entities = d.patterns(n, "entities", p)
	}
	if n := v["requests"]; n != nil {
		p.Requests = d.patterns(n, "requests", p)
	}
	if s, ok := d.text(v["schemas"], "schemas"); ok {
		if bad := badPath(s); bad != "" {
			d.errorf(v["schemas"], "bad-path", "", "the path %s %s", quote(s), bad)
		} else if !strings.Contains(s, "{version}") {
			d.errorf(v["schemas"], "bad-path", "put {version} where the schema version goes", "the path %s has no {version}", quote(s))
		} else {
			p.Schemas = s
		}
	}
	d.targets(v["targets"], p)
	if s, ok := d.text(v["default_target"], "default_target"); ok {
		p.DefaultTarget = s
	}
	d.gates(v["gates"], p)
	return p
}

// patterns decodes a list of glob patterns and leaves bad ones out.
func (d *decoder) patterns(n *yaml.Node, name string, p *Project) []string {
	items, ok := d.list(n, name)
	if !ok {
		return nil
	}
	patterns := make([]string, 0, len(items))
	for i, item := range items {
		s, ok := d.text(item, "a pattern in "+name)
		if !ok {
			continue
		}
		if bad := badPattern(s); bad != "" {
			d.errorf(item, "bad-pattern", "", "the pattern %s %s", quote(s), bad)
			continue
		}
		if slices.Contains(patterns, s) {
			d.errorf(item, "duplicate-pattern", "remove it", "the pattern %s is already in %s", quote(s), name)
			continue
		}
		p.places[name+" "+s] = placeOf(items[i])
		patterns = append(patterns, s)
	}
	return patterns
}

// targets decodes the mapping of names to targets.
func (d *decoder) targets(n *yaml.Node, p *Project) {
	if opaque(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.errorf(n, "wrong-type", "", "targets must be a mapping of names, not %s", kindOf(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			continue
		}
		if slices.ContainsFunc(p.Targets, func(t Target) bool { return t.Name == k.Value }) {
			continue // structure has reported the duplicate key
		}
		if bad := badWord(k.Value); bad != "" {
			d.errorf(k, "bad-name", "", "the target name %s %s", quote(k.Value), bad)
			continue
		}
		p.places["targets."+k.Value] = placeOf(k)
		if t, ok := d.target(k.Value, v, p); ok {
			p.Targets = append(p.Targets, t)
		}
	}
}

func (d *decoder) target(name string, n *yaml.Node, p *Project) (Target, bool) {
	keys := targetKeys
	t := Target{Name: name, Pins: name}
	if name == localTarget {
		keys, t.ZoneID = localTargetKeys, localZoneID
	}
	v, ok := d.mapping(n, "target "+name, keys, targetWrongKeys)
	if !ok {
		return t, false
	}
	for _, field := range []struct {
		key    string
		to     *string
		bad    func(string) string
		decode func(*yaml.Node, string) (string, bool)
	}{
		{"zone_id", &t.ZoneID, badID, d.literal},
		{"branch", &t.Branch, badBranch, d.text},
		{"pins", &t.Pins, badWord, d.text},
		{"active", &t.Active, badSetName, d.text},
	} {
		s, ok := field.decode(v[field.key], field.key)
		if !ok {
			continue
		}
		p.places["targets."+name+"."+field.key] = placeOf(v[field.key])
		if bad := field.bad(s); bad != "" {
			d.errorf(v[field.key], "bad-name", "", "the %s %s of target %s %s", field.key, quote(s), name, bad)
			continue
		}
		*field.to = s
	}
	return t, true
}

func (d *decoder) gates(n *yaml.Node, p *Project) {
	if n == nil {
		return
	}
	v, ok := d.mapping(n, "gates", gateKeys, nil)
	if !ok {
		return
	}
	if i, ok := d.number(v["max_removed_entries"], "max_removed_entries", 0); ok {
		p.Gates.MaxRemovedEntries = &i
	}
	if s, ok := d.oneOf(v["widened"], "widened", gateWords...); ok {
		p.Gates.Widened = s
	}
	if s, ok := d.oneOf(v["uncovered"], "uncovered", gateWords...); ok {
		p.Gates.Uncovered = s
	}
}

package manifest

import (
	"encoding/hex"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/policypin/policypin/diag"
)

// The keys of a manifest. The JSON Schema says the same, held by a test.
var (
	setKeys = []key{
		{"apiVersion", true}, {"kind", true}, {"name", true}, {"was", false}, {"schema_version", true},
		{"target_type", false}, {"targets", false}, {"entries", true},
	}
	entryKeys = []key{
		{"policy", false}, {"was", false}, {"source", false}, {"description", false}, {"version", false},
		{"policy_id", false}, {"policy_version_id", false}, {"sha", false},
	}
)

// targetTypes are those that the API takes; "resource" and "session" are
// reserved there.
var targetTypes = []string{"zone", "user"}

func meant(key, in, instead string) wrongKey {
	return wrongKey{"unknown-key", "unknown key " + quote(key) + " in " + in, "did you mean " + quote(instead) + "?"}
}

var (
	setWrongKeys = map[string]wrongKey{
		"scope_type":     meant("scope_type", "the manifest", "target_type"),
		"schema":         meant("schema", "the manifest", "schema_version"),
		"policies":       meant("policies", "the manifest", "entries"),
		"policy_set":     meant("policy_set", "the manifest", "name"),
		"target":         meant("target", "the manifest", "targets"),
		"api":            addressKey,
		"base_url":       addressKey,
		"token":          credentialKey,
		"client_secret":  credentialKey,
		"default_target": {"unknown-key", `unknown key "default_target" in the manifest`, "it belongs into " + ProjectFile},
	}
	entryWrongKeys = map[string]wrongKey{
		"schema_version": {
			"entry-schema", "an entry can't have a schema version of its own",
			"every entry of a set is validated against the manifest's schema_version",
		},
		"schema": {
			"entry-schema", "an entry can't have a schema of its own",
			"every entry of a set is validated against the manifest's schema_version",
		},
		"name":       meant("name", "an entry", "policy"),
		"id":         meant("id", "an entry", "policy_id"),
		"version_id": meant("version_id", "an entry", "policy_version_id"),
		"file":       meant("file", "an entry", "source"),
		"path":       meant("path", "an entry", "source"),
		"sha256":     meant("sha256", "an entry", "sha"),
	}
)

// entryPlaces are the positions of an entry's values, for rules that look at
// several entries.
type entryPlaces struct{ policy, was, source, id place }

// setPlaces are the positions of a manifest's values.
type setPlaces struct {
	name, was, schemaVersion, entries place
	targets                           []place
	entry                             []entryPlaces // as long as Entries
}

// For tells whether the set is declared for the target.
func (s *Set) For(target string) bool {
	return len(s.Targets) == 0 || slices.Contains(s.Targets, target)
}

// shareTarget tells whether two sets are declared for one target, and so end up
// in one zone.
func shareTarget(a, b *Set) bool {
	if len(a.Targets) == 0 || len(b.Targets) == 0 {
		return true
	}
	return slices.ContainsFunc(a.Targets, b.For)
}

// parseSet reads a manifest. The set is nil if the file can't be understood as
// one. secrets are the strings that no message may show.
func parseSet(file string, data []byte) (s *Set, problems diag.List, secrets []string) {
	text, ok := checkText(file, data, &problems)
	secrets = checkTokens(file, text, &problems)
	if !ok {
		return nil, truncate(file, problems), secrets
	}
	d := &decoder{file: file, source: text, problems: &problems}
	if root := parseYAML(d); root != nil {
		s = d.set(root)
	}
	if s != nil {
		s.raw = data
	}
	problems.Sort()
	return s, truncate(file, problems), append(secrets, d.secrets...)
}

// set decodes the root of a manifest.
func (d *decoder) set(root *yaml.Node) *Set {
	if !d.header(root, "PolicySet") {
		return nil
	}
	v, ok := d.mapping(root, "the manifest", setKeys, setWrongKeys)
	if !ok {
		return nil
	}
	d.text(v["apiVersion"], "apiVersion")
	d.text(v["kind"], "kind")
	s := &Set{File: d.file, Position: d.position(root), TargetType: "zone"}
	s.places = setPlaces{
		name: placeOf(v["name"]), was: placeOf(v["was"]), schemaVersion: placeOf(v["schema_version"]), entries: placeOf(v["entries"]),
	}
	s.Name = d.name(v["name"], "name", badSetName)
	s.Was = d.name(v["was"], "was", badSetName)
	if s.Was != "" && s.Was == s.Name {
		d.errorf(v["was"], "was-conflict", "remove it", "was is the set's own name")
	}
	if text, ok := d.literal(v["schema_version"], "schema_version"); ok {
		if bad := badSchemaVersion(text); bad != "" {
			d.errorf(v["schema_version"], "bad-name", "", "the schema version %s %s", quote(text), bad)
		} else {
			s.SchemaVersion = text
		}
	}
	if v["target_type"] != nil {
		if text, ok := d.oneOf(v["target_type"], "target_type", targetTypes...); ok {
			s.TargetType = text
		}
	}
	d.setTargets(v["targets"], s)
	if items, ok := d.list(v["entries"], "entries"); ok {
		if len(items) == 0 {
			d.errorf(v["entries"], "no-entries", "", "the manifest has no entries")
		}
		s.Entries = make([]Entry, 0, len(items))
		for _, item := range items {
			d.entry(item, s)
		}
	}
	d.entriesOf(s)
	return s
}

// name decodes a name; it is "" if there is none or a bad one.
func (d *decoder) name(n *yaml.Node, field string, bad func(string) string) string {
	s, ok := d.text(n, field)
	if !ok {
		return ""
	}
	if why := bad(s); why != "" {
		d.errorf(n, "bad-name", "", "the name %s %s", quote(s), why)
		return ""
	}
	return s
}

func (d *decoder) setTargets(n *yaml.Node, s *Set) {
	items, ok := d.list(n, "targets")
	if !ok {
		return
	}
	if len(items) == 0 {
		d.errorf(n, "bad-value", "leave targets out to mean every target", "targets is empty")
	}
	for _, item := range items {
		t, ok := d.text(item, "a target")
		if !ok {
			continue
		}
		if slices.Contains(s.Targets, t) {
			d.errorf(item, "duplicate-target", "remove it", "target %s is already listed", quote(t))
			continue
		}
		s.Targets = append(s.Targets, t)
		s.places.targets = append(s.places.targets, placeOf(item))
	}
}

// entry decodes one entry. One with a bad value is kept, so that rules about
// the whole set still see it; values that are bad are left empty.
func (d *decoder) entry(n *yaml.Node, s *Set) {
	v, ok := d.mapping(n, "an entry", entryKeys, entryWrongKeys)
	if !ok {
		return
	}
	e := Entry{
		Position: d.position(n),
		Policy:   d.name(v["policy"], "policy", badName),
		Was:      d.name(v["was"], "was", badName),
	}
	if text, ok := d.text(v["source"], "source"); ok {
		if bad := badSource(text); bad != "" {
			d.errorf(v["source"], "bad-path", "", "the source %s %s", quote(text), bad)
		} else {
			e.Source = text
		}
	}
	if text, ok := d.text(v["description"], "description"); ok {
		if bad := badDescription(text); bad != "" {
			d.errorf(v["description"], "bad-value", "", "the description %s", bad)
		} else {
			e.Description = text
		}
	}
	e.Version, _ = d.number(v["version"], "version", 1)
	e.PolicyID = d.id(v["policy_id"], "policy_id")
	e.VersionID = d.id(v["policy_version_id"], "policy_version_id")
	e.SHA = d.sha(v["sha"])
	d.entryForm(n, v)
	if e.Was != "" && e.Was == e.Policy {
		d.errorf(v["was"], "was-conflict", "remove it", "was is the policy's own name")
	}
	s.Entries = append(s.Entries, e)
	id := v["policy_id"]
	s.places.entry = append(s.places.entry, entryPlaces{
		policy: placeOf(v["policy"]), was: placeOf(v["was"]), source: placeOf(v["source"]), id: placeOf(id),
	})
}

// id decodes an id of the API, which is opaque but never has spaces.
func (d *decoder) id(n *yaml.Node, field string) string {
	s, ok := d.literal(n, field)
	if !ok {
		return ""
	}
	if bad := badID(s); bad != "" {
		d.errorf(n, "bad-name", "", "the %s %s %s", field, quote(s), bad)
		return ""
	}
	return s
}

// sha decodes 64 hexadecimal digits, with the prefix that the API prints or
// without it.
func (d *decoder) sha(n *yaml.Node) string {
	s, ok := d.literal(n, "sha")
	if !ok {
		return ""
	}
	digits := strings.ToLower(strings.TrimPrefix(s, "sha256:"))
	if b, err := hex.DecodeString(digits); err != nil || len(b) != 32 {
		d.errorf(n, "bad-sha", "", "the sha must be 64 hexadecimal digits, optionally after sha256:")
		return ""
	}
	return digits
}

// entryForm checks that an entry is of exactly one of the three forms. It looks
// at which keys are there, not at whether their values are good.
func (d *decoder) entryForm(n *yaml.Node, v map[string]*yaml.Node) {
	has := func(k string) bool { return v[k] != nil }
	ids := has("policy_id") || has("policy_version_id")
	forms := 0
	for _, form := range []bool{has("source"), has("version"), ids} {
		if form {
			forms++
		}
	}
	const allForms = "write policy and source, policy and version, or policy_id and policy_version_id"
	switch {
	case forms == 0 && has("policy"):
		d.errorf(n, "missing-source", allForms, "the entry has neither a source nor a version")
		return
	case forms != 1:
		d.errorf(n, "entry-form", allForms, "the entry must have exactly one of source, version, and ids")
		return
	case ids && !has("policy_id"):
		d.errorf(n, "entry-form", "", "policy_version_id needs a policy_id beside it")
	case ids && !has("policy_version_id"):
		d.errorf(n, "entry-form", "", "policy_id needs a policy_version_id beside it")
	case !ids && !has("policy"):
		d.errorf(n, "missing-key", "", "an entry has no policy")
	}
	if has("source") && has("sha") {
		d.errorf(v["sha"], "entry-form", "remove it: Git already proves what a source says", "sha can't be given beside a source")
	}
	if !has("source") && has("was") {
		d.errorf(v["was"], "entry-form", "", "only a policy with a source can be renamed by was")
	}
}

// placed is errorf for a position that was kept.
func (d *decoder) placed(at place, rule, format string, args ...any) {
	d.errorf(&yaml.Node{Line: at.line, Column: at.column}, rule, "", format, args...)
}

// entriesOf checks the entries of a set against each other.
func (d *decoder) entriesOf(s *Set) {
	policies, ids, was := map[string]int{}, map[string]int{}, map[string]int{}
	for i, e := range s.Entries {
		at := s.places.entry[i]
		if first, ok := policies[e.Policy]; ok && e.Policy != "" {
			d.placed(at.policy, "duplicate-policy", "policy %s is already on line %d",
				quote(e.Policy), s.places.entry[first].policy.line)
		} else {
			policies[e.Policy] = i
		}
		if first, ok := ids[e.PolicyID]; ok && e.PolicyID != "" {
			d.placed(at.id, "duplicate-policy", "policy_id %s is already on line %d",
				quote(e.PolicyID), s.places.entry[first].id.line)
		} else {
			ids[e.PolicyID] = i
		}
		// A name can look like an id. What each entry says is kept by either, and of
		// two alike one would hide what the other allows.
		if first, ok := ids[e.Policy]; ok && e.Policy != "" {
			d.placed(at.policy, "duplicate-policy", "policy %s has the id on line %d as its name; the two can't be told apart",
				quote(e.Policy), s.places.entry[first].id.line)
		}
		if first, ok := policies[e.PolicyID]; ok && e.PolicyID != "" {
			d.placed(at.id, "duplicate-policy", "policy_id %s is the name of the policy on line %d; the two can't be told apart",
				quote(e.PolicyID), s.places.entry[first].policy.line)
		}
		if first, ok := was[e.Was]; ok && e.Was != "" {
			d.placed(at.was, "was-conflict", "another entry was %s too, on line %d",
				quote(e.Was), s.places.entry[first].was.line)
		} else {
			was[e.Was] = i
		}
	}
}

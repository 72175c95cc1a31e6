package report

import (
	"cmp"
	"io"
	"slices"
	"strings"
)

// rulesPage is where each rule has a heading of its own.
const rulesPage = "https://github.com/policypin/policypin/blob/main/docs/rules.md"

// A ruleText says what a rule asks for and why, for people who meet its id in a
// code scanning alert or in a test report.
type ruleText struct{ title, help string }

// rules describes every rule by its stable id.
var rules = map[string]ruleText{
	// Bytes of any file.
	"bidi-control":      {"no bidirectional control characters", "Such a character makes a text look other than it is read. Write it as an escape where it is meant."},
	"byte-order-mark":   {"no byte order mark", "Files are UTF-8, which needs none. Save the file without it."},
	"control-character": {"no control characters", "Characters that can't be seen are refused, since a review can't see them either."},
	"file-too-large":    {"files have a limit", "The limit is far above what a project needs; a larger file is a mistake or an attack."},
	"not-formatted":     {"files in one layout", "A review should show what changed and nothing else. policypin fmt lays the file out; stage it again then."},
	"not-a-file":        {"an ordinary file is expected", "A folder, a submodule or another kind of object is where a file should be."},
	"not-utf8":          {"files are UTF-8", "Save the file as UTF-8."},
	"symlink":           {"no symbolic links", "A link can lead out of the repository, and means another thing in every checkout. Put the file itself there."},
	"token-shaped":      {"no credentials", "The text looks like a secret. Remove it, and revoke it if it was one: Git keeps what was committed."},
	"too-many-problems": {"a file with too many problems", "Only the first problems of the file are listed. Fix them and run the check again."},
	"format-unsafe":     {"a file that can't be formatted safely", "Formatting would change what the file means, so it is left alone."},

	// JSON.
	"json-syntax": {"valid JSON", "The file can't be read as JSON, or is nested deeper than any value that has a type."},

	// YAML.
	"alias":             {"no YAML aliases", "A reader should see every value where it is used. Write the value out."},
	"anchor":            {"no YAML anchors", "A reader should see every value where it is used. Write the value where it is needed."},
	"bad-api-version":   {"a known apiVersion", "The file was written for another version of policypin, or the value is mistyped."},
	"bad-kind":          {"the kind that belongs here", "Project files and manifests are told apart by their kind."},
	"duplicate-key":     {"each key once", "YAML readers disagree about which of two equal keys counts."},
	"empty-document":    {"a file with content", "The file is empty or holds nothing but comments."},
	"merge-key":         {"no YAML merge keys", "A reader should see every value where it is used. Write the keys out."},
	"missing-key":       {"required keys", "The key has no default."},
	"several-documents": {"one YAML document in a file", "Split the file."},
	"unknown-key":       {"known keys only", "A mistyped key would be ignored in silence otherwise."},
	"wrong-type":        {"values of the right type", "The value has another type than the key takes."},
	"yaml-syntax":       {"valid YAML", "The file can't be read as YAML."},

	// Values of the project file and of manifests.
	"api-address":              {"no API address in files", "Whoever can open a pull request can edit this file, so it never decides where credentials are sent. Use KEYCARD_API_BASE_URL."},
	"bad-name":                 {"names that can be printed and told apart", "The name is empty, too long, or has characters that can't be seen."},
	"bad-path":                 {"paths within the project", "Paths are relative to the project file, with slashes, and can't leave its folder."},
	"bad-pattern":              {"usable patterns", "The pattern can't match any file of the project."},
	"bad-sha":                  {"a sha of 64 hexadecimal digits", "The sha is the one that the API shows for the policy version."},
	"bad-value":                {"a value from the allowed ones", "The message names what is allowed."},
	"credential-key":           {"no credentials in files", "Credentials are read from the environment only. Remove the key, and revoke the secret if it was committed."},
	"duplicate-pattern":        {"each pattern once", "The second one adds nothing."},
	"duplicate-policy":         {"each policy once in a set", "A policy set holds one version of a policy."},
	"duplicate-set":            {"each policy set in one manifest", "Two manifests with one name can't both be published."},
	"duplicate-target":         {"each target once", "The second one adds nothing."},
	"entry-form":               {"an entry in one of its three forms", "An entry has a source, or a name with a version number, or two ids."},
	"entry-schema":             {"one schema version for a set", "Every entry is validated against the manifest's schema_version."},
	"ids-need-one-target":      {"ids in a manifest with one target", "Ids belong to one zone, so the manifest must name exactly one target."},
	"missing-source":           {"sources that exist", "The entry names a file that isn't there."},
	"names-differ-in-case":     {"names that differ in more than case", "Some file systems and many readers take such names for one."},
	"names-differ-in-encoding": {"names that differ in more than encoding", "Such names look the same and are different bytes (Unicode normal forms)."},
	"no-entries":               {"a manifest with entries", "A policy set without policies permits nothing; publishing one is refused."},
	"pattern-without-files":    {"patterns that match files", "The pattern matches nothing, which usually is a mistyped folder."},
	"pins-twice":               {"one pins name for each target", "Two targets would write tags of the same name."},
	"policy-two-sources":       {"one source for each policy", "A policy in a zone has one content at a time."},
	"source-two-schemas":       {"one schema version for each source", "A policy version is validated against one schema."},
	"unknown-active-set":       {"an active set that a manifest declares", "The project file names a policy set that no manifest of the target declares."},
	"unknown-target":           {"targets of the project file", "The name is not among the targets of policypin.yaml."},
	"unused-source":            {"sources that a manifest names", "The file is not published by any policy set. Name it in a manifest, or remove it."},
	"was-conflict":             {"renames without conflict", "was names something that still exists, or that another one was too. Remove was once the rename is published."},
	"zone-twice":               {"one target for each zone", "Two targets with one zone would overwrite each other's active version."},

	// Decision tests.
	"duplicate-case":    {"each case once", "Two cases of a file can't be told apart by name."},
	"no-cases":          {"a test file with cases", "A file without cases tests nothing, and looks as if it did."},
	"test-failed":       {"decisions as expected", "The policies decide the request otherwise, or by other policies, than the case expects."},
	"test-skipped":      {"cases that can be run", "The case was not run; the message says why."},
	"undeclared-entity": {"entities that the file declares", "A case or a parent names an entity that isn't declared, so it has no attributes and no parents."},
	"unknown-policy":    {"policies of the policy set", "The case names a policy that the set doesn't have."},
	"unknown-set":       {"policy sets that a manifest declares", "The test is about a policy set that no manifest declares."},

	// Cedar.
	"cedar-empty-set":            {"no empty set", "An empty set has no type, so Cedar's strict validation refuses it."},
	"cedar-extension":            {"extension functions take valid literals", "decimal, ip, datetime and duration take a literal that is valid for them."},
	"cedar-integer-range":        {"integers of 64 bits", "The number is out of range."},
	"cedar-missing-attribute":    {"required attributes are given", "By the schema, the entity or record needs the attribute."},
	"cedar-no-applicable-action": {"a policy that can apply", "By the schema no request fits its scope, so it never decides anything."},
	"cedar-no-statement":         {"a source with a policy", "The file holds no permit or forbid."},
	"cedar-not-applicable":       {"requests that the schema allows", "By the schema, the action doesn't take a principal or resource of that type."},
	"cedar-parent-cycle":         {"no entity among its own ancestors", "The hierarchy of entities has no cycles."},
	"cedar-parent-type":          {"parents that the schema allows", "By the schema, entities of this type are not in ones of that type."},
	"cedar-several-statements":   {"one policy in a source", "A source is the content of one policy. Give each its own file."},
	"cedar-syntax":               {"valid Cedar", "The source can't be parsed."},
	"cedar-template":             {"no templates", "The slots of a template can't be filled here. Name the principal and the resource."},
	"cedar-too-deep":             {"nesting has a limit", "The limit is far above what people write, and keeps the evaluator from running out of stack."},
	"cedar-too-large":            {"sources have a limit", "Split the policy."},
	"cedar-type":                 {"types that fit the schema", "An operator or a value has another type than is needed there."},
	"cedar-uid":                  {"entities as Type::\"id\"", "The text doesn't name an entity."},
	"cedar-unknown-action":       {"actions of the schema", "The schema doesn't declare the action."},
	"cedar-unknown-attribute":    {"attributes of the schema", "The schema doesn't declare the attribute for that type."},
	"cedar-unknown-entity-type":  {"entity types of the schema", "The schema doesn't declare the type."},
	"cedar-unknown-enum-id":      {"ids that an enumeration declares", "The schema lists every id of the type, and this one is not among them."},
	"cedar-unsafe-optional":      {"optional attributes are tested first", "The attribute may be missing, which would be an error at decision time. Test it with has."},
	"cedar-unsafe-tag":           {"tags are tested first", "The tag may be missing, which would be an error at decision time. Test it with hasTag."},
	"duplicate-entity":           {"each entity once", "The second declaration would replace the first in silence."},
	"id-annotation":              {"an @id that is the policy's name", "Logs and answers of the service show the annotation, so another name in it misleads."},

	// Cedar schemas.
	"schema-invalid":       {"a schema that makes sense", "The schema refers to something that it doesn't declare."},
	"schema-not-committed": {"the schema beside the manifest", "Types are checked without a network, against the committed schema. policypin schema fetch writes it."},
	"schema-syntax":        {"a valid Cedar schema", "The schema can't be parsed."},
	"schema-too-deep":      {"nesting of a schema has a limit", "The limit is far above what people write."},
	"schema-too-large":     {"schemas have a limit", "The limit is far above what the service publishes."},
}

// rule describes a rule; one that is not in the table is called by its id.
func rule(id string) ruleText {
	r := rules[id]
	return ruleText{cmp.Or(r.title, id), cmp.Or(r.help, "See the message.")}
}

// RulesPage writes docs/rules.md, to which reports refer.
func RulesPage(w io.Writer) error {
	p := &printer{w: w}
	p.line("# Rules")
	p.line("")
	p.line("Every problem that `policypin validate` reports has a rule with a stable id. This page is written by the tests of")
	p.line("`internal/report` (`go test ./internal/report -run TestRulesPage -update`).")
	ids := make([]string, 0, len(rules))
	for id := range rules {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		p.line("")
		p.line("## %s", id)
		p.line("")
		p.line("%s%s. %s", strings.ToUpper(rules[id].title[:1]), rules[id].title[1:], rules[id].help)
	}
	return p.err
}

package cedar

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A difference is one that is meant. docs/cedar-differences.md has a heading of
// the same name with the reason and the example.
type difference struct {
	name     string
	example  string // a condition over tokens.cedarschema, or a statement
	ours     verdict
	official []verdict // any of these
	rule     string    // our only one
	words    string    // a pattern that our message matches
}

var differences = []difference{
	{"Levels of nesting", strings.Repeat("(", 101) + "principal.b" + strings.Repeat(")", 101), notCedar, []verdict{accepted, illTyped, trapped}, "cedar-too-deep", "levels of nesting"},
	{"Long chains", "principal.b" + strings.Repeat(" && principal.b", 1001), notCedar, []verdict{accepted, illTyped, trapped}, "cedar-too-deep", "operators in a chain"},
	{"Many conditions", "permit(principal, action, resource)" + strings.Repeat(" when { true }", 101) + ";", notCedar, []verdict{accepted, illTyped, trapped}, "cedar-too-deep", "more than 100 conditions"},
	{"Many presence tests", manyHas(51), notCedar, []verdict{accepted, illTyped}, "cedar-too-deep", "tests with has"},
	{"Large sources", "true // " + strings.Repeat("x", MaxSourceBytes) + "\n", notCedar, []verdict{accepted, illTyped}, "cedar-too-large", "bytes"},
	{"Bidirectional characters", "context.s == \"\u202e\"", notCedar, []verdict{accepted, illTyped}, "bidi-control", ""},
	{"Control characters", "true // why\r && principal.b\n", notCedar, []verdict{accepted, illTyped}, "control-character", ""},
	{"White space", "true\u00a0", notCedar, []verdict{accepted, illTyped}, "cedar-syntax", "unexpected character U\\+(00A0|2003|3000)"},
	{"Strings over several lines", "context.s == \"a\nb\"", notCedar, []verdict{accepted, illTyped}, "cedar-syntax", "string isn't closed on its line"},
	{"Actions in parentheses", `permit(principal, action in (Action::"a"), resource);`, notCedar, []verdict{accepted}, "cedar-syntax", `found '\('`},
	{"Stars by their number", `context.s like "\u{2a}"`, notCedar, []verdict{accepted, illTyped}, "cedar-syntax", "a star by its number"},
	{"Attributes of a negative number", "-1.b", notCedar, []verdict{illTyped}, "cedar-syntax", `found '\.'`},
	{"Actions of another type", `permit(principal, action == U::"a", resource);`, illTyped, []verdict{notCedar}, "cedar-unknown-action", ""},
	{"Types of actions that nobody declares", "action is N::Action", illTyped, []verdict{accepted}, "cedar-unknown-entity-type", "unknown entity type `(\\w+::)+Action`"},
	{"The lowest duration", `duration("-9223372036854775808ms") < duration("1d")`, illTyped, []verdict{accepted}, "cedar-extension", "failed to parse as a duration value: `\"-(9223372036854775808ms|106751991167d7h12m55s808ms)\"`"},
}

func manyHas(n int) string {
	tests := make([]string, n)
	for i := range tests {
		tests[i] = "context has a" + strconv.Itoa(i)
	}
	return strings.Join(tests, " && ")
}

// explained names the difference that two verdicts come from, or "".
func explained(v verdict, rules []string, words string, w verdict) string {
	for _, d := range differences {
		if v == d.ours && v != w && slices.Contains(d.official, w) && slices.Equal(rules, []string{d.rule}) && regexp.MustCompile(d.words).MatchString(words) {
			return d.name
		}
	}
	return ""
}

// statement is an example as a whole policy.
func wholeStatement(example string) string {
	if strings.HasSuffix(example, ";") {
		return example
	}
	return "permit(principal, action, resource) when { " + example + " };"
}

// TestOfficialDifferences shows that each difference still is one: what doesn't
// exist any more has no place in the documentation.
func TestOfficialDifferences(t *testing.T) {
	o := startOfficial(t)
	s, text := readSchema(t, officialSchemas["tokens"])
	for _, d := range differences {
		policy := wholeStatement(d.example)
		v, rules, words := ourVerdict(s, policy)
		w, theirWords := theirVerdict(o, text, policy)
		if got := explained(v, rules, words, w); got != d.name {
			t.Errorf("%s:\n  ours:   %s %v %s\n  theirs: %s %s\n  which is %q", d.name, v, rules, words, w, theirWords, got)
		}
	}
}

// The documentation and the table have the same differences, and the same short
// examples.
func TestDifferencesAreDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/cedar-differences.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	var known []string
	for _, d := range slices.Concat(differences, dataDifferences, schemaDifferences, []difference{lateDates}) {
		known = append(known, d.name)
		_, section, ok := strings.Cut(page, "\n### "+d.name+"\n")
		if !ok {
			t.Errorf("there is no heading %q", d.name)
			continue
		}
		section, _, _ = strings.Cut(section, "\n#")
		if d.rule != "" && !strings.Contains(section, "`"+d.rule+"`") {
			t.Errorf("%s: rule %s isn't named", d.name, d.rule)
		}
		example := strings.NewReplacer("\u202e", "‹U+202E›", "\r", "‹U+000D›", "\u00a0", "‹U+00A0›").Replace(strings.TrimSuffix(d.example, "\n"))
		if len(example) < 200 && !strings.Contains(section, example) {
			t.Errorf("%s: the page hasn't the example %s", d.name, example)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (.*)$`).FindAllStringSubmatch(page, -1) {
		if !slices.Contains(known, m[1]) {
			t.Errorf("the page has %q, and the table hasn't", m[1])
		}
	}
}

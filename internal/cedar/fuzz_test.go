package cedar

import (
	"os"
	"strings"
	"testing"

	cedargo "github.com/cedar-policy/cedar-go"
)

func addCorpus(f *testing.F) {
	for _, file := range corpus(f) {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, text := range []string{
		"", "// c", "permit(principal,action,resource)", "permit(principal,action,resource) when { !!!!!true };",
		"permit(principal == ?principal,action,resource);", "\ufeffpermit", "permit(principal,action,resource) when { \"\\u{110000}\" };",
		"@a@a permit(principal,action,resource);", "permit(principal,action,resource) when { 1 == 2 == 3 };",
		"permit(principal,action,resource) when { a.b has c.d.\"e\" };", "permit(principal,action,resource) when { -9223372036854775809 };",
	} {
		f.Add(text)
	}
}

// stricter are the problems that only we and the official engine see.
var stricter = []string{"block comments", "in a row", "can't be mixed", "a star by its number"}

// FuzzParse holds our parser against the engine's, and the digest against what
// must not move it.
func FuzzParse(f *testing.F) {
	addCorpus(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, problems := Parse("f", []byte(text))
		checkPositions(t, text, problems)
		if (p == nil) != (problems.Errors() > 0) {
			t.Fatalf("policy %v with problems %v", p, problems)
		}
		if p == nil {
			if problems[0].Rule == "cedar-syntax" && len(text) < 10_000 && !containsAny(problems[0].Message, stricter) {
				var list cedargo.PolicyList
				if err := list.UnmarshalCedar([]byte(text)); err == nil {
					t.Fatalf("the engine takes it, we don't: %v", problems)
				}
			}
			return
		}
		if q, problems := Parse("f", []byte(rewrite(t, text, "\r\n"))); q == nil || q.Digest() != p.Digest() {
			t.Fatalf("comments and layout move the digest: %v", problems)
		}
		normalized, doc, problems := CheckSet("f", []byte(text))
		if len(problems) > 0 || !p.Same(normalized) {
			t.Fatalf("not the same: %v\n%s", problems, normalized)
		}
		if q, _ := Parse("f", []byte(normalized)); q != nil && q.Digest() != p.Digest() {
			t.Fatalf("normalizing moves the digest:\n%s\n%s", p.JSON(), q.JSON())
		}
		if fromJSON, err := FromJSON(doc); err != nil || !p.Same(fromJSON) {
			t.Fatalf("not the same from JSON: %v\n%s", err, fromJSON)
		}
	})
}

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// FuzzLimits repeats pieces of Cedar until they hit a limit or not: whatever
// passes must get through everything that recurses. A stack overflow can't be
// recovered from, so reaching the end is the test.
func FuzzLimits(f *testing.F) {
	schema := richSchema(f)
	for _, seed := range []string{"!(", "(", "[", "{a:", "if true then ", "if ", "-(", "principal.", "true && ", "1 + ", "context has a.", `["a"]`, ".isEmpty()", "context.contains("} {
		f.Add(seed, "true", ")", uint16(90))
		f.Add(seed, "1", "", uint16(900))
		f.Add("", "context", seed, uint16(500))
	}
	f.Fuzz(func(t *testing.T, open, inner, end string, n uint16) {
		if len(open)+len(end) > 100 {
			return
		}
		text := head + "when { " + strings.Repeat(open, int(n)) + inner + strings.Repeat(end, int(n)) + " };"
		p, problems := Parse("f", []byte(text))
		checkPositions(t, text, problems)
		if p == nil {
			return
		}
		if len(p.JSON()) == 0 {
			t.Error("no JSON")
		}
		normalized, _, _ := CheckSet("f", []byte(text))
		if !p.Same(normalized) {
			t.Error("what a service stores of it isn't the same")
		}
		checkPositions(t, text, schema.Validate(p))
	})
}

func FuzzSchema(f *testing.F) {
	f.Add(rich)
	for _, version := range zoneVersions {
		text, err := os.ReadFile("../zone/schemas/" + version + ".cedarschema")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("type A = { a: B }; type B = { b: A }; entity E { x: A };")
	f.Add("entity E tags Set<Set<Long>>; @doc(\"x\") action a, \"b\" in [a] appliesTo { principal: E, resource: [E], context: {} };")
	p, _ := Parse("f", []byte(head+"when { principal.name == 1 && resource has a.b && context.x in [E::\"a\"] && principal.getTag(\"a\") == action };"))
	f.Fuzz(func(t *testing.T, text string) {
		s, problems := ParseSchema("s", []byte(text))
		checkPositions(t, text, problems)
		if (s == nil) != (problems.Errors() > 0) {
			t.Fatalf("schema %v with problems %v", s, problems)
		}
		if s == nil {
			return
		}
		got := s.Validate(p)
		checkPositions(t, p.Text(), got)
		doc, err := s.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSchemaJSON(doc)
		if err != nil {
			t.Fatalf("its own JSON: %v\n%s", err, doc)
		}
		if other := again.Validate(p); other.Error() != got.Error() {
			t.Fatalf("the schema from JSON says\n%v\nnot\n%v", other, got)
		}
	})
}

package cedar

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/policypin/policypin/diag"
)

const head = "permit(principal, action, resource)\n"

func TestProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"an empty file", "", "f: error: source holds no statement [cedar-no-statement]"},
		{"comments only", "// nothing\n", "f: error: source holds no statement [cedar-no-statement]"},
		{"two statements", "permit(principal,action,resource);\n  forbid(principal,action,resource);", "f:2:3: error: source holds 2 statements, not one [cedar-several-statements] (write each statement to a source of its own)"},
		{"a byte order mark", "\ufeff" + head + ";", "f:1:1: error: file starts with a byte order mark, which Cedar doesn't accept [byte-order-mark] (save the file as UTF-8 without BOM)"},
		{"another encoding", "// caf\xe9\n" + head + ";", "f:1:7: error: invalid UTF-8: byte 0xe9 [not-utf8]"},
		{"NUL", "permit\x00", "f:1:7: error: control character U+0000 [control-character]"},
		{"a lone carriage return ends a comment for one engine only", "// a\rpermit(principal,action,resource);", "f:1:5: error: carriage return without a line feed [control-character]"},
		{"text that turns around", "// é \u202e\n" + head + ";", "f:1:6: error: bidirectional control character U+202E can show a text in another order than it is read in [bidi-control] (remove it, or write it as an escape in a string)"},
		{"all such characters are listed", "// \u2066\n// \u200f\n" + head + ";", "f:1:4: error: bidirectional control character U+2066 can show a text in another order than it is read in [bidi-control] (remove it, or write it as an escape in a string)\nf:2:4: error: bidirectional control character U+200F can show a text in another order than it is read in [bidi-control] (remove it, or write it as an escape in a string)"},
		{"a template", "permit(principal == ?principal, action, resource);", "f:1:21: error: ?principal makes this a template, which a policy can't be [cedar-template] (write the entity instead)"},
		{"a template's slot in a condition", head + "when { principal in ?resource };", "f:2:21: error: ?resource makes this a template, which a policy can't be [cedar-template] (write the entity instead)"},
		{"block comments", head + "/* c */;", "f:2:1: error: Cedar has no block comments; start each line with // [cedar-syntax]"},
		{"no semicolon at the end", "permit(principal, action, resource) // c", "f:1:36: error: expected ';', found the end of the file [cedar-syntax]"},
		{"no semicolon before the next statement", "permit(principal, action, resource)\n\nforbid(principal, action, resource);", "f:1:36: error: expected ';', found 'forbid' [cedar-syntax]"},
		{"neither permit nor forbid", "allow(principal, action, resource);", "f:1:1: error: expected permit or forbid, found 'allow' [cedar-syntax]"},
		{"a scope out of order", "permit(action, principal, resource);", "f:1:8: error: expected 'principal', found 'action' [cedar-syntax]"},
		{"a string for an entity", "permit(principal == \"alice\", action, resource);", "f:1:21: error: expected an entity such as User::\"alice\", found a string [cedar-syntax]"},
		{"a type for an entity", "permit(principal == User, action, resource);", "f:1:25: error: expected '::' and the entity's id, found ',' [cedar-syntax]"},
		{"is on an action", "permit(principal, action is Action, resource);", "f:1:26: error: expected ',', found the keyword 'is' [cedar-syntax]"},
		{"an empty condition", head + "when { };", "f:2:8: error: expected an expression, found '}' [cedar-syntax]"},
		{"one equals sign", head + "when { principal.a = 1 };", "f:2:20: error: expected an operator or '}', found '=' [cedar-syntax] (to compare, write ==)"},
		{"one ampersand", head + "when { true & true };", "f:2:13: error: expected an operator or '}', found '&' [cedar-syntax] (write &&)"},
		{"division", head + "when { 1 / 2 };", "f:2:10: error: Cedar has no / operator [cedar-syntax]"},
		{"chained comparisons", head + "when { 1 < 2 < 3 };", "f:2:14: error: comparisons can't be chained [cedar-syntax] (join them with && or use parentheses)"},
		{"an unclosed parenthesis", head + "when { (true && false };", "f:2:23: error: expected an operator or ')', found '}' [cedar-syntax]"},
		{"an unclosed string", head + "when { \"é };\n", "f:2:8: error: string isn't closed on its line [cedar-syntax]"},
		{"an invalid escape", head + "when { \"é\\q\" == \"\" };", "f:2:10: error: invalid escape in string [cedar-syntax] (escapes are \\n \\r \\t \\0 \\\\ \\\" \\' \\x7f and \\u{1f600})"},
		{"a pattern's escape in a string", head + "when { \"\\*\" == \"\" };", "f:2:9: error: \\* is an escape only in a pattern of like [cedar-syntax] (write *)"},
		{"a star by its number in a pattern", head + "when { context.a like \"a\\u{2a}\" };", "f:2:25: error: a star by its number has two meanings in a pattern [cedar-syntax] (write * for any text, or \\* for a star)"},
		{"a star in hexadecimal", head + "when { context.a like \"\\x2A\" };", "f:2:24: error: a star by its number has two meanings in a pattern [cedar-syntax] (write * for any text, or \\* for a star)"},
		{"a pattern that is no literal", head + "when { context.a like context.b };", "f:2:23: error: expected a pattern in quotes, found 'context' [cedar-syntax]"},
		{"an unknown variable", head + "when { principle.a };", "f:2:8: error: unknown name `principle` [cedar-syntax] (did you mean `principal`?)"},
		{"an unknown name", head + "when { foo };", "f:2:8: error: unknown name `foo` [cedar-syntax] (variables are principal, action, resource and context; an entity is written Type::\"id\")"},
		{"an unknown method", head + "when { context.a.contain(1) };", "f:2:18: error: there is no method `contain` [cedar-syntax] (did you mean `contains`?)"},
		{"an unknown function", head + "when { ipaddr(\"1\") };", "f:2:8: error: there is no function `ipaddr` [cedar-syntax]"},
		{"a method as a function", head + "when { contains(context.a, 1) };", "f:2:8: error: `contains` is a method, not a function [cedar-syntax] (write value.contains(...))"},
		{"too many arguments", head + "when { context.a.contains(1, 2) };", "f:2:18: error: method `contains` takes 1 argument, not 2 [cedar-syntax]"},
		{"a reserved word as an attribute", head + "when { context.if };", "f:2:16: error: expected an attribute or method after '.', found the keyword 'if' [cedar-syntax]"},
		{"a member given twice", head + "when { {a: 1, \"a\": 2} == context };", "f:2:15: error: member \"a\" is given twice [cedar-syntax]"},
		{"an annotation given twice", "@a @b @a\n" + head + ";", "f:1:7: error: annotation @a is given twice [cedar-syntax]"},
		{"a name that isn't ASCII", head + "when { context.é };", "f:2:16: error: unexpected character 'é' [cedar-syntax]"},
		{"a space that isn't one", head + "when {\u00a0true };", "f:2:7: error: unexpected character U+00A0 [cedar-syntax]"},
		{"the integer after the largest", head + "when { context.a == 9223372036854775808 };", "f:2:21: error: integer is outside of −9223372036854775808 to 9223372036854775807 [cedar-integer-range]"},
		{"the integer before the lowest", head + "when { -9223372036854775809 == context.a };", "f:2:9: error: integer is outside of −9223372036854775808 to 9223372036854775807 [cedar-integer-range]"},
		{"five times not", head + "when { !!!!!true };", "f:2:12: error: more than 4 '!' or '-' in a row [cedar-syntax]"},
		{"not and minus mixed", head + "when { !-1 };", "f:2:9: error: '!' and '-' can't be mixed [cedar-syntax] (use parentheses)"},
		{"if without else", head + "when { if true then true };", "f:2:26: error: expected an operator or 'else', found '}' [cedar-syntax]"},
		{"if as an operand", head + "when { 1 + if true then 1 else 2 == 2 };", "f:2:12: error: expected an expression, found the keyword 'if' [cedar-syntax]"},
		{"a long word is clipped", head + "when { true " + strings.Repeat("x", 90) + " };", "f:2:13: error: expected an operator or '}', found '" + strings.Repeat("x", 40) + "…' [cedar-syntax]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := Parse("f", []byte(tt.text))
			if p != nil || problems.Error() != tt.want {
				t.Errorf("\n got %s\nwant %s", problems.Error(), tt.want)
			}
		})
	}
}

func TestParseSetTakesSeveralStatements(t *testing.T) {
	list, problems := ParseSet("f", []byte("permit(principal,action,resource);\n@id(\"b\") forbid(principal,action,resource) when { context.b };"))
	if len(problems) > 0 || len(list) != 2 {
		t.Fatalf("got %d policies, %v", len(list), problems)
	}
	if list[1].ID() != "b" || list[1].Position().String() != "f:2:1" || list[0].Effect() != "permit" {
		t.Errorf("got %q at %s", list[1].ID(), list[1].Position())
	}
	if list[0].Same(list[0].Text()) {
		t.Error("one statement is the same as the text of two")
	}
	if _, problems := ParseSet("f", []byte("// none")); problems.Errors() != 1 {
		t.Errorf("no statement: got %v", problems)
	}
}

// Everything that recurses in the engine has a limit: at the limit a source is
// taken whole, past it there is a problem and the engine isn't asked.
func TestLimits(t *testing.T) {
	when := func(e string) string { return head + "when { " + e + " };" }
	chain := func(n int, sep string, item func(int) string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = item(i)
		}
		return strings.Join(parts, sep)
	}
	same := func(s string) func(int) string { return func(int) string { return s } }
	nested := func(open, inner, end string) func(n int) string {
		return func(n int) string { return when(strings.Repeat(open, n) + inner + strings.Repeat(end, n)) }
	}
	tests := []struct {
		name  string
		limit int
		text  func(n int) string
		rule  string
	}{
		{"bytes", MaxSourceBytes, func(n int) string { return head + ";" + strings.Repeat(" ", n-len(head)-1) }, "cedar-too-large"},
		// The braces of the condition are one level.
		{"parentheses", MaxNesting - 1, nested("(", "true", ")"), "cedar-too-deep"},
		{"sets", MaxNesting - 1, nested("[", "true", "]"), "cedar-too-deep"},
		{"records", MaxNesting - 1, nested("{a:", "true", "}"), "cedar-too-deep"},
		{"not in parentheses", MaxNesting - 1, nested("!(", "true", ")"), "cedar-too-deep"},
		{"negation in parentheses", MaxNesting - 1, nested("-(", "1", ")"), "cedar-too-deep"},
		{"method arguments", MaxNesting - 1, nested("context.contains(", "1", ")"), "cedar-too-deep"},
		{"function arguments", MaxNesting - 1, nested("ip(", "1", ")"), "cedar-too-deep"},
		{"if in if", MaxNesting - 1, nested("if ", "true", " then true else true"), "cedar-too-deep"},
		{"if in then", MaxNesting - 1, nested("if true then ", "true", " else true"), "cedar-too-deep"},
		{"else if", MaxNesting - 1, nested("if true then true else ", "true", ""), "cedar-too-deep"},
		{"not in a row", maxNots, nested("!", "true", ""), "cedar-syntax"},
		{"and", maxDepth + 1, func(n int) string { return when(chain(n, "&&", same("true"))) }, "cedar-too-deep"},
		{"or", maxDepth + 1, func(n int) string { return when(chain(n, "||", same("true"))) }, "cedar-too-deep"},
		{"plus and minus", maxDepth + 1, func(n int) string {
			return when(chain(n, "", func(i int) string { return []string{"+1", "-1"}[i%2] })[1:])
		}, "cedar-too-deep"},
		{"times", maxDepth + 1, func(n int) string { return when(chain(n, "*", same("1"))) }, "cedar-too-deep"},
		{"attributes", maxDepth + 1, func(n int) string { return when(chain(n, ".", same("context"))) }, "cedar-too-deep"},
		{"attributes in brackets", maxDepth, func(n int) string { return when("context" + chain(n, "", same(`["a"]`))) }, "cedar-too-deep"},
		{"methods", maxDepth, func(n int) string { return when("context" + chain(n, "", same(`.isEmpty()`))) }, "cedar-too-deep"},
		{"conditions", maxConditions, func(n int) string { return head + chain(n, "\n", same("when { true }")) + ";" }, "cedar-too-deep"},
		{"has", maxPresence, func(n int) string {
			return when(chain(n, "&&", func(i int) string { return fmt.Sprintf("context has a%d", i) }))
		}, "cedar-too-deep"},
		{"has with a path", maxPresence, func(n int) string { return when("context has " + chain(n, ".", same("a"))) }, "cedar-too-deep"},
		{"hasTag", maxPresence, func(n int) string {
			return when(chain(n, "&&", func(i int) string { return fmt.Sprintf("context.hasTag(%d)", i) }))
		}, "cedar-too-deep"},
	}
	schema := zoneSchema(t, "2026-06-18")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := Parse("f", []byte(tt.text(tt.limit)))
			if len(problems) > 0 {
				t.Fatalf("at the limit of %d: %s", tt.limit, clip(problems.Error()))
			}
			schema.Validate(p)
			if normalized, _, _ := CheckSet("f", []byte(p.Text())); !p.Same(normalized) {
				t.Error("at the limit, what a service stores of it isn't the same")
			}
			_, problems = Parse("f", []byte(tt.text(tt.limit+1)))
			if len(problems) != 1 || problems[0].Rule != tt.rule {
				t.Errorf("past the limit: got %q want one problem of rule %s", clip(problems.Error()), tt.rule)
			}
		})
	}
}

func TestHostileTextsAreRefusedQuickly(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("!(", 400_000),
		head + "when {" + strings.Repeat("(", 500_000),
		head + "when {" + strings.Repeat("[", 500_000),
		head + "when {" + strings.Repeat("{a:", 300_000),
		head + "when {" + strings.Repeat("!", 500_000),
		head + "when {" + strings.Repeat("-", 500_000),
		head + "when {" + strings.Repeat("if ", 300_000),
		head + "when {" + strings.Repeat("if true then true else ", 40_000),
		head + "when { context" + strings.Repeat(".a", 500_000),
		head + "when { true" + strings.Repeat("&&true", 150_000),
		strings.Repeat("@a ", 300_000),
		strings.Repeat("\u202e", 300_000),
		strings.Repeat("permit(principal,action,resource);", 30_000),
	} {
		if p, problems := Parse("f", []byte(text)); p != nil || problems.Errors() == 0 || len(problems) > maxProblems {
			t.Errorf("%s: got %d problems", clip(text), len(problems))
		}
	}
}

func zoneSchema(t testing.TB, version string) *Schema {
	t.Helper()
	text, err := os.ReadFile("../zone/schemas/" + version + ".cedarschema")
	if err != nil {
		t.Fatal(err)
	}
	s, problems := ParseSchema("schemas/"+version+".cedarschema", text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return s
}

// A syntax problem's position must be one that an editor can go to.
func checkPositions(t testing.TB, text string, problems diag.List) {
	lines := strings.Split(text, "\n")
	for _, p := range problems {
		if p.Line == 0 {
			continue
		}
		if p.Line > len(lines) || p.Column < 1 || p.Column > len([]rune(lines[p.Line-1]))+1 {
			t.Errorf("%s is outside of the text", p)
		}
		if p.Rule == "" || p.Message == "" {
			t.Errorf("incomplete problem %v", p)
		}
	}
}

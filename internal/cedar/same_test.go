package cedar

import (
	"os"
	"strings"
	"testing"
)

func TestSame(t *testing.T) {
	tests := []struct {
		name, a, b string
		want       bool
	}{
		{"layout and parentheses", "permit(principal,action,resource) when { context.a && context.b || context.c };", "permit (\n  principal,\n  action,\n  resource\n)\nwhen {\n  ((context.a && context.b) || (context.c))\n};\n", true},
		{"a condition that was joined", head + "when { context.a } unless { context.b };", head + "when { (context.a) && (!(context.b)) };", true},
		{"only unless", head + "unless { context.b };", head + "when { !(context.b) };", true},
		{"!= that was taken apart", head + "when { context.a != 1 };", head + "when { !(context.a == 1) };", true},
		{"comparisons that were turned around", head + "when { context.a > 1 && context.b >= 2 };", head + "when { (!(context.a <= 1)) && (!(context.b < 2)) };", true},
		{"a path of has that was written out", head + "when { context has a.b };", head + "when { (context has a) && (context.a has b) };", true},
		{"an action in a set of one", "permit(principal, action in [Action::\"a\"], resource);", "permit(principal, action in Action::\"a\", resource);", true},
		{"another operator", head + "when { context.a < 1 };", head + "when { context.a <= 1 };", false},
		{"another effect", head + ";", "forbid(principal, action, resource);", false},
		{"another annotation", "@id(\"a\")" + head + ";", head + ";", false},
		{"one statement more", head + ";", head + ";" + head + ";", false},
		{"no statement", head + ";", "// nothing", false},
		{"not Cedar", head + ";", "permit", false},
		{"an integer that differs past 2^53", head + "when { context.a == 9007199254740993 };", head + "when { context.a == 9007199254740992 };", false},
		{"swapped branches", head + "when { if context.a then context.b else context.c };", head + "when { if context.a then context.c else context.b };", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mustParse(t, tt.a).Same(tt.b); got != tt.want {
				t.Errorf("Same: got %v want %v", got, tt.want)
			}
			if got := SameText(tt.a, tt.b); got != tt.want {
				t.Errorf("SameText: got %v want %v", got, tt.want)
			}
			if got := SameText(tt.b, tt.a); got != tt.want {
				t.Errorf("SameText the other way round: got %v want %v", got, tt.want)
			}
		})
	}
}

func TestSameTextOfSeveralStatements(t *testing.T) {
	const a, b = "permit(principal,action,resource);", "forbid(principal,action,resource);"
	for _, tt := range []struct {
		left, right string
		want        bool
	}{
		{a + b, a + "\n// c\n" + b, true},
		{a + b, b + a, false},
		{a + b, a, false},
		{"not Cedar", "not Cedar", true},
		{"not Cedar", "not  Cedar", false},
		{"not Cedar", a, false},
	} {
		if got := SameText(tt.left, tt.right); got != tt.want {
			t.Errorf("%q and %q: got %v want %v", tt.left, tt.right, got, tt.want)
		}
	}
}

// A printer that puts parentheses around each step of a long chain must not
// push what it prints over a limit.
func TestLongChainComesBackNested(t *testing.T) {
	const n = maxDepth
	chain := head + "when { context.a" + strings.Repeat(" && context.a", n-1) + " };"
	nested := head + "when { " + strings.Repeat("(", n-1) + "context.a" + strings.Repeat(" && context.a)", n-1) + " };"
	if !mustParse(t, chain).Same(nested) {
		t.Error("a nested chain isn't the same as the chain")
	}
}

func TestStoredTextIsTheSameAsItsSource(t *testing.T) {
	for _, file := range corpus(t) {
		text, _ := os.ReadFile(file)
		p := mustParse(t, string(text))
		normalized, doc, problems := CheckSet(file, text)
		if len(problems) > 0 || normalized == string(text) {
			t.Errorf("%s: %v; normalized %q", file, problems, normalized)
		}
		if !p.Same(normalized) || mustParse(t, normalized).Digest() != p.Digest() {
			t.Errorf("%s: isn't the same as\n%s", file, normalized)
		}
		again, _, _ := CheckSet(file, []byte(normalized))
		if again != normalized {
			t.Errorf("%s: normalizing twice\n got %s\nwant %s", file, again, normalized)
		}
		fromJSON, err := FromJSON(doc)
		if err != nil || fromJSON != normalized && !p.Same(fromJSON) {
			t.Errorf("%s: from JSON: %v\n%s", file, err, fromJSON)
		}
	}
}

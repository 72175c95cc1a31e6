package cedar

import "testing"

func TestSameSource(t *testing.T) {
	for _, tt := range []struct {
		name, a, b string
		want       bool
	}{
		{"the same bytes, Cedar or not", "permit", "permit", true},
		{"layout", head + ";", "// c\n" + head + "\r\n;", true},
		{"a name in quotes", head + "when { context.a };", head + `when { context["a"] };`, true},
		{"a name in quotes, with an escape", head + "when { context.a };", head + `when { context["\u{61}"] };`, true},
		{"a path of has", head + "when { context has a.b };", head + "when { context has a && context.a has b };", true},
		{"an annotation with an empty value", "@flag " + head + ";", `@flag("") ` + head + ";", true},
		{"a number with zeros in front", head + "when { context.a == 7 };", head + "when { context.a == 007 };", true},
		{"wildcards in a row", head + `when { context.a like "a*b" };`, head + `when { context.a like "a**b" };`, true},
		{"the same words in another order", head + "when { context.a == context.b };", head + "when { context.b == context.a };", false},
		{"the same words, another operator", head + "when { context.a == context.b };", head + "when { context.a != context.b };", false},
		{"another name", head + "when { context.a };", head + "when { context.b };", false},
		{"another string", head + `when { context.a == "x" };`, head + `when { context.a == "y" };`, false},
		{"another number", head + "when { context.a == 1 };", head + "when { context.a == 10 };", false},
		{"a character that a source can't have", head + ";", "// \x00\n" + head + ";", false},
		{"text that isn't Cedar", "permit", "permit ", false},
		{"text that can't be cut into words", head + ";", head + `when { "`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := SameSource(tt.a, tt.b); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got := SameSource(tt.b, tt.a); got != tt.want {
				t.Errorf("the other way round: got %v, want %v", got, tt.want)
			}
		})
	}
}

// FuzzSameSource holds the quick answer against the digests.
func FuzzSameSource(f *testing.F) {
	for _, tt := range [][2]string{
		{head + "when { context.a };", head + `when { context["a"] };`},
		{head + "when { context has a.b };", head + "when { context has a && context.a has b };"},
		{head + "when { {a: 1, b: 2}.a == -1 };", head + "when { {b: 2, a: 1}.a == -(1) };"},
		{"@a@b(\"\") " + head + ";", "@b @a(\"\") " + head + ";"},
		{head + `when { context.a like "a\*b" };`, head + `when { context.a like "a*b" };`},
		{head + `when { principal in A::B::"x" };`, head + `when { principal in A :: B::"x" };`},
		{head + "when { [1, 1].contains(01) };", head + "when { [1].contains(1) };"},
	} {
		f.Add(tt[0], tt[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		p, _ := Parse("a", []byte(a))
		q, _ := Parse("b", []byte(b))
		want := a == b || p != nil && q != nil && p.Digest() == q.Digest()
		if got := SameSource(a, b); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

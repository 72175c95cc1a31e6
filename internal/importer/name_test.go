package importer

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestStem(t *testing.T) {
	for name, want := range map[string]string{
		"finance-read": "finance-read", "Finance Read": "Finance-Read", "a//b": "a-b", "../../etc": "etc", ".git": "git",
		"con": "policy-con", "CON.txt": "policy-CON.txt", "console": "console", "com0": "policy-com0", "": "policy", "日本": "policy",
		"a\x00\n\x1bb": "a-b", "dot.": "dot", "--flag": "flag", "ä": "policy", "v1.2": "v1.2", "...": "policy",
		strings.Repeat("a", 300): strings.Repeat("a", maxStem),
	} {
		if got := stem(name, "policy"); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestStemsAreUniqueAndDontDependOnOrder(t *testing.T) {
	names := []string{"foo", "Foo", "FOO", "foo ", " foo", "bar", "b ar", "b-ar", "日本", "本日", "foo-2c26b46b", "K", "k", "\u212a"}
	want := stems(names, "policy")
	if want["b-ar"] != "b-ar" || want["bar"] != "bar" || want["foo"] == "" {
		t.Errorf("got %v", want)
	}
	seen := map[string]bool{}
	for _, s := range want {
		if seen[fold(s)] {
			t.Errorf("%s is there twice", s)
		}
		seen[fold(s)] = true
	}
	if len(want) != len(names) {
		t.Errorf("got %d names for %d", len(want), len(names))
	}
	slices.Reverse(names)
	if got := stems(append(names, "foo"), "policy"); !maps.Equal(got, want) {
		t.Errorf("in another order: got %v, want %v", got, want)
	}
}

func FuzzStems(f *testing.F) {
	f.Add("foo\nFoo\ncon\n日本")
	f.Add("foo-2c26b46b\nfoo\nFOO\n..")
	f.Fuzz(func(t *testing.T, text string) {
		names := strings.Split(text, "\n")
		seen := map[string]bool{}
		for _, s := range stems(names, "policy") {
			if s == "" || len(s) > 2*maxStem || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" || strings.ContainsAny(s[:1], ".-") || seen[fold(s)] {
				t.Fatalf("%q: %q", names, s)
			}
			seen[fold(s)] = true
		}
	})
}

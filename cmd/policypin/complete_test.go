package main

import (
	"slices"
	"strings"
	"testing"
)

func TestCompletion(t *testing.T) {
	tests := []struct {
		name string
		line []string
		want []string // among the candidates
		none []string // not among them
	}{
		{"commands", []string{""}, []string{"validate", "versions", "publish"}, []string{"__complete", "--help"}},
		{"commands that begin so", []string{"ve"}, []string{"versions", "version"}, []string{"validate"}},
		{"commands of a group", []string{"versions", ""}, []string{"list", "show", "policies", "archive"}, []string{"validate"}},
		{"flags", []string{"validate", "-"}, []string{"--staged", "--rev", "-C", "--target"}, []string{"--exit-code"}},
		{"flags of a command of a group", []string{"versions", "list", "--li"}, []string{"--limit"}, []string{"--order"}},
		{"the values of a flag", []string{"diff", "--format", ""}, []string{"text", "json"}, []string{"HEAD"}},
		{"the values of a flag that begin so", []string{"diff", "--color", "a"}, []string{"auto", "always"}, []string{"never"}},
		{"a command after a global flag", []string{"-C", "validate", "di"}, []string{"diff", "digest"}, nil},
		{"the words of an argument", []string{"schema", "print", "policy-"}, []string{"policy-set", "policy-test"}, []string{"project"}},
		{"shells", []string{"completion", ""}, []string{"bash", "zsh", "fish"}, nil},
		{"commands to be helped with", []string{"help", "versions", ""}, []string{"list"}, []string{"validate"}},
		{"targets without a project", []string{"plan", "--target", ""}, nil, []string{"local"}},
		{"nothing for free text", []string{"validate", "--rev", ""}, nil, []string{"text"}},
		{"the first word of nothing", nil, []string{"init"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := call(t, t.TempDir(), nil, append([]string{"__complete"}, tt.line...)...)
			if got.status != 0 || got.stderr != "" {
				t.Fatalf("got status %d, stderr %q", got.status, got.stderr)
			}
			var words []string
			for line := range strings.Lines(got.stdout) {
				word, _, _ := strings.Cut(line, "\t")
				words = append(words, word)
			}
			for _, w := range tt.want {
				if !slices.Contains(words, w) {
					t.Errorf("got %q, want %q among them", words, w)
				}
			}
			for _, w := range tt.none {
				if slices.Contains(words, w) {
					t.Errorf("got %q, want no %q", words, w)
				}
			}
		})
	}
}

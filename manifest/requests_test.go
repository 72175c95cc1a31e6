package manifest

import (
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"
)

func TestRequestFiles(t *testing.T) {
	files := fstest.MapFS{
		"entities/a.json": {}, "entities/b.txt": {}, "requests/1.jsonl": {}, "logs/2.jsonl": {},
		"logs/link.jsonl": {Mode: fs.ModeSymlink, Data: []byte("2.jsonl")},
	}
	tests := []struct {
		name, keys         string
		entities, requests []string
		rules              []string
	}{
		{"the default folders", "", []string{"entities/a.json"}, []string{"requests/1.jsonl"}, nil},
		{"other folders, and a link", "entities: []\nrequests: [logs/*.jsonl]\n", nil, []string{"logs/2.jsonl"}, []string{"symlink"}},
		{"a pattern that matches nothing", "requests: [none/*.jsonl]\n", []string{"entities/a.json"}, nil, []string{"pattern-without-files"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, problems, _ := parseProject([]byte("apiVersion: policypin.dev/v1\nkind: Project\n" + tt.keys))
			if problems != nil {
				t.Fatal(problems)
			}
			entities, requests, problems, err := p.RequestFiles(files)
			var rules []string
			for _, p := range problems {
				rules = append(rules, p.Rule)
			}
			if err != nil || !slices.Equal(entities, tt.entities) || !slices.Equal(requests, tt.requests) || !slices.Equal(rules, tt.rules) {
				t.Errorf("got %q, %q, %q, %v", entities, requests, rules, err)
			}
		})
	}
}

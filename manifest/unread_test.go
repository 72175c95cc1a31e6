package manifest

import (
	"fmt"
	"strings"
	"testing"
)

// A manifest that can't be understood says nothing about its set: nobody
// removed it, or an entry of it.
func TestCompareWithUnreadManifests(t *testing.T) {
	const set, exact, other = "policy-sets/agents.yaml", "policy-sets/exact.yaml", "policy-sets/other.yaml"
	bad := func(f files, file, text string) files { return f.with(files{file: text}) }
	for _, tt := range []struct {
		name string
		a, b files
		want string
	}{
		{"it doesn't parse any more", goodFiles, bad(goodFiles, set, "{"), "agents unread policy-sets/agents.yaml"},
		{"it parses again", bad(goodFiles, set, "{"), goodFiles, "agents unread policy-sets/agents.yaml"},
		{"it is empty", goodFiles, bad(goodFiles, set, "# later\n"), "agents unread policy-sets/agents.yaml"},
		{"it is too large", goodFiles, bad(goodFiles, set, strings.Repeat("# long\n", 3<<20)), "agents unread policy-sets/agents.yaml"},
		{"its entries are lost", goodFiles, goodFiles.edit(t, set, "entries:", "entires:"), "agents unread policy-sets/agents.yaml"},
		{"an entry is lost", goodFiles, goodFiles.edit(t, set, "version: 3", "version: three"), "agents unread policy-sets/agents.yaml"},
		{"its name is lost", goodFiles, goodFiles.edit(t, set, "name: agents", "name: [agents]"), "agents unread policy-sets/agents.yaml"},
		{"its name changes as well", goodFiles, goodFiles.edit(t, set, "name: agents", "name: robots").edit(t, set, "version: 3", "version: x"),
			"agents unread policy-sets/agents.yaml"},
		{"nobody has read it before or after", bad(goodFiles, set, "{"), bad(goodFiles, set, "["), " unread policy-sets/agents.yaml"},
		{"nobody touched it", bad(goodFiles, set, "{"), bad(goodFiles, set, "{").with(files{exact: ""}), "exact removed "},
		{"it is new", goodFiles, bad(goodFiles, other, "{"), " unread policy-sets/other.yaml"},
		{"a set may have moved there", goodFiles, bad(goodFiles, other, "{").with(files{exact: ""}), "exact unread policy-sets/other.yaml"},
		{"a set may have come from there", bad(goodFiles, other, "{").with(files{exact: ""}), goodFiles, "exact unread policy-sets/other.yaml"},
		{"the set has moved elsewhere", goodFiles, bad(goodFiles, exact, "{").with(files{other: goodFiles[exact]}), " unread policy-sets/exact.yaml; exact layout "},
		{"the set is there twice, and the copy is broken", goodFiles,
			bad(goodFiles, other, strings.Replace(goodFiles[set], "version: 3", "version: x", 1)), "agents unread policy-sets/other.yaml"},
		{"a problem that loses nothing", goodFiles, goodFiles.edit(t, set, "version: 3\n", "version: 3\n  - policy: read\n    version: 1\n"), "agents layout "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, s := range agrees(t, tt.a, tt.b).Sets {
				if s.Kind == Unread && (len(s.Entries) > 0 || len(s.Fields) > 0) {
					t.Errorf("got %+v for what isn't known", s)
				}
				got = append(got, fmt.Sprintf("%s %s %s", s.Name, s.Kind, s.Unread))
			}
			if got := strings.Join(got, "; "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

package manifest

import (
	"fmt"
	"strings"
	"testing"
)

// Where a block breaks is found however far below its first line it is.
func TestIndentationFarBelow(t *testing.T) {
	var b strings.Builder
	b.WriteString("# One policy set.\napiVersion: policypin.dev/v1\nkind: PolicySet\nname: agents\nschema_version: \"2026-03-16\"\nentries:\n")
	for i := range 1000 {
		indent := ""
		if i == 700 {
			indent = " "
		}
		fmt.Fprintf(&b, "%s  - policy: p%d\n    version: 1\n", indent, i)
	}
	for _, tt := range []struct {
		name, text string
		line       int
	}{
		{"an item", b.String(), 6 + 2*700 + 1},
		{"with other line ends", strings.ReplaceAll(b.String(), "\n", "\r\n"), 6 + 2*700 + 1},
		{"too long a text to look through", b.String() + strings.Repeat("# long\n", maxSearched/7), 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems, _ := parseSet("policy-sets/agents.yaml", []byte(tt.text))
			if len(problems) != 1 || problems[0].Rule != "yaml-syntax" || problems[0].Line != tt.line {
				t.Errorf("got %v, want one on line %d", problems, tt.line)
			}
		})
	}
}

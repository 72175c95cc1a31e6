package zone

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestLocalZonePage: the rules and the seed that docs/local-zone.md shows are
// accepted, and it names every option of the attestation.
func TestLocalZonePage(t *testing.T) {
	b, err := os.ReadFile("../../docs/local-zone.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	_, failures, _ := strings.Cut(page, "## Failures")
	failures, _, _ = strings.Cut(failures, "\n## ")
	rules := regexp.MustCompile("(?m)^\\| `([A-Z*]+ /[^`]+)` \\|").FindAllStringSubmatch(failures, -1)
	if len(rules) != 8 {
		t.Errorf("found %d rules, want 8", len(rules))
	}
	for _, m := range rules {
		if _, err := ParseFault(m[1]); err != nil {
			t.Error(err)
		}
	}
	seed := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(page)
	if seed == nil {
		t.Fatal("the page shows no seed")
	}
	read, err := ReadSeed(seedFiles(map[string]string{"seed.json": seed[1], "finance-read.cedar": permitAll}), ".")
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, func(o *Options) { o.Seed = read })
	if got := must(t, s, "GET", "policy-sets?filter[active]=true", "").items("name"); len(got) != 1 || got[0] != "agents" {
		t.Errorf("active sets with the shown seed: got %q, want agents", got)
	}
	for _, shape := range []string{AttestStatement, AttestEnvelope, AttestNone} {
		if !strings.Contains(page, "- `"+shape+"`") {
			t.Errorf("the page doesn't explain %s", shape)
		}
	}
}

package cedar

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var unseen = regexp.MustCompile(`‹([0-9A-F]{4})›`)

// readEdges reads testdata/official/edges.txt.
func readEdges(t *testing.T) (policies []string) {
	t.Helper()
	data, err := os.ReadFile("testdata/official/edges.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		line = strings.NewReplacer("⏎", "\n", "⇥", "\t", "␍", "\r").Replace(line)
		line = unseen.ReplaceAllStringFunc(line, func(s string) string {
			n, err := strconv.ParseUint(strings.Trim(s, "‹›"), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return string(rune(n))
		})
		policies = append(policies, wholeStatement(line))
	}
	return policies
}

// TestOfficialAgreesOnEdges compares the two engines on what somebody thought of:
// the borders of the grammar, of literals and of types.
func TestOfficialAgreesOnEdges(t *testing.T) {
	o := startOfficial(t)
	s, text := readSchema(t, officialSchemas["tokens"])
	g := newGenerator(s, 7)
	var total tally
	var cedar []string
	for _, policy := range readEdges(t) {
		if total.verdicts(o, s, text, policy) {
			cedar = append(cedar, policy)
		}
	}
	for group := range slices.Chunk(cedar, 60) {
		total.decisions(o, g, text, group)
	}
	total.report(t)
	if total.policies < 900 || total.requests < 400 {
		t.Errorf("not much was compared: %s", total.String())
	}
}

package impact

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
)

// TestWitnessesCanBeGivenBack: an example, as JSON has it, is a line of a log.
// Tried again as such, it is found to change in the same way for the same cause.
func TestWitnessesCanBeGivenBack(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for witnesses := 0; witnesses < 20; {
		from, to := tree(t, randomPolicy(r), randomPolicy(r)), tree(t, randomPolicy(r), randomPolicy(r))
		var lines []string
		want := map[string]int{}
		for _, s := range Compare(from, to, Options{}).Sets {
			for _, f := range s.Findings {
				want[f.key()] = len(f.Examples)
				for _, e := range f.Examples {
					lines = append(lines, logLine(t, e))
				}
			}
		}
		if witnesses += len(lines); len(lines) == 0 {
			continue
		}
		for _, s := range Compare(from, to, Options{Given: readGiven(t, "[]", lines...)}).Sets {
			if s.Sources.Skipped > 0 {
				t.Errorf("%d of %d witnesses are no requests: %v", s.Sources.Skipped, len(lines), s.Skipped)
			}
			for _, f := range s.Findings {
				if f.Given != want[f.key()] {
					t.Errorf("%s by %v: %d of %d witnesses change when they are given back", f.Kind, f.Cause, f.Given, want[f.key()])
				}
			}
		}
	}
}

// logLine is a witness as one line.
func logLine(t *testing.T, e Example) string {
	t.Helper()
	line := map[string]json.RawMessage{}
	if err := json.Unmarshal(e.Request, &line); err != nil {
		t.Fatal(err)
	}
	line["entities"] = e.Entities
	text, err := json.Marshal(line)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

package impact

import (
	"strings"
	"testing"
)

// FuzzGiven tries files that anybody may have written: whatever they hold, each
// line is decided, skipped or reported, and each example can be decided again.
func FuzzGiven(f *testing.F) {
	f.Add(entities, request("x", "")+"\n"+request("y", `, "context": {"n": 1}`))
	f.Add(`[]`, request("x", `, "entities": [{"uid": "User::\"x\"", "attrs": {"dept": "z", "vip": true, "rank": "1.5"}}, {"uid": "Doc::\"d\"", "attrs": {"owner": "User::\"x\""}}]`))
	f.Add(`[{"uid": "Team::\"t\"", "parents": ["Team::\"t\""]}]`, `{"principal": 1}`)
	f.Add(`{`, "\x00\r\n\n{}")
	from, to := tree(f, deptX, `forbid (principal in Org::"o", action, resource) when { context.n > 1 };`), tree(f, anyone)
	f.Fuzz(func(t *testing.T, entities, log string) {
		given := &Given{}
		problems, err := given.AddEntities("e.json", strings.NewReader(entities))
		if err != nil {
			t.Fatal(err)
		}
		if problems != nil {
			given = &Given{}
		}
		if problems, err := given.AddRequests("log.jsonl", strings.NewReader(log)); problems != nil || err != nil {
			t.Fatal(problems, err)
		}
		r := Compare(from, to, Options{Given: given})
		s := r.Sets[0]
		lines := 0
		for line := range strings.SplitSeq(log, "\n") {
			if strings.TrimSpace(line) != "" {
				lines++
			}
		}
		if got := s.Sources.Logs + s.Sources.Skipped + len(r.Problems); got != lines && len(r.Problems) < maxLogProblems {
			t.Fatalf("got %d decided, %d skipped and %d problems of %d lines", s.Sources.Logs, s.Sources.Skipped, len(r.Problems), lines)
		}
		for _, finding := range s.Findings {
			for _, e := range finding.Examples {
				if e.At.File != "" && !strings.Contains(string(e.Request)+string(e.Entities), "shaped like a credential") {
					checkFlip(t, parse(t, from.Schemas["v1"], e.Entities, e.Request), from, to, finding.Kind)
				}
			}
		}
	})
}

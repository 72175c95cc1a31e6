package report

import (
	"strings"
	"testing"
	"time"
)

// answer is an uncertain denial with something of everything in it.
func answer() Why {
	commit := func(id string) WhyCommit {
		return WhyCommit{
			Commit: strings.Repeat(id, 40), Author: "Bo <bo@example.com>", Subject: "Forbid it",
			Date: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC),
		}
	}
	var since []WhyChange
	for range 5 {
		since = append(since, WhyChange{Kind: WhyLayout, WhyCommit: commit("b")})
	}
	since[0].Kind, since[0].From = WhyMoved, "policies/old.cedar"
	return Why{
		Schema: 1, At: Side{Name: "agents/v12", Commit: strings.Repeat("c", 40)}, Set: "agents", SchemaVersion: "2026-03-16",
		Pin:       &WhyPin{Tag: "policypin/production/agents/v12", Target: "production", Set: "agents", Version: 12, PublishedAt: time.Date(2026, 3, 5, 9, 0, 0, 0, time.UTC)},
		Principal: `User::"ada"`, Action: `Action::"read"`, Resource: `Doc::"plan"`, Decision: "deny", Considered: 3, Unread: []string{"p1", "p2"},
		Determining: []WhyPolicy{
			{Policy: "no", Effect: "forbid", File: "policies/no.cedar", Line: 3, Source: true, Version: 2, History: WhyHistory{WhyCommitted, commit("a")}, Since: since},
			{Policy: "far", Effect: "forbid", File: "policies/far.cedar", Line: 1, Source: true, History: WhyHistory{WhyTooFar, commit("d")}},
			{Policy: "new", Effect: "forbid", File: "policies/new.cedar", Line: 1, Source: true, History: WhyHistory{Status: WhyUncommitted}},
			{Policy: "platform", Effect: "forbid", File: "policy-sets/agents.yaml", Line: 9, Version: 3, History: WhyHistory{WhyShallow, commit("e")}},
		},
		Errors: []WhyError{{
			WhyPolicy: WhyPolicy{Policy: "odd", Effect: "permit", File: "policies/odd.cedar", Line: 1, Source: true, History: WhyHistory{WhyCommitted, commit("a")}},
			Message:   "type error",
		}},
		Undeclared: []string{`User::"ada"`},
	}
}

func TestWhyText(t *testing.T) {
	var b strings.Builder
	if err := WhyText(&b, Style{}, answer()); err != nil {
		t.Fatal(err)
	}
	const want = `DENY (uncertain) User::"ada" Action::"read" Doc::"plan"
by policy set agents v12 (policypin/production/agents/v12, published 2026-03-05 09:00:00Z) in agents/v12 (cccccccccccc): 3 policies considered
not read: the text of 2 policies isn't in the repository, and could change this: p1, p2

error in permit odd (policies/odd.cedar:1)
  couldn't be evaluated, so it counts for nothing: type error
  last changed in aaaaaaaaaaaa, 2026-03-02 10:00:00Z, by Bo <bo@example.com>
    Forbid it

forbid no v2 (policies/no.cedar:3)
  last changed in aaaaaaaaaaaa, 2026-03-02 10:00:00Z, by Bo <bo@example.com>
    Forbid it
  it was moved from policies/old.cedar in bbbbbbbbbbbb, 2026-03-02 10:00:00Z, by Bo <bo@example.com>
  only its layout changed in bbbbbbbbbbbb, 2026-03-02 10:00:00Z, by Bo <bo@example.com>
  only its layout changed in bbbbbbbbbbbb, 2026-03-02 10:00:00Z, by Bo <bo@example.com>
  and 2 earlier commits that kept the content

forbid far (policies/far.cedar:1)
  last changed before dddddddddddd, 2026-03-02 10:00:00Z, by Bo <bo@example.com>, where the search ended

forbid new (policies/new.cedar:1)
  not committed

forbid platform v3 (policy-sets/agents.yaml:9)
  its version chosen before eeeeeeeeeeee, where this clone's history ends; git fetch --unshallow brings the rest
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if notes := WhyNotes(answer()); len(notes) != 1 || !strings.HasPrefix(notes[0], `User::"ada" isn't among the entities`) {
		t.Errorf("got notes %q", notes)
	}
}

// Whatever of an answer comes from somebody else can't reach the terminal bare.
func TestWhyTextIsHarmless(t *testing.T) {
	const evil = "a\x1b[2J\u202e\n::error::b"
	y := answer()
	y.Set, y.Principal, y.Action, y.Resource, y.At.Name, y.Pin.Tag = evil, evil, evil, evil, evil, evil
	y.Unread, y.Undeclared, y.Errors[0].Message = []string{evil}, []string{evil}, evil
	for i := range y.Determining {
		d := &y.Determining[i]
		d.Policy, d.File, d.History.Author, d.History.Subject = evil, evil, evil, evil
		for j := range d.Since {
			d.Since[j].From, d.Since[j].Author, d.Since[j].Subject = evil, evil, evil
		}
	}
	var b strings.Builder
	if err := WhyText(&b, Style{}, y); err != nil {
		t.Fatal(err)
	}
	text := b.String() + strings.Join(WhyNotes(y), "\n")
	if strings.ContainsAny(text, "\x1b\u202e") || strings.Contains(text, "\n::") || !strings.Contains(text, `a\x1b[2J\u202e\n::error::b`) {
		t.Errorf("got\n%q", text)
	}
	plain := strings.Count(b.String(), "\n")
	b.Reset()
	if err := WhyText(&b, Style{Color: true}, y); err != nil {
		t.Fatal(err)
	}
	if strings.Count(b.String(), "\n") != plain || !strings.Contains(b.String(), "\x1b[31mDENY\x1b[0m") {
		t.Errorf("with colour: got\n%q", b.String())
	}
}

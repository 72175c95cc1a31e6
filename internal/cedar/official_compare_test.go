package cedar

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/policypin/policypin/diag"
)

// officialSchemas are those that policies are generated for.
var officialSchemas = map[string]string{
	"rich":    "testdata/official/rich.cedarschema",
	"tokens":  "testdata/official/tokens.cedarschema",
	"keycard": "../../examples/quickstart/schemas/2026-06-18.cedarschema",
	"older":   "../../manifest/testdata/2026-03-16.cedarschema",
}

// Each schema gets so many policies, half of them well-typed, and for each
// group of its policies so many worlds and requests in each.
const (
	policiesOfASchema = 300
	policiesOfAGroup  = 20
	requestsOfAGroup  = 40
)

func readSchema(t *testing.T, file string) (*Schema, string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, problems := ParseSchema(file, data)
	if s == nil {
		t.Fatal(problems)
	}
	return s, string(data)
}

// TestOfficialAgrees compares the two engines on policies that a fixed seed
// makes: is the text Cedar, is it well-typed, and, for whatever is Cedar, which
// requests does it decide how, by which policies, and which can't be evaluated.
func TestOfficialAgrees(t *testing.T) {
	o := startOfficial(t)
	var total tally
	for i, name := range slices.Sorted(maps.Keys(officialSchemas)) {
		s, text := readSchema(t, officialSchemas[name])
		g := newGenerator(s, uint64(i))
		var policies []string
		for k := range policiesOfASchema {
			g.faults = []int{0, 25}[k%2]
			policy := g.policy()
			if k%10 == 9 {
				policy = g.garble(policy)
			}
			policies = append(policies, policy)
		}
		var cedar []string
		for _, policy := range policies {
			if total.verdicts(o, s, text, policy) {
				cedar = append(cedar, policy)
			}
		}
		for group := range slices.Chunk(cedar, policiesOfAGroup) {
			total.decisions(o, g, text, group)
		}
	}
	total.report(t)
	if total.policies < 1000 || total.requests < 2000 || total.allowed == 0 || total.failed == 0 || total.known[accepted] < total.policies/3 || total.known[illTyped] == 0 || total.known[notCedar] == 0 {
		t.Errorf("not much was compared: %s", total.String())
	}
}

// garble changes, drops or doubles a character somewhere.
func (g *generator) garble(text string) string {
	runes := []rune(text)
	i := g.IntN(len(runes))
	switch g.IntN(3) {
	case 0:
		return string(slices.Delete(runes, i, i+1))
	case 1:
		return string(slices.Insert(runes, i, runes[i]))
	}
	runes[i] = pick(g, '(', ')', '"', '.', ',', '!', '-', '1', 'x', ' ', '\n', '\\', '@', '{', ']', ';', '=', '/', 'é')
	return string(runes)
}

// A tally counts what was compared, and keeps examples of what differs.
type tally struct {
	policies, requests, allowed, failed, evaluated int
	known                                          map[verdict]int
	excepted                                       map[string]int
	different                                      map[string][]string
}

func (c *tally) String() string {
	return fmt.Sprintf("%d policies %v, %d requests (%d allowed, %d with errors, %d policies evaluated), known differences %v, %d unknown",
		c.policies, c.known, c.requests, c.allowed, c.failed, c.evaluated, c.excepted, len(c.different))
}

func (c *tally) differ(class, example string) {
	if c.different == nil {
		c.different = map[string][]string{}
	}
	c.different[class] = append(c.different[class], example)
}

// report gives the classes of disagreements with up to three examples each.
func (c *tally) report(t *testing.T) {
	t.Helper()
	t.Log(c.String())
	for _, class := range slices.Sorted(maps.Keys(c.different)) {
		examples := c.different[class]
		t.Errorf("%s: %d\n%s", class, len(examples), strings.Join(examples[:min(3, len(examples))], "\n"))
	}
}

// verdicts compares what the two say of a policy, and tells whether they
// agree that it can be evaluated.
func (c *tally) verdicts(o *official, s *Schema, schema, policy string) bool {
	if c.known == nil {
		c.known, c.excepted = map[verdict]int{}, map[string]int{}
	}
	c.policies++
	v, rules, words := ourVerdict(s, policy)
	w, theirWords := theirVerdict(o, schema, policy)
	switch d := explained(v, rules, words, w); {
	case v == w:
		c.known[v]++
		return v != notCedar
	case d != "":
		c.excepted[d]++
	default:
		c.differ(fmt.Sprintf("we say %s %v, the official engine %s", v, rules, w), fmt.Sprintf("%s\n  ours:   %s\n  theirs: %s", policy, words, theirWords))
	}
	return false
}

// decisions compares what a group of policies decides. Every second group holds
// permits alone, since a forbid that matches hides which permits do.
func (c *tally) decisions(o *official, g *generator, schema string, group []string) {
	var named []Named
	texts := map[string]string{}
	permits := g.oneIn(2)
	g.faults = 0
	for i, policy := range group {
		p, problems := Parse("p", []byte(policy))
		if p == nil {
			o.t.Fatal(problems)
		}
		if permits && p.Effect() == "forbid" {
			policy = policy[:p.start] + strings.Replace(policy[p.start:], "forbid", "permit", 1)
			if p, _ = Parse("p", []byte(policy)); p == nil || p.Effect() != "permit" {
				continue // an annotation that says forbid
			}
		}
		name := strconv.Itoa(i)
		named = append(named, Named{Name: name, Policy: p})
		texts[name] = policy
	}
	authorizer := NewAuthorizer(named)
	entities := g.entities()
	document, err := json.Marshal(entities)
	if err != nil {
		o.t.Fatal(err)
	}
	data, problems := ParseEntitiesJSON("e", document)
	if problems.Err() != nil {
		o.t.Fatal(problems)
	}
	world, problems := g.schema.Entities(data)
	if problems.Err() != nil {
		o.t.Fatal(problems)
	}
	q := question{Ask: "authorize", Schema: schema, Policies: texts, Entities: entities}
	for range requestsOfAGroup {
		q.Requests = append(q.Requests, g.request())
	}
	a := o.ask(q)
	if a.Trap != "" || len(a.Parse) > 0 {
		o.t.Fatalf("%s %v", a.Trap, a.Parse)
	}
	for i, request := range q.Requests {
		line, err := json.Marshal(request)
		if err != nil {
			o.t.Fatal(err)
		}
		c.requests++
		c.evaluated += len(named)
		theirs := a.Decisions[i]
		d, problems := decide(g.schema, authorizer, world, line)
		if len(problems) > 0 || len(theirs.Failure) > 0 {
			if len(problems) == 0 || len(theirs.Failure) == 0 {
				c.differ("a request that one of both refuses", fmt.Sprintf("%s\n  ours:   %v\n  theirs: %v", line, problems, theirs.Failure))
			}
			continue
		}
		if d.Allow {
			c.allowed++
		}
		if len(d.Errors) > 0 {
			c.failed++
		}
		c.decision(d, theirs, texts, string(line), string(document))
	}
}

// decision compares two decisions on one request.
func (c *tally) decision(d Decision, theirs officialDecision, texts map[string]string, request, entities string) {
	one := map[string]bool{}   // ours
	other := map[string]bool{} // theirs
	for _, name := range d.Reasons {
		one["is determined by "+name] = true
	}
	for _, e := range d.Errors {
		one["fails in "+e.Policy] = true
	}
	for _, name := range theirs.Reasons {
		other["is determined by "+name] = true
	}
	for _, e := range theirs.Errors {
		other["fails in "+e.Policy] = true
	}
	one["is allowed"], other["is allowed"] = d.Allow, theirs.Decision == "allow"
	if maps.Equal(one, other) {
		return
	}
	for name, policy := range texts {
		for _, what := range []string{"is determined by ", "fails in "} {
			if one[what+name] == other[what+name] {
				continue
			}
			if farDate.MatchString(policy) {
				c.excepted[lateDates.name]++
			} else {
				c.differ("a decision that "+what+"…", fmt.Sprintf("%s\n  request %s\n  ours %v, theirs %v, we say %v, the official engine %v\n  %s",
					policy, request, one[what+name], other[what+name], d.Errors, theirs.Errors, clip(entities)))
			}
		}
	}
}

// lateDates is the one difference in decisions.
var lateDates = difference{
	name:    "Dates in 146 million years",
	example: `datetime("2026-11-21").offset(duration("53375995583d")).toDate() > datetime("2026-11-21")`,
}

var farDate = regexp.MustCompile(`(?s)"-?(\d{9,}d|\d{17,}ms)".*toDate`)

func TestOfficialDecisionDifference(t *testing.T) {
	o := startOfficial(t)
	s, text := readSchema(t, officialSchemas["tokens"])
	g := newGenerator(s, 1)
	policy := wholeStatement(lateDates.example)
	a := o.ask(question{Ask: "authorize", Schema: text, Policies: map[string]string{"0": policy}, Entities: []any{}, Requests: []any{g.request()}})
	world, _ := s.Entities(nil)
	line, err := json.Marshal(g.request())
	if err != nil {
		t.Fatal(err)
	}
	d, problems := decide(s, NewAuthorizer([]Named{{"0", mustParse(t, policy)}}), world, line)
	if len(problems) > 0 || len(d.Errors) != 1 || !farDate.MatchString(policy) {
		t.Errorf("we say %+v %v", d, problems)
	}
	if len(a.Decisions) != 1 || a.Decisions[0].Decision != "allow" {
		t.Errorf("the official engine says %+v", a)
	}
}

// decide answers a request in JSON, or says what is wrong with it.
func decide(s *Schema, a *Authorizer, world *Entities, line []byte) (Decision, diag.List) {
	data, problems := ParseRequestJSON(diag.Position{File: "r"}, line)
	if problems.Err() != nil {
		return Decision{}, problems
	}
	r, problems := s.Request(data)
	if problems.Err() != nil {
		return Decision{}, problems
	}
	return a.Decide(world, r), nil
}

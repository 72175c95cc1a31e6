package impact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

// A universe is every request over a few values, each made from files' data
// and checked by the schema, and not by what makes up requests.
type universe struct {
	schema *cedar.Schema
	cases  []universeCase
}

type universeCase struct {
	world   *cedar.Entities
	request cedar.Request
}

// datum is the data of a JSON value, as a file would have it.
func datum(v any) cedar.Datum {
	switch v := v.(type) {
	case bool:
		return cedar.Datum{Kind: cedar.Bool, Text: fmt.Sprint(v)}
	case json.Number:
		return cedar.Datum{Kind: cedar.Number, Text: v.String()}
	case string:
		return cedar.Datum{Kind: cedar.Text, Text: v}
	case []any:
		d := cedar.Datum{Kind: cedar.List}
		for _, item := range v {
			d.Items = append(d.Items, datum(item))
		}
		return d
	case map[string]any:
		d := cedar.Datum{Kind: cedar.Map}
		for name, value := range v {
			d.Keys = append(d.Keys, cedar.Member{Name: name, Value: datum(value)})
		}
		return d
	}
	return cedar.Datum{Kind: cedar.Null}
}

func placed(v any) cedar.PlacedUID {
	m := v.(map[string]any)
	if inner, ok := m["__entity"].(map[string]any); ok {
		m = inner
	}
	return cedar.PlacedUID{UID: cedar.UID{Type: m["type"].(string), ID: m["id"].(string)}}
}

// parse reads entities and a request in Cedar's JSON format.
func parse(t testing.TB, schema *cedar.Schema, entities, request []byte) universeCase {
	t.Helper()
	decode := func(doc []byte, into any) {
		d := json.NewDecoder(bytes.NewReader(doc))
		d.UseNumber()
		if err := d.Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	var list []map[string]any
	decode(entities, &list)
	var data []cedar.EntityData
	for _, e := range list {
		one := cedar.EntityData{PlacedUID: placed(e["uid"]), Attrs: datum(e["attrs"])}
		for _, p := range e["parents"].([]any) {
			one.Parents = append(one.Parents, placed(p))
		}
		data = append(data, one)
	}
	world, problems := schema.Entities(data)
	if problems != nil {
		t.Fatalf("%s: %v", entities, problems)
	}
	var r map[string]any
	decode(request, &r)
	checked, problems := schema.Request(cedar.RequestData{
		Principal: placed(r["principal"]), Action: placed(r["action"]), Resource: placed(r["resource"]), Context: datum(r["context"]),
	})
	if problems != nil {
		t.Fatalf("%s: %v", request, problems)
	}
	return universeCase{world, checked}
}

func newUniverse(t testing.TB, schema *cedar.Schema) *universe {
	u := &universe{schema: schema}
	uid := func(kind, id string) string { return fmt.Sprintf(`{"type":%q,"id":%q}`, kind, id) }
	for _, user := range []string{"a", "b", "z"} {
		for _, attrs := range []string{`"dept":"x","vip":true`, `"dept":"z","vip":false,"level":0,"rank":"0.9999"`, `"dept":"x","vip":false,"level":1,"rank":"1.0"`, `"dept":"z","vip":true,"level":2,"rank":"-3.5"`} {
			for _, teams := range []string{"", uid("Team", "s"), uid("Team", "t"), uid("Team", "s") + "," + uid("Team", "t")} {
				for _, owner := range []string{"a", "b", "z"} {
					for _, folder := range []string{"", uid("Folder", "f")} {
						for _, context := range []string{``, `"tags":[],"at":"2026-01-01"`, `"tags":["x"],"n":0,"wait":"1h1ms","ip":"10.0.0.1"`, `"tags":["y"],"at":"2025-12-31T23:59:59.999Z"`,
							`"tags":["z"],"n":5,"at":"2026-01-01T00:00:00.001Z","ip":"10.0.0.2"`, `"tags":["x","z"],"wait":"-1ms","ip":"192.0.2.1"`} {
							for _, action := range []string{"read", "write"} {
								u.cases = append(u.cases, parse(t, schema,
									fmt.Appendf(nil, `[{"uid":%s,"attrs":{%s},"parents":[%s]},{"uid":%s,"attrs":{"owner":"User::\"%s\""},"parents":[%s]}]`,
										uid("User", user), attrs, teams, uid("Doc", "d"), owner, folder),
									fmt.Appendf(nil, `{"principal":%s,"action":%s,"resource":%s,"context":{%s}}`,
										uid("User", user), uid("Action", action), uid("Doc", "d"), context)))
							}
						}
					}
				}
			}
		}
	}
	return u
}

// Impact finds every way in which brute force over a small universe sees two
// policy sets differ, where it says that it is complete; and each witness is a
// request that the schema allows and that is decided differently.
func TestBruteForce(t *testing.T) {
	t.Run("at once", func(t *testing.T) { bruteForce(t, fewOthers) })
	t.Run("one by one", func(t *testing.T) { bruteForce(t, -1) })
}

func bruteForce(t *testing.T, few int) {
	u := newUniverse(t, tree(t, "permit (principal, action, resource);").Schemas["v1"])
	complete, flips, hidden := 0, 0, 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		var from, to []string
		for range 1 + r.IntN(3) {
			from = append(from, randomPolicy(r))
		}
		to = slices.Clone(from)
		for range 1 + r.IntN(2) {
			to[r.IntN(len(to))] = randomPolicy(r)
		}
		if r.IntN(4) == 0 {
			to = append(to, randomPolicy(r))
		}
		a, b := tree(t, from...), tree(t, to...)
		report := withFewOthers(t, few, a, b)
		sa, sb := newState(true, a, a.Sets[0], nil), newState(false, b, b.Sets[0], nil)
		sa.mark(sb)
		sb.mark(sa)
		c := newComparison(u.schema, sa, sb)
		found := map[string]bool{}
		for _, s := range report.Sets {
			for _, f := range s.Findings {
				found[f.key()] = true
				for _, e := range f.Examples {
					w := parse(t, u.schema, e.Entities, e.Request)
					checkFlip(t, w, a, b, f.Kind)
				}
			}
		}
		if report.Complete() {
			complete++
		}
		for _, w := range u.cases {
			before, after := decide(a, w), decide(b, w)
			flipped := before.Allow != after.Allow
			if !flipped && len(before.Errors)+len(after.Errors) == 0 {
				continue
			}
			f, differs := c.judge(w.world, w.request)
			if flipped != (differs && f.Kind != ErrorChanged) {
				t.Fatalf("seed %d, %s: the judge and the engine disagree", seed, w.request)
			}
			if !differs {
				continue
			}
			flips++
			if found[f.key()] {
				continue
			}
			if hidden++; report.Complete() {
				t.Fatalf("seed %d: impact says complete and misses %s of %s\nfrom %s\nto %s", seed, f.key(), w.request,
					strings.Join(from, "\n"), strings.Join(to, "\n"))
			}
		}
	}
	t.Logf("%d of 200 complete, %d flips, %d not found where not complete", complete, flips, hidden)
	if complete < 80 || complete > 190 || flips < 1000 {
		t.Errorf("the test shows little: %d complete, %d flips", complete, flips)
	}
}

var authorizers = map[*manifest.Tree]*cedar.Authorizer{}

func decide(tree *manifest.Tree, w universeCase) cedar.Decision {
	if authorizers[tree] == nil {
		var named []cedar.Named
		for _, e := range tree.Sets[0].Entries {
			named = append(named, cedar.Named{Name: e.Policy, Policy: tree.Sources[e.Source]})
		}
		authorizers[tree] = cedar.NewAuthorizer(named)
	}
	return authorizers[tree].Decide(w.world, w.request)
}

func checkFlip(t *testing.T, w universeCase, a, b *manifest.Tree, kind Kind) {
	t.Helper()
	before, after := decide(a, w), decide(b, w)
	got := ErrorChanged
	switch {
	case after.Allow && !before.Allow:
		got = Widened
	case before.Allow && !after.Allow:
		got = Narrowed
	case slices.Equal(before.Errors, after.Errors):
		got = ""
	}
	if got != kind {
		t.Errorf("a witness for %s is %q: %s", kind, got, w.request)
	}
}

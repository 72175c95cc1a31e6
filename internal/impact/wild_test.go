package impact

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

func n(text string) any { return json.Number(text) }

// value is a random value of an attribute; ok is false if it isn't there.
func (w *wild) value(a attr) (v any, ok bool) {
	if a.optional && w.r.IntN(3) == 0 {
		return nil, false
	}
	if a.record != nil {
		return w.record(a.record), true
	}
	return one(w, a.kind.values...), true
}

func (w *wild) record(list []attr) map[string]any {
	m := map[string]any{}
	for _, a := range list {
		if v, ok := w.value(a); ok {
			m[a.name] = v
		}
	}
	return m
}

// worldAndRequests are random entities, each with random parents, and requests
// among them.
func (w *wild) worldAndRequests(t testing.TB, schema *cedar.Schema, count int) (list []universeCase) {
	t.Helper()
	var data []cedar.EntityData
	density := w.r.IntN(4)
	order := 0
	rank := map[cedar.UID]int{}
	kinds := []string{"User", "Doc", "Folder", "Team", "Org"}
	w.r.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	for _, kind := range kinds {
		for _, id := range w.ids[kind] {
			rank[cedar.UID{Type: kind, ID: id}] = order + w.r.IntN(20)*100
			order++
		}
	}
	for _, kind := range kinds {
		for _, id := range w.ids[kind] {
			uid := cedar.UID{Type: kind, ID: id}
			e := cedar.EntityData{PlacedUID: cedar.PlacedUID{UID: uid}, Attrs: datum(w.record(w.shapes[kind]))}
			for _, p := range w.parents[kind] {
				for _, id := range w.ids[p] {
					parent := cedar.UID{Type: p, ID: id}
					if w.r.IntN(8) < density && (p == "Color" || rank[parent] > rank[uid]) {
						e.Parents = append(e.Parents, cedar.PlacedUID{UID: parent})
					}
				}
			}
			if kind == "User" && w.tags && w.r.IntN(2) == 0 {
				e.Tags = datum(map[string]any{"x": one[any](w, "x", "y")})
			}
			data = append(data, e)
		}
	}
	world, problems := schema.Entities(data)
	if problems != nil {
		t.Fatalf("%v\n%s", problems, w.text)
	}
	for range count {
		p, r := one(w, w.principals...), one(w, w.resources...)
		d := cedar.RequestData{
			Principal: cedar.PlacedUID{UID: cedar.UID{Type: p, ID: one(w, w.ids[p]...)}}, Action: cedar.PlacedUID{UID: cedar.UID{Type: "Action", ID: one(w, w.actions...)}},
			Resource: cedar.PlacedUID{UID: cedar.UID{Type: r, ID: one(w, w.ids[r]...)}}, Context: datum(w.record(w.shapes["context"])),
		}
		request, problems := schema.Request(d)
		if problems != nil {
			t.Fatalf("%v\n%s", problems, w.text)
		}
		list = append(list, universeCase{world, request})
	}
	return list
}

// A wildSide is one side, decided by the engine alone.
type wildSide struct {
	all     *cedar.Authorizer
	changed map[string]bool
}

func wildSides(from, to []cedar.Named) (a, b wildSide) {
	one := func(list, other []cedar.Named) wildSide {
		s := wildSide{cedar.NewAuthorizer(list), map[string]bool{}}
		for _, p := range list {
			s.changed[p.Name] = !slices.ContainsFunc(other, func(q cedar.Named) bool { return q.Policy.Digest() == p.Policy.Digest() })
		}
		return s
	}
	return one(from, to), one(to, from)
}

// wildKey says in what way and for what cause a request flips, or "".
func wildKey(a, b wildSide, w universeCase) string {
	x, y := a.all.Decide(w.world, w.request), b.all.Decide(w.world, w.request)
	pick := func(s wildSide, names []string) string {
		var list []string
		for _, name := range names {
			if s.changed[name] {
				list = append(list, name)
			}
		}
		slices.Sort(list)
		return strings.Join(slices.Compact(list), ",")
	}
	failed := func(s wildSide, d cedar.Decision) (names []string) {
		for _, e := range d.Errors {
			if s.changed[e.Policy] {
				names = append(names, e.Policy)
			}
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	switch fx, fy := failed(a, x), failed(b, y); {
	case y.Allow && !x.Allow:
		return "widened " + pick(a, x.Reasons) + " > " + pick(b, y.Reasons)
	case x.Allow && !y.Allow:
		return "narrowed " + pick(a, x.Reasons) + " > " + pick(b, y.Reasons)
	case !slices.Equal(fx, fy):
		return "error-changed " + strings.Join(without(fx, fy), ",") + " > " + strings.Join(without(fy, fx), ",")
	}
	return ""
}

func findingKey(f Finding) string {
	var sides [2][]string
	for _, c := range f.Cause {
		i := 1
		if c.From {
			i = 0
		}
		sides[i] = append(sides[i], c.Policy)
	}
	slices.Sort(sides[0])
	slices.Sort(sides[1])
	return string(f.Kind) + " " + strings.Join(slices.Compact(sides[0]), ",") + " > " + strings.Join(slices.Compact(sides[1]), ",")
}

func namedOf(tree *manifest.Tree) (list []cedar.Named) {
	for _, e := range tree.Sets[0].Entries {
		if p := tree.Sources[e.Source]; p != nil {
			list = append(list, cedar.Named{Name: e.Policy, Policy: p})
		}
	}
	return list
}

// Of random schemas, policies and entities: where impact says complete, no
// request flips in a way that isn't among the findings; and each example is a
// valid request that flips as it says. POLICYPIN_WILD_PAIRS asks for more pairs
// than CI has time for, POLICYPIN_WILD_SEED for others.
func TestWild(t *testing.T) {
	pairs, start, worlds := uint64(80), uint64(0), 5
	if s := os.Getenv("POLICYPIN_WILD_PAIRS"); s != "" {
		worlds = 15
		pairs, _ = strconv.ParseUint(s, 10, 64)
	}
	if s := os.Getenv("POLICYPIN_WILD_SEED"); s != "" {
		start, _ = strconv.ParseUint(s, 10, 64)
	}
	complete, flipping, flips, hidden := 0, 0, 0, 0
	reasons := map[string]int{}
	for seed := start; seed < start+pairs; seed++ {
		c, f, missed, found := wildPair(t, seed, worlds, reasons)
		if c {
			complete++
			if found {
				flipping++
			}
		}
		flips += f
		hidden += missed
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of %d complete, %d of them with findings, %d flips, %d not found where not complete", complete, pairs, flipping, flips, hidden)
	for r, n := range reasons {
		t.Logf("%6d %s", n, r)
	}
	if complete < int(pairs)/4 || flipping < int(pairs)/8 {
		t.Errorf("the test shows little")
	}
}

func wildPair(t *testing.T, seed uint64, worlds int, reasons map[string]int) (complete bool, flips, missed int, findings bool) {
	r := rand.New(rand.NewPCG(seed, 11))
	w := newWild(r)
	var from, to []string
	for range 1 + r.IntN(4) {
		from = append(from, w.policy())
	}
	to = slices.Clone(from)
	for range 1 + r.IntN(2) {
		to[r.IntN(len(to))] = w.policy()
	}
	switch r.IntN(5) {
	case 0:
		to = append(to, w.policy())
	case 1:
		to = append(to, from[r.IntN(len(from))]) // one policy twice
	case 2:
		to[0], to[len(to)-1] = to[len(to)-1], to[0] // other names
	case 3:
		from = append(from, w.policy())
	}
	schema := map[string]string{"schemas/v1.cedarschema": w.text}
	if _, problems := cedar.ParseSchema("s", []byte(w.text)); problems != nil {
		t.Fatal(problems, w.text)
	}
	a, b := treeWith(t, schema, from...), treeWith(t, schema, to...)
	left, right := namedOf(a), namedOf(b)
	if r.IntN(6) == 0 { // a policy whose text impact doesn't know
		secret := namedOf(treeWith(t, schema, w.policy()))[0]
		secret.Name = "secret"
		left, right = append(left, secret), append(right, secret)
		withNumbered(a, "secret", 1)
		withNumbered(b, "secret", 1)
	}
	few := fewOthers
	if seed%2 == 1 {
		few = -1 // the policies that stay the same are asked one by one
	}
	report := withFewOthers(t, few, a, b)
	x, y := wildSides(left, right)
	found := map[string]bool{}
	where := func() string {
		return fmt.Sprintf("seed %d\n%s\nfrom\n%s\nto\n%s", seed, w.text, strings.Join(from, "\n"), strings.Join(to, "\n"))
	}
	s := b.Schemas["v1"]
	for _, set := range report.Sets {
		for _, f := range set.Findings {
			found[findingKey(f)] = true
			for _, e := range f.Examples {
				got := wildKey(x, y, parse(t, s, e.Entities, e.Request))
				if len(left) == len(namedOf(a)) && got != findingKey(f) {
					t.Fatalf("an example for %s is %q: %s %s\n%s", findingKey(f), got, e.Request, e.Entities, where())
				}
			}
		}
		for _, u := range set.Uncovered {
			reasons[strings.SplitN(u.Reason, " of ", 2)[0]]++
		}
	}
	complete = report.Complete()
	for range worlds {
		for _, c := range w.worldAndRequests(t, s, 30) {
			key := wildKey(x, y, c)
			if key == "" {
				continue
			}
			flips++
			if found[key] {
				continue
			}
			if missed++; complete {
				t.Fatalf("impact says complete and misses %q of %s; it has %v\n%s", key, c.request, found, where())
			}
		}
	}
	return complete, flips, missed, len(found) > 0
}

package cedar

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

// A generator writes policies for one schema. Most are well-typed; one part in
// faults of an expression is of a type that doesn't belong there.
type generator struct {
	*rand.Rand
	schema *Schema
	faults int // 0: none

	environments []environment
	paths        map[string][]path_ // by type, of the environment that is written for
	kinds        []resolved.IsType  // of all paths
	guards       []string           // tests that the expression in hand rests on
}

// An environment is what a policy may be asked about: types, and an action.
type environment struct {
	principal, resource types.EntityType
	action              types.EntityUID
	context             resolved.RecordType
}

// A path_ leads from a variable to a value.
type path_ struct {
	text   string
	guards []string
	kind   resolved.IsType
}

func newGenerator(s *Schema, seed uint64) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 42)), schema: s}
	for _, uid := range slices.SortedFunc(maps.Keys(s.resolved.Actions), func(a, b types.EntityUID) int { return strings.Compare(a.String(), b.String()) }) {
		action := s.resolved.Actions[uid]
		if action.AppliesTo == nil {
			continue
		}
		for _, p := range action.AppliesTo.Principals {
			for _, r := range action.AppliesTo.Resources {
				g.environments = append(g.environments, environment{p, r, uid, action.AppliesTo.Context})
			}
		}
	}
	return g
}

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// oneIn is true once in n times, and never for 0.
func (g *generator) oneIn(n int) bool { return n > 0 && g.IntN(n) == 0 }

// enter chooses an environment and finds the paths that it has.
func (g *generator) enter(e environment) {
	g.paths, g.kinds = map[string][]path_{}, nil
	g.walk(path_{text: "principal", kind: resolved.EntityType(e.principal)}, 3)
	g.walk(path_{text: "resource", kind: resolved.EntityType(e.resource)}, 3)
	g.walk(path_{text: "context", kind: e.context}, 3)
	for _, k := range slices.Sorted(maps.Keys(g.paths)) {
		g.kinds = append(g.kinds, g.paths[k][0].kind)
	}
}

func (g *generator) walk(p path_, depth int) {
	g.paths[typeKey(p.kind)] = append(g.paths[typeKey(p.kind)], p)
	attributes, ok := p.kind.(resolved.RecordType)
	if entity, isEntity := p.kind.(resolved.EntityType); isEntity {
		attributes, ok = g.schema.resolved.Entities[types.EntityType(entity)].Shape, true
	}
	if !ok || depth == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		next := path_{text: p.text + g.access(string(name)), guards: p.guards, kind: a.Type}
		if a.Optional {
			next.guards = append(slices.Clone(p.guards), p.text+" has "+g.name(string(name)))
		}
		g.walk(next, depth-1)
	}
}

func (g *generator) access(name string) string {
	if ident(name) && g.IntN(4) > 0 {
		return "." + name
	}
	return "[" + g.quote(name) + "]"
}

func (g *generator) name(name string) string {
	if ident(name) && g.IntN(4) > 0 {
		return name
	}
	return g.quote(name)
}

// typeKey is equal for equal types.
func typeKey(t resolved.IsType) string {
	switch t := t.(type) {
	case resolved.RecordType:
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(t)) {
			fmt.Fprintf(&b, "%q %v %s,", name, t[name].Optional, typeKey(t[name].Type))
		}
		return "{" + b.String() + "}"
	case resolved.SetType:
		return "Set<" + typeKey(t.Element) + ">"
	}
	return fmt.Sprintf("%T %v", t, t)
}

// quote writes a string with one of its spellings.
func (g *generator) quote(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(pick(g, `\`+string(r), fmt.Sprintf(`\x%02x`, r), fmt.Sprintf(`\u{%x}`, r)))
		case r == '\n':
			b.WriteString(pick(g, `\n`, `\x0a`, `\u{a}`))
		case r == 0:
			b.WriteString(pick(g, `\0`, `\x00`, `\u{0}`))
		case r < ' ' || bidiControl(r) || g.oneIn(20):
			fmt.Fprintf(&b, `\u{%0*X}`, g.IntN(7), r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}

var (
	generatedStrings   = []string{"", "a", "ab", "abc", "a*c", "A", "é", "日本", `q"\`, "x\ny", "\x00", "👩‍👧", "\u202e", "*", "true", "1"}
	generatedPatterns  = []string{"", "*", "a*", "*c", "a*c", `a\*c`, "**", "*b*", `\*`, "é*", `\u{61}*`, `\"*`, `*\\`, "日*", "👩*", "*\\n*"}
	generatedDatetimes = []string{"2024-01-01", "2024-02-29", "1970-01-01", "2024-01-01T00:00:00Z", "2024-01-01T01:00:00.001Z", "1969-12-31T23:59:59.999Z", "2024-01-01T00:00:00+0100", "9999-12-31T23:59:59.999-2359", "0000-01-01"}
	generatedDurations = []string{"1d", "24h", "-1d", "1d2h3m4s5ms", "0ms", "1ms", "106751991167d", "-1ms", "9223372036854775807ms", "-9223372036854775807ms"}
	generatedDecimals  = []string{"1.0", "1.00", "-1.5", "0.0001", "922337203685477.5807", "-922337203685477.5808", "0.0", "-0.0"}
	generatedIPs       = []string{"127.0.0.1", "10.0.0.0/8", "10.1.2.3", "::1", "::/0", "0.0.0.0/0", "224.0.0.1", "ff00::/8", "10.1.2.3/32", "127.0.0.0/7"}
	brokenLiterals     = []string{"", "1", "+1.0", "1.00000", "2024-02-30", "2024-01-01T24:00:00Z", "1h1d", "1.2.3.4/33", "01.2.3.4", "a", "9223372036854775808ms", "1e3", " 1d", "2024-01-01T00:00:00+2400", "1:2", "::ffff:127.0.0.1"}
	generatedIDs       = []string{"a", "b", "c", "é \"x\"\\", ""}
	extensionValues    = map[resolved.ExtensionType][]string{"ipaddr": generatedIPs, "decimal": generatedDecimals, "datetime": generatedDatetimes, "duration": generatedDurations}
)

// id is one of an entity of the type; for an enum, mostly one that it declares.
func (g *generator) id(t types.EntityType) string {
	if enum, ok := g.schema.resolved.Enums[t]; ok && !g.oneIn(g.faults) {
		return string(pick(g, enum.Values...).ID)
	}
	return pick(g, generatedIDs...)
}

func (g *generator) entity(t types.EntityType) string { return string(t) + "::" + g.quote(g.id(t)) }

func (g *generator) anAction() string {
	if g.oneIn(g.faults) {
		return pick(g, `Action::"nope"`, `Nope::Action::"read"`)
	}
	uid := pick(g, slices.SortedFunc(maps.Keys(g.schema.resolved.Actions), func(a, b types.EntityUID) int { return strings.Compare(a.String(), b.String()) })...)
	return string(uid.Type) + "::" + g.quote(string(uid.ID))
}

// entityTypes are all of the schema, and one that it hasn't.
func (g *generator) entityType() types.EntityType {
	if g.oneIn(g.faults) {
		return pick[types.EntityType](g, "Nope", "Nope::User", "Action")
	}
	all := slices.Sorted(maps.Keys(g.schema.resolved.Entities))
	return pick(g, append(all, slices.Sorted(maps.Keys(g.schema.resolved.Enums))...)...)
}

// above is a type that entities of type t may be in, or t.
func (g *generator) above(t types.EntityType) types.EntityType {
	for range g.IntN(3) {
		if parents := g.schema.resolved.Entities[t].ParentTypes; len(parents) > 0 {
			t = pick(g, parents...)
		}
	}
	return t
}

// policy writes a whole statement.
func (g *generator) policy() string {
	e := pick(g, g.environments...)
	g.enter(e)
	var b strings.Builder
	for i := range g.IntN(3) * g.IntN(2) {
		fmt.Fprintf(&b, "@%s%s\n", pick(g, "id", "note", "if", "permit", "_x")+fmt.Sprint(i), pick(g, "", "("+g.quote(pick(g, generatedStrings...))+")", `("")`))
	}
	comma := pick(g, ", ", ",", ",\n  ", ", // why\n ")
	b.WriteString(pick(g, "permit", "permit", "forbid") + pick(g, "", " ") + "(")
	b.WriteString(g.scope("principal", e.principal) + comma + g.actionScope(e) + comma + g.scope("resource", e.resource) + pick(g, "", "", ",") + ")")
	for range pick(g, 0, 1, 1, 1, 1, 2, 3) {
		b.WriteString(pick(g, " ", "\n", " // é\n") + pick(g, "when", "when", "unless") + pick(g, " ", "") + "{ " + g.boolean(1+g.IntN(4)) + " }")
	}
	return b.String() + ";"
}

func (g *generator) scope(variable string, t types.EntityType) string {
	if g.oneIn(g.faults) {
		t = g.entityType()
	}
	switch g.IntN(9) {
	case 0:
		return variable + " == " + g.entity(t)
	case 1, 2:
		return variable + " in " + g.entity(g.above(t))
	case 3, 4:
		return variable + " is " + string(t)
	case 5:
		return variable + " is " + string(t) + " in " + g.entity(g.above(t))
	}
	return variable
}

func (g *generator) actionScope(e environment) string {
	uid := string(e.action.Type) + "::" + g.quote(string(e.action.ID))
	if g.oneIn(g.faults) {
		uid = g.anAction()
	}
	switch g.IntN(8) {
	case 0, 1:
		return "action == " + uid
	case 2:
		return "action in " + g.anAction()
	case 3, 4:
		return "action in [" + uid + ", " + g.anAction() + pick(g, "", ",") + "]"
	case 5:
		return "action in [" + uid + "]"
	case 6:
		return "action in " + uid
	}
	return "action"
}

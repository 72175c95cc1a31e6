package cedar

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

var (
	long     = resolved.IsType(resolved.LongType{})
	boolean  = resolved.IsType(resolved.BoolType{})
	text     = resolved.IsType(resolved.StringType{})
	ipaddr   = resolved.IsType(resolved.ExtensionType("ipaddr"))
	decimal  = resolved.IsType(resolved.ExtensionType("decimal"))
	datetime = resolved.IsType(resolved.ExtensionType("datetime"))
	duration = resolved.IsType(resolved.ExtensionType("duration"))
)

// kind is any type that an expression may have here.
func (g *generator) kind() resolved.IsType {
	if g.IntN(3) > 0 {
		return pick(g, g.kinds...)
	}
	return pick(g, long, boolean, text, ipaddr, decimal, datetime, duration, resolved.IsType(resolved.SetType{Element: long}),
		resolved.IsType(resolved.EntityType(g.entityType())), resolved.IsType(resolved.RecordType{"a": {Type: long}, "b c": {Type: text, Optional: true}}))
}

// boolean writes a condition.
func (g *generator) boolean(depth int) string {
	if g.oneIn(g.faults) && g.oneIn(2) {
		return g.expression(g.kind(), depth)
	}
	if depth > 0 {
		switch g.IntN(9) {
		case 0, 1:
			return "(" + g.boolean(depth-1) + " && " + g.boolean(depth-1) + ")"
		case 2, 3:
			return "(" + g.boolean(depth-1) + " || " + g.boolean(depth-1) + ")"
		case 4:
			return pick(g, "!", "!!") + "(" + g.boolean(depth-1) + ")"
		case 5:
			return "(if " + g.boolean(depth-1) + " then " + g.boolean(depth-1) + " else " + g.boolean(depth-1) + ")"
		}
	}
	outer := g.guards
	g.guards = nil
	e := g.atom(depth)
	guards := g.guards
	g.guards = outer
	if len(guards) == 0 || g.oneIn(g.faults) {
		return e
	}
	if g.oneIn(4) {
		return "(if " + strings.Join(guards, " && ") + " then " + e + " else false)"
	}
	return "(" + strings.Join(guards, " && ") + " && " + e + ")"
}

// atom writes a condition that isn't made of others.
func (g *generator) atom(depth int) string {
	next := max(depth-1, 0)
	both := func(t resolved.IsType, operators ...string) string {
		return "(" + g.expression(t, next) + " " + pick(g, operators...) + " " + g.expression(t, next) + ")"
	}
	method := func(t resolved.IsType, names ...string) string {
		return g.expression(t, next) + "." + pick(g, names...) + "(" + g.expression(t, next) + ")"
	}
	switch g.IntN(17) {
	case 0:
		return pick(g, "true", "false", "principal == resource", "context == context")
	case 1, 2, 3:
		return both(g.kind(), "==", "==", "!=")
	case 4, 5:
		return both(long, "<", "<=", ">", ">=")
	case 6:
		return both(pick(g, datetime, duration), "<", "<=", ">", ">=")
	case 7:
		return "(" + g.expression(text, next) + ` like "` + pick(g, generatedPatterns...) + `")`
	case 8:
		return method(decimal, "lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual")
	case 9:
		return pick(g, method(ipaddr, "isInRange"), g.expression(ipaddr, next)+"."+pick(g, "isIpv4", "isIpv6", "isLoopback", "isMulticast")+"()")
	case 10, 11:
		return g.in(next)
	case 12:
		e := pick(g, "principal", "resource", "action", g.expression(resolved.EntityType(g.entityType()), next))
		if g.oneIn(2) {
			return "(" + e + " is " + string(g.entityType()) + ")"
		}
		t := g.entityType()
		return "(" + e + " is " + string(t) + " in " + g.entity(g.above(t)) + ")"
	case 13:
		return g.has(next)
	case 14:
		return g.membership(next)
	case 15:
		return g.tag(next)
	}
	return g.expression(boolean, next)
}

func (g *generator) in(depth int) string {
	t := g.entityType()
	left := pick(g, "principal", "resource", g.expression(resolved.EntityType(t), depth))
	switch g.IntN(5) {
	case 0:
		return "(action in " + pick(g, g.anAction(), "["+g.anAction()+", "+g.anAction()+"]") + ")"
	case 1:
		return "(" + left + " in [" + g.entity(g.above(t)) + ", " + g.entity(g.above(t)) + "])"
	case 2:
		return "(" + left + " in " + g.expression(resolved.SetType{Element: resolved.EntityType(t)}, depth) + ")"
	}
	return "(" + left + " in " + g.entity(g.above(t)) + ")"
}

func (g *generator) has(depth int) string {
	all := slices.Sorted(maps.Keys(g.schema.attributes))
	name := func() string {
		if g.oneIn(g.faults) {
			return pick(g, "nothing", `""`, "if", `"two words"`)
		}
		return g.name(pick(g, all...))
	}
	base := pick(g, "principal", "resource", "context", "action", g.expression(g.kind(), depth))
	if g.oneIn(4) {
		var names []string
		for _, n := range all {
			if ident(n) {
				names = append(names, n)
			}
		}
		return "(" + base + " has " + pick(g, names...) + "." + pick(g, names...) + ")"
	}
	return "(" + base + " has " + name() + ")"
}

func (g *generator) membership(depth int) string {
	set := g.set(depth)
	s := g.expression(set, depth)
	switch g.IntN(4) {
	case 0:
		return s + ".contains(" + g.expression(set.Element, depth) + ")"
	case 1:
		return s + ".isEmpty()"
	}
	return s + "." + pick(g, "containsAll", "containsAny") + "(" + g.expression(set, depth) + ")"
}

// set is the type of some set, most often one that a path leads to.
func (g *generator) set(int) resolved.SetType {
	for range 10 {
		if s, ok := g.kind().(resolved.SetType); ok {
			return s
		}
	}
	return resolved.SetType{Element: g.kind()}
}

func (g *generator) tag(depth int) string {
	e := pick(g, "principal", "resource", g.expression(resolved.EntityType(g.entityType()), depth))
	key := pick(g, `"a"`, `"b"`, g.expression(text, depth))
	test := e + ".hasTag(" + key + ")"
	if g.oneIn(2) {
		return test
	}
	return "(" + test + " && " + e + ".getTag(" + key + ") == " + g.expression(pick(g, text, resolved.IsType(resolved.SetType{Element: long})), depth) + ")"
}

// expression writes one of the type, unless it is a fault.
func (g *generator) expression(t resolved.IsType, depth int) string {
	if g.oneIn(g.faults) {
		t = g.kind()
	}
	if paths := g.paths[typeKey(t)]; len(paths) > 0 && g.IntN(5) > 1 {
		p := pick(g, paths...)
		g.guards = append(g.guards, p.guards...)
		return p.text
	}
	if depth > 0 && g.oneIn(6) {
		return "(if " + g.boolean(depth-1) + " then " + g.expression(t, depth-1) + " else " + g.expression(t, depth-1) + ")"
	}
	switch t := t.(type) {
	case resolved.LongType:
		return g.long(depth)
	case resolved.BoolType:
		return pick(g, "true", "false")
	case resolved.StringType:
		return g.quote(pick(g, generatedStrings...))
	case resolved.EntityType:
		return g.entity(types.EntityType(t))
	case resolved.SetType:
		var items []string
		for range 1 + g.IntN(3) {
			items = append(items, g.expression(t.Element, max(depth-1, 0)))
		}
		if g.oneIn(g.faults) {
			items = nil
		} else if g.oneIn(5) {
			items = append(items, "") // a comma at the end
		}
		return "[" + strings.Join(items, ", ") + "]"
	case resolved.RecordType:
		return g.record(t, depth)
	case resolved.ExtensionType:
		return g.extension(t, depth)
	}
	return "principal"
}

func (g *generator) long(depth int) string {
	if depth > 0 {
		switch g.IntN(6) {
		case 0, 1:
			return "(" + g.expression(long, depth-1) + pick(g, " + ", " - ", " * ", "-", "+") + g.expression(long, depth-1) + ")"
		case 2:
			return pick(g, "-", "--", "- ") + "(" + g.expression(long, depth-1) + ")"
		case 3:
			return g.expression(duration, depth-1) + "." + pick(g, "toDays", "toHours", "toMinutes", "toSeconds", "toMilliseconds") + "()"
		}
	}
	return pick(g, "0", "1", "2", "-1", "10", "007", "9223372036854775807", "-9223372036854775808", fmt.Sprint(g.IntN(20)-10))
}

func (g *generator) record(t resolved.RecordType, depth int) string {
	var members []string
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if a := t[name]; !a.Optional && !g.oneIn(g.faults) || g.oneIn(2) {
			members = append(members, g.name(string(name))+": "+g.expression(a.Type, max(depth-1, 0)))
		}
	}
	if len(members) > 0 && g.oneIn(5) {
		members = append(members, "") // a comma at the end
	}
	return "{" + strings.Join(members, ", ") + "}"
}

func (g *generator) extension(t resolved.ExtensionType, depth int) string {
	if depth > 0 && g.oneIn(3) {
		switch t {
		case "datetime":
			return pick(g, g.expression(t, depth-1)+".offset("+g.expression(duration, depth-1)+")", g.expression(t, depth-1)+".toDate()")
		case "duration":
			return pick(g, g.expression(datetime, depth-1)+".durationSince("+g.expression(datetime, depth-1)+")", g.expression(datetime, depth-1)+".toTime()")
		}
	}
	value := `"` + pick(g, extensionValues[t]...) + `"`
	switch {
	case g.oneIn(g.faults):
		value = `"` + pick(g, brokenLiterals...) + `"`
	case g.oneIn(g.faults):
		value = g.expression(text, 0)
	}
	return constructors[string(t)] + "(" + value + ")"
}

package impact

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A kindOf is a type of an attribute: its name in a schema, values as Cedar's
// JSON has them, and literals of policies, of which there are fewer.
type kindOf struct {
	name     string
	values   []any
	literals []string
}

func ref(kind, id string) any {
	return map[string]any{"__entity": map[string]any{"type": kind, "id": id}}
}

// wildKinds are the types of attributes. Their values go beyond the literals:
// the neighbours of numbers, the names that representatives have, and more.
func wildKinds() []kindOf {
	list := []kindOf{
		{"String", []any{"", "x", "y", "xy", "yx", "xxy", "other", "other2", "x\u0301", "\U0001f600", "\ue000", "xotherx", "~"},
			[]string{`"x"`, `"y"`, `"xy"`, `""`, `"other"`, `"x\u{301}"`, `"~"`}},
		{"Long", []any{n("-9223372036854775808"), n("9223372036854775807"), n("9223372036854775806"), n("-1"), n("0"), n("1"), n("2"), n("4"), n("5"), n("6"), n("100")},
			[]string{"0", "1", "5", "-1", "9223372036854775807", "-9223372036854775808"}},
		{"Bool", []any{true, false}, []string{"true", "false"}},
		{"decimal", []any{"0.0", "0.0001", "1.0", "0.9999", "-1.5", "922337203685477.5807", "-922337203685477.5808", "3.0"},
			[]string{`decimal("0.0")`, `decimal("1.0")`, `decimal("1.00")`, `decimal("922337203685477.5807")`}},
		{"ipaddr", []any{"10.0.0.1", "10.0.0.0/8", "192.0.2.1", "192.0.2.2", "::1", "192.0.2.1/24"},
			[]string{`ip("10.0.0.1")`, `ip("10.0.0.1/32")`, `ip("192.0.2.1/32")`, `ip("::1")`, `ip("10.0.0.0/8")`}},
		{"datetime", []any{"1970-01-01", "1970-01-01T00:00:00.001Z", "1969-12-31T23:59:59.999Z", "2026-01-01", "2026-01-01T00:00:00.001Z", "2026-01-01T01:00:00+0100", "0001-01-02"},
			[]string{`datetime("1970-01-01")`, `datetime("2026-01-01")`, `datetime("2026-01-01T01:00:00+0100")`}},
		{"duration", []any{"0ms", "1ms", "-1ms", "1h", "3600001ms", "59m59s999ms", "2d"}, []string{`duration("1h")`, `duration("60m")`, `duration("0ms")`}},
		{"User", []any{ref("User", "a"), ref("User", "b"), ref("User", "other"), ref("User", "other2"), ref("User", "z")}, []string{`User::"a"`, `User::"b"`, `User::"other"`}},
		{"Team", []any{ref("Team", "s"), ref("Team", "t"), ref("Team", "other"), ref("Team", "z")}, []string{`Team::"s"`, `Team::"t"`, `Team::"other"`}},
		{"Color", []any{ref("Color", "red"), ref("Color", "green"), ref("Color", "other")}, []string{`Color::"red"`, `Color::"green"`, `Color::"other"`}},
	}
	for _, k := range list[:10] {
		sets := []any{[]any{}}
		for i := range k.values {
			sets = append(sets, []any{k.values[i]}, []any{k.values[i], k.values[(i+1)%len(k.values)]}, []any{k.values[i], k.values[(i+2)%len(k.values)], k.values[0]})
		}
		list = append(list, kindOf{"Set<" + k.name + ">", sets, k.literals})
	}
	return append(list, kindOf{"Set<{ k: String }>", []any{[]any{}, []any{map[string]any{"k": "x"}}}, nil})
}

// An attr is an attribute of a schema, which may be a record of others.
type attr struct {
	name     string
	optional bool
	kind     kindOf
	record   []attr
}

func (a attr) schema() string {
	name := a.name
	if a.optional {
		name += "?"
	}
	if a.record == nil {
		return name + ": " + a.kind.name
	}
	return name + ": " + shape(a.record)
}

func shape(list []attr) string {
	var parts []string
	for _, a := range list {
		parts = append(parts, a.schema())
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// A wild is a random schema and what makes policies and requests of it.
type wild struct {
	r                     *rand.Rand
	text                  string
	shapes                map[string][]attr // of types, and of the context
	parents               map[string][]string
	ids                   map[string][]string
	principals, resources []string
	actions               []string
	tags                  bool
}

func one[T any](w *wild, options ...T) T { return options[w.r.IntN(len(options))] }

func newWild(r *rand.Rand) *wild {
	w := &wild{r: r, shapes: map[string][]attr{}, ids: map[string][]string{
		"User": {"a", "b", "other", "other2", "z"}, "Team": {"s", "t", "other", "z", `member of Org::"o"`}, "Org": {"o", "p", "other"},
		"Doc": {"d", "e", "other"}, "Folder": {"f", "g", "other"}, "Color": {"red", "green", "other"},
	}}
	kinds := wildKinds()
	attrs := func(prefix string, most int) (list []attr) {
		for i := range r.IntN(most + 1) {
			a := attr{name: fmt.Sprintf("%s%d", prefix, i), optional: r.IntN(2) == 0, kind: kinds[r.IntN(len(kinds))]}
			if r.IntN(5) == 0 {
				a.record = []attr{{name: "k", optional: r.IntN(2) == 0, kind: kinds[r.IntN(len(kinds))]}, {name: "l", optional: true, kind: kinds[2]}}
			}
			list = append(list, a)
		}
		return list
	}
	// Attributes of one type twice let policies compare them.
	w.shapes["User"], w.shapes["Team"], w.shapes["Doc"], w.shapes["Folder"], w.shapes["context"] = attrs("u", 3), attrs("t", 1), attrs("d", 2), attrs("f", 1), attrs("c", 3)
	if len(w.shapes["User"]) > 0 && r.IntN(3) == 0 {
		twin := w.shapes["User"][0]
		twin.name = "twin"
		w.shapes["context"] = append(w.shapes["context"], twin)
	}
	w.parents = map[string][]string{
		"User": one(w, []string{"Team"}, []string{"Team", "Org"}, []string{"Team", "Color"}, []string{"User"}), "Team": one(w, []string{"Org"}, []string{"Team", "Org"}, nil, []string{"Folder"}),
		"Org": one(w, nil, nil, []string{"Team"}), "Doc": one(w, []string{"Folder"}, []string{"User"}, nil), "Folder": one(w, []string{"Folder"}, nil, []string{"Team"}),
	}
	w.principals = one(w, []string{"User"}, []string{"User", "Team"}, []string{"Team"}, []string{"User", "Color"})
	w.resources = one(w, []string{"Doc"}, []string{"Doc"}, []string{"Doc", "Folder"}, []string{"Team"}, []string{"User"}, []string{"Color"})
	w.tags = r.IntN(4) == 0
	var b strings.Builder
	for _, kind := range []string{"User", "Team", "Org", "Doc", "Folder"} {
		fmt.Fprintf(&b, "entity %s", kind)
		if p := w.parents[kind]; len(p) > 0 {
			fmt.Fprintf(&b, " in [%s]", strings.Join(p, ", "))
		}
		fmt.Fprintf(&b, " = %s", shape(w.shapes[kind]))
		if w.tags && kind == "User" {
			b.WriteString(" tags String")
		}
		b.WriteString(";\n")
	}
	b.WriteString("entity Color enum [\"red\", \"green\", \"other\"];\n")
	b.WriteString("action all;\naction some in [all];\n")
	for _, name := range []string{"read in [some]", "write in [all]", "list"} {
		fmt.Fprintf(&b, "action %s appliesTo { principal: [%s], resource: [%s], context: %s };\n",
			name, strings.Join(w.principals, ", "), strings.Join(w.resources, ", "), shape(w.shapes["context"]))
	}
	w.actions = []string{"read", "write", "list"}
	w.text = b.String()
	return w
}

func (w *wild) uid(kind string) string { return fmt.Sprintf("%s::%q", kind, one(w, w.ids[kind]...)) }

var groupTypes = []string{"User", "Team", "Org", "Folder", "Color"}

// leaf is one question. Some aren't covered, some fail, some are of no type.
func (w *wild) leaf() string {
	subject := one(w, "principal", "resource")
	types := w.principals
	if subject == "resource" {
		types = w.resources
	}
	kind := one(w, types...)
	switch w.r.IntN(7) {
	case 0:
		return one(w, subject+" == "+w.uid(kind), subject+" in "+w.uid(one(w, groupTypes...)), subject+" in ["+w.uid(one(w, groupTypes...))+", "+w.uid(one(w, groupTypes...))+"]",
			subject+" is "+kind+" in "+w.uid(one(w, groupTypes...)), subject+" is "+kind, "principal == resource", "principal != resource", "["+w.uid(kind)+"].contains("+subject+")",
			"principal in resource", "resource in principal")
	case 1:
		return one(w, `action == Action::"read"`, `action in Action::"all"`, `action in [Action::"some", Action::"list"]`, `[Action::"list"].contains(action)`, "true", "false", "1 == 1", `["x"].containsAny(["y", "x"])`)
	case 2:
		if w.tags && w.r.IntN(3) == 0 && slices.Contains(w.principals, "User") {
			return one(w, `principal.hasTag("x")`, `(principal.hasTag("x") && principal.getTag("x") == "y")`)
		}
	}
	from := one(w, "context", subject)
	list := w.shapes["context"]
	if from != "context" {
		list = w.shapes[kind]
	}
	if len(list) == 0 {
		return one(w, "true", from+" has nothing", subject+" == "+w.uid(kind))
	}
	return w.question(from, one(w, list...))
}

// question asks about an attribute.
func (w *wild) question(from string, a attr) string {
	path := from + "." + a.name
	guard := ""
	if a.optional && w.r.IntN(4) > 0 {
		guard = from + " has " + a.name + " && "
	}
	if a.record != nil {
		switch w.r.IntN(6) {
		case 0:
			return "(" + guard + path + " has k)"
		case 1:
			return "(" + guard + path + " has nope)"
		}
		return "(" + guard + w.question(path, one(w, a.record...)) + ")"
	}
	if w.r.IntN(6) == 0 {
		return from + " has " + a.name
	}
	lit := func() string {
		if len(a.kind.literals) == 0 {
			return `"x"`
		}
		return one(w, a.kind.literals...)
	}
	if strings.HasPrefix(a.kind.name, "Set<") {
		lits := "[" + lit() + ", " + lit() + "]"
		if inner := a.kind.name[len("Set<") : len(a.kind.name)-1]; slices.Contains([]string{"String", "User", "Team", "Color"}, inner) && w.r.IntN(2) == 0 {
			return "(" + guard + path + ".contains(" + w.another(inner, path) + "))"
		}
		return "(" + guard + one(w, path+".contains("+lit()+")", path+".containsAny("+lits+")", path+".containsAll("+lits+")", lits+".containsAll("+path+")", lits+".containsAny("+path+")",
			path+".isEmpty()", path+" == "+lits, path+" != ["+lit()+"]", path+".containsAll([])", path+" == []") + ")"
	}
	options := []string{path + " == " + lit(), path + " != " + lit(), lit() + " == " + path, "[" + lit() + ", " + lit() + "].contains(" + path + ")", "[].contains(" + path + ")"}
	order := []string{" < ", " <= ", " > ", " >= "}
	switch a.kind.name {
	case "String":
		options = append(options, path+one(w, ` like "x*"`, ` like "*x"`, ` like "xy*"`, ` like "*"`, ` like "x"`, ` like ""`, ` like "*x*"`, ` like "x*y"`, ` like "*y"`, ` like "*\u{301}"`))
	case "Long":
		options = append(options, path+one(w, order...)+lit(), lit()+one(w, order...)+path, path+one(w, order...)+lit(), path+" + 1 > "+lit(), path+" * 2 == 10")
	case "Bool":
		options = append(options, path, "!"+path, path)
	case "decimal":
		options = append(options, path+one(w, ".lessThan(", ".lessThanOrEqual(", ".greaterThan(", ".greaterThanOrEqual(")+lit()+")")
	case "datetime", "duration":
		options = append(options, path+one(w, order...)+lit(), lit()+one(w, order...)+path)
	case "ipaddr":
		options = append(options, path+".isLoopback()", path+`.isInRange(ip("10.0.0.0/8"))`)
	case "User", "Team", "Color":
		options = append(options, path+" is "+a.kind.name, path+" == principal", "principal == "+path, path+" == resource", path+" in "+lit(), path+" != principal")
	}
	for _, other := range w.others(a.kind.name, path) {
		options = append(options, path+" == "+other, path+" == "+other)
	}
	return "(" + guard + one(w, options...) + ")"
}

// another is a subject or an attribute of a type, as far as there is one.
func (w *wild) another(kind, path string) string {
	list := w.others(kind, path)
	if slices.Contains(w.principals, kind) || len(list) == 0 {
		list = append(list, "principal", "principal")
	}
	if slices.Contains(w.resources, kind) {
		list = append(list, "resource", "resource")
	}
	return one(w, list...)
}

// others are the attributes of a type but for one.
func (w *wild) others(kind, path string) (list []string) {
	for _, place := range []string{"context", "principal", "resource"} {
		kinds := []string{"context"}
		if place == "principal" {
			kinds = w.principals
		} else if place == "resource" {
			kinds = w.resources
		}
		for _, k := range kinds {
			for _, b := range w.shapes[k] {
				if b.record == nil && b.kind.name == kind && place+"."+b.name != path {
					list = append(list, place+"."+b.name)
				}
			}
		}
	}
	return list
}

func (w *wild) condition(depth int) string {
	if depth == 0 || w.r.IntN(3) == 0 {
		leaf := w.leaf()
		if w.r.IntN(4) == 0 {
			return "!(" + leaf + ")"
		}
		return leaf
	}
	a, b := w.condition(depth-1), w.condition(depth-1)
	switch w.r.IntN(5) {
	case 0:
		return "(if " + a + " then " + b + " else " + w.condition(0) + ")"
	case 1, 2:
		return "(" + a + " || " + b + ")"
	}
	return "(" + a + " && " + b + ")"
}

func (w *wild) scope(subject string, types []string) string {
	kind := one(w, types...)
	return one(w, subject, subject, subject, subject+" == "+w.uid(kind), subject+" in "+w.uid(one(w, groupTypes...)), subject+" is "+kind, subject+" is "+kind+" in "+w.uid(one(w, groupTypes...)))
}

func (w *wild) policy() string {
	p := one(w, "permit", "permit", "forbid") + " (" + w.scope("principal", w.principals) + ", " +
		one(w, "action", "action", `action == Action::"read"`, `action in Action::"all"`, `action in [Action::"some", Action::"list"]`) + ", " + w.scope("resource", w.resources) + ")"
	if w.r.IntN(6) == 0 {
		p = one(w, `@note("a") `, `@note("b") `) + p
	}
	for range w.r.IntN(3) {
		p += " " + one(w, "when", "when", "unless") + " { " + w.condition(2) + " }"
	}
	return p + ";"
}

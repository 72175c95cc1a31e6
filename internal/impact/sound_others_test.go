package impact

import (
	"fmt"
	"strings"
	"testing"
)

// What the others ask can change what the changed policies answer, where an entity
// is in another by way of the resource. Such a request says nothing of the
// combination that it was made up for.
func TestInByWayOfTheResource(t *testing.T) {
	schema := map[string]string{"schemas/v1.cedarschema": `
entity Team in [Team];
entity User in [Team];
action read appliesTo { principal: User, resource: Team };
`}
	const (
		changed = `permit (principal, action, resource == Team::"x") when { resource in Team::"y" && !(principal in Team::"y") };`
		hides   = `permit (principal, action, resource) unless { principal in Team::"a" || principal in Team::"x" };`
	)
	for _, few := range []int{fewOthers, -1} {
		from, to := treeWith(t, schema, changed, hides), treeWith(t, schema, hides)
		for range 2 {
			r := withFewOthers(t, few, from, to)
			if !r.Complete() || !r.Changed() {
				found, open := summary(r)
				t.Errorf("%d: found %q, open %q", few, found, open)
			}
			from, to = to, from
		}
	}
}

// Where the last request that is made up for one of the others is just within the
// limit, impact says all the same that there are more.
func TestLimitOfOneOther(t *testing.T) {
	var attrs, ors, ands []string
	for i := range 16 {
		name := fmt.Sprintf("b%02d", i)
		attrs = append(attrs, name+": Bool")
		ands = append(ands, "context."+name)
		if i < 14 {
			ors = append(ors, "context."+name)
		}
	}
	schema := map[string]string{"schemas/v1.cedarschema": `
entity User;
entity Doc;
action read appliesTo { principal: User, resource: Doc, context: { ` + strings.Join(attrs, ", ") + ` } };
`}
	permit, forbid := strings.Join(ors, " || "), strings.Join(ands, " && ")
	// Each makes one more request before the first for which the permit matches.
	for _, last := range []string{"context.b14 || context.b15", "context.b14 || (context.b15 && !context.b15)", "(context.b14 && context.b15)"} {
		to := []string{
			`permit (principal, action, resource) when { ` + permit + ` || ` + last + ` };`,
			`forbid (principal, action, resource) unless { ` + forbid + ` };`,
		}
		from := append([]string{`forbid (principal == User::"u", action, resource);`}, to...)
		r := withFewOthers(t, -1, treeWith(t, schema, from...), treeWith(t, schema, to...))
		if r.Complete() && !r.Changed() {
			t.Errorf("%s: says complete, and u may read where all is true", last)
		}
	}
}

// Beyond a datetime at the end of the calendar there are others.
func TestDatetimeAtTheEnd(t *testing.T) {
	schema := map[string]string{"schemas/v1.cedarschema": `
entity User;
action read appliesTo { principal: User, resource: User, context: { at: datetime } };
`}
	for _, is := range []string{`context.at == datetime("9999-12-30")`, `[datetime("9999-12-30")].contains(context.at)`} {
		const none = `permit (principal, action, resource) when { false };`
		to := `permit (principal, action, resource) when { context.at > datetime("9999-12-29T23:59:59.999Z") && !(` + is + `) };`
		if r := Compare(treeWith(t, schema, none), treeWith(t, schema, to), Options{}); r.Complete() && !r.Changed() {
			t.Errorf("%s: says complete, and the last day of the calendar is allowed", is)
		}
	}
}

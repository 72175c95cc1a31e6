package cedar

import (
	"strings"
	"sync"
	"testing"
)

// rich has what the zone's schemas don't: tags, groups, nested namespaces,
// actions with contexts of their own, extension types.
const rich = `
entity Group;
entity User in [Group] = {
  name: String,
  age: Long,
  admin: Bool,
  home: { street: String, zip?: String },
  manager?: User,
  seen: datetime,
} tags String;
entity Doc = { owner: User, labels: Set<String> };
entity Color enum ["red", "green"];
action view appliesTo { principal: [User], resource: [Doc], context: { mfa: Bool, ip: ipaddr, color?: Color } };
action edit in [view] appliesTo { principal: [User], resource: [Doc], context: { mfa: Bool, reason?: String } };
action create appliesTo { principal: [User], resource: [Group] };
`

func richSchema(t testing.TB) *Schema {
	t.Helper()
	s, problems := ParseSchema("s", []byte(rich))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return s
}

func TestValidateConditions(t *testing.T) {
	tests := []struct{ name, condition, want string }{
		{"nothing wrong", `principal.name == "a" && resource.owner == principal`, ""},
		{"an optional attribute that is tested first", `context has reason && context.reason == "a"`, ""},
		{"an unknown attribute", `principal.nmae == "a"`, "1:11: error: User has no attribute `nmae` [cedar-unknown-attribute] (did you mean `name`?)"},
		{"in brackets", `principal["nmae"] == "a"`, "1:11: error: User has no attribute `nmae` [cedar-unknown-attribute] (did you mean `name`?)"},
		{"each time it is used", `principal.nmae == "a" || (principal.nmae) == "b"`, "1:11: error: User has no attribute `nmae` [cedar-unknown-attribute] (did you mean `name`?)\n1:37: error: User has no attribute `nmae` [cedar-unknown-attribute] (did you mean `name`?)"},
		{"the one of two with that name", `resource.owner.name == "a" && resource.name == "b"`, "1:40: error: Doc has no attribute `name` [cedar-unknown-attribute]"},
		{"in a record of an entity", `principal.home.stret == "a"`, "1:16: error: User has no attribute `stret` [cedar-unknown-attribute] (did you mean `street`?)"},
		{"in a record that is written there", `{a: 1}.b == 1`, "1:8: error: record has no attribute `b` [cedar-unknown-attribute]"},
		{"in the context of some actions", `context.mfa && context.ip.isIpv4()`, "1:24: error: context has no attribute `ip` for Action::\"edit\" [cedar-unknown-attribute]"},
		{"far from every name", `principal.xyzzy == 1`, "1:11: error: User has no attribute `xyzzy` [cedar-unknown-attribute]"},
		{"an optional attribute", `principal.manager.name == "a"`, "1:11: error: attribute `manager` is optional and may be missing here [cedar-unsafe-optional] (test it first: principal has manager && …)"},
		{"tested on something else", `resource.owner has manager && principal.manager.name == "a"`, "1:41: error: attribute `manager` is optional and may be missing here [cedar-unsafe-optional] (test it first: principal has manager && …)"},
		{"tested in the other branch", `if principal has manager then true else principal.manager.admin`, "1:51: error: attribute `manager` is optional and may be missing here [cedar-unsafe-optional] (test it first: principal has manager && …)"},
		{"tested after", `principal.manager.admin && principal has manager`, "1:11: error: attribute `manager` is optional and may be missing here [cedar-unsafe-optional] (test it first: principal has manager && …)"},
		{"one error doesn't make more of what it guards", `principal.nmae == "a" && principal has manager && principal.manager.admin`, "1:11: error: User has no attribute `nmae` [cedar-unknown-attribute] (did you mean `name`?)"},
		{"in a record with an optional member", `principal.home.zip == "a"`, "1:16: error: attribute `home.zip` is optional and may be missing here [cedar-unsafe-optional] (test it first: principal.home has zip && …)"},
		{"a test for what nothing has", `principal has emial && principal.emial == "a"`, "1:15: warning: this is never true: nothing in the schema has an attribute `emial` [cedar-unknown-attribute]"},
		{"an unknown entity type", `principal in Grup::"a"`, "1:14: error: unknown entity type `Grup` [cedar-unknown-entity-type] (did you mean `Group`?)"},
		{"in a set", `principal in [Group::"a", Groups::"b"]`, "1:27: error: unknown entity type `Groups` [cedar-unknown-entity-type] (did you mean `Group`?)"},
		{"after is", `resource.owner is Usr`, "1:19: error: unknown entity type `Usr` [cedar-unknown-entity-type] (did you mean `User`?)"},
		{"behind what is never true", `false && principal == Usr::"a"`, "1:23: error: unknown entity type `Usr` [cedar-unknown-entity-type] (did you mean `User`?)"},
		{"an unknown action", `action == Action::"veiw"`, "1:11: error: unknown action `Action::\"veiw\"` [cedar-unknown-action] (did you mean `Action::\"view\"`?)"},
		{"an undeclared enum id", `context has color && context.color == Color::"blue"`, "1:39: error: `Color::\"blue\"` isn't an id that Color declares [cedar-unknown-enum-id] (ids are \"red\", \"green\")"},
		{"nearly an enum id", `context has color && [Color::"red", Color::"gren"].contains(context.color)`, "1:37: error: `Color::\"gren\"` isn't an id that Color declares [cedar-unknown-enum-id] (did you mean `green`?)"},
		{"types that don't compare", `principal.name == 1`, "1:16: error: the types Long and String are not compatible [cedar-type]"},
		{"a condition that is no Bool", `principal.name`, "1:1: error: expected Bool but saw String [cedar-type]"},
		{"an operand that is no Bool", `principal.admin && (principal.age || true)`, "1:21: error: expected Bool but saw Long [cedar-type]"},
		{"not of a number", `!principal.age`, "1:2: error: expected Bool but saw Long [cedar-type]"},
		{"a string in a sum", `principal.age + 1 + principal.name > 3`, "1:19: error: expected Long but saw String [cedar-type]"},
		{"a pattern against a number", `principal.age like "1*"`, "1:15: error: expected String but saw Long [cedar-type]"},
		{"an attribute of a number", `principal.age.x == 1`, "1:15: error: expected an entity or a record but saw Long [cedar-type]"},
		{"in with a string", `principal in "a"`, "1:11: error: expected an entity or a set of entities but saw String [cedar-type]"},
		{"contains of a string", `principal.name.contains("a")`, "1:16: error: expected a set but saw String [cedar-type]"},
		{"a set of two types", `[1, "a"].contains(1)`, "1:1: error: the types Long and String are not compatible [cedar-type]"},
		{"an empty set", `resource.labels == [] || resource.labels.containsAll(["a"])`, "expected"},
		{"a tag that isn't tested", `principal.getTag("a") == "b"`, "1:11: error: tag `\"a\"` on entity type `User` may be missing here [cedar-unsafe-tag] (test it first with hasTag)"},
		{"a tag that is tested", `principal.hasTag("a") && principal.getTag("a") == "b"`, ""},
		{"a function of a variable", `ip(principal.name).isIpv4()`, "1:1: error: the argument must be a string literal [cedar-extension]"},
		{"a value that isn't one", `principal.seen < datetime("2026-13-01")`, "1:18: error: failed to parse as a datetime value: `\"2026-13-01\"` [cedar-extension]"},
		{"too few arguments", `ip() == ip("1.2.3.4")`, "1:1: error: wrong number of arguments in extension function application. Expected 1, got 0 [cedar-type]"},
		{"branches of two types", `(if principal.admin then 1 else "a") == 1`, "1:2: error: the types Long and String are not compatible [cedar-type]"},
		{"two errors in one line", `principal.nmae == "a" && principal.age == "b"`, "1:11: error: User has no attribute `nmae` [cedar-unknown-attribute] (did you mean `name`?)\n1:40: error: the types Long and String are not compatible [cedar-type]"},
		{"characters, not bytes", `principal.name == "ééé" && principal.nmae == "ö"`, "1:38: error: User has no attribute `nmae` [cedar-unknown-attribute] (did you mean `name`?)"},
		{"a date before a duration", `principal.admin && principal.seen < duration("1h")`, "1:35: error: the types datetime and duration are not compatible [cedar-type]"},
		{"a number before a date", `1 < principal.seen || principal.seen <= principal.seen`, "1:3: error: the types Long and datetime are not compatible [cedar-type]"},
		{"dates and durations, each in their order", `principal.seen < datetime("2026-01-01") && principal.seen.toTime() < duration("1h") && principal.age < 3`, ""},
		{"decimals with an operator", `decimal("1.0") < decimal("2.0")`, "1:16: error: expected datetime, or duration, or Long but saw decimal [cedar-type] (decimals have lessThan, lessThanOrEqual, greaterThan and greaterThanOrEqual)"},
		{"a plus sign in a decimal", `decimal("1.0") == decimal("+1.0")`, "1:19: error: failed to parse as a decimal value: `\"+1.0\"` [cedar-extension]"},
		{"a variable that is itself doesn't hide the other branch", `if principal == principal then true else principal.age`, "1:1: error: the types Bool and Long are not compatible [cedar-type]"},
		{"an action is itself", `action == action || principal.nmae == 1`, ""},
		{"a type in a group guards as a type does", `principal is Group in Group::"a" && principal.nmae == 1`, ""},
		{"beside a type in a group, the place of an error", `principal is User in Group::"a" && principal.nmae == 1`, "1:46: error: User has no attribute `nmae` [cedar-unknown-attribute] (did you mean `name`?)"},
		{"in a type in a group", `principal.manger is User in Group::"a"`, "1:11: error: User has no attribute `manger` [cedar-unknown-attribute] (did you mean `manager`?)"},
		{"a narrowed type", `principal is User && principal.age > 3 && !(principal is Group)`, ""},
	}
	s := richSchema(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The condition is the whole of line 2: positions are as in it.
			text := "permit(principal, action in [Action::\"view\", Action::\"edit\"], resource) when {\n" + tt.condition + "\n};"
			p := mustParse(t, text)
			problems := s.Validate(p)
			checkPositions(t, text, problems)
			got := strings.ReplaceAll(problems.Error(), "a.cedar:2:", "1:")
			if tt.want == "expected" {
				if len(problems) != 1 || problems[0].Rule != "cedar-empty-set" || problems[0].Column != 20 {
					t.Errorf("got %s", got)
				}
				return
			}
			if got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestValidateScopes(t *testing.T) {
	tests := []struct{ name, scope, want string }{
		{"nothing wrong", `principal in Group::"a", action == Action::"view", resource is Doc`, ""},
		{"an unknown type", `principal is Usr, action, resource`, "1:21: error: unknown entity type `Usr` [cedar-unknown-entity-type] (did you mean `User`?)"},
		{"an unknown type of an entity", `principal, action, resource == Dok::"a"`, "1:39: error: unknown entity type `Dok` [cedar-unknown-entity-type] (did you mean `Doc`?)"},
		{"both", `principal is Usr in Grop::"g", action, resource`, "1:21: error: unknown entity type `Usr` [cedar-unknown-entity-type] (did you mean `User`?)\n1:28: error: unknown entity type `Grop` [cedar-unknown-entity-type] (did you mean `Group`?)"},
		{"unknown actions", `principal, action in [Action::"view", Action::"vieww", Action::"delete"], resource`, "1:46: error: unknown action `Action::\"vieww\"` [cedar-unknown-action] (did you mean `Action::\"view\"`?)\n1:63: error: unknown action `Action::\"delete\"` [cedar-unknown-action]"},
		{"an action without its type", `principal, action == User::"view", resource`, "1:29: error: unknown action `User::\"view\"` [cedar-unknown-action] (did you mean `Action::\"view\"`?)"},
		{"an undeclared enum id", `principal, action, resource == Color::"blue"`, "1:39: error: `Color::\"blue\"` isn't an id that Color declares [cedar-unknown-enum-id] (ids are \"red\", \"green\")"},
		{"no action applies", `principal is Doc, action, resource`, "1:1: warning: policy never applies: no action takes this principal and this resource [cedar-no-applicable-action]"},
		{"no action", `principal, action in [], resource`, "1:1: error: an empty set has no type and isn't allowed in policies [cedar-empty-set]"},
	}
	s := richSchema(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustParse(t, "permit("+tt.scope+");")
			got := strings.ReplaceAll(s.Validate(p).Error(), "a.cedar:", "")
			if got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestWarningsAreNoErrors(t *testing.T) {
	p := mustParse(t, "permit(principal is Doc, action, resource);")
	if problems := richSchema(t).Validate(p); len(problems) != 1 || problems.Err() != nil {
		t.Errorf("got %v", problems)
	}
}

// The official engine stops at a condition that is never true, and so does the
// service: what follows is no error, but worth a word.
func TestConditionsBehindOneThatIsNeverTrue(t *testing.T) {
	s := richSchema(t)
	got := s.Validate(mustParse(t, "permit(principal, action, resource)\nwhen { false }\nunless { principal.nmae == 1 };"))
	const want = "a.cedar:3:20: warning: User has no attribute `nmae` [cedar-unknown-attribute] (did you mean `name`?)"
	if got.Error() != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	got = s.Validate(mustParse(t, "permit(principal, action, resource)\nwhen { principal.nmae == 1 }\nwhen { false };"))
	if got.Errors() != 1 {
		t.Errorf("got %s", got)
	}
}

func TestActionsOfSeveralNamespaces(t *testing.T) {
	s, problems := ParseSchema("s", []byte(`
entity U; action a appliesTo { principal: [U], resource: [U] };
namespace N { action b appliesTo { principal: [U], resource: [U] }; }`))
	if s == nil {
		t.Fatal(problems)
	}
	got := s.Validate(mustParse(t, `permit(principal, action in [Action::"a", N::Action::"b"], resource);`)).Error()
	const want = "a.cedar:1:43: error: the types Action and N::Action are not compatible [cedar-type] (name actions of one namespace)"
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if got := s.Validate(mustParse(t, `permit(principal, action in [Action::"a", Action::"a"], resource);`)); len(got) > 0 {
		t.Errorf("got %s", got)
	}
}

func TestValidateSeveralStatements(t *testing.T) {
	list, problems := ParseSet("f", []byte("permit(principal,action,resource);\n\npermit(principal,action,resource)\nwhen { principal.nmae == 1 };"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s := richSchema(t)
	if got := s.Validate(list[0]); len(got) > 0 {
		t.Errorf("first: got %v", got)
	}
	if got := s.Validate(list[1]); len(got) != 1 || got[0].Position.String() != "f:4:18" {
		t.Errorf("second: got %v", got)
	}
}

func TestZoneSchemasTakeTheSamples(t *testing.T) {
	s := zoneSchema(t, "2026-06-18")
	for _, condition := range []string{
		`principal is Keycard::User && principal has email && principal.email like "*@example.com"`,
		`principal is Keycard::Application && context.on_behalf == true && principal.registration_method == Keycard::RegistrationMethod::"managed"`,
		`resource has identifier && resource.identifier == "https://mcp.example.com/issues" && context has scopes && context.scopes.contains("write")`,
		`context has subject && context.subject has identifier && context.subject.identifier == "a"`,
	} {
		if got := s.Validate(mustParse(t, head+"when { "+condition+" };")); len(got) > 0 {
			t.Errorf("%s:\n%v", condition, got)
		}
	}
	bad := mustParse(t, head+`when { principal is Keycard::Application && principal.credential_type == CredentialType::"token" };`)
	const want = "a.cedar:2:74: error: unknown entity type `CredentialType` [cedar-unknown-entity-type] (did you mean `Keycard::CredentialType`?)"
	if got := s.Validate(bad).Error(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// The validator is asked from many goroutines at once; with -race this shows
// that nothing behind it is shared and written.
func TestValidateConcurrently(t *testing.T) {
	s := richSchema(t)
	good := mustParse(t, head+"when { principal.name == \"a\" };")
	bad := mustParse(t, head+"when { principal.nmae == \"a\" && principal.manager.admin };")
	want := s.Validate(bad).Error()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if got := s.Validate(good); len(got) > 0 {
					t.Errorf("got %v", got)
				}
				if got := s.Validate(bad).Error(); got != want {
					t.Errorf("got %s want %s", got, want)
				}
				_ = good.Digest()
			}
		})
	}
	wg.Wait()
}

func TestProblemsOfALargePolicyAreBounded(t *testing.T) {
	terms := make([]string, maxDepth-2)
	for i := range terms {
		terms[i] = "principal.nmae == \"a\""
	}
	p := mustParse(t, head+"when { "+strings.Join(terms, " &&\n")+" };")
	problems := richSchema(t).Validate(p)
	if len(problems) == 0 || len(problems) > maxProblems {
		t.Errorf("got %d problems", len(problems))
	}
	checkPositions(t, p.Text(), problems)
}

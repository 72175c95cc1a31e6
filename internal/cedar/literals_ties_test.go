package cedar

import (
	"slices"
	"testing"

	"github.com/cedar-policy/cedar-go/types"
)

const tiesSchema = `
entity Group in [Group];
entity User in [Group] = { name: String, friends: Set<User>, boss?: User, levels: Set<Long>, hired: datetime, clubs: Set<Group>, home: Group };
entity Repo = { readers: Group, writers: Group };
entity Doc = { owner: User, repo: Repo, path: String, guests: Set<User>, clubs?: Set<Group>, grants: Set<{ who: User, what: String }>, due: datetime };
action read appliesTo { principal: User, resource: Doc, context: { who?: User, now: datetime } };
`

// Where an expression isn't covered, there is a request for each answer.
func TestBothAnswersOfWhatIsNotCovered(t *testing.T) {
	s, problems := ParseSchema("s", []byte(tiesSchema))
	if s == nil {
		t.Fatal(problems)
	}
	for _, condition := range []string{
		`principal in resource.repo.readers`,
		`principal in resource.repo.readers && !(principal in resource.repo.writers)`,
		`principal in resource.guests`,
		`principal is User in principal.home`,
		`resource has clubs && principal in resource.clubs`,
		`principal in resource.owner.clubs`,
		`resource.owner.friends.contains(principal)`,
		`resource.owner.name == principal.name`,
		`resource.owner has boss && resource.owner.boss == principal`,
		`resource.owner has boss && resource.owner.boss has boss && resource.owner.boss.boss.name == "x"`,
		`resource.grants.contains({ who: principal, what: "read" })`,
		`resource.grants.contains({ who: principal, what: resource.path })`,
		`resource has clubs && principal.clubs.containsAny(resource.clubs)`,
		`resource has clubs && principal.clubs.containsAll(resource.clubs)`,
		`resource.path like "/a/*" && resource.path like "*/b/*"`,
		`context.now < resource.due`,
		`context.now < resource.due.offset(duration("-1d")) && context.now > resource.due.offset(duration("-2d"))`,
	} {
		t.Run(condition, func(t *testing.T) {
			p := mustParse(t, head+"when { "+condition+" };")
			if problems := s.Validate(p); len(problems) > 0 {
				t.Fatal(problems)
			}
			env := Environment{Principal: "User", Action: UID{"Action", "read"}, Resource: "Doc"}
			v := s.Survey(env, []*Policy{p})
			if len(v.Open) == 0 {
				t.Fatal("it is covered")
			}
			authorizer := NewAuthorizer([]Named{{Name: "p", Policy: p}})
			answers, words := map[bool]int{}, map[bool][]string{}
			for _, choice := range choicesOf(v.Terms()) {
				world, request, ok := v.Build(choice)
				if !ok {
					continue
				}
				d := authorizer.Decide(world, request)
				if len(d.Errors) > 0 {
					t.Fatalf("%v fails: %v", choice, d.Errors)
				}
				if answers[d.Allow]++; answers[d.Allow] == 1 {
					words[d.Allow] = v.Aspects().Facts(world, request, true)
					asGiven(t, s, world, request)
				}
			}
			if answers[true] == 0 || answers[false] == 0 || slices.Equal(words[true], words[false]) && len(words[true]) > 0 {
				t.Errorf("got %v %v", answers, words)
			}
		})
	}
}

// choicesOf are all combinations of values.
func choicesOf(sizes []int) (list [][]int) {
	list = [][]int{make([]int, len(sizes))}
	for i, size := range sizes {
		for _, choice := range list[:len(list):len(list)] {
			for k := 1; k < size; k++ {
				more := slices.Clone(choice)
				more[i] = k
				list = append(list, more)
			}
		}
	}
	return list
}

// asGiven checks that entities and request are ones that the schema takes.
func asGiven(t *testing.T, s *Schema, world *Entities, request Request) {
	t.Helper()
	document, err := world.JSON()
	if err != nil {
		t.Fatal(err)
	}
	data, problems := ParseEntitiesJSON("e", document)
	if problems.Err() == nil {
		_, problems = s.Entities(data)
	}
	if problems.Err() != nil {
		t.Fatalf("%v\n%s", problems, document)
	}
	line, err := request.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := decide(s, NewAuthorizer(nil), world, line); problems.Err() != nil {
		t.Fatalf("%v\n%s", problems, line)
	}
}

const boundSchema = `
entity Color enum ["red", "green", "blue"];
entity User = { name: String, tags: Set<String>, color: Color };
entity Doc = { owner: User, guests: Set<User>, path: String, colors: Set<Color> };
action read appliesTo { principal: User, resource: Doc };
`

// A set that is asked for a subject or an attribute is covered: whatever a request
// answers to the questions of a policy, one that is built answers, too, and comes
// to the same decision.
func TestSetsThatAreAskedForAnotherValue(t *testing.T) {
	s, problems := ParseSchema("s", []byte(boundSchema))
	if s == nil {
		t.Fatal(problems)
	}
	people, texts, colors := []string{"ada", "bob", "other", "other2", "zed"}, []string{"x", "other", "other2", "zed"}, []string{"red", "green", "blue"}
	for _, tt := range []struct {
		condition string
		kind      string // what varies
	}{
		{`resource.guests.contains(principal)`, "people"},
		{`resource.guests.contains(User::"ada") || resource.guests.contains(principal)`, "people"},
		{`resource.guests.contains(User::"other") && !resource.guests.contains(principal)`, "people"},
		{`resource.guests.contains(principal) && principal == User::"bob"`, "people"},
		{`resource.guests.contains(principal) || resource.guests.isEmpty()`, "people"},
		{`resource.guests.contains(principal) || resource.guests == [User::"ada", User::"bob"]`, "people"},
		{`[User::"ada", User::"other"].containsAll(resource.guests) || resource.guests.contains(principal)`, "people"},
		{`resource.guests.contains(principal) && resource.guests.contains(resource.owner)`, "people"},
		{`resource.guests.contains(principal) && resource.guests.contains(resource.owner) && resource.guests.containsAny([User::"zed"])`, "people"},
		{`if resource.owner == principal then resource.guests.contains(resource.owner) else resource.guests.isEmpty()`, "people"},
		{`principal.tags.contains(principal.name)`, "texts"},
		{`principal.tags.contains(principal.name) || principal.tags.contains(resource.path)`, "texts"},
		{`principal.tags.contains(principal.name) && principal.tags.contains("x") && resource.path like "o*"`, "texts"},
		{`principal.tags.contains(resource.path) && resource.path like "*d" && !principal.tags.isEmpty()`, "texts"},
		{`resource.colors.contains(principal.color)`, "colors"},
		{`resource.colors.contains(principal.color) || resource.colors == [Color::"red"]`, "colors"},
		{`resource.colors.contains(principal.color) || principal.color == Color::"red"`, "colors"},
	} {
		t.Run(tt.condition, func(t *testing.T) {
			p := mustParse(t, head+"when { "+tt.condition+" };")
			v := s.Survey(Environment{Principal: "User", Action: UID{"Action", "read"}, Resource: "Doc"}, []*Policy{p})
			if len(v.Open) > 0 {
				t.Fatalf("not covered: %v", v.Open)
			}
			aspects, authorizer := v.Aspects(), NewAuthorizer([]Named{{Name: "p", Policy: p}})
			built := map[string]bool{}
			for _, choice := range choicesOf(v.Terms()) {
				if world, request, ok := v.Build(choice); ok {
					cell, allow := aspects.Cell(world, request), authorizer.Decide(world, request).Allow
					if before, ok := built[cell]; ok && before != allow {
						t.Fatalf("%v is decided in another way than its like", choice)
					}
					built[cell] = allow
					asGiven(t, s, world, request)
					if i, ok := silent(v, aspects, choice, cell); ok {
						t.Fatalf("%v says something of term %d that isn't so", choice, i)
					}
				}
			}
			worlds := 0
			check := func(w boundWorld) {
				worlds++
				world, request := w.build(t, s)
				allow, ok := built[aspects.Cell(world, request)]
				if !ok || allow != authorizer.Decide(world, request).Allow {
					t.Fatalf("%+v: built %v, allowed %v", w, ok, allow)
				}
			}
			w := boundWorld{principal: "ada", name: "x", color: "red", owner: "ada", path: "x"}
			switch tt.kind {
			case "people":
				for _, w.principal = range people {
					for _, w.owner = range people {
						for _, w.guests = range subsets(people) {
							check(w)
						}
					}
				}
			case "texts":
				for _, w.name = range texts {
					for _, w.path = range texts {
						for _, w.tags = range subsets(texts) {
							check(w)
						}
					}
				}
			case "colors":
				for _, w.color = range colors {
					for _, w.colors = range subsets(colors) {
						check(w)
					}
				}
			}
			if worlds < 24 {
				t.Errorf("only %d worlds", worlds)
			}
		})
	}
}

// silent finds a yes-or-no term whose other answer makes no difference to any
// question: one of the two isn't what is so.
func silent(v *Survey, aspects *Aspects, choice []int, cell string) (term int, ok bool) {
	for i, t := range v.terms {
		if t.of != nil {
			continue
		}
		flipped := slices.Clone(choice)
		flipped[i] = 1 - flipped[i]
		if world, request, ok := v.Build(flipped); ok && aspects.Cell(world, request) == cell {
			return i, true
		}
	}
	return 0, false
}

// A boundWorld is a request of boundSchema with its entities.
type boundWorld struct {
	principal, name, color string
	tags                   []string
	owner, path            string
	guests, colors         []string
}

func (w boundWorld) build(t *testing.T, s *Schema) (*Entities, Request) {
	t.Helper()
	uids := func(kind string, ids []string) []types.Value {
		var list []types.Value
		for _, id := range ids {
			list = append(list, types.NewEntityUID(types.EntityType(kind), types.String(id)))
		}
		return list
	}
	var tags []types.Value
	for _, tag := range w.tags {
		tags = append(tags, types.String(tag))
	}
	principal, resource := types.NewEntityUID("User", types.String(w.principal)), types.NewEntityUID("Doc", "d")
	all := types.EntityMap{
		principal: {UID: principal, Attributes: types.NewRecord(types.RecordMap{
			"name": types.String(w.name), "tags": types.NewSet(tags...), "color": uids("Color", []string{w.color})[0],
		})},
		resource: {UID: resource, Attributes: types.NewRecord(types.RecordMap{
			"owner": uids("User", []string{w.owner})[0], "guests": types.NewSet(uids("User", w.guests)...), "path": types.String(w.path),
			"colors": types.NewSet(uids("Color", w.colors)...),
		})},
	}
	return &Entities{schema: s, own: all}, Request{types.Request{Principal: principal, Action: types.NewEntityUID("Action", "read"), Resource: resource}}
}

func subsets(ids []string) (list [][]string) {
	for bits := range 1 << len(ids) {
		var one []string
		for i, id := range ids {
			if bits>>i&1 == 1 {
				one = append(one, id)
			}
		}
		list = append(list, one)
	}
	return list
}

package cedar

import (
	"slices"
	"testing"
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

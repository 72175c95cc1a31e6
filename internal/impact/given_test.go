package impact

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/policypin/policypin/manifest"
)

const (
	anyone   = "permit (principal, action, resource);"
	deptX    = `permit (principal, action, resource) when { principal.dept == "x" };`
	entities = `[
		{"uid": {"type": "User", "id": "x"}, "attrs": {"dept": "x", "vip": false}, "parents": [{"type": "Team", "id": "t"}]},
		{"uid": "User::\"y\"", "attrs": {"dept": "y", "vip": true, "level": 3}},
		{"uid": "User::\"old\"", "attrs": {"dept": "y"}},
		{"uid": "Doc::\"d\"", "attrs": {"owner": {"type": "User", "id": "x"}}},
		{"uid": "Team::\"t\"", "parents": ["Org::\"o\""]}
	]`
)

func request(principal, more string) string {
	return fmt.Sprintf(`{"principal": "User::\"%s\"", "action": "Action::\"read\"", "resource": "Doc::\"d\""%s}`, principal, more)
}

// readGiven is what a project has in its folders.
func readGiven(t testing.TB, entities string, lines ...string) *Given {
	t.Helper()
	files := fstest.MapFS{
		manifest.ProjectFile:  {Data: []byte("apiVersion: policypin.dev/v1\nkind: Project\n")},
		"entities/e.json":     {Data: []byte(entities)},
		"requests/log.jsonl":  {Data: []byte(strings.Join(lines, "\n"))},
		"requests/notes.text": {Data: []byte("none")},
	}
	p, _, err := manifest.LoadProject(files)
	if err != nil {
		t.Fatal(err)
	}
	given, problems, err := ReadGiven(files, p)
	if err != nil || problems != nil {
		t.Fatal(err, problems)
	}
	return given
}

func TestGivenRequests(t *testing.T) {
	tests := []struct {
		name     string
		from, to string
		line     string
		want     string // kind and place, "same", or the reason why it was skipped
	}{
		{"a request that is allowed now", deptX, anyone, request("y", ""), "widened requests/log.jsonl:1"},
		{"a request that is as before", deptX, anyone, request("x", ""), "same"},
		{"a request that is denied now", anyone, deptX, request("y", `, "context": {"n": 7, "tags": ["a"]}`), "narrowed requests/log.jsonl:1"},
		{"ancestors of ancestors", anyone, `permit (principal, action, resource) unless { principal in Org::"o" };`, request("x", ""), "narrowed requests/log.jsonl:1"},
		{"fields of a log that nobody knows", deptX, anyone, request("y", `, "time": "now", "id": {"a": [1.5, null]}`), "widened requests/log.jsonl:1"},
		{"entities of its own come first", deptX, anyone, request("x", `, "entities": [{"uid": "User::\"x\"", "attrs": {"dept": "z", "vip": true}}]`), "widened requests/log.jsonl:1"},
		{"an attribute of an entity that only the policy names", anyone, `permit (principal, action, resource) unless { User::"y".vip };`, request("x", ""), "narrowed requests/log.jsonl:1"},
		{"what a policy asks of the context", anyone, `permit (principal, action, resource) when { context has n && context.n > 5 };`, request("x", `, "context": {"n": 5}`), "narrowed requests/log.jsonl:1"},
		{"a policy that fails", anyone, `permit (principal, action, resource) when { context.n > 5 };`, request("x", ""), "narrowed requests/log.jsonl:1"},
		{"a forbid that fails", anyone, anyone + `forbid`, request("x", ""), "error-changed requests/log.jsonl:1"},
		{"an entity that no file has", deptX, anyone, request("nobody", ""), `no file has the entity User::"nobody", and its type has attributes that must be there`},
		{"an entity that doesn't fit the schema", deptX, anyone, request("old", ""), `the entity User::"old" doesn't fit the schema`},
		{"an action of an older schema", deptX, anyone, strings.Replace(request("x", ""), "read", "dance", 1), "unknown action `Action::\"dance\"`"},
		{"a context of an older schema", deptX, anyone, request("x", `, "context": {"n": "5"}`), "attribute `n` must be Long, not text"},
		{"an ancestor of itself", deptX, anyone, request("x", `, "entities": [{"uid": "User::\"x\"", "attrs": {"dept": "z", "vip": true}, "parents": ["User::\"x\""]}]`),
			"its entities: `User::\"x\"` can't be a parent: by the schema, User is in Team"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from, to := []string{tt.from}, []string{tt.to}
			if rest, ok := strings.CutSuffix(tt.to, "forbid"); ok {
				to = []string{rest, "forbid (principal, action, resource) when { context.n > 5 };"}
			}
			r := Compare(tree(t, from...), tree(t, to...), Options{Given: readGiven(t, entities, tt.line)})
			s := r.Sets[0]
			got := "same"
			for _, one := range s.Skipped {
				got = one.Reason
			}
			for _, f := range s.Findings {
				for _, e := range f.Examples {
					if e.At.File != "" {
						got = fmt.Sprintf("%s %s", f.Kind, e.At)
					}
				}
			}
			if got != tt.want || r.Problems != nil {
				t.Errorf("got %q, want %q; %v", got, tt.want, r.Problems)
			}
			if want := (Sources{Synthesized: s.Requests - s.Sources.Logs, Logs: 1 - s.Sources.Skipped, Skipped: len(s.Skipped)}); s.Sources != want {
				t.Errorf("got sources %+v, want %+v", s.Sources, want)
			}
		})
	}
}

// Each example can be read and decided again with nothing but what it shows.
func TestGivenWitnesses(t *testing.T) {
	from, to := tree(t, anyone), tree(t, `permit (principal, action, resource) unless { User::"y".vip && principal in Org::"o" };`)
	r := Compare(from, to, Options{Given: readGiven(t, entities, request("x", ""))})
	f := r.Sets[0].Findings[0]
	e := f.Examples[0]
	if e.At.Line != 1 || f.Given != 1 {
		t.Fatalf("got %+v, want the line of the log first", e)
	}
	w := parse(t, from.Schemas["v1"], e.Entities, e.Request)
	checkFlip(t, w, from, to, f.Kind)
	if strings.Contains(string(e.Entities), `"old"`) {
		t.Errorf("got entities that the request has nothing to do with: %s", e.Entities)
	}
}

// Ten thousand flips of one cause are one finding.
func TestManyFlipsAreOneFinding(t *testing.T) {
	var lines []string
	for i := range 10_000 {
		lines = append(lines, request("y", fmt.Sprintf(`, "context": {"n": %d}`, i)))
	}
	r := Compare(tree(t, deptX), tree(t, anyone), Options{Given: readGiven(t, entities, lines...)})
	s := r.Sets[0]
	if len(s.Findings) != 1 || s.Findings[0].Given != 10_000 || len(s.Findings[0].Examples) > maxExamples {
		t.Errorf("got %d findings, %+v", len(s.Findings), s.Findings[0])
	}
	if s.Sources.Logs != 10_000 {
		t.Errorf("got %+v", s.Sources)
	}
}

// The cores share the log; who reads what changes nothing.
func TestGivenIsDeterministic(t *testing.T) {
	var lines []string
	for i := range 30_000 { // some pieces
		lines = append(lines, request([]string{"x", "y", "old", "nobody"}[i%4], fmt.Sprintf(`, "context": {"n": %d}`, i)))
	}
	given := readGiven(t, entities, lines...)
	if n := len(pieces(given.logs)); n < 3 {
		t.Fatalf("got %d pieces", n)
	}
	first := fmt.Sprintf("%+v", Compare(tree(t, deptX), tree(t, anyone), Options{Given: given}))
	for range 3 {
		if again := fmt.Sprintf("%+v", Compare(tree(t, deptX), tree(t, anyone), Options{Given: given})); again != first {
			t.Fatalf("got\n%.500s\nthen\n%.500s", first, again)
		}
	}
}

func TestBrokenLogs(t *testing.T) {
	tests := []struct{ name, line, rule string }{
		{"no JSON", `{"principal":`, "json-syntax"},
		{"no object", `[]`, "wrong-type"},
		{"no resource", `{"principal": "User::\"x\"", "action": "Action::\"read\""}`, "missing-key"},
		{"a key twice", request("x", `, "context": {"n": 1, "n": 2}`), "duplicate-key"},
		{"a name that is none", request(`x\"y`, ""), "cedar-uid"},
		{"broken entities", request("x", `, "entities": [{"attrs": {}}]`), "missing-key"},
		{"a line without an end", request("x", `, "pad": "`+strings.Repeat("x", maxLineBytes)+`"`), "file-too-large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			given := readGiven(t, entities, request("y", ""), "", tt.line, request("y", ""))
			r := Compare(tree(t, deptX), tree(t, anyone), Options{Given: given})
			if len(r.Problems) != 1 || r.Problems[0].Rule != tt.rule || r.Problems[0].Line != 3 || r.Problems[0].File != "requests/log.jsonl" {
				t.Errorf("got %v, want %s on line 3", r.Problems, tt.rule)
			}
			if got := r.Sets[0].Sources.Logs; got != 2 {
				t.Errorf("got %d requests, want the other two", got)
			}
		})
	}
	t.Run("a file of another kind", func(t *testing.T) {
		given := readGiven(t, entities, slices.Repeat([]string{"no"}, 1000)...)
		if r := Compare(tree(t, deptX), tree(t, anyone), Options{Given: given}); len(r.Problems) != maxLogProblems {
			t.Errorf("got %d problems", len(r.Problems))
		}
	})
}

// The cases of both trees are requests as well, each once.
func TestRequestsOfTests(t *testing.T) {
	const cases = `apiVersion: policypin.dev/v1
kind: PolicyTest
entities:
  User::"x": {attrs: {dept: x, vip: true}}
  User::"y": {attrs: {dept: y, vip: true}}
  Doc::"d": {attrs: {owner: User::"x"}}
cases:
  - {principal: User::"x", action: Action::"read", resource: Doc::"d", expect: allow}
  - {principal: User::"y", action: Action::"read", resource: Doc::"d", expect: deny}
`
	from := treeWith(t, map[string]string{"tests/a.yaml": cases}, deptX)
	to := treeWith(t, map[string]string{"tests/b.yaml": cases[:strings.LastIndex(cases, "  - ")]}, anyone)
	r := Compare(from, to, Options{})
	if got := r.Sets[0].Sources; got.Tests != 2 || got.Skipped != 0 {
		t.Errorf("got %+v", got)
	}
	e := r.Sets[0].Findings[0].Examples[0]
	if e.At.String() != "tests/a.yaml:9:5" || e.From.Allow || !e.To.Allow {
		t.Errorf("got %+v", e)
	}
}

// A policy that can't be evaluated isn't taken for one that says no.
func TestFailing(t *testing.T) {
	const fails = `forbid (principal, action, resource) when { context.n + 9223372036854775807 > 0 };`
	r := Compare(tree(t, anyone, deptX), tree(t, anyone, fails), Options{Given: readGiven(t, entities, request("x", `, "context": {"n": 1}`))})
	s := r.Sets[0]
	if len(s.Failing) != 1 || s.Failing[0].Policy != "p1" || s.Failing[0].From || !strings.Contains(s.Failing[0].Message, "overflow") || s.Failing[0].Count < 2 {
		t.Fatalf("got %+v", s.Failing)
	}
	for _, f := range s.Findings {
		if f.Kind == ErrorChanged && len(f.Examples[0].To.Errors) == 1 {
			return
		}
	}
	t.Errorf("no finding shows the error: %+v", s.Findings)
}

// oversize is a file system that refuses large files, as that of the repository.
type oversize struct{ fs.FS }

func (f oversize) Open(name string) (fs.File, error) {
	if name == "requests/large.jsonl" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("is too large")}
	}
	return f.FS.Open(name)
}

func (f oversize) Stat(name string) (fs.FileInfo, error) { return fs.Stat(f.FS, name) }

// A log that is too large for the repository is a problem with a way out.
func TestLargeLogInTheRepository(t *testing.T) {
	files := fstest.MapFS{"requests/large.jsonl": {Data: make([]byte, maxFileBytes+1)}}
	_, problems, err := ReadGiven(oversize{files}, &manifest.Project{Requests: []string{"requests/*.jsonl"}})
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0].Message, "it has 67108865 bytes, and a file in the repository at most 67108864") || !strings.Contains(problems[0].Fix, "--requests FILE") {
		t.Errorf("got %v, %v", problems, err)
	}
}

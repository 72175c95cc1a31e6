// Command gendecisions writes a project to measure decisions with: one policy
// set, entities, a log of requests, and decision tests that all pass. All but
// entities and log is committed; then one policy is changed in the work tree.
// The same flags give the same files on every machine.
//
//	go run ./bench/gendecisions [-policies N] [-requests N] [-cases N] DIR
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
)

const schemaVersion = "2026-06-18"

// people is how many users there are, each in the team of one policy.
const people = 1000

// logLines is how many requests one file of the log has: some 20 MB.
const logLines = 100_000

func main() {
	policies := flag.Int("policies", 200, "policies of the set")
	requests := flag.Int("requests", 400_000, "requests of the log")
	cases := flag.Int("cases", 0, "decision tests")
	schema := flag.String("schema", "internal/zone/schemas/"+schemaVersion+".cedarschema", "Cedar schema to commit")
	flag.Parse()
	if flag.NArg() != 1 || *policies < 4 || *requests < 0 || *cases < 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := generate(flag.Arg(0), *schema, *policies, *requests, *cases); err != nil {
		fmt.Fprintln(os.Stderr, "gendecisions:", err)
		os.Exit(1)
	}
}

// generate makes the repository in dir, which must not exist yet.
func generate(dir, schemaFile string, policies, requests, cases int) error {
	schema, err := os.ReadFile(schemaFile)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	files := map[string][]byte{
		"policypin.yaml": []byte("apiVersion: policypin.dev/v1\nkind: Project\ndefault_target: local\n"),
		"schemas/" + schemaVersion + ".cedarschema": schema,
		"policy-sets/agents.yaml":                   policySet(policies),
	}
	for i := range policies {
		files[source(i)] = policy(i, "")
	}
	for first := 0; first < cases; first += 1000 {
		files[fmt.Sprintf("tests/t%02d.yaml", first/1000)] = tests(first, min(first+1000, cases), policies)
	}
	if err := write(dir, files); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"add", "."},
		{"-c", "user.name=Generator", "-c", "user.email=generator@localhost", "commit", "--quiet", "--message", "All policies"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_DATE=2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2026-01-01T00:00:00Z")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("git %s: %w", args[0], err)
		}
	}
	all, err := json.Marshal(entities(policies))
	if err != nil {
		return err
	}
	files = map[string][]byte{
		"entities/all.json": all,
		source(0):           policy(0, `, Keycard::Action::"WriteTools"`), // what impact finds
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for first := 0; first < requests; first += logLines {
		files[fmt.Sprintf("requests/log%d.jsonl", first/logLines)] = log(rng, policies, min(logLines, requests-first))
	}
	return write(dir, files)
}

func write(dir string, files map[string][]byte) error {
	for name, content := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(name, content, 0o666); err != nil {
			return err
		}
	}
	return nil
}

func source(i int) string { return fmt.Sprintf("policies/p%04d.cedar", i) }

func policySet(policies int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: agents\nschema_version: %q\nentries:\n", schemaVersion)
	for i := range policies {
		fmt.Fprintf(&b, "  - policy: p%04d\n    source: %s\n", i, source(i))
	}
	return b.Bytes()
}

// policy gives one about resource number i, of one of four kinds. Their scopes
// name no entity, as those of the platform's own policies.
func policy(i int, more string) []byte {
	switch i % 4 {
	case 0:
		return fmt.Appendf(nil, `// The team reads what it owns.
permit (
  principal is Keycard::User,
  action in [Keycard::Action::"Access", Keycard::Action::"ReadTools"%s],
  resource is Keycard::Resource
)
when { resource.id == "r%d" && principal has groups && principal.groups.contains("team-%d") };
`, more, i, i)
	case 1:
		return fmt.Appendf(nil, `// Managed applications act for their users.
permit (
  principal is Keycard::Application,
  action in [Keycard::Action::"Access", Keycard::Action::"ReadTools"],
  resource is Keycard::Resource
)
when {
  context.on_behalf &&
  principal.registration_method == Keycard::RegistrationMethod::"managed" &&
  resource.name like "resource-%d-*"
};
`, i)
	case 2:
		return fmt.Appendf(nil, `// Nobody asks for the scope that deletes.
forbid (
  principal,
  action,
  resource is Keycard::Resource
)
when { resource.id == "r%d" && context has scopes && context.scopes.containsAny(["delete", "purge"]) };
`, i)
	}
	return fmt.Appendf(nil, `// The job runner reads with its own credential.
permit (
  principal is Keycard::Application,
  action == Keycard::Action::"ReadTools",
  resource is Keycard::Resource
)
when {
  principal.credential_type == Keycard::CredentialType::"token" &&
  principal has identifier &&
  principal.identifier == "urn:app:a%d" &&
  resource.id == "r%d"
};
`, i, i)
}

// An uid is the name of an entity in Cedar's JSON.
type uid struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type entity struct {
	UID     uid            `json:"uid"`
	Attrs   map[string]any `json:"attrs"`
	Parents []uid          `json:"parents"`
}

func entities(policies int) []entity {
	enum := func(kind, id string) any { return map[string]uid{"__entity": {"Keycard::" + kind, id}} }
	list := make([]entity, 0, people+2*policies)
	for k := range people {
		list = append(list, entity{uid{"Keycard::User", fmt.Sprintf("u%d", k)},
			map[string]any{"email": fmt.Sprintf("u%d@example.com", k), "groups": []string{fmt.Sprintf("team-%d", k%policies), "staff"}}, []uid{}})
	}
	for i := range policies {
		list = append(list, entity{uid{"Keycard::Application", fmt.Sprintf("a%d", i)}, map[string]any{
			"identifier":          fmt.Sprintf("urn:app:a%d", i),
			"registration_method": enum("RegistrationMethod", []string{"managed", "dcr"}[i%2]),
			"credential_type":     enum("CredentialType", []string{"token", "password"}[i/2%2]),
		}, []uid{}}, entity{uid{"Keycard::Resource", fmt.Sprintf("r%d", i)}, map[string]any{
			"id": fmt.Sprintf("r%d", i), "name": fmt.Sprintf("resource-%d-main", i),
		}, []uid{}})
	}
	return list
}

// log gives requests of users and applications, a few of each hundred with
// scopes.
func log(rng *rand.Rand, policies, requests int) []byte {
	var b bytes.Buffer
	for range requests {
		principal := fmt.Sprintf(`{"type":"Keycard::User","id":"u%d"}`, rng.IntN(people))
		if rng.IntN(3) == 0 {
			principal = fmt.Sprintf(`{"type":"Keycard::Application","id":"a%d"}`, rng.IntN(policies))
		}
		scopes := ""
		if rng.IntN(20) == 0 {
			scopes = `,"scopes":["` + []string{"read", "write", "delete"}[rng.IntN(3)] + `"]`
		}
		fmt.Fprintf(&b, `{"principal":%s,"action":{"type":"Keycard::Action","id":"%s"},"resource":{"type":"Keycard::Resource","id":"r%d"},"context":{"on_behalf":%t%s}}`+"\n",
			principal, []string{"Access", "ReadTools", "WriteTools", "ControlTools"}[rng.IntN(4)], rng.IntN(policies), rng.IntN(2) == 0, scopes)
	}
	return b.Bytes()
}

// tests gives cases of users, half of them with the resource of their own team.
func tests(from, to, policies int) []byte {
	var b bytes.Buffer
	b.WriteString("apiVersion: policypin.dev/v1\nkind: PolicyTest\nset: agents\nentities:\n")
	for k := range min(people, policies) {
		fmt.Fprintf(&b, "  Keycard::User::\"u%d\":\n    attrs: {groups: [team-%d, staff]}\n", k, k)
		fmt.Fprintf(&b, "  Keycard::Resource::\"r%d\":\n    attrs: {id: r%d, name: resource-%d-main}\n", k, k, k)
	}
	b.WriteString("cases:\n")
	for n := from; n < to; n++ {
		k := n % min(people, policies)
		i := k
		if n/policies%2 == 1 {
			i = (k + 1 + n/policies) % min(people, policies)
		}
		expect := "deny\n    determining: []"
		if i == k && i%4 == 0 {
			expect = fmt.Sprintf("allow\n    determining: [p%04d]", i)
		}
		fmt.Fprintf(&b, "  - name: case %d\n    principal: Keycard::User::\"u%d\"\n    action: Keycard::Action::\"ReadTools\"\n    resource: Keycard::Resource::\"r%d\"\n    context: {on_behalf: false}\n    expect: %s\n", n, k, i, expect)
	}
	return b.Bytes()
}

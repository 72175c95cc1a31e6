package policypin_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/policypin/policypin/internal/policytest"
	"github.com/policypin/policypin/manifest"
)

// TestOfficialEngineOnExamples asks the official Cedar engine what policypin says
// of the example project: that its policies are valid, and what each case of its
// test files comes to. The engine and its version are in
// internal/cedar/testdata/official.
func TestOfficialEngineOnExamples(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("NOT COMPARED with the official Cedar engine: there is no node on the path")
	}
	const dir = "internal/cedar/testdata/official"
	if _, err := os.Stat(dir + "/node_modules"); err != nil {
		t.Skip("NOT COMPARED with the official Cedar engine: run npm ci in " + dir)
	}
	const examples = "examples/quickstart"
	tree := loadClean(t, os.DirFS(examples))
	cmd := exec.Command(node, "engine.mjs")
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in, out := json.NewEncoder(stdin), json.NewDecoder(bufio.NewReader(stdout))
	ask := func(question, answer any) {
		t.Helper()
		if err := in.Encode(question); err != nil {
			t.Fatal(err)
		}
		if err := out.Decode(answer); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := os.ReadFile(examples + "/schemas/2026-06-18.cedarschema")
	if err != nil {
		t.Fatal(err)
	}
	policies := map[string]map[string]string{} // by set, then by name
	for _, set := range tree.Sets {
		policies[set.Name] = map[string]string{}
		for _, e := range set.Entries {
			if e.Source == "" {
				continue // a policy of the platform
			}
			text := tree.Sources[e.Source].Text()
			policies[set.Name][e.Policy] = text
			var answer struct{ Parse, Errors, Warnings []string }
			ask(map[string]any{"ask": "validate", "schema": string(schema), "policy": text}, &answer)
			if len(answer.Parse)+len(answer.Errors)+len(answer.Warnings) > 0 {
				t.Errorf("%s: %v", e.Source, answer)
			}
		}
	}
	cases := 0
	for _, got := range policytest.Run(tree, policytest.Options{}).Cases {
		request, entities := caseData(t, tree, got)
		var answer struct {
			Parse     []string
			Decisions []struct {
				Failure, Reasons []string
				Decision         string
				Errors           []struct{ Policy string }
			}
		}
		ask(map[string]any{
			"ask": "authorize", "schema": string(schema), "policies": policies[got.Set],
			"entities": entities, "requests": []any{request},
		}, &answer)
		if len(answer.Decisions) != 1 {
			t.Fatalf("%s: %v", got.Case, answer.Parse)
		}
		theirs := answer.Decisions[0]
		slices.Sort(got.Got.Determining)
		if len(theirs.Failure) > 0 || theirs.Decision != got.Got.Decision || !slices.Equal(theirs.Reasons, got.Got.Determining) || len(theirs.Errors) != len(got.Got.Errors) {
			t.Errorf("%s: we say %+v, the official engine %+v", got.Case, got.Got, theirs)
		}
		cases++
	}
	if cases < 9 {
		t.Errorf("only %d cases were compared", cases)
	}
	if err := stdin.Close(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// caseData gives the request and the entities of one result, in Cedar's JSON.
func caseData(t *testing.T, tree *manifest.Tree, r policytest.Result) (request, entities json.RawMessage) {
	t.Helper()
	const version = "2026-06-18"
	for _, file := range tree.Tests {
		for i := range file.Cases {
			c := &file.Cases[i]
			if file.File != r.File || c.Line != r.Line {
				continue
			}
			typed, ok := c.Request(version)
			if !ok {
				t.Fatalf("%s isn't a request", r.Case)
			}
			request, err := typed.JSON()
			if err != nil {
				t.Fatal(err)
			}
			entities, err := file.World(version).JSON()
			if err != nil {
				t.Fatal(err)
			}
			return request, entities
		}
	}
	t.Fatalf("no case on line %d of %s", r.Line, r.File)
	return nil, nil
}

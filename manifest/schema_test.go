package manifest

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/policypin/policypin/schema"
)

// object is what the tests need of a JSON Schema.
type object struct {
	Properties           map[string]object `json:"properties"`
	Required             []string          `json:"required"`
	AdditionalProperties json.RawMessage   `json:"additionalProperties"`
	Definitions          map[string]object `json:"definitions"`
	Enum                 []string          `json:"enum"`
	Default              json.RawMessage   `json:"default"`
	Const                string            `json:"const"`
	MaxLength            int               `json:"maxLength"`
}

func readSchema(t *testing.T, doc []byte) object {
	t.Helper()
	var o object
	if err := json.Unmarshal(doc, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// The JSON Schemas know the keys that the parser knows, and require the same.
func TestJSONSchemasHaveTheParsersKeys(t *testing.T) {
	project, set, tests := readSchema(t, schema.Project), readSchema(t, schema.PolicySet), readSchema(t, schema.PolicyTest)
	for _, tt := range []struct {
		name string
		keys []key
		json object
	}{
		{"project", projectKeys, project},
		{"target", targetKeys, project.Definitions["target"]},
		{"local target", localTargetKeys, project.Definitions["localTarget"]},
		{"gates", gateKeys, project.Properties["gates"]},
		{"policy set", setKeys, set},
		{"entry", entryKeys, set.Definitions["entry"]},
		{"policy test", testKeys, tests},
		{"entity", entityKeys, tests.Definitions["entity"]},
		{"case", caseKeys, tests.Definitions["case"]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var known, required []string
			for _, k := range tt.keys {
				known = append(known, k.name)
				if k.required {
					required = append(required, k.name)
				}
			}
			var properties []string
			for name := range tt.json.Properties {
				properties = append(properties, name)
			}
			for _, l := range [][]string{known, required, properties, tt.json.Required} {
				slices.Sort(l)
			}
			if !slices.Equal(known, properties) {
				t.Errorf("parser knows %q, JSON Schema has %q", known, properties)
			}
			if !slices.Equal(required, tt.json.Required) {
				t.Errorf("parser requires %q, JSON Schema requires %q", required, tt.json.Required)
			}
			if string(tt.json.AdditionalProperties) != "false" {
				t.Errorf("JSON Schema allows other keys: %s", tt.json.AdditionalProperties)
			}
		})
	}
}

// Words, limits and defaults are the parser's too.
func TestJSONSchemasHaveTheParsersValues(t *testing.T) {
	project, set, tests := readSchema(t, schema.Project), readSchema(t, schema.PolicySet), readSchema(t, schema.PolicyTest)
	if got := project.Definitions["gate"].Enum; !slices.Equal(got, gateWords) {
		t.Errorf("gates: got %q, want %q", got, gateWords)
	}
	if got := set.Properties["target_type"].Enum; !slices.Equal(got, targetTypes) {
		t.Errorf("target_type: got %q, want %q", got, targetTypes)
	}
	if got := tests.Definitions["case"].Properties["expect"].Enum; !slices.Equal(got, decisions) {
		t.Errorf("expect: got %q, want %q", got, decisions)
	}
	for _, o := range []object{project, set, tests} {
		if got := o.Properties["apiVersion"].Const; got != apiVersion {
			t.Errorf("apiVersion: got %q, want %q", got, apiVersion)
		}
	}
	for name, want := range map[string]any{
		"manifests": defaultProject().Manifests, "schemas": defaultProject().Schemas, "tests": defaultProject().Tests,
		"entities": defaultProject().Entities, "requests": defaultProject().Requests,
	} {
		wantJSON, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(project.Properties[name].Default, &got); err != nil {
			t.Fatal(err)
		}
		gotJSON, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if string(gotJSON) != string(wantJSON) {
			t.Errorf("default of %s: got %s, want %s", name, gotJSON, wantJSON)
		}
	}
	for name, got := range map[string][2]int{
		"word":           {project.Definitions["word"].MaxLength, maxWordBytes},
		"a zone's id":    {project.Definitions["id"].MaxLength, maxIDBytes},
		"a policy's ids": {set.Definitions["id"].MaxLength, maxIDBytes},
	} {
		if got[0] != got[1] {
			t.Errorf("length of %s: got %d, want %d", name, got[0], got[1])
		}
	}
	for _, o := range []object{set, tests} {
		if got := o.Definitions["name"].MaxLength; got != maxNameBytes {
			t.Errorf("length of a name: got %d, want %d", got, maxNameBytes)
		}
	}
}

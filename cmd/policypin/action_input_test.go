package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// metadata is the part of action.yml that is checked. It is read line by line:
// one door to a YAML library is enough, and the file is ours.
type metadata struct {
	inputs  map[string]string // default by name
	outputs []string
	runs    map[string]string
}

func readMetadata(t *testing.T) metadata {
	t.Helper()
	text, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	m := metadata{inputs: map[string]string{}, runs: map[string]string{}}
	section, name := "", ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.Trim(strings.TrimSpace(value), "'")
		switch indent := len(line) - len(strings.TrimLeft(line, " ")); {
		case line == "":
		case indent == 0:
			section = key
		case indent == 2 && section == "inputs":
			name = key
		case indent == 2 && section == "outputs":
			m.outputs = append(m.outputs, key)
		case indent == 2 && section == "runs":
			m.runs[key] = value
		case indent == 4 && section == "inputs" && key == "default":
			m.inputs[name] = value
		case indent == 4 && key == "required":
			t.Errorf("input %s: the runner doesn't enforce required", name)
		}
	}
	return m
}

// TestActionMetadata holds action.yml and the code to each other: every input is
// read, with the same default, and every output is set.
func TestActionMetadata(t *testing.T) {
	m := readMetadata(t)
	if m.inputs["token"] != "${{ github.token }}" {
		t.Errorf("the token's default is %q", m.inputs["token"])
	}
	m.inputs["token"] = ""
	if !reflect.DeepEqual(m.inputs, inputDefaults) {
		t.Errorf("action.yml has inputs %v, the code %v", m.inputs, inputDefaults)
	}
	if !slices.Equal(m.outputs, outputNames) {
		t.Errorf("action.yml has outputs %q, the code %q", m.outputs, outputNames)
	}
	if m.runs["using"] != "docker" || m.runs["args"] != "" {
		t.Errorf("got runs %v: inputs come by environment, never as arguments", m.runs)
	}
	code := ""
	files, err := filepath.Glob("action*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code += string(text)
	}
	for _, name := range outputNames {
		if !strings.Contains(code, `a.outputs["`+name+`"]`) {
			t.Errorf("nothing sets output %s", name)
		}
	}
	page, err := os.ReadFile("../../docs/action.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range inputDefaults {
		if !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("docs/action.md lacks input %s", name)
		}
	}
	for _, name := range outputNames {
		if !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("docs/action.md lacks output %s", name)
		}
	}
}

// Changing an input changes what is read, for every input.
func TestEveryInputIsRead(t *testing.T) {
	other := map[string]string{
		"command": "plan", "target": "production", "working-directory": "sub", "comment": "false", "online": "True",
		"activate": "TRUE", "plan": "plan.json", "behind-tip": "true", "approve": "widened=yes\n\n removed=no ", "adopt": "a\nb",
		"replace-active": "psv_1", "fail-on": "none", "api-url": "https://api.example.com", "token": "not-a-real-token",
	}
	base, err := readInputs(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	for name := range inputDefaults {
		env := map[string]string{"INPUT_" + strings.ToUpper(name): other[name]}
		got, err := readInputs(func(n string) string { return env[n] })
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if reflect.DeepEqual(got, base) {
			t.Errorf("input %s changes nothing", name)
		}
	}
	if got, err := readInputs(func(n string) string { return map[string]string{"INPUT_FAIL-ON": " , "}[n] }); err == nil {
		t.Errorf("commas alone make nothing red, which only none may: got %v", got.failOn)
	}
	got, err := readInputs(func(n string) string { return map[string]string{"INPUT_APPROVE": other["approve"]}[n] })
	if err != nil || !slices.Equal(got.approve, []string{"widened=yes", "removed=no"}) {
		t.Errorf("got %q, %v", got.approve, err)
	}
}

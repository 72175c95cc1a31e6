package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
)

// A whyRequest is a request as the command line gives it: in parts, or as that
// of a test case.
type whyRequest struct {
	principal, action, resource string
	context, entities           string // see the flags
	test                        string
}

// complete checks that the flags make up one request.
func (r whyRequest) complete() error {
	if r.test != "" {
		if r.principal+r.action+r.resource+r.context+r.entities != "" {
			return &usage{msg: "--test has a request of its own", hint: "leave out --principal, --action, --resource, --context and --entities"}
		}
		return nil
	}
	for _, flag := range []struct{ name, value string }{
		{"principal", r.principal}, {"action", r.action}, {"resource", r.resource},
	} {
		if flag.value == "" {
			return &usage{
				msg:  "missing --" + flag.name,
				hint: "a request has --principal, --action and --resource, each as Type::\"id\"; or --test NAME takes that of a test case",
			}
		}
	}
	return nil
}

// An asked request is one that a schema takes, with the entities it is decided
// in.
type asked struct {
	data       cedar.RequestData
	request    cedar.Request
	entities   *cedar.Entities
	undeclared []string // principal and resource, if they aren't among the entities
}

// ask reads the request and its entities and checks them against the schema.
func (w *world) ask(r whyRequest, tree *manifest.Tree, schema *cedar.Schema) (asked, error) {
	var a asked
	var entities []cedar.EntityData
	var err error
	if r.test != "" {
		f, c, err := r.testCase(tree)
		if err != nil {
			return a, err
		}
		a.data, entities = c.RequestData, f.Entities
	} else if a.data, entities, err = w.readRequest(r); err != nil {
		return a, err
	}
	var problems diag.List
	a.entities, problems = schema.Entities(entities)
	request, list := schema.Request(a.data)
	problems.Add(list...)
	if err := w.fault(problems); err != nil {
		return a, err
	}
	a.request = request
	declared := map[cedar.UID]bool{}
	for _, e := range entities {
		declared[e.UID] = true
	}
	for _, uid := range []cedar.UID{a.data.Principal.UID, a.data.Resource.UID} {
		if !declared[uid] && !a.entities.Has(uid) {
			a.undeclared = append(a.undeclared, uid.String())
		}
	}
	return a, nil
}

// fault prints the problems of a request, if there are any. They aren't those of
// the project, which validate would show.
func (w *world) fault(problems diag.List) error {
	if problems.Err() == nil {
		return nil
	}
	problems.Sort()
	status := statusUsage
	for _, p := range problems {
		line := p.String()
		if !strings.HasPrefix(p.File, "--") {
			status = statusProblems // of a file
		} else if line = p.Position.String() + ": " + p.Message; p.Fix != "" {
			line += " (" + p.Fix + ")"
		}
		w.say("%s %s", w.errStyle().Error("error:"), report.Clean(line))
	}
	return &concluded{status: status}
}

// readRequest reads the request of the flags.
func (w *world) readRequest(r whyRequest) (d cedar.RequestData, entities []cedar.EntityData, err error) {
	d.Position = diag.Position{File: "--context"}
	var problems diag.List
	for _, part := range []struct {
		flag, text string
		dest       *cedar.PlacedUID
	}{
		{"--principal", r.principal, &d.Principal}, {"--action", r.action, &d.Action}, {"--resource", r.resource, &d.Resource},
	} {
		uid, err := cedar.ParseUID(part.text)
		if err != nil {
			problems.Add(diag.Problem{
				Position: diag.Position{File: part.flag}, Rule: "cedar-uid",
				Message: fmt.Sprintf("%.200q %v", part.text, err), Fix: `write it as Type::"id", in quotes of the shell`,
			})
		}
		*part.dest = cedar.PlacedUID{Position: diag.Position{File: part.flag}, UID: uid}
	}
	switch {
	case r.context == "":
	case strings.HasPrefix(strings.TrimSpace(r.context), "{"):
		var list diag.List
		d.Context, list = cedar.ParseDatumJSON("--context", []byte(r.context))
		problems.Add(list...)
	default:
		data, err := w.readJSON(r.context)
		if err != nil {
			return d, nil, fmt.Errorf("--context: %w", err)
		}
		var list diag.List
		d.Context, list = cedar.ParseDatumJSON(jsonName(r.context), data)
		problems.Add(list...)
	}
	if r.entities != "" {
		if ext := strings.ToLower(r.entities); strings.HasSuffix(ext, ".yaml") || strings.HasSuffix(ext, ".yml") {
			return d, nil, &usage{msg: "--entities takes JSON, not YAML", hint: "--test NAME takes the request of a test case with its entities"}
		}
		if r.entities == "-" && r.context == "-" {
			return d, nil, &usage{msg: "--context and --entities can't both be read from stdin"}
		}
		data, err := w.readJSON(r.entities)
		if err != nil {
			return d, nil, fmt.Errorf("--entities: %w", err)
		}
		var list diag.List
		entities, list = cedar.ParseEntitiesJSON(jsonName(r.entities), data)
		problems.Add(list...)
	}
	return d, entities, w.fault(problems)
}

// jsonName is what messages call a file.
func jsonName(name string) string {
	if name == "-" {
		return "stdin"
	}
	return name
}

// readJSON reads a file, or stdin for "-", as far as the parser would take it.
func (w *world) readJSON(name string) ([]byte, error) {
	in := w.stdin
	if name != "-" {
		path := resolvePath(w.workDir(), name)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return nil, fmt.Errorf("%s is a folder", name)
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, cedar.MaxJSONBytes+1))
}

// testCase finds the case of --test, by its name or by its file and line.
func (r whyRequest) testCase(tree *manifest.Tree) (*manifest.TestFile, *manifest.Case, error) {
	var file *manifest.TestFile
	var found *manifest.Case
	var places, names []string
	for _, f := range tree.Tests {
		at := r.caseAt(f)
		for i := range f.Cases {
			c := &f.Cases[i]
			place := fmt.Sprintf("%s:%d", f.File, c.Line)
			names = append(names, c.Label())
			if c.Label() == r.test || i == at {
				file, found = f, c
				places = append(places, place)
			}
		}
	}
	switch len(places) {
	case 0:
		err := &usage{msg: fmt.Sprintf("no test case is named %q", r.test), hint: "policypin test --format json lists them; FILE:LINE names one as well"}
		if near := nearest(r.test, names); near != "" {
			err.hint = fmt.Sprintf("did you mean %q?", near)
		}
		return nil, nil, err
	case 1:
		return file, found, nil
	}
	return nil, nil, &usage{
		msg:  fmt.Sprintf("%d test cases are named %q", len(places), r.test),
		hint: "choose one by its place: --test " + strings.Join(places, ", "),
	}
}

// testedSet is the policy set that the test case is about, "" if it is about
// several.
func (r whyRequest) testedSet(tree *manifest.Tree) (string, error) {
	f, c, err := r.testCase(tree)
	if err != nil {
		return "", err
	}
	if sets := tree.TestedSets(f, c); len(sets) == 1 {
		return sets[0].Name, nil
	}
	return "", nil
}

// caseAt is the index of the case that the line in --test belongs to, or -1 if
// --test isn't a line of the file. An editor's place in a case is good enough.
func (r whyRequest) caseAt(f *manifest.TestFile) int {
	line, ok := strings.CutPrefix(r.test, f.File+":")
	n, err := strconv.Atoi(line)
	if !ok || err != nil {
		return -1
	}
	at := -1
	for i := range f.Cases {
		if f.Cases[i].Line <= n {
			at = i
		}
	}
	return at
}

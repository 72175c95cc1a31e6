// Command authorize decides the first requests of a project that gendecisions
// wrote, and prints how many are allowed. bench/official.mjs does the same with
// the official Cedar engine.
//
//	go run ./bench/authorize DIR COUNT
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: authorize DIR COUNT")
		os.Exit(2)
	}
	count, err := strconv.Atoi(os.Args[2])
	allowed := 0
	if err == nil {
		allowed, err = authorize(os.Args[1], count)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "authorize:", err)
		os.Exit(1)
	}
	fmt.Println(allowed)
}

func authorize(dir string, count int) (allowed int, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "schemas", "2026-06-18.cedarschema"))
	if err != nil {
		return 0, err
	}
	schema, problems := cedar.ParseSchema("schema", text)
	if schema == nil {
		return 0, problems.Err()
	}
	sources, err := filepath.Glob(filepath.Join(dir, "policies", "*.cedar"))
	if err != nil {
		return 0, err
	}
	var policies []cedar.Named
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		p, problems := cedar.Parse(name, text)
		if p == nil {
			return 0, problems.Err()
		}
		policies = append(policies, cedar.Named{Name: name, Policy: p})
	}
	text, err = os.ReadFile(filepath.Join(dir, "entities", "all.json"))
	if err != nil {
		return 0, err
	}
	data, problems := cedar.ParseEntitiesJSON("entities", text)
	if problems.Err() != nil {
		return 0, problems
	}
	world, problems := schema.Entities(data)
	if problems.Err() != nil {
		return 0, problems
	}
	log, err := os.ReadFile(filepath.Join(dir, "requests", "log0.jsonl"))
	if err != nil {
		return 0, err
	}
	authorizer := cedar.NewAuthorizer(policies)
	for n := range count {
		line, rest, ok := bytes.Cut(log, []byte("\n"))
		if log = rest; !ok {
			return 0, fmt.Errorf("the log has %d requests only", n)
		}
		data, problems := cedar.ParseRequestJSON(diag.Position{File: "log", Line: n + 1}, line)
		if problems.Err() != nil {
			return 0, problems
		}
		request, problems := schema.Request(data)
		if problems.Err() != nil {
			return 0, problems
		}
		if authorizer.Decide(world, request).Allow {
			allowed++
		}
	}
	return allowed, nil
}

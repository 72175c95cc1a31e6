package main

import (
	"path/filepath"

	"github.com/policypin/policypin/internal/ghaction"
	"github.com/policypin/policypin/manifest"
)

// inputDefaults are the inputs of action.yml and their defaults. A test keeps
// both equal; the token's default there is the job's.
var inputDefaults = map[string]string{
	"command":           doAuto,
	"target":            "",
	"working-directory": ".",
	"comment":           "true",
	"online":            "false",
	"activate":          "false",
	"plan":              "",
	"behind-tip":        "false",
	"approve":           "",
	"adopt":             "",
	"replace-active":    "",
	"fail-on":           "problems,gates",
	"api-url":           "",
	"token":             "",
}

// What can make a check red, beside that it couldn't be made.
const (
	failOnProblems = "problems"
	failOnGates    = "gates"
	failOnDrift    = "drift"
)

// actionInputs are the inputs as values.
type actionInputs struct {
	command       string
	target        string
	dir           string
	comment       bool
	online        bool
	activate      bool
	planFile      string
	behindTip     bool
	approve       []string
	adopt         []string
	replaceActive string
	failOn        map[string]bool
	apiURL        string
	token         string
}

func readInputs(getenv func(string) string) (actionInputs, error) {
	in := ghaction.NewInputs(getenv, inputDefaults)
	vals := actionInputs{
		target: in.Text("target"), dir: in.Text("working-directory"), planFile: in.Text("plan"),
		approve: in.Lines("approve"), adopt: in.Lines("adopt"), replaceActive: in.Text("replace-active"),
		apiURL: in.Text("api-url"), token: in.Text("token"), failOn: map[string]bool{},
	}
	var err error
	if vals.command, err = in.Choice("command", doAuto, doCheck, doValidate, doPlan, doPublish, doDrift); err != nil {
		return vals, err
	}
	for name, dest := range map[string]*bool{
		"comment": &vals.comment, "online": &vals.online, "activate": &vals.activate, "behind-tip": &vals.behindTip,
	} {
		if *dest, err = in.Bool(name); err != nil {
			return vals, err
		}
	}
	words, err := in.Words("fail-on", failOnProblems, failOnGates, failOnDrift)
	for _, word := range words {
		vals.failOn[word] = true
	}
	return vals, err
}

// apply makes inputs what commands read: flags and environment. An input goes
// before a variable of its kind, as a flag does.
func (a *action) apply() {
	a.global.color.value = "never"
	a.global.target.value = a.in.target
	if a.global.dir.value == "" {
		base := a.runner.Workspace
		if base == "" {
			base = a.dir
		}
		a.global.dir.value = resolvePath(base, filepath.FromSlash(a.in.dir))
	}
	if a.in.planFile != "" && a.runner.Workspace != "" { // as the output of the run that planned names it
		a.in.planFile = resolvePath(a.runner.Workspace, filepath.FromSlash(a.in.planFile))
	}
	outer := a.getenv
	a.getenv = func(name string) string {
		switch {
		case name == "GITHUB_TOKEN" && a.in.token != "":
			return a.in.token
		case name == "KEYCARD_API_BASE_URL" && a.in.apiURL != "":
			return a.in.apiURL
		case name == "CI":
			return "true"
		}
		return outer(name)
	}
}

// pickTarget is the target of the run: the one that the input names, else the
// project's default, else its only one. The local zone isn't chosen unasked:
// publishing there would be green and publish nothing.
func (a *action) pickTarget(file *manifest.Project) (manifest.Target, bool) {
	name := a.in.target
	if name == "" && file.DefaultTarget != localTarget {
		name = file.DefaultTarget
	}
	if name == "" && len(file.Targets) == 1 && file.Targets[0].Name != localTarget {
		name = file.Targets[0].Name
	}
	if name == "" {
		return manifest.Target{}, false
	}
	return file.Target(name)
}

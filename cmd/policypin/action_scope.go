package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/policypin/policypin/manifest"
)

// What a check can't plan, or not with the zone, is said and makes no run red.

// goOffline plans without the zone what GitHub gives no secrets to: such a run
// can't be asked for them.
func (a *action) goOffline() {
	pr := a.event.PullRequest
	if !a.in.online || pr == nil || !pr.NoSecrets {
		return
	}
	for _, name := range []string{"KEYCARD_API_TOKEN", "KEYCARD_API_CLIENT_SECRET", "KEYCARD_API_TOKEN_COMMAND"} {
		if a.getenv(name) != "" {
			return
		}
	}
	a.in.online = false
	a.notice("the zone isn't asked: the run of a pull request from a fork or by Dependabot has no credentials")
}

// noTarget says why nothing is planned. Where there are targets to choose from,
// gates were meant to be checked.
func (a *action) noTarget(file *manifest.Project) {
	if hasZones(file) {
		a.notice("nothing is planned and no gate is checked: the project has several targets, and the input target names none")
		return
	}
	a.say("no target: nothing is planned")
}

// hasZones tells whether a project has a target beside the local zone.
func hasZones(file *manifest.Project) bool {
	return slices.ContainsFunc(file.Targets, func(t manifest.Target) bool { return t.Name != localTarget })
}

// otherBranch is the branch that would be merged into, if the target publishes
// another one, as in a stack of pull requests. A plan would say what comes of
// a merge that nothing comes of, and the gates would stop it.
func (a *action) otherBranch(t manifest.Target) string {
	into, published := "", cmp.Or(t.Branch, a.event.DefaultBranch)
	switch e := a.event; {
	case e.PullRequest != nil:
		into = e.PullRequest.Base
	case e.MergeGroup != nil:
		into = strings.TrimPrefix(e.MergeGroup.BaseRef, "refs/heads/")
	}
	if into == published || published == "" {
		return ""
	}
	return into
}

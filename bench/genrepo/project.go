package main

import (
	"bytes"
	"fmt"
	"strings"
)

const projectFile = `apiVersion: policypin.dev/v1
kind: Project
default_target: local
`

// A project is the state of all files: how often each has been changed.
type project struct {
	perSet    int
	sets      []int // revision of each manifest
	revisions []int // revision of each policy
}

func newProject(perSet, sets int) *project {
	return &project{perSet: perSet, sets: make([]int, sets), revisions: make([]int, perSet*sets)}
}

// teams is how many teams, and so manifests, an area has.
const teams = 25

func (p *project) team(set int) string {
	return fmt.Sprintf("area%02d-team%02d", set/teams, set%teams)
}

func (p *project) policy(i int) string {
	return fmt.Sprintf("%s-%03d", p.team(i/p.perSet), i%p.perSet)
}

func (p *project) manifestPath(set int) string {
	return "policy-sets/" + p.team(set) + ".yaml"
}

func (p *project) sourcePath(i int) string {
	area, team, _ := strings.Cut(p.team(i/p.perSet), "-")
	return fmt.Sprintf("policies/%s/%s/p%03d.cedar", area, team, i%p.perSet)
}

// manifest gives one policy set with all policies of a team by source.
func (p *project) manifest(set int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Reviewed %d times.\n", p.sets[set]+1)
	fmt.Fprintf(&b, "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: %s\nschema_version: %q\nentries:\n", p.team(set), schemaVersion)
	for i := set * p.perSet; i < (set+1)*p.perSet; i++ {
		fmt.Fprintf(&b, "  - policy: %s\n    source: %s\n    description: Rule %d of %s.\n",
			p.policy(i), p.sourcePath(i), i%p.perSet, p.team(set))
	}
	return b.Bytes()
}

// source gives a policy, about 400 to 800 bytes with its comment. Each revision
// of it means something else, and is valid against the schema.
func (p *project) source(i int) []byte {
	team := p.team(i / p.perSet)
	rule := rules[i%len(rules)]
	return fmt.Appendf(nil, `// %s
//
// Owner: %s. Asked for in change %d; see the team's handbook for who may ask
// for an exception, and until when this one was granted.
@id("%s")
%s`, rule.says, team, 1000+i+p.revisions[i], p.policy(i),
		strings.NewReplacer("TEAM", team, "REVISION", fmt.Sprint(p.revisions[i]), "NUMBER", fmt.Sprint(i)).Replace(rule.cedar))
}

// rules are the patterns of which the policies are made.
var rules = []struct{ says, cedar string }{
	{"People of the team may use what the team owns.", `permit (
  principal is Keycard::User,
  action,
  resource is Keycard::Resource
)
when {
  principal has groups &&
  principal.groups.contains("TEAM") &&
  resource.name like "TEAM-NUMBER-*" &&
  resource.id != "retired-REVISION"
};
`},
	{"Applications that we manage may act for their users.", `permit (
  principal is Keycard::Application,
  action in [Keycard::Action::"Access", Keycard::Action::"ReadTools"],
  resource is Keycard::Resource
)
when {
  context.on_behalf &&
  principal.registration_method == Keycard::RegistrationMethod::"managed" &&
  principal has dependencies &&
  principal.dependencies.contains(resource) &&
  resource.name like "TEAM-NUMBER-REVISION-*"
};
`},
	{"Nobody asks for the scope that deletes.", `forbid (
  principal,
  action,
  resource is Keycard::Resource
)
when {
  resource has identifier &&
  resource.identifier == "https://TEAM.example.com/NUMBER" &&
  context has scopes &&
  context.scopes.containsAny(["delete", "purge", "drop-REVISION"])
};
`},
	{"The job runner reads with its own credential.", `permit (
  principal is Keycard::Application,
  action == Keycard::Action::"ReadTools",
  resource is Keycard::Resource
)
when {
  principal.credential_type == Keycard::CredentialType::"token" &&
  principal has identifier &&
  principal.identifier == "urn:app:TEAM-runner-NUMBER" &&
  !context.on_behalf &&
  resource has scopes &&
  resource.scopes.containsAll(["read", "revision-REVISION"])
};
`},
	{"Contractors stay out unless they are named.", `forbid (
  principal is Keycard::User,
  action in [Keycard::Action::"WriteTools", Keycard::Action::"ControlTools"],
  resource is Keycard::Resource
)
when {
  principal has email &&
  principal.email like "*@contractors.example.com" &&
  resource.name like "TEAM-NUMBER-*"
}
unless {
  principal has groups &&
  principal.groups.contains("TEAM-exception-REVISION")
};
`},
}

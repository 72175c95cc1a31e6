package manifest

import (
	"fmt"
	"strings"
	"testing"
)

// show writes a diff on a few lines.
func show(d Diff) string {
	var b strings.Builder
	for _, c := range d.Project {
		fmt.Fprintf(&b, "project %s: %s > %s\n", c.Field, c.From, c.To)
	}
	for _, s := range d.Sets {
		fmt.Fprintf(&b, "%s %s", s.Kind, s.Name)
		if s.Was != "" {
			fmt.Fprintf(&b, " was %s", s.Was)
		}
		switch {
		case s.From == s.To:
			b.WriteString(" =")
		case s.From.IsZero():
			b.WriteString(" new")
		case s.To.IsZero():
			b.WriteString(" gone")
		}
		b.WriteString("\n")
		for _, c := range s.Fields {
			fmt.Fprintf(&b, "  %s: %s > %s\n", c.Field, c.From, c.To)
		}
		for _, e := range s.Entries {
			fmt.Fprintf(&b, "  %s %s", e.Kind, e.Policy)
			if e.Was != "" {
				fmt.Fprintf(&b, " was %s", e.Was)
			}
			if e.FromText != e.ToText {
				b.WriteString(" text")
			}
			b.WriteString("\n")
			for _, c := range e.Fields {
				fmt.Fprintf(&b, "    %s: %s > %s\n", c.Field, c.From, c.To)
			}
		}
	}
	return b.String()
}

func TestCompare(t *testing.T) {
	const set, read, project = "policy-sets/agents.yaml", "policies/read.cedar", "policypin.yaml"
	for _, tt := range []struct {
		name string
		b    files // compared with goodFiles
		want string
	}{
		{"nothing", goodFiles, ""},
		{"a comment in a source is layout", goodFiles.edit(t, read, "permit", "// x\npermit"), "layout agents =\n  layout read text\n"},
		{"a comment in a manifest is layout", goodFiles.edit(t, set, "entries:", "# x\nentries:"), "layout agents =\n"},
		{"a moved manifest is layout", goodFiles.with(files{set: "", "policy-sets/a.yaml": goodFiles[set]}), "layout agents =\n"},
		{"the order of entries is layout", goodFiles.edit(t, set, "  - policy: default-user-grants\n    version: 3\n", "").
			edit(t, set, "entries:\n", "entries:\n  - policy: default-user-grants\n    version: 3\n"), "layout agents =\n"},
		{"line ends are layout", goodFiles.with(files{
			set: strings.ReplaceAll(goodFiles[set], "\n", "\r\n"), read: strings.ReplaceAll(goodFiles[read], "\n", "\r\n"),
		}), "layout agents =\n  layout read text\n"},
		{"a source", goodFiles.edit(t, read, "permit", "forbid"), "changed agents\n  changed read text\n"},
		{"a number", goodFiles.edit(t, set, "version: 3", "version: 4"), "changed agents\n  changed default-user-grants\n    version: 3 > 4\n"},
		{"a description", goodFiles.edit(t, set, "Everybody", "Anybody"),
			"changed agents =\n  changed read\n    description: Everybody may read. > Anybody may read.\n"},
		{"a moved source", goodFiles.with(files{read: "", "policies/r.cedar": goodFiles[read]}).edit(t, set, read, "policies/r.cedar"),
			"changed agents =\n  changed read\n    source: policies/read.cedar > policies/r.cedar\n"},
		{"a removed entry comes last", goodFiles.edit(t, set, "  - policy: deny-dcr\n    source: policies/deny-dcr.cedar\n", "").
			edit(t, set, "version: 3\n", "version: 3\n  - policy: new\n    version: 1\n").with(files{"policies/deny-dcr.cedar": ""}),
			"changed agents\n  added new\n    version:  > 1\n  removed deny-dcr text\n    source: policies/deny-dcr.cedar > \n"},
		{"a renamed policy", goodFiles.edit(t, set, "policy: read", "policy: reads\n    was: read"), "changed agents\n  renamed reads was read\n"},
		{"a renamed and changed policy", goodFiles.edit(t, set, "policy: read", "policy: reads\n    was: read").edit(t, read, "permit", "forbid"),
			"changed agents\n  renamed reads was read text\n"},
		{"a policy renamed without was", goodFiles.edit(t, set, "policy: read", "policy: reads"),
			"changed agents\n  added reads text\n    source:  > policies/read.cedar\n    description:  > Everybody may read.\n" +
				"  removed read text\n    source: policies/read.cedar > \n    description: Everybody may read. > \n"},
		{"was of a policy that never was", goodFiles.edit(t, set, "policy: read", "policy: read\n    was: other"), "layout agents =\n"},
		{"a renamed set", goodFiles.edit(t, set, "name: agents", "name: robots\nwas: agents").edit(t, project, "active: agents", "active: robots"),
			"project targets.production.active: agents > robots\nrenamed robots was agents =\n"},
		{"a set renamed without was", goodFiles.edit(t, set, "name: agents", "name: robots").edit(t, project, "active: agents", "active: robots"),
			"project targets.production.active: agents > robots\n" +
				"removed agents gone\n  schema_version: 2026-03-16 > \n  target_type: zone > \n  targets: (every target) > \n" +
				"  removed read text\n    source: policies/read.cedar > \n    description: Everybody may read. > \n" +
				"  removed deny-dcr text\n    source: policies/deny-dcr.cedar > \n" +
				"  removed default-user-grants\n    version: 3 > \n" +
				"added robots new\n  schema_version:  > 2026-03-16\n  target_type:  > zone\n  targets:  > (every target)\n" +
				"  added read text\n    source:  > policies/read.cedar\n    description:  > Everybody may read.\n" +
				"  added deny-dcr text\n    source:  > policies/deny-dcr.cedar\n" +
				"  added default-user-grants\n    version:  > 3\n"},
		{"targets and target type", goodFiles.edit(t, set, "entries:", "targets: [production, local]\ntarget_type: user\nentries:"),
			"changed agents\n  target_type: zone > user\n  targets: (every target) > local, production\n"},
		{"by source instead of by number", goodFiles.edit(t, set, "    version: 3\n", "    source: policies/grants.cedar\n").
			with(files{"policies/grants.cedar": "permit (principal, action, resource);\n"}),
			"changed agents\n  changed default-user-grants text\n    source:  > policies/grants.cedar\n    version: 3 > \n"},
		{"a removed manifest", goodFiles.with(files{"policy-sets/exact.yaml": ""}),
			"removed exact gone\n  schema_version: 2026-03-16 > \n  target_type: user > \n  targets: production > \n" +
				"  removed pol_7\n    policy_id: pol_7 > \n    policy_version_id: pv_9 > \n" +
				"    sha: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 > \n"},
		{"the project file", goodFiles.with(files{project: `apiVersion: policypin.dev/v1
kind: Project
manifests: [policy-sets/agents.yaml, policy-sets/exact.yaml]
targets:
  production: {zone_id: zone_new, branch: main, pins: prod, active: exact}
  local: {branch: dev}
default_target: production
gates: {widened: refuse}
`}), "project targets.production.zone_id: zone_prd > zone_new\n" +
			"project targets.production.branch:  > main\n" +
			"project targets.production.pins: production > prod\n" +
			"project targets.production.active: agents > exact\n" +
			"project targets.local.branch:  > dev\n" +
			"project targets.staging.zone_id: zone_stg > \n" +
			"project targets.staging.pins: staging > \n" +
			"project gates.max_removed_entries: 3 > \n" +
			"project gates.widened: allow > refuse\n" +
			"project default_target: local > production\n" +
			"project manifests: policy-sets/*.yaml > policy-sets/agents.yaml, policy-sets/exact.yaml\n"},
		{"the order of targets", goodFiles.with(files{project: `apiVersion: policypin.dev/v1
kind: Project
gates: {max_removed_entries: 3}
targets: {production: {active: agents, zone_id: zone_prd}, staging: {zone_id: zone_stg}}
`}), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := goodFiles.load(t), tt.b.load(t)
			if got := show(Compare(a, b)); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			if d := Compare(b, tt.b.load(t)); !d.Empty() {
				t.Errorf("compared with itself, it differs:\n%s", show(d))
			}
			// What one direction finds, the other finds too.
			if got, want := Compare(b, a).Empty(), Compare(a, b).Empty(); got != want {
				t.Errorf("backwards: empty is %v, forwards %v", got, want)
			}
		})
	}
}

func TestCompareWithNothing(t *testing.T) {
	a := goodFiles.load(t)
	if d := Compare(nil, nil); !d.Empty() {
		t.Errorf("got %s", show(d))
	}
	if d := Compare(a, a); !d.Empty() {
		t.Errorf("got %s", show(d))
	}
	for _, d := range []Diff{Compare(nil, a), Compare(a, nil)} {
		if len(d.Sets) != 2 || len(d.Project) == 0 {
			t.Errorf("got %s", show(d))
		}
	}
	if d := Compare(nil, a); d.Sets[0].Kind != Added || !d.Sets[0].From.IsZero() || d.Sets[0].To.String() != agentsDigest {
		t.Errorf("got %+v", d.Sets[0])
	}
	if d := Compare(a, nil); d.Sets[0].Kind != Removed || !d.Sets[0].To.IsZero() || d.Sets[0].From.String() != agentsDigest {
		t.Errorf("got %+v", d.Sets[0])
	}
}

// A rename is one only once: swapped names and leftovers are ordinary sets.
func TestCompareDoesNotGuessRenames(t *testing.T) {
	const set = "policy-sets/agents.yaml"
	renamed := goodFiles.edit(t, set, "policy: read", "policy: reads\n    was: read").load(t)
	later := goodFiles.edit(t, set, "policy: read", "policy: reads").load(t)
	if got := show(Compare(renamed, later)); got != "layout agents =\n" {
		t.Errorf("removing was: got:\n%s", got)
	}
}

// Sources that don't parse are compared as text.
func TestCompareBrokenSources(t *testing.T) {
	load := func(text string) *Tree {
		tree, _, err := Load(goodFiles.with(files{"policies/read.cedar": text}).fs(t))
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	a, b := load("permit (principal"), load("permit (princ")
	if d := Compare(a, load("permit (principal")); !d.Empty() {
		t.Errorf("got %s", show(d))
	}
	d := Compare(a, b)
	if got, want := show(d), "changed agents =\n  changed read text\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if e := d.Sets[0].Entries[0]; e.FromText != "permit (principal" || e.ToText != "permit (princ" {
		t.Errorf("got %q > %q", e.FromText, e.ToText)
	}
}

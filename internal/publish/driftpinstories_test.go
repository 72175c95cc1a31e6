package publish_test

import (
	"strings"

	"github.com/policypin/policypin/internal/publish"
)

// pinStories are about pins that were damaged.
var pinStories = []story{
	{
		name: "a pin was replaced by a lightweight tag",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.git("push", "-q", "--force", "origin", "HEAD:refs/tags/"+agentsV1)
			w.forgetTags()
		},
		want:    []string{"pin-damaged lightweight agents v1"},
		command: "git push origin :refs/tags/" + agentsV1,
	},
	{
		name: "a pin's trailers were forged",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			w.forge(agentsV1, agentsV1, "Policypin-Version: "+v1.VersionID, "Policypin-Version: psv_other")
		},
		want: []string{"pin-damaged unreadable agents v1"},
	},
	{
		name: "a pin has a newer format",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.forge(v2, v2, `"format": 1`, `"format": 2`)
			w.forgetTags()
		},
		want: []string{"pin-damaged unreadable agents v2"},
	},
	{
		name: "a tag is not quite a pin",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.git("push", "-q", "origin", "HEAD:refs/tags/policypin/production/agents/v02")
		},
		want:    []string{"pin-damaged malformed"},
		command: "git push origin :refs/tags/policypin/production/agents/v02",
	},
	{
		name: "a pin was moved to another commit",
		do: func(w *driftWorld, v1, v2r publish.SetReceipt) {
			w.forge(v2, v2, v2r.PinCommit.String(), v1.PinCommit.String())
			w.forgetTags()
		},
		want: []string{"pin-damaged forged-record agents v2 by publisher"},
	},
	{
		name: "a pin was moved to another commit, and the clone knows the old one",
		do: func(w *driftWorld, v1, v2r publish.SetReceipt) {
			w.forge(v2, v2, v2r.PinCommit.String(), v1.PinCommit.String())
			w.git("update-ref", "refs/tags/"+v2, v2r.TagObject.String())
		},
		want: []string{
			"pin-damaged moved agents v2 by publisher",
			"pin-damaged forged-record agents v2 by publisher",
		},
	},
	{
		name: "a pin was created again by somebody else",
		do: func(w *driftWorld, _, v2r publish.SetReceipt) {
			w.forge(v2, v2, "policypin@localhost", "eve@example.com")
			w.git("update-ref", "refs/tags/"+v2, v2r.TagObject.String())
		},
		want: []string{"pin-damaged re-created agents v2 (information)"},
	},
	{
		name: "a pin is on a commit that is not on the branch",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.git("checkout", "-q", "--orphan", "again")
			w.git("commit", "-q", "-m", "history was rewritten")
			w.git("push", "-q", "--force", "origin", "HEAD:main")
		},
		want:    []string{"pin-damaged unreachable agents v2 by publisher", "pin-damaged unreachable agents v1 by publisher"},
		command: "policypin publish --target production --new-base 'history was rewritten'",
	},
	{
		name: "history was rewritten, and a new base was published",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.git("checkout", "-q", "--orphan", "again")
			w.commit(map[string]string{"policies/ops.cedar": policy("all")})
			w.git("push", "-q", "--force", "origin", "HEAD:main")
			w.mustPublish(w.head(), publish.Options{NewBase: "cleaned up", Activate: true})
		},
	},
	{
		name: "a pin records another zone",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.forge(agentsV1, agentsV1, "zone_prd", "zone_stg")
		},
		want: []string{"pin-damaged other-zone agents v1"},
	},
	{
		name: "a pin records a version that isn't there",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			w.forge(agentsV1, agentsV1, v1.VersionID, "psv_other")
		},
		want: []string{"pin-damaged not-in-zone agents v1"},
	},
	{
		name: "a pin records a set that isn't there",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			w.forge(agentsV1, agentsV1, `"`+v1.PolicySetID+`"`, `".."`, "Policypin-Policy-Set: "+v1.PolicySetID, "Policypin-Policy-Set: ..")
		},
		want: []string{"pin-damaged not-in-zone agents v1"},
	},
	{
		name: "a pin records the version of another number",
		do: func(w *driftWorld, v1, v2r publish.SetReceipt) {
			w.forge(agentsV1, agentsV1, v1.VersionID, v2r.VersionID)
		},
		want: []string{"pin-damaged forged-record agents v1 by publisher"},
	},
	{
		name: "a pin has another manifest sha",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			w.forge(agentsV1, agentsV1, v1.ManifestSHA, strings.Repeat("0", 64))
		},
		want: []string{"pin-damaged forged-record agents v1 by publisher"},
	},
	{
		name: "the last pin has another set digest",
		do: func(w *driftWorld, _, v2r publish.SetReceipt) {
			w.forge(v2, v2, v2r.SetDigest, strings.Repeat("0", 64))
		},
		want: []string{"pin-damaged forged-record agents v2 by publisher"},
	},
	{
		name: "an older pin has another set digest",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			w.forge(agentsV1, agentsV1, v1.SetDigest, strings.Repeat("0", 64))
		},
		want: []string{"pin-damaged forged-record agents v1 by publisher"},
		all:  true,
	},
	{
		// The manifest sha doesn't cover names, so only the texts in the zone tell.
		name: "a pin maps sources to each other's policies",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.forge(v2, v2, `{"policy":"finance"`, `{"policy":"ops"`, `{"policy":"ops"`, `{"policy":"finance"`)
		},
		want: []string{"pin-damaged forged-record agents v2 by publisher"},
	},
	{
		name: "a pin says who and when otherwise",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.forge(agentsV1, agentsV1, `"created_by": "publisher"`, `"created_by": "eve"`)
		},
		want: []string{"pin-damaged forged-record agents v1 by publisher"},
	},
	{
		name: "a pin records another target",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.forge(v2, v2, `"target": "production"`, `"target": "staging"`, "agents v2 in production", "agents v2 in staging")
		},
		want: []string{"pin-damaged forged-record agents v2 by publisher"},
	},
	{
		name: "a pin under a number that the zone doesn't have",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.forge(v2, "policypin/production/agents/v7", "agents v2", "agents v7", "agents/v2", "agents/v7", `"version": 2`, `"version": 7`)
		},
		want:    []string{"pin-damaged forged-record agents v7 by publisher"},
		command: "git push origin :refs/tags/policypin/production/agents/v7",
	},
	{
		name: "a pin for a set that the commit doesn't have",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.forge(v2, "policypin/production/robots/v2", "agents v2", "robots v2", "agents/v2", "robots/v2", `"policy_set": "agents"`, `"policy_set": "robots"`)
		},
		want:    []string{"pin-damaged forged-record agents v2 by publisher"},
		command: "git push origin :refs/tags/policypin/production/robots/v2",
		all:     true,
	},
	{
		name: "a pin records another set with the same content",
		do: func(w *driftWorld, v1, v2r publish.SetReceipt) {
			rc, err := w.publish(w.commit(map[string]string{"policy-sets/bots.yaml": set("bots", "finance", "ops", "default-user-grants@3")}), publish.Options{})
			if err != nil {
				w.Fatal(err)
			}
			w.forge(agentsV1, agentsV1, v1.PolicySetID, rc.Sets[1].PolicySetID, v1.VersionID, rc.Sets[1].VersionID, v1.ManifestSHA, rc.Sets[1].ManifestSHA)
		},
		want: []string{"pin-damaged forged-record agents v1 by publisher"},
	},
	{
		name: "a set was renamed in the project, a while ago",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.git("mv", "policy-sets/agents.yaml", "policy-sets/bots.yaml")
			text := set("bots", "finance", "ops", "default-user-grants@3")
			w.commit(map[string]string{
				"policypin.yaml":        strings.Replace(projectFile, "active: agents", "active: bots", 1),
				"policy-sets/bots.yaml": strings.Replace(text, "name: bots\n", "name: bots\nwas: agents\n", 1),
			})
			if _, err := w.publish(w.head(), publish.Options{Activate: true, AcceptProjectChange: "renamed"}); err != nil {
				w.Fatal(err)
			}
			if d := w.mustDrift(publish.DriftOptions{}); d.Drifted {
				w.Errorf("right after the rename: got %+v", d.Findings)
			}
			w.commit(map[string]string{"policy-sets/bots.yaml": text})
		},
	},
	{
		name: "a pin says that somebody else attested",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.forge(v2, v2, `"attested_by":"local-zone"`, `"attested_by":"eve"`)
		},
		want: []string{"pin-damaged forged-record agents v2"},
	},
	{
		name: "the last pin is forged, and the platform's set active",
		do: func(w *driftWorld, _, v2r publish.SetReceipt) {
			w.console(w.activatePlatform)
			w.forge(v2, v2, v2r.SetDigest, strings.Repeat("0", 64))
		},
		want: []string{
			"activated-elsewhere foreign default-zone-policies v1 by usr_platform",
			"pin-damaged forged-record agents v2 by publisher",
		},
	},
	{
		name: "a pin has another attestation",
		do: func(w *driftWorld, _, v2r publish.SetReceipt) {
			w.forge(v2, v2, `"policy_set_version":2`, `"policy_set_version":1`)
		},
		want: []string{"pin-damaged forged-record agents v2"},
	},
}

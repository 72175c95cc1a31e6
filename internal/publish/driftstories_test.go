package publish_test

import (
	"context"
	"strings"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
)

// A story is a publish of v1 and v2 of agents by the account, both activated,
// and what happened then.
type story struct {
	name string
	do   func(w *driftWorld, v1, v2 publish.SetReceipt)
	want []string
	// command is one that a finding must give, or "".
	command string
	all     bool // look at the content of all pins
}

var v2 = "policypin/production/agents/v2"

var stories = []story{
	{
		name: "all agree",
		do:   func(*driftWorld, publish.SetReceipt, publish.SetReceipt) {},
	},
	{
		name: "the branch went on",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.commit(map[string]string{"policies/finance.cedar": policy("everyone")})
		},
		want:    []string{"unpublished changed agents"},
		command: "policypin publish --target production",
	},
	{
		name: "the branch went on in layout alone",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.commit(map[string]string{"policies/finance.cedar": "// more\n" + policy("treasury")})
		},
	},
	{
		name: "a new set was declared",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.commit(map[string]string{"policy-sets/bots.yaml": set("bots", "ops")})
		},
		want: []string{"unpublished no-pin bots"},
	},
	{
		name: "a set of a declared name was made at the console",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.console(func(ctx context.Context, c *keycard.Client) error {
				_, err := c.CreatePolicySet(ctx, "bots", "zone")
				return err
			})
			w.commit(map[string]string{"policy-sets/bots.yaml": set("bots", "ops")})
		},
		want: []string{"unpublished no-pin bots by usr_local"},
	},
	{
		name: "the tip can't be published",
		do: func(w *driftWorld, _, v2 publish.SetReceipt) {
			w.commit(map[string]string{"policies/finance.cedar": "permit (\n"})
			w.console(func(ctx context.Context, c *keycard.Client) error {
				_, err := c.Activate(ctx, "ps_default-zone-policies_1", "psv_default-zone-policies_1_1")
				return err
			})
		},
		want: []string{"unpublished invalid"},
	},
	{
		name: "the last version was rolled back",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			w.console(func(ctx context.Context, c *keycard.Client) error {
				_, err := c.Activate(ctx, v1.PolicySetID, v1.VersionID)
				return err
			})
		},
		want:    []string{"activated-elsewhere older agents v1 by publisher"},
		command: "policypin activate --target production agents v2",
	},
	{
		name: "the platform's set was activated",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.console(w.activatePlatform)
		},
		want:    []string{"activated-elsewhere foreign default-zone-policies v1 by usr_platform"},
		command: "policypin activate --target production --replace-active psv_default-zone-policies_1_1 agents v2",
	},
	{
		name: "a version was made and activated at the console",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			w.console(func(ctx context.Context, c *keycard.Client) error {
				v, err := copyVersion(ctx, c, v1)
				if err != nil {
					return err
				}
				_, err = c.Activate(ctx, v.PolicySetID, v.ID)
				return err
			})
		},
		want: []string{
			"activated-elsewhere unpinned agents v3 by usr_local",
			"unknown-version newer agents v3 by usr_local",
		},
		command: "policypin activate --target production agents v2",
	},
	{
		name: "a version was made at the console",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			w.console(func(ctx context.Context, c *keycard.Client) error {
				_, err := copyVersion(ctx, c, v1)
				return err
			})
		},
		want:    []string{"unknown-version newer agents v3 by usr_local"},
		command: "policypin versions archive --target production agents v3",
	},
	{
		name: "a version was made at the console before a publish",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			w.console(func(ctx context.Context, c *keycard.Client) error {
				_, err := copyVersion(ctx, c, v1)
				return err
			})
			w.mustPublish(w.commit(map[string]string{"policies/finance.cedar": policy("everyone")}), publish.Options{Activate: true})
		},
		want:    []string{"unknown-version old agents v3 by usr_local (information)"},
		command: "policypin versions archive --target production agents v3",
	},
	{
		name: "a version of the console was archived again",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			w.console(func(ctx context.Context, c *keycard.Client) error {
				v, err := copyVersion(ctx, c, v1)
				if err != nil {
					return err
				}
				_, err = c.ArchiveSetVersion(ctx, v.PolicySetID, v.ID)
				return err
			})
		},
	},
	{
		name: "a publish broke off before its pin",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			if _, err := copyVersion(context.Background(), w.client(), v1); err != nil {
				w.Fatal(err)
			}
			w.commit(map[string]string{"policies/finance.cedar": policy("finance")})
		},
		want: []string{
			"unknown-version newer agents v3 by publisher",
			"unpublished changed agents",
		},
		command: "policypin publish --target production",
	},
	{
		name: "the last pin was deleted, and no clone knows it",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.git("push", "-q", "origin", ":refs/tags/"+v2)
			w.forgetTags()
		},
		want: []string{
			"activated-elsewhere unpinned agents v2 by publisher",
			"unknown-version newer agents v2 by publisher",
			"unpublished changed agents",
			"policy-version-added policy-version agents finance by publisher (information)",
		},
	},
	{
		name: "an older pin was deleted, and no clone knows it",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.git("push", "-q", "origin", ":refs/tags/"+agentsV1)
			w.forgetTags()
		},
		want:    []string{"pin-damaged missing agents v1 by publisher"},
		command: "policypin repin --target production --rev COMMIT agents v1",
	},
	{
		name: "an older pin was deleted, and the clone knows it",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.git("push", "-q", "origin", ":refs/tags/"+agentsV1)
		},
		want:    []string{"pin-damaged missing agents v1 by publisher"},
		command: "git push origin refs/tags/" + agentsV1,
	},
	{
		name: "a set is not declared any more, and its version is active",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.git("rm", "-q", "policy-sets/agents.yaml")
			w.commit(map[string]string{
				"policypin.yaml":        strings.Replace(projectFile, "active: agents", "active: bots", 1),
				"policy-sets/bots.yaml": set("bots", "finance", "ops"),
			})
			if _, err := w.publish(w.head(), publish.Options{AcceptProjectChange: "bots decide"}); err != nil {
				w.Fatal(err)
			}
		},
		want:    []string{"undeclared active agents v2 by publisher"},
		command: "policypin activate --target production bots v1",
	},
	{
		name: "a set is not declared any more",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.git("rm", "-q", "policy-sets/agents.yaml")
			w.commit(map[string]string{
				"policypin.yaml":        strings.Replace(projectFile, "active: agents", "active: bots", 1),
				"policy-sets/bots.yaml": set("bots", "finance", "ops"),
			})
			if _, err := w.publish(w.head(), publish.Options{Activate: true, AcceptProjectChange: "bots decide"}); err != nil {
				w.Fatal(err)
			}
		},
		want:    []string{"undeclared inactive agents v2 by publisher"},
		command: "policypin versions archive --target production agents v1",
	},
	{
		name: "a set is not declared any more, and archived",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			w.git("rm", "-q", "policy-sets/agents.yaml")
			w.commit(map[string]string{
				"policypin.yaml":        strings.Replace(projectFile, "active: agents", "active: bots", 1),
				"policy-sets/bots.yaml": set("bots", "finance", "ops"),
			})
			if _, err := w.publish(w.head(), publish.Options{Activate: true, AcceptProjectChange: "bots decide"}); err != nil {
				w.Fatal(err)
			}
			w.console(func(ctx context.Context, c *keycard.Client) error {
				live, err := c.PolicySet(ctx, v1.PolicySetID)
				if err != nil {
					return err
				}
				_, err = c.ArchivePolicySet(ctx, live)
				return err
			})
		},
	},
	{
		name: "another set of the project was activated",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			rc, err := w.publish(w.commit(map[string]string{"policy-sets/bots.yaml": set("bots", "ops")}), publish.Options{})
			if err != nil {
				w.Fatal(err)
			}
			w.console(func(ctx context.Context, c *keycard.Client) error {
				_, err := c.Activate(ctx, rc.Sets[1].PolicySetID, rc.Sets[1].VersionID)
				return err
			})
		},
		want:    []string{"activated-elsewhere other-set bots v1 by publisher"},
		command: "policypin activate --target production agents v2",
	},
	{
		name: "the set was renamed at the console",
		do: func(w *driftWorld, v1, _ publish.SetReceipt) {
			w.console(func(ctx context.Context, c *keycard.Client) error {
				live, err := c.PolicySet(ctx, v1.PolicySetID)
				if err != nil {
					return err
				}
				_, err = c.RenamePolicySet(ctx, live, "clerks")
				return err
			})
		},
		want: []string{"renamed set agents by usr_local"},
	},
	{
		name: "a policy was renamed at the console",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.console(func(ctx context.Context, c *keycard.Client) error {
				live, err := c.Policy(ctx, w.policyIDs()["finance"])
				if err != nil {
					return err
				}
				_, err = c.RenamePolicy(ctx, live, "money")
				return err
			})
		},
		want: []string{"renamed policy agents finance by usr_local"},
	},
	{
		name: "the last version and its set aren't active and were archived",
		do: func(w *driftWorld, _, v2 publish.SetReceipt) {
			w.console(w.activatePlatform)
			w.console(func(ctx context.Context, c *keycard.Client) error {
				_, err := c.ArchiveSetVersion(ctx, v2.PolicySetID, v2.VersionID)
				return err
			})
		},
		want: []string{
			"activated-elsewhere foreign default-zone-policies v1 by usr_platform",
			"archived version agents v2",
		},
		command: "policypin publish --target production",
	},
	{
		name: "a policy was archived",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.console(func(ctx context.Context, c *keycard.Client) error {
				_, err := c.ArchivePolicy(ctx, w.policyIDs()["ops"])
				return err
			})
		},
		want:    []string{"archived policy agents ops"},
		command: "policypin publish --target production --recreate ops",
	},
	{
		name: "a policy version was made at the console",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.console(func(ctx context.Context, c *keycard.Client) error {
				_, err := c.CreatePolicyVersion(ctx, w.policyIDs()["finance"], "2026-06-18", policy("attackers"))
				return err
			})
		},
		want: []string{"policy-version-added policy-version agents finance by usr_local"},
	},
	{
		name: "the keys of the zone were rotated",
		do: func(w *driftWorld, _, _ publish.SetReceipt) {
			w.rotate()
		},
		want: []string{"re-signed attestation agents v2 by local-zone (information)"},
	},
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

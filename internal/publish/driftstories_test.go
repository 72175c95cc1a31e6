package publish_test

import (
	"context"
	"slices"
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

var stories = slices.Concat(zoneStories, pinStories)

// zoneStories are about the branch and the zone.
var zoneStories = []story{
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
				"policy-sets/bots.yaml": set("bots", "finance", "ops", "default-user-grants@3"),
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
				"policy-sets/bots.yaml": set("bots", "finance", "ops", "default-user-grants@3"),
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
				"policy-sets/bots.yaml": set("bots", "finance", "ops", "default-user-grants@3"),
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
}

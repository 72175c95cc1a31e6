package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

type archivePolicyOptions struct {
	zoneOptions
	yes bool
}

func versionsArchivePolicyCommand(w *world) *cli.Command {
	var opts archivePolicyOptions
	return &cli.Command{
		Name:      "archive-policy",
		Usage:     "archive a policy that nothing refers to, or a version of one",
		ArgsUsage: "POLICY [vN]",
		Description: help{
			text: `Archives policy POLICY, given by its name or id, or its version vN. It can't be
undone. Only what versions unused lists can be archived; the rest is refused.
Asks first on a terminal; elsewhere --yes is needed.`,
			examples: []string{"policypin versions archive-policy finance-read", "policypin versions archive-policy --yes finance-read v2"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusRefused, statusInterrupted},
		}.String(),
		Flags: append([]cli.Flag{&cli.BoolFlag{Name: "yes", Usage: "don't ask", Destination: &opts.yes}}, opts.flags()...),
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 1, "POLICY", "vN")
			if err != nil {
				return err
			}
			version := 0
			if len(args) > 1 {
				m := versionNumber.FindStringSubmatch(args[1])
				if m == nil {
					return &usage{msg: fmt.Sprintf("the version is %q, not a number such as v12", args[1])}
				}
				version, _ = strconv.Atoi(m[1])
			}
			if !opts.yes && !w.terminal.stdin {
				return &usage{msg: "archiving can't be undone and there is nobody to ask", hint: "--yes archives without asking"}
			}
			doc, err := archivePolicy(c.Context, w, opts, args[0], version)
			if err != nil {
				return err
			}
			if opts.format.value == formatJSON {
				return report.JSON(w.stdout, doc)
			}
			return report.ArchivedPolicyText(w.stdout, doc)
		},
	}
}

func archivePolicy(ctx context.Context, w *world, opts archivePolicyOptions, name string, version int) (report.ArchivedPolicy, error) {
	doc := report.ArchivedPolicy{Schema: report.Schema}
	v, c, err := w.changeZone(opts.zoneOptions)
	if err != nil {
		return doc, err
	}
	defer v.close()
	doc.Target, doc.ZoneID = v.target.Name, v.target.ZoneID
	unused, err := v.unused(ctx, c.Reader)
	if err != nil {
		return doc, err
	}
	list := unused.Policies
	if version > 0 {
		list = unused.PolicyVersions
	}
	i := slices.IndexFunc(list, func(u publish.UnusedPolicy) bool {
		return (u.Policy == name || u.PolicyID == name) && (version == 0 || u.Version == version)
	})
	if i < 0 {
		what := "policy " + name
		if version > 0 {
			what = fmt.Sprintf("version %d of policy %s", version, name)
		}
		return doc, &refusal{
			msg:  what + " is not among what nothing refers to",
			hint: "policypin versions unused lists what can be archived",
		}
	}
	found := list[i]
	doc.Policy, doc.PolicyID, doc.Version = found.Policy, found.PolicyID, version
	what := "policy " + found.Policy
	if version > 0 {
		doc.VersionID = found.VersionID
		what = fmt.Sprintf("version %d of policy %s", version, found.Policy)
	}
	if !opts.yes && !w.confirm(fmt.Sprintf("archive %s in zone %s? It can't be undone. [y/N] ", what, v.target.ZoneID)) {
		return doc, &refusal{msg: "not archived"}
	}
	if version > 0 {
		_, err = c.ArchivePolicyVersion(ctx, found.PolicyID, found.VersionID)
	} else {
		_, err = c.ArchivePolicy(ctx, found.PolicyID)
	}
	return doc, err
}

// changeZone is viewZone for a command that writes.
func (w *world) changeZone(opts zoneOptions) (v *zoneView, c *keycard.Client, err error) {
	v = &zoneView{w: w, pins: opts.origin}
	defer func() {
		if err != nil {
			v.close()
		}
	}()
	if v.project, err = w.findProject(); err != nil {
		return v, nil, err
	}
	v.closes = append(v.closes, v.project.close)
	proj, err := v.project.projectFile()
	if err != nil {
		return v, nil, err
	}
	if v.target, err = w.target(proj); err != nil {
		return v, nil, err
	}
	c, done, err := w.writeZone(v.project, v.target, opts.apiURL, storeWait)
	if err != nil {
		return v, nil, err
	}
	v.reader = c.Reader
	v.closes = append(v.closes, done)
	return v, c, nil
}

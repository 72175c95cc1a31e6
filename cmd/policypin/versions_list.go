package main

import (
	"context"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

func versionsListCommand(w *world) *cli.Command {
	var zone zoneOptions
	var page pageOptions
	return &cli.Command{
		Name:      "list",
		Usage:     "list the versions of a policy set, or the policy sets",
		ArgsUsage: "[SET]",
		Description: help{
			text: `Lists the versions of policy set SET, newest first, a page at a time, each with
its pin. Without SET it lists the zone's policy sets.`,
			examples: []string{"policypin versions list", "policypin versions list --limit 5 --total agents"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusInterrupted},
		}.String(),
		Flags: append(page.flags(), zone.flags()...),
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 0, "SET")
			if err != nil {
				return err
			}
			if err := page.check(); err != nil {
				return err
			}
			v, err := w.viewZone(zone)
			if err != nil {
				return err
			}
			defer v.close()
			if len(args) == 0 {
				if page.after != "" || page.before != "" || page.total {
					return &usage{msg: "--after, --before and --total need a policy set"}
				}
				return listSets(c.Context, w, v, zone.format.value)
			}
			return listVersions(c.Context, w, v, args[0], page, zone.format.value)
		},
	}
}

func listSets(ctx context.Context, w *world, v *zoneView, format string) error {
	doc := report.SetList{Schema: report.Schema, Target: v.target.Name, ZoneID: v.reader.ZoneID(), Sets: []report.SetRow{}}
	for s, err := range v.reader.PolicySets(ctx, keycard.ListOptions{}) {
		if err != nil {
			return err
		}
		doc.Sets = append(doc.Sets, report.SetRow{
			Name: s.Name, ID: s.ID, OwnerType: s.OwnerType, TargetType: s.TargetType,
			LatestVersion: s.LatestVersion, ActiveVersion: s.ActiveVersion, ActiveVersionID: s.ActiveVersionID, ArchivedAt: s.ArchivedAt,
		})
	}
	if format == formatJSON {
		return report.JSON(w.stdout, doc)
	}
	return report.SetListText(w.stdout, w.style(), doc)
}

func listVersions(ctx context.Context, w *world, v *zoneView, name string, page pageOptions, format string) error {
	set, err := v.set(ctx, name)
	if err != nil {
		return err
	}
	got, err := v.reader.SetVersionsPage(ctx, set.ID, page.list())
	if err != nil {
		return err
	}
	doc := report.VersionList{
		Schema: report.Schema, Target: v.target.Name, ZoneID: v.reader.ZoneID(), Set: set.Name, SetID: set.ID,
		Versions: []report.VersionRow{}, After: got.After, Before: got.Before,
	}
	if got.Total >= 0 {
		doc.Total = &got.Total
	}
	var numbers []int
	for _, item := range got.Items {
		numbers = append(numbers, item.Version)
	}
	pins, err := v.pinsOf(ctx, set.Name, numbers...)
	if err != nil {
		return err
	}
	for _, item := range got.Items {
		doc.Versions = append(doc.Versions, versionRow(set, item, pins[item.ID]))
	}
	if format == formatJSON {
		return report.JSON(w.stdout, doc)
	}
	return report.VersionListText(w.stdout, w.style(), doc)
}

package main

import (
	"context"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

const versionWords = "VERSION is v12 or 12, active, latest, or an id."

func versionsShowCommand(w *world) *cli.Command {
	var zone zoneOptions
	return &cli.Command{
		Name:      "show",
		Usage:     "show one version and its manifest",
		ArgsUsage: "SET VERSION",
		Description: help{
			text:     "Shows a version with its digests, its pin, and the entries of its manifest.\n" + versionWords,
			examples: []string{"policypin versions show agents active", "policypin versions show --format json agents v12"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusInterrupted},
		}.String(),
		Flags: zone.flags(),
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 2, "SET", "VERSION")
			if err != nil {
				return err
			}
			v, err := w.viewZone(zone)
			if err != nil {
				return err
			}
			defer v.close()
			doc, err := showVersion(c.Context, v, args[0], args[1])
			if err != nil {
				return err
			}
			if zone.format.value == formatJSON {
				return report.JSON(w.stdout, doc)
			}
			return report.VersionText(w.stdout, w.style(), doc)
		},
	}
}

func showVersion(ctx context.Context, v *zoneView, setName, versionName string) (report.Version, error) {
	doc := report.Version{Schema: report.Schema, Target: v.target.Name, ZoneID: v.reader.ZoneID(), Entries: []report.VersionEntry{}}
	set, err := v.set(ctx, setName)
	if err != nil {
		return doc, err
	}
	version, err := findVersion(ctx, v.reader, set, versionName)
	if err != nil {
		return doc, err
	}
	doc.Set, doc.SetID = set.Name, set.ID
	pins, err := v.pinsOf(ctx, set.Name, version.Version)
	if err != nil {
		return doc, err
	}
	doc.VersionRow = versionRow(set, version, pins[version.ID])
	doc.Attestation = version.Attestation
	var entries []liveEntry
	numbers := map[string]int{}
	for pv, err := range v.reader.SetVersionPolicies(ctx, set.ID, version.ID, keycard.ListOptions{}) {
		if err != nil {
			return doc, err
		}
		entries = append(entries, liveEntry{version: pv})
		numbers[pv.ID] = pv.Version
	}
	names, err := policyNames(ctx, v.reader, entries)
	if err != nil {
		return doc, err
	}
	for _, e := range version.Entries { // the manifest's order, which is what the sha is over
		doc.Entries = append(doc.Entries, report.VersionEntry{
			Policy: names[e.PolicyID], PolicyID: e.PolicyID, VersionID: e.VersionID,
			Version: numbers[e.VersionID], SHA: keycard.NormalSHA(e.SHA),
		})
	}
	return doc, nil
}

func versionsPoliciesCommand(w *world) *cli.Command {
	var zone zoneOptions
	var page pageOptions
	var text bool
	return &cli.Command{
		Name:      "policies",
		Usage:     "list the policies of one version, with their Cedar if asked",
		ArgsUsage: "SET VERSION",
		Description: help{
			text:     "Lists the policy versions that a policy set version consists of, a page at a\ntime, with --cedar as the zone has stored them.\n" + versionWords,
			examples: []string{"policypin versions policies agents active", "policypin versions policies --cedar agents v12"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusInterrupted},
		}.String(),
		Flags: append(append([]cli.Flag{
			&cli.BoolFlag{Name: "cedar", Usage: "show the stored Cedar text as well", Destination: &text},
		}, page.flags()...), zone.flags()...),
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 2, "SET", "VERSION")
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
			doc, err := listPolicies(c.Context, v, args[0], args[1], page, text)
			if err != nil {
				return err
			}
			if zone.format.value == formatJSON {
				return report.JSON(w.stdout, doc)
			}
			return report.PolicyListText(w.stdout, w.style(), doc)
		},
	}
}

func listPolicies(ctx context.Context, v *zoneView, setName, versionName string, page pageOptions, text bool) (report.PolicyList, error) {
	doc := report.PolicyList{Schema: report.Schema, Target: v.target.Name, ZoneID: v.reader.ZoneID(), Policies: []report.PolicyRow{}}
	set, err := v.set(ctx, setName)
	if err != nil {
		return doc, err
	}
	version, err := findVersion(ctx, v.reader, set, versionName)
	if err != nil {
		return doc, err
	}
	opts := page.list()
	if text {
		opts.Format = "cedar"
	}
	got, err := v.reader.SetVersionPoliciesPage(ctx, set.ID, version.ID, opts)
	if err != nil {
		return doc, err
	}
	doc.Set, doc.Version, doc.VersionID = set.Name, version.Version, version.ID
	doc.After, doc.Before = got.After, got.Before
	if got.Total >= 0 {
		doc.Total = &got.Total
	}
	var entries []liveEntry
	for _, pv := range got.Items {
		entries = append(entries, liveEntry{version: pv})
	}
	names, err := policyNames(ctx, v.reader, entries)
	if err != nil {
		return doc, err
	}
	for _, pv := range got.Items {
		row := report.PolicyRow{
			Policy: names[pv.PolicyID], PolicyID: pv.PolicyID, Version: pv.Version, VersionID: pv.ID,
			SHA: keycard.NormalSHA(pv.SHA), SchemaVersion: pv.SchemaVersion, OwnerType: pv.OwnerType,
		}
		if text {
			row.Cedar = pv.CedarRaw
		}
		doc.Policies = append(doc.Policies, row)
	}
	return doc, nil
}

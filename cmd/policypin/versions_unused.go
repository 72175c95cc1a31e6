package main

import (
	"context"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

func versionsUnusedCommand(w *world) *cli.Command {
	var zone zoneOptions
	return &cli.Command{
		Name:  "unused",
		Usage: "list versions and policies that nothing refers to",
		Description: help{
			text: `Lists policy set versions without a pin and without a binding, and the policies
and policy versions that no pin, no bound version and no set version that isn't
archived refers to, each with the command that archives it. It only reads.

Pins of other repositories that publish to the zone aren't known here: look at
who created a version before it is archived.`,
			examples: []string{"policypin versions unused", "policypin versions unused --target production --format json"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusInterrupted},
		}.String(),
		Flags: zone.flags(),
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			doc, err := findUnused(c.Context, w, zone)
			if err != nil {
				return err
			}
			if zone.format.value == formatJSON {
				return report.JSON(w.stdout, doc)
			}
			for _, note := range doc.Notes {
				w.say("note: %s", report.Clean(note))
			}
			return report.UnusedText(w.stdout, w.style(), doc)
		},
	}
}

func findUnused(ctx context.Context, w *world, opts zoneOptions) (report.Unused, error) {
	doc := report.Unused{Schema: report.Schema}
	v, err := w.viewZone(opts)
	if err != nil {
		return doc, err
	}
	defer v.close()
	doc.Target, doc.ZoneID = v.target.Name, v.target.ZoneID
	found, err := v.unused(ctx, v.reader)
	if err != nil {
		return doc, err
	}
	doc.Unused = *found
	return doc, nil
}

// unused finds what nothing refers to. Without the pins nobody knows, so it
// fails where they can't be read.
func (v *zoneView) unused(ctx context.Context, r *keycard.Reader) (*publish.Unused, error) {
	origin, err := v.w.origin(v.project, v.target, v.pins)
	if err != nil {
		return nil, err
	}
	defer origin.Close()
	return publish.FindUnused(ctx, r, origin, v.target)
}

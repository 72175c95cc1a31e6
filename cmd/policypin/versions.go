package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

func versionsCommand(w *world) *cli.Command {
	return &cli.Command{
		Name:  "versions",
		Usage: "look at the versions in the zone, or archive one",
		Description: help{
			text:     "Shows the zone's own versions of a policy set, each with the pin that belongs to it.",
			examples: []string{"policypin versions list agents", "policypin versions show agents active"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusRefused, statusInterrupted},
		}.String(),
		Subcommands: []*cli.Command{
			versionsListCommand(w),
			versionsShowCommand(w),
			versionsPoliciesCommand(w),
			versionsArchiveCommand(w),
			versionsUnusedCommand(w),
			versionsArchivePolicyCommand(w),
		},
	}
}

// pageOptions are the service's paging parameters.
type pageOptions struct {
	limit         int
	order         choice
	after, before string
	total         bool
}

func (o *pageOptions) flags() []cli.Flag {
	o.order = oneOf("desc", "asc")
	return []cli.Flag{
		&cli.IntFlag{Name: "limit", Usage: "show at most `N`, 1 to 100", Value: 20, Destination: &o.limit},
		&cli.GenericFlag{Name: "order", Usage: "by creation: `ORDER` is desc, newest first, or asc", Value: &o.order},
		&cli.StringFlag{Name: "after", Usage: "go on after `CURSOR`, as the page before gave it", Destination: &o.after},
		&cli.StringFlag{Name: "before", Usage: "go back before `CURSOR`", Destination: &o.before},
		&cli.BoolFlag{Name: "total", Usage: "ask for the number of all items", Destination: &o.total},
	}
}

func (o *pageOptions) check() error {
	switch {
	case o.limit < 1 || o.limit > 100:
		return &usage{msg: fmt.Sprintf("--limit is %d, not 1 to 100", o.limit)}
	case o.after != "" && o.before != "":
		return &usage{msg: "--after and --before exclude each other"}
	}
	return nil
}

func (o *pageOptions) list() keycard.ListOptions {
	return keycard.ListOptions{Limit: o.limit, Order: o.order.value, After: o.after, Before: o.before, Total: o.total}
}

// zoneOptions say which zone is looked at and where its pins are.
type zoneOptions struct {
	origin originChoice
	apiURL string
	format choice
}

// flags are those of the options; formats are written beside text and JSON.
func (o *zoneOptions) flags(formats ...string) []cli.Flag {
	return []cli.Flag{
		localFlag(&o.origin), remoteFlag(&o.origin), apiURLFlag(&o.apiURL),
		formatFlag(&o.format, append([]string{formatText, formatJSON}, formats...)...),
	}
}

// A zoneView is a target's zone with the pins of the target.
type zoneView struct {
	w       *world
	project *project
	target  manifest.Target
	reader  *keycard.Reader
	pins    originChoice
	closes  []func()
}

func (v *zoneView) close() {
	for _, f := range v.closes {
		f()
	}
}

// viewZone opens a target's zone for reading.
func (w *world) viewZone(opts zoneOptions) (v *zoneView, err error) {
	v = &zoneView{w: w, pins: opts.origin}
	defer func() {
		if err != nil {
			v.close()
		}
	}()
	if v.project, err = w.findProject(); err != nil {
		return v, err
	}
	v.closes = append(v.closes, v.project.close)
	proj, err := v.project.projectFile()
	if err != nil {
		return v, err
	}
	if v.target, err = w.target(proj); err != nil {
		return v, err
	}
	r, done, err := w.readZone(v.project, v.target, opts.apiURL)
	if err != nil {
		return v, err
	}
	v.reader = r
	v.closes = append(v.closes, done)
	return v, nil
}

// set finds a policy set of the zone by its exact name, or by its id.
func (v *zoneView) set(ctx context.Context, name string) (*keycard.PolicySet, error) {
	return findSet(ctx, v.reader, name)
}

func findSet(ctx context.Context, r *keycard.Reader, name string) (*keycard.PolicySet, error) {
	var byID *keycard.PolicySet
	// The service searches for parts of names, so the exact one is picked here;
	// an id is never part of a name, so all sets are listed.
	for s, err := range r.PolicySets(ctx, keycard.ListOptions{}) {
		if err != nil {
			return nil, err
		}
		switch name {
		case s.Name:
			return s, nil
		case s.ID:
			byID = s
		}
	}
	if byID == nil {
		return nil, &hinted{
			err:  fmt.Errorf("no policy set %q in zone %s", name, r.ZoneID()),
			hint: "policypin versions list, without a name, lists the policy sets",
		}
	}
	return byID, nil
}

// version finds a version of a set by what people call it: v12 or 12, active,
// latest, or its id.
func findVersion(ctx context.Context, r *keycard.Reader, set *keycard.PolicySet, name string) (*keycard.PolicySetVersion, error) {
	switch name {
	case "active":
		if set.ActiveVersionID == "" {
			return nil, fmt.Errorf("no version of policy set %q is active", set.Name)
		}
		return r.SetVersion(ctx, set.ID, set.ActiveVersionID)
	case "latest":
		if set.LatestVersionID == "" {
			return nil, fmt.Errorf("policy set %q has no version", set.Name)
		}
		return r.SetVersion(ctx, set.ID, set.LatestVersionID)
	}
	number, err := strconv.Atoi(strings.TrimPrefix(name, "v"))
	if err != nil {
		return r.SetVersion(ctx, set.ID, name)
	}
	for v, err := range r.SetVersions(ctx, set.ID, keycard.ListOptions{}) {
		if err != nil {
			return nil, err
		}
		if v.Version == number {
			return r.SetVersion(ctx, set.ID, v.ID)
		}
	}
	return nil, &hinted{
		err:  fmt.Errorf("policy set %q has no version %d", set.Name, number),
		hint: commandLine(".", "versions", "list", set.Name) + " lists them",
	}
}

// isActive combines what version and set say.
func isActive(set *keycard.PolicySet, v *keycard.PolicySetVersion) bool {
	return set.ActiveVersionID == v.ID || set.ActiveVersionID == "" && v.Active != nil && *v.Active
}

// pinsOf reads the pins of a set for these version numbers, by version id. What
// the zone says is shown without them too, outside Git and without a remote.
func (v *zoneView) pinsOf(ctx context.Context, set string, numbers ...int) (map[string]*gitstore.Pin, error) {
	found := map[string]*gitstore.Pin{}
	origin, err := v.w.origin(v.project, v.target, v.pins)
	if errors.Is(err, gitstore.ErrNoRepository) || errors.Is(err, gitstore.ErrNoRemote) && v.pins.remote == "" {
		v.w.say("note: pins are not shown: %s", report.Clean(err.Error()))
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	defer origin.Close()
	refs, err := origin.Refs(ctx)
	if err != nil {
		return nil, err
	}
	wanted := map[int]bool{}
	for _, n := range numbers {
		wanted[n] = true
	}
	var read []gitstore.PinRef
	all, _ := refs.Pins(v.target.Pins)
	for _, ref := range all {
		if ref.Set == set && wanted[ref.Number] {
			read = append(read, ref)
		}
	}
	if len(read) == 0 {
		return found, nil
	}
	pins, err := origin.ReadPins(ctx, read)
	if err != nil {
		return nil, err
	}
	for _, pin := range pins {
		found[pin.Record.VersionID] = pin
	}
	return found, nil
}

// versionRow is what lists and show have in common.
func versionRow(set *keycard.PolicySet, v *keycard.PolicySetVersion, pin *gitstore.Pin) report.VersionRow {
	row := report.VersionRow{
		Version: v.Version, ID: v.ID, SchemaVersion: v.SchemaVersion, ManifestSHA: keycard.NormalSHA(v.ManifestSHA),
		Active: isActive(set, v), CreatedAt: v.CreatedAt, CreatedBy: v.CreatedBy, ArchivedAt: v.ArchivedAt,
		OwnerType: cmp.Or(v.OwnerType, set.OwnerType),
	}
	if pin != nil {
		row.Tag, row.Commit = pin.Name, pin.Commit.String()
	}
	return row
}

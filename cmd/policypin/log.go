package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

type logOptions struct {
	origin originChoice
	active bool
	limit  int
	format choice
	apiURL string
}

func logCommand(w *world) *cli.Command {
	var opts logOptions
	return &cli.Command{
		Name:      "log",
		Usage:     "list the pins, newest first",
		ArgsUsage: "[SET]",
		Description: help{
			text: `Lists what was published to the target: version, commit, author, and how many
entries were added, removed and changed since the pin before. Pins are read from
the remote, those of the local target from this clone. With --active the zone is
asked which version decides; the local zone always is.`,
			examples: []string{"policypin log", "policypin log --target production --active agents", "policypin log --local --limit 5 --format json"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusInterrupted},
		}.String(),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "active", Usage: "ask the zone which version is active", Destination: &opts.active},
			&cli.IntFlag{Name: "limit", Usage: "show at most `N` pins, 0 for all", Value: 20, Destination: &opts.limit},
			localFlag(&opts.origin), remoteFlag(&opts.origin),
			apiURLFlag(&opts.apiURL),
			formatFlag(&opts.format, formatText, formatJSON),
		},
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 0, "SET")
			if err != nil {
				return err
			}
			if opts.limit < 0 {
				return &usage{msg: "--limit is negative"}
			}
			set := ""
			if len(args) > 0 {
				set = args[0]
			}
			doc, err := pinLog(c.Context, w, opts, set)
			if err != nil {
				return err
			}
			if opts.format.value == formatJSON {
				return report.JSON(w.stdout, doc)
			}
			if len(doc.Pins) > 0 { // the table has no room for what is the same in every row
				w.say("pins of %s, zone %s, in %s", report.Clean(doc.Target), report.Clean(doc.ZoneID), report.Clean(doc.Origin))
			}
			return report.LogText(w.stdout, w.style(), doc)
		},
	}
}

func localFlag(dest *originChoice) cli.Flag {
	return &cli.BoolFlag{Name: "local", Usage: "read the pins of this clone instead of the remote's", Destination: &dest.local}
}

func remoteFlag(dest *originChoice) cli.Flag {
	return &cli.StringFlag{Name: "remote", Usage: "the pins are on remote `NAME` (default: origin, or the only one)", Destination: &dest.remote}
}

func pinLog(ctx context.Context, w *world, opts logOptions, set string) (report.Log, error) {
	doc := report.Log{Schema: report.Schema, Pins: []report.LogPin{}}
	p, err := w.findProject()
	if err != nil {
		return doc, err
	}
	defer p.close()
	proj, err := p.projectFile()
	if err != nil {
		return doc, err
	}
	t, err := w.target(proj)
	if err != nil {
		return doc, err
	}
	origin, err := w.origin(p, t, opts.origin)
	if err != nil {
		return doc, err
	}
	defer origin.Close()
	doc.Target, doc.ZoneID, doc.Origin = t.Name, t.ZoneID, origin.Name()

	pins, err := w.readLog(ctx, origin, t, set, opts.limit)
	if err != nil {
		return doc, err
	}
	for _, l := range pins {
		doc.Pins = append(doc.Pins, l.row(p.repo))
	}
	if opts.active || t.Name == localTarget { // the local zone needs no credentials
		err = w.markActive(ctx, p, t, opts.apiURL, &doc)
	}
	return doc, err
}

// A logged pin and the one before it, nil for the first.
type logged struct{ pin, before *gitstore.Pin }

// readLog reads the newest pins of a target, and those before them to compare
// with.
func (w *world) readLog(ctx context.Context, origin gitstore.Origin, t manifest.Target, set string, limit int) ([]logged, error) {
	refs, err := origin.Refs(ctx)
	if err != nil {
		return nil, err
	}
	all, odd := refs.Pins(t.Pins)
	for _, name := range odd {
		w.say("warning: %s is not the name of a pin", report.Clean(name))
	}
	if set != "" {
		all = slices.DeleteFunc(all, func(r gitstore.PinRef) bool { return r.Set != set })
		if len(all) == 0 {
			return nil, &hinted{
				err:  fmt.Errorf("no pins of policy set %q for target %s in %s", set, t.Name, origin.Name()),
				hint: "policypin log, without a name, lists the pins of all policy sets; --target names another target",
			}
		}
	}
	if limit > 0 {
		all = newest(all, limit+1)
	}
	pins, err := origin.ReadPins(ctx, all)
	if err != nil {
		return nil, err
	}
	var out []logged
	for i, pin := range pins { // sorted by set and number
		l := logged{pin: pin}
		if i > 0 && pins[i-1].Set == pin.Set {
			l.before = pins[i-1]
		}
		out = append(out, l)
	}
	slices.SortStableFunc(out, func(a, b logged) int {
		if c := b.pin.Record.CreatedAt.Compare(a.pin.Record.CreatedAt); c != 0 {
			return c
		}
		return b.pin.Number - a.pin.Number
	})
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out, nil
}

// newest leaves the last n pins of each set: the order of time is only known
// from the pins themselves, but within a set it is that of the numbers.
func newest(refs []gitstore.PinRef, n int) []gitstore.PinRef {
	var kept []gitstore.PinRef
	for i, ref := range refs { // sorted by set and number
		if i+n >= len(refs) || refs[i+n].Set != ref.Set {
			kept = append(kept, ref)
		}
	}
	return kept
}

// row is what the log shows of a pin. A commit that the clone lacks has no
// author and no subject.
func (l logged) row(repo *gitstore.Repo) report.LogPin {
	rec := l.pin.Record
	row := report.LogPin{
		Tag: l.pin.Name, Set: rec.PolicySet, Version: rec.Version, VersionID: rec.VersionID,
		Commit: l.pin.Commit.String(), PublishedAt: rec.CreatedAt, SchemaVersion: rec.SchemaVersion,
		ManifestSHA: rec.ManifestSHA, SetDigest: rec.SetDigest, Entries: len(rec.Entries), Signed: l.pin.Signed,
	}
	if c, err := repo.Commit(l.pin.Commit); err == nil {
		row.Author, row.Subject = c.Author, c.Subject
	}
	var before []gitstore.RecordEntry
	if l.before != nil {
		before = l.before.Record.Entries
	}
	row.Added, row.Removed, row.Changed = countChanges(before, rec.Entries)
	return row
}

// countChanges compares entries by policy id, which a rename keeps.
func countChanges(before, after []gitstore.RecordEntry) (added, removed, changed int) {
	old := map[string]string{}
	for _, e := range before {
		old[e.PolicyID] = e.VersionID
	}
	for _, e := range after {
		switch version, ok := old[e.PolicyID]; {
		case !ok:
			added++
		case version != e.VersionID:
			changed++
		}
		delete(old, e.PolicyID)
	}
	return added, len(old), changed
}

// markActive asks the zone which version decides.
func (w *world) markActive(ctx context.Context, p *project, t manifest.Target, apiURL string, doc *report.Log) error {
	r, done, err := w.readZone(p, t, apiURL)
	if err != nil {
		return err
	}
	defer done()
	set, err := active(ctx, r)
	if err != nil {
		return err
	}
	id := ""
	if set != nil {
		id = set.ActiveVersionID
	}
	for i := range doc.Pins {
		is := doc.Pins[i].VersionID == id
		doc.Pins[i].Active = &is
	}
	return nil
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

func versionsArchiveCommand(w *world) *cli.Command {
	var format choice
	var apiURL string
	var yes bool
	return &cli.Command{
		Name:      "archive",
		Usage:     "archive a version, so that it can't be activated any more",
		ArgsUsage: "SET VERSION",
		Description: help{
			text: `Archives a policy set version in the zone. It can't be undone, and its pin
stays. The active version is refused. Asks first on a terminal; elsewhere --yes
is needed. ` + versionWords,
			examples: []string{"policypin versions archive agents v11", "policypin versions archive --yes agents v11"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusRefused, statusInterrupted},
		}.String(),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "yes", Usage: "don't ask", Destination: &yes},
			apiURLFlag(&apiURL),
			formatFlag(&format, formatText, formatJSON),
		},
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 2, "SET", "VERSION")
			if err != nil {
				return err
			}
			if !yes && !w.terminal.stdin {
				return &usage{msg: "archiving can't be undone and there is nobody to ask", hint: "--yes archives without asking"}
			}
			p, err := w.findProject()
			if err != nil {
				return err
			}
			defer p.close()
			proj, err := p.projectFile()
			if err != nil {
				return err
			}
			t, err := w.target(proj)
			if err != nil {
				return err
			}
			doc, err := archiveVersion(c.Context, w, p, t, apiURL, args[0], args[1], yes)
			if err != nil {
				return err
			}
			if format.value == formatJSON {
				return report.JSON(w.stdout, doc)
			}
			return report.ArchivedText(w.stdout, doc)
		},
	}
}

func archiveVersion(ctx context.Context, w *world, p *project, t manifest.Target, apiURL, setName, versionName string, yes bool) (report.Archived, error) {
	doc := report.Archived{Schema: report.Schema, Target: t.Name, ZoneID: t.ZoneID}
	c, done, err := w.writeZone(p, t, apiURL, storeWait)
	if err != nil {
		return doc, err
	}
	defer done()
	set, err := findSet(ctx, c.Reader, setName)
	if err != nil {
		return doc, err
	}
	v, err := findVersion(ctx, c.Reader, set, versionName)
	if err != nil {
		return doc, err
	}
	doc.Set, doc.Version, doc.VersionID = set.Name, v.Version, v.ID
	if isActive(set, v) {
		return doc, &refusal{
			msg:  fmt.Sprintf("%s v%d is active in zone %s", set.Name, v.Version, t.ZoneID),
			hint: "activate another version first",
		}
	}
	if v.ArchivedAt != nil {
		doc.ArchivedAt = v.ArchivedAt
		return doc, nil
	}
	if !yes && !w.confirm(fmt.Sprintf("archive %s v%d (%s) in zone %s? It can't be undone. [y/N] ", set.Name, v.Version, v.ID, t.ZoneID)) {
		return doc, &refusal{msg: "not archived"}
	}
	v, err = c.ArchiveSetVersion(ctx, set.ID, v.ID)
	if err != nil {
		return doc, err
	}
	doc.ArchivedAt = v.ArchivedAt
	doc.New = true
	return doc, nil
}

// confirm asks a yes-or-no question on the terminal; anything but yes is no.
func (w *world) confirm(question string) bool {
	fmt.Fprint(w.stderr, report.Clean(question))
	if w.flush() != nil {
		return false // who doesn't see the question can't have answered it
	}
	line, err := bufio.NewReader(w.stdin).ReadString('\n')
	if err != nil {
		return false
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

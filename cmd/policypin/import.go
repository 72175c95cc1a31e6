package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/importer"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

type importOptions struct {
	zoneID string
	apiURL string
	format choice
	sets   []string
}

func importCommand(w *world) *cli.Command {
	var opts importOptions
	return &cli.Command{
		Name:      "import",
		Usage:     "write a project from a live zone",
		ArgsUsage: "[SET…]",
		Description: help{
			text: `Writes the policy sets of a zone as manifests, sources and schemas, and the
project file if there is none: all sets, or those that are named. Each has the
content of its active version, else of its newest. Committing and publishing the
result creates nothing: the versions that are there are pinned.

A policy of the customer becomes a source. Those that Keycard manages, and texts
that can't be a source, are entries by name and number, and policies without a
usable name are entries by ids. It never overwrites: if a file exists with
another content, nothing is written.`,
			examples: []string{
				"policypin import --target production --zone-id zone_prd",
				"policypin import --target production agents",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusInterrupted},
		}.String(),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "zone-id", Usage: "the target's zone is `ID`, where there is no project file yet", Destination: &opts.zoneID},
			apiURLFlag(&opts.apiURL),
			formatFlag(&opts.format, formatText, formatJSON),
		},
		Action: func(c *cli.Context) error {
			opts.sets = c.Args().Slice()
			doc, err := importZone(c.Context, w, opts)
			if err != nil {
				return err
			}
			if opts.format.value == formatJSON {
				return report.JSON(w.stdout, doc)
			}
			for _, note := range doc.Notes {
				w.say("note: %s", report.Clean(note))
			}
			for _, s := range doc.Skipped {
				w.say("skipped: policy set %s: %s", report.Clean(s.Set), report.Clean(s.Reason))
			}
			if len(doc.Written) > 0 {
				defer w.say("next: policypin validate, commit the files, then policypin publish --target %s pins the versions that are there", doc.Target)
			}
			return report.ImportedText(w.stdout, w.style(), doc)
		},
	}
}

func importZone(ctx context.Context, w *world, opts importOptions) (report.Imported, error) {
	doc := report.Imported{Schema: report.Schema, Written: []string{}, Kept: []string{}, Sets: []importer.Summary{}, Notes: []string{}, Skipped: []importer.Skipped{}}
	p, proj, err := w.importPlace()
	if err != nil {
		return doc, err
	}
	defer p.close()
	t, err := w.importTarget(proj, opts.zoneID)
	if err != nil {
		return doc, err
	}
	doc.Target, doc.ZoneID = t.Name, t.ZoneID
	r, done, err := w.readZone(p, t, opts.apiURL)
	if err != nil {
		return doc, err
	}
	defer done()
	snap, err := importer.Read(ctx, r, opts.sets)
	if err != nil {
		return doc, err
	}
	doc.Skipped = append(doc.Skipped, snap.Skipped...)
	if len(snap.Sets) == 0 {
		for _, s := range snap.Skipped {
			w.say("skipped: policy set %s: %s", report.Clean(s.Set), report.Clean(s.Reason))
		}
		return doc, &hinted{
			err:  fmt.Errorf("zone %s has no policy set that could be imported", t.ZoneID),
			hint: "policypin init begins a new one",
		}
	}
	schemas := map[string]string{}
	for _, version := range snap.SchemaVersions() {
		s, err := fetchSchema(ctx, r, version)
		if err != nil {
			return doc, err
		}
		schemas[version] = s.CedarSchema
	}
	tree, err := p.workTree()
	if err != nil {
		return doc, err
	}
	result, err := importer.Build(snap, schemas, importer.Place{Target: t.Name, ZoneID: t.ZoneID, Project: proj, Tree: tree})
	if problems := (diag.List)(nil); errors.As(err, &problems) {
		for _, problem := range problems {
			w.say("%s", report.Clean(problem.String()))
		}
		return doc, &hinted{
			err:  errors.New("nothing was written: with the imported files the project would not be valid"),
			hint: "import into an empty folder, or name the policy sets to import",
		}
	}
	if err != nil {
		return doc, err
	}
	doc.Sets, doc.Notes = result.Sets, result.Notes
	doc.Written, doc.Kept, err = writeFiles(p.dir, result.Files)
	return doc, err
}

// importPlace is the project of the work tree, or the current folder if there
// is none. A project that only a commit has is not one to write to.
func (w *world) importPlace() (*project, *manifest.Project, error) {
	p, err := w.findProject()
	if err == nil && !isFile(filepath.Join(p.dir, manifest.ProjectFile)) {
		p.close()
		err = errNoProject
	}
	if err == nil {
		proj, err := p.projectFile()
		if err != nil {
			p.close()
			return nil, nil, err
		}
		return p, proj, nil
	}
	if !errors.Is(err, errNoProject) {
		return nil, nil, err
	}
	p = &project{dir: w.workDir(), rel: "."}
	repo, err := gitstore.Open(p.dir, w.getenv)
	if errors.Is(err, gitstore.ErrNoRepository) {
		return p, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	p.repo = repo
	if p.rel, err = repo.Rel(p.dir); err != nil {
		repo.Close()
		return nil, nil, err
	}
	return p, nil, nil
}

// importTarget is the target of the project, or the one that the new project
// file will have.
func (w *world) importTarget(proj *manifest.Project, zoneID string) (manifest.Target, error) {
	if proj != nil {
		t, err := w.target(proj)
		if err == nil && zoneID != "" && zoneID != t.ZoneID {
			return t, &usage{
				msg:  fmt.Sprintf("--zone-id is %q, but target %s of the project has zone %s", zoneID, t.Name, t.ZoneID),
				hint: "give another target its own zone in " + manifest.ProjectFile,
			}
		}
		return t, err
	}
	name := w.global.target.value
	switch {
	case name == "":
		return manifest.Target{}, &usage{msg: "no --target, and no project file that has one", hint: "policypin import --target NAME --zone-id ID"}
	case name == localTarget && zoneID == "":
		t, _ := manifest.NewProject().Target(localTarget)
		return t, nil
	case zoneID == "":
		return manifest.Target{}, &usage{msg: fmt.Sprintf("no --zone-id, and no project file that has the zone of target %s", name), hint: "policypin import --target " + name + " --zone-id ID"}
	}
	if err := manifest.CheckTargetName(name); err != nil {
		return manifest.Target{}, &usage{msg: fmt.Sprintf("--target: the name %q %v", name, err)}
	}
	if err := manifest.CheckID(zoneID); err != nil {
		return manifest.Target{}, &usage{msg: fmt.Sprintf("--zone-id: the id %q %v", zoneID, err)}
	}
	return manifest.Target{Name: name, ZoneID: zoneID, Pins: name}, nil
}

// writeFiles writes the files that are missing, if those that exist have the
// same content; else it writes none. A checkout may have changed line ends.
func writeFiles(dir string, files []importer.File) (written, kept []string, err error) {
	written, kept = []string{}, []string{}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return written, kept, err
	}
	// Through a root, a symbolic link can't lead the files elsewhere.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return written, kept, err
	}
	defer root.Close()
	var missing []file
	var differ []string
	for _, f := range files {
		switch have, err := root.ReadFile(f.Name); {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, file{f.Name, string(f.Text)})
		case err != nil:
			return written, kept, err
		case strings.ReplaceAll(string(have), "\r\n", "\n") == strings.ReplaceAll(string(f.Text), "\r\n", "\n"):
			kept = append(kept, f.Name)
		default:
			differ = append(differ, f.Name)
		}
	}
	if len(differ) > 0 {
		return written, kept, &hinted{
			err:  fmt.Errorf("nothing was written, since these files exist with another content:\n%s", strings.Join(differ, "\n")),
			hint: "import into an empty folder and compare, or move them away",
		}
	}
	for _, f := range missing {
		if err := writeNew(root, f); err != nil {
			return written, kept, err
		}
		written = append(written, f.name)
	}
	return written, kept, nil
}

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/layerfs"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

func schemaUpgradeCommand(w *world) *cli.Command {
	var apiURL string
	var sets cli.StringSlice
	var format choice
	return &cli.Command{
		Name:      "upgrade",
		Usage:     "move manifests to another schema version",
		ArgsUsage: "VERSION",
		Description: help{
			text: `Checks every source against schema VERSION and then changes the schema_version
of every manifest, or of those of --set: that value alone, so comments and layout
stay. If anything would not be valid, all problems are shown and nothing is
changed. A schema that isn't committed is fetched from the zone and written too.`,
			examples: []string{"policypin schema upgrade 2026-06-18", "policypin schema upgrade --set agents --target production 2026-06-18"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusRefused, statusInterrupted},
		}.String(),
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "set", Usage: "move policy set `NAME` only, repeatable", Destination: &sets},
			apiURLFlag(&apiURL),
			formatFlag(&format, formatText, formatJSON),
		},
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 1, "VERSION")
			if err != nil {
				return err
			}
			doc, err := schemaUpgrade(c.Context, w, apiURL, args[0], sets.Value())
			if err != nil {
				return err
			}
			if format.value == formatJSON {
				return report.JSON(w.stdout, doc)
			}
			for _, note := range doc.Notes {
				w.say("note: %s", report.Clean(note))
			}
			return report.UpgradedText(w.stdout, doc)
		},
	}
}

func schemaUpgrade(ctx context.Context, w *world, apiURL, version string, names []string) (report.Upgraded, error) {
	doc := report.Upgraded{Schema: report.Schema, Version: version, Sets: []report.UpgradedSet{}, Notes: []string{}}
	if err := manifest.CheckSchemaVersion(version); err != nil {
		return doc, &usage{msg: fmt.Sprintf("the schema version %q %v", version, err)}
	}
	p, err := w.findProject()
	if err != nil {
		return doc, err
	}
	defer p.close()
	before, err := p.workTree()
	if err != nil {
		return doc, err
	}
	tree, err := load(before)
	if err != nil {
		return doc, err
	}
	sets, err := chosenSets(tree, names)
	if err != nil {
		return doc, err
	}
	changed := map[string][]byte{}
	doc.File = strings.ReplaceAll(tree.Project.Schemas, "{version}", version)
	switch _, err := fs.Stat(before, doc.File); {
	case errors.Is(err, fs.ErrNotExist):
		text, err := w.newSchema(ctx, p, tree.Project, apiURL, version)
		if err != nil {
			return doc, err
		}
		doc.SchemaWritten = true
		changed[doc.File] = []byte(text)
	case err != nil:
		return doc, err
	}
	for _, s := range sets {
		row := report.UpgradedSet{Name: s.Name, File: s.File, From: s.SchemaVersion, Changed: s.SchemaVersion != version}
		if row.Changed {
			if !p.onDisk(s.File) {
				return doc, &hinted{
					err:  fmt.Errorf("%s is not checked out, so it can't be changed", s.File),
					hint: "git sparse-checkout add its folder, or name other sets with --set",
				}
			}
			if changed[s.File], err = s.WithSchema(version); err != nil {
				return doc, fmt.Errorf("%s: %w", s.File, err)
			}
			doc.Notes = append(doc.Notes, fixedEntries(s)...)
		}
		doc.Sets = append(doc.Sets, row)
	}
	after, err := layerfs.New(before, changed)
	if err != nil {
		return doc, err
	}
	_, problems, err := manifest.Load(after)
	if err != nil {
		return doc, err
	}
	if problems.Err() != nil {
		return doc, w.notChanged(problems, version)
	}
	return doc, replaceFiles(p.dir, changed, doc.File)
}

// chosenSets are the named sets, or all.
func chosenSets(tree *manifest.Tree, names []string) ([]*manifest.Set, error) {
	if len(names) == 0 {
		return tree.Sets, nil
	}
	var sets []*manifest.Set
	for _, name := range names {
		s, ok := tree.Set(name)
		if !ok {
			return nil, &usage{msg: fmt.Sprintf("the project has no policy set %q", name), hint: "policypin digest lists them"}
		}
		if !slices.Contains(sets, s) {
			sets = append(sets, s)
		}
	}
	return sets, nil
}

// newSchema fetches a schema that is not in the project.
func (w *world) newSchema(ctx context.Context, p *project, proj *manifest.Project, apiURL, version string) (string, error) {
	t, err := w.target(proj)
	if err != nil {
		return "", err
	}
	r, done, err := w.readZone(p, t, apiURL)
	if err != nil {
		return "", err
	}
	defer done()
	s, err := fetchSchema(ctx, r, version)
	if err != nil {
		return "", err
	}
	if s.Status == "archived" {
		return "", &refusal{
			msg:  fmt.Sprintf("schema %s is archived in zone %s: no policy can get a version with it", version, t.ZoneID),
			hint: "policypin schema fetch, without a version, fetches the zone's default",
		}
	}
	return s.CedarSchema, nil
}

// fixedEntries says which entries can't be checked here: a policy version that
// the zone has is bound to the schema that it was made with.
func fixedEntries(s *manifest.Set) []string {
	var notes []string
	for _, e := range s.Entries {
		switch {
		case e.Version != 0:
			notes = append(notes, fmt.Sprintf("%s: policy %s stays at version %d, which publish takes only if it was made with the new schema", e.Position, e.Policy, e.Version))
		case e.VersionID != "":
			notes = append(notes, fmt.Sprintf("%s: policy version %s stays, which publish takes only if it was made with the new schema", e.Position, e.VersionID))
		}
	}
	return notes
}

// notChanged shows why an upgrade was not made.
func (w *world) notChanged(problems diag.List, version string) error {
	for _, p := range problems {
		if p.Severity == diag.Error {
			w.say("%s", report.Clean(p.String()))
		}
	}
	w.say("%s nothing was changed: the project would have these problems with schema %s", w.errStyle().Error("error:"), report.Clean(version))
	return errProblems
}

// replaceFiles writes files whole or not at all, one after the other, first
// before all others.
func replaceFiles(dir string, files map[string][]byte, first string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	if i := slices.Index(names, first); i >= 0 {
		names = slices.Concat([]string{first}, slices.Delete(names, i, i+1))
	}
	for _, name := range names {
		if err := rewriteFile(root, name, files[name]); err != nil {
			return err
		}
	}
	return nil
}

// rewriteFile replaces a file, or writes a new one. Renaming would pass by a mark
// that says not to write to it, but for Windows.
func rewriteFile(root *os.Root, name string, text []byte) error {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return writeNew(root, file{name, string(text)})
	}
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o222 == 0 {
		return fmt.Errorf("%s is read-only", name)
	}
	temp := name + "." + rand.Text()
	if err := writeNew(root, file{temp, string(text)}); err != nil {
		return err
	}
	if err := errors.Join(root.Chmod(temp, info.Mode().Perm()), root.Rename(temp, name)); err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	return nil
}

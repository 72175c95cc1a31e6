package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/policypin/policypin/schema"
	"github.com/urfave/cli/v2"
)

func schemaCommand(w *world) *cli.Command {
	return &cli.Command{
		Name:  "schema",
		Usage: "fetch the zone's Cedar schema, move to another, or print JSON Schemas",
		Description: help{
			text: `Works with the Cedar schema that the sources are checked against, and with the
JSON Schemas of the project's own files.`,
			examples: []string{"policypin schema fetch", "policypin schema upgrade 2026-06-18", "policypin schema print policy-set"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusRefused, statusInterrupted},
		}.String(),
		Subcommands: []*cli.Command{schemaFetchCommand(w), schemaUpgradeCommand(w), schemaPrintCommand(w)},
	}
}

func schemaFetchCommand(w *world) *cli.Command {
	var apiURL string
	var force bool
	var format choice
	return &cli.Command{
		Name:      "fetch",
		Usage:     "write a Cedar schema of the zone to the project",
		ArgsUsage: "[VERSION]",
		Description: help{
			text: `Fetches schema VERSION, or the zone's default, and writes it to the place that
the project file gives for schemas. Commit it: validate needs no zone then. A
file with another content is refused, since a schema version never changes.`,
			examples: []string{"policypin schema fetch", "policypin schema fetch --target production 2026-06-18"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusRefused, statusInterrupted},
		}.String(),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Usage: "overwrite a file with another content", Destination: &force},
			apiURLFlag(&apiURL),
			formatFlag(&format, formatText, formatJSON),
		},
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 0, "VERSION")
			if err != nil {
				return err
			}
			version := ""
			if len(args) > 0 {
				version = args[0]
			}
			doc, err := schemaFetch(c.Context, w, apiURL, version, force)
			if err != nil {
				return err
			}
			if format.value == formatJSON {
				return report.JSON(w.stdout, doc)
			}
			return report.FetchedText(w.stdout, doc)
		},
	}
}

func schemaFetch(ctx context.Context, w *world, apiURL, version string, force bool) (report.Fetched, error) {
	doc := report.Fetched{Schema: report.Schema}
	p, err := w.findProject()
	if err != nil {
		return doc, err
	}
	defer p.close()
	if _, err := p.workTree(); err != nil {
		return doc, err // a bare clone's folder is Git's own
	}
	proj, err := p.projectFile()
	if err != nil {
		return doc, err
	}
	t, err := w.target(proj)
	if err != nil {
		return doc, err
	}
	r, done, err := w.readZone(p, t, apiURL)
	if err != nil {
		return doc, err
	}
	defer done()
	s, err := fetchSchema(ctx, r, version)
	if err != nil {
		return doc, err
	}
	if err := manifest.CheckSchemaVersion(s.Version); err != nil {
		return doc, fmt.Errorf("the service calls the schema %q, which %w", s.Version, err)
	}
	doc.Target, doc.ZoneID, doc.Version, doc.Status, doc.Default = t.Name, t.ZoneID, s.Version, s.Status, s.IsDefault
	doc.File = strings.ReplaceAll(proj.Schemas, "{version}", s.Version)
	doc.Written, err = writeSchema(p.dir, file{doc.File, s.CedarSchema}, force)
	return doc, err
}

// writeSchema writes the file unless it has that content already, and tells
// whether it did.
func writeSchema(dir string, f file, force bool) (written bool, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, err
	}
	defer root.Close()
	switch old, err := root.ReadFile(f.name); {
	case err == nil && strings.ReplaceAll(string(old), "\r\n", "\n") == f.text:
		return false, nil
	case err == nil && !force:
		return false, &refusal{
			msg:  f.name + " exists with another content",
			hint: "it was changed by hand, or comes from another zone; --force overwrites it",
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	if err := root.MkdirAll(path.Dir(f.name), 0o777); err != nil {
		return false, err
	}
	return true, root.WriteFile(f.name, []byte(f.text), 0o666)
}

func schemaPrintCommand(w *world) *cli.Command {
	kinds := map[string][]byte{"project": schema.Project, "policy-set": schema.PolicySet, "policy-test": schema.PolicyTest}
	return &cli.Command{
		Name:      "print",
		Usage:     "print the JSON Schema of a kind of file",
		ArgsUsage: "project|policy-set|policy-test",
		Description: help{
			text: `Prints the JSON Schema of policypin.yaml, manifests or tests, for editors. validate
knows more rules than a JSON Schema can say.`,
			examples: []string{"policypin schema print policy-set > policy-set.schema.json"},
			statuses: []int{statusOK, statusUsage},
		}.String(),
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 1, "KIND")
			if err != nil {
				return err
			}
			text, ok := kinds[args[0]]
			if !ok {
				return &usage{msg: fmt.Sprintf("no JSON Schema of %q", args[0]), hint: "there is one of project, of policy-set and of policy-test"}
			}
			_, err = w.stdout.Write(text)
			return err
		},
	}
}

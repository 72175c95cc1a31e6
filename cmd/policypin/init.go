package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/internal/zone"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

//go:embed scaffold/policypin.yaml
var scaffoldProject string

//go:embed scaffold/main.yaml
var scaffoldSet string

//go:embed scaffold/employees-read.cedar
var scaffoldPolicy string

//go:embed scaffold/main-tests.yaml
var scaffoldTests string

func initCommand(w *world) *cli.Command {
	var format choice
	return &cli.Command{
		Name:      "init",
		Usage:     "write the files of a new project",
		ArgsUsage: "[DIR]",
		Description: help{
			text: `Writes a project file, one policy set, one policy with a decision test and the
Cedar schema to DIR, or to the current folder, ready for validate, test and
publish. At the top of the work tree it adds workflows for GitHub, which check
pull requests and, once they are told where to, publish merges, and a
configuration for pre-commit. It asks nothing and never overwrites: a file that
exists is kept, and a project that exists is left alone.`,
			examples: []string{"policypin init", "policypin init services/policies"},
			statuses: []int{statusOK, statusFailed, statusUsage},
		}.String(),
		Flags: []cli.Flag{formatFlag(&format, formatText, formatJSON)},
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 0, "DIR")
			if err != nil {
				return err
			}
			dir := w.workDir()
			if len(args) > 0 {
				dir = resolvePath(dir, args[0])
			}
			doc, err := w.scaffold(c.Context, dir)
			if err != nil {
				return err
			}
			if format.value == formatJSON {
				return report.JSON(w.stdout, doc)
			}
			if len(doc.Written) > 0 {
				defer w.say("next: %s%spolicypin validate, policypin test, then commit the files", w.goThere(dir), w.gitInit(dir))
			}
			return report.ScaffoldText(w.stdout, doc)
		},
	}
}

// goThere is the step to a project's folder that isn't the current one.
func (w *world) goThere(dir string) string {
	if folder := shortPath(w.dir, dir); folder != "." {
		return "cd " + shellWord(report.Clean(folder)) + ", "
	}
	return ""
}

// gitInit is the step that a folder outside Git needs first.
func (w *world) gitInit(dir string) string {
	repo, err := gitstore.Open(dir, w.getenv)
	if errors.Is(err, gitstore.ErrNoRepository) {
		return "git init, "
	}
	if err == nil {
		repo.Close()
	}
	return ""
}

// resolvePath is name as seen from dir.
func resolvePath(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, name)
}

type file struct{ name, text string }

// A scaffoldFile is one of a new project, or at the top of its work tree.
type scaffoldFile struct {
	file
	atTop bool
}

// scaffold writes the files that are missing. The project file comes last, so
// that an init that was interrupted can be run again.
func (w *world) scaffold(ctx context.Context, dir string) (report.Scaffold, error) {
	doc := report.Scaffold{Schema: report.Schema, Written: []string{}, Kept: []string{}}
	if err := w.needWorkTree(dir); err != nil {
		return doc, err
	}
	version, schema, err := defaultSchema(ctx)
	if err != nil {
		return doc, err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return doc, err
	}
	top, rel := w.topOf(dir)
	around, err := aroundProject(rel)
	if err != nil {
		return doc, err
	}
	// Through a root, a symbolic link can't lead the files elsewhere.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return doc, err
	}
	defer root.Close()
	_, err = root.Lstat(manifest.ProjectFile)
	project := err == nil
	projectText, tests := scaffoldProject, "tests"
	if !project && testsTaken(root) {
		tests = "policy-tests"
		projectText = strings.Replace(projectText, "kind: Project\n", "kind: Project\ntests: ["+tests+"/*.yaml]\n", 1)
	}
	files := []scaffoldFile{
		{file: file{"schemas/" + version + ".cedarschema", schema}},
		{file: file{"policies/employees-read.cedar", scaffoldPolicy}},
		{file: file{tests + "/main.yaml", scaffoldTests}},
		{file: file{"policy-sets/main.yaml", strings.ReplaceAll(scaffoldSet, "SCHEMA", version)}},
	}
	for _, f := range around {
		files = append(files, scaffoldFile{f, true})
	}
	files = append(files, scaffoldFile{file: file{manifest.ProjectFile, projectText}})
	topRoot, err := os.OpenRoot(top)
	if err != nil {
		return doc, err
	}
	defer topRoot.Close()
	var others []string // files for the repository that are somebody else's
	for _, f := range files {
		in, shown := root, f.name
		if f.atTop {
			in, shown = topRoot, path.Join(strings.Repeat("../", depth(rel)), f.name)
		}
		if project {
			if _, err := in.Lstat(f.name); err == nil {
				doc.Kept = append(doc.Kept, shown)
			}
			continue
		}
		switch err := writeNew(in, f.file); {
		case errors.Is(err, fs.ErrExist):
			doc.Kept = append(doc.Kept, shown)
			if text, err := in.ReadFile(f.name); f.atTop && (err != nil || string(text) != f.text) {
				others = append(others, shown)
			}
		case err != nil:
			return doc, err
		default:
			doc.Written = append(doc.Written, shown)
		}
	}
	if len(others) > 0 {
		where := rel
		if rel == "." {
			where = "the project"
		}
		w.say("note: not written for this project, so see that they check %s: %s", report.Clean(where), report.Clean(strings.Join(others, ", ")))
	}
	for _, name := range doc.Written {
		if path.Base(name) == publishWorkflow {
			w.noteBranch(ctx, dir, name)
		}
	}
	return doc, nil
}

// testsTaken tells whether the folder tests has YAML files of somebody else,
// which would be read as decision tests.
func testsTaken(root *os.Root) bool {
	names, err := fs.Glob(root.FS(), "tests/*.yaml")
	if err != nil {
		return false
	}
	for _, name := range names {
		text, err := root.ReadFile(name)
		if err != nil || string(text) != scaffoldTests { // ours, if init was interrupted
			return true
		}
	}
	return false
}

// writeNew creates a file, whole or not at all. The error wraps fs.ErrExist if
// there is one.
func writeNew(root *os.Root, f file) error {
	if err := root.MkdirAll(path.Dir(f.name), 0o777); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s can't be written: %s is not a folder", f.name, path.Dir(f.name))
	} else if err != nil {
		return err
	}
	out, err := root.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = out.WriteString(f.text)
	if err = errors.Join(err, out.Close()); err != nil { // a full disk, say: half a file would be kept by the next run
		return errors.Join(err, root.Remove(f.name))
	}
	return nil
}

// defaultSchema is the one that a new local zone has as its default.
func defaultSchema(ctx context.Context) (version, text string, err error) {
	server, err := openLocalZone(nil, manifest.Target{ZoneID: zone.LocalZoneID}, storeAccess{})
	if err != nil {
		return "", "", err
	}
	defer server.Close()
	r, err := keycard.NewReader(keycard.Config{Transport: server.Transport()}, zone.LocalZoneID)
	if err != nil {
		return "", "", err
	}
	s, err := fetchSchema(ctx, r, "")
	if err != nil {
		return "", "", err
	}
	return s.Version, s.CedarSchema, nil
}

// fetchSchema reads a schema as Cedar text; version "" is the zone's default.
func fetchSchema(ctx context.Context, r *keycard.Reader, version string) (*keycard.SchemaVersion, error) {
	if version == "" {
		yes := true
		for s, err := range r.Schemas(ctx, keycard.ListOptions{Default: &yes}) {
			if err != nil {
				return nil, err
			}
			if s.IsDefault {
				version = s.Version
				break
			}
		}
	}
	if version == "" {
		return nil, &hinted{
			err:  fmt.Errorf("zone %s has no default schema", r.ZoneID()),
			hint: "name a version: policypin schema fetch VERSION",
		}
	}
	s, err := r.Schema(ctx, version, "cedar")
	if errors.Is(err, keycard.ErrNotFound) {
		return nil, &hinted{
			err:  fmt.Errorf("schema %s: %w", version, err),
			hint: "policypin schema fetch, without a version, fetches the default of the zone; check the target's zone_id too",
		}
	}
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", version, err)
	}
	if s.CedarSchema == "" {
		return nil, fmt.Errorf("schema %s: the service sent no text", version)
	}
	if !strings.HasSuffix(s.CedarSchema, "\n") {
		s.CedarSchema += "\n"
	}
	return s, nil
}

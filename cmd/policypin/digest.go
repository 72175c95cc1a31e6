package main

import (
	"cmp"
	"io/fs"
	"slices"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

type digestOptions struct {
	rev    string
	format choice
}

func digestCommand(w *world) *cli.Command {
	var opts digestOptions
	return &cli.Command{
		Name:  "digest",
		Usage: "show the digests of every policy set and source",
		Description: help{
			text: `Prints the set digest of each manifest and the policy digest of each source.
Both come from Git alone: comments, layout and line ends don't change them, and
with the same sources a set has the same digest in every zone.`,
			examples: []string{"policypin digest", "policypin digest --rev v1.4 --format json"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusInterrupted},
		}.String(),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "rev", Usage: "read commit `REVISION` instead of the work tree", Destination: &opts.rev},
			formatFlag(&opts.format, formatText, formatJSON),
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			doc, err := digests(w, opts)
			if err != nil {
				return err
			}
			if opts.format.value == formatJSON {
				return report.JSON(w.stdout, doc)
			}
			return report.DigestText(w.stdout, w.style(), doc)
		},
	}
}

func digests(w *world, opts digestOptions) (report.Digests, error) {
	doc := report.Digests{Schema: report.Schema, Sets: []report.SetDigest{}, Sources: []report.SourceDigest{}}
	p, err := w.findProject()
	if err != nil {
		return doc, err
	}
	defer p.close()
	var fsys fs.FS
	if opts.rev == "" {
		fsys, err = p.workTree()
	} else {
		var commit gitstore.Hash
		fsys, commit, err = p.at(opts.rev)
		doc.Commit = commit.String()
	}
	if err != nil {
		return doc, err
	}
	tree, err := load(fsys)
	if err != nil {
		return doc, err
	}
	err = fillDigests(&doc, tree)
	return doc, err
}

// fillDigests lists what the tree says, sorted by name and by path.
func fillDigests(doc *report.Digests, tree *manifest.Tree) error {
	for _, s := range tree.Sets {
		d, err := tree.Digest(s)
		if err != nil {
			return err
		}
		doc.Sets = append(doc.Sets, report.SetDigest{Set: s.Name, File: s.File, SchemaVersion: s.SchemaVersion, Entries: len(s.Entries), Digest: d})
	}
	for file, policy := range tree.Sources {
		doc.Sources = append(doc.Sources, report.SourceDigest{Source: file, Digest: policy.Digest()})
	}
	slices.SortFunc(doc.Sources, func(a, b report.SourceDigest) int { return cmp.Compare(a.Source, b.Source) })
	return nil
}

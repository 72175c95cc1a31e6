package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

type diffOptions struct {
	staged   bool
	exitCode bool
	format   choice
	apiURL   string
}

// Names of the sides that are no revision.
const (
	workTreeSide = "WORKTREE"
	indexSide    = "INDEX"
	zonePrefix   = "zone:"
)

func diffCommand(w *world) *cli.Command {
	var opts diffOptions
	return &cli.Command{
		Name:      "diff",
		Usage:     "show what changed between two states of the project",
		ArgsUsage: "[A [B]]",
		Description: help{
			text: `Shows which policy sets, entries, fields and Cedar sources changed from A to B,
and says "layout only" where the parsed content is equal. A and B are each

  a revision      HEAD, a branch, a tag or a commit, optionally with ~N or ^N
  a pin           agents/v12, or its tag policypin/production/agents/v12
  INDEX           what is staged
  WORKTREE        the files on disk
  zone:TARGET     the version that is active in the target's zone

Without A it is HEAD, without B the work tree (with --staged, the index).
Layout alone is no change for --exit-code. A set whose manifest changed and can't
be understood on one side is marked with ?: that is a change, and no more is known.`,
			examples: []string{
				"policypin diff",
				"policypin diff --exit-code origin/main HEAD",
				"policypin diff agents/v11 agents/v12",
				"policypin diff zone:production HEAD",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusChanges, statusInterrupted},
		}.String(),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "staged", Usage: "compare with the index instead of the work tree", Destination: &opts.staged},
			&cli.BoolFlag{Name: "exit-code", Usage: "end with status 4 if there are changes", Destination: &opts.exitCode},
			apiURLFlag(&opts.apiURL),
			formatFlag(&opts.format, formatText, formatJSON, formatMarkdown),
		},
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 0, "A", "B")
			if err != nil {
				return err
			}
			if opts.staged && len(args) == 2 {
				return &usage{msg: "--staged and a second state exclude each other"}
			}
			from, to := "HEAD", workTreeSide
			if opts.staged {
				to = indexSide
			}
			if len(args) > 0 {
				from = args[0]
			}
			if len(args) > 1 {
				to = args[1]
			}
			doc, err := compare(c.Context, w, opts, from, to)
			if err != nil {
				return err
			}
			switch opts.format.value {
			case formatJSON:
				err = report.DiffJSON(w.stdout, doc)
			case formatMarkdown:
				page, perr := diffComment(w, doc, opts)
				err = writeMarkdown(w, page, perr)
			default:
				err = report.DiffText(w.stdout, w.style(), doc)
			}
			if err == nil && opts.exitCode && doc.Changed() {
				return errChanges
			}
			return err
		},
	}
}

// A side is one of the two states that are compared: files of a commit, of the
// index or on disk, or the live version of a zone. fsys is nil where the project
// wasn't there yet.
type side struct {
	label  string
	fsys   fs.FS
	commit gitstore.Hash
	tree   *manifest.Tree
	live   *liveSet
}

func compare(ctx context.Context, w *world, opts diffOptions, from, to string) (report.Diff, error) {
	doc := report.Diff{}
	p, err := w.findProject()
	if err != nil {
		return doc, err
	}
	defer p.close()
	a, err := w.side(ctx, p, opts, from)
	if err != nil {
		return doc, err
	}
	b, err := w.side(ctx, p, opts, to)
	if err != nil {
		return doc, err
	}
	doc.From, doc.To = a.report(), b.report()
	changed, known, err := p.changed(a, b)
	if err != nil {
		return doc, err
	}
	if known {
		doc.Diff, err = w.compareChanged(a, b, changed)
		return doc, err
	}
	for _, s := range []*side{a, b} {
		if err := w.load(s); err != nil {
			return doc, err
		}
	}
	if a.live == nil && b.live == nil {
		doc.Diff = manifest.Compare(a.tree, b.tree)
	} else {
		doc.Diff, err = compareLive(a, b)
		w.noteOtherSets(a, b)
		w.noteOtherSets(b, a)
	}
	return doc, err
}

func (s *side) report() report.Side {
	r := report.Side{Name: s.label}
	if !s.commit.IsZero() {
		r.Commit = s.commit.String()
	}
	return r
}

// side finds one state, and reads it if it is a zone.
func (w *world) side(ctx context.Context, p *project, opts diffOptions, name string) (*side, error) {
	s := &side{label: name}
	var err error
	target, zone := strings.CutPrefix(name, zonePrefix)
	switch {
	case zone:
		s.live, err = w.liveSide(ctx, p, target, opts.apiURL)
	case name == workTreeSide:
		s.fsys, err = p.workTree()
	case name == indexSide:
		s.fsys, err = p.index()
	default:
		s.fsys, s.commit, err = p.at(name)
		if short := pinNumber.FindStringSubmatch(name); short != nil && errors.Is(err, gitstore.ErrNoRevision) {
			s.fsys, s.commit, err = w.atPin(ctx, p, short[1], short[2])
		}
	}
	if missing(err) { // the project's folder wasn't there yet
		s.fsys, err = nil, nil
	}
	return s, err
}

// changed lists the files that differ between two states of the repository, or
// some more. Git knows them without parsing a file, so that most of the work is
// that of the change and not that of the project. known is false for other
// states, and if the project file is among them: it says what belongs to the
// project.
func (p *project) changed(a, b *side) (paths []string, known bool, err error) {
	if a.fsys == nil || b.fsys == nil {
		return nil, false, nil
	}
	if a.place() > b.place() { // what differs is the same both ways
		a, b = b, a
	}
	var changes []gitstore.PathChange
	switch from, to := a.place(), b.place(); {
	case from == inCommit && to == inCommit:
		changes, err = p.repo.ChangedPaths(a.commit, b.commit, p.rel)
	case from == inCommit && to == inIndex:
		changes, err = p.repo.StagedSince(a.commit, p.rel)
	case from != to && to == onDisk:
		return p.changedOnDisk(a)
	default:
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	for _, c := range changes {
		paths = append(paths, c.Path)
	}
	return paths, !slices.Contains(paths, manifest.ProjectFile), nil
}

// changedOnDisk lists what differs between a commit or the index and the work
// tree. Which files are read is said by the project file, if it is the same.
func (p *project) changedOnDisk(a *side) (paths []string, known bool, err error) {
	file, _, err := manifest.LoadProject(a.fsys)
	if err != nil || file == nil {
		return nil, false, nil // reading it whole says what is wrong
	}
	if a.place() == inIndex {
		paths, known, err = p.repo.WorkTreeUnstaged(p.rel, file.Compares)
	} else {
		paths, known, err = p.repo.WorkTreeSince(a.commit, p.rel, file.Compares)
	}
	return paths, known && !slices.Contains(paths, manifest.ProjectFile), err
}

// Where the files of a state are.
const (
	inCommit = iota
	inIndex
	onDisk
	nowhere
)

func (s *side) place() int {
	switch {
	case s.live != nil:
		return nowhere
	case !s.commit.IsZero():
		return inCommit
	case s.label == indexSide:
		return inIndex
	case s.label == workTreeSide:
		return onDisk
	}
	return nowhere
}

// compareChanged compares two states that have the same project file.
func (w *world) compareChanged(a, b *side, changed []string) (manifest.Diff, error) {
	d, from, to, err := manifest.CompareChanged(a.fsys, b.fsys, changed)
	if missing(err) {
		return d, nil // a folder without a project file, now and then
	}
	if err != nil {
		return d, err
	}
	for i, s := range []*side{a, b} {
		problems := []diag.List{from, to}[i]
		if problems.Errors() == 0 && s.place() != inCommit {
			problems = sourceProblems(s.fsys, changed)
		}
		w.noteErrors(s, problems)
	}
	return d, nil
}

// sourceProblems checks the sources among changed files. A comparison takes them
// as text, and somebody who is at work on them wants to know more.
func sourceProblems(fsys fs.FS, changed []string) diag.List {
	sources := slices.DeleteFunc(slices.Clone(changed), func(file string) bool { return path.Ext(file) != ".cedar" })
	if len(sources) == 0 {
		return nil
	}
	_, problems, err := manifest.LoadChanged(fsys, sources)
	if err != nil {
		return nil // the comparison has read what it needs
	}
	return problems
}

// load reads a state whole. Only a project file that can't be used at all stops
// the comparison.
func (w *world) load(s *side) error {
	if s.fsys == nil {
		return nil
	}
	tree, problems, err := manifest.Load(s.fsys)
	if missing(err) {
		return nil // a folder without a project file: everything was added since, or removed
	}
	if err != nil {
		return err
	}
	if tree == nil {
		return problems
	}
	w.noteErrors(s, problems)
	s.tree = tree
	return nil
}

// noteErrors counts errors on stderr: a file with problems doesn't hide what
// changed in the others.
func (w *world) noteErrors(s *side, problems diag.List) {
	if n := problems.Errors(); n > 0 {
		show := "policypin validate"
		switch s.place() {
		case inCommit:
			show += " --rev " + s.commit.String()[:12]
		case inIndex:
			show += " --staged"
		}
		w.say("note: %s has errors (%d); %s shows them", report.Clean(s.label), n, show)
	}
}

// pinNumber is the short name of a pin.
var pinNumber = regexp.MustCompile(`^([^/].*)/v([1-9][0-9]{0,8})$`)

// atPin is the project at a pin that is named by set and number alone: the one
// of the chosen target, or else that of the only target that has it.
func (w *world) atPin(ctx context.Context, p *project, set, number string) (fs.FS, gitstore.Hash, error) {
	var none gitstore.Hash
	proj, err := p.projectFile()
	if err != nil {
		return nil, none, err
	}
	chosen, err := w.target(proj)
	if err != nil {
		return nil, none, err
	}
	refs, err := p.repo.Local().Refs(ctx)
	if err != nil {
		return nil, none, err
	}
	var found []string
	for _, t := range append([]manifest.Target{chosen}, proj.Targets...) {
		tag, err := pinTag(t.Pins, set, number)
		if err != nil {
			return nil, none, err
		}
		if _, ok := refs.All[tag]; !ok || slices.Contains(found, tag) {
			continue
		}
		if t.Name == chosen.Name {
			return p.at(tag)
		}
		found = append(found, tag)
	}
	switch len(found) {
	case 0:
		return nil, none, &hinted{
			err:  fmt.Errorf("%w: no pin %s/v%s in this clone", gitstore.ErrNoRevision, set, number),
			hint: "policypin log lists the pins; git fetch origin 'refs/tags/policypin/*:refs/tags/policypin/*' brings them here",
		}
	case 1:
		return p.at(found[0])
	}
	return nil, none, &usage{msg: fmt.Sprintf("several targets have a pin %s/v%s", set, number), hint: "say which with --target"}
}

// pinTag is the full name of a pin's tag.
func pinTag(pins, set, number string) (string, error) {
	n, err := strconv.Atoi(number)
	if err != nil {
		return "", err
	}
	name, err := gitstore.PinName(pins, set, n)
	return "refs/tags/" + name, err
}

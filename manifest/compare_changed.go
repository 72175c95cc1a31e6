package manifest

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
)

// CompareChanged is [Compare] of two states of a project of which it is known
// which files differ: slash paths relative to the project, those that are there
// on one side only among them. The project file must not be among them.
//
// It reads those files, and the manifests that name them, and parses as little
// of them as it can. Nothing is validated, and the set digests stay zero. The
// problems, of either side, are those that keep something from being compared;
// a file that is the same on both sides and has problems is counted for both.
//
// a and b must be safe for concurrent use. The error is as for [Load], or the
// problems of a project file that can't be used.
func CompareChanged(a, b fs.FS, changed []string) (d Diff, from, to diag.List, err error) {
	c := comparison{sides: [2]*loader{newLoader(a), newLoader(b)}, changed: map[string]bool{}}
	for _, l := range c.sides {
		l.direct = true
		if err := l.readProject(); err != nil {
			return Diff{}, nil, nil, err
		}
		if l.tree.Project == nil {
			return Diff{}, nil, nil, l.sorted()
		}
	}
	for _, file := range changed {
		c.changed[file] = true
	}
	if err := c.readSets(); err != nil {
		return Diff{}, nil, nil, err
	}
	if err := c.readSources(); err != nil {
		return Diff{}, nil, nil, err
	}
	d = Compare(c.sides[0].tree, c.sides[1].tree)
	for i := range d.Sets {
		d.Sets[i].From, d.Sets[i].To = Digest{}, Digest{} // a set without sources has one
	}
	return d, c.sides[0].sorted(), c.sides[1].sorted(), nil
}

// Compares tells whether a file can be part of what [Compare] compares: the
// project file, a manifest, or a source.
func (p *Project) Compares(file string) bool {
	return file == ProjectFile || path.Ext(file) == ".cedar" ||
		slices.ContainsFunc(p.Manifests, func(pattern string) bool { ok, _ := path.Match(pattern, file); return ok })
}

// A comparison reads two sides of which most is the same.
type comparison struct {
	sides   [2]*loader
	changed map[string]bool
}

// readSets reads the manifests: all of them if one has changed, since a set may
// have moved or been renamed, else those that may name a changed source. One
// that is the same on both sides is parsed once.
func (c *comparison) readSets() error {
	byKind := c.sides[1].sortChanged(slices.Collect(maps.Keys(c.changed)))
	byKind.schemas = nil // a schema isn't part of what is compared
	keep := byKind.searcher()
	if len(byKind.manifests) > 0 {
		keep = nil
	} else if len(byKind.sources) == 0 {
		return nil
	}
	type parsed struct {
		set      *Set
		problems diag.List
		secrets  []string
		data     []byte
		skipped  bool
	}
	type job struct {
		file  string
		sides []int
		out   parsed
	}
	var jobs []*job
	same := map[string]*job{}
	for side, l := range c.sides {
		files, err := l.manifestFiles()
		if err != nil {
			return err
		}
		for _, file := range files {
			if j := same[file]; j != nil {
				j.sides = append(j.sides, side)
				continue
			}
			j := &job{file: file, sides: []int{side}}
			jobs = append(jobs, j)
			if !c.changed[file] {
				same[file] = j
			}
		}
	}
	err := parallel(len(jobs), func(i int) error {
		j := jobs[i]
		data, problems, err := c.read(j.sides[0], j.file, maxManifestBytes)
		switch {
		case err != nil:
			return err
		case data == nil:
			j.out.problems = problems
		case keep != nil && !keep(data):
			j.out.skipped = true
		default:
			j.out.data = data
			j.out.set, j.out.problems, j.out.secrets = parseSet(j.file, data)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, j := range jobs {
		for _, side := range j.sides {
			l := c.sides[side]
			l.problems.Add(j.out.problems...)
			l.secrets = append(l.secrets, j.out.secrets...)
			if !j.out.skipped {
				l.tree.addSet(j.file, j.out.set, j.out.data, j.out.problems)
			}
		}
	}
	for _, l := range c.sides {
		// As in readSets, where the files come sorted.
		slices.SortFunc(l.tree.Sets, func(a, b *Set) int { return strings.Compare(a.File, b.File) })
		slices.SortStableFunc(l.tree.Sets, func(a, b *Set) int { return strings.Compare(a.Name, b.Name) })
	}
	return nil
}

// readSources reads the sources whose text is part of the comparison: those that
// changed, and all of the sets that aren't the same on both sides.
func (c *comparison) readSources() error {
	var uses [2]map[string][]use
	for side, l := range c.sides {
		uses[side] = map[string][]use{}
		others := onlySets(c.sides[1-side].tree)
		for _, s := range l.tree.Sets {
			for i, e := range s.Entries {
				if e.Source != "" && (c.changed[e.Source] || others[s.Name] != s) {
					uses[side][e.Source] = append(uses[side][e.Source], use{s, i})
				}
			}
		}
	}
	all := maps.Clone(uses[0])
	maps.Copy(all, uses[1])
	files := slices.Sorted(maps.Keys(all))
	type result struct {
		text     [2]string
		problems [2]diag.List
		same     bool // but for layout
	}
	results := make([]result, len(files))
	err := parallel(len(files), func(i int) error {
		r, file := &results[i], files[i]
		for side := range c.sides {
			if side == 1 && !c.changed[file] {
				r.text[1], r.problems[1] = r.text[0], r.problems[0]
				break
			}
			if c.changed[file] && uses[side][file] == nil {
				continue
			}
			data, problems, err := c.read(side, file, cedar.MaxSourceBytes)
			if err != nil {
				return err
			}
			r.text[side], r.problems[side] = string(data), problems
		}
		r.same = cedar.SameSource(r.text[0], r.text[1])
		return nil
	})
	if err != nil {
		return err
	}
	for side, l := range c.sides {
		l.tree.same = map[string]bool{}
		for i, file := range files {
			l.tree.broken[file] = results[i].text[side]
			l.tree.same[file] = results[i].same
			if uses[side][file] != nil { // else what is wrong with it is the other side's affair
				l.problems.Add(results[i].problems[side]...)
			}
		}
	}
	return nil
}

// onlySets maps names to sets, and those of several sets to none.
func onlySets(t *Tree) map[string]*Set {
	sets := make(map[string]*Set, len(t.Sets))
	for _, s := range t.Sets {
		if _, twice := sets[s.Name]; twice {
			sets[s.Name] = nil
		} else {
			sets[s.Name] = s
		}
	}
	return sets
}

// read reads a file of one side. data is nil if there are problems. Unlike the
// loader's own, it asks what a file is only after it couldn't be read.
func (c *comparison) read(side int, file string, limit int64) (data []byte, problems diag.List, err error) {
	fsys, at := c.sides[side].fsys, diag.Position{File: file}
	data, err = readFile(fsys, file, limit)
	switch {
	case err == nil && data == nil:
		return []byte{}, nil, nil
	case err == nil:
		return data, nil, nil
	case errors.Is(err, errTooLarge):
		problems.Errorf(at, "file-too-large", "%v", err)
	case errors.Is(err, fs.ErrNotExist):
		problems.Errorf(at, "missing-source", "source %s doesn't exist", quote(file))
	default:
		f := folders{fsys: fsys, listings: map[string]listing{}}
		what := f.unreadable(file)
		if what == "" {
			return nil, nil, err
		}
		problems.Errorf(at, "not-a-file", "%s is %s", quote(path.Base(file)), what)
	}
	return nil, problems, nil
}

// parallel runs work for 0 to n-1 on all cores and returns an error, if there
// was one.
func parallel(n int, work func(i int) error) error {
	var workers sync.WaitGroup
	var next atomic.Int64
	var failed atomic.Pointer[error]
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := work(i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	workers.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

package gitstore

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// A PathChange is a path whose content or mode differs between two trees. A
// submodule's id is that of its commit.
type PathChange struct {
	Path     string // relative to the dir that was asked about
	From, To Hash   // blob ids; zero when absent, equal when only the mode differs
}

// ChangedPaths lists what differs under dir between two commits, sorted by
// path. Equal subtrees are skipped without being read. A zero commit is empty,
// and so is one without dir. A file that became a folder is one path removed
// and others added.
func (r *Repo) ChangedPaths(from, to Hash, dir string) ([]PathChange, error) {
	a, err := r.committed(from)
	if err != nil {
		return nil, err
	}
	b, err := r.committed(to)
	if err != nil {
		return nil, err
	}
	return diffListings(a, b, dir)
}

// StagedPaths lists what differs under dir between HEAD and the index, sorted
// by path. Before the first commit everything is new. The error wraps
// [ErrConflict] for unmerged paths under dir.
func (r *Repo) StagedPaths(dir string) ([]PathChange, error) {
	head, err := r.Resolve("HEAD")
	if errors.Is(err, ErrNoRevision) {
		if _, born, rerr := r.ref(plumbing.HEAD); born || rerr != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	a, err := r.committed(head)
	if err != nil {
		return nil, err
	}
	b, err := r.readIndex(dir)
	if err != nil {
		return nil, err
	}
	return diffListings(a, b, dir)
}

// committed lists the tree of a commit; the zero commit's is empty.
func (r *Repo) committed(commit Hash) (listing, error) {
	o := stored{r.store}
	if commit.IsZero() {
		return &indexListing{}, nil
	}
	tree, err := commitTree(o, commit)
	if err != nil {
		return nil, err
	}
	return &treeListing{&treeReader{objects: o}, tree}, nil
}

// maxTreeDepth is above the depth that the path lengths of operating systems
// allow; a tree made by hand could nest without end.
const maxTreeDepth = 2048

// diffListings compares what two listings have below dir.
func diffListings(from, to listing, dir string) ([]PathChange, error) {
	if err := validDir("diff", dir); err != nil {
		return nil, err
	}
	old, err := folderAt(from, dir)
	if err != nil {
		return nil, err
	}
	new, err := folderAt(to, dir)
	if err != nil {
		return nil, err
	}
	d := listingDiff{from: from, to: to, dir: dir}
	err = d.folder(dir, old, new)
	return d.changes, err
}

// folderAt returns the entry of a folder, the zero entry if there is none.
func folderAt(l listing, dir string) (treeEntry, error) {
	e, ok, err := l.find(dir)
	if err != nil || !ok || e.mode != modeTree {
		return treeEntry{}, err
	}
	return e, nil
}

// A listingDiff walks two listings side by side. go-git's DiffTree reads every
// sibling of a changed folder: 640 ms instead of 30 ms for a change of 19 files
// in a repository of 100,000.
type listingDiff struct {
	from, to listing
	dir      string
	depth    int
	changes  []PathChange
}

// folder compares two folders at a path. The zero entry is an absent one.
func (d *listingDiff) folder(at string, old, new treeEntry) error {
	// The index knows the id of a folder only as long as nothing in it changed.
	if old.hash == new.hash && !old.hash.IsZero() {
		return nil
	}
	if d.depth++; d.depth > maxTreeDepth {
		return fmt.Errorf("%s: folders nest more than %d deep", clip(at), maxTreeDepth)
	}
	defer func() { d.depth-- }()
	a, err := children(d.from, at, old)
	if err != nil {
		return err
	}
	b, err := children(d.to, at, new)
	if err != nil {
		return err
	}
	for len(a) > 0 || len(b) > 0 {
		var old, new treeEntry
		switch order := nextOrder(a, b); {
		case order < 0:
			old, a = a[0], a[1:]
		case order > 0:
			new, b = b[0], b[1:]
		default:
			old, new, a, b = a[0], b[0], a[1:], b[1:]
		}
		if err := d.entry(at, old, new); err != nil {
			return err
		}
	}
	return nil
}

// entry compares two entries of one name and kind, one of which may be absent.
func (d *listingDiff) entry(folder string, old, new treeEntry) error {
	at := path.Join(folder, max(old.name, new.name))
	switch {
	case old.mode == modeTree || new.mode == modeTree:
		return d.folder(at, old, new)
	case old.hash != new.hash || old.mode != new.mode:
		if d.dir != "." {
			at = strings.TrimPrefix(at, d.dir+"/")
		}
		d.changes = append(d.changes, PathChange{Path: at, From: old.hash, To: new.hash})
	}
	return nil
}

// children lists a folder in git's order; an absent one has none.
func children(l listing, at string, folder treeEntry) ([]treeEntry, error) {
	if folder.mode != modeTree {
		return nil, nil
	}
	entries, err := l.list(at, folder)
	if err != nil {
		return nil, fmt.Errorf("folder %q: %w", clip(at), err)
	}
	return entries, nil
}

// nextOrder tells which list has the entry that comes first.
func nextOrder(a, b []treeEntry) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return a[0].compare(b[0])
}

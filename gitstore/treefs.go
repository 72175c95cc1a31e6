package gitstore

import (
	"fmt"
	"io/fs"

	"github.com/go-git/go-git/v5/plumbing/storer"
)

// TreeAt returns the files under dir as committed. It reads the object database
// only, so edits in the work tree and the index are never seen. dir is a slash
// path, "." for the root. The error wraps [ErrNoRevision], or [fs.ErrNotExist]
// if dir is not in that commit.
//
// Symlinks and submodules are listed, with [fs.ModeSymlink] and
// [fs.ModeIrregular], but opening them fails with a clear error. A file name
// that isn't UTF-8 is listed and can't be opened, as [fs.ValidPath] demands; a
// name that git forbids, such as "..", makes its folder unreadable.
func (r *Repo) TreeAt(commit Hash, dir string) (fs.FS, error) {
	return treeAt(r.store, commit, dir)
}

// treeAt is TreeAt for any store. s must be safe for concurrent use.
func treeAt(s storer.EncodedObjectStorer, commit Hash, dir string) (fs.FS, error) {
	o := stored{s}
	tree, err := commitTree(o, commit)
	if err != nil {
		return nil, err
	}
	fsys, err := newObjectFS(o, &treeListing{newTreeReader(o), tree}, dir)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", commit.Short(), err)
	}
	return fsys, nil
}

// A treeListing lists what a tree holds.
type treeListing struct {
	trees *treeReader
	root  Hash
}

func (l *treeListing) find(path string) (treeEntry, bool, error) { return l.trees.find(l.root, path) }

func (l *treeListing) list(_ string, folder treeEntry) ([]treeEntry, error) {
	return l.trees.tree(folder.hash)
}

package gitstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// ErrConflict is returned for an index with unmerged paths.
var ErrConflict = errors.New("the index has unmerged paths")

// Index returns the staged files under dir, from $GIT_INDEX_FILE if it is set,
// as git commit would commit them: a path that is only marked with git add -N
// isn't there. Symbolic links and submodules are as in [Repo.TreeAt]. The error
// wraps [ErrConflict] for unmerged paths under dir, with their names, and
// [fs.ErrNotExist] if nothing is staged under dir.
func (r *Repo) Index(dir string) (fs.FS, error) {
	staged, err := r.readIndex(dir)
	if err != nil {
		return nil, err
	}
	fsys, err := newObjectFS(stored{r.store}, staged, dir)
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return fsys, nil
}

// HasIndex tells whether anything was ever staged: a clone without a checkout has
// no index, which to git is one from which everything was removed.
func (r *Repo) HasIndex() bool {
	_, err := os.Stat(r.indexFile())
	return err == nil
}

// indexFile is the path of the index.
func (r *Repo) indexFile() string {
	name := r.getenv("GIT_INDEX_FILE")
	if name == "" {
		return filepath.Join(r.gitDir, "index")
	}
	if r.root != "" {
		// git goes to the top of the work tree before it opens the file.
		return absIn(r.root, name)
	}
	return absIn(r.gitDir, name)
}

// readIndex reads the entries under dir, as they could be committed. A missing
// index is empty.
func (r *Repo) readIndex(dir string) (*indexListing, error) {
	x, err := r.loadIndex(dir)
	if err != nil {
		return nil, err
	}
	return x.merged()
}

// loadIndex reads the entries under dir. A missing index is empty.
func (r *Repo) loadIndex(dir string) (*index, error) {
	if err := validDir("open", dir); err != nil {
		return nil, err
	}
	name := r.indexFile()
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &index{}, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxIndexBytes {
		return nil, fmt.Errorf("%w: the index %s has %d bytes; the limit is %d", ErrUnsupported, name, info.Size(), maxIndexBytes)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	x, err := parseIndex(content, dir)
	if special, ok := errors.AsType[*specialIndexError](err); ok {
		x, err = r.listFiles(name, dir, special)
	}
	if err != nil && !errors.Is(err, ErrUnsupported) && info.Mode().IsRegular() {
		err = fmt.Errorf("%w; without the file, git reset writes it anew", err)
	}
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", name, err)
	}
	return x, nil
}

// An index is what was read of an index file.
type index struct {
	entries []indexEntry    // sorted by path and stage
	folders map[string]Hash // trees of the folders in which nothing changed since they were written
}

// An indexEntry is a staged file.
type indexEntry struct {
	path  string
	mode  entryMode
	hash  Hash
	stage int  // 0, or 1 to 3 for the sides of a conflict
	skip  bool // a sparse checkout leaves it out of the work tree
}

// maxConflictNames is how many unmerged paths an error names.
const maxConflictNames = 10

// merged checks that the entries could be committed.
func (x *index) merged() (*indexListing, error) {
	var unmerged []string
	more := 0
	for i, e := range x.entries {
		if e.stage == 0 || i > 0 && x.entries[i-1].path == e.path {
			continue
		}
		if len(unmerged) == maxConflictNames {
			more++
			continue
		}
		unmerged = append(unmerged, fmt.Sprintf("%q", e.path))
	}
	if len(unmerged) > 0 {
		names := strings.Join(unmerged, ", ")
		if more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		return nil, fmt.Errorf("%w: %s", ErrConflict, names)
	}
	l := &indexListing{x.entries, x.folders}
	for _, e := range l.entries {
		if n := l.after(e.path + "/"); n < len(l.entries) && strings.HasPrefix(l.entries[n].path, e.path+"/") {
			return nil, fmt.Errorf("index is malformed: %q is both a file and a folder", e.path)
		}
	}
	return l, nil
}

// An indexListing lists a merged index. Folders are ranges of paths.
type indexListing struct {
	entries []indexEntry
	folders map[string]Hash
}

func (l *indexListing) find(path string) (treeEntry, bool, error) {
	folder := treeEntry{name: path, mode: modeTree, hash: l.folders[path]}
	if path == "." {
		return folder, true, nil
	}
	if i := l.after(path); i < len(l.entries) && l.entries[i].path == path {
		e := l.entries[i]
		return treeEntry{name: path, mode: e.mode, hash: e.hash}, true, nil
	}
	i := l.after(path + "/")
	if i < len(l.entries) && strings.HasPrefix(l.entries[i].path, path+"/") {
		return folder, true, nil
	}
	return treeEntry{}, false, nil
}

// list returns the children of a folder. Sorted by whole paths, they come in
// git's order.
func (l *indexListing) list(path string, _ treeEntry) ([]treeEntry, error) {
	prefix := path + "/"
	if path == "." {
		prefix = ""
	}
	var children []treeEntry
	for i := l.after(prefix); i < len(l.entries) && strings.HasPrefix(l.entries[i].path, prefix); {
		e := l.entries[i]
		name, _, isFolder := strings.Cut(e.path[len(prefix):], "/")
		if !isFolder {
			children = append(children, treeEntry{name, e.mode, e.hash})
			i++
			continue
		}
		whole := prefix + name
		children = append(children, treeEntry{name, modeTree, l.folders[whole]})
		i += sort.Search(len(l.entries)-i, func(n int) bool {
			return !strings.HasPrefix(l.entries[i+n].path, whole+"/")
		})
	}
	return children, nil
}

// after returns the position of the first entry whose path isn't before path.
func (l *indexListing) after(path string) int {
	return sort.Search(len(l.entries), func(i int) bool { return l.entries[i].path >= path })
}

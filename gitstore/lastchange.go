package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// ErrUnchanged is returned when no commit of a history has a path.
var ErrUnchanged = errors.New("no commit changed it")

// ErrTooFar is returned when a walk over history reached its limit before the
// question was answered.
var ErrTooFar = errors.New("history is longer than the search may be")

// A ChangeFinder finds the commits that last changed paths. It keeps what it has
// read of commits, since the paths of a project share their history. It is not
// safe for concurrent use.
type ChangeFinder struct {
	objects objects
	shallow map[plumbing.Hash]bool
	commits map[Hash]Commit
	entries map[treeName]treeEntry // the zero entry for a name that a tree lacks
	likely  []map[string]bool      // by depth, names to look up while a tree is read
}

// A treeName is a name in a tree.
type treeName struct {
	tree Hash
	name string
}

// maxLikely bounds what a finder keeps of each tree.
const maxLikely = 32

// Changes returns a finder for the history that the clone has. likely are paths
// that it will be asked about: each tree is then read once for all of them.
func (r *Repo) Changes(likely ...string) (*ChangeFinder, error) {
	shallow, err := r.shallow()
	if err != nil {
		return nil, err
	}
	f := &ChangeFinder{
		objects: stored{r.store}, shallow: shallow,
		commits: map[Hash]Commit{}, entries: map[treeName]treeEntry{},
	}
	for _, path := range likely[:min(len(likely), maxLikely)] {
		for depth, name := range strings.Split(path, "/") {
			if depth == len(f.likely) {
				f.likely = append(f.likely, map[string]bool{})
			}
			f.likely[depth][name] = true
		}
	}
	return f, nil
}

// Last returns the newest commit, from one on, that changed the content or the
// mode of the file or folder at a slash path, or removed it: the one that
// git log -1 REV -- PATH shows. A merge that takes over the path from one of its
// parents didn't change it; the first such parent is followed.
//
// walk is how many commits may still be looked at, and is counted down; the error
// wraps [ErrTooFar] when it is used up. It wraps [ErrShallow] and names the
// commit where the clone's shallow boundary hides the answer, since that commit
// only looks as if it had made everything; [ErrUnchanged] if no commit has the
// path; and [ErrNoRevision] if from isn't here.
func (f *ChangeFinder) Last(from Hash, path string, walk *int) (Commit, error) {
	if err := validDir("log", path); err != nil {
		return Commit{}, err
	}
	at, err := f.commit(from)
	if err != nil {
		return Commit{}, err
	}
	here, err := f.chain(at.Tree, path)
	if err != nil {
		return at, err
	}
	for ; *walk > 0; *walk-- {
		last := here[len(here)-1]
		if f.shallow[fromHash(at.Hash)] && len(at.Parents) > 0 {
			return at, fmt.Errorf("%w: it ends at %s", ErrShallow, at.Hash.Short())
		}
		if len(at.Parents) == 0 {
			if last.hash.IsZero() {
				return Commit{}, ErrUnchanged
			}
			return at, nil
		}
		same := false
		for _, p := range at.Parents {
			parent, err := f.commit(p)
			if err != nil {
				return at, fmt.Errorf("parent of %s: %w", at.Hash.Short(), err)
			}
			err = f.objects.announce(parent.Tree, func() []Hash { return f.treesBelow(parent) })
			if err != nil {
				return at, fmt.Errorf("commit %s: %w", p.Short(), err)
			}
			there, err := f.chainLike(here, parent.Tree, path)
			if err != nil {
				return at, fmt.Errorf("commit %s: %w", p.Short(), err)
			}
			if e := there[len(there)-1]; e.hash == last.hash && e.mode == last.mode {
				at, here, same = parent, there, true
				break
			}
		}
		if !same {
			return at, nil
		}
	}
	return at, fmt.Errorf("%w: it ended at %s", ErrTooFar, at.Hash.Short())
}

// maxTogether is how many trees a partial clone without trees fetches at once,
// which would be a request for each commit of the walk.
const maxTogether = 256

// treesBelow lists the trees of the commits that the walk comes to next, along
// first parents.
func (f *ChangeFinder) treesBelow(c Commit) []Hash {
	var trees []Hash
	for len(trees) < maxTogether && len(c.Parents) > 0 && !f.shallow[fromHash(c.Hash)] {
		next, err := f.commit(c.Parents[0])
		if err != nil {
			break
		}
		if c = next; c.Tree != noFiles {
			trees = append(trees, c.Tree)
		}
	}
	return trees
}

func (f *ChangeFinder) commit(h Hash) (Commit, error) {
	if c, ok := f.commits[h]; ok {
		return c, nil
	}
	c, err := readCommit(f.objects, h)
	if err == nil {
		f.commits[h] = c
	}
	return c, err
}

// chain lists the entries that lead from a root to a path: one for the root and
// one for each name. Those from the first that isn't there are zero.
func (f *ChangeFinder) chain(root Hash, path string) ([]treeEntry, error) {
	return f.chainLike(nil, root, path)
}

// chainLike is chain, beside that of another commit: below equal folders nothing
// needs to be read.
func (f *ChangeFinder) chainLike(other []treeEntry, root Hash, path string) ([]treeEntry, error) {
	at := treeEntry{mode: modeTree, hash: root}
	list := []treeEntry{at}
	if path == "." {
		return list, nil
	}
	for name := range strings.SplitSeq(path, "/") {
		if n := len(list); len(other) > n && at.mode == modeTree && other[n-1].hash == at.hash && other[n-1].mode == modeTree {
			return append(list, other[n:]...), nil
		}
		var err error
		if at, err = f.entry(at, name, len(list)-1); err != nil {
			return nil, err
		}
		list = append(list, at)
	}
	return list, nil
}

// entry looks up a name in a folder at a depth; what isn't a folder has none.
func (f *ChangeFinder) entry(folder treeEntry, name string, depth int) (treeEntry, error) {
	if folder.mode != modeTree {
		return treeEntry{}, nil
	}
	if e, ok := f.entries[treeName{folder.hash, name}]; ok {
		return e, nil
	}
	content, err := f.objects.read(plumbing.TreeObject, folder.hash)
	if err != nil {
		return treeEntry{}, err
	}
	want := map[string]bool{name: true}
	if depth < len(f.likely) && f.likely[depth][name] {
		want = f.likely[depth]
	}
	found, err := scanTree(content, want)
	if err != nil {
		return treeEntry{}, fmt.Errorf("tree %s: %w", folder.hash, err)
	}
	for n := range want {
		f.entries[treeName{folder.hash, n}] = found[n]
	}
	return found[name], nil
}

// scanTree looks for names in a tree without making a list of all: a walk reads
// a tree for each commit, and a folder may hold 10,000 files.
func scanTree(content []byte, names map[string]bool) (map[string]treeEntry, error) {
	found := make(map[string]treeEntry, len(names))
	for len(content) > 0 && len(found) < len(names) {
		space := bytes.IndexByte(content[:min(len(content), 8)], ' ')
		end := bytes.IndexByte(content, 0)
		if space <= 0 || end < space || len(content)-end-1 < len(Hash{}) {
			return nil, errors.New("tree is malformed")
		}
		if name := content[space+1 : end]; names[string(name)] {
			mode, err := parseMode(string(content[:space]))
			if err != nil {
				return nil, err
			}
			e := treeEntry{mode: mode}
			copy(e.hash[:], content[end+1:])
			found[string(name)] = e
		}
		content = content[end+1+len(Hash{}):]
	}
	return found, nil
}

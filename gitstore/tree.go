package gitstore

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// An entryMode is a tree entry's or index entry's mode, as git writes it.
type entryMode uint32

const (
	modeTree       entryMode = 0o040000
	modeFile       entryMode = 0o100644
	modeExecutable entryMode = 0o100755
	modeSymlink    entryMode = 0o120000
	modeSubmodule  entryMode = 0o160000
)

// A treeEntry is one line of a tree.
type treeEntry struct {
	name string
	mode entryMode
	hash Hash
}

// compare orders entries as git does: a folder's name compares as if it ended
// in a slash, so "a.b" comes before the folder "a", which comes before "a0".
func (e treeEntry) compare(f treeEntry) int {
	n := min(len(e.name), len(f.name))
	if c := strings.Compare(e.name[:n], f.name[:n]); c != 0 {
		return c
	}
	return cmp.Compare(e.byteAt(n), f.byteAt(n))
}

func (e treeEntry) byteAt(n int) int {
	switch {
	case n < len(e.name):
		return int(e.name[n])
	case e.mode == modeTree:
		return '/'
	}
	return 0
}

// parseTree reads a tree object: for each entry an octal mode, a space, a
// name, a zero byte and 20 bytes of id. It refuses what git fsck calls an
// error and no checkout could hold, since the folder then isn't what it seems.
func parseTree(content []byte) ([]treeEntry, error) {
	// One string holds all names: one allocation instead of one for each.
	text := string(content)
	entries := make([]treeEntry, 0, len(content)/40)
	for at := 0; at < len(text); {
		space := strings.IndexByte(text[at:min(len(text), at+8)], ' ')
		if space <= 0 {
			return nil, errors.New("tree is malformed: an entry has no mode")
		}
		mode, err := parseMode(text[at : at+space])
		if err != nil {
			return nil, err
		}
		at += space + 1
		end := strings.IndexByte(text[at:], 0)
		if end < 0 || len(text)-at-end-1 < len(Hash{}) {
			return nil, errors.New("tree is malformed: it ends inside an entry")
		}
		e := treeEntry{name: text[at : at+end], mode: mode}
		at += end + 1
		at += copy(e.hash[:], content[at:])
		if err := checkEntryName(e.name); err != nil {
			return nil, err
		}
		if n := len(entries); n > 0 && entries[n-1].compare(e) >= 0 {
			return nil, fmt.Errorf("tree is malformed: %q is not in order after %q", e.name, entries[n-1].name)
		}
		entries = append(entries, e)
	}
	for _, e := range entries {
		if e.mode != modeTree {
			continue
		}
		if _, twice := findEntry(entries, e.name, modeFile); twice {
			return nil, fmt.Errorf("tree is malformed: %q is both a folder and a file", e.name)
		}
	}
	return entries, nil
}

// parseMode reads an entry's mode. Old versions of git wrote modes like
// 100664, which git reads as 100644 until today.
func parseMode(s string) (entryMode, error) {
	var m entryMode
	for _, c := range []byte(s) {
		if c < '0' || c > '7' {
			return 0, fmt.Errorf("tree is malformed: mode %q", s)
		}
		m = m<<3 | entryMode(c-'0')
	}
	return normalMode(m)
}

func normalMode(m entryMode) (entryMode, error) {
	switch m & 0o170000 {
	case 0o100000:
		if m&0o100 != 0 {
			return modeExecutable, nil
		}
		return modeFile, nil
	case modeTree, modeSymlink, modeSubmodule:
		return m & 0o170000, nil
	}
	return 0, fmt.Errorf("unknown file mode %o", m)
}

// checkEntryName refuses the names that git refuses to check out and that
// could lead out of a folder.
func checkEntryName(name string) error {
	switch {
	case name == "", name == ".", name == "..", strings.EqualFold(name, ".git"):
		return fmt.Errorf("a folder has an entry named %q, which git doesn't allow", name)
	case strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("a folder has an entry named %q, with a character that git doesn't allow", name)
	}
	return nil
}

// findEntry searches entries in git's order. mode tells only whether a folder
// is meant.
func findEntry(entries []treeEntry, name string, mode entryMode) (treeEntry, bool) {
	i, ok := slices.BinarySearchFunc(entries, treeEntry{name: name, mode: mode}, treeEntry.compare)
	if !ok {
		return treeEntry{}, false
	}
	return entries[i], true
}

// lookup finds an entry by name, whatever it is.
func lookup(entries []treeEntry, name string) (treeEntry, bool) {
	if e, ok := findEntry(entries, name, modeFile); ok {
		return e, true
	}
	return findEntry(entries, name, modeTree)
}

// A treeReader reads trees, and keeps those it has parsed if parsed isn't nil:
// every path below a folder begins with the same ones.
type treeReader struct {
	objects objects
	mu      sync.Mutex
	parsed  map[Hash][]treeEntry
}

func newTreeReader(o objects) *treeReader {
	return &treeReader{objects: o, parsed: map[Hash][]treeEntry{}}
}

func (r *treeReader) tree(h Hash) ([]treeEntry, error) {
	r.mu.Lock()
	entries, ok := r.parsed[h]
	r.mu.Unlock()
	if ok {
		return entries, nil
	}
	content, err := r.objects.read(plumbing.TreeObject, h)
	if err != nil {
		return nil, err
	}
	if entries, err = parseTree(content); err != nil {
		return nil, fmt.Errorf("tree %s: %w", h, err)
	}
	if r.parsed != nil {
		r.mu.Lock()
		r.parsed[h] = entries
		r.mu.Unlock()
	}
	return entries, nil
}

// find walks from a tree to the entry at a slash path. ok is false if there
// is none.
func (r *treeReader) find(root Hash, path string) (e treeEntry, ok bool, err error) {
	e = treeEntry{name: ".", mode: modeTree, hash: root}
	if path == "." {
		return e, true, nil
	}
	for name := range strings.SplitSeq(path, "/") {
		if e.mode != modeTree {
			return treeEntry{}, false, nil
		}
		entries, err := r.tree(e.hash)
		if err != nil {
			return treeEntry{}, false, err
		}
		if e, ok = lookup(entries, name); !ok {
			return treeEntry{}, false, nil
		}
	}
	return e, true, nil
}

// commitTree returns the tree of a commit without parsing the rest of it.
func commitTree(o objects, commit Hash) (Hash, error) {
	content, err := o.read(plumbing.CommitObject, commit)
	if errors.Is(err, errMissing) {
		return Hash{}, fmt.Errorf("%w: commit %s", ErrNoRevision, commit)
	}
	if err != nil {
		return Hash{}, err
	}
	line, _, _ := bytes.Cut(content, []byte("\n"))
	id, ok := bytes.CutPrefix(line, []byte("tree "))
	if !ok {
		return Hash{}, fmt.Errorf("commit %s is malformed: it names no tree", commit)
	}
	tree, err := ParseHash(string(id))
	if err != nil {
		return Hash{}, fmt.Errorf("commit %s is malformed: %w", commit, err)
	}
	return tree, nil
}

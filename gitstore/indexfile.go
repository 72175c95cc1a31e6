package gitstore

import (
	"bytes"
	"crypto/sha1" // the format's own checksum, against accidents
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxIndexBytes is about what an index of five million files has.
const maxIndexBytes = 512 << 20

// A specialIndexError says that an index has a form that only git reads.
type specialIndexError struct {
	form string
	undo string // the command that gives it the common form
}

func (e *specialIndexError) Error() string {
	return fmt.Sprintf("it is a %s index; %s makes it a common one", e.form, e.undo)
}

var errIndexEnds = errors.New("index is malformed: it ends too early")

// parseIndex reads an index file, versions 2 to 4 (gitformat-index(5)), and
// keeps the entries below dir. go-git's reader keeps all of them, which costs
// ten times as much in a repository of 100,000 files, and refuses an index
// that was written without a checksum (index.skipHash).
//
// The error is a *specialIndexError for a split or sparse index.
func parseIndex(content []byte, dir string) (*index, error) {
	const headerBytes, sumBytes = 12, sha1.Size
	if len(content) < headerBytes+sumBytes || string(content[:4]) != "DIRC" {
		return nil, errors.New("index is malformed: it doesn't begin as one")
	}
	body, sum := content[:len(content)-sumBytes], content[len(content)-sumBytes:]
	if got := sha1.Sum(body); !bytes.Equal(sum, make([]byte, sumBytes)) && !bytes.Equal(sum, got[:]) {
		return nil, errors.New("index is damaged: its checksum is wrong")
	}
	r := indexReader{version: binary.BigEndian.Uint32(content[4:]), rest: body[headerBytes:]}
	if r.version < 2 || r.version > 4 {
		return nil, fmt.Errorf("%w: index version %d; git update-index --index-version 4 writes one that is known",
			ErrUnsupported, r.version)
	}
	if dir != "." {
		r.prefix = dir + "/"
	}
	// What is wrong with the names of a split index is put right by its base,
	// and only the extensions, which come last, say that it is split.
	var problem error
	for range binary.BigEndian.Uint32(content[8:]) {
		if err := r.entry(); errors.Is(err, errIndexEnds) {
			return nil, err
		} else if problem == nil {
			problem = err
		}
	}
	folders, err := r.extensions()
	if err != nil {
		return nil, err
	}
	if problem != nil {
		return nil, problem
	}
	return &index{r.entries, folders}, nil
}

// An indexReader reads entries one after the other.
type indexReader struct {
	version uint32
	prefix  string // what the paths of kept entries begin with
	rest    []byte
	path    []byte // of the last entry
	stage   int    // of the last entry
	started bool
	entries []indexEntry
}

const (
	flagExtended    = 0x4000
	flagIntentToAdd = 0x2000 // in the extended flags
	flagSkip        = 0x4000 // in the extended flags: skip-worktree
)

// entry reads one entry. Its stat fields come first and don't matter here.
func (r *indexReader) entry() error {
	const modeAt, hashAt, flagsAt, fixedBytes = 24, 40, 60, 62
	if len(r.rest) < fixedBytes {
		return errIndexEnds
	}
	mode := entryMode(binary.BigEndian.Uint32(r.rest[modeAt:]))
	flags := binary.BigEndian.Uint16(r.rest[flagsAt:])
	hash := Hash(r.rest[hashAt:flagsAt])
	at, intent, skip := fixedBytes, false, false
	if r.version >= 3 && flags&flagExtended != 0 {
		if len(r.rest) < at+2 {
			return errIndexEnds
		}
		extended := binary.BigEndian.Uint16(r.rest[at:])
		intent, skip = extended&flagIntentToAdd != 0, extended&flagSkip != 0
		at += 2
	}
	path, next, err := r.entryPath(at)
	if err != nil {
		return err
	}
	stage := int(flags >> 12 & 3)
	order := bytes.Compare(r.path, path)
	sorted := !r.started || order < 0 || order == 0 && r.stage < stage && r.stage > 0
	r.rest, r.path, r.stage, r.started = r.rest[next:], path, stage, true
	if !sorted {
		return fmt.Errorf("index is malformed: %q is not in order", path)
	}
	if intent || len(path) < len(r.prefix) || string(path[:len(r.prefix)]) != r.prefix {
		return nil
	}
	e := indexEntry{path: string(path), hash: hash, stage: stage, skip: skip}
	if e.mode, err = normalMode(mode); err != nil || e.mode == modeTree {
		return fmt.Errorf("index is malformed: %q has mode %o", path, mode)
	}
	for part := range strings.SplitSeq(e.path, "/") {
		if err := checkEntryName(part); err != nil {
			return fmt.Errorf("index is malformed: %q: %w", path, err)
		}
	}
	r.entries = append(r.entries, e)
	return nil
}

// entryPath reads the path at an offset in the entry, and returns where the
// next entry begins. Version 4 stores only how a path differs from the last one.
func (r *indexReader) entryPath(at int) (path []byte, next int, err error) {
	strip := 0
	if r.version == 4 {
		if strip, at, err = r.varint(at); err != nil {
			return nil, 0, err
		}
	}
	n := bytes.IndexByte(r.rest[at:], 0)
	if n < 0 {
		return nil, 0, errIndexEnds
	}
	path, next = r.rest[at:at+n], at+n+1
	if r.version == 4 {
		if strip > len(r.path) {
			return nil, 0, errIndexEnds
		}
		kept := r.path[:len(r.path)-strip]
		return append(kept[:len(kept):len(kept)], path...), next, nil
	}
	// Up to eight zero bytes fill the entry to a multiple of eight.
	if next = (at + n + 8) &^ 7; next > len(r.rest) {
		return nil, 0, errIndexEnds
	}
	return path, next, nil
}

// varint reads a number as packs do for offsets of deltas.
func (r *indexReader) varint(at int) (value, next int, err error) {
	for first := true; ; first = false {
		if at >= len(r.rest) || value > maxIndexBytes {
			return 0, 0, errIndexEnds
		}
		c := r.rest[at]
		at++
		if !first {
			value = (value + 1) << 7
		}
		value |= int(c & 0x7f)
		if c&0x80 == 0 {
			return value, at, nil
		}
	}
}

// extensions reads what follows the entries: a signature, a length and data
// each. Those whose signature begins with a capital are optional.
func (r *indexReader) extensions() (folders map[string]Hash, err error) {
	for len(r.rest) > 0 {
		if len(r.rest) < 8 {
			return nil, errIndexEnds
		}
		name, size := string(r.rest[:4]), int64(binary.BigEndian.Uint32(r.rest[4:]))
		if size > int64(len(r.rest)-8) {
			return nil, errIndexEnds
		}
		data := r.rest[8 : 8+size]
		r.rest = r.rest[8+size:]
		switch {
		case name == "TREE":
			folders = cachedTrees(data)
		case name == "link":
			return nil, &specialIndexError{"split", "git update-index --no-split-index"}
		case name == "sdir":
			return nil, &specialIndexError{"sparse", "git sparse-checkout reapply --no-sparse-index"}
		case name[0] < 'A' || name[0] > 'Z':
			return nil, fmt.Errorf("%w: index extension %q; git update-index --force-write-index may leave it out", ErrUnsupported, name)
		}
	}
	return folders, nil
}

// cachedTrees reads the TREE extension: the ids of the trees that the index's
// folders had when they were written, without those that changed since. Each
// has a name, a zero byte, the number of entries below (-1 if it changed), a
// space, the number of folders in it, a line feed, and its id if it is valid.
// It only saves time, so one that is malformed counts as absent.
func cachedTrees(data []byte) map[string]Hash {
	folders := map[string]Hash{}
	// open holds the folders above, each with the number of folders to come.
	type level struct {
		path string
		left int
	}
	var open []level
	for len(data) > 0 {
		name, rest, ok := bytes.Cut(data, []byte{0})
		if !ok {
			return nil
		}
		line, rest, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return nil
		}
		data = rest
		count, subs, _ := strings.Cut(string(line), " ")
		entries, err1 := strconv.Atoi(count)
		left, err2 := strconv.Atoi(subs)
		if err1 != nil || err2 != nil || left < 0 || len(open) > maxTreeDepth {
			return nil
		}
		path := "."
		if len(open) > 0 {
			above := &open[len(open)-1]
			above.left--
			if path = string(name); above.path != "." {
				path = above.path + "/" + path
			}
		}
		if entries >= 0 {
			if len(data) < len(Hash{}) {
				return nil
			}
			folders[path] = Hash(data[:len(Hash{})])
			data = data[len(Hash{}):]
		}
		open = append(open, level{path, left})
		for len(open) > 0 && open[len(open)-1].left == 0 {
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			break
		}
	}
	return folders
}

package gitstore

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/hash"
)

// An objectDB reads the object database of a repository: packs with an index of
// version 2, loose objects, and those of its alternates. It is safe for
// concurrent use.
//
// It exists for speed. Before it answers anything, go-git 5.19 reads every pack
// index, hashes it, and makes a map of all objects: 30 ms for 180,000. Then it
// takes three times as long for an object.
type objectDB struct {
	dirs    []string // objects folders, the repository's own first
	mapping bool     // map packs into memory

	mu      sync.RWMutex // held for reading while bytes of packs are in use
	packs   []*pack
	last    atomic.Pointer[pack] // where the last object was
	listed  []listedDir          // as long as dirs, once the packs have been listed
	foreign error                // why some pack is left to go-git
	closed  bool
	cache   baseCache
}

// A rawObject is the type and content of a Git object.
type rawObject struct {
	kind    plumbing.ObjectType
	content []byte
}

// A listedDir tells when a pack folder was listed and changed.
type listedDir struct{ at, modified time.Time }

// racyTime is above the granularity of the file systems' times: a folder that
// was listed so soon after it changed may have changed again since.
const racyTime = 2 * time.Second

func newObjectDB(dirs []string) *objectDB { return &objectDB{dirs: dirs, mapping: true} }

// close unmaps the packs.
func (db *objectDB) close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	var errs []error
	for _, p := range db.packs {
		errs = append(errs, p.close())
	}
	db.packs, db.closed = nil, true
	db.cache.clear()
	db.last.Store(nil)
	return errors.Join(errs...)
}

// read returns an object whose id has been verified. The caller may change the
// content.
//
// The error wraps errMissing if there is none. It wraps errTooLarge for one that
// is too large to be read whole; any other error is of one that go-git may still
// be able to read.
func (db *objectDB) read(h Hash) (rawObject, error) {
	o, err := look(db, h, func(p *pack, offset int64) (rawObject, error) {
		o, err := p.read(offset)
		if err == nil {
			o.content = bytes.Clone(o.content) // the other one stays in the cache
		}
		return o, err
	}, loose.object)
	if err != nil {
		return rawObject{}, err
	}
	if got := objectID(o); got != h {
		return rawObject{}, fmt.Errorf("%w: its content has id %s", errDamaged, got)
	}
	return o, nil
}

// size returns the length of an object's content. Errors are as for read.
func (db *objectDB) size(h Hash) (int64, error) {
	return look(db, h, (*pack).size, func(l loose) (int64, error) { return l.size, nil })
}

// look finds an object in the order in which git does: packs, loose objects, and
// packs again if they have changed. An object in several places is taken from
// the first one that isn't damaged.
func look[T any](db *objectDB, h Hash, packed func(*pack, int64) (T, error), unpacked func(loose) (T, error)) (v T, err error) {
	var damage error
	inPacks := func() bool {
		db.mu.RLock()
		defer db.mu.RUnlock()
		for p, offset := range db.places(h) {
			if v, err = faultless(func() (T, error) { return packed(p, offset) }); err == nil {
				db.last.Store(p)
				return true
			}
			damage = fmt.Errorf("in %s: %w", p.name, err)
		}
		return false
	}
	db.list(false)
	if inPacks() {
		return v, nil
	}
	for _, dir := range db.dirs {
		l, err := openLoose(dir, h)
		if errors.Is(err, errMissing) {
			continue
		}
		if err == nil {
			if v, err = unpacked(l); err == nil {
				return v, nil
			}
		}
		damage = fmt.Errorf("%s: %w", loosePath(dir, h), err)
	}
	if db.list(true) && inPacks() {
		return v, nil
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	switch {
	case damage != nil:
		return v, damage
	case db.closed:
		return v, errors.New("the repository is closed")
	case db.foreign != nil:
		return v, db.foreign
	}
	return v, errMissing
}

// has tells whether there is an object, without reading it. The error is one
// that leaves the answer to go-git.
func (db *objectDB) has(h Hash) (bool, error) {
	for _, again := range []bool{false, true} {
		if !db.list(again) && again {
			break
		}
		found := func() bool {
			db.mu.RLock()
			defer db.mu.RUnlock()
			for range db.places(h) {
				return true
			}
			return false
		}()
		if found {
			return true, nil
		}
		for _, dir := range db.dirs {
			if _, err := os.Stat(loosePath(dir, h)); err == nil {
				return true, nil
			}
		}
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	return false, db.foreign
}

// places yields where packs have an object. The caller holds db.mu.
func (db *objectDB) places(h Hash) func(yield func(*pack, int64) bool) {
	return func(yield func(*pack, int64) bool) {
		// What is read together was mostly packed together.
		last := db.last.Load()
		if last != nil {
			if offset, ok := last.find(h); ok && !yield(last, offset) {
				return
			}
		}
		for _, p := range db.packs {
			if p == last {
				continue
			}
			if offset, ok := p.find(h); ok && !yield(p, offset) {
				return
			}
		}
	}
}

// find is the index's find; an index that shrank under us finds nothing.
func (p *pack) find(h Hash) (offset int64, ok bool) {
	offset, err := faultless(func() (int64, error) {
		offset, ok := p.index.find(h)
		if !ok {
			return 0, errMissing
		}
		return offset, nil
	})
	return offset, err == nil
}

// withPrefix lists the objects whose ids begin with prefix, in any order. The
// error is one that leaves the answer to go-git.
func (db *objectDB) withPrefix(prefix []byte) ([]Hash, error) {
	db.list(false)
	db.list(true)
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.foreign != nil || len(prefix) == 0 {
		return nil, errors.Join(db.foreign, errForeign)
	}
	found := map[Hash]bool{}
	for _, p := range db.packs {
		_, err := faultless(func() (struct{}, error) {
			p.index.withPrefix(prefix, func(h Hash) { found[h] = true })
			return struct{}{}, nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, dir := range db.dirs {
		folder := fmt.Sprintf("%02x", prefix[0])
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if h, err := ParseHash(folder + e.Name()); err == nil && bytes.HasPrefix(h[:], prefix) {
				found[h] = true
			}
		}
	}
	list := make([]Hash, 0, len(found))
	for h := range found {
		list = append(list, h)
	}
	return list, nil
}

// list lists the packs if that hasn't been done, or, with again, if their
// folders may have changed since. It returns whether it did. Packs that are gone
// stay open: git has moved their objects elsewhere, and they still hold them.
func (db *objectDB) list(again bool) bool {
	db.mu.RLock()
	fresh := db.closed || len(db.listed) == len(db.dirs) && (!again || !db.changed())
	db.mu.RUnlock()
	if fresh {
		return false
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return false
	}
	known := map[string]bool{}
	for _, p := range db.packs {
		known[p.name] = true
	}
	db.listed, db.foreign = nil, nil
	for _, dir := range db.dirs {
		dir = filepath.Join(dir, "pack")
		// The time is taken first: what changes while we list is seen later.
		db.listed = append(db.listed, listedDir{time.Now(), modified(dir)})
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			db.foreign = err
		}
		for _, e := range entries {
			name := filepath.Join(dir, e.Name())
			if !strings.HasPrefix(e.Name(), "pack-") || !strings.HasSuffix(name, ".idx") || known[name] {
				continue
			}
			p, err := openPack(name, &db.cache, db.mapping)
			switch {
			case err == nil:
				db.packs = append(db.packs, p)
			case errors.Is(err, fs.ErrNotExist):
				// An index without a pack, or gc took both away meanwhile.
			default:
				db.foreign = err
			}
		}
	}
	return true
}

// changed tells whether a pack folder may have changed. The caller holds db.mu.
func (db *objectDB) changed() bool {
	return slices.ContainsFunc(db.dirs, func(dir string) bool {
		l, now := db.listed[slices.Index(db.dirs, dir)], modified(filepath.Join(dir, "pack"))
		return !now.Equal(l.modified) || l.at.Sub(now) < racyTime
	})
}

func modified(dir string) time.Time {
	info, err := os.Stat(dir)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// objectID computes an object's id, with the SHA-1 that detects collisions.
func objectID(o rawObject) Hash {
	h := hashes.Get().(hash.Hash)
	defer hashes.Put(h)
	h.Reset()
	var head [maxLooseHead]byte
	b := append(head[:0], o.kind.Bytes()...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(o.content)), 10)
	h.Write(append(b, 0))
	h.Write(o.content)
	var id Hash
	h.Sum(id[:0])
	return id
}

var hashes = sync.Pool{New: func() any { return hash.New(crypto.SHA1) }}

// faultless turns a fault of mapped memory into an error: a file on a network,
// or one that something has cut off in place, may vanish under the map.
func faultless[T any](f func() (T, error)) (v T, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface {
			error
			Addr() uintptr
		}:
			err = fmt.Errorf("%w: reading it: %w", errDamaged, r)
		default:
			panic(r)
		}
	}()
	return f()
}

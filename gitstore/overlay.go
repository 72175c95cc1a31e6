package gitstore

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// An overlay is a temporary object store over the clone's. What is fetched goes
// into the former, so the clone gains nothing.
type overlay struct {
	base   *store
	parent string // where the temporary folder is made
	made   func(dir string)

	mu     sync.RWMutex
	dir    string
	temp   *store                 // nil until something is fetched
	bounds map[plumbing.Hash]bool // commits that a server called shallow
}

// store returns the temporary store, made when it is first needed.
func (o *overlay) store() (*store, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.temp != nil {
		return o.temp, nil
	}
	dir, err := os.MkdirTemp(o.parent, "policypin-objects-*")
	if err != nil {
		return nil, fmt.Errorf("making a temporary object store: %w", err)
	}
	if o.made != nil {
		o.made(dir)
	}
	temp, err := openStore(dir, dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("making a temporary object store: %w", err)
	}
	o.dir, o.temp, o.bounds = dir, temp, map[plumbing.Hash]bool{}
	return temp, nil
}

func (o *overlay) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.temp == nil {
		return nil
	}
	err := errors.Join(o.temp.Close(), os.RemoveAll(o.dir))
	o.temp = nil
	return err
}

// layers returns the stores in the order in which they are asked. The clone is
// second: if it is a partial one, asking it for a missing object is a request.
func (o *overlay) layers() []*store {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.temp == nil {
		return []*store{o.base}
	}
	return []*store{o.temp, o.base}
}

// fetched tells whether an object is in the temporary store.
func (o *overlay) fetched(h plumbing.Hash) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.temp != nil && o.temp.HasEncodedObject(h) == nil
}

// content reads an object without go-git's wrapping of it.
func (o *overlay) content(t plumbing.ObjectType, h plumbing.Hash) (obj rawObject, err error) {
	for _, s := range o.layers() {
		if obj, err = s.content(t, h); !errors.Is(err, plumbing.ErrObjectNotFound) {
			break
		}
	}
	return obj, err
}

// EncodedObject and the methods below are go-git's interface for reading.
func (o *overlay) EncodedObject(t plumbing.ObjectType, h plumbing.Hash) (obj plumbing.EncodedObject, err error) {
	for _, s := range o.layers() {
		if obj, err = s.EncodedObject(t, h); !errors.Is(err, plumbing.ErrObjectNotFound) {
			break
		}
	}
	return obj, err
}

// HasEncodedObject returns nil if the object is in one of the stores.
func (o *overlay) HasEncodedObject(h plumbing.Hash) (err error) {
	for _, s := range o.layers() {
		if err = s.HasEncodedObject(h); err == nil {
			break
		}
	}
	return err
}

// EncodedObjectSize returns the length of an object's content.
func (o *overlay) EncodedObjectSize(h plumbing.Hash) (size int64, err error) {
	for _, s := range o.layers() {
		if size, err = s.EncodedObjectSize(h); !errors.Is(err, plumbing.ErrObjectNotFound) {
			break
		}
	}
	return size, err
}

var errReadOnly = errors.New("the object overlay is only read")

// NewEncodedObject is part of go-git's interface.
func (o *overlay) NewEncodedObject() plumbing.EncodedObject { return &plumbing.MemoryObject{} }

// SetEncodedObject refuses.
func (o *overlay) SetEncodedObject(plumbing.EncodedObject) (plumbing.Hash, error) {
	return plumbing.ZeroHash, errReadOnly
}

// IterEncodedObjects refuses.
func (o *overlay) IterEncodedObjects(plumbing.ObjectType) (storer.EncodedObjectIter, error) {
	return nil, errReadOnly
}

// AddAlternate refuses.
func (o *overlay) AddAlternate(string) error { return errReadOnly }

// shallow returns the commits of both stores whose parents are in neither.
// Deepening leaves entries behind whose parents have come since; a fetch with
// depth 1 names commits as shallow whose parents the clone has.
func (o *overlay) shallow() (map[plumbing.Hash]bool, error) {
	list, err := o.base.Shallow()
	if err != nil {
		return nil, fmt.Errorf("reading the shallow boundary: %w", err)
	}
	o.mu.RLock()
	for h := range o.bounds {
		list = append(list, h)
	}
	o.mu.RUnlock()
	bounds := map[plumbing.Hash]bool{}
	for _, h := range list {
		c, err := readCommit(stored{o}, toHash(h))
		if errors.Is(err, ErrNoRevision) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, p := range c.Parents {
			if o.HasEncodedObject(fromHash(p)) != nil {
				bounds[h] = true
			}
		}
	}
	return bounds, nil
}

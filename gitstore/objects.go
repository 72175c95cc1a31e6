package gitstore

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// objects is the seam through which trees and history read Git objects, so
// that a faster reader can stand behind it. Implementations verify that an
// object has the id it was asked for by, and are safe for concurrent use.
type objects interface {
	// read returns the content of an object of a given type. The error is
	// errMissing if there is none, and names the object.
	read(t plumbing.ObjectType, h Hash) ([]byte, error)
	// size returns the length of an object's content in bytes.
	size(h Hash) (int64, error)
	// announce tells that a blob or a tree is about to be read, and which others
	// are likely to follow. It is worth a round trip to a reader that asks a server.
	announce(h Hash, likely func() []Hash) error
}

// noFiles is the id of the tree without entries. Git knows it by heart, and
// doesn't store it for a commit without files.
var noFiles = toHash(emptyTree().Hash())

// errMissing is wrapped when an object isn't in the object database.
var errMissing = errors.New("not in the object database")

// stored reads objects through go-git's storer.
type stored struct{ s storer.EncodedObjectStorer }

func (o stored) read(t plumbing.ObjectType, h Hash) ([]byte, error) {
	obj, err := o.whole(t, fromHash(h))
	switch {
	case errors.Is(err, plumbing.ErrObjectNotFound) && t == plumbing.TreeObject && h == noFiles:
		return nil, nil
	case errors.Is(err, plumbing.ErrObjectNotFound):
		return nil, unreadable(fmt.Errorf("%s %s: %w", t, h, errMissing))
	case err != nil:
		return nil, unreadable(fmt.Errorf("reading %s %s: %w", t, h, err))
	}
	return obj.content, nil
}

// ErrObject is wrapped where an object that something in the repository names is
// missing or damaged.
var ErrObject = errors.New("an object of the repository is missing or damaged")

// An objectError is an ErrObject that says in its own words what is wrong.
type objectError struct{ error }

func (e *objectError) Unwrap() []error { return []error{ErrObject, e.error} }

// unreadable makes an ErrObject of an error, unless the object is as it should
// be, and it is this package or the machine that can't read it.
func unreadable(err error) error {
	if errors.Is(err, errTooLarge) || errors.Is(err, ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &objectError{err}
}

// A contentStore reads objects without go-git's wrapping of them.
type contentStore interface {
	content(t plumbing.ObjectType, h plumbing.Hash) (rawObject, error)
}

func (o stored) whole(t plumbing.ObjectType, h plumbing.Hash) (rawObject, error) {
	if s, ok := o.s.(contentStore); ok {
		return s.content(t, h)
	}
	obj, err := o.s.EncodedObject(t, h)
	if err != nil {
		return rawObject{}, err
	}
	return readAll(obj)
}

func (o stored) size(h Hash) (int64, error) {
	size, err := o.s.EncodedObjectSize(fromHash(h))
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return 0, fmt.Errorf("object %s: %w", h, errMissing)
	}
	return size, err
}

func (o stored) announce(h Hash, likely func() []Hash) error {
	s, ok := o.s.(*store)
	if !ok {
		return nil
	}
	return s.announce(fromHash(h), func() []plumbing.Hash {
		var list []plumbing.Hash
		for _, h := range likely() {
			list = append(list, fromHash(h))
		}
		return list
	})
}

package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

const (
	// Without kept descriptors go-git 5.19 opens the pack for every object it
	// reads: 1.4 to 1.6 times slower over 10,000 blobs.
	maxPackDescriptors = 16
	// go-git streams objects above this size instead of caching them.
	largeObjectBytes = 8 << 20
	// maxObjectBytes limits every object that is read. A policy has a few
	// kilobytes; what is larger than this is no text that people wrote.
	maxObjectBytes = 64 << 20
)

// A store is go-git's storage of one repository, made safe for concurrent use,
// with a faster reader of objects before it (see [objectDB]), and completed by
// what go-git 5.19 lacks: alternates that are opened once,
// packs that appear while it is open, objects of partial clones, extensions
// that don't matter to a reader, refs that are being written or damaged, and a
// check that an object has the id it was asked for by.
type store struct {
	*filesystem.Storage
	gitDir    string
	commonDir string
	packed    packedRefs

	own *objectDB // reads what it can; go-git reads the rest

	mu         sync.Mutex // go-git's object storage isn't safe for concurrent use
	alternates []*filesystem.Storage
	packs      time.Time // modification time of the pack folder when it was indexed

	promisor *promisor // of a partial clone, else nil
}

// openStore opens the storage of a Git directory. Nothing is read yet but the
// list of alternates. more are objects folders that are read before its own.
func openStore(gitDir, commonDir string, more ...string) (*store, error) {
	var files billy.Filesystem
	if gitDir == commonDir {
		files = dotgit.NewRepositoryFilesystem(osfs.New(gitDir), nil)
	} else {
		files = dotgit.NewRepositoryFilesystem(osfs.New(gitDir), osfs.New(commonDir))
	}
	objects := cache.NewObjectLRUDefault()
	s := &store{Storage: newStorage(files, objects), gitDir: gitDir, commonDir: commonDir}
	s.packs = s.packTime()
	dirs, err := alternateDirs(filepath.Join(commonDir, "objects"))
	if err != nil {
		return nil, err
	}
	folders := slices.Clone(more)
	if own := filepath.Join(commonDir, "objects"); !slices.Contains(folders, own) {
		folders = append(folders, own)
	}
	for _, dir := range dirs {
		s.alternates = append(s.alternates, newStorage(osfs.New(dir), objects))
		folders = append(folders, filepath.Join(dir, "objects"))
	}
	s.own = newObjectDB(folders)
	return s, nil
}

func newStorage(files billy.Filesystem, objects cache.Object) *filesystem.Storage {
	return filesystem.NewStorageWithOptions(noAlternates{files}, objects, filesystem.Options{
		MaxOpenDescriptors:   maxPackDescriptors,
		LargeObjectThreshold: largeObjectBytes,
	})
}

// noAlternates hides the list of alternates from go-git, which would open and
// index each of them again for every object it looks for.
type noAlternates struct{ billy.Filesystem }

func (n noAlternates) Open(name string) (billy.File, error) {
	if filepath.ToSlash(name) == "objects/info/alternates" {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	}
	return n.Filesystem.Open(name)
}

// Close closes the packs.
func (s *store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{s.own.close(), s.Storage.Close()}
	for _, a := range s.alternates {
		errs = append(errs, a.Close())
	}
	return errors.Join(errs...)
}

// content returns the content of an object of at most [maxObjectBytes], with its
// id verified. The error is [plumbing.ErrObjectNotFound] if there is none of
// that type.
func (s *store) content(t plumbing.ObjectType, h plumbing.Hash) (rawObject, error) {
	o, err := s.own.read(toHash(h))
	switch {
	case err == nil && (t == plumbing.AnyObject || t == o.kind):
		return o, nil
	case err == nil, errors.Is(err, errMissing) && !s.promises(t):
		return rawObject{}, plumbing.ErrObjectNotFound
	case errors.Is(err, errTooLarge):
		return rawObject{}, err
	}
	obj, err := s.foreign(t, h)
	if err != nil {
		return rawObject{}, err
	}
	return readAll(obj)
}

// promises tells whether a missing object of a type is to be asked for. A
// missing commit or tag is an answer, and asking the remote for it would be a
// request for every unknown id. A missing tree or blob has been promised by the
// commit that names it.
func (s *store) promises(t plumbing.ObjectType) bool {
	return s.promisor != nil && (t == plumbing.TreeObject || t == plumbing.BlobObject)
}

// EncodedObject returns an object of at most [maxObjectBytes] in memory, with
// its id verified. A larger one comes as go-git's stream.
func (s *store) EncodedObject(t plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject, error) {
	o, err := s.content(t, h)
	if errors.Is(err, errTooLarge) {
		return s.foreign(t, h)
	}
	if err != nil {
		return nil, err
	}
	return o.object()
}

// object is the object as go-git has it.
func (o rawObject) object() (plumbing.EncodedObject, error) {
	obj := &plumbing.MemoryObject{}
	obj.SetType(o.kind)
	_, err := obj.Write(o.content)
	return obj, err
}

// foreign returns an object as go-git reads it, of those that the own reader
// can't, with its id verified unless it is above [maxObjectBytes].
func (s *store) foreign(t plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	obj, err := s.find(t, h)
	if err != nil {
		return nil, err
	}
	if _, ok := obj.(*plumbing.MemoryObject); !ok && obj.Size() <= maxObjectBytes {
		if obj, err = inMemory(obj); err != nil {
			return nil, err
		}
	}
	if obj.Hash() != h {
		return nil, fmt.Errorf("object %s is damaged: its content has id %s", h, obj.Hash())
	}
	return obj, nil
}

func (s *store) find(t plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject, error) {
	obj, err := s.Storage.EncodedObject(t, h)
	if err == nil {
		return obj, nil
	}
	if s.packsChanged() {
		if obj, err = s.Storage.EncodedObject(t, h); err == nil {
			return obj, nil
		}
	}
	if !errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, err
	}
	for _, a := range s.alternates {
		obj, aerr := a.EncodedObject(t, h)
		if aerr == nil {
			return obj, nil
		}
		if !errors.Is(aerr, plumbing.ErrObjectNotFound) {
			return nil, aerr
		}
	}
	if s.promises(t) {
		if err := s.promised([]plumbing.Hash{h}); err != nil {
			return nil, err
		}
		if o, err := s.own.read(toHash(h)); err == nil && o.kind == t {
			return o.object()
		}
		return s.Storage.EncodedObject(t, h)
	}
	return nil, err
}

// HasEncodedObject tells whether the clone has an object, without reading it.
func (s *store) HasEncodedObject(h plumbing.Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.has(h)
}

func (s *store) has(h plumbing.Hash) error {
	found, err := s.own.has(toHash(h))
	switch {
	case found:
		return nil
	case err == nil:
		return plumbing.ErrObjectNotFound
	}
	err = s.Storage.HasEncodedObject(h)
	if err != nil && s.packsChanged() {
		err = s.Storage.HasEncodedObject(h)
	}
	for _, a := range s.alternates {
		if err == nil {
			break
		}
		err = a.HasEncodedObject(h)
	}
	return err
}

// EncodedObjectSize returns the size of an object's content in bytes.
func (s *store) EncodedObjectSize(h plumbing.Hash) (int64, error) {
	size, err := s.own.size(toHash(h))
	switch {
	case err == nil:
		return size, nil
	case errors.Is(err, errMissing) && s.promisor == nil:
		return 0, plumbing.ErrObjectNotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size, err = s.Storage.EncodedObjectSize(h)
	if err != nil && s.packsChanged() {
		size, err = s.Storage.EncodedObjectSize(h)
	}
	for _, a := range s.alternates {
		if err == nil {
			break
		}
		size, err = a.EncodedObjectSize(h)
	}
	if err == nil || s.promisor == nil {
		return size, err
	}
	if err := s.promised([]plumbing.Hash{h}); err != nil {
		return 0, err
	}
	if size, err := s.own.size(toHash(h)); err == nil {
		return size, nil
	}
	return s.Storage.EncodedObjectSize(h)
}

// DeltaObject returns an object as go-git packs it for a push.
func (s *store) DeltaObject(t plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject, error) {
	s.mu.Lock()
	obj, err := s.Storage.DeltaObject(t, h)
	s.mu.Unlock()
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return s.EncodedObject(t, h)
	}
	return obj, err
}

// SetEncodedObject writes a loose object.
func (s *store) SetEncodedObject(obj plumbing.EncodedObject) (plumbing.Hash, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Storage.SetEncodedObject(obj)
}

// HashesWithPrefix lists the objects whose ids begin with prefix.
func (s *store) HashesWithPrefix(prefix []byte) ([]plumbing.Hash, error) {
	found := map[plumbing.Hash]bool{}
	own, err := s.own.withPrefix(prefix)
	if err == nil {
		for _, h := range own {
			found[fromHash(h)] = true
		}
		return sortedHashes(found), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packsChanged()
	for _, st := range append([]*filesystem.Storage{s.Storage}, s.alternates...) {
		list, err := st.HashesWithPrefix(prefix)
		if err != nil {
			return nil, err
		}
		for _, h := range list {
			found[h] = true
		}
	}
	return sortedHashes(found), nil
}

func sortedHashes(set map[plumbing.Hash]bool) []plumbing.Hash {
	return slices.SortedFunc(maps.Keys(set), func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
}

// PackfileWriter receives a pack. Its index enters the storage on Close.
func (s *store) PackfileWriter() (io.WriteCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, err := s.Storage.PackfileWriter()
	if err != nil {
		return nil, err
	}
	return &packWriter{w, s}, nil
}

type packWriter struct {
	io.WriteCloser
	s *store
}

func (w *packWriter) Close() error {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.WriteCloser.Close()
}

// packsChanged looks whether a fetch or gc by another process has changed the
// packs since they were indexed, and makes go-git index them again.
func (s *store) packsChanged() bool {
	now := s.packTime()
	if now.Equal(s.packs) {
		return false
	}
	s.packs = now
	s.Storage.Reindex()
	return true
}

func (s *store) packTime() time.Time {
	info, err := os.Stat(filepath.Join(s.commonDir, "objects", "pack"))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func inMemory(obj plumbing.EncodedObject) (plumbing.EncodedObject, error) {
	mem := &plumbing.MemoryObject{}
	mem.SetType(obj.Type())
	r, err := obj.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// One byte more than was promised shows a stream that lies about its size.
	if _, err := io.Copy(mem, io.LimitReader(r, obj.Size()+1)); err != nil {
		return nil, err
	}
	return mem, nil
}

// readAll reads an object of at most [maxObjectBytes].
func readAll(obj plumbing.EncodedObject) (rawObject, error) {
	if obj.Size() > maxObjectBytes {
		return rawObject{}, tooLarge(obj.Size())
	}
	r, err := obj.Reader()
	if err != nil {
		return rawObject{}, err
	}
	defer r.Close()
	content := make([]byte, obj.Size())
	_, err = io.ReadFull(r, content)
	return rawObject{obj.Type(), content}, err
}

var (
	_ storer.EncodedObjectStorer = (*store)(nil)
	_ storer.DeltaObjectStorer   = (*store)(nil)
	_ storer.PackfileWriter      = (*store)(nil)
)

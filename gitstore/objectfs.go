package gitstore

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// MaxFileBytes is the size of the largest file that the file systems of this
// package open. It is far above any policy, and keeps a file that somebody
// committed by mistake, or to harm, from filling the memory.
const MaxFileBytes = maxObjectBytes

// A listing is what an objectFS shows: a commit's tree or the index.
type listing interface {
	// find returns the entry at a slash path; ok is false if there is none.
	find(path string) (e treeEntry, ok bool, err error)
	// list returns the entries of a folder, which find or list has returned, in
	// git's order. The caller doesn't change them.
	list(path string, folder treeEntry) ([]treeEntry, error)
}

// An objectFS is a file system whose contents are Git objects. Nothing is read
// before it is asked for: opening one file reads the folders above it.
type objectFS struct {
	objects objects
	listing listing
	dir     string // the folder of the listing that is the root
}

var (
	_ fs.ReadDirFS  = (*objectFS)(nil)
	_ fs.ReadFileFS = (*objectFS)(nil)
	_ fs.StatFS     = (*objectFS)(nil)
	_ fs.SubFS      = (*objectFS)(nil)
)

// newObjectFS returns the file system below dir. The error wraps
// [fs.ErrNotExist] if dir isn't there.
func newObjectFS(o objects, l listing, dir string) (fs.FS, error) {
	fsys := &objectFS{objects: o, listing: l, dir: "."}
	return fsys.Sub(dir)
}

// Sub returns the file system below a folder.
func (f *objectFS) Sub(dir string) (fs.FS, error) {
	e, err := f.entry("sub", dir)
	if err != nil {
		return nil, err
	}
	if e.mode != modeTree {
		return nil, &fs.PathError{Op: "sub", Path: dir, Err: errors.New("not a folder")}
	}
	return &objectFS{objects: f.objects, listing: f.listing, dir: path.Join(f.dir, dir)}, nil
}

// Open opens a file or a folder. Opening a symbolic link or a submodule fails
// with an error that says what it is.
func (f *objectFS) Open(name string) (fs.File, error) {
	e, err := f.entry("open", name)
	if err != nil {
		return nil, err
	}
	info := &objectInfo{fsys: f, entry: e}
	switch e.mode {
	case modeTree:
		return &openFolder{objectInfo: info, name: name}, nil
	case modeFile, modeExecutable:
		return &openFile{objectInfo: info, name: name}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: notAFile(e.mode)}
}

// ReadFile returns the content of a file. The caller may change it.
func (f *objectFS) ReadFile(name string) ([]byte, error) {
	e, err := f.entry("open", name)
	if err != nil {
		return nil, err
	}
	return f.content(name, e)
}

func (f *objectFS) content(name string, e treeEntry) ([]byte, error) {
	if e.mode != modeFile && e.mode != modeExecutable {
		return nil, &fs.PathError{Op: "read", Path: name, Err: notAFile(e.mode)}
	}
	err := f.objects.announce(e.hash, func() []Hash { return f.siblings(name) })
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	content, err := f.objects.read(plumbing.BlobObject, e.hash)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return content, nil
}

// siblings returns the ids of the files in the folder of a file. Who reads one
// policy of a folder reads them all.
func (f *objectFS) siblings(name string) []Hash {
	at := path.Dir(path.Join(f.dir, name))
	folder, ok, err := f.listing.find(at)
	if err != nil || !ok {
		return nil
	}
	entries, err := f.listing.list(at, folder)
	if err != nil {
		return nil
	}
	var ids []Hash
	for _, e := range entries {
		if e.mode == modeFile || e.mode == modeExecutable {
			ids = append(ids, e.hash)
		}
	}
	return ids
}

// Stat describes an entry. A symbolic link is described itself: what it points
// to may not be in the repository.
func (f *objectFS) Stat(name string) (fs.FileInfo, error) {
	e, err := f.entry("stat", name)
	if err != nil {
		return nil, err
	}
	return (&objectInfo{fsys: f, entry: e}).Info()
}

// ReadDir lists a folder, sorted by name.
func (f *objectFS) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := f.entry("readdir", name)
	if err != nil {
		return nil, err
	}
	if e.mode != modeTree {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a folder")}
	}
	entries, err := f.listing.list(path.Join(f.dir, name), e)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	list := make([]fs.DirEntry, len(entries))
	infos := make([]objectInfo, len(entries))
	for i, e := range entries {
		infos[i] = objectInfo{fsys: f, entry: e}
		list[i] = &infos[i]
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return list, nil
}

// entry finds the entry at a path, relative to f's root.
func (f *objectFS) entry(op, name string) (treeEntry, error) {
	if err := validDir(op, name); err != nil {
		return treeEntry{}, err
	}
	e, ok, err := f.listing.find(path.Join(f.dir, name))
	if err == nil && !ok {
		err = fs.ErrNotExist
	}
	if err != nil {
		return treeEntry{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	e.name = path.Base(name)
	return e, nil
}

func notAFile(m entryMode) error {
	switch m {
	case modeTree:
		return errors.New("is a folder")
	case modeSymlink:
		return errors.New("is a symbolic link, which isn't followed in a revision or the index")
	case modeSubmodule:
		return errors.New("is a submodule, whose files are in another repository")
	}
	return fmt.Errorf("has the unknown mode %o", m)
}

// An objectInfo describes an entry, as fs.DirEntry and as fs.FileInfo. size is
// known once Info has been called.
type objectInfo struct {
	fsys  *objectFS
	entry treeEntry
	size  int64
}

func (i *objectInfo) Name() string       { return i.entry.name }
func (i *objectInfo) IsDir() bool        { return i.entry.mode == modeTree }
func (i *objectInfo) Type() fs.FileMode  { return i.Mode().Type() }
func (i *objectInfo) Size() int64        { return i.size }
func (i *objectInfo) ModTime() time.Time { return time.Time{} } // Git keeps none
func (i *objectInfo) Sys() any           { return nil }
func (i *objectInfo) String() string     { return fs.FormatDirEntry(i) }

func (i *objectInfo) Mode() fs.FileMode {
	switch i.entry.mode {
	case modeTree:
		return fs.ModeDir | 0o555
	case modeExecutable:
		return 0o555
	case modeFile:
		return 0o444
	case modeSymlink:
		return fs.ModeSymlink | 0o777
	}
	return fs.ModeIrregular
}

// Info looks up the size, which a listing doesn't have.
func (i *objectInfo) Info() (fs.FileInfo, error) {
	info := *i
	switch i.entry.mode {
	case modeFile, modeExecutable, modeSymlink:
		size, err := i.fsys.objects.size(i.entry.hash)
		if err != nil {
			return nil, &fs.PathError{Op: "stat", Path: i.entry.name, Err: err}
		}
		info.size = size
	}
	return &info, nil
}

// An openFile reads its content at the first Read.
type openFile struct {
	*objectInfo
	name   string
	r      *bytes.Reader
	closed bool
}

func (f *openFile) Stat() (fs.FileInfo, error) {
	if f.closed {
		return nil, closedError("stat", f.name)
	}
	return f.Info()
}

func (f *openFile) Read(p []byte) (int, error) {
	if f.closed {
		return 0, closedError("read", f.name)
	}
	if f.r == nil {
		content, err := f.fsys.content(f.name, f.entry)
		if err != nil {
			return 0, err
		}
		f.r = bytes.NewReader(content)
	}
	return f.r.Read(p)
}

func (f *openFile) Close() error {
	if f.closed {
		return closedError("close", f.name)
	}
	f.closed, f.r = true, nil
	return nil
}

// An openFolder lists its entries in pieces.
type openFolder struct {
	*objectInfo
	name   string
	list   []fs.DirEntry
	listed bool
	closed bool
}

func (f *openFolder) Stat() (fs.FileInfo, error) {
	if f.closed {
		return nil, closedError("stat", f.name)
	}
	return f.Info()
}

func (f *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: notAFile(modeTree)}
}

func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if f.closed {
		return nil, closedError("readdir", f.name)
	}
	if !f.listed {
		list, err := f.fsys.ReadDir(f.name)
		if err != nil {
			return nil, err
		}
		f.list, f.listed = list, true
	}
	if n > 0 && len(f.list) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(f.list) {
		n = len(f.list)
	}
	head := f.list[:n:n]
	f.list = f.list[n:]
	return head, nil
}

func (f *openFolder) Close() error {
	if f.closed {
		return closedError("close", f.name)
	}
	f.closed = true
	return nil
}

func closedError(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrClosed}
}

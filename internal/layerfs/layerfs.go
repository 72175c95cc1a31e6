// Package layerfs lays one folder over another: new files over those that are
// there, so that what is going to be written can be checked before it is.
package layerfs

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
)

// A layered is a folder of which one layer has what the other lacks.
type layered struct{ top, base fs.FS }

var (
	_ fs.ReadDirFS  = layered{}
	_ fs.ReadFileFS = layered{}
	_ fs.StatFS     = layered{}
)

// Over returns the files of both: of those that both have, top's. It is safe for
// concurrent use if both are.
func Over(base, top fs.FS) fs.FS { return layered{top, base} }

// New returns base with these files, by slash path, in it. It is safe for
// concurrent use if base is.
func New(base fs.FS, files map[string][]byte) (fs.FS, error) {
	if len(files) == 0 {
		return base, nil
	}
	// An archive in memory is the one fs.FS of the standard library that is made
	// of names and bytes and is not meant for tests.
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !fs.ValidPath(name) || name == "." {
			return nil, fmt.Errorf("%q is no path of a file", name)
		}
		out, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return nil, err
		}
		if _, err := out.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	top, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		return nil, err
	}
	return Over(base, top), nil
}

// Open opens a file or a folder.
func (l layered) Open(name string) (fs.File, error) {
	f, err := l.top.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return l.base.Open(name)
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.IsDir() {
		return f, nil
	}
	entries, err := l.ReadDir(name)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &folder{File: f, rest: entries}, nil
}

// A folder is an open one that has the entries of both layers.
type folder struct {
	fs.File
	rest []fs.DirEntry
}

func (d *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	next := d.rest[:min(n, len(d.rest))]
	d.rest = d.rest[len(next):]
	return next, nil
}

// ReadFile reads from the upper layer, or else from the lower one, each by its
// own rules.
func (l layered) ReadFile(name string) ([]byte, error) {
	content, err := fs.ReadFile(l.top, name)
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ReadFile(l.base, name)
	}
	return content, err
}

// Stat describes a file or a folder.
func (l layered) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(l.top, name)
	if errors.Is(err, fs.ErrNotExist) {
		return fs.Stat(l.base, name)
	}
	return info, err
}

// ReadDir lists what the layers have, sorted by name.
func (l layered) ReadDir(name string) ([]fs.DirEntry, error) {
	upper, errTop := fs.ReadDir(l.top, name)
	lower, errBase := fs.ReadDir(l.base, name)
	switch {
	case errTop != nil && !errors.Is(errTop, fs.ErrNotExist):
		return nil, errTop
	case errBase != nil && (errTop != nil || !errors.Is(errBase, fs.ErrNotExist)):
		return nil, errBase
	}
	byName := func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) }
	all := append(upper, lower...) // stable, so that the upper layer's entry comes first
	slices.SortStableFunc(all, byName)
	return slices.CompactFunc(all, func(a, b fs.DirEntry) bool { return a.Name() == b.Name() }), nil
}

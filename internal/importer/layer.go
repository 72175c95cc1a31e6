package importer

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// A layered file system has new files over a folder, so that what is going to
// be written can be checked before it is.
type layered struct{ top, base fs.FS }

// layer puts files over a folder.
func layer(base fs.FS, files []File) (fs.FS, error) {
	if len(files) == 0 {
		return base, nil
	}
	// An archive in memory is the one fs.FS of the standard library that is made
	// of names and bytes and is not meant for tests.
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, f := range files {
		if !fs.ValidPath(f.Name) {
			return nil, fmt.Errorf("%q is no path", f.Name)
		}
		out, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store})
		if err != nil {
			return nil, err
		}
		if _, err := out.Write(f.Text); err != nil {
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
	return layered{top, base}, nil
}

func (l layered) Open(name string) (fs.File, error) {
	f, err := l.top.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return l.base.Open(name)
	}
	return f, err
}

// ReadFile reads from the upper layer, or else from the lower one by its own
// rules.
func (l layered) ReadFile(name string) ([]byte, error) {
	f, err := l.top.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ReadFile(l.base, name)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// ReadDir merges the layers.
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

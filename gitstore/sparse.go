package gitstore

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"slices"
)

// withSkipped adds to the files on disk what a sparse checkout left out.
func (r *Repo) withSkipped(disk fs.FS, dir string) (fs.FS, error) {
	core, err := location{gitDir: r.gitDir, commonDir: r.commonDir}.core()
	if err != nil {
		return nil, err
	}
	if !configBool(core.Option("sparseCheckout")) {
		return disk, nil
	}
	x, err := r.loadIndex(dir)
	if err != nil {
		return nil, err
	}
	staged, err := (&index{entries: slices.DeleteFunc(x.entries, func(e indexEntry) bool { return !e.skip })}).merged()
	if err != nil || len(staged.entries) == 0 {
		return disk, err
	}
	skipped, err := newObjectFS(stored{r.store}, staged, dir)
	if err != nil {
		return nil, err
	}
	return sparseFS{disk, skipped}, nil
}

// A sparseFS is a folder of a sparse checkout: files on disk, and files that the
// index has and that are left out on disk. One that is on disk all the same
// counts as it is there, as for git.
type sparseFS struct{ disk, skipped fs.FS }

var (
	_ fs.ReadDirFS  = sparseFS{}
	_ fs.ReadFileFS = sparseFS{}
	_ fs.StatFS     = sparseFS{}
	_ fs.SubFS      = sparseFS{}
)

// Sub returns the file system below a folder.
func (f sparseFS) Sub(dir string) (fs.FS, error) {
	disk, err := fs.Sub(f.disk, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fs.Sub(f.skipped, dir)
	}
	if err != nil {
		return nil, err
	}
	skipped, err := fs.Sub(f.skipped, dir)
	if err != nil {
		return disk, nil
	}
	return sparseFS{disk, skipped}, nil
}

// Open opens a file or a folder.
func (f sparseFS) Open(name string) (fs.File, error) {
	file, err := f.disk.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return f.skipped.Open(name)
	}
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.IsDir() {
		return file, nil
	}
	entries, err := f.ReadDir(name)
	if err != nil {
		file.Close()
		return nil, err
	}
	return &sparseFolder{file, entries}, nil
}

// ReadFile reads a file of at most [MaxFileBytes].
func (f sparseFS) ReadFile(name string) ([]byte, error) {
	content, err := fs.ReadFile(f.disk, name)
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ReadFile(f.skipped, name)
	}
	return content, err
}

// Stat describes a file or a folder.
func (f sparseFS) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(f.disk, name)
	if errors.Is(err, fs.ErrNotExist) {
		return fs.Stat(f.skipped, name)
	}
	return info, err
}

// ReadDir lists a folder, sorted by name.
func (f sparseFS) ReadDir(name string) ([]fs.DirEntry, error) {
	disk, err := fs.ReadDir(f.disk, name)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	skipped, err := fs.ReadDir(f.skipped, name)
	if err != nil && (missing || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	all := append(disk, skipped...) // stable, so that what is on disk comes first
	slices.SortStableFunc(all, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return slices.CompactFunc(all, func(a, b fs.DirEntry) bool { return a.Name() == b.Name() }), nil
}

// A sparseFolder is an open folder that lists both.
type sparseFolder struct {
	fs.File
	rest []fs.DirEntry
}

// ReadDir lists the next entries.
func (d *sparseFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	next := d.rest[:min(n, len(d.rest))]
	d.rest = d.rest[len(next):]
	return next, nil
}

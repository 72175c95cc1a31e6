package gitstore

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// WorkTree returns the files under dir as they are on disk. Symbolic links are
// followed as long as they stay in the work tree; one that leads out of it, or
// to a device or a pipe, is listed and can't be opened. Entries named .git are
// not shown. What a sparse checkout leaves out is as it is staged: to git it is
// there and unchanged. The error wraps [fs.ErrNotExist] if there is no such
// folder.
func (r *Repo) WorkTree(dir string) (fs.FS, error) {
	if r.root == "" {
		return nil, fmt.Errorf("%s has no work tree", r.gitDir)
	}
	if err := validDir("open", dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(r.root)
	if err != nil {
		return nil, err
	}
	r.roots.Lock()
	r.roots.open = append(r.roots.open, root)
	r.roots.Unlock()
	fsys, err := diskFS{root.FS(), "."}.Sub(dir)
	if err != nil {
		return nil, err
	}
	return r.withSkipped(fsys, dir)
}

// A diskFS is a folder of the work tree. Names are resolved from the top of
// the work tree by os.Root, which refuses every way out of it.
type diskFS struct {
	top fs.FS
	dir string
}

var (
	_ fs.ReadDirFS  = diskFS{}
	_ fs.ReadFileFS = diskFS{}
	_ fs.StatFS     = diskFS{}
	_ fs.SubFS      = diskFS{}
)

// Sub returns the file system below a folder.
func (f diskFS) Sub(dir string) (fs.FS, error) {
	info, err := f.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "sub", Path: dir, Err: fmt.Errorf("not a folder")}
	}
	return diskFS{f.top, path.Join(f.dir, dir)}, nil
}

// Open opens a file or a folder.
func (f diskFS) Open(name string) (fs.File, error) {
	// Looking first keeps us from waiting on a named pipe.
	info, err := f.readable("open", name)
	if err != nil {
		return nil, err
	}
	file, err := f.top.Open(path.Join(f.dir, name))
	if err != nil {
		return nil, f.relative(name, err)
	}
	if dir, ok := file.(fs.ReadDirFile); ok && info.IsDir() {
		return diskFolder{dir}, nil
	}
	return file, nil
}

// ReadFile reads a file of at most [MaxFileBytes].
func (f diskFS) ReadFile(name string) ([]byte, error) {
	if _, err := f.readable("open", name); err != nil {
		return nil, err
	}
	content, err := fs.ReadFile(f.top, path.Join(f.dir, name))
	return content, f.relative(name, err)
}

// ReadDir lists a folder, sorted by name.
func (f diskFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.visible("readdir", name); err != nil {
		return nil, err
	}
	list, err := fs.ReadDir(f.top, path.Join(f.dir, name))
	return withoutGit(list), f.relative(name, err)
}

// Stat describes a file or a folder, following symbolic links.
func (f diskFS) Stat(name string) (fs.FileInfo, error) {
	if err := f.visible("stat", name); err != nil {
		return nil, err
	}
	info, err := fs.Stat(f.top, path.Join(f.dir, name))
	return info, f.relative(name, err)
}

// readable refuses what can't be read as text: pipes, devices, large files.
func (f diskFS) readable(op, name string) (fs.FileInfo, error) {
	info, err := f.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("is not a regular file (%s)", info.Mode().Type())}
	}
	if info.Size() > MaxFileBytes && !info.IsDir() {
		return nil, &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("has %d bytes; the limit is %d", info.Size(), MaxFileBytes)}
	}
	return info, nil
}

// visible refuses invalid names, and the Git directory, whose files are
// nobody's sources.
func (f diskFS) visible(op, name string) error {
	if err := validDir(op, name); err != nil {
		return err
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.EqualFold(part, ".git") {
			return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
	}
	return nil
}

// relative makes an error name the path that the caller knows.
func (f diskFS) relative(name string, err error) error {
	if pe, ok := err.(*fs.PathError); ok {
		return &fs.PathError{Op: pe.Op, Path: name, Err: pe.Err}
	}
	return err
}

func withoutGit(list []fs.DirEntry) []fs.DirEntry {
	kept := list[:0]
	for _, e := range list {
		if !strings.EqualFold(e.Name(), ".git") {
			kept = append(kept, e)
		}
	}
	return kept
}

// A diskFolder is an open folder that hides .git.
type diskFolder struct{ fs.ReadDirFile }

func (d diskFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	for {
		list, err := d.ReadDirFile.ReadDir(n)
		kept := withoutGit(list)
		if err != nil || len(kept) > 0 || n <= 0 {
			return kept, err
		}
	}
}

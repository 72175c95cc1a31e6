package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// errSymlink is returned for a path through a symbolic link, which would say
// something else on another machine, and which Git stores as a text.
var errSymlink = errors.New("is a symbolic link")

// A listing is one folder, read once.
type listing struct {
	entries map[string]fs.DirEntry
	names   []string // sorted
	err     error
}

// folders answers questions about a file system from folder listings, so that
// names are compared exactly on every system, and symbolic links are seen.
type folders struct {
	fsys     fs.FS
	listings map[string]listing
	// direct asks about single files without listing their folders, unless that
	// has been done anyway. With thousands of files in a folder it is cheaper.
	direct bool
}

// alone tells whether to ask about a file without its folder.
func (f *folders) alone(file string) bool {
	_, listed := f.listings[path.Dir(file)]
	return f.direct && !listed
}

func (f *folders) list(dir string) listing {
	if l, ok := f.listings[dir]; ok {
		return l
	}
	l := f.readDir(dir)
	f.listings[dir] = l
	return l
}

func (f *folders) readDir(dir string) listing {
	if dir != "." {
		e, err := f.lookup(dir)
		switch {
		case err != nil:
			return listing{err: err}
		case e.Type()&fs.ModeSymlink != 0:
			return listing{err: errSymlink}
		case !e.IsDir():
			return listing{err: fs.ErrNotExist}
		}
	}
	entries, err := fs.ReadDir(f.fsys, dir)
	if err != nil {
		return listing{err: err}
	}
	l := listing{entries: make(map[string]fs.DirEntry, len(entries)), names: make([]string, 0, len(entries))}
	for _, e := range entries {
		l.entries[e.Name()] = e
		l.names = append(l.names, e.Name())
	}
	slices.Sort(l.names)
	return l
}

// names lists a folder, or nothing if there is none.
func (f *folders) names(dir string) []string { return f.list(dir).names }

// lookup finds a file without opening it. The error wraps fs.ErrNotExist or
// errSymlink, when a folder above it is a link.
func (f *folders) lookup(file string) (fs.DirEntry, error) {
	l := f.list(path.Dir(file))
	if l.err != nil {
		return nil, l.err
	}
	e, ok := l.entries[path.Base(file)]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return e, nil
}

// exists tells whether something has the name, be it readable or not.
func (f *folders) exists(file string) bool {
	if f.alone(file) {
		_, err := fs.Lstat(f.fsys, file)
		return !errors.Is(err, fs.ErrNotExist)
	}
	_, err := f.lookup(file)
	return !errors.Is(err, fs.ErrNotExist)
}

// symlinked tells whether a file is a symbolic link or below one.
func (f *folders) symlinked(file string) bool {
	if f.alone(file) {
		info, err := fs.Lstat(f.fsys, file)
		return err == nil && info.Mode()&fs.ModeSymlink != 0
	}
	e, err := f.lookup(file)
	return errors.Is(err, errSymlink) || err == nil && e.Type()&fs.ModeSymlink != 0
}

// unreadable says what a file is that can't be opened, if that explains it.
func (f *folders) unreadable(file string) string {
	e, err := f.lookup(file)
	switch {
	case errors.Is(err, errSymlink) || err == nil && e.Type()&fs.ModeSymlink != 0:
		return "a symbolic link"
	case err == nil && e.IsDir():
		return "a folder"
	case err == nil && !e.Type().IsRegular():
		return "not a regular file"
	}
	return ""
}

// glob returns the files that match a pattern, folder by folder. Unlike fs.Glob
// it doesn't hide errors: a folder that couldn't be read must not pass for one
// without manifests.
func (f *folders) glob(pattern string) ([]string, error) {
	dirs := []string{"."}
	parts := strings.Split(pattern, "/")
	for i, part := range parts {
		var next []string
		for _, dir := range dirs {
			l := f.list(dir)
			if l.err != nil {
				if errors.Is(l.err, fs.ErrNotExist) || errors.Is(l.err, errSymlink) {
					continue
				}
				return nil, fmt.Errorf("listing %s: %w", quote(dir), l.err)
			}
			for _, name := range l.names {
				// badPattern has checked the syntax.
				if ok, _ := path.Match(part, name); !ok {
					continue
				}
				last := i == len(parts)-1
				if e := l.entries[name]; last == e.IsDir() {
					continue
				}
				next = append(next, path.Join(dir, name))
			}
		}
		dirs = next
	}
	return dirs, nil
}

// pipeline reads n files one after the other, since an fs.FS needn't be safe for
// concurrent use, and works on their contents on all cores meanwhile. A file for
// which read returns false gets no work. It stops at the first error of read.
func pipeline(n int, read func(i int) ([]byte, bool, error), work func(i int, data []byte)) error {
	type job struct {
		i    int
		data []byte
	}
	jobs := make(chan job, 64)
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for j := range jobs {
				work(j.i, j.data)
			}
		})
	}
	err := func() error {
		defer close(jobs)
		for i := range n {
			data, ok, err := read(i)
			if err != nil {
				return err
			}
			if ok {
				jobs <- job{i, data}
			}
		}
		return nil
	}()
	workers.Wait()
	return err
}

package gitstore

import (
	"crypto/sha1" // the ids of a repository that has no other
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// maxOnDisk is how many entries of a folder are looked at. A folder with more has
// much besides what is looked for, which reading that alone does without.
const maxOnDisk = 200_000

// StagedSince lists what differs under dir between a commit and the index, as
// [Repo.StagedPaths] does for HEAD.
func (r *Repo) StagedSince(commit Hash, dir string) ([]PathChange, error) {
	a, err := r.committed(commit)
	if err != nil {
		return nil, err
	}
	b, err := r.readIndex(dir)
	if err != nil {
		return nil, err
	}
	return diffListings(a, b, dir)
}

// WorkTreeSince lists the wanted files under dir, by their paths relative to it,
// that differ between a commit and the work tree, sorted. It may list some that
// don't: links, and what can't be read. Contents are compared byte by byte, so
// what a filter or a line ending changed on checkout is a change; the index and
// its file times aren't asked.
//
// ok is false if this can't be said without looking at much else: because links
// lead to other folders, or the folder is full of other files.
func (r *Repo) WorkTreeSince(commit Hash, dir string, want func(file string) bool) (paths []string, ok bool, err error) {
	l, err := r.committed(commit)
	if err != nil {
		return nil, false, err
	}
	return r.againstDisk(l, dir, want)
}

// WorkTreeUnstaged is [Repo.WorkTreeSince] for the index. The error wraps
// [ErrConflict] for unmerged paths under dir.
func (r *Repo) WorkTreeUnstaged(dir string, want func(file string) bool) (paths []string, ok bool, err error) {
	l, err := r.readIndex(dir)
	if err != nil {
		return nil, false, err
	}
	return r.againstDisk(l, dir, want)
}

func (r *Repo) againstDisk(l listing, dir string, want func(file string) bool) (paths []string, ok bool, err error) {
	top, err := folderAt(l, dir)
	if err != nil {
		return nil, false, err
	}
	stored := map[string]Hash{}
	if err := wanted(l, dir, "", top, 0, want, stored); err != nil {
		return nil, false, err
	}
	disk, err := r.WorkTree(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return slices.Sorted(maps.Keys(stored)), true, nil
	}
	if err != nil {
		return nil, false, err
	}
	files, ok, err := wantedOnDisk(disk, want)
	if err != nil || !ok {
		return nil, false, err
	}
	differs := r.differing(disk, dir, files, stored)
	for i, file := range files {
		if differs[i] {
			paths = append(paths, file)
		}
		delete(stored, file)
	}
	paths = slices.AppendSeq(paths, maps.Keys(stored)) // they are gone
	slices.Sort(paths)
	return paths, true, nil
}

// wanted collects the wanted files below a folder of a listing, by path relative
// to dir. Those that aren't plain files have no id, which equals nothing.
func wanted(l listing, dir, at string, folder treeEntry, depth int, want func(string) bool, into map[string]Hash) error {
	if depth > maxTreeDepth {
		return fmt.Errorf("%s: folders nest more than %d deep", clip(at), maxTreeDepth)
	}
	entries, err := children(l, path.Join(dir, at), folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(at, e.name)
		switch {
		case e.mode == modeTree:
			if err := wanted(l, dir, name, e, depth+1, want, into); err != nil {
				return err
			}
		case !want(name):
		case e.mode == modeFile || e.mode == modeExecutable:
			into[name] = e.hash
		default:
			into[name] = Hash{}
		}
	}
	return nil
}

// wantedOnDisk lists the wanted files on disk. ok is false if links or the number
// of other files keep it from that.
func wantedOnDisk(disk fs.FS, want func(string) bool) (files []string, ok bool, err error) {
	ok = true
	n := 0
	err = fs.WalkDir(disk, ".", func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n++; n > maxOnDisk {
			ok = false
			return fs.SkipAll
		}
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			if info, err := fs.Stat(disk, file); err == nil && info.IsDir() {
				ok = false
				return fs.SkipAll
			}
		case e.IsDir():
			return nil
		}
		if want(file) {
			files = append(files, file)
		}
		return nil
	})
	return files, ok, err
}

// differing tells for each file whether it is another on disk than its id says.
func (r *Repo) differing(disk fs.FS, dir string, files []string, stored map[string]Hash) []bool {
	top := filepath.Join(r.root, filepath.FromSlash(dir))
	differs := make([]bool, len(files))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(len(files), runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(files); i = int(next.Add(1)) - 1 {
				want, there := stored[files[i]]
				differs[i] = true
				if !there || want.IsZero() {
					continue
				}
				// No link is on the way to the file. os.Root would look for one at each
				// of the folders above it, which is most of the time for small files.
				id, err := fileID(filepath.Join(top, filepath.FromSlash(files[i])))
				if errors.Is(err, fs.ErrNotExist) { // left out by a sparse checkout
					var content []byte
					if content, err = fs.ReadFile(disk, files[i]); err == nil {
						id = blobID(content)
					}
				}
				differs[i] = err != nil || id != want
			}
		})
	}
	workers.Wait()
	return differs
}

// fileID is the id that Git gives to a file. One that can't be a source isn't
// read.
func fileID(name string) (Hash, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return Hash{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > MaxFileBytes {
		return Hash{}, fmt.Errorf("%s is no file to read", name)
	}
	content, err := os.ReadFile(name)
	return blobID(content), err
}

// blobID is the id that Git gives to a file's content.
func blobID(content []byte) (id Hash) {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	h.Sum(id[:0])
	return id
}

package gitstore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// ErrDamagedRef is wrapped for a ref whose file names nothing, as a machine
// leaves it that crashed while it was written.
var ErrDamagedRef = errors.New("damaged ref")

const (
	// maxRefBytes limits the file of a ref, which holds an id or a name.
	maxRefBytes = maxPointerBytes
	// maxPackedRefsBytes is about what two million refs take.
	maxPackedRefsBytes = 256 << 20
)

// Reference reads one ref. go-git 5.19 takes the packed value where the ref's own
// file is damaged, and that may be of years ago; git calls such a ref broken. The
// error wraps [ErrDamagedRef] or [plumbing.ErrReferenceNotFound].
func (s *store) Reference(name plumbing.ReferenceName) (*plumbing.Reference, error) {
	if fs.ValidPath(name.String()) { // others lead elsewhere, and go-git refuses them
		if ref, err := s.looseRef(name); err != nil || ref != nil {
			return ref, err
		}
	}
	ref, err := s.Storage.Reference(name)
	if err == nil && ref.Type() == plumbing.HashReference && ref.Hash().IsZero() {
		return nil, fmt.Errorf("%w %s: it names no object", ErrDamagedRef, name)
	}
	return ref, err
}

// looseRef reads the file of a ref, nil if it has none.
func (s *store) looseRef(name plumbing.ReferenceName) (*plumbing.Reference, error) {
	info, err := s.files.Stat(name.String())
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), err == nil && !info.Mode().IsRegular():
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	f, err := s.files.Open(name.String())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it was packed just now
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRefBytes))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	ref, why := parseRef(name, string(text))
	if why != "" {
		return nil, fmt.Errorf("%w %s: its file %s", ErrDamagedRef, name, why)
	}
	return ref, nil
}

// parseRef reads what the file of a ref says: an object's id, or "ref:" and the
// name of another. Like git it takes whatever follows an id and white space.
func parseRef(name plumbing.ReferenceName, text string) (ref *plumbing.Reference, why string) {
	const digits = 2 * len(Hash{})
	switch target, symbolic := strings.CutPrefix(text, "ref:"); {
	case text == "":
		return nil, "is empty"
	case symbolic && strings.TrimSpace(target) == "":
		return nil, "names no other ref"
	case symbolic:
		return plumbing.NewSymbolicReference(name, plumbing.ReferenceName(strings.TrimSpace(target))), ""
	case len(text) < digits, len(text) > digits && !strings.ContainsRune(" \t\r\n", rune(text[digits])):
		return nil, "holds no object id"
	}
	h, err := ParseHash(text[:digits])
	if err != nil || h.IsZero() {
		return nil, "holds no object id"
	}
	return plumbing.NewHashReference(name, fromHash(h)), ""
}

// A refList is all refs of a repository but HEAD.
type refList struct {
	refs    []*plumbing.Reference
	damaged map[plumbing.ReferenceName]error
}

// listRefs lists the refs. go-git 5.19 gives up at the first file that is empty,
// and the lock that git holds while it writes a ref is one.
func (s *store) listRefs() (refList, error) {
	l := refList{damaged: map[plumbing.ReferenceName]error{}}
	seen := map[plumbing.ReferenceName]bool{}
	// Files come first: a ref that git packs meanwhile is found in one of both.
	if err := s.looseRefs("refs", &l, seen); err != nil {
		return l, err
	}
	f, err := s.files.Open("packed-refs")
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxPackedRefsBytes))
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 || line[0] == '#' || line[0] == '^' {
			continue
		}
		id, name, ok := bytes.Cut(line, []byte(" "))
		h, err := ParseHash(string(id))
		if !ok || err != nil {
			return l, fmt.Errorf("%w: the file packed-refs has the line %q", ErrDamagedRef, clip(string(line)))
		}
		if ref := plumbing.ReferenceName(name); !seen[ref] {
			l.refs = append(l.refs, plumbing.NewHashReference(ref, fromHash(h)))
		}
	}
	return l, lines.Err()
}

// looseRefs adds the refs below a folder. What git leaves alone there is: hidden
// files, locks, and what is gone by the time that it is read.
func (s *store) looseRefs(folder string, l *refList, seen map[plumbing.ReferenceName]bool) error {
	entries, err := s.files.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || strings.HasSuffix(e.Name(), ".lock") {
			continue
		}
		at := path.Join(folder, e.Name())
		if e.IsDir() {
			if err := s.looseRefs(at, l, seen); err != nil {
				return err
			}
			continue
		}
		name := plumbing.ReferenceName(at)
		ref, err := s.looseRef(name)
		switch {
		case errors.Is(err, ErrDamagedRef):
			l.damaged[name], seen[name] = err, true
		case err != nil:
			return err
		case ref != nil:
			l.refs, seen[name] = append(l.refs, ref), true
		}
	}
	return nil
}

// IterReferences lists HEAD and the refs that aren't damaged.
func (s *store) IterReferences() (storer.ReferenceIter, error) {
	l, err := s.listRefs()
	if err != nil {
		return nil, err
	}
	if head, err := s.Reference(plumbing.HEAD); err == nil {
		l.refs = append(l.refs, head)
	}
	return storer.NewReferenceSliceIter(l.refs), nil
}

package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
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
// file is damaged, and that may be of years ago; git calls such a ref broken. And
// it takes 100 ms for each look into 150,000 packed refs. The error wraps
// [ErrDamagedRef] or [plumbing.ErrReferenceNotFound].
func (s *store) Reference(name plumbing.ReferenceName) (*plumbing.Reference, error) {
	if !isRefPath(name.String()) {
		return nil, plumbing.ErrReferenceNotFound // it would lead elsewhere
	}
	if ref, err := s.looseRef(name); err != nil || ref != nil {
		return ref, err
	}
	return s.packedRef(name)
}

// isRefPath tells whether a name stays in the Git directory. It need not be UTF-8.
func isRefPath(name string) bool {
	return name != "." && path.Clean(name) == name && filepath.IsLocal(filepath.FromSlash(name))
}

// refFile is the file of a ref. HEAD and a few others belong to a work tree of its
// own (gitrepository-layout(5)). It is opened by its path, since a Git directory
// may have links in it to parts of another, which go-git doesn't follow.
func (s *store) refFile(name string) string {
	for _, own := range []string{"refs/bisect/", "refs/worktree/", "refs/rewritten/"} {
		if strings.HasPrefix(name, own) {
			return filepath.Join(s.gitDir, filepath.FromSlash(name))
		}
	}
	if !strings.HasPrefix(name, "refs/") {
		return filepath.Join(s.gitDir, filepath.FromSlash(name))
	}
	return filepath.Join(s.commonDir, filepath.FromSlash(name))
}

// looseRef reads the file of a ref, nil if it has none.
func (s *store) looseRef(name plumbing.ReferenceName) (*plumbing.Reference, error) {
	file := s.refFile(name.String())
	// Git used to write symbolic refs as symbolic links.
	if target, err := os.Readlink(file); err == nil && strings.HasPrefix(target, "refs/") && isRefPath(target) {
		return plumbing.NewSymbolicReference(name, plumbing.ReferenceName(target)), nil
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), err == nil && !info.Mode().IsRegular():
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	f, err := os.Open(file)
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
	text, err := s.packed.read(filepath.Join(s.commonDir, "packed-refs"))
	if err != nil {
		return l, err
	}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(line, []byte("\n"))
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
	return l, nil
}

// A packedRefs keeps the file of packed refs as long as it is the same.
type packedRefs struct {
	mu   sync.Mutex
	info fs.FileInfo // nil if there was none
	text []byte
}

// read returns the content, empty if there is no such file.
func (p *packedRefs) read(file string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// git writes another file and renames it. If that happens before we open it,
	// its text is kept with the older one's info, and read again next time.
	if p.info != nil && os.SameFile(info, p.info) && info.ModTime().Equal(p.info.ModTime()) && info.Size() == p.info.Size() {
		return p.text, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var text bytes.Buffer
	text.Grow(int(min(info.Size(), maxPackedRefsBytes)) + bytes.MinRead)
	if _, err := text.ReadFrom(io.LimitReader(f, maxPackedRefsBytes+1)); err != nil {
		return nil, fmt.Errorf("reading packed-refs: %w", err)
	}
	if text.Len() > maxPackedRefsBytes {
		return nil, fmt.Errorf("%w: packed-refs has more than %d bytes", ErrUnsupported, maxPackedRefsBytes)
	}
	p.info, p.text = info, text.Bytes()
	return p.text, nil
}

// packedRef looks a ref up where git has packed it: "id name" on a line.
func (s *store) packedRef(name plumbing.ReferenceName) (*plumbing.Reference, error) {
	const digits = 2 * len(Hash{})
	text, err := s.packed.read(filepath.Join(s.commonDir, "packed-refs"))
	if err != nil {
		return nil, err
	}
	for line := []byte(" " + name.String() + "\n"); ; {
		at := bytes.Index(text, line)
		if at < 0 {
			return nil, plumbing.ErrReferenceNotFound
		}
		if at >= digits && (at == digits || text[at-digits-1] == '\n') {
			if h, err := ParseHash(string(text[at-digits : at])); err == nil && !h.IsZero() {
				return plumbing.NewHashReference(name, fromHash(h)), nil
			}
			return nil, fmt.Errorf("%w: the file packed-refs has no object id for %s", ErrDamagedRef, name)
		}
		text = text[at+1:]
	}
}

// looseRefs adds the refs below a folder. What git leaves alone there is: hidden
// files, locks, and what is gone by the time that it is read.
func (s *store) looseRefs(folder string, l *refList, seen map[plumbing.ReferenceName]bool) error {
	entries, err := os.ReadDir(filepath.Join(s.commonDir, filepath.FromSlash(folder)))
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

package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/go-git/go-git/v5/plumbing"
)

// loosePath is the path of a loose object in an objects folder.
func loosePath(objects string, h Hash) string {
	name := h.String()
	return filepath.Join(objects, name[:2], name[2:])
}

// maxLooseBytes is above what deflate makes of the largest object: it adds five
// bytes to every 64 kB that it can't compress.
const maxLooseBytes = maxObjectBytes + maxObjectBytes/1000 + 1024

// maxLooseHead is more than a type, a space, a size and a zero byte.
const maxLooseHead = 32

// openLoose opens a loose object, and reads its head. The error wraps errMissing
// if there is none.
func openLoose(objects string, h Hash) (l loose, err error) {
	f, err := os.Open(loosePath(objects, h))
	if errors.Is(err, fs.ErrNotExist) {
		return loose{}, errMissing
	}
	if err != nil {
		return loose{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return loose{}, err
	}
	if info.Size() > maxLooseBytes {
		return loose{}, fmt.Errorf("%w: its file has %d bytes", errTooLarge, info.Size())
	}
	// Sized by what there is, in one read: most loose objects are smaller than
	// a page.
	file := make([]byte, info.Size())
	if _, err := io.ReadFull(f, file); err != nil {
		return loose{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return parseLoose(file)
}

// A loose is a loose object of which the head has been read (a type, a space,
// a size and a zero byte before the content, compressed together).
type loose struct {
	kind   plumbing.ObjectType
	size   int64
	z      io.Reader
	before []byte // the part of the content that came with the head
}

func parseLoose(file []byte) (loose, error) {
	z, err := newInflater(bytes.NewReader(file))
	if err != nil {
		return loose{}, err
	}
	head := make([]byte, maxLooseHead)
	n, err := io.ReadFull(z, head)
	if err != nil && err != io.ErrUnexpectedEOF {
		return loose{}, fmt.Errorf("%w: inflating it: %w", errDamaged, err)
	}
	line, before, ok := bytes.Cut(head[:n], []byte{0})
	kind, digits, ok2 := bytes.Cut(line, []byte{' '})
	if !ok || !ok2 {
		return loose{}, fmt.Errorf("%w: its head doesn't end", errDamaged)
	}
	l := loose{z: z, before: before}
	switch string(kind) {
	case "commit":
		l.kind = plumbing.CommitObject
	case "tree":
		l.kind = plumbing.TreeObject
	case "blob":
		l.kind = plumbing.BlobObject
	case "tag":
		l.kind = plumbing.TagObject
	default:
		return loose{}, fmt.Errorf("%w: it has type %q", errDamaged, kind)
	}
	size, err := strconv.ParseUint(string(digits), 10, 62)
	if err != nil {
		return loose{}, fmt.Errorf("%w: it has size %q", errDamaged, digits)
	}
	l.size = int64(size)
	switch {
	case l.size > maxObjectBytes:
		return loose{}, tooLarge(l.size)
	case l.size/maxInflation > int64(len(file)), l.size < int64(len(before)):
		return loose{}, fmt.Errorf("%w: it doesn't have the size it says", errDamaged)
	}
	return l, nil
}

// object reads the content.
func (l loose) object() (rawObject, error) {
	content := make([]byte, l.size)
	n := copy(content, l.before)
	if err := fill(l.z, content[n:]); err != nil {
		return rawObject{}, err
	}
	defer inflaters.Put(l.z)
	return rawObject{l.kind, content}, ended(l.z)
}

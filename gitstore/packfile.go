package gitstore

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os"
)

// packBytes are the bytes of a pack: mapped where the system can, and read in
// pieces where it can't or where the address space is too small.
type packBytes struct {
	mapped []byte   // nil if the file is read
	file   *os.File // nil if it is mapped
	size   int64
}

// openPackBytes opens a file. mapping false leaves it on disk.
func openPackBytes(name string, mapping bool) (*packBytes, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	b := &packBytes{file: f, size: info.Size()}
	if mapping {
		if data, ok := mapFile(f, b.size); ok {
			b.mapped, b.file = data, nil
			return b, f.Close()
		}
	}
	return b, nil
}

func (b *packBytes) close() error {
	if b.file != nil {
		return b.file.Close()
	}
	data := b.mapped
	b.mapped, b.size = nil, 0
	return unmapFile(data)
}

// at returns up to n bytes from an offset, fewer at the end of the file. They
// are valid until close.
func (b *packBytes) at(off int64, n int) ([]byte, error) {
	if off < 0 || off > b.size {
		return nil, fmt.Errorf("%w: offset %d is outside the file", errDamaged, off)
	}
	n = int(min(int64(n), b.size-off))
	if b.file == nil {
		return b.mapped[off : off+int64(n)], nil
	}
	buf := make([]byte, n)
	_, err := b.file.ReadAt(buf, off)
	return buf, err
}

// stream returns what follows an offset within the file.
func (b *packBytes) stream(off int64) flate.Reader {
	if b.file == nil {
		return bytes.NewReader(b.mapped[off:])
	}
	return bufio.NewReader(io.NewSectionReader(b.file, off, b.size-off))
}

// errDamaged is wrapped when a file of the object database isn't what it should
// be.
var errDamaged = errors.New("damaged")

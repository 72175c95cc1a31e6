package gitstore

import (
	"compress/flate"
	"fmt"
	"io"
	"sync"
)

// inflaters are kept: one has 40 kB of tables, more than most objects.
var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// maxInflation is the largest ratio that deflate can reach (RFC 1951: 258 bytes
// for 2 bits). What claims more is damaged, and isn't worth allocating for.
const maxInflation = 1032

// inflate reads a zlib stream (RFC 1950) that must hold exactly size bytes. The
// Adler-32 sum isn't checked, since the id of the object is.
func inflate(src flate.Reader, size int64) ([]byte, error) {
	z, err := newInflater(src)
	if err != nil {
		return nil, err
	}
	defer inflaters.Put(z)
	content := make([]byte, size)
	if err := fill(z, content); err != nil {
		return nil, err
	}
	return content, ended(z)
}

// newInflater reads the head of a zlib stream.
func newInflater(src flate.Reader) (io.Reader, error) {
	var head [2]byte
	if _, err := io.ReadFull(src, head[:]); err != nil {
		return nil, fmt.Errorf("%w: it is cut off", errDamaged)
	}
	const deflate, dictionary = 8, 0x20
	if head[0]&0x0f != deflate || (int(head[0])<<8|int(head[1]))%31 != 0 || head[1]&dictionary != 0 {
		return nil, fmt.Errorf("%w: not a zlib stream", errDamaged)
	}
	z := inflaters.Get().(io.Reader)
	if err := z.(flate.Resetter).Reset(src, nil); err != nil {
		return nil, err
	}
	return z, nil
}

func fill(z io.Reader, content []byte) error {
	if _, err := io.ReadFull(z, content); err != nil {
		return fmt.Errorf("%w: inflating it: %w", errDamaged, err)
	}
	return nil
}

// ended checks that a stream has no more bytes.
func ended(z io.Reader) error {
	var more [1]byte
	if n, err := z.Read(more[:]); n != 0 || err != io.EOF {
		return fmt.Errorf("%w: it is longer than it says", errDamaged)
	}
	return nil
}

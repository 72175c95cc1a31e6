package gitstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sort"
)

// A packIndex finds objects in a pack. It is the content of an .idx file,
// version 2 (gitformat-pack(5)), which is searched where it lies: go-git reads
// all of it, and builds a map of every object, before it answers anything.
type packIndex struct {
	data  []byte
	count int // of objects
	names int // offset of the sorted ids; the other tables follow
	large int // number of 8-byte offsets, for packs beyond 2 GB
}

const (
	indexMagic   = "\xfftOc\x00\x00\x00\x02"
	fanoutBytes  = 256 * 4
	hashBytes    = len(Hash{})
	trailerBytes = 2 * hashBytes // ids of the pack and of the index
	// indexEntryBytes is an id, a CRC-32 and an offset.
	indexEntryBytes = hashBytes + 4 + 4
)

// newPackIndex looks at the shape of an index, so that a search stays within
// it. The checksum over all of it isn't verified: what a wrong index leads to is
// found out when the object's own id is.
func newPackIndex(data []byte) (*packIndex, error) {
	if len(data) < len(indexMagic) || string(data[:len(indexMagic)]) != indexMagic {
		return nil, fmt.Errorf("%w: not a pack index of version 2", errForeign)
	}
	x := &packIndex{data: data, names: len(indexMagic) + fanoutBytes}
	if len(data) < x.names+trailerBytes {
		return nil, fmt.Errorf("%w: the index is cut off", errDamaged)
	}
	before := uint32(0)
	for i := range 256 {
		n := x.fanout(i)
		if n < before {
			return nil, fmt.Errorf("%w: the index counts backwards", errDamaged)
		}
		before = n
	}
	rest := len(data) - x.names - trailerBytes
	if int64(before)*int64(indexEntryBytes) > int64(rest) {
		return nil, fmt.Errorf("%w: the index is cut off", errDamaged)
	}
	x.count = int(before)
	x.large = (rest - x.count*indexEntryBytes) / 8
	return x, nil
}

// fanout returns how many ids have a first byte of at most i.
func (x *packIndex) fanout(i int) uint32 {
	return binary.BigEndian.Uint32(x.data[len(indexMagic)+4*i:])
}

// name returns the i-th id.
func (x *packIndex) name(i int) []byte {
	at := x.names + i*hashBytes
	return x.data[at : at+hashBytes]
}

// packID is the checksum of the pack that the index was made for.
func (x *packIndex) packID() []byte {
	return x.data[len(x.data)-trailerBytes:][:hashBytes]
}

// find returns the offset of an object in the pack. It may be outside of it, if
// the index is damaged.
func (x *packIndex) find(h Hash) (offset int64, ok bool) {
	i := x.search(h[:])
	if i == x.count || !bytes.Equal(x.name(i), h[:]) {
		return 0, false
	}
	return x.offset(i)
}

// search returns the position of the first id that isn't before prefix.
func (x *packIndex) search(prefix []byte) int {
	low, high := 0, int(x.fanout(int(prefix[0])))
	if prefix[0] > 0 {
		low = int(x.fanout(int(prefix[0]) - 1))
	}
	return low + sort.Search(high-low, func(i int) bool { return bytes.Compare(x.name(low+i), prefix) >= 0 })
}

// offset returns the offset of the i-th object; ok is false if the index is
// damaged.
func (x *packIndex) offset(i int) (offset int64, ok bool) {
	offsets := x.names + x.count*(hashBytes+4)
	v := binary.BigEndian.Uint32(x.data[offsets+4*i:])
	if v>>31 == 0 {
		return int64(v), true
	}
	n := int(v &^ (1 << 31))
	if n >= x.large {
		return 0, false
	}
	wide := binary.BigEndian.Uint64(x.data[offsets+4*x.count+8*n:])
	return int64(wide), wide>>63 == 0
}

// withPrefix calls yield for the ids that begin with prefix, which isn't empty.
func (x *packIndex) withPrefix(prefix []byte, yield func(Hash)) {
	for i := x.search(prefix); i < x.count && bytes.HasPrefix(x.name(i), prefix); i++ {
		yield(Hash(x.name(i)))
	}
}

package gitstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	packHeadBytes = 12
	// maxDeltaDepth is the longest chain of deltas that git makes
	// (git-pack-objects(1), --depth).
	maxDeltaDepth = 4095
	// maxDeltaWork limits what is built on the way along one chain: a chain made
	// by hand could unpack the largest object 4,095 times.
	maxDeltaWork = 1 << 30
	// entryHeadBytes is more than the head of an entry has: a size, and an id or
	// an offset.
	entryHeadBytes = 10 + hashBytes
)

// errForeign is wrapped when a file of the object database has a format that is
// left to go-git.
var errForeign = errors.New("another format")

// errTooLarge is wrapped for an object above maxObjectBytes.
var errTooLarge = errors.New("object is too large")

func tooLarge(size int64) error {
	return fmt.Errorf("%w: it has %d bytes; the limit is %d", errTooLarge, size, maxObjectBytes)
}

// A pack is a pack file with its index. It is safe for concurrent use, but for
// close.
type pack struct {
	name  string // of the .idx file
	index *packIndex
	files [2]*packBytes // index and pack
	cache *baseCache
}

// openPack opens a pack by the name of its index. An index that can't be mapped
// is read whole.
func openPack(name string, cache *baseCache, mapping bool) (*pack, error) {
	p := &pack{name: name, cache: cache}
	err := func() (err error) {
		if p.files[0], err = openPackBytes(name, mapping); err != nil {
			return err
		}
		data, err := p.files[0].at(0, int(p.files[0].size))
		if err != nil {
			return err
		}
		if p.index, err = newPackIndex(data); err != nil {
			return err
		}
		if p.files[1], err = openPackBytes(strings.TrimSuffix(name, ".idx")+".pack", mapping); err != nil {
			return err
		}
		return p.check()
	}()
	if err != nil {
		p.close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// check looks whether pack and index belong together.
func (p *pack) check() error {
	b := p.files[1]
	head, err := b.at(0, packHeadBytes)
	if err != nil {
		return err
	}
	if b.size < packHeadBytes+int64(hashBytes) || string(head[:4]) != "PACK" {
		return fmt.Errorf("%w: the pack is cut off", errDamaged)
	}
	if v := binary.BigEndian.Uint32(head[4:]); v != 2 {
		return fmt.Errorf("%w: pack version %d", errForeign, v)
	}
	id, err := b.at(b.size-int64(hashBytes), hashBytes)
	if err != nil {
		return err
	}
	if int64(binary.BigEndian.Uint32(head[8:])) != int64(p.index.count) || !bytes.Equal(id, p.index.packID()) {
		return fmt.Errorf("%w: the index is that of another pack", errDamaged)
	}
	return nil
}

func (p *pack) close() error {
	var errs []error
	for _, b := range p.files {
		if b != nil {
			errs = append(errs, b.close())
		}
	}
	return errors.Join(errs...)
}

// An entryKind is the type of an entry of a pack. The first four are those of
// objects.
type entryKind byte

const (
	offsetDelta entryKind = 6
	refDelta    entryKind = 7
)

// A packEntry is the head of an entry.
type packEntry struct {
	kind entryKind
	size int64 // of the content, or of the delta
	base int64 // offset of a delta's base
	data int64 // offset of the zlib stream
}

// entry reads the head of the entry at an offset.
func (p *pack) entry(offset int64) (packEntry, error) {
	end := p.files[1].size - int64(hashBytes)
	if offset < packHeadBytes || offset >= end {
		return packEntry{}, fmt.Errorf("%w: offset %d is outside the pack", errDamaged, offset)
	}
	head, err := p.files[1].at(offset, int(min(int64(entryHeadBytes), end-offset)))
	if err != nil {
		return packEntry{}, err
	}
	e := packEntry{kind: entryKind(head[0] >> 4 & 7), size: int64(head[0] & 0x0f)}
	n := 1
	for shift := 4; head[n-1]&0x80 != 0; shift += 7 {
		if n == len(head) || shift > 60-7 {
			return packEntry{}, fmt.Errorf("%w: an entry's size doesn't end", errDamaged)
		}
		e.size |= int64(head[n]&0x7f) << shift
		n++
	}
	switch e.kind {
	case entryKind(plumbing.CommitObject), entryKind(plumbing.TreeObject), entryKind(plumbing.BlobObject), entryKind(plumbing.TagObject):
	case offsetDelta:
		back, used := deltaOffset(head[n:])
		if used == 0 || back <= 0 || back > offset-packHeadBytes {
			return packEntry{}, fmt.Errorf("%w: a delta's base is outside the pack", errDamaged)
		}
		e.base, n = offset-back, n+used
	case refDelta:
		if len(head)-n < hashBytes {
			return packEntry{}, fmt.Errorf("%w: the pack is cut off", errDamaged)
		}
		h := Hash(head[n : n+hashBytes])
		n += hashBytes
		var ok bool
		if e.base, ok = p.index.find(h); !ok {
			return packEntry{}, fmt.Errorf("%w: a delta's base %s isn't in its pack", errDamaged, h)
		}
	default:
		return packEntry{}, fmt.Errorf("%w: an entry has type %d", errDamaged, e.kind)
	}
	e.data = offset + int64(n)
	switch {
	case e.size > maxObjectBytes:
		return packEntry{}, tooLarge(e.size)
	case e.data >= end || e.size/maxInflation > end-e.data:
		return packEntry{}, fmt.Errorf("%w: the pack is cut off", errDamaged)
	}
	return e, nil
}

// deltaOffset reads how far back a delta's base is: 7 bits a byte, highest
// first, each further byte counting from 1. used is 0 if there is no end.
func deltaOffset(head []byte) (back int64, used int) {
	for i, b := range head {
		if back >= 1<<55 {
			break
		}
		if i > 0 {
			back = (back + 1) << 7
		}
		back |= int64(b & 0x7f)
		if b&0x80 == 0 {
			return back, i + 1
		}
	}
	return 0, 0
}

// read returns the object at an offset. Its id isn't verified. The content is
// shared with the cache and must not be changed.
func (p *pack) read(offset int64) (rawObject, error) {
	var chain []packEntry // deltas, the last one to be applied first
	at, work := offset, int64(0)
	o, cached := p.cache.get(p, at)
	for !cached {
		e, err := p.entry(at)
		if err != nil {
			return rawObject{}, err
		}
		if e.kind != offsetDelta && e.kind != refDelta {
			content, err := inflate(p.files[1].stream(e.data), e.size)
			if err != nil {
				return rawObject{}, err
			}
			o = rawObject{plumbing.ObjectType(e.kind), content}
			p.cache.put(p, at, o)
			break
		}
		if len(chain) == maxDeltaDepth {
			return rawObject{}, fmt.Errorf("%w: deltas are chained more than %d deep", errDamaged, maxDeltaDepth)
		}
		chain = append(chain, e)
		at = e.base
		o, cached = p.cache.get(p, at)
	}
	for i := len(chain) - 1; i >= 0; i-- {
		delta, err := inflate(p.files[1].stream(chain[i].data), chain[i].size)
		if err != nil {
			return rawObject{}, err
		}
		content, err := applyDelta(o.content, delta)
		if err != nil {
			return rawObject{}, err
		}
		if work += int64(len(content)); work > maxDeltaWork {
			return rawObject{}, fmt.Errorf("%w: unpacking it takes more than %d bytes", errTooLarge, maxDeltaWork)
		}
		o.content = content
		at := offset
		if i > 0 {
			at = chain[i-1].base
		}
		p.cache.put(p, at, o)
	}
	return o, nil
}

// size returns the length of the content of the object at an offset.
func (p *pack) size(offset int64) (int64, error) {
	e, err := p.entry(offset)
	if err != nil || e.kind != offsetDelta && e.kind != refDelta {
		return e.size, err
	}
	z, err := newInflater(p.files[1].stream(e.data))
	if err != nil {
		return 0, err
	}
	defer inflaters.Put(z)
	head := make([]byte, min(e.size, 20)) // both sizes fit
	if _, err := io.ReadFull(z, head); err != nil {
		return 0, fmt.Errorf("%w: inflating it: %w", errDamaged, err)
	}
	_, head, ok := deltaSize(head)
	size, _, ok2 := deltaSize(head)
	if !ok || !ok2 {
		return 0, fmt.Errorf("%w: a delta is cut off", errDamaged)
	}
	return size, nil
}

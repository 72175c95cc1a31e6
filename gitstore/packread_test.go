package gitstore

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// A handPack is a pack that is written entry by entry, as git never would.
type handPack struct {
	bytes.Buffer
	offsets []int64
}

func newHandPack() *handPack {
	p := &handPack{}
	p.WriteString("PACK\x00\x00\x00\x02\x00\x00\x00\x00")
	return p
}

// add writes an entry: its kind and size, what is between its head and its
// content, and the content.
func (p *handPack) add(kind entryKind, size int, between, content []byte) {
	p.offsets = append(p.offsets, int64(p.Len()))
	b := byte(kind)<<4 | byte(size&0x0f)
	for size >>= 4; size > 0; size >>= 7 {
		p.WriteByte(b | 0x80)
		b = byte(size & 0x7f)
	}
	p.WriteByte(b)
	p.Write(between)
	z := zlib.NewWriter(p)
	z.Write(content)
	z.Close()
}

// open returns the pack, with an index in which the i-th entry has the id i.
func (p *handPack) open() *pack {
	var x bytes.Buffer
	x.WriteString(indexMagic)
	for i := range 256 {
		binary.Write(&x, binary.BigEndian, uint32(min(i+1, len(p.offsets))))
	}
	for i := range p.offsets {
		x.Write(append([]byte{byte(i)}, make([]byte, hashBytes-1)...))
	}
	x.Write(make([]byte, 4*len(p.offsets)))
	for _, off := range p.offsets {
		binary.Write(&x, binary.BigEndian, uint32(off))
	}
	x.Write(make([]byte, trailerBytes))
	index, err := newPackIndex(x.Bytes())
	if err != nil {
		panic(err)
	}
	data := append(bytes.Clone(p.Bytes()), make([]byte, hashBytes)...)
	return &pack{index: index, cache: &baseCache{}, files: [2]*packBytes{1: {mapped: data, size: int64(len(data))}}}
}

const blob = entryKind(plumbing.BlobObject)

func TestPacksMadeByHand(t *testing.T) {
	copyAll := []byte{5, 5, 0x80 | 0x10, 5} // a base of 5 bytes, all of it
	chain := func(n int) func(p *handPack) {
		return func(p *handPack) {
			p.add(blob, 5, nil, []byte("hello"))
			for i := range n {
				p.add(offsetDelta, len(copyAll), back(int64(p.Len())-p.offsets[i]), copyAll)
			}
		}
	}
	for _, tt := range []struct {
		name string
		make func(p *handPack)
		want string // content of the last entry
		err  error
	}{
		{"a blob", func(p *handPack) { p.add(blob, 5, nil, []byte("hello")) }, "hello", nil},
		{"a chain as long as git makes it", chain(maxDeltaDepth), "hello", nil},
		{"a chain that is longer", chain(maxDeltaDepth + 1), "", errDamaged},
		{"a delta against an id", func(p *handPack) {
			p.add(blob, 5, nil, []byte("hello"))
			p.add(refDelta, 8, make([]byte, 20), []byte{5, 8, 0x90, 5, 3, '!', '!', '!'})
		}, "hello!!!", nil},
		{"a delta that is shorter than it says", func(p *handPack) {
			p.add(blob, 5, nil, []byte("hello"))
			p.add(refDelta, 9, make([]byte, 20), []byte{5, 8, 0x90, 5, 3, '!', '!', '!'})
		}, "", errDamaged},
		{"a delta against itself", func(p *handPack) { p.add(refDelta, len(copyAll), make([]byte, 20), copyAll) }, "", errDamaged},
		{"a delta against an id that isn't there", func(p *handPack) {
			p.add(refDelta, len(copyAll), bytes.Repeat([]byte{9}, 20), copyAll)
		}, "", errDamaged},
		{"a delta against what is before the pack", func(p *handPack) { p.add(offsetDelta, len(copyAll), back(13), copyAll) }, "", errDamaged},
		{"a delta at no distance", func(p *handPack) { p.add(offsetDelta, len(copyAll), back(0), copyAll) }, "", errDamaged},
		{"a delta whose distance doesn't end", func(p *handPack) {
			p.add(offsetDelta, len(copyAll), bytes.Repeat([]byte{0xff}, 30), copyAll)
		}, "", errDamaged},
		{"more content than it says", func(p *handPack) { p.add(blob, 4, nil, []byte("hello")) }, "", errDamaged},
		{"less content than it says", func(p *handPack) { p.add(blob, 6, nil, []byte("hello")) }, "", errDamaged},
		{"more than can be in the pack", func(p *handPack) { p.add(blob, 60<<20, nil, []byte("hello")) }, "", errDamaged},
		{"more than anybody wants", func(p *handPack) { p.add(blob, maxObjectBytes+1, nil, []byte("hello")) }, "", errTooLarge},
		{"a delta that makes more than anybody wants", func(p *handPack) {
			p.add(blob, 5, nil, []byte("hello"))
			delta := append([]byte{5}, binary.AppendUvarint(nil, maxObjectBytes+1)...)
			p.add(offsetDelta, len(delta), back(int64(p.Len())-p.offsets[0]), delta)
		}, "", errTooLarge},
		{"type 0", func(p *handPack) { p.add(0, 5, nil, []byte("hello")) }, "", errDamaged},
		{"type 5", func(p *handPack) { p.add(5, 5, nil, []byte("hello")) }, "", errDamaged},
		{"a size that doesn't end", func(p *handPack) {
			p.offsets = append(p.offsets, int64(p.Len()))
			p.Write(bytes.Repeat([]byte{0xbf}, 40))
		}, "", errDamaged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newHandPack()
			tt.make(p)
			got, err := p.open().read(p.offsets[len(p.offsets)-1])
			if !errors.Is(err, tt.err) || string(got.content) != tt.want {
				t.Errorf("got %q, %v; want %q, %v", got.content, err, tt.want, tt.err)
			}
		})
	}
}

// back encodes the distance of an offset delta.
func back(n int64) []byte {
	b := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		b = append(b, byte(n&0x7f)|0x80)
	}
	slices.Reverse(b)
	return b
}

func TestApplyDelta(t *testing.T) {
	for _, tt := range []struct{ name, base, delta, want string }{
		{"copies and insertions", "hello world", "\x0b\x0a\x91\x06\x05\x05 you!", "world you!"},
		{"a copy of no size is of 65,536 bytes", strings.Repeat("x", 0x10000), "\x80\x80\x04\x80\x80\x04\x80", strings.Repeat("x", 0x10000)},
		{"nothing", "", "\x00\x00", ""},
		{"another base", "hello", "\x04\x01\x90\x01", ""},
		{"from outside the base", "hello", "\x05\x05\x91\x01\x05", ""},
		{"far outside the base", "hello", "\x05\x05\xff\xff\xff\xff\xff\xff\xff\xff", ""},
		{"the reserved instruction", "hello", "\x05\x05\x00", ""},
		{"an insertion that is cut off", "hello", "\x05\x05\x05abc", ""},
		{"a copy that is cut off", "hello", "\x05\x05\x91\x01", ""},
		{"more than it says", "hello", "\x05\x01\x90\x05", ""},
		{"less than it says", "hello", "\x05\x06\x90\x05", ""},
		{"no size", "hello", "\x05", ""},
		{"a size that doesn't end", "hello", "\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", ""},
		{"no bytes", "hello", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := applyDelta([]byte(tt.base), []byte(tt.delta))
			if string(got) != tt.want || (err == nil) != (tt.want != "" || tt.name == "nothing") {
				t.Errorf("got %d bytes, %v; want %d", len(got), err, len(tt.want))
			}
		})
	}
}

// seedPack is a pack that git made, with its index.
func seedPack(f *testing.F) (packed, index []byte) {
	g := newGitRepo(f)
	edits(g, 0, 3)
	g.git("-c", "repack.useDeltaBaseOffset=false", "repack", "-qad")
	name := g.packs()[0]
	packed, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	if index, err = os.ReadFile(strings.TrimSuffix(name, ".pack") + ".idx"); err != nil {
		f.Fatal(err)
	}
	return packed, index
}

// FuzzPackIndex searches whatever claims to be an index.
func FuzzPackIndex(f *testing.F) {
	_, index := seedPack(f)
	f.Add(index)
	f.Add([]byte(indexMagic))
	f.Add([]byte(indexMagic + strings.Repeat("\x00", fanoutBytes+trailerBytes)))
	f.Add([]byte(indexMagic + strings.Repeat("\xff", 2*fanoutBytes)))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := newPackIndex(data)
		if err != nil {
			return
		}
		for i := range x.count {
			h := Hash(x.name(i))
			offset, ok := x.find(h)
			if ok && offset < 0 {
				t.Errorf("%s is at %d", h, offset)
			}
			x.withPrefix(h[:1], func(Hash) {})
		}
		for i := range 256 {
			x.find(Hash{byte(i)})
		}
		x.packID()
	})
}

// FuzzPackObject reads whatever claims to be a pack, at every offset, with
// another pack's index.
func FuzzPackObject(f *testing.F) {
	seed, index := seedPack(f)
	f.Add(seed)
	p := newHandPack()
	p.add(blob, 5, nil, []byte("hello"))
	p.add(offsetDelta, 8, back(int64(p.Len())-p.offsets[0]), []byte{5, 8, 0x90, 5, 3, '!', '!', '!'})
	p.add(refDelta, 8, make([]byte, 20), []byte{5, 8, 0x90, 5, 3, '!', '!', '!'})
	f.Add(append(p.Bytes(), make([]byte, hashBytes)...))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1024 {
			data = data[:1024] // every offset of it is read
		}
		x, err := newPackIndex(index)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, "pack")
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		onDisk, err := openPackBytes(name, false)
		if err != nil {
			t.Fatal(err)
		}
		defer onDisk.close()
		mapped := &pack{index: x, cache: &baseCache{}, files: [2]*packBytes{1: {mapped: data, size: int64(len(data))}}}
		read := &pack{index: x, cache: &baseCache{}, files: [2]*packBytes{1: onDisk}}
		mapped.check()
		for offset := range int64(len(data)) + 1 {
			a, errA := mapped.read(offset)
			b, errB := read.read(offset)
			if (errA == nil) != (errB == nil) || a.kind != b.kind || !bytes.Equal(a.content, b.content) {
				t.Fatalf("offset %d: mapped %d bytes, %v; from disk %d bytes, %v", offset, len(a.content), errA, len(b.content), errB)
			}
			if errA != nil {
				continue
			}
			if n, err := mapped.size(offset); err != nil || n != int64(len(a.content)) {
				t.Fatalf("offset %d: size %d, %v; content has %d bytes", offset, n, err, len(a.content))
			}
		}
	})
}

// FuzzLooseObject reads whatever claims to be a loose object.
func FuzzLooseObject(f *testing.F) {
	for _, text := range []string{"blob 5\x00hello", "tree 0\x00", "blob 4\x00hello", "blob 99999999999999999999\x00", "blob -1\x00", "x 1\x00x", "blob 5 hello"} {
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		z.Write([]byte(text))
		z.Close()
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		l, err := parseLoose(file)
		if err != nil {
			return
		}
		o, err := l.object()
		if err == nil && int64(len(o.content)) != l.size {
			t.Errorf("got %d bytes, want %d", len(o.content), l.size)
		}
	})
}

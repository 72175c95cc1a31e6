package gitstore

import "fmt"

// applyDelta builds an object from its base (gitformat-pack(5), "Deltified
// representation"): two sizes, then instructions to copy from the base or to
// insert bytes.
func applyDelta(base, delta []byte) ([]byte, error) {
	from, delta, ok := deltaSize(delta)
	if !ok || from != int64(len(base)) {
		return nil, fmt.Errorf("%w: a delta is for another base", errDamaged)
	}
	size, delta, ok := deltaSize(delta)
	if !ok {
		return nil, fmt.Errorf("%w: a delta is cut off", errDamaged)
	}
	if size > maxObjectBytes {
		return nil, tooLarge(size)
	}
	out := make([]byte, 0, size)
	for len(delta) > 0 {
		op := delta[0]
		delta = delta[1:]
		var piece []byte
		switch {
		case op&0x80 != 0:
			var off, n int64
			for bit := range 7 {
				if op>>bit&1 == 0 {
					continue
				}
				if len(delta) == 0 {
					return nil, fmt.Errorf("%w: a delta is cut off", errDamaged)
				}
				if bit < 4 {
					off |= int64(delta[0]) << (8 * bit)
				} else {
					n |= int64(delta[0]) << (8 * (bit - 4))
				}
				delta = delta[1:]
			}
			if n == 0 {
				n = 0x10000
			}
			if off > int64(len(base)) || n > int64(len(base))-off {
				return nil, fmt.Errorf("%w: a delta copies from outside its base", errDamaged)
			}
			piece = base[off : off+n]
		case op != 0:
			if int(op) > len(delta) {
				return nil, fmt.Errorf("%w: a delta is cut off", errDamaged)
			}
			piece, delta = delta[:op], delta[op:]
		default:
			return nil, fmt.Errorf("%w: a delta has the reserved instruction 0", errDamaged)
		}
		if len(piece) > cap(out)-len(out) {
			return nil, fmt.Errorf("%w: a delta makes more than it says", errDamaged)
		}
		out = append(out, piece...)
	}
	if int64(len(out)) != size {
		return nil, fmt.Errorf("%w: a delta makes less than it says", errDamaged)
	}
	return out, nil
}

// deltaSize reads a size at the head of a delta: 7 bits a byte, lowest first.
func deltaSize(delta []byte) (size int64, rest []byte, ok bool) {
	for i, b := range delta {
		if i > 8 { // 63 bits
			break
		}
		size |= int64(b&0x7f) << (7 * i)
		if b&0x80 == 0 {
			return size, delta[i+1:], true
		}
	}
	return 0, nil, false
}

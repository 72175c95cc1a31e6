package manifest

import (
	"bytes"
	"maps"
	"slices"
)

// namesAny returns a search for any of some paths that end in .cedar. Looking up
// what ends where a text has .cedar takes the same time for one path as for
// thousands: there are few different lengths.
func namesAny(paths map[string]bool) func(text []byte) bool {
	const end = ".cedar"
	lengths := map[int]bool{}
	for path := range paths {
		lengths[len(path)] = true
	}
	sizes := slices.Sorted(maps.Keys(lengths))
	return func(text []byte) bool {
		for at := 0; ; {
			n := bytes.Index(text[at:], []byte(end))
			if n < 0 {
				return false
			}
			at += n + len(end)
			for _, size := range sizes {
				if size > at {
					break
				}
				if paths[string(text[at-size:at])] {
					return true
				}
			}
		}
	}
}

//go:build unix

package gitstore

import (
	"math"
	"os"
	"syscall"
)

// mapFile maps a file into memory, read-only. The file may be closed, renamed
// and deleted afterwards.
func mapFile(f *os.File, size int64) (data []byte, ok bool) {
	if size <= 0 || size > math.MaxInt {
		return nil, false
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_PRIVATE)
	return data, err == nil
}

func unmapFile(data []byte) error { return syscall.Munmap(data) }

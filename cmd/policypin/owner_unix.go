//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// giveTo gives everything at and below name that belongs to this process's user
// to whom folder belongs. Only root can; for others there is nothing to do.
func giveTo(folder, name string) error {
	me := os.Geteuid()
	if me != 0 {
		return nil
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == me {
		return nil
	}
	return filepath.WalkDir(name, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == me {
			return os.Lchown(at, int(owner.Uid), int(owner.Gid))
		}
		return nil
	})
}

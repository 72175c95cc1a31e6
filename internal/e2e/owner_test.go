package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// somebody is a user that isn't this one.
const somebody = 65534

// canChown tells whether files can be given away.
func canChown(t *testing.T, dir string) bool {
	t.Helper()
	return os.Chown(dir, os.Geteuid(), os.Getegid()) == nil && os.Geteuid() == 0
}

// giveAway makes everything below dir somebody's, where that is possible, and
// returns who owns it then.
func giveAway(t *testing.T, dir string) int {
	t.Helper()
	if !canChown(t, dir) {
		return os.Geteuid()
	}
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, somebody, somebody)
	})
	if err != nil {
		t.Fatal(err)
	}
	return somebody
}

// ownedByOthers lists what isn't owned by a user.
func ownedByOthers(t *testing.T, dir string, user int) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if int(info.Sys().(*syscall.Stat_t).Uid) != user {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

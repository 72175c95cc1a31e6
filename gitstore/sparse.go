package gitstore

import (
	"io/fs"
	"slices"

	"github.com/policypin/policypin/internal/layerfs"
)

// withSkipped adds to the files on disk what a sparse checkout left out. One that
// is on disk all the same counts as it is there, as for git.
func (r *Repo) withSkipped(disk fs.FS, dir string) (fs.FS, error) {
	core, err := location{gitDir: r.gitDir, commonDir: r.commonDir}.core()
	if err != nil {
		return nil, err
	}
	if !configBool(core.Option("sparseCheckout")) {
		return disk, nil
	}
	x, err := r.loadIndex(dir)
	if err != nil {
		return nil, err
	}
	staged, err := (&index{entries: slices.DeleteFunc(x.entries, func(e indexEntry) bool { return !e.skip })}).merged()
	if err != nil || len(staged.entries) == 0 {
		return disk, err
	}
	skipped, err := newObjectFS(stored{r.store}, staged, dir)
	if err != nil {
		return nil, err
	}
	return layerfs.Over(skipped, disk), nil
}

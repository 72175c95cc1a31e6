package gitstore

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// A HooksDir is where git looks for the hooks of a repository.
type HooksDir struct {
	Path string // absolute
	// Own tells whether the folder is the repository's own. If not, then
	// core.hooksPath leads out of it, and other repositories may use it too.
	Own bool
}

// HooksDir asks git where hooks are, since core.hooksPath may stand in any of
// its configuration files and begin with ~. Otherwise it is a folder that all
// linked work trees share. It need not exist. The error wraps [ErrUnsupported]
// in a bare repository, where nothing is committed, and without git.
func (r *Repo) HooksDir() (HooksDir, error) {
	if r.root == "" {
		return HooksDir{}, fmt.Errorf("%w: %s is bare, nobody commits there", ErrUnsupported, r.gitDir)
	}
	// Asked for the folder, git gives the top of the work tree for an empty
	// core.hooksPath, while it runs /pre-commit.
	out, err := gitProcess{r.gitDir, r.root}.run(nil, nil, "rev-parse", "--git-path", "hooks/pre-commit")
	if errors.Is(err, exec.ErrNotFound) {
		return HooksDir{}, fmt.Errorf("%w: only git knows where its hooks are, and there is none: %w", ErrUnsupported, err)
	}
	if err != nil {
		return HooksDir{}, err
	}
	// A relative core.hooksPath is seen from where hooks run, which is the top of
	// the work tree (git-config(1)).
	dir := HooksDir{Path: filepath.Dir(absIn(r.root, strings.TrimSuffix(string(out), "\n")))}
	real := realFuture(dir.Path)
	dir.Own = within(r.root, real) || within(r.commonDir, real)
	if main := filepath.Dir(r.commonDir); filepath.Base(r.commonDir) == ".git" {
		dir.Own = dir.Own || within(main, real) // the main work tree, as seen from a linked one
	}
	return dir, nil
}

// realFuture resolves the links in an absolute path, of which only the beginning
// need exist.
func realFuture(name string) string {
	rest := ""
	for at := name; ; at = filepath.Dir(at) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, rest)
		}
		if at == filepath.Dir(at) {
			return name
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

package gitstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
)

var (
	// ErrNoRepository is returned when no Git repository holds a folder.
	ErrNoRepository = errors.New("not inside a Git repository")
	// ErrGitFile is wrapped, beside ErrNoRepository, for a .git file that leads
	// nowhere: of a linked work tree or a submodule without its repository.
	ErrGitFile = errors.New("a .git file leads nowhere")
	// ErrUnsupported is wrapped, with what to do, when a repository uses a
	// feature that can't be read.
	ErrUnsupported = errors.New("repository uses an unsupported feature")
)

// A Repo is a local Git repository. Reading it is safe for concurrent use.
type Repo struct {
	git       *git.Repository
	store     *store
	root      string
	gitDir    string
	commonDir string
	getenv    func(string) string

	roots struct {
		sync.Mutex
		open []*os.Root
	}
}

// Open finds the repository that holds dir, from dir upwards. getenv gives
// GIT_DIR, GIT_WORK_TREE, GIT_INDEX_FILE, GIT_CEILING_DIRECTORIES,
// GIT_OBJECT_DIRECTORY and GIT_ALTERNATE_OBJECT_DIRECTORIES; nil means none is
// set. The last two are read beside the repository's own objects, where alone
// something is written.
//
// The error wraps [ErrNoRepository], or [ErrUnsupported] for a repository that
// needs another object id or ref format. Unlike git, Open doesn't refuse a
// repository that belongs to another user (safe.directory): it only reads. What
// such a repository's configuration names isn't run, so a partial clone of
// somebody else lacks its objects.
func Open(dir string, getenv func(string) string) (*Repo, error) {
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	at, err := discover(dir, getenv)
	if err != nil {
		return nil, err
	}
	st, err := openStore(at.gitDir, at.commonDir, environmentObjects(dir, getenv)...)
	if err != nil {
		return nil, err
	}
	if err := st.checkFormat(); err != nil {
		st.Close()
		return nil, fmt.Errorf("%s: %w", at.gitDir, err)
	}
	root, err := at.workTree(dir, getenv)
	if err != nil {
		st.Close()
		return nil, err
	}
	if st.promisor, err = st.promisorOf(gitProcess{at.gitDir, root}); err != nil {
		st.Close()
		return nil, err
	}
	g, err := git.Open(st, nil)
	if err != nil {
		st.Close()
		return nil, fmt.Errorf("opening %s: %w", at.gitDir, err)
	}
	return &Repo{git: g, store: st, root: root, gitDir: at.gitDir, commonDir: at.commonDir, getenv: getenv}, nil
}

// Close releases file descriptors.
func (r *Repo) Close() error {
	r.roots.Lock()
	defer r.roots.Unlock()
	var errs []error
	for _, root := range r.roots.open {
		errs = append(errs, root.Close())
	}
	r.roots.open = nil
	return errors.Join(append(errs, r.store.Close())...)
}

// Root is the absolute path of the work tree, or "" in a bare repository.
// Symbolic links in it are resolved.
func (r *Repo) Root() string { return r.root }

// GitDir is the absolute path of this work tree's Git directory.
func (r *Repo) GitDir() string { return r.gitDir }

// CommonDir is the absolute path of the Git directory that all linked work
// trees share.
func (r *Repo) CommonDir() string { return r.commonDir }

// Rel returns the slash path of dir inside the work tree, "." for its root.
func (r *Repo) Rel(dir string) (string, error) {
	if r.root == "" {
		return "", fmt.Errorf("%s has no work tree", r.gitDir)
	}
	dir, err := realPath(dir)
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(r.root, dir)
	if err != nil {
		return "", err
	}
	rel = filepath.ToSlash(rel)
	if rel == ".." || strings.HasPrefix(rel, "../") {
		return "", fmt.Errorf("%s is outside the work tree %s", dir, r.root)
	}
	if !fs.ValidPath(rel) { // what else Git takes, fs.FS doesn't
		return "", fmt.Errorf("%w: the name of folder %q isn't UTF-8; rename it", ErrUnsupported, rel)
	}
	return rel, nil
}

// IsShallow tells whether the clone has a shallow boundary.
func (r *Repo) IsShallow() bool {
	shallow, err := r.shallow()
	return err == nil && len(shallow) > 0
}

// shallow returns the commits whose parents the clone was told to forget.
func (r *Repo) shallow() (map[plumbing.Hash]bool, error) {
	list, err := r.store.Shallow()
	if err != nil {
		return nil, fmt.Errorf("reading the shallow boundary: %w", err)
	}
	boundary := make(map[plumbing.Hash]bool, len(list))
	for _, h := range list {
		boundary[h] = true
	}
	return boundary, nil
}

// realPath returns the absolute path of dir with symbolic links resolved, as
// git rev-parse prints it.
func realPath(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// validDir refuses what isn't a slash path inside a repository.
func validDir(op, dir string) error {
	if !fs.ValidPath(dir) {
		return &fs.PathError{Op: op, Path: dir, Err: fs.ErrInvalid}
	}
	return nil
}

package gitstore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	format "github.com/go-git/go-git/v5/plumbing/format/config"
)

// A location is where a repository's parts are, before anything is read.
type location struct {
	gitDir    string
	commonDir string
	holder    string // the folder that has the .git entry; "" when the Git directory was named itself
}

// maxPointerBytes limits .git files and commondir files, which hold one path.
const maxPointerBytes = 64 << 10

// discover follows git's rules (git(1), GIT_DIR; gitrepository-layout(5)).
func discover(dir string, getenv func(string) string) (location, error) {
	if named := getenv("GIT_DIR"); named != "" {
		gitDir := absIn(dir, named)
		if target, err := readGitFile(gitDir); err == nil {
			gitDir = target
		}
		if !isGitDir(gitDir) {
			return location{}, fmt.Errorf("GIT_DIR=%s: %w", named, ErrNoRepository)
		}
		return locate(gitDir, "")
	}
	start, err := realPath(dir)
	if err != nil {
		return location{}, fmt.Errorf("%w: %w", ErrNoRepository, err)
	}
	limits := ceilings(getenv)
	for at := start; ; at = filepath.Dir(at) {
		dotGit := filepath.Join(at, ".git")
		info, err := os.Stat(dotGit)
		switch {
		case err == nil && info.Mode().IsRegular():
			gitDir, err := readGitFile(dotGit)
			if err != nil {
				return location{}, fmt.Errorf("%w: %w: %w", ErrNoRepository, ErrGitFile, err)
			}
			if !isGitDir(gitDir) {
				return location{}, fmt.Errorf("%w: %w: %s points to %s, which is no Git directory", ErrNoRepository, ErrGitFile, dotGit, gitDir)
			}
			return locate(gitDir, at)
		case err == nil && isGitDir(dotGit):
			return locate(dotGit, at)
		case isGitDir(at):
			return locate(at, "")
		}
		if above := filepath.Dir(at); above == at || slices.Contains(limits, above) {
			return location{}, fmt.Errorf("%s: %w", dir, ErrNoRepository)
		}
	}
}

// ceilings returns the folders that aren't searched on the way up (git(1),
// GIT_CEILING_DIRECTORIES). After an empty entry links aren't resolved.
func ceilings(getenv func(string) string) []string {
	var list []string
	resolve := true
	for _, dir := range filepath.SplitList(getenv("GIT_CEILING_DIRECTORIES")) {
		if dir == "" {
			resolve = false
			continue
		}
		if real, err := realPath(dir); err == nil && resolve {
			dir = real
		}
		list = append(list, filepath.Clean(dir))
	}
	return list
}

// locate completes a location with the directory that linked work trees share.
func locate(gitDir, holder string) (location, error) {
	gitDir, err := realPath(gitDir)
	if err != nil {
		return location{}, err
	}
	at := location{gitDir: gitDir, commonDir: gitDir, holder: holder}
	common, err := readPointer(filepath.Join(gitDir, "commondir"))
	switch {
	case os.IsNotExist(err):
		return at, nil
	case err != nil:
		return location{}, err
	}
	at.commonDir, err = realPath(absIn(gitDir, common))
	return at, err
}

// workTree returns the top of the work tree, "" if there is none.
func (at location) workTree(dir string, getenv func(string) string) (string, error) {
	if named := getenv("GIT_WORK_TREE"); named != "" {
		return realPath(absIn(dir, named))
	}
	linked := at.commonDir != at.gitDir
	if !linked {
		// In a linked work tree git ignores both settings: they are the main one's.
		core, err := at.core()
		if err != nil {
			return "", err
		}
		if top := core.Option("worktree"); top != "" {
			return realPath(absIn(at.gitDir, top))
		}
		if configBool(core.Option("bare")) {
			return "", nil
		}
	}
	if at.holder != "" {
		return realPath(at.holder)
	}
	// The Git directory was named, by GIT_DIR or by standing in it. Hooks of
	// git get GIT_DIR at the top of the work tree, but a command may have been
	// pointed at a subfolder, so the holder of the .git entry is preferred.
	holder := ""
	if linked {
		if dotGit, err := readPointer(filepath.Join(at.gitDir, "gitdir")); err == nil {
			holder = filepath.Dir(absIn(at.gitDir, dotGit))
		}
	} else if filepath.Base(at.gitDir) == ".git" {
		holder = filepath.Dir(at.gitDir)
	}
	dir, err := realPath(dir)
	if err != nil {
		return "", err
	}
	if holder, err := realPath(holder); err == nil && within(holder, dir) && !within(at.gitDir, dir) {
		return holder, nil
	}
	if getenv("GIT_DIR") == "" || within(at.gitDir, dir) {
		return "", nil // standing inside a Git directory
	}
	return dir, nil
}

// core reads the core section of the repository's configuration, and over it
// that of the work tree's own (extensions.worktreeConfig), which sparse
// checkouts use.
func (at location) core() (*format.Section, error) {
	common := filepath.Join(at.commonDir, "config")
	settings, err := readSettings(common)
	if err != nil {
		return nil, err
	}
	if configBool(settings.Section("extensions").Option("worktreeConfig")) {
		if settings, err = readSettings(common, filepath.Join(at.gitDir, "config.worktree")); err != nil {
			return nil, err
		}
	}
	return settings.Section("core"), nil
}

// isGitDir tells whether dir looks like a Git directory, by the test that git
// makes: a HEAD, and objects and refs here or in the common directory.
func isGitDir(dir string) bool {
	if _, err := os.Lstat(filepath.Join(dir, "HEAD")); err != nil {
		return false
	}
	common := dir
	if p, err := readPointer(filepath.Join(dir, "commondir")); err == nil {
		common = absIn(dir, p)
	}
	return isDir(filepath.Join(common, "objects")) && isDir(filepath.Join(common, "refs"))
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// readGitFile reads the target of a .git file ("gitdir: PATH").
func readGitFile(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", name)
	}
	line, err := readPointer(name)
	if err != nil {
		return "", err
	}
	target, ok := strings.CutPrefix(line, "gitdir: ")
	if !ok {
		return "", fmt.Errorf("%s doesn't begin with \"gitdir: \"", name)
	}
	return absIn(filepath.Dir(name), target), nil
}

// readPointer reads a file that holds one path.
func readPointer(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if info.Size() > maxPointerBytes {
		return "", fmt.Errorf("%s is %d bytes long, too long for a path", name, info.Size())
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// absIn makes name absolute, taking it as relative to dir.
func absIn(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, name)
}

// within tells whether name is dir or below it. Both are absolute and clean.
func within(dir, name string) bool {
	rel, err := filepath.Rel(dir, name)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

package gitstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// gitTimeout limits the few things that are left to git: listing an unusual
// index, and fetching what a partial clone lacks.
const gitTimeout = 10 * time.Minute

// A gitProcess runs the system's git in a repository.
type gitProcess struct {
	gitDir string
	root   string // "" in a bare repository
}

// run returns what git prints. env has settings like "NAME=value". The error
// wraps [exec.ErrNotFound] if there is no git.
func (g gitProcess) run(stdin []byte, env []string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), gitTimeout)
	defer cancel()
	// The file system monitor is a command of the user's configuration that
	// nothing here needs.
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "core.fsmonitor=false"}, args...)...)
	cmd.Dir = g.gitDir
	if g.root != "" {
		cmd.Dir = g.root
	}
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = append(unplaced(), "GIT_DIR="+g.gitDir, "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	if g.root != "" {
		cmd.Env = append(cmd.Env, "GIT_WORK_TREE="+g.root)
	}
	cmd.Env = append(cmd.Env, env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && !errors.Is(err, exec.ErrNotFound) {
		command := args[0]
		for i := 0; args[i] == "-c" && i+2 < len(args); i += 2 {
			command = args[i+2]
		}
		err = fmt.Errorf("git %s: %s (%w)", command, said(stderr.String()), err)
	}
	return out, err
}

// unplaced is the environment without what a hook's says about the repository,
// which is replaced by what was found, and without what only git config heeds.
func unplaced() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_LITERAL_PATHSPECS", "GIT_CONFIG":
			return true
		}
		return false
	})
}

// trusted returns an error if git wouldn't use a repository that belongs to
// somebody else (git-config(1), safe.directory). [gitProcess.run] names the Git
// directory, and git takes that for trust: what runs programs that the
// repository's configuration names, such as ssh or a filter, asks here before.
func (g gitProcess) trusted() error {
	if os.Getenv("GIT_DIR") != "" {
		return nil // whoever named it trusts it
	}
	var first error
	for _, dir := range []string{g.root, g.gitDir} {
		if dir == "" {
			continue
		}
		cmd := exec.Command("git", "rev-parse", "--absolute-git-dir")
		cmd.Dir, cmd.Env = dir, append(unplaced(), "LC_ALL=C")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		switch {
		case errors.Is(err, exec.ErrNotFound):
			return err
		case err != nil:
			err = errors.New(said(stderr.String()))
		case !sameFolder(strings.TrimSuffix(string(out), "\n"), g.gitDir):
			err = fmt.Errorf("git finds another repository in %s", dir)
		default:
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func sameFolder(a, b string) bool {
	x, xerr := os.Stat(a)
	y, yerr := os.Stat(b)
	return xerr == nil && yerr == nil && os.SameFile(x, y)
}

// emptyBlob is the id of the empty file.
var emptyBlob = Hash{
	0xe6, 0x9d, 0xe2, 0x9b, 0xb2, 0xd1, 0xd6, 0x43, 0x4b, 0x8b,
	0x29, 0xae, 0x77, 0x5a, 0xd8, 0xc2, 0xe4, 0x8c, 0x53, 0x91,
}

// listFiles reads an index that parseIndex can't, through git ls-files.
func (r *Repo) listFiles(name, dir string, why *specialIndexError) (*index, error) {
	g := gitProcess{r.gitDir, r.root}
	env := []string{"GIT_INDEX_FILE=" + name, "GIT_LITERAL_PATHSPECS=1"}
	out, err := g.run(nil, env, "ls-files", "-t", "--stage", "-z", "--full-name", "--", dir)
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w; or install git", ErrUnsupported, why)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w: %w", ErrUnsupported, why, err)
	}
	x := &index{}
	mayBeIntent := false
	for line := range strings.SplitSeq(string(out), "\x00") {
		if line == "" {
			continue
		}
		e, err := parseStaged(line)
		if err != nil {
			return nil, err
		}
		x.entries = append(x.entries, e)
		mayBeIntent = mayBeIntent || e.hash == emptyBlob
	}
	if mayBeIntent {
		return x, r.dropIntents(g, env, x, dir)
	}
	return x, nil
}

// parseStaged reads "tag mode id stage<TAB>path".
func parseStaged(line string) (indexEntry, error) {
	var e indexEntry
	var tag, mode, id string
	fields, path, ok := strings.Cut(line, "\t")
	if _, err := fmt.Sscanf(fields, "%s %s %s %d", &tag, &mode, &id, &e.stage); err != nil || !ok {
		return e, fmt.Errorf("git ls-files printed %q", clip(line))
	}
	var err error
	if e.mode, err = parseMode(mode); err != nil {
		return e, err
	}
	e.hash, err = ParseHash(id)
	e.path, e.skip = path, tag == "S"
	return e, err
}

// dropIntents removes the paths that are only marked with git add -N. They look
// like empty files to ls-files; git status lists them as added in the work tree.
func (r *Repo) dropIntents(g gitProcess, env []string, x *index, dir string) error {
	if r.root == "" {
		return nil
	}
	if err := g.trusted(); err != nil { // status may run filters
		return fmt.Errorf("%w: paths that are only marked with git add -N: %w", ErrUnsupported, err)
	}
	out, err := g.run(nil, env, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=no",
		"--ignore-submodules", "--", dir)
	if err != nil {
		return err
	}
	intent := map[string]bool{}
	for line := range strings.SplitSeq(string(out), "\x00") {
		if path, ok := strings.CutPrefix(line, " A "); ok {
			intent[path] = true
		}
	}
	kept := x.entries[:0]
	for _, e := range x.entries {
		if e.hash != emptyBlob || !intent[e.path] {
			kept = append(kept, e)
		}
	}
	x.entries = kept
	return nil
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const hookName = "pre-commit"

// hookMarker is the line that says whose a hook is.
const hookMarker = "# policypin hook"

// maxHookBytes limits what is read of a hook. Ours has a line for each project.
const maxHookBytes = 1 << 20

// errForeignHook is returned for a hook without our marker.
var errForeignHook = errors.New("not a hook of policypin")

// A hook is the pre-commit hook that checks some projects of a repository.
type hook struct {
	projects []string // slash paths in the repository, "." for its top; sorted
	text     []byte   // as found; nil if there is none
	complete bool     // as found: git can run it
}

// hookHead is the hook but for its last lines, one for each project.
//
// GIT_DIR and GIT_WORK_TREE, when git was called with them, may be relative to
// the top of the work tree; policypin, like git -C, takes them as seen from the
// folder that it is sent to.
const hookHead = `#!/bin/sh
` + hookMarker + `
# Written by "policypin hook install", removed by "policypin hook uninstall".
# Changes to this file are lost. "git commit --no-verify" passes it by.

if [ -n "$GIT_DIR" ]; then
	GIT_DIR=$(git rev-parse --absolute-git-dir) || exit
	export GIT_DIR
fi
if [ -n "$GIT_WORK_TREE" ]; then
	GIT_WORK_TREE=$PWD
	export GIT_WORK_TREE
fi
status=0

# check DIR checks the project in DIR, if the commit will have one there.
check() {
	[ -d "$1" ] && git cat-file -e ":$1/policypin.yaml" 2>/dev/null || return 0
	if ! command -v policypin >/dev/null 2>&1; then
		echo 'policypin is not on PATH, so what is staged was not checked.' >&2
		echo 'Install it, or pass this hook by with git commit --no-verify.' >&2
		exit 1
	fi
	policypin -C "$1" validate --staged --fmt || status=$?
}

`

const hookTail = "exit $status\n"

// script is the hook's text. It fails for a project whose path can't stand on
// one line.
func (h hook) script() (string, error) {
	var b strings.Builder
	b.WriteString(hookHead)
	for _, p := range h.projects {
		if strings.ContainsAny(p, "\n\r") {
			return "", fmt.Errorf("the project's folder %q has a line end in its name", p)
		}
		b.WriteString("check " + shellQuote(p) + "\n")
	}
	b.WriteString(hookTail)
	return b.String(), nil
}

// list names the projects for people.
func (h hook) list() string {
	names := slices.Clone(h.projects)
	for i, n := range names {
		if n == "." {
			names[i] = "the project at the top"
		}
	}
	return strings.Join(names, ", ")
}

func (h hook) with(project string) hook {
	if slices.Contains(h.projects, project) {
		return h
	}
	h.projects = append(slices.Clone(h.projects), project)
	slices.Sort(h.projects)
	return h
}

func (h hook) without(project string) hook {
	h.projects = slices.DeleteFunc(slices.Clone(h.projects), func(p string) bool { return p == project })
	return h
}

// readHook reads a hook of ours; it is empty if there is none. The error wraps
// [errForeignHook] for anything else in its place.
func readHook(name string) (hook, error) {
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return hook{}, nil
	}
	if err != nil {
		return hook{}, err
	}
	// A symbolic link leads to a file that is kept elsewhere, so it isn't ours
	// to change.
	if !info.Mode().IsRegular() || info.Size() > maxHookBytes {
		return hook{}, errForeignHook
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return hook{}, err
	}
	h := hook{text: text, complete: executable(info)}
	lines := strings.Split(string(text), "\n")
	if !slices.Contains(lines, hookMarker) {
		return hook{}, errForeignHook
	}
	for _, line := range lines {
		if arg, ok := strings.CutPrefix(line, "check "); ok {
			if p, ok := shellUnquote(arg); ok && fs.ValidPath(p) {
				h = h.with(p)
			}
		}
	}
	return h, nil
}

// writeHook puts a hook in place, whole and executable. fresh says that there
// was none: one that came up meanwhile is somebody else's, and stays.
func writeHook(name, text string, fresh bool) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".policypin-hook.*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after the rename, as it should
	_, err = tmp.WriteString(text)
	// git ignores a hook that isn't executable, but for a hint (githooks(5)).
	if err := errors.Join(err, tmp.Chmod(0o755), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if fresh {
		return os.Link(tmp.Name(), name)
	}
	return os.Rename(tmp.Name(), name)
}

// shellQuote writes a word for sh.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// shellUnquote reads what shellQuote wrote.
func shellUnquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		return "", false
	}
	word := strings.ReplaceAll(s[1:len(s)-1], `'\''`, "'")
	return word, shellQuote(word) == s
}

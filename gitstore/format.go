package gitstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// checkFormat refuses repositories whose objects or refs can't be read
// (gitrepository-layout(5) and git-config(1), extensions.*).
func (s *store) checkFormat() error {
	settings, err := s.settings()
	if err != nil {
		return err
	}
	switch v := settings.Section("core").Option("repositoryformatversion"); v {
	case "", "0", "1":
	default:
		return fmt.Errorf("%w: repository format version %s; use a clone made by an older git", ErrUnsupported, v)
	}
	for _, o := range settings.Section("extensions").Options {
		switch strings.ToLower(o.Key) {
		case "objectformat":
			if !strings.EqualFold(o.Value, "sha1") {
				return fmt.Errorf("%w: object format %s; policypin reads sha1 repositories, "+
					"so use one made with git init --object-format=sha1", ErrUnsupported, o.Value)
			}
		case "refstorage":
			if !strings.EqualFold(o.Value, "files") {
				return fmt.Errorf("%w: ref format %s; convert this clone with git refs migrate --ref-format=files, "+
					"or clone again with git clone --ref-format=files", ErrUnsupported, o.Value)
			}
		case "noop", "noop-v1", "worktreeconfig", "preciousobjects", "relativeworktrees", "partialclone":
			// These change nothing for a reader, or are handled elsewhere.
		default:
			return fmt.Errorf("%w: extensions.%s, which this build doesn't know; use a clone without it", ErrUnsupported, o.Key)
		}
	}
	return nil
}

const (
	// maxAlternateDepth is git's own limit on alternates of alternates.
	maxAlternateDepth = 5
	maxAlternates     = 100
)

// alternateDirs returns the Git directories whose objects this one borrows,
// as clone --shared and --reference leave them in objects/info/alternates.
func alternateDirs(objects string) ([]string, error) {
	seen := map[string]bool{objects: true}
	var dirs []string
	var read func(objects string, depth int) error
	read = func(objects string, depth int) error {
		list := filepath.Join(objects, "info", "alternates")
		text, err := os.ReadFile(list)
		if os.IsNotExist(err) || depth > maxAlternateDepth {
			return nil
		}
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\r\n")
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			dir := absIn(objects, line)
			if seen[dir] {
				continue
			}
			seen[dir] = true
			if !isDir(dir) {
				continue // git warns and goes on; a missing object is reported by its id
			}
			if filepath.Base(dir) != "objects" || len(dirs) == maxAlternates {
				return fmt.Errorf("%w: %s names %s; git repack -a -d makes the clone independent of it",
					ErrUnsupported, list, dir)
			}
			dirs = append(dirs, filepath.Dir(dir))
			if err := read(dir, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return dirs, read(objects, 1)
}

// environmentObjects returns the objects folders that the environment names.
// A server sets both variables for the hook that judges a push: what was pushed
// is in a folder of its own until then (git-receive-pack(1), quarantine).
func environmentObjects(dir string, getenv func(string) string) []string {
	var folders []string
	add := func(name string) {
		if folder := absIn(dir, name); name != "" && len(folders) < maxAlternates && isDir(folder) {
			folders = append(folders, folder)
		}
	}
	add(getenv("GIT_OBJECT_DIRECTORY"))
	for _, name := range filepath.SplitList(getenv("GIT_ALTERNATE_OBJECT_DIRECTORIES")) {
		add(name)
	}
	return folders
}

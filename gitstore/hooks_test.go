package gitstore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestHooksDir(t *testing.T) {
	g := newGitRepo(t)
	g.write("a", "1")
	g.git("add", ".")
	g.git("commit", "-q", "-m", "one")
	linked := filepath.Join(t.TempDir(), "linked")
	g.git("worktree", "add", "-q", linked)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(g.dir, "lead")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	tests := []struct {
		name, setting, dir string
		path               string
		own                bool
	}{
		{"without a setting, those of the clone", "", g.dir, filepath.Join(g.dir, ".git", "hooks"), true},
		{"a linked work tree shares them", "", linked, filepath.Join(g.dir, ".git", "hooks"), true},
		{"relative to the top of the work tree", "tools/hooks", filepath.Join(g.dir, ".git", ".."), filepath.Join(g.dir, "tools", "hooks"), true},
		{"of a linked one, too", "tools/hooks", linked, filepath.Join(linked, "tools", "hooks"), true},
		{"the main work tree belongs to a linked one", filepath.Join(g.dir, "hooks"), linked, filepath.Join(g.dir, "hooks"), true},
		{"another folder is somebody else's", outside, g.dir, outside, false},
		{"also along a symbolic link", "lead", g.dir, filepath.Join(g.dir, "lead"), false},
		{"even if it isn't made yet", "lead/hooks/here", g.dir, filepath.Join(g.dir, "lead", "hooks", "here"), false},
		{"and above the work tree", "../hooks", g.dir, filepath.Join(filepath.Dir(g.dir), "hooks"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.setting != "" {
				g.git("config", "core.hooksPath", tt.setting)
				defer g.git("config", "--unset", "core.hooksPath")
			}
			got, err := openRepo(t, tt.dir, nil).HooksDir()
			if err != nil {
				t.Fatal(err)
			}
			if got != (HooksDir{tt.path, tt.own}) {
				t.Errorf("got %+v, want %s, own %v", got, tt.path, tt.own)
			}
		})
	}
}

// Where the setting is empty git runs /pre-commit, and not one among the sources.
func TestHooksDirOfAnEmptySetting(t *testing.T) {
	g := newGitRepo(t)
	g.git("config", "core.hooksPath", "")
	if got, err := g.open().HooksDir(); err != nil || got.Own || got.Path == g.dir {
		t.Errorf("got %+v, %v, want a folder that isn't the repository's", got, err)
	}
}

func TestHooksDirOfABareRepository(t *testing.T) {
	g := newGitRepo(t, "--bare")
	if got, err := openRepo(t, g.dir, nil).HooksDir(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %+v, %v, want ErrUnsupported", got, err)
	}
}

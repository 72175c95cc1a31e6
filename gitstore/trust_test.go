package gitstore

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/gittest"
)

// TestNothingIsRunForARepositoryOfSomebodyElse lets git believe that each
// repository belongs to another user (GIT_TEST_ASSUME_DIFFERENT_OWNER), as one
// does that somebody has put into a folder that all can write to.
func TestNothingIsRunForARepositoryOfSomebodyElse(t *testing.T) {
	for name, c := range map[string]struct {
		foreign bool
		want    bool
	}{
		"one of the user's own":  {false, true},
		"one of somebody else's": {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGitRepo(t)
			g.commit("one", "p/a", "a")
			ran := filepath.Join(t.TempDir(), "ran")
			program := filepath.Join(t.TempDir(), "program")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n: >'"+ran+"'\nexit 1\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(filepath.Dir(g.dir), "partial")
			g.git("config", "uploadpack.allowFilter", "true")
			g.git("clone", "-q", "--no-checkout", "--filter=blob:none", "file://"+g.dir, dir)
			p := &gitRepo{t, dir}
			p.git("remote", "set-url", "origin", "ssh://git@git.example/p.git")
			p.git("config", "core.sshCommand", filepath.ToSlash(program))
			if c.foreign {
				assumeDifferentOwner(t)
			}

			r := openRepo(t, dir, nil)
			head, err := r.Resolve("HEAD")
			if err != nil {
				t.Fatal(err)
			}
			fsys, err := r.TreeAt(head, "p")
			if err != nil {
				t.Fatal(err)
			}
			_, err = fs.ReadFile(fsys, "a")
			if _, there := os.Stat(ran); err == nil || (there == nil) != c.want {
				t.Errorf("the command of core.sshCommand ran: %v, want %v; %v", there == nil, c.want, err)
			}
			if c.foreign && !strings.Contains(err.Error(), "dubious ownership") {
				t.Errorf("got %v; want it to say what git says", err)
			}
		})
	}
}

func TestAHelperOfSomebodyElsesRepositoryIsNotAsked(t *testing.T) {
	s, remoteURL := secretSite(t)
	gittest.Git(t, s.work, "config", "credential.helper", "!f() { test $1 = get && echo username=x-access-token && echo password="+secret+"; }; f")
	assumeDifferentOwner(t)
	o := origin(t, openRepo(t, s.work, nil), RemoteOptions{Name: remoteURL, Getenv: getenv()})
	if err := o.CheckPush(t.Context()); err == nil {
		t.Error("the push was allowed: the helper that the repository names was asked")
	}
}

// assumeDifferentOwner also keeps a configuration away that trusts every folder.
func assumeDifferentOwner(t *testing.T) {
	t.Helper()
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(t.TempDir(), "none"))
	t.Setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
}

package policypin_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/gittest"
)

// TestRelease makes a release of the tree as it is, in a repository of its own,
// as far as that is possible without a registry.
func TestRelease(t *testing.T) {
	dir := t.TempDir()
	files := strings.Fields(gittest.Git(t, ".", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"))
	copied := exec.Command("cp", append([]string{"--parents", "--"}, existing(files, dir)...)...)
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	gittest.Git(t, dir, "init", "-q", "-b", "main")
	gittest.Git(t, dir, "add", "-A")
	gittest.Git(t, dir, "commit", "-q", "-m", "main")
	// The rest of the environment finds Go and its caches.
	release := func(args ...string) (string, error) {
		cmd := exec.Command(filepath.Join(dir, "scripts", "release"), args...)
		cmd.Env = append(os.Environ(), gittest.Env()[2:]...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := release(args...)
		if err != nil {
			t.Fatalf("release %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(out)
	}
	const image = "registry.example/acme/policypin@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

	main := gittest.Git(t, dir, "rev-parse", "HEAD")
	commit := must("commit", "v1.2.3", image)
	if got := gittest.Git(t, dir, "rev-parse", "v1.2.3^{commit}", "v1.2.3~1", "HEAD"); got != commit+"\n"+main+"\n"+main {
		t.Errorf("got tag, its parent and HEAD\n%s, want %s on %s", got, commit, main)
	}
	if got := gittest.Git(t, dir, "show", "v1.2.3:action.yml"); !strings.Contains(got, "\n  image: docker://"+image) || strings.Contains(got, "Dockerfile") {
		t.Errorf("got action.yml\n%s", got)
	}
	if got := gittest.Git(t, dir, "diff", "--stat", "--shortstat", "v1.2.3~1", "v1.2.3"); !strings.Contains(got, "1 file changed, 1 insertion(+), 1 deletion(-)") {
		t.Errorf("the release changes more: %s", got)
	}
	if got := gittest.Git(t, dir, "status", "--porcelain"); got != "" {
		t.Errorf("the work tree is not as it was: %s", got)
	}
	must("check", "v1.2.3")

	for _, bad := range [][]string{
		{}, {"commit"}, {"commit", "1.2.3", image}, {"commit", "v1.2.3", image}, {"commit", "v1.2.4", "registry.example/acme/policypin:latest"},
		{"commit", "v1.2.4", image + "|e touch evil"}, {"check", "v9.9.9"}, {"workflows", "v9.9.9"}, {"push", "v1.2.3"},
	} {
		if out, err := release(bad...); err == nil {
			t.Errorf("release %q was done: %s", bad, out)
		}
	}

	must("workflows", "v1.2.3")
	if got := gittest.Git(t, dir, "grep", "-hoE", "policypin/policypin@[0-9a-f]{40} # v[0-9.]+", "--", "examples"); !regexp.MustCompile(`^(policypin/policypin@` + commit + ` # v1\.2\.3\n?)+$`).MatchString(got) {
		t.Errorf("workflows name\n%s", got)
	}
	gittest.Git(t, dir, "checkout", "-q", "--", ".")

	// A tag that changes more than the image is no release.
	gittest.Git(t, dir, "checkout", "-q", "v1.2.3")
	gittest.Commit(t, dir, "more", map[string]string{"evil.txt": "x\n"})
	gittest.Git(t, dir, "tag", "-a", "-m", "x", "v1.2.4")
	if out, err := release("check", "v1.2.4"); err == nil || !strings.Contains(out, "changes more than the image") {
		t.Errorf("got %v, %s", err, out)
	}
	if testing.Short() {
		return
	}

	// Built twice, in two places, from the same commit: the same bytes.
	gittest.Git(t, dir, "checkout", "-q", "main")
	dist := filepath.Join(t.TempDir(), "dist")
	must("build", "v1.2.3", dist, "linux/amd64")
	must("check", "v1.2.3", dist)
	modules, err := os.ReadFile(filepath.Join(dist, "policypin_v1.2.3_linux_amd64.modules"))
	if err != nil || !strings.Contains(string(modules), "go-githubactions") {
		t.Errorf("got modules %s, %v", modules, err)
	}
	if err := os.WriteFile(filepath.Join(dist, "policypin_v1.2.3_linux_amd64"), []byte("evil"), 0o777); err != nil {
		t.Fatal(err)
	}
	if out, err := release("check", "v1.2.3", dist); err == nil {
		t.Errorf("another binary passed: %s", out)
	}
}

// existing lists the files that are there, and the folder to copy them to.
func existing(files []string, dir string) []string {
	var there []string
	for _, file := range files {
		if _, err := os.Stat(file); err == nil {
			there = append(there, file)
		}
	}
	return append(there, dir)
}

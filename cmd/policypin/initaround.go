package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/report"
)

//go:embed scaffold/workflows/*.yml
var scaffoldWorkflows embed.FS

//go:embed scaffold/pre-commit-config.yaml
var scaffoldPreCommit string

// needWorkTree refuses to write a project into a bare repository or a Git
// directory, where nobody would find it. dir need not exist yet.
func (w *world) needWorkTree(dir string) error {
	for {
		if _, err := os.Stat(dir); !missing(err) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	repo, err := gitstore.Open(dir, w.getenv)
	if err != nil {
		return nil // outside of Git, or nothing that we know
	}
	defer repo.Close()
	if repo.Root() == "" {
		return &hinted{
			err:  fmt.Errorf("%s is in a Git repository without a work tree", dir),
			hint: "a project belongs into the work tree of a clone",
		}
	}
	return nil
}

// topOf finds the top of the work tree that dir is in, and dir as seen from
// there. Outside Git, dir will be the top.
func (w *world) topOf(dir string) (top, rel string) {
	repo, err := gitstore.Open(dir, w.getenv)
	if err != nil {
		return dir, "."
	}
	defer repo.Close()
	if rel, err = repo.Rel(dir); err != nil {
		return dir, "."
	}
	return repo.Root(), rel
}

// depth is the number of folders in a slash path, 0 for ".".
func depth(rel string) int {
	if rel == "." {
		return 0
	}
	return strings.Count(rel, "/") + 1
}

// publishWorkflow is the one that publishes what is merged into main.
const publishWorkflow = "policypin-publish.yml"

// noteBranch says that a workflow waits for the branch main, where the
// repository has none and is on another one.
func (w *world) noteBranch(ctx context.Context, dir, workflow string) {
	repo, err := gitstore.Open(dir, w.getenv)
	if err != nil {
		return // it says nothing about branches
	}
	defer repo.Close()
	refs, err := repo.Local().Refs(ctx)
	if err != nil || refs.Head == "" || refs.Head == "main" {
		return
	}
	for name := range refs.All {
		if strings.HasPrefix(name, "refs/") && !strings.HasPrefix(name, "refs/tags/") && path.Base(name) == "main" {
			return
		}
	}
	w.say("note: %s publishes what is merged into main, and this branch is %s: put the name of yours there", report.Clean(workflow), report.Clean(refs.Head))
}

// aroundProject are the files at the top of a work tree that has a project in
// rel.
func aroundProject(rel string) ([]file, error) {
	// GitHub would evaluate ${{ in any value.
	if strings.Contains(rel, "${{") || strings.ContainsFunc(rel, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, fmt.Errorf("the folder's name %q can't stand in a workflow", rel)
	}
	var files []file
	for _, name := range []string{"policypin.yml", publishWorkflow} {
		text, err := scaffoldWorkflows.ReadFile("scaffold/workflows/" + name)
		if err != nil {
			return nil, err
		}
		fitted := strings.ReplaceAll(string(text), "working-directory: '.'\n", "working-directory: "+yamlQuote(rel)+"\n")
		files = append(files, file{path.Join(".github/workflows", name), fitted})
	}
	return append(files, file{".pre-commit-config.yaml", scaffoldPreCommit + preCommitSnippet(rel)}), nil
}

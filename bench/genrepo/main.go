// Command genrepo writes the repository that bench/run.sh measures: 10,000
// policies in 500 manifests with a history of 2,000 commits, packed as git gc
// leaves it. The same flags give the same commit ids on every machine.
//
//	go run ./bench/genrepo [-policies N] [-manifests N] [-commits N] DIR
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
)

const schemaVersion = "2026-06-18"

func main() {
	policies := flag.Int("policies", 10_000, "policies, a multiple of -manifests")
	manifests := flag.Int("manifests", 500, "manifests")
	commits := flag.Int("commits", 2_000, "commits")
	schema := flag.String("schema", "internal/zone/schemas/"+schemaVersion+".cedarschema", "Cedar schema to commit")
	flag.Parse()
	if flag.NArg() != 1 || *manifests < 1 || *policies < *manifests || *policies%*manifests != 0 || *commits < 1 {
		flag.Usage()
		os.Exit(2)
	}
	dir := flag.Arg(0)
	if err := generate(dir, *schema, *policies / *manifests, *manifests, *commits); err != nil {
		fmt.Fprintln(os.Stderr, "genrepo:", err)
		os.Exit(1)
	}
}

// generate makes the repository in dir, which must not exist yet.
func generate(dir, schemaFile string, perManifest, manifests, commits int) error {
	schema, err := os.ReadFile(schemaFile)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	if err := git(dir, nil, "init", "--quiet", "--initial-branch=main"); err != nil {
		return err
	}
	stream, feed := io.Pipe()
	go func() {
		w := &writer{Writer: bufio.NewWriterSize(feed, 1<<20)}
		w.history(newProject(perManifest, manifests), schema, commits)
		feed.CloseWithError(w.Flush())
	}()
	if err := git(dir, stream, "fast-import", "--quiet"); err != nil {
		stream.CloseWithError(err)
		return err
	}
	// One pack with a commit-graph, as in a repository that has been maintained.
	if err := git(dir, nil, "gc", "--quiet", "--prune=now"); err != nil {
		return err
	}
	return git(dir, nil, "reset", "--quiet", "--hard", "main")
}

// git runs git in dir, untouched by anybody's configuration.
func git(dir string, stdin io.Reader, args ...string) error {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	cmd.Stdin = stdin
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("git %s in %s: %w", args[0], filepath.Base(dir), err)
	}
	return nil
}

// A writer writes a git fast-import stream. Its errors are sticky, and reported
// by Flush.
type writer struct{ *bufio.Writer }

// history writes a first commit with everything, and then commits that change 1
// to 20 policies each, now and then a manifest too.
func (w *writer) history(p *project, schema []byte, commits int) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range commits {
		// The clock of the history: ten minutes between commits.
		when := 1_767_225_600 + int64(n)*600 // 2026-01-01T00:00:00Z
		fmt.Fprintf(w, "commit refs/heads/main\nmark :%d\n", n+1)
		fmt.Fprintf(w, "committer Generator <generator@localhost> %d +0000\n", when)
		w.data(fmt.Sprintf("change %d\n", n))
		if n == 0 {
			w.file("policypin.yaml", []byte(projectFile))
			w.file("schemas/"+schemaVersion+".cedarschema", schema)
			for m := range p.sets {
				w.file(p.manifestPath(m), p.manifest(m))
			}
			for i := range p.revisions {
				w.file(p.sourcePath(i), p.source(i))
			}
			continue
		}
		fmt.Fprintf(w, "from :%d\n", n)
		for range 1 + rng.IntN(20) {
			i := rng.IntN(len(p.revisions))
			p.revisions[i]++
			w.file(p.sourcePath(i), p.source(i))
		}
		if n%10 == 0 {
			m := rng.IntN(len(p.sets))
			p.sets[m]++
			w.file(p.manifestPath(m), p.manifest(m))
		}
	}
}

func (w *writer) file(path string, content []byte) {
	fmt.Fprintf(w, "M 100644 inline %s\n", path)
	w.data(string(content))
}

func (w *writer) data(content string) {
	fmt.Fprintf(w, "data %d\n%s\n", len(content), content)
}

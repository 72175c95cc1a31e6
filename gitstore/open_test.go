package gitstore

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// checkOpen opens a folder and expects HEAD, its tree and the index to be as
// git says.
func checkOpen(t *testing.T, dir, root string, env map[string]string) *Repo {
	t.Helper()
	r := openRepo(t, dir, env)
	if r.Root() != root {
		t.Errorf("Root: got %q, want %q", r.Root(), root)
	}
	g := &gitRepo{t, dir}
	head, err := r.Resolve("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	if want := g.hash("HEAD"); head != want {
		t.Errorf("HEAD: got %s, want %s", head, want)
	}
	if got, want := r.GitDir(), g.git("rev-parse", "--absolute-git-dir"); got != want {
		t.Errorf("GitDir: got %s, want %s", got, want)
	}
	if got, want := r.CommonDir(), g.git("rev-parse", "--path-format=absolute", "--git-common-dir"); got != want {
		t.Errorf("CommonDir: got %s, want %s", got, want)
	}
	fsys, err := r.TreeAt(head, ".")
	if err != nil {
		t.Fatal(err)
	}
	files := strings.Split(g.git("ls-tree", "-r", "--name-only", "--full-tree", "HEAD"), "\n")
	for _, name := range files {
		info, err := fs.Stat(fsys, name)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		got, err := fs.ReadFile(fsys, name)
		if want := g.git("cat-file", "blob", "HEAD:"+name); err != nil || strings.TrimSuffix(string(got), "\n") != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	return r
}

func TestOpenFindsALinkedWorkTree(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "p/a", "a")
	linked := filepath.Join(filepath.Dir(g.dir), "linked")
	g.git("worktree", "add", "-q", "-b", "side", linked)
	w := &gitRepo{t, linked}
	want := w.commit("two", "p/b", "b")
	r := checkOpen(t, linked, linked, nil)
	if got, err := r.Resolve("side"); err != nil || got != want {
		t.Errorf("side: got %s, %v", got, err)
	}
	w.write("p/c", "c")
	w.git("add", "p/c")
	if changes, err := r.StagedPaths("p"); err != nil || len(changes) != 1 || changes[0].Path != "c" {
		t.Errorf("StagedPaths: got %v, %v", changes, err)
	}
	if changes, err := g.open().StagedPaths("."); err != nil || len(changes) != 0 {
		t.Errorf("StagedPaths of the main work tree: got %v, %v", changes, err)
	}

	// A hook of git in a linked work tree has GIT_DIR set.
	env := map[string]string{"GIT_DIR": r.GitDir()}
	if hooked := openRepo(t, filepath.Join(linked, "p"), env); hooked.Root() != linked {
		t.Errorf("with GIT_DIR: got root %s, want %s", hooked.Root(), linked)
	}
}

func TestOpenFindsALinkedWorkTreeOfABareRepository(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "a", "a")
	bare := filepath.Join(filepath.Dir(g.dir), "bare.git")
	g.git("clone", "-q", "--bare", g.dir, bare)
	linked := filepath.Join(filepath.Dir(g.dir), "linked")
	(&gitRepo{t, bare}).git("worktree", "add", "-q", linked, "main")
	checkOpen(t, linked, linked, nil)
}

func TestOpenFindsASubmodule(t *testing.T) {
	inner := newGitRepo(t)
	inner.commit("inner", "in/x", "x")
	outer := newGitRepo(t)
	outer.commit("outer", "a", "a")
	outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner.dir, "sub")
	c := outer.commit("with sub")
	sub := filepath.Join(outer.dir, "sub")
	checkOpen(t, filepath.Join(sub), sub, nil)
	r := checkOpen(t, outer.dir, outer.dir, nil)

	fsys, err := r.TreeAt(c, ".")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := fs.Stat(fsys, "sub"); err != nil || info.Mode().Type() != fs.ModeIrregular {
		t.Errorf("submodule: got %v, %v", info, err)
	}
	if _, err := fsys.Open("sub"); err == nil || !strings.Contains(err.Error(), "submodule") {
		t.Errorf("opening a submodule: got %v", err)
	}
	if _, err := r.TreeAt(c, "sub"); err == nil {
		t.Error("TreeAt in a submodule: got no error")
	}
	if _, err := fs.ReadFile(fsys, "sub/in/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("file in a submodule: got %v, want not exist", err)
	}
}

func TestOpenReadsABareRepository(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "a", "a")
	bare := filepath.Join(filepath.Dir(g.dir), "bare.git")
	g.git("clone", "-q", "--bare", g.dir, bare)
	r := checkOpen(t, bare, "", nil)
	if _, err := r.WorkTree("."); err == nil {
		t.Error("WorkTree: got no error")
	}
	if _, err := r.Rel(bare); err == nil {
		t.Error("Rel: got no error")
	}
}

func TestOpenReadsASeparateGitDirectory(t *testing.T) {
	g := newGitRepo(t)
	elsewhere := filepath.Join(filepath.Dir(g.dir), "elsewhere")
	g.git("init", "-q", "--separate-git-dir", elsewhere)
	g.commit("one", "a", "a")
	checkOpen(t, g.dir, g.dir, nil)
}

func TestOpenReadsBorrowedObjects(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "p/a", "a")
	g.git("gc", "-q")
	g.commit("two", "p/b", "b")
	dir := filepath.Dir(g.dir)
	g.git("clone", "-q", "--shared", g.dir, filepath.Join(dir, "once"))
	once := &gitRepo{t, filepath.Join(dir, "once")}
	once.commit("three", "p/c", "c")
	once.git("clone", "-q", "--shared", once.dir, filepath.Join(dir, "twice"))
	twice := &gitRepo{t, filepath.Join(dir, "twice")}
	want := twice.commit("four", "p/d", "d")
	r := checkOpen(t, twice.dir, twice.dir, nil)
	if got, err := r.Resolve(want.Short() + "~3"); err != nil || got != g.hash("HEAD~1") {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := r.Resolve(g.hash("HEAD").Short()); err != nil || got != g.hash("HEAD") {
		t.Errorf("borrowed commit by its short id: got %s, %v", got, err)
	}
}

func TestOpenReadsAPartialClone(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "p/a", "a one", "p/b", "b", "q/c", "c")
	g.commit("two", "p/a", "a two")
	g.git("config", "uploadpack.allowFilter", "true")
	g.git("config", "uploadpack.allowAnySHA1InWant", "true")
	dir := filepath.Join(filepath.Dir(g.dir), "partial")
	g.git("clone", "-q", "--no-checkout", "--filter=blob:none", "file://"+g.dir, dir)
	p := &gitRepo{t, dir}
	lacking := func() int {
		return strings.Count(p.git("rev-list", "--objects", "--missing=print", "--all"), "?")
	}
	if lacking() != 4 {
		t.Fatalf("the clone lacks %d objects, want 4: the test shows nothing", lacking())
	}
	r := openRepo(t, dir, nil)
	head, err := r.Resolve("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	changes, err := r.ChangedPaths(g.hash("HEAD~1"), head, "p")
	if err != nil || len(changes) != 1 || changes[0].Path != "a" || lacking() != 4 {
		t.Errorf("ChangedPaths: got %v, %v, %d lacking", changes, err, lacking())
	}
	fsys, err := r.TreeAt(head, "p")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(fsys, "a"); err != nil || string(got) != "a two" {
		t.Errorf("a: got %q, %v", got, err)
	}
	if lacking() != 2 {
		t.Errorf("after reading one file of the folder %d objects are lacking, want 2", lacking())
	}
	if info, err := r.TreeAt(head, "q"); err != nil {
		t.Error(err)
	} else if err := fstest.TestFS(info, "c"); err != nil {
		t.Error(err)
	}

	// An unknown commit is no reason to ask the server.
	if _, err := r.Commit(Hash{1}); !errors.Is(err, ErrNoRevision) {
		t.Errorf("unknown commit: got %v", err)
	}

	if err := os.Rename(g.dir, g.dir+".away"); err != nil {
		t.Fatal(err)
	}
	old, err := r.TreeAt(p.hash("HEAD~1"), "p")
	if err != nil {
		t.Fatal(err)
	}
	_, err = fs.ReadFile(old, "a")
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "git fetch --refetch") {
		t.Errorf("without its remote: got %v", err)
	}
}

func TestOpenReadsASparseCheckout(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "p/a", "a", "q/b", "b")
	g.git("sparse-checkout", "set", "p")
	r := checkOpen(t, g.dir, g.dir, nil)
	if _, err := os.Stat(filepath.Join(g.dir, "q")); !os.IsNotExist(err) {
		t.Fatal("q is checked out: the test shows nothing")
	}
	if changes, err := r.StagedPaths("."); err != nil || len(changes) != 0 {
		t.Errorf("StagedPaths: got %v, %v", changes, err)
	}
}

func TestOpenSaysWhatToDoAboutAnUnsupportedRepository(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T) *gitRepo
		want string
	}{
		{"sha256", func(t *testing.T) *gitRepo { return newGitRepo(t, "--object-format=sha256") }, "--object-format=sha1"},
		{"reftable", func(t *testing.T) *gitRepo {
			g := newGitRepo(t)
			g.git("config", "core.repositoryformatversion", "1")
			g.git("config", "extensions.refstorage", "reftable")
			return g
		}, "git refs migrate"},
		{"unknown extension", func(t *testing.T) *gitRepo {
			g := newGitRepo(t)
			g.git("config", "core.repositoryformatversion", "1")
			g.git("config", "extensions.tomorrow", "true")
			return g
		}, "extensions.tomorrow"},
		{"future version", func(t *testing.T) *gitRepo {
			g := newGitRepo(t)
			g.git("config", "core.repositoryformatversion", "7")
			return g
		}, "version 7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(tt.make(t).dir, nil)
			if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestOpenOutsideARepository(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"folder with an empty .git": dir,
		"folder that isn't there":   filepath.Join(dir, "nowhere"),
	} {
		if _, err := Open(dir, nil); !errors.Is(err, ErrNoRepository) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Open(dir, func(string) string { return "nowhere" }); !errors.Is(err, ErrNoRepository) {
		t.Errorf("GIT_DIR that isn't there: got %v", err)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, ".git"), []byte("gitdir: /nowhere\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(broken, nil); !errors.Is(err, ErrNoRepository) || !errors.Is(err, ErrGitFile) || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf(".git file that points nowhere: got %v", err)
	}
}

func TestOpenObeysTheEnvironment(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "p/a", "a")
	other := t.TempDir()
	other, err := filepath.EvalSymlinks(other)
	if err != nil {
		t.Fatal(err)
	}
	gitDir := filepath.Join(g.dir, ".git")
	tests := []struct {
		name, dir, root string
		env             map[string]string
	}{
		{"GIT_DIR from elsewhere makes the folder the work tree", other, other, map[string]string{"GIT_DIR": gitDir}},
		{"GIT_DIR in the work tree keeps its top", filepath.Join(g.dir, "p"), g.dir, map[string]string{"GIT_DIR": gitDir}},
		{"relative GIT_DIR", g.dir, g.dir, map[string]string{"GIT_DIR": ".git"}},
		{"GIT_WORK_TREE", g.dir, other, map[string]string{"GIT_DIR": gitDir, "GIT_WORK_TREE": other}},
		{"standing in the Git directory", gitDir, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := openRepo(t, tt.dir, tt.env)
			if r.Root() != tt.root || r.GitDir() != gitDir {
				t.Errorf("got root %q, Git directory %q, want %q, %q", r.Root(), r.GitDir(), tt.root, gitDir)
			}
		})
	}
}

func TestOpenStopsWhereGitDoes(t *testing.T) {
	g := newGitRepo(t)
	dir := filepath.Join(g.dir, "a", "b")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(g.dir, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	list := func(dirs ...string) string { return strings.Join(dirs, string(filepath.ListSeparator)) }
	for _, limits := range []string{"", g.dir, dir, filepath.Dir(dir), filepath.Dir(g.dir), link, list("", link), list("/nowhere", g.dir), list(link, ""), g.dir + "/"} {
		t.Setenv("GIT_CEILING_DIRECTORIES", limits)
		cmd := exec.Command("git", "rev-parse", "--git-dir")
		cmd.Dir = dir
		found := cmd.Run() == nil
		r, err := Open(dir, os.Getenv)
		if err == nil {
			r.Close()
		}
		if (err == nil) != found || err != nil && !errors.Is(err, ErrNoRepository) {
			t.Errorf("%q: got %v, git found it: %v", limits, err, found)
		}
	}
}

// What is pushed is kept apart until a hook has judged it. git tells the hook so.
func TestOpenReadsWhatIsInQuarantine(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "p/a", "a")
	quarantine := filepath.Join(g.dir, ".git", "objects", "tmp_objdir-incoming-x")
	if err := os.Mkdir(quarantine, 0o755); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(g.dir, ".git", "objects")
	env := map[string]string{"GIT_OBJECT_DIRECTORY": quarantine, "GIT_ALTERNATE_OBJECT_DIRECTORIES": own}
	for name, value := range env {
		t.Setenv(name, value)
	}
	blob := g.gitIn("b", "hash-object", "-w", "--stdin")
	g.git("update-index", "--add", "--cacheinfo", "100644,"+blob+",p/b")
	commit, err := ParseHash(g.git("commit-tree", "-p", "HEAD", "-m", "two", g.git("write-tree")))
	if err != nil {
		t.Fatal(err)
	}
	if r := openRepo(t, g.dir, nil); r.store.HasEncodedObject(fromHash(commit)) == nil {
		t.Fatal("the commit isn't in quarantine")
	}
	for _, packed := range []bool{false, true} {
		if packed {
			g.gitIn(g.git("rev-list", "--objects", commit.String(), "^HEAD"), "pack-objects", "-q", filepath.Join(quarantine, "pack", "pack"))
			g.git("prune-packed")
		}
		r := openRepo(t, g.dir, env)
		if got, err := r.Resolve(commit.String()); err != nil || got != commit {
			t.Fatalf("packed %v: got %s, %v, want %s", packed, got, err, commit)
		}
		fsys, err := r.TreeAt(commit, "p")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b"} {
			if got, err := fs.ReadFile(fsys, name); err != nil || string(got) != name {
				t.Errorf("packed %v: %s: got %q, %v", packed, name, got, err)
			}
		}
		if ok, err := r.Descends(commit, g.hash("HEAD")); err != nil || !ok {
			t.Errorf("packed %v: descends: got %v, %v", packed, ok, err)
		}
	}
	folder := filepath.Join(t.TempDir(), "gone")
	r := openRepo(t, g.dir, map[string]string{"GIT_OBJECT_DIRECTORY": folder, "GIT_ALTERNATE_OBJECT_DIRECTORIES": string(filepath.ListSeparator)})
	if _, err := r.Resolve("HEAD"); err != nil {
		t.Errorf("with folders that aren't there: %v", err)
	}
}

// A clone may show other objects in place of some. What was published is those.
func TestReplacementsAreNotFollowed(t *testing.T) {
	g := newGitRepo(t)
	first := g.commit("one", "a", "one")
	second := g.commit("two", "a", "two")
	g.commit("three", "a", "three")
	g.git("replace", second.String(), first.String())
	g.git("replace", "--graft", "HEAD")
	if got := g.git("show", second.String()+":a"); got != "one" {
		t.Fatalf("git shows %q", got)
	}
	r := g.open()
	fsys, err := r.TreeAt(second, ".")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(fsys, "a"); err != nil || string(got) != "two" {
		t.Errorf("got %q, %v, want two", got, err)
	}
	if got, err := r.Resolve("HEAD~1"); err != nil || got != second {
		t.Errorf("HEAD~1: got %s, %v, want %s", got, err, second)
	}
}

func TestOpenSeesPacksThatCameLater(t *testing.T) {
	g := newGitRepo(t)
	first := g.commit("one", "a", "a")
	g.git("gc", "-q")
	r := g.open()
	if _, err := r.Commit(first); err != nil {
		t.Fatal(err)
	}
	second := g.commit("two", "b", "b")
	g.git("gc", "-q", "--prune=now")
	if c, err := r.Commit(second); err != nil || c.Subject != "two" {
		t.Errorf("got %v, %v", c, err)
	}
	fsys, err := r.TreeAt(second, ".")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(fsys, "b"); err != nil || string(got) != "b" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDamagedObjectIsNoticed(t *testing.T) {
	g := newGitRepo(t)
	c := g.commit("one", "a", "the content", "b", "another")
	path := func(rev string) string {
		h := g.hash(rev).String()
		return filepath.Join(g.dir, ".git", "objects", h[:2], h[2:])
	}
	other, err := os.ReadFile(path(":b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path(":a"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path(":a"), other, 0o644); err != nil {
		t.Fatal(err)
	}
	fsys, err := g.open().TreeAt(c, ".")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(fsys, "a"); !errors.Is(err, ErrObject) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %q, %v", got, err)
	}
	// A machine that crashed leaves an empty file, or none.
	if err := os.WriteFile(path(":a"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(fsys, "a"); !errors.Is(err, ErrObject) || !strings.Contains(err.Error(), g.hash(":a").String()) {
		t.Errorf("empty: got %q, %v", got, err)
	}
	if err := os.Remove(path(":a")); err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(fsys, "a"); !errors.Is(err, ErrObject) || !strings.Contains(err.Error(), "not in the object database") {
		t.Errorf("missing: got %q, %v", got, err)
	}
	if err := os.Chmod(path("HEAD"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("HEAD"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := g.open().Resolve("HEAD"); !errors.Is(err, ErrObject) {
		t.Errorf("an empty commit: got %v", err)
	}
}

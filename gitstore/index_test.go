package gitstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

// stagedByGit is what git says is staged: path to mode and id.
func (g *gitRepo) stagedByGit() map[string]string {
	staged := map[string]string{}
	for line := range strings.SplitSeq(g.git("ls-files", "-s", "-z"), "\x00") {
		if fields, path, ok := strings.Cut(line, "\t"); ok {
			staged[path] = strings.TrimSuffix(fields, " 0")
		}
	}
	return staged
}

// checkIndex compares the index, as a file system and as a diff, with git's
// own reading.
func checkIndex(t *testing.T, g *gitRepo, intents ...string) {
	t.Helper()
	r := g.open()
	want := g.stagedByGit()
	for _, path := range intents {
		delete(want, path)
	}
	x, err := r.readIndex(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(x.entries) != len(want) {
		t.Errorf("got %d entries, want %d", len(x.entries), len(want))
	}
	for _, e := range x.entries {
		if got := strings.TrimLeft(modeString(e.mode), " ") + " " + e.hash.String(); got != want[e.path] {
			t.Errorf("%s: got %s, want %s", e.path, got, want[e.path])
		}
	}
	fsys, err := r.Index(".")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for path := range want {
		paths = append(paths, path)
	}
	if err := fstest.TestFS(fsys, paths...); err != nil {
		t.Error(err)
	}
	changes, err := r.StagedPaths(".")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rawChanges(changes), g.rawDiff("--cached", "HEAD"); got != want {
		t.Errorf("StagedPaths: got\n%s\nwant\n%s", got, want)
	}
}

func modeString(m entryMode) string {
	return map[entryMode]string{modeFile: "100644", modeExecutable: "100755", modeSymlink: "120000", modeSubmodule: "160000"}[m]
}

// rawChanges and rawDiff print changes in one form: ids and path.
func rawChanges(changes []PathChange) string {
	var b strings.Builder
	for _, c := range changes {
		b.WriteString(c.From.String() + " " + c.To.String() + " " + c.Path + "\n")
	}
	return b.String()
}

func (g *gitRepo) rawDiff(args ...string) string {
	g.t.Helper()
	out := g.git(append([]string{"diff", "--raw", "-z", "--no-renames", "--abbrev=40"}, args...)...)
	fields := strings.Split(out, "\x00")
	var b strings.Builder
	for i := 0; i+1 < len(fields); i += 2 {
		f := strings.Fields(fields[i])
		b.WriteString(f[2] + " " + f[3] + " " + fields[i+1] + "\n")
	}
	return b.String()
}

// stagedRepo has a commit, and staged changes of every kind.
func stagedRepo(t *testing.T) *gitRepo {
	g := newGitRepo(t)
	g.commit("one", "a.txt", "a", "p/one.cedar", "1", "p/two.cedar", "2", "p/q/three.cedar", "3",
		"r/keep.txt", "k", "r/s/deep.txt", "d", "swap", "file", "p.x/y", "y", "p0", "0", "x.sh", "x")
	g.write("p/one.cedar", "changed")
	g.write("p/new.cedar", "new")
	g.write("p/q/r/s/t.cedar", "far down")
	g.git("rm", "-q", "p/two.cedar", "swap")
	g.write("swap/inside", "now a folder")
	g.git("add", "-A")
	g.git("update-index", "--chmod=+x", "x.sh")
	return g
}

func TestIndexIsReadInEveryVersion(t *testing.T) {
	for _, version := range []string{"2", "3", "4"} {
		t.Run("version "+version, func(t *testing.T) {
			g := stagedRepo(t)
			g.write("intended.txt", "not staged yet")
			g.git("add", "-N", "intended.txt")
			g.git("update-index", "--index-version", version)
			checkIndex(t, g, "intended.txt")
			if fsys, err := g.open().Index("."); err != nil {
				t.Error(err)
			} else if _, err := fs.Stat(fsys, "intended.txt"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("path marked with add -N: got %v, want not exist", err)
			}
		})
	}
}

func TestIndexIsReadAfterEveryKindOfSetting(t *testing.T) {
	tests := map[string]func(g *gitRepo){
		"untracked cache": func(g *gitRepo) { g.git("update-index", "--untracked-cache"); g.git("status") },
		"many files": func(g *gitRepo) {
			g.git("config", "feature.manyFiles", "true")
			g.git("update-index", "--force-write-index")
		},
		"split index": func(g *gitRepo) { g.git("update-index", "--split-index"); g.write("later", "l"); g.git("add", "later") },
		"split index with an intent": func(g *gitRepo) {
			g.git("update-index", "--split-index")
			g.write("later", "l")
			g.git("add", "-N", "later")
			g.write("empty", "")
			g.git("add", "empty")
		},
		"written tree": func(g *gitRepo) { g.git("write-tree") },
		"assume unchanged and skip worktree": func(g *gitRepo) {
			g.git("update-index", "--assume-unchanged", "a.txt")
			g.git("update-index", "--skip-worktree", "r/keep.txt")
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			g := stagedRepo(t)
			change(g)
			if strings.Contains(name, "intent") {
				checkIndex(t, g, "later")
				return
			}
			checkIndex(t, g)
		})
	}
}

// git before 2.40 doesn't know index.skipHash, so the checksum is taken out by
// hand.
func TestIndexWithoutAChecksumIsRead(t *testing.T) {
	g := stagedRepo(t)
	path := filepath.Join(g.dir, ".git", "index")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(content[len(content)-20:])
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	checkIndex(t, g)

	content[len(content)-1] = 1
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := g.open().Index("."); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("wrong checksum: got %v", err)
	}
}

func TestSparseIndexIsRead(t *testing.T) {
	g := stagedRepo(t)
	g.git("commit", "-q", "-m", "two")
	g.git("sparse-checkout", "init", "--cone", "--sparse-index")
	g.git("sparse-checkout", "set", "p")
	g.write("p/one.cedar", "once more")
	g.git("add", "p/one.cedar")
	if !strings.Contains(g.git("ls-files", "--sparse", "-s"), "040000 ") {
		t.Fatal("the index isn't sparse: the test shows nothing")
	}
	checkIndex(t, g)
}

func TestIndexIsTheOneThatTheEnvironmentNames(t *testing.T) {
	g := stagedRepo(t)
	other := filepath.Join(g.dir, ".git", "other-index")
	t.Setenv("GIT_INDEX_FILE", other)
	g.git("read-tree", "HEAD")
	t.Setenv("GIT_INDEX_FILE", "")
	os.Unsetenv("GIT_INDEX_FILE")
	for _, name := range []string{other, filepath.Join(".git", "other-index")} {
		r := openRepo(t, filepath.Join(g.dir, "p"), map[string]string{"GIT_INDEX_FILE": name})
		changes, err := r.StagedPaths(".")
		if err != nil || len(changes) != 0 {
			t.Errorf("%s: got %v, %v, want no changes", name, changes, err)
		}
	}
	if changes, err := g.open().StagedPaths("."); err != nil || len(changes) == 0 {
		t.Errorf("own index: got %v, %v, want changes", changes, err)
	}
}

func TestIndexBelowAFolder(t *testing.T) {
	g := stagedRepo(t)
	r := g.open()
	fsys, err := r.Index("p/q")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(fsys, "three.cedar", "r/s/t.cedar"); err != nil {
		t.Error(err)
	}
	if got, err := fs.ReadFile(fsys, "r/s/t.cedar"); err != nil || string(got) != "far down" {
		t.Errorf("got %q, %v", got, err)
	}
	changes, err := r.StagedPaths("p")
	if got, want := rawChanges(changes), g.rawDiff("--cached", "--relative=p/", "HEAD"); err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	if _, err := r.Index("nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder that isn't staged: got %v, want not exist", err)
	}
	if _, err := r.Index("../out"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("path that leads out: got %v, want invalid", err)
	}
}

func TestEverythingIsStagedBeforeTheFirstCommit(t *testing.T) {
	g := newGitRepo(t)
	r := g.open()
	if changes, err := r.StagedPaths("."); err != nil || len(changes) != 0 {
		t.Errorf("no index: got %v, %v", changes, err)
	}
	g.write("p/a", "a")
	g.git("add", "-A")
	changes, err := r.StagedPaths("p")
	if err != nil || len(changes) != 1 || changes[0].Path != "a" || changes[0].To != g.hash(":p/a") || !changes[0].From.IsZero() {
		t.Errorf("got %v, %v", changes, err)
	}
}

func TestConflictNamesItsPaths(t *testing.T) {
	g := newGitRepo(t)
	g.commit("base", "p/a", "base", "other/b", "b")
	g.git("checkout", "-q", "-b", "side")
	g.commit("side", "p/a", "side")
	g.git("checkout", "-q", "main")
	g.commit("main", "p/a", "main")
	if err := exitStatus(g, "merge", "side"); err == nil {
		t.Fatal("the merge has no conflict: the test shows nothing")
	}
	r := g.open()
	for _, dir := range []string{".", "p"} {
		if _, err := r.Index(dir); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), `"p/a"`) {
			t.Errorf("Index(%s): got %v", dir, err)
		}
		if _, err := r.StagedPaths(dir); !errors.Is(err, ErrConflict) {
			t.Errorf("StagedPaths(%s): got %v", dir, err)
		}
	}
	if _, err := r.Index("other"); err != nil {
		t.Errorf("folder without a conflict: got %v", err)
	}
}

func TestMalformedIndexIsRefused(t *testing.T) {
	entry := func(path string, mode uint32, stage int) []byte {
		e := make([]byte, 62)
		binary.BigEndian.PutUint32(e[24:], mode)
		binary.BigEndian.PutUint16(e[60:], uint16(stage)<<12|uint16(len(path)))
		e = append(e, path...)
		return append(e, make([]byte, 8-len(e)%8)...)
	}
	file := func(version, count uint32, rest ...[]byte) []byte {
		f := binary.BigEndian.AppendUint32([]byte("DIRC"), version)
		f = binary.BigEndian.AppendUint32(f, count)
		return append(append(f, bytes.Join(rest, nil)...), make([]byte, 20)...)
	}
	extension := func(name, data string) []byte {
		return append(binary.BigEndian.AppendUint32([]byte(name), uint32(len(data))), data...)
	}
	a, b := entry("a", 0o100644, 0), entry("b/c", 0o100644, 0)
	if x, err := parseIndex(file(2, 2, a, b, extension("WXYZ", "any")), "."); err != nil || len(x.entries) != 2 {
		t.Fatalf("well-formed index: got %v, %v", x, err)
	}
	tests := map[string]struct {
		content []byte
		want    string
	}{
		"empty":                       {nil, "doesn't begin"},
		"other file":                  {[]byte(strings.Repeat("x", 100)), "doesn't begin"},
		"future version":              {file(9, 0), "version 9"},
		"fewer entries than promised": {file(2, 3, a, b), "too early"},
		"cut entry":                   {file(2, 1, a[:60]), "too early"},
		"path without an end":         {file(2, 1, a[:63]), "too early"},
		"not in order":                {file(2, 2, b, a), "order"},
		"same path twice":             {file(2, 2, a, a), "order"},
		"merged and in conflict":      {file(2, 2, a, entry("a", 0o100644, 1)), "order"},
		"path that leads up":          {file(2, 1, entry("../a", 0o100644, 0)), `".."`},
		"absolute path":               {file(2, 1, entry("/a", 0o100644, 0)), `""`},
		"git directory":               {file(2, 1, entry("p/.git/config", 0o100644, 0)), `".git"`},
		"unknown mode":                {file(2, 1, entry("a", 0o060000, 0)), "mode"},
		"folder":                      {file(2, 1, entry("a", 0o040000, 0)), "mode"},
		"cut extension":               {file(2, 1, a, extension("TREE", "data")[:9]), "too early"},
		"unknown extension":           {file(2, 1, a, extension("wxyz", "")), "wxyz"},
	}
	for name, tt := range tests {
		if _, err := parseIndex(tt.content, "."); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, tt.want)
		}
	}
	x, err := parseIndex(file(2, 2, a, entry("a/b", 0o100644, 0)), ".")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.merged(); err == nil || !strings.Contains(err.Error(), "both a file and a folder") {
		t.Errorf("file and folder: got %v", err)
	}
	for form, name := range map[string]string{"split": "link", "sparse": "sdir"} {
		_, err := parseIndex(file(2, 1, a, extension(name, "")), ".")
		if special, ok := errors.AsType[*specialIndexError](err); !ok || special.form != form {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestDamagedIndexSaysWhatToDo(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "a", "1")
	for _, content := range []string{"", "DIRC and no more", strings.Repeat("x", 100)} {
		g.writeIn("index", content)
		if _, err := g.open().Index("."); err == nil || !strings.Contains(err.Error(), "index: index is malformed") || !strings.Contains(err.Error(), "git reset writes it anew") {
			t.Errorf("%q: got %v", content, err)
		}
	}
	if err := os.Remove(filepath.Join(g.dir, ".git", "index")); err != nil {
		t.Fatal(err)
	}
	g.git("reset", "-q")
	if _, err := g.open().Index("."); err != nil {
		t.Errorf("as it says: %v", err)
	}
}

func TestSplitIndexWithoutGitSaysWhatToDo(t *testing.T) {
	g := stagedRepo(t)
	g.git("update-index", "--split-index")
	t.Setenv("PATH", t.TempDir())
	_, err := (&gitRepo{t, g.dir}).open().Index(".")
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "--no-split-index") {
		t.Errorf("got %v", err)
	}
}

func FuzzParseIndex(f *testing.F) {
	g := newGitRepo(f)
	g.commit("one", "a", "a", "p/b", "b", "p/q/c", "c")
	for _, version := range []string{"2", "3", "4"} {
		g.write("new"+version, "n")
		g.git("add", "-N", "new"+version)
		g.git("update-index", "--index-version", version)
		content, err := os.ReadFile(filepath.Join(g.dir, ".git", "index"))
		if err != nil {
			f.Fatal(err)
		}
		clear(content[len(content)-20:])
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if n := len(content); n > 20 {
			clear(content[n-20:])
		}
		x, err := parseIndex(content, ".")
		if err != nil {
			return
		}
		l, err := x.merged()
		if err != nil {
			return
		}
		for _, e := range l.entries {
			if got, ok, err := l.find(e.path); !fs.ValidPath(e.path) && utf8.ValidString(e.path) || !ok || err != nil || got.hash != e.hash {
				t.Errorf("%q: got %v, %v, %v", e.path, got, ok, err)
			}
		}
		if _, err := parseIndex(content, "p"); err != nil {
			t.Errorf("whole index is read, a folder isn't: %v", err)
		}
	})
}

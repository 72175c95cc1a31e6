package gitstore

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/gittest"
)

// A site is a bare repository that plays the remote, and a clone that made its
// commits.
type site struct {
	t       *testing.T
	root    string // holds remote.git
	bare    string
	work    string
	commits []Hash // oldest first, all on main
}

func newSite(t *testing.T, commits int) *site {
	t.Helper()
	isolateGit(t) // file remotes and credential helpers run git with our environment
	s := &site{t: t, root: t.TempDir()}
	s.bare = filepath.Join(s.root, "remote.git")
	s.work = filepath.Join(t.TempDir(), "work")
	gittest.Git(t, s.root, "init", "-q", "--bare", "-b", "main", s.bare)
	gittest.Git(t, s.root, "init", "-q", "-b", "main", s.work)
	gittest.Git(t, s.work, "remote", "add", "origin", s.bare)
	var stream strings.Builder // one process instead of four for each commit
	for i := range commits {
		text := strings.Repeat("// line\n", i+1)
		fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter Ann <ann@example.com> %d +0000\ndata 6\nchange\n", 1772000000+i)
		fmt.Fprintf(&stream, "M 644 inline policies/a.cedar\ndata %d\n%s\n", len(text), text)
	}
	importing := exec.Command("git", "fast-import", "--quiet")
	importing.Dir = s.work
	importing.Stdin = strings.NewReader(stream.String())
	if out, err := importing.CombinedOutput(); err != nil {
		t.Fatalf("git fast-import: %v\n%s", err, out)
	}
	gittest.Git(t, s.work, "reset", "-q", "--hard")
	for _, line := range strings.Fields(gittest.Git(t, s.work, "rev-list", "--reverse", "main")) {
		s.commits = append(s.commits, mustHash(t, line))
	}
	s.push()
	return s
}

func (s *site) commit(files map[string]string) Hash {
	s.t.Helper()
	h := mustHash(s.t, gittest.Commit(s.t, s.work, "change", files))
	s.commits = append(s.commits, h)
	return h
}

func (s *site) push() { gittest.Git(s.t, s.work, "push", "-q", "origin", "main") }

func (s *site) tip() Hash { return s.commits[len(s.commits)-1] }

// clone clones the remote from url and opens the clone.
func (s *site) clone(url string, args ...string) *Repo {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "clone")
	gittest.Git(s.t, s.root, append(append([]string{"clone", "-q"}, args...), url, dir)...)
	return openRepo(s.t, dir, nil)
}

// origin opens a remote with a temporary folder that must be empty in the end.
func origin(t *testing.T, r *Repo, opts RemoteOptions) Origin {
	t.Helper()
	opts.TempDir = t.TempDir()
	o, err := r.Remote(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(opts.TempDir); len(left) > 0 {
			t.Errorf("Close left %d entries in the temporary folder", len(left))
		}
	})
	return o
}

func mustHash(t *testing.T, s string) Hash {
	t.Helper()
	h, err := ParseHash(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func testRecord(set string, version int) Record {
	return Record{
		Target:        "production",
		Project:       ".",
		ZoneID:        "zone_prd",
		PolicySetID:   "ps_31",
		PolicySet:     set,
		VersionID:     "psv_9c",
		Version:       version,
		SchemaVersion: "2026-03-16",
		ManifestSHA:   "sha256:" + strings.Repeat("3f", 32),
		CreatedAt:     time.Date(2026, 3, 1, 9, 30, 0, 123000000, time.UTC),
		CreatedBy:     "user_1",
		SetDigest:     strings.Repeat("b7", 32),
		DigestFormat:  1,
		Attestation:   []byte(`{"payload":"eyJ<>"}`),
		Approvals:     []Approval{{Gate: "widened", Reason: "agreed: yes & no", By: "ann", Source: "flag"}},
		Entries: []RecordEntry{
			{Policy: "finance-read", PolicyID: "pol_1", VersionID: "pv_1", Version: 3, SHA: strings.Repeat("9f", 32)},
			{Policy: "<b>", PolicyID: "pol_2", VersionID: "pv_2", Version: 1, SHA: strings.Repeat("0a", 32)},
		},
	}
}

func testPin(t *testing.T, commit Hash, rec Record) *Pin {
	t.Helper()
	p, err := NewPin("production", commit, rec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pushed fails the test unless a push of one pin succeeded.
func pushed(t *testing.T, results []PushResult, err error) PushResult {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 {
		t.Fatalf("got %d results, want 1", len(results))
	}
	if results[0].Err != nil {
		t.Fatal(results[0].Err)
	}
	return results[0]
}

// gitFiles is every file of a Git directory, except those that only say when
// something was looked at.
func gitFiles(t *testing.T, gitDir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(gitDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(gitDir, path)
		files[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A depth-1 clone can read the tip, answer questions about history, read older
// commits and publish, over each kind of URL, and gains nothing but the pin.
func TestDepthOneClone(t *testing.T) {
	for _, filter := range []string{"true", "false"} {
		for _, anySHA := range []string{"true", "false"} {
			for _, scheme := range []string{"http", "file"} {
				t.Run(scheme+" filter="+filter+" anySHA="+anySHA, func(t *testing.T) {
					s := newSite(t, 150)
					gittest.Git(t, s.bare, "config", "uploadpack.allowFilter", filter)
					gittest.Git(t, s.bare, "config", "uploadpack.allowAnySHA1InWant", anySHA)
					url := "file://" + s.bare
					if scheme == "http" {
						url = gittest.Serve(t, s.root, gittest.ServeOptions{}).URL + "/remote.git"
					}
					testDepthOne(t, s, s.clone(url, "--depth=1"))
				})
			}
		}
	}
}

func testDepthOne(t *testing.T, s *site, clone *Repo) {
	before := gitFiles(t, clone.GitDir())
	var said []string
	o := origin(t, clone, RemoteOptions{Progress: func(m string) { said = append(said, m) }})
	ctx := t.Context()

	refs, err := o.Refs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if branch, tip, ok := refs.Branch(""); branch != "main" || tip != s.tip() || !ok {
		t.Errorf("default branch is %q at %s (%v), want main at %s", branch, tip, ok, s.tip())
	}
	if len(said) > 0 {
		t.Errorf("listing fetched something: %q", said)
	}
	for _, c := range []struct {
		what      string
		desc, anc Hash
		want      bool
	}{
		{"the tip from itself", s.tip(), s.tip(), true},
		{"the tip from its parent", s.tip(), s.commits[148], true},
		{"the tip from 100 commits before", s.tip(), s.commits[49], true},
		{"100 commits before from the tip", s.commits[49], s.tip(), false},
		{"the tip from something else", s.tip(), Hash{1}, false},
	} {
		got, err := o.Descends(ctx, c.desc, c.anc)
		if err != nil || got != c.want {
			t.Errorf("%s: got %v, %v, want %v", c.what, got, err, c.want)
		}
	}
	if len(said) == 0 {
		t.Error("nothing was said about the fetched history")
	}
	for _, i := range []int{149, 148, 20} {
		fsys, err := o.TreeAt(ctx, s.commits[i], "policies")
		if err != nil {
			t.Fatalf("commit %d: %v", i, err)
		}
		f, err := fsys.Open("a.cedar")
		if err != nil {
			t.Fatalf("commit %d: %v", i, err)
		}
		info, err := f.Stat()
		if err != nil || info.Size() != int64(8*(i+1)) {
			t.Errorf("commit %d: the file has %d bytes, want %d (%v)", i, info.Size(), 8*(i+1), err)
		}
		f.Close()
	}

	pin := testPin(t, s.tip(), testRecord("agents", 12))
	results, err := o.PushPins(ctx, []*Pin{pin})
	if res := pushed(t, results, err); !res.New || res.Pin.Object != pin.Object {
		t.Errorf("push: got %+v", res)
	}
	after := gitFiles(t, clone.GitDir())
	for name := range after {
		if _, ok := before[name]; ok {
			continue
		}
		object := pin.Object.String()
		if name != "objects/"+object[:2]+"/"+object[2:] && name != "refs/tags/"+pin.Name {
			t.Errorf("the clone gained %s", name)
		}
	}
	for name, content := range before {
		if after[name] != content {
			t.Errorf("%s has changed in the clone", name)
		}
	}
	if out := gittest.Git(t, clone.Root(), "fsck", "--strict", "--no-dangling"); strings.Contains(out, "error") {
		t.Errorf("fsck of the clone: %s", out)
	}
	if got := gittest.Git(t, clone.Root(), "log", "--format=%H"); got != s.tip().String() {
		t.Errorf("git log in the clone: got %q", got)
	}
	gittest.Git(t, s.bare, "fsck", "--strict")
	if got := gittest.Git(t, s.bare, "rev-parse", pin.Name+"^{commit}"); got != s.tip().String() {
		t.Errorf("the remote's tag points to %s, want %s", got, s.tip())
	}
}

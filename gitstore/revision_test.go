package gitstore

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// historyRepo has a merge, tags of all kinds, and a remote branch.
func historyRepo(t testing.TB) *gitRepo {
	g := newGitRepo(t)
	g.commit("one", "a", "1")
	g.commit("two", "a", "2")
	g.git("tag", "light")
	g.git("tag", "-a", "-m", "a tag", "annotated")
	g.git("tag", "-a", "-m", "a tag of a tag", "twice", "annotated")
	g.git("tag", "-a", "-m", "a pin", "policypin/production/agents/v12")
	g.git("checkout", "-q", "-b", "feature/x", "HEAD~1")
	g.commit("side", "b", "side")
	g.git("checkout", "-q", "main")
	g.git("merge", "-q", "--no-ff", "-m", "merge", "feature/x")
	g.commit("five", "c", "5")
	g.git("update-ref", "refs/remotes/origin/main", "HEAD~1")
	g.git("update-ref", "refs/remotes/origin/topic", "HEAD~2")
	g.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	g.git("update-ref", "refs/policypin/lock/zone", "HEAD")
	return g
}

func TestRevisionsNameWhatGitSays(t *testing.T) {
	g := historyRepo(t)
	r := g.open()
	full := g.hash("HEAD~1").String()
	revs := []string{
		"HEAD", "@", "main", "heads/main", "refs/heads/main", "feature/x", "origin/main", "origin", "origin/topic",
		"remotes/origin/topic", "light", "annotated", "tags/annotated", "refs/tags/twice", "twice",
		"policypin/production/agents/v12", "refs/policypin/lock/zone", "policypin/lock/zone",
		full, full[:7], full[:5], strings.ToUpper(full[:8]), strings.ToUpper(full),
		g.hash("annotated").String(), g.hash("annotated").String()[:8],
		"HEAD^", "HEAD^0", "HEAD^1", "HEAD~", "HEAD~0", "HEAD~1", "HEAD~3", "HEAD^^", "HEAD~1^2", "HEAD~1^2~1", "@~2^0~1",
		"main^^2", "annotated^", "twice^0", full + "^2", full[:9] + "~1", "origin/main~1^0",
	}
	for _, rev := range revs {
		want := g.hash(rev + "^{commit}")
		if got, err := r.Resolve(rev); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", rev, got, err, want)
		}
	}
	for _, rev := range []string{"nowhere", "HEAD~9", "HEAD^3", "main^2", "nowhere~1", "refs/heads/nowhere", "FETCH_HEAD",
		"config", "abcdefabcdef", strings.Repeat("ab", 20), g.hash("HEAD:a").String(), "refs", "refs/heads", "feature"} {
		if got, err := r.Resolve(rev); !errors.Is(err, ErrNoRevision) {
			t.Errorf("%s: got %s, %v, want ErrNoRevision", rev, got, err)
		}
	}
	for rev, why := range map[string]string{
		"": "empty", "HEAD^{tree}": "^{…}", "HEAD^{}": "^{…}", "main@{1}": "reflog", "@{u}": "reflog", "@{-1}": "reflog",
		"HEAD:path": "file", ":path": "staged", ":/text": "searches", "HEAD..main": "range", "HEAD...main": "range",
		"^HEAD": "name", "~1": "name", "HEAD~99999999999999999999": "large", "HEAD~x": "follow", "HEAD^-": "follow", "HEAD^!": "follow",
		"HEAD^@": "follow", "--all": "begin", "a b": "character", "a\nb": "control", "a*": "character", "/main": "ref name",
		"main/": "ref name", ".hidden": "ref name", "main.lock": "ref name", strings.Repeat("x", 5000): "long",
	} {
		if got, err := r.Resolve(rev); !errors.Is(err, ErrRevisionSyntax) || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %s, %v, want ErrRevisionSyntax with %q", clip(rev), got, err, why)
		}
	}
}

func TestRevisionThatIsTwoThingsIsRefused(t *testing.T) {
	g := newGitRepo(t)
	first := g.commit("one", "a", "1")
	g.git("tag", "both")
	g.git("branch", "both")
	r := g.open()
	if got, err := r.Resolve("both"); err != nil || got != first {
		t.Errorf("a tag and a branch of one commit: got %s, %v", got, err)
	}
	second := g.commit("two", "a", "2")
	g.git("branch", "-f", "both")
	if _, err := r.Resolve("both"); !errors.Is(err, ErrNoRevision) || !strings.Contains(err.Error(), "refs/heads/both") {
		t.Errorf("a tag and a branch of two commits: got %v", err)
	}
	if got, err := r.Resolve("heads/both"); err != nil || got != second {
		t.Errorf("its full name: got %s, %v", got, err)
	}
}

func TestAmbiguousAbbreviationIsRefused(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "a", "1")
	// Commits are made until two of them begin alike.
	var script strings.Builder
	for i := range 1500 {
		script.WriteString("commit refs/heads/many\nmark :1\ncommitter A <a@example.com> 1772359200 +0000\ndata <<E\n" +
			strings.Repeat("x", i+1) + "\nE\nfrom refs/heads/main\n\n")
		script.WriteString("reset refs/heads/many\nfrom refs/heads/main\n\n")
	}
	g.gitIn(script.String(), "fast-import", "--quiet", "--force")
	seen := map[string]bool{}
	ambiguous := ""
	for line := range strings.Lines(g.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")) {
		id, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
		if kind != "commit" {
			continue
		}
		if seen[id[:4]] {
			ambiguous = id[:4]
		}
		seen[id[:4]] = true
	}
	if ambiguous == "" {
		t.Fatal("no two commits begin with the same four digits: the test shows nothing")
	}
	if got, err := g.open().Resolve(ambiguous); !errors.Is(err, ErrNoRevision) || !strings.Contains(err.Error(), "ambiguous") {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestUnbornBranchHasNoRevision(t *testing.T) {
	r := newGitRepo(t).open()
	if _, err := r.Resolve("HEAD"); !errors.Is(err, ErrNoRevision) {
		t.Errorf("got %v", err)
	}
}

func TestShallowHistorySaysSo(t *testing.T) {
	g := historyRepo(t)
	dir := filepath.Join(filepath.Dir(g.dir), "shallow")
	g.git("clone", "-q", "--depth=2", "file://"+g.dir, dir)
	r := openRepo(t, dir, nil)
	head, err := r.Resolve("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	if !r.IsShallow() || g.open().IsShallow() {
		t.Error("IsShallow is wrong")
	}
	if got, err := r.Resolve("HEAD~1"); err != nil || got != g.hash("HEAD~1") {
		t.Errorf("HEAD~1: got %s, %v", got, err)
	}
	if _, err := r.Resolve("HEAD~2"); !errors.Is(err, ErrNoRevision) || !errors.Is(err, ErrShallow) {
		t.Errorf("HEAD~2: got %v", err)
	}
	if ok, err := r.Descends(head, g.hash("HEAD~1")); err != nil || !ok {
		t.Errorf("Descends, in sight: got %v, %v", ok, err)
	}
	if ok, err := r.Descends(head, g.hash("HEAD~2")); err != nil || !ok {
		t.Errorf("Descends, the parent that the last commit names: got %v, %v", ok, err)
	}
	if _, err := r.Descends(head, g.hash("HEAD~3")); !errors.Is(err, ErrShallow) {
		t.Errorf("Descends, out of sight: got %v", err)
	}
	if list, err := r.History(head, 2); err != nil || len(list) != 2 {
		t.Errorf("History(2): got %d, %v", len(list), err)
	}
	if list, err := r.History(head, 3); !errors.Is(err, ErrShallow) || len(list) != 2 {
		t.Errorf("History(3): got %d, %v", len(list), err)
	}
	if list, err := r.History(head, -1); !errors.Is(err, ErrShallow) || len(list) != 2 {
		t.Errorf("History(all): got %d, %v", len(list), err)
	}
}

func TestDescendsAnswersLikeGit(t *testing.T) {
	g := historyRepo(t)
	r := g.open()
	commits := strings.Fields(g.git("rev-list", "--all"))
	for _, a := range commits {
		for _, b := range commits {
			err := exitStatus(g, "merge-base", "--is-ancestor", b, a)
			if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
				t.Fatal(err)
			}
			got, derr := r.Descends(g.hash(a), g.hash(b))
			if derr != nil || got != (err == nil) {
				t.Errorf("Descends(%.7s, %.7s): got %v, %v, want %v", a, b, got, derr, err == nil)
			}
		}
	}
	if got, err := r.Descends(g.hash("HEAD"), Hash{1}); err != nil || got {
		t.Errorf("unknown ancestor: got %v, %v", got, err)
	}
	if _, err := r.Descends(Hash{1}, g.hash("HEAD")); !errors.Is(err, ErrNoRevision) {
		t.Errorf("unknown descendant: got %v", err)
	}
	if _, err := r.Descends(Hash{1}, Hash{1}); !errors.Is(err, ErrNoRevision) {
		t.Errorf("unknown commit and itself: got %v", err)
	}
}

// A clock that goes backwards makes descendants look older than ancestors.
func TestDescendsDoesNotTrustTimes(t *testing.T) {
	g := newGitRepo(t)
	anc := g.commit("one", "a", "1")
	for _, year := range []string{"2030", "1999", "2020", "1990"} {
		t.Setenv("GIT_COMMITTER_DATE", year+"-01-01T00:00:00Z")
		t.Setenv("GIT_AUTHOR_DATE", year+"-01-01T00:00:00Z")
		g.commit(year, "a", year)
	}
	if ok, err := g.open().Descends(g.hash("HEAD"), anc); err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestHistoryIsTheFirstParents(t *testing.T) {
	g := historyRepo(t)
	r := g.open()
	list, err := r.History(g.hash("HEAD"), -1)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range list {
		got = append(got, c.Hash.String()+" "+c.Tree.String()+" "+c.Author+" "+c.When.Format("2006-01-02T15:04:05-07:00")+" "+c.Subject)
	}
	want := g.git("log", "--first-parent", "--format=%H %T %an <%ae> %aI %s")
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	if list, err := r.History(g.hash("HEAD"), 2); err != nil || len(list) != 2 {
		t.Errorf("two: got %d, %v", len(list), err)
	}
}

func TestSubjectIsTheFirstParagraph(t *testing.T) {
	g := newGitRepo(t)
	r := g.open()
	for _, message := range []string{"one line", "two\nlines\n\nand a body", "\n\nlate", "tab\tinside", ""} {
		g.git("commit", "-q", "--allow-empty", "--allow-empty-message", "--cleanup=verbatim", "-m", message)
		c, err := r.Commit(g.hash("HEAD"))
		if want := g.git("log", "-1", "--format=%s"); err != nil || c.Subject != want {
			t.Errorf("%q: got %q, %v, want %q", message, c.Subject, err, want)
		}
	}
}

func FuzzParseRevision(f *testing.F) {
	for _, s := range []string{"HEAD", "@", "main~3^2", "a/b^0~", "HEAD^{tree}", "@{u}", "x:y", "..", "~", "a~99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rev, err := parseRevision(s)
		if err != nil {
			if !errors.Is(err, ErrRevisionSyntax) {
				t.Errorf("got %v", err)
			}
			return
		}
		if rev.base == "" || strings.ContainsAny(rev.base, "^~: \\") || strings.Contains(rev.base, "..") || strings.Contains(rev.base, "@{") {
			t.Errorf("%q: base %q got through", s, rev.base)
		}
		for _, st := range rev.steps {
			if st.n < 0 || st.n > maxSteps {
				t.Errorf("%q: step %d", s, st.n)
			}
		}
	})
}

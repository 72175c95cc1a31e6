package publish_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/zone"
)

// A world is a bare remote, a clone of it, and a zone.
type world struct {
	testing.TB
	remote, clone string
	zone          *zone.Server
	requests      *recorder
}

// A recorder keeps the list of requests that reach the zone.
type recorder struct {
	next http.RoundTripper
	mu   sync.Mutex
	list []string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.list = append(r.list, req.Method+" "+req.URL.RequestURI())
	r.mu.Unlock()
	return r.next.RoundTrip(req)
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

const zoneID = "zone_prd"

func newWorld(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{TB: t, remote: filepath.Join(dir, "remote.git"), clone: filepath.Join(dir, "clone")}
	w.run(dir, "git", "init", "-q", "--bare", "-b", "main", w.remote)
	w.run(dir, "git", "clone", "-q", w.remote, w.clone)
	w.run(w.clone, "git", "checkout", "-q", "-b", "main")
	z, err := zone.Open(zone.Options{NoAuth: true, FixedClock: true, SequentialIDs: true, Zones: []string{zoneID}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	w.zone = z
	w.requests = &recorder{next: z.Transport()}
	return w
}

// run runs a program and returns what it printed.
func (w *world) run(dir, name string, args ...string) string {
	w.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
		"GIT_AUTHOR_DATE=2025-12-31T03:04:05Z", "GIT_COMMITTER_DATE=2025-12-31T03:04:05Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) git(args ...string) string { w.Helper(); return w.run(w.clone, "git", args...) }

// write puts files, given as name and content, into the clone.
func (w *world) write(files map[string]string) {
	w.Helper()
	for name, text := range files {
		path := filepath.Join(w.clone, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			w.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			w.Fatal(err)
		}
	}
}

// commit writes files, commits all and pushes main.
func (w *world) commit(files map[string]string) gitstore.Hash {
	w.Helper()
	w.write(files)
	w.git("add", "-A")
	w.git("commit", "-q", "--allow-empty", "-m", "a change")
	w.git("push", "-q", "origin", "HEAD")
	return w.head()
}

func (w *world) head() gitstore.Hash {
	w.Helper()
	h, err := gitstore.ParseHash(w.git("rev-parse", "HEAD"))
	if err != nil {
		w.Fatal(err)
	}
	return h
}

const projectFile = `apiVersion: policypin.dev/v1
kind: Project
targets:
  production:
    zone_id: zone_prd
    branch: main
    active: agents
default_target: production
`

// set is the text of a manifest.
func set(name string, policies ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: %s\nschema_version: \"2026-06-18\"\nentries:\n", name)
	for _, p := range policies {
		if name, number, ok := strings.Cut(p, "@"); ok {
			fmt.Fprintf(&b, "  - policy: %s\n    version: %s\n", name, number)
			continue
		}
		fmt.Fprintf(&b, "  - policy: %s\n    source: policies/%s.cedar\n", p, p)
	}
	return b.String()
}

// policy is the text of a policy for one group.
func policy(group string) string {
	return fmt.Sprintf("permit (principal is Keycard::User, action, resource)\nwhen { principal has groups && principal.groups.contains(%q) };\n", group)
}

// project is a small valid project.
func (w *world) project() map[string]string {
	w.Helper()
	schema, err := os.ReadFile("../zone/schemas/2026-06-18.cedarschema")
	if err != nil {
		w.Fatal(err)
	}
	return map[string]string{
		"policypin.yaml":                 projectFile,
		"schemas/2026-06-18.cedarschema": string(schema),
		"policy-sets/agents.yaml":        set("agents", "finance", "ops", "default-user-grants@3"),
		"policies/finance.cedar":         policy("finance"),
		"policies/ops.cedar":             policy("ops"),
	}
}

func (w *world) client() *keycard.Client {
	w.Helper()
	c, err := keycard.New(keycard.Config{
		BaseURL: "http://127.0.0.1", Transport: w.requests,
		RetryBase: time.Millisecond, LookupFor: 50 * time.Millisecond,
	}, zoneID)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *world) source(commit gitstore.Hash) publish.Source {
	w.Helper()
	repo, err := gitstore.Open(w.clone, nil)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { repo.Close() })
	origin, err := repo.Remote(gitstore.RemoteOptions{Name: "origin"})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { origin.Close() })
	return publish.Source{Repo: repo, Origin: origin, Commit: commit, Dir: ".", Target: "production"}
}

func (w *world) publish(commit gitstore.Hash, opts publish.Options) (*publish.Receipt, error) {
	w.Helper()
	opts.LookupFor = 50 * time.Millisecond
	return publish.Publish(context.Background(), w.client(), w.source(commit), opts)
}

// mustPublish publishes and returns the receipt of the only set, or of agents.
func (w *world) mustPublish(commit gitstore.Hash, opts publish.Options) publish.SetReceipt {
	w.Helper()
	rc, err := w.publish(commit, opts)
	if err != nil {
		w.Fatalf("publish: %v", err)
	}
	return agents(rc)
}

func agents(rc *publish.Receipt) publish.SetReceipt {
	i := slices.IndexFunc(rc.Sets, func(s publish.SetReceipt) bool { return s.Name == "agents" })
	if i < 0 {
		return publish.SetReceipt{}
	}
	return rc.Sets[i]
}

// refused fails the test unless err is a refusal with the code.
func (w *world) refused(err error, code string) *publish.Refusal {
	w.Helper()
	var r *publish.Refusal
	if !errors.As(err, &r) || r.Code != code {
		w.Fatalf("error is %v (%T), want a refusal with code %s", err, err, code)
	}
	return r
}

// active is the id of the version that decides.
func (w *world) active() string {
	w.Helper()
	yes := true
	for s, err := range w.client().PolicySets(context.Background(), keycard.ListOptions{Active: &yes}) {
		if err != nil {
			w.Fatal(err)
		}
		return s.ActiveVersionID
	}
	return ""
}

// versions are the numbers of a set's unarchived versions, in order.
func (w *world) versions(set string) []int {
	w.Helper()
	ctx, c := context.Background(), w.client()
	var numbers []int
	for s, err := range c.PolicySets(ctx, keycard.ListOptions{}) {
		if err != nil {
			w.Fatal(err)
		}
		if s.Name != set {
			continue
		}
		for v, err := range c.SetVersions(ctx, s.ID, keycard.ListOptions{Order: "asc"}) {
			if err != nil {
				w.Fatal(err)
			}
			if v.ArchivedAt == nil {
				numbers = append(numbers, v.Version)
			}
		}
	}
	return numbers
}

// tags are the pins on the remote.
func (w *world) tags() []string {
	w.Helper()
	out := w.run(w.remote, "git", "tag", "-l")
	if out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}

// listAll lists everything.
var listAll = keycard.ListOptions{}

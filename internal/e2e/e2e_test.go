// Package e2e_test runs the built policypin as real processes, against a real
// policypin serve and a real git http-backend, and breaks them on purpose.
package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/gittest"
)

// binary is the policypin under test, built once.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	// The runs mostly wait for a dead holder's lock, not for a processor.
	flag.Set("test.parallel", "16")
	dir, err := os.MkdirTemp("", "policypin-e2e-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "policypin")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/policypin")
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// TestToolIsBuiltFromTheseSources looks at what the tool is built from. go test
// takes a result from its cache while nothing that tests looked at has changed,
// and doesn't see what a build inside a test reads.
func TestToolIsBuiltFromTheseSources(t *testing.T) {
	n := 0
	for _, root := range []string{"cmd", "diag", "gitstore", "internal", "manifest", "schema"} {
		err := filepath.WalkDir(filepath.Join("../..", root), func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "node_modules":
				return fs.SkipDir
			case d.IsDir() || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			n++
			_, err = os.Stat(name)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 200 {
		t.Errorf("found %d files", n)
	}
}

const (
	token  = "e2e-token-of-the-local-zone"
	zoneID = "zone_prd"
	schema = "2026-06-18"
)

// sets are the policy sets of the test project.
var sets = []string{"admins", "agents", "readers"}

// A world is what lasts between processes: a bare remote, a clone, and the
// store of a zone.
type world struct {
	testing.TB
	dir string
}

func (w *world) remote() string { return filepath.Join(w.dir, "git", "project.git") }
func (w *world) clone() string  { return filepath.Join(w.dir, "clone") }
func (w *world) store() string  { return filepath.Join(w.dir, "zone.db") }

// newWorld makes a remote with a clone of it and an empty zone.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(w.dir, "git"), 0o777); err != nil {
		t.Fatal(err)
	}
	gittest.Git(t, w.dir, "init", "-q", "--bare", "-b", "main", w.remote())
	gittest.Git(t, w.remote(), "config", "http.receivepack", "true")
	gittest.Git(t, w.dir, "clone", "-q", w.remote(), w.clone())
	gittest.Git(t, w.clone(), "checkout", "-q", "-b", "main")
	return w
}

// copyOf is a world of its own with the same content.
func copyOf(t testing.TB, from *world) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir()}
	if out, err := exec.Command("cp", "-a", from.dir+"/.", w.dir).CombinedOutput(); err != nil {
		t.Fatalf("copying the world: %v\n%s", err, out)
	}
	gittest.Git(t, w.clone(), "remote", "set-url", "origin", w.remote())
	return w
}

func (w *world) git(args ...string) string { w.Helper(); return gittest.Git(w, w.clone(), args...) }

// commit writes files, commits them and pushes the branch.
func (w *world) commit(message string, files map[string]string) string {
	w.Helper()
	id := gittest.Commit(w, w.clone(), message, files)
	w.git("push", "-q", "origin", "HEAD")
	return id
}

func policy(group string) string {
	return fmt.Sprintf("permit (principal is Keycard::User, action, resource)\nwhen { principal has groups && principal.groups.contains(%q) };\n", group)
}

func manifest(name string, policies ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: %s\nschema_version: %q\nentries:\n", name, schema)
	for _, p := range policies {
		if name, number, ok := strings.Cut(p, "@"); ok {
			fmt.Fprintf(&b, "  - policy: %s\n    version: %s\n", name, number)
			continue
		}
		fmt.Fprintf(&b, "  - policy: %s\n    source: policies/%s.cedar\n", p, p)
	}
	return b.String()
}

// project has three sets that share a policy.
func project(t testing.TB) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../zone/schemas/" + schema + ".cedarschema")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"policypin.yaml": `apiVersion: policypin.dev/v1
kind: Project
targets:
  production:
    zone_id: zone_prd
    branch: main
    active: agents
`,
		"schemas/" + schema + ".cedarschema": string(text),
		"policy-sets/admins.yaml":            manifest("admins", "shared", "admin"),
		"policy-sets/agents.yaml":            manifest("agents", "shared", "agent", "default-user-grants@3"),
		"policy-sets/readers.yaml":           manifest("readers", "shared", "reader"),
		"policies/shared.cedar":              policy("everybody"),
		"policies/admin.cedar":               policy("admins"),
		"policies/agent.cedar":               policy("agents"),
		"policies/reader.cedar":              policy("readers"),
	}
}

// A process is a running policypin.
type process struct {
	*exec.Cmd
	out  *bytes.Buffer
	done chan struct{}
}

// start runs policypin in a folder with more environment.
func start(t testing.TB, dir string, env []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	cmd.Env = append(gittest.Env(), env...)
	p := &process{Cmd: cmd, out: &bytes.Buffer{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	return p
}

// wait returns the exit status and what was printed; -1 for a killed process.
func (p *process) wait(t testing.TB) (int, string) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(2 * time.Minute):
		p.Process.Kill()
		<-p.done
		t.Fatalf("%v did not end\n%s", p.Args, p.out)
	}
	return p.ProcessState.ExitCode(), p.out.String()
}

// kill ends the process at once and waits until it is gone.
func (p *process) kill() {
	p.Process.Kill()
	<-p.done
}

// A zoneProcess is a running policypin serve.
type zoneProcess struct {
	testing.TB
	url string
	cmd *exec.Cmd
}

// serve starts the zone of a world.
func (w *world) serve() *zoneProcess {
	w.Helper()
	cmd := exec.Command(binary, "serve", "--addr", "127.0.0.1:0", "--db", w.store(), "--zone", zoneID,
		"--clock", "fixed", "--ids", "sequential")
	cmd.Env = append(gittest.Env(), "KEYCARD_API_TOKEN="+token)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	z := &zoneProcess{TB: w, cmd: cmd}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
			z.url = strings.TrimSpace(url)
			break
		}
	}
	if z.url == "" {
		w.Fatalf("policypin serve did not say where it listens")
	}
	go io.Copy(io.Discard, out)
	var once sync.Once
	stop := func() { once.Do(func() { cmd.Process.Kill(); cmd.Wait() }) }
	w.Cleanup(stop)
	return z
}

// stop ends the zone the hard way, so that its store can be opened again.
func (z *zoneProcess) stop() { z.cmd.Process.Kill(); z.cmd.Wait() }

// get reads one answer of the zone, as any client would.
func (z *zoneProcess) get(path string, into any) {
	z.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", z.url+"/zones/"+zoneID+path, nil)
	if err != nil {
		z.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		z.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		z.Fatalf("GET %s: %d %v\n%s", path, res.StatusCode, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		z.Fatalf("GET %s: %v", path, err)
	}
}

type list[T any] struct {
	Items []T `json:"items"`
}

type policySet struct {
	ID              string  `json:"id"`
	Name            string  `json:"name"`
	ActiveVersion   int     `json:"active_version"`
	ActiveVersionID *string `json:"active_version_id"`
}

type version struct {
	ID         string  `json:"id"`
	Version    int     `json:"version"`
	ArchivedAt *string `json:"archived_at"`
	CedarRaw   string  `json:"cedar_raw"`
}

// A picture is the state of a world, for comparisons.
type picture struct {
	Versions map[string][]int    // unarchived version numbers by policy set
	Policies map[string][]string // Cedar texts by policy, oldest first
	Active   string              // set and number
	Tags     map[string]string   // tag name to object id
}

func (p picture) String() string {
	b, _ := json.MarshalIndent(p, "", "  ")
	return string(b)
}

func (p picture) equal(q picture) bool { return p.String() == q.String() }

// look takes a picture of the zone and the remote.
func (w *world) look(z *zoneProcess) picture {
	w.Helper()
	p := picture{Versions: map[string][]int{}, Policies: map[string][]string{}, Tags: map[string]string{}}
	var all list[policySet]
	z.get("/policy-sets?limit=100", &all)
	for _, s := range all.Items {
		if s.ActiveVersionID != nil && *s.ActiveVersionID != "" {
			p.Active = fmt.Sprintf("%s v%d", s.Name, s.ActiveVersion)
		}
		if !slices.Contains(sets, s.Name) {
			continue
		}
		var vs list[version]
		z.get("/policy-sets/"+s.ID+"/versions?limit=100&order=asc", &vs)
		for _, v := range vs.Items {
			if v.ArchivedAt == nil {
				p.Versions[s.Name] = append(p.Versions[s.Name], v.Version)
			}
		}
	}
	var policies list[policySet]
	z.get("/policies?limit=100&filter%5Bowner_type%5D=customer", &policies)
	for _, pol := range policies.Items {
		var vs list[version]
		z.get("/policies/"+pol.ID+"/versions?limit=100&order=asc&format=cedar", &vs)
		for _, v := range vs.Items {
			p.Policies[pol.Name] = append(p.Policies[pol.Name], v.CedarRaw)
		}
	}
	out := gittest.Git(w, w.remote(), "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/tags/policypin")
	for line := range strings.Lines(out) {
		name, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		p.Tags[name] = id
	}
	return p
}

// env is what a publisher needs to know: where zone and remote are.
func env(zoneURL string, more ...string) []string {
	return append([]string{
		"KEYCARD_API_BASE_URL=" + zoneURL, "KEYCARD_API_TOKEN=" + token,
		"POLICYPIN_TEST_RETRY_BASE=5ms", "POLICYPIN_TEST_LOOKUP_FOR=150ms",
	}, more...)
}

// patientLock is for runs one after another, after a kill: the dead holder's
// lock is taken over soon.
var patientLock = []string{
	"POLICYPIN_TEST_LOCK_RENEW=1s", "POLICYPIN_TEST_LOCK_EXPIRE=12s", "POLICYPIN_TEST_LOCK_TAKEOVER=12100ms",
}

// fairLock is for runs at the same time.
var fairLock = []string{
	"POLICYPIN_TEST_LOCK_RENEW=1s", "POLICYPIN_TEST_LOCK_EXPIRE=12s", "POLICYPIN_TEST_LOCK_TAKEOVER=15s",
}

// mustPublish runs publish undisturbed and fails the test unless it ends well.
func (w *world) mustPublish(env []string, args ...string) string {
	w.Helper()
	p := start(w, w.clone(), env, append([]string{"publish", "--target", "production"}, args...)...)
	code, out := p.wait(w)
	if code != 0 {
		w.Fatalf("publish %v: exit %d\n%s", args, code, out)
	}
	return out
}

package doctor_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/doctor"
	"github.com/policypin/policypin/internal/gittest"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/zone"
	"github.com/policypin/policypin/manifest"
)

const zoneID = "zone_prd"

// A clinic is a healthy clone with a remote and a zone.
type clinic struct {
	testing.TB
	setup doctor.Setup
	env   map[string]string
	// answer may change what the zone answers.
	answer func(*http.Request, *http.Response)
	fail   error // what requests fail with, if it isn't nil
}

func newClinic(t testing.TB, schema string) *clinic {
	t.Helper()
	dir := t.TempDir()
	remote, clone := filepath.Join(dir, "remote.git"), filepath.Join(dir, "clone")
	gittest.Git(t, dir, "init", "-q", "--bare", "-b", "main", remote)
	gittest.Git(t, dir, "clone", "-q", remote, clone)
	gittest.Git(t, clone, "checkout", "-q", "-b", "main")
	text, err := os.ReadFile("../zone/schemas/" + schema + ".cedarschema")
	if err != nil {
		t.Fatal(err)
	}
	gittest.Commit(t, clone, "one", map[string]string{
		"policypin.yaml":                     "apiVersion: policypin.dev/v1\nkind: Project\ntargets:\n  production:\n    zone_id: " + zoneID + "\n    branch: main\n",
		"schemas/" + schema + ".cedarschema": string(text),
		"policy-sets/agents.yaml":            "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: agents\nschema_version: \"" + schema + "\"\nentries:\n  - policy: default-user-grants\n    version: 3\n",
	})
	gittest.Git(t, clone, "push", "-q", "origin", "main")

	c := &clinic{TB: t, env: map[string]string{"KEYCARD_API_TOKEN": "not-a-real-token"}}
	repo, err := gitstore.Open(clone, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repo.Close() })
	origin, err := repo.Remote(gitstore.RemoteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { origin.Close() })
	head, err := repo.Resolve("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	fsys, err := repo.TreeAt(head, ".")
	if err != nil {
		t.Fatal(err)
	}
	tree, problems, err := manifest.Load(fsys)
	if err != nil || problems.Err() != nil {
		t.Fatal(err, problems)
	}
	target, _ := tree.Project.Target("production")
	z, err := zone.Open(zone.Options{NoAuth: true, Zones: []string{zoneID}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	c.setup = doctor.Setup{
		Repo: repo, Project: tree.Project, Tree: tree, Commit: head, Target: target, TargetNamed: true, Origin: origin,
		Getenv: func(name string) string { return c.env[name] },
		Connect: func(trace func(keycard.Trace)) (*keycard.Reader, func(), error) {
			r, err := keycard.NewReader(keycard.Config{
				BaseURL: "http://127.0.0.1", Transport: changed{c, z.Transport()}, Trace: trace,
				RetryBase: time.Millisecond, MaxRetries: -1,
			}, zoneID)
			return r, func() {}, err
		},
	}
	return c
}

// changed is a zone whose answers are changed on their way.
type changed struct {
	c    *clinic
	next http.RoundTripper
}

func (t changed) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.c.fail != nil {
		return nil, t.c.fail
	}
	resp, err := t.next.RoundTrip(req)
	if err == nil && t.c.answer != nil {
		t.c.answer(req, resp)
	}
	return resp, err
}

// status makes every answer an error.
func status(code int) func(*http.Request, *http.Response) {
	return func(_ *http.Request, resp *http.Response) {
		resp.StatusCode = code
		resp.Body = io.NopCloser(strings.NewReader(`{"message":"no"}`))
	}
}

// rewrite changes the text of answers.
func rewrite(old, now string) func(*http.Request, *http.Response) {
	return func(_ *http.Request, resp *http.Response) {
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			panic(err)
		}
		resp.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(text, []byte(old), []byte(now))))
	}
}

func (c *clinic) examine() map[string]doctor.Check {
	c.Helper()
	rep := doctor.Run(context.Background(), c.setup)
	got := map[string]doctor.Check{}
	failures, warnings := 0, 0
	for _, check := range rep.Checks {
		got[check.Name] = check
		if check.Message == "" {
			c.Errorf("%s says nothing", check.Name)
		}
		switch check.Status {
		case doctor.Failure:
			failures++
		case doctor.Warning:
			warnings++
		}
		if bad := check.Status == doctor.Failure || check.Status == doctor.Warning; bad != (check.Remedy != "") {
			c.Errorf("%s is %s with the remedy %q", check.Name, check.Status, check.Remedy)
		}
	}
	if failures != rep.Failures || warnings != rep.Warnings {
		c.Errorf("counted %d failures and %d warnings, the report says %d and %d", failures, warnings, rep.Failures, rep.Warnings)
	}
	return got
}

func TestChecks(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	date := func(at time.Time) func(*http.Request, *http.Response) {
		return func(_ *http.Request, resp *http.Response) { resp.Header.Set("Date", at.Format(http.TimeFormat)) }
	}
	tests := []struct {
		name   string
		schema string // "" is the newest
		change func(*clinic)
		check  string
		status string
		says   string // part of message or remedy
	}{
		{"a zone that is not ours", "", func(c *clinic) { c.answer = status(http.StatusForbidden) }, "zone", doctor.Failure, "give the service account a role"},
		{"a zone that isn't there", "", func(c *clinic) { c.answer = status(http.StatusNotFound) }, "zone", doctor.Failure, "check zone_id"},
		{"a service in trouble", "", func(c *clinic) { c.answer = status(http.StatusInternalServerError) }, "zone", doctor.Failure, "request id"},
		{"credentials that are not accepted", "", func(c *clinic) { c.answer = status(http.StatusUnauthorized) }, "token", doctor.Failure, "the credentials are not accepted there"},
		{"no way to the service", "", func(c *clinic) { c.fail = errors.New("no route to host") }, "token", doctor.Failure, "check KEYCARD_API_BASE_URL and the network"},
		{"and then nothing else is asked", "", func(c *clinic) { c.fail = errors.New("no route to host") }, "schema", doctor.NotChecked, "no way into the zone"},
		{"the write permission", "", func(*clinic) {}, "write", doctor.NotChecked, "can't be seen without doing it"},
		{"no time in the answers", "", func(*clinic) {}, "clock", doctor.NotChecked, "don't say what time it is"},
		{"clocks that agree", "", func(c *clinic) { c.answer = date(now.Add(30 * time.Second)) }, "clock", doctor.OK, "agree to within 1m0s"},
		{"a clock that is slow", "", func(c *clinic) { c.answer = date(now.Add(time.Hour)) }, "clock", doctor.Warning, "1h0m0s behind"},
		{"a clock that is fast", "", func(c *clinic) { c.answer = date(now.Add(-2 * time.Minute)) }, "clock", doctor.Warning, "2m0s ahead"},
		{"the default schema", "", func(*clinic) {}, "schema", doctor.OK, "agents: schema 2026-06-18 is active"},
		{"a deprecated schema", "", func(c *clinic) { c.answer = rewrite(`"active"`, `"deprecated"`) }, "schema", doctor.Warning, "deprecated"},
		{"an archived schema", "", func(c *clinic) { c.answer = rewrite(`"status":"active"`, `"status":"archived"`) }, "schema", doctor.Failure, "archived"},
		{"a schema that the zone doesn't have", "", func(c *clinic) { c.answer = rewrite("2026-06-18", "2026-12-24") }, "schema", doctor.Failure, "the zone has no schema 2026-06-18"},
		{"a newer default", "2026-03-16", func(*clinic) {}, "schema", doctor.Warning, "policypin schema upgrade"},
		{"somebody else's version is active", "", func(*clinic) {}, "active", doctor.Warning, "--replace-active psv_"},
		{"nothing is active", "", func(c *clinic) { c.answer = rewrite(`"active_version_id"`, `"x"`) }, "active", doctor.OK, "nothing is active yet"},
		{"a project with problems", "", func(c *clinic) {
			c.setup.Tree, c.setup.ProjectErr = nil, errors.New("a.yaml:1:1: error: no\nb.yaml:1:1: error: no")
		}, "project", doctor.Failure, "a.yaml:1:1: error: no (and 1 more)"},
		{"no target in CI", "", func(c *clinic) { c.setup.TargetNamed = false; c.env["CI"] = "true" }, "target", doctor.Warning, "give --target"},
		{"a lock that is held", "", func(c *clinic) {
			root := c.setup.Repo.Root()
			gittest.Git(c, root, "push", "-q", "origin", "HEAD:refs/policypin/lock/"+zoneID)
		}, "lock", doctor.Warning, "another run holds the lock"},
		{"a pin of another zone is no pin of ours", "", func(c *clinic) {
			c.setup.Target.ZoneID = "zone_other"
		}, "pins", doctor.OK, "0 pins"},
		{"the API key of other tools", "", func(c *clinic) {
			c.env = map[string]string{"KEYCARD_API_API_KEY": "not-a-real-key"}
		}, "credentials", doctor.Failure, "set it as KEYCARD_API_TOKEN"},
		{"an address with a password", "", func(c *clinic) {
			c.env["KEYCARD_API_BASE_URL"] = "https://someone:not-a-real-secret@api.example.com/base"
		}, "address", doctor.OK, "https://api.example.com (KEYCARD_API_BASE_URL)"},
		{"an address that is none", "", func(c *clinic) { c.env["KEYCARD_API_BASE_URL"] = "nonsense" }, "address", doctor.Failure, "KEYCARD_API_BASE_URL is not a URL"},
		{"a way that can't be opened", "", func(c *clinic) {
			c.setup.Connect = func(func(keycard.Trace)) (*keycard.Reader, func(), error) { return nil, nil, errors.New("broken") }
		}, "token", doctor.Failure, "broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.schema == "" {
				tt.schema = "2026-06-18"
			}
			c := newClinic(t, tt.schema)
			c.setup.Now = func() time.Time { return now }
			tt.change(c)
			got := c.examine()[tt.check]
			if got.Status != tt.status || !strings.Contains(got.Message+"\n"+got.Remedy, tt.says) {
				t.Errorf("got %+v, want %s that says %q", got, tt.status, tt.says)
			}
			if strings.Contains(got.Message+got.Remedy, "not-a-real") {
				t.Errorf("a secret is shown: %+v", got)
			}
		})
	}
}

// Each kind of clone is named.
func TestKindsOfClones(t *testing.T) {
	c := newClinic(t, "2026-06-18")
	root := c.setup.Repo.Root()
	remote := gittest.Git(t, root, "config", "remote.origin.url")
	gittest.Git(t, remote, "config", "uploadpack.allowFilter", "true")
	for args, says := range map[string]string{
		"clone -q --depth=1":                   "shallow",
		"clone -q --filter=blob:none":          "partial",
		"clone -q --bare":                      "bare",
		"clone -q --depth=1 --bare":            "bare; shallow",
		"-C " + root + " worktree add -q -b w": "linked work tree",
	} {
		at := filepath.Join(t.TempDir(), "clone")
		words := strings.Fields(args)
		if words[0] == "clone" {
			words = append(words, "file://"+remote)
		}
		gittest.Git(t, root, append(words, at)...)
		repo, err := gitstore.Open(at, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer repo.Close()
		c.setup.Repo = repo
		if got := c.examine()["repository"]; got.Status != doctor.OK || !strings.Contains(got.Message, says) {
			t.Errorf("%s: got %+v, want ok that says %q", args, got, says)
		}
	}
}

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/policypin/policypin/internal/zone"
)

// A gossip is a working zone that says the secrets it knows wherever an answer
// has room for somebody's words.
func gossip(t *testing.T, secrets []string) *httptest.Server {
	t.Helper()
	z, err := zone.Open(zone.Options{Zones: []string{"zone_far"}, Tokens: secrets, FixedClock: true, SequentialIDs: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	forms := strings.Join(secrets, " ") + " " + url.QueryEscape(secrets[0]) + " " + base64.StdEncoding.EncodeToString([]byte("sa-1:"+secrets[0]))
	words := map[string]bool{"created_by": true, "updated_by": true, "archived_by": true, "description": true, "attested_by": true, "message": true}
	var tell func(v any) any
	tell = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for key := range v {
				if words[key] {
					v[key] = forms
				} else {
					v[key] = tell(v[key])
				}
			}
		case []any:
			for i := range v {
				v[i] = tell(v[i])
			}
		}
		return v
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		z.ServeHTTP(rec, r)
		body := rec.Body.Bytes()
		var doc any
		if json.Unmarshal(body, &doc) == nil {
			body, _ = json.Marshal(tell(doc))
		}
		maps.Copy(w.Header(), rec.Header())
		w.Header().Set("X-Request-Id", secrets[0])
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(rec.Code)
		w.Write(body)
	}))
	t.Cleanup(server.Close)
	return server
}

// commandsAtWork is a command line for each command, in an order in which most
// have something to say. A command that isn't here makes the test fail.
var commandsAtWork = [][]string{
	{"init", "sub"}, {"validate"}, {"fmt", "--check"}, {"digest"}, {"test"}, {"diff"}, {"impact"},
	{"why", "--principal", `Keycard::User::"a"`, "--action", `Keycard::Action::"Access"`, "--resource", `Keycard::Resource::"r"`, "--context", "{\"on_behalf\": true}", "--online"},
	{"plan", "--local", "--out", "plan.json"},
	{"publish", "--local"},
	{"publish", "--local", "--activate"},
	{"activate", "--local", "--replace-active", "psv_default-zone-policies_1_1", "main"},
	{"log", "--local", "--active"}, {"verify", "--local"}, {"drift", "--local"}, {"doctor", "--local"},
	{"diff", "zone:far"}, {"plan", "--local"},
	{"versions", "list"}, {"versions", "list", "main"}, {"versions", "show", "main", "active"},
	{"versions", "policies", "--cedar", "main", "active"}, {"versions", "unused", "--local"},
	{"versions", "archive", "--yes", "main", "v1"}, {"versions", "archive-policy", "--local", "--yes", "employees-read"},
	{"schema", "fetch"}, {"schema", "upgrade", "2026-03-16"}, {"schema", "print", "project"},
	{"repin", "--local", "main", "v1"}, {"import"}, {"version"}, {"completion", "bash"}, {"help"},
}

// elsewhere are the commands that other tests hold to the same rule, or that
// have no zone to hear a secret from.
var elsewhere = []string{"serve", "hook install", "hook uninstall", "action"}

// leaves are the commands of a tree that do something, each with its flags.
func leaves(parent string, cmds []*cli.Command) map[string]*cli.Command {
	all := map[string]*cli.Command{}
	for _, c := range cmds {
		name := strings.TrimSpace(parent + " " + c.Name)
		switch {
		case c.Hidden:
		case len(c.Subcommands) > 0:
			maps.Copy(all, leaves(name, c.Subcommands))
		default:
			all[name] = c
		}
	}
	return all
}

// formatsOf are the values of a command's --format flag.
func formatsOf(c *cli.Command) []string {
	for _, f := range c.Flags {
		if g, ok := f.(*cli.GenericFlag); ok && g.Name == "format" {
			return g.Value.(*choice).allowed
		}
	}
	return []string{""}
}

// TestNoSecretIsShownByAZoneThatWorks runs every command in each of its formats
// against a zone that does what it is asked and tells its secrets, and looks at
// the output and at the files that are left.
func TestNoSecretIsShownByAZoneThatWorks(t *testing.T) {
	w := (&world{getenv: func(string) string { return "" }, stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}).guarded()
	tree := leaves("", newApp(w).Commands)
	seen := slices.Clone(elsewhere)
	nameOf := func(args []string) string {
		if name := strings.Join(args[:min(2, len(args))], " "); tree[name] != nil {
			return name
		}
		return args[0]
	}
	for _, args := range commandsAtWork {
		seen = append(seen, nameOf(args))
	}
	for name := range tree {
		if !slices.Contains(seen, name) {
			t.Errorf("no command line runs %q", name)
		}
	}

	var secrets []string
	env := map[string]string{"POLICYPIN_TEST_RETRY_BASE": "1ms", "POLICYPIN_TEST_LOOKUP_FOR": "1ms"}
	for name, secret := range testSecrets {
		env[name] = secret
		secrets = append(secrets, secret)
	}
	env["KEYCARD_API_CLIENT_SECRET"] = "" // a token and credentials exclude each other
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return s == testSecrets["KEYCARD_API_CLIENT_SECRET"] })
	ran, done, masked := 0, 0, 0
	for i := range 6 { // one world for the first format of each command, another for the second, and so on
		dir := secretsProject(t)
		env["KEYCARD_API_BASE_URL"] = gossip(t, secrets).URL
		for _, args := range commandsAtWork {
			name := nameOf(args)
			full := append([]string{"--target", "far"}, args...)
			formats := formatsOf(tree[name])
			if format := formats[i%len(formats)]; format != "" {
				words := strings.Count(name, " ") + 1
				full = append(append([]string{"--target", "far"}, args[:words]...), append([]string{"--format", format}, args[words:]...)...)
			}
			got := call(t, dir, env, full...)
			if found := leaks(got.stdout+got.stderr, secrets...); len(found) > 0 {
				t.Errorf("%q: output has %q", full, found)
			}
			ran++
			if got.status == statusOK {
				done++
			} else {
				t.Logf("%q: status %d: %s", full, got.status, got.stderr)
			}
			if strings.Contains(got.stdout+got.stderr, "***") {
				masked++
			}
		}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if found := leaks(string(text), secrets...); len(found) > 0 {
				t.Errorf("%s has %q", path, found)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d runs, %d did what they were asked, %d had something to mask", ran, done, masked)
	if done < ran/2 || masked < ran/12 {
		t.Errorf("of %d runs %d did what they were asked and %d had something to mask: the test doesn't test much", ran, done, masked)
	}
}

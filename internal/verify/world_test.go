package verify_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/gittest"
	"github.com/policypin/policypin/internal/jws"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/verify"
	"github.com/policypin/policypin/internal/zone"
)

const zoneID = "zone_prd"

// A world is a repository that holds its own pins, a zone that signs
// attestations, and a key that signs pins.
type world struct {
	testing.TB
	dir     string
	repo    *gitstore.Repo
	zone    *zone.Server
	signer  *gitstore.Signer
	signers string // the file of allowed signers
}

func newWorld(t testing.TB) *world {
	t.Helper()
	// The user's own configuration of Git mustn't decide about signatures.
	for name, value := range map[string]string{"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1", "SSH_AUTH_SOCK": ""} {
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	w := &world{TB: t, dir: filepath.Join(dir, "repo"), signers: filepath.Join(dir, "signers")}
	gittest.Git(t, dir, "init", "-q", "-b", "main", w.dir)
	var err error
	if w.repo, err = gitstore.Open(w.dir, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.repo.Close() })
	w.zone, err = zone.Open(zone.Options{
		NoAuth: true, FixedClock: true, SequentialIDs: true, Zones: []string{zoneID}, Attestation: zone.AttestEnvelope,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.zone.Close() })
	key := w.newKey("key")
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.signers, append([]byte("ada@example.com "), public...), 0o666); err != nil {
		t.Fatal(err)
	}
	w.signer = w.signerOf(key)
	return w
}

// newKey makes an SSH key beside the repository, and returns its file.
func (w *world) newKey(name string) string {
	w.Helper()
	file := filepath.Join(filepath.Dir(w.dir), name)
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file).CombinedOutput(); err != nil {
		w.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	return file
}

func (w *world) signerOf(key string) *gitstore.Signer {
	w.Helper()
	s, err := w.repo.Signer(gitstore.SignerOptions{Key: key})
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func (w *world) git(args ...string) string { w.Helper(); return gittest.Git(w, w.dir, args...) }

func (w *world) commit(files map[string]string) gitstore.Hash {
	w.Helper()
	h, err := gitstore.ParseHash(gittest.Commit(w, w.dir, "a change", files))
	if err != nil {
		w.Fatal(err)
	}
	return h
}

func (w *world) config() keycard.Config { return keycard.Config{Transport: w.zone.Transport()} }

func (w *world) client() *keycard.Client {
	w.Helper()
	c, err := keycard.New(w.config(), zoneID)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// publish publishes a commit to production.
func (w *world) publish(commit gitstore.Hash, sign bool) {
	w.Helper()
	src := publish.Source{Repo: w.repo, Origin: w.repo.Local(), Commit: commit, Dir: ".", Target: "production"}
	var opts publish.Options
	if sign {
		opts.Sign = w.signer.Sign
	}
	if _, err := publish.Publish(context.Background(), w.client(), src, opts); err != nil {
		w.Fatalf("publish: %v", err)
	}
}

// rotate gives the zone a new key, so that it signs all attestations anew.
func (w *world) rotate() {
	w.Helper()
	req, err := http.NewRequest(http.MethodPost, keycard.DefaultBaseURL+"/_local/rotate-keys", nil)
	if err != nil {
		w.Fatal(err)
	}
	resp, err := w.zone.Transport().RoundTrip(req)
	if err != nil {
		w.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.Fatalf("rotate-keys: status %d", resp.StatusCode)
	}
}

// keys are the zone's public keys as they are now.
func (w *world) keys() *jws.KeySet {
	w.Helper()
	text, err := w.client().KeySet(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	keys, err := jws.ParseKeySet(text)
	if err != nil {
		w.Fatal(err)
	}
	return keys
}

// A checking says what verify may use besides the repository.
type checking struct {
	zone    bool        // ask the zone
	keys    *jws.KeySet // nil: those of the zone, if it is asked
	signers string      // allowed signers; "" is none
}

func (w *world) chain(how checking) *verify.Chain {
	w.Helper()
	signatures, err := w.repo.SignatureChecker(gitstore.SignatureOptions{AllowedSigners: how.signers})
	if err != nil {
		w.Fatal(err)
	}
	c := &verify.Chain{Origin: w.repo.Local(), Signatures: signatures}
	tip, err := gitstore.ParseHash(w.git("rev-parse", "main"))
	if err != nil {
		w.Fatal(err)
	}
	c.Tips = []verify.Tip{{Name: "main", Commit: tip}}
	if how.zone {
		if c.Zone, err = keycard.NewReader(w.config(), zoneID); err != nil {
			w.Fatal(err)
		}
		c.Keys = verify.KeySource{Name: "the zone", Read: func(context.Context) (*jws.KeySet, error) { return w.keys(), nil }}
	}
	if how.keys != nil {
		c.Keys = verify.KeySource{Name: "keys.json", Fixed: true, Read: func(context.Context) (*jws.KeySet, error) { return how.keys, nil }}
	}
	return c
}

// verify verifies all pins of production.
func (w *world) verify(how checking) map[string]*verify.Result {
	w.Helper()
	c := w.chain(how)
	refs, err := c.Origin.Refs(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	pins, odd := refs.Pins("production")
	results, err := c.Pins(context.Background(), pins)
	if err != nil {
		w.Fatalf("verify: %v", err)
	}
	for _, name := range odd {
		results = append(results, verify.Odd(name))
	}
	by := map[string]*verify.Result{}
	for _, r := range results {
		by[r.Ref.Name] = r
	}
	return by
}

// show lists the links of a result, for messages.
func show(r *verify.Result) string {
	var b strings.Builder
	for _, l := range r.Links {
		fmt.Fprintf(&b, "\n\t%s: %s: %s", l.Name, l.Status, l.Detail)
	}
	return b.String()
}

// wantMismatches checks which links are mismatches.
func wantMismatches(t testing.TB, how string, r *verify.Result, want ...string) {
	t.Helper()
	if r == nil {
		t.Fatalf("%s: there is no result", how)
	}
	if got := r.Named(verify.Mismatch); !slices.Equal(got, want) {
		t.Errorf("%s: got mismatches %q, want %q%s", how, got, want, show(r))
	}
	if broken := r.Verdict() == verify.Broken; broken != (len(want) > 0) {
		t.Errorf("%s: the verdict is %s", how, r.Verdict())
	}
}

const projectFile = `apiVersion: policypin.dev/v1
kind: Project
targets:
  production:
    zone_id: zone_prd
    branch: main
  staging:
    zone_id: zone_stg
default_target: production
`

// set is the text of a manifest; a name with @ is an entry by number.
func set(name string, policies ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: %s\nschema_version: \"2026-06-18\"\ntargets: [production]\nentries:\n", name)
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

// project is a small valid project: two sets with the same entries.
func project(t testing.TB) map[string]string {
	t.Helper()
	schema, err := os.ReadFile("../zone/schemas/2026-06-18.cedarschema")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"policypin.yaml":                 projectFile,
		"policy-sets/agents.yaml":        set("agents", "finance", "ops", "default-user-grants@3"),
		"policy-sets/bots.yaml":          set("bots", "finance", "ops", "default-user-grants@3"),
		"policies/finance.cedar":         policy("finance"),
		"policies/ops.cedar":             policy("ops"),
		"schemas/2026-06-18.cedarschema": string(schema),
		"elsewhere/README.md":            "no project\n",
	}
}

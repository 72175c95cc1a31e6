package publish_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/gittest"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/zone"
)

// A driftWorld is a world whose zone knows two people: the account that
// publishes, and somebody at the console.
type driftWorld struct {
	*world
	bearer  *bearer
	account string // the bearer of the account that publishes
}

const (
	accountID     = "publisher"
	consoleBearer = "not-a-real-token"
)

// A bearer adds a token to every request.
type bearer struct {
	next  http.RoundTripper
	token string
}

func (b *bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(req)
}

func newDriftWorld(t testing.TB) *driftWorld {
	t.Helper()
	w := newWorld(t)
	z, err := zone.Open(zone.Options{
		FixedClock: true, SequentialIDs: true, Zones: []string{zoneID},
		Tokens: []string{consoleBearer}, ClientID: accountID, ClientSecret: "not-a-real-secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/service-account-token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(accountID, "not-a-real-secret")
	resp, err := z.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var token struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil || token.Token == "" {
		t.Fatalf("no token: %v", err)
	}
	w.zone = z
	b := &bearer{z.Transport(), token.Token}
	w.requests = &recorder{next: b}
	return &driftWorld{w, b, token.Token}
}

// console does something as somebody at the console.
func (w *driftWorld) console(do func(ctx context.Context, c *keycard.Client) error) {
	w.Helper()
	w.bearer.token = consoleBearer
	defer func() { w.bearer.token = w.account }()
	if err := do(context.Background(), w.client()); err != nil {
		w.Fatalf("at the console: %v", err)
	}
}

func (w *world) drift(opts publish.DriftOptions) (*publish.Drift, error) {
	w.Helper()
	return publish.FindDrift(context.Background(), w.client().Reader, w.source(w.head()), opts)
}

func (w *world) mustDrift(opts publish.DriftOptions) *publish.Drift {
	w.Helper()
	d, err := w.drift(opts)
	if err != nil {
		w.Fatalf("drift: %v", err)
	}
	return d
}

// brief is a finding in a line.
func brief(f publish.Finding) string {
	words := []string{f.Kind, f.Detail}
	for _, s := range []string{f.Set, f.Policy} {
		if s != "" {
			words = append(words, s)
		}
	}
	if f.Version != 0 {
		words = append(words, fmt.Sprintf("v%d", f.Version))
	}
	if f.By != "" {
		words = append(words, "by", f.By)
	}
	if f.Information {
		words = append(words, "(information)")
	}
	return strings.Join(words, " ")
}

// forgetTags makes the clone one that has never seen a pin.
func (w *world) forgetTags() {
	w.Helper()
	for _, tag := range strings.Fields(w.git("tag", "-l")) {
		w.git("tag", "-d", tag)
	}
}

// activatePlatform binds the platform's set again.
func (w *driftWorld) activatePlatform(ctx context.Context, c *keycard.Client) error {
	for s, err := range c.PolicySets(ctx, listAll) {
		if err != nil {
			return err
		}
		if s.OwnerType == keycard.OwnerPlatform {
			_, err := c.Activate(ctx, s.ID, s.LatestVersionID)
			return err
		}
	}
	return nil
}

// rotate gives the zone another key, so that all attestations are issued anew.
func (w *driftWorld) rotate() {
	w.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/_local/rotate-keys", http.NoBody)
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+consoleBearer)
	resp, err := w.zone.Transport().RoundTrip(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(resp.Body)
		w.Fatalf("rotating keys: %d %s %v", resp.StatusCode, text, err)
	}
}

// copyVersion creates another version with the entries of one.
func copyVersion(ctx context.Context, c *keycard.Client, of publish.SetReceipt) (*keycard.PolicySetVersion, error) {
	v, err := c.SetVersion(ctx, of.PolicySetID, of.VersionID)
	if err != nil {
		return nil, err
	}
	return c.CreateSetVersion(ctx, of.PolicySetID, v.SchemaVersion, v.Entries)
}

func TestDrift(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := newDriftWorld(t)
			platform := w.active()
			first := w.mustPublish(w.commit(w.project()), publish.Options{Activate: true, ReplaceActive: platform})
			second := w.mustPublish(w.commit(map[string]string{"policies/finance.cedar": policy("treasury")}), publish.Options{Activate: true})
			s.do(w, first, second)
			w.requests.take()
			d := w.mustDrift(publish.DriftOptions{AllPins: s.all})
			var got, commands []string
			for _, f := range d.Findings {
				got = append(got, brief(f))
				commands = append(commands, f.Commands...)
				if f.Message == "" || f.Commands == nil {
					t.Errorf("%s has no message or null commands: %+v", brief(f), f)
				}
			}
			if !slices.Equal(got, s.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(s.want, "\n  "))
				for _, f := range d.Findings {
					t.Logf("%s: %s %q", brief(f), f.Message, f.Commands)
				}
			}
			if s.command != "" && !slices.Contains(commands, s.command) {
				t.Errorf("got the commands\n  %s\nwant among them\n  %s", strings.Join(commands, "\n  "), s.command)
			}
			drifted := slices.ContainsFunc(s.want, func(f string) bool { return !strings.HasSuffix(f, "(information)") })
			if d.Drifted != drifted {
				t.Errorf("drifted is %v, want %v", d.Drifted, drifted)
			}
			for _, r := range w.requests.take() {
				if !strings.HasPrefix(r, http.MethodGet+" ") {
					t.Errorf("drift sent %s", r)
				}
			}
		})
	}
}

func TestDriftWithoutAnything(t *testing.T) {
	w := newDriftWorld(t)
	w.commit(w.project())
	d := w.mustDrift(publish.DriftOptions{})
	if len(d.Findings) != 1 || brief(d.Findings[0]) != "unpublished no-pin agents" || d.Active == nil || d.Active.Tag != "" {
		t.Errorf("got %+v", d)
	}
}

// Drift needs few requests: the sets, the versions of each, the last version
// with its policies, and the containers of those. The active version is the
// last one here.
func TestDriftRequests(t *testing.T) {
	w := newDriftWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{Activate: true, ReplaceActive: w.active()})
	for i := range 3 {
		w.mustPublish(w.commit(map[string]string{"policies/finance.cedar": policy(fmt.Sprint(i))}), publish.Options{Activate: true})
	}
	w.requests.take()
	d := w.mustDrift(publish.DriftOptions{})
	if got := w.requests.take(); len(got) != 5 || d.Pins != 4 || d.Checked != 1 {
		t.Errorf("got %d requests for %d pins, %d checked, want 5 for 4 and 1:\n%s", len(got), d.Pins, d.Checked, strings.Join(got, "\n"))
	}
	d = w.mustDrift(publish.DriftOptions{AllPins: true})
	if d.Checked != 4 || len(d.Findings) != 0 {
		t.Errorf("with all pins: got %+v, want 4 checked and no findings", d)
	}
}

// A clone without history finds the same, and gains nothing.
func TestDriftInAShallowClone(t *testing.T) {
	w := newDriftWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{})
	for i := range 3 {
		w.mustPublish(w.commit(map[string]string{"policies/finance.cedar": policy(fmt.Sprint(i))}), publish.Options{})
	}
	w.commit(nil)
	clone := filepath.Join(t.TempDir(), "clone")
	gittest.Git(t, w.clone, "clone", "-q", "--depth=1", "--no-tags", "file://"+w.remote, clone)
	other := &world{TB: t, remote: w.remote, clone: clone, zone: w.zone, requests: w.requests}
	want := []string{"activated-elsewhere foreign default-zone-policies v1 by usr_platform"}
	for _, world := range []*world{w.world, other} {
		var got []string
		for _, f := range world.mustDrift(publish.DriftOptions{AllPins: true}).Findings {
			got = append(got, brief(f))
		}
		if !slices.Equal(got, want) {
			t.Errorf("in %s: got %v, want %v", filepath.Base(world.clone), got, want)
		}
	}
	if got := gittest.Git(t, clone, "for-each-ref", "refs/tags"); got != "" {
		t.Errorf("the clone gained tags:\n%s", got)
	}
}

func TestDriftNeedsAProject(t *testing.T) {
	w := newDriftWorld(t)
	first := w.commit(w.project())
	src := w.source(first)
	src.Target = "nowhere"
	_, err := publish.FindDrift(context.Background(), w.client().Reader, src, publish.DriftOptions{})
	if _, ok := err.(*publish.UnknownTargetError); !ok {
		t.Errorf("unknown target: got %v", err)
	}
	w.commit(map[string]string{"policypin.yaml": "kind: [\n"})
	src = w.source(first)
	_, err = publish.FindDrift(context.Background(), w.client().Reader, src, publish.DriftOptions{})
	if _, ok := err.(diag.List); !ok {
		t.Errorf("broken project at the tip: got %v (%T), want its problems", err, err)
	}
	if w.requests.take() != nil {
		t.Error("the zone was asked")
	}
}

// FuzzDrift: whatever somebody with push access writes into a pin, drift ends
// with findings, and names the pin.
func FuzzDrift(f *testing.F) {
	f.Add(`"psv_`, `"psv%2f..`)
	f.Add(`"policy_id":"`, `"policy_id":"../`)
	f.Add(`"sha":"`, `"sha":"\u0000`)
	f.Add(`"project": "."`, `"project": "elsewhere"`)
	f.Add(`"digest_format": 1`, `"digest_format": 7`)
	f.Add(`"attestation": {`, `"attestation": {"payload":"e30",`)
	all := newDriftWorld(f)
	all.mustPublish(all.commit(all.project()), publish.Options{})
	tag := all.run(all.remote, "git", "cat-file", "-p", agentsV1) + "\n"
	f.Fuzz(func(t *testing.T, old, forged string) {
		w := *all.world
		w.TB = t
		if old == "" || !strings.Contains(tag, old) {
			t.Skip("nothing to replace")
		}
		text := strings.Replace(tag, old, forged, 1)
		w.write(map[string]string{".git/forged": text})
		object, err := gitstore.ParseHash(w.git("hash-object", "-t", "tag", "-w", "--literally", ".git/forged"))
		if err != nil {
			t.Fatal(err)
		}
		w.git("update-ref", "refs/tags/"+agentsV1, object.String())
		w.git("push", "-q", "--force", "origin", object.String()+":refs/tags/"+agentsV1)
		d, err := w.drift(publish.DriftOptions{})
		if err != nil {
			t.Fatalf("%q for %q: %v", forged, old, err)
		}
		if d.Pins != 1 {
			t.Errorf("%q for %q: %d pins, want 1", forged, old, d.Pins)
		}
	})
}

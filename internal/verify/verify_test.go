package verify_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/gittest"
	"github.com/policypin/policypin/internal/jws"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/verify"
)

const (
	agentsV1 = "policypin/production/agents/v1"
	agentsV2 = "policypin/production/agents/v2"
)

// statusOf is what became of one link.
func statusOf(t *testing.T, r *verify.Result, link string) verify.Status {
	t.Helper()
	for _, l := range r.Links {
		if l.Name == link {
			return l.Status
		}
	}
	t.Fatalf("%s has no link %s%s", r.Ref.Name, link, show(r))
	return ""
}

func TestWhatIsCheckedIsSaid(t *testing.T) {
	w := newWorld(t)
	w.publish(w.commit(project(t)), true)
	for _, tt := range []struct {
		name     string
		how      checking
		verdict  string
		signedBy []string
		want     map[string]verify.Status
	}{
		{"the repository alone", checking{}, verify.Consistent, nil, map[string]verify.Status{
			verify.LinkSetDigest: verify.OK, verify.LinkManifestSHA: verify.OK, verify.LinkVersion: verify.Recorded,
			verify.LinkVersionEntries: verify.Recorded, verify.LinkPublisher: verify.Recorded,
			verify.LinkAttestation: verify.Recorded, verify.LinkAttestationKey: verify.NotAvailable, verify.LinkTagSignature: verify.NotAvailable,
		}},
		{"with the zone's keys", checking{keys: w.keys()}, verify.Signed, []string{`attestation by key "local-zone-1" of keys.json`}, map[string]verify.Status{
			verify.LinkAttestation: verify.OK, verify.LinkAttestationKey: verify.OK, verify.LinkVersion: verify.Recorded,
		}},
		{"with allowed signers", checking{signers: w.signers}, verify.Signed, []string{`tag by "ada@example.com"`}, map[string]verify.Status{
			verify.LinkTagSignature: verify.OK, verify.LinkAttestation: verify.Recorded,
		}},
		{"with everything", checking{zone: true, signers: w.signers}, verify.Signed,
			[]string{`attestation by key "local-zone-1" of the zone`, `tag by "ada@example.com"`}, map[string]verify.Status{
				verify.LinkVersion: verify.OK, verify.LinkVersionEntries: verify.OK, verify.LinkPolicies: verify.OK, verify.LinkContent: verify.OK,
				verify.LinkNames: verify.OK, verify.LinkPolicySet: verify.OK, verify.LinkPublisher: verify.OK, verify.LinkArchived: verify.OK,
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := w.verify(tt.how)[agentsV1]
			wantMismatches(t, tt.name, r)
			if r.Verdict() != tt.verdict || !slices.Equal(r.SignedBy, tt.signedBy) {
				t.Errorf("got %s by %q, want %s by %q%s", r.Verdict(), r.SignedBy, tt.verdict, tt.signedBy, show(r))
			}
			for link, want := range tt.want {
				if got := statusOf(t, r, link); got != want {
					t.Errorf("%s: got %s, want %s", link, got, want)
				}
			}
		})
	}
}

// After a rotation the zone shows another attestation, and the key of the
// recorded one is gone. Neither is a forgery.
func TestARotationIsNoMismatch(t *testing.T) {
	w := newWorld(t)
	w.publish(w.commit(project(t)), false)
	old := w.keys()
	w.rotate()
	r := w.verify(checking{zone: true})[agentsV1]
	wantMismatches(t, "after a rotation", r)
	for link, want := range map[string]verify.Status{
		verify.LinkAttestation: verify.Recorded, verify.LinkAttestationKey: verify.NotAvailable,
		verify.LinkZoneAttestation: verify.OK, verify.LinkZoneKey: verify.OK,
	} {
		if got := statusOf(t, r, link); got != want {
			t.Errorf("%s: got %s, want %s%s", link, got, want, show(r))
		}
	}
	r = w.verify(checking{keys: old})[agentsV1]
	wantMismatches(t, "with the old keys", r)
	if r.Verdict() != verify.Signed {
		t.Errorf("with the old keys: got %s, want signed%s", r.Verdict(), show(r))
	}
	// Keys that the file lacks make a signature that nobody can have checked.
	wantMismatches(t, "with the new keys alone", w.verify(checking{keys: w.keys()})[agentsV1], verify.LinkAttestationKey)
}

// A key that came after the last reading is read, once.
func TestKeysAreReadAgainForAnUnknownOne(t *testing.T) {
	w := newWorld(t)
	w.publish(w.commit(project(t)), false)
	keys, reads := w.keys(), 0
	c := w.chain(checking{})
	c.Keys = verify.KeySource{Name: "a zone", Read: func(context.Context) (*jws.KeySet, error) {
		if reads++; reads == 1 {
			return &jws.KeySet{}, nil
		}
		return keys, nil
	}}
	refs, err := c.Origin.Refs(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	pins, _ := refs.Pins("production")
	results, err := c.Pins(context.Background(), pins)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Verdict() != verify.Signed {
			t.Errorf("%s: got %s, want signed%s", r.Ref.Name, r.Verdict(), show(r))
		}
	}
	if reads != 2 {
		t.Errorf("the keys were read %d times, want 2", reads)
	}
}

func TestARewrittenHistoryIsRecorded(t *testing.T) {
	w := newWorld(t)
	w.publish(w.commit(project(t)), false)
	w.git("checkout", "-q", "--orphan", "anew")
	w.git("commit", "-q", "-m", "rewritten")
	w.git("branch", "-q", "-M", "anew", "main")
	commit := w.commit(map[string]string{"policies/ops.cedar": policy("operators")})
	src := publish.Source{Repo: w.repo, Origin: w.repo.Local(), Commit: commit, Dir: ".", Target: "production"}
	if _, err := publish.Publish(context.Background(), w.client(), src, publish.Options{NewBase: "squashed"}); err != nil {
		t.Fatal(err)
	}
	c := w.chain(checking{zone: true})
	refs, err := c.Origin.Refs(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	pins, _ := refs.Pins("production")
	c.Siblings = func(ctx context.Context, set string) ([]*gitstore.Pin, error) { return c.Origin.ReadPins(ctx, pins) }
	results, err := c.Pins(context.Background(), pins)
	if err != nil {
		t.Fatal(err)
	}
	wantMismatches(t, "before the new base", results[0])
	if got := statusOf(t, results[0], verify.LinkCommit); got != verify.Recorded {
		t.Errorf("before the new base: got %s, want recorded%s", got, show(results[0]))
	}
	if got := statusOf(t, results[1], verify.LinkCommit); got != verify.OK {
		t.Errorf("after the new base: got %s, want ok%s", got, show(results[1]))
	}
}

// In a clone without history, what can't be looked for isn't missing.
func TestAShallowCloneSaysWhatItLacks(t *testing.T) {
	w := newWorld(t)
	w.publish(w.commit(project(t)), false)
	w.commit(map[string]string{"README.md": "later\n"})
	w.commit(map[string]string{"README.md": "later still\n"})
	clone := t.TempDir()
	gittest.Git(t, w.dir, "clone", "-q", "--depth", "1", "--no-tags", "file://"+w.dir, clone)
	gittest.Git(t, clone, "fetch", "-q", "--depth", "1", "origin", "refs/tags/*:refs/tags/*")
	repo, err := gitstore.Open(clone, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	w.repo, w.dir = repo, clone
	r := w.verify(checking{})[agentsV1]
	wantMismatches(t, "in a shallow clone", r)
	if got := statusOf(t, r, verify.LinkCommit); got != verify.NotAvailable {
		t.Errorf("commit: got %s, want not available%s", got, show(r))
	}
	if got := statusOf(t, r, verify.LinkSetDigest); got != verify.OK {
		t.Errorf("set digest: got %s, want ok%s", got, show(r))
	}
}

// Names can change after a version was pinned.
func TestARenameInTheZoneIsNoMismatch(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.publish(w.commit(project(t)), false)
	c := w.client()
	for p, err := range c.Policies(ctx, keycard.ListOptions{Query: "finance"}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.RenamePolicy(ctx, p, "treasury"); err != nil {
			t.Fatal(err)
		}
	}
	r := w.verify(checking{zone: true})[agentsV1]
	wantMismatches(t, "after a rename", r)
	if got := statusOf(t, r, verify.LinkNames); got != verify.Recorded {
		t.Errorf("names: got %s, want recorded%s", got, show(r))
	}
}

func TestOtherPinsTellWhatFormAManifestShaHas(t *testing.T) {
	w := newWorld(t)
	w.publish(w.commit(project(t)), false)
	w.forge(agentsV1, func(rec *gitstore.Record) { rec.ManifestSHA, rec.Attestation = strings.Repeat("0", 64), nil })
	r := w.verify(checking{})[agentsV1]
	wantMismatches(t, "an odd manifest sha", r)
	for _, l := range r.Links {
		if l.Name == verify.LinkManifestSHA && (l.Status != verify.NotAvailable || !strings.Contains(l.Detail, "as M1") || strings.Contains(l.Detail, "tamper")) {
			t.Errorf("got %s: %s", l.Status, l.Detail)
		}
	}
}

// The documented requirement, and each of the others, on a bare statement.
func TestStatements(t *testing.T) {
	w := newWorld(t)
	w.publish(w.commit(project(t)), false)
	pin := w.read(agentsV1)
	statement := func(edit func(map[string]any)) json.RawMessage {
		s := map[string]any{
			"type": "policy_set_attestation", "v": 1, "status": "created", "zone_id": zoneID,
			"policy_set_id": pin.Record.PolicySetID, "policy_set_version": 1, "manifest_sha": pin.Record.ManifestSHA,
			"key_id": "k1", "attested_at": "2026-01-01T00:00:00Z", "attested_by": "keycard",
		}
		edit(s)
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	with := func(name string, value any) json.RawMessage {
		return statement(func(s map[string]any) { s[name] = value })
	}
	var manifest []map[string]string
	for _, e := range pin.Record.Entries {
		manifest = append(manifest, map[string]string{"policy_id": e.PolicyID, "policy_version_id": e.VersionID, "sha": e.SHA})
	}
	reversed := slices.Clone(manifest)
	slices.Reverse(reversed)
	for _, tt := range []struct {
		name string
		raw  json.RawMessage
		want string // part of the detail; "" if it is consistent
	}{
		{"as it should be", with("status", "created"), ""},
		{"signed anew", with("status", "re_signed"), ""},
		{"an unknown member", with("more", "to come"), ""},
		{"with a prefix", with("manifest_sha", "SHA256:"+strings.ToUpper(pin.Record.ManifestSHA)), ""},
		{"with the manifest", with("manifest", manifest), ""},
		{"another type", with("type", "token"), "type"},
		{"another form", with("v", 2), "version 2"},
		{"a version with a point", with("v", 1.5), "v is not a whole number"},
		{"an unknown status", with("status", "revoked"), "status"},
		{"another zone", with("zone_id", "zone_x"), "zone"},
		{"another set", with("policy_set_id", "ps_x"), "policy set"},
		{"the id in place of the number", with("policy_set_version", "psv_1"), "policy_set_version is not a whole number"},
		{"another number", with("policy_set_version", 2), "version 2"},
		{"another manifest sha", with("manifest_sha", strings.Repeat("0", 64)), "manifest sha"},
		{"a number for a manifest sha", with("manifest_sha", 7), "manifest_sha is not a string"},
		{"another manifest", with("manifest", reversed), "manifest"},
		{"an object for a manifest", with("manifest", map[string]any{"entries": manifest}), "manifest"},
		{"a name in other letters", statement(func(s map[string]any) {
			s["Manifest_SHA"] = s["manifest_sha"]
			delete(s, "manifest_sha")
		}), "manifest sha"},
		{"a list", json.RawMessage(`[1]`), "neither"},
		{"a text", json.RawMessage(`"attested"`), "neither"},
		{"half an envelope", json.RawMessage(`{"payload":"e30"}`), "not a flattened JWS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.forge(agentsV1, func(rec *gitstore.Record) { rec.Attestation = tt.raw })
			r := w.verify(checking{})[agentsV1]
			if tt.want == "" {
				wantMismatches(t, tt.name, r)
				if got := statusOf(t, r, verify.LinkAttestation); got != verify.Recorded {
					t.Errorf("got %s, want recorded", got)
				}
				return
			}
			wantMismatches(t, tt.name, r, verify.LinkAttestation)
			for _, l := range r.Links {
				if l.Name == verify.LinkAttestation && !strings.Contains(l.Detail, tt.want) {
					t.Errorf("got %q, want it to say %q", l.Detail, tt.want)
				}
			}
		})
	}
}

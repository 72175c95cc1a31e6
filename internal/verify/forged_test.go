package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/gittest"
	"github.com/policypin/policypin/internal/jcs"
	"github.com/policypin/policypin/internal/jws"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/verify"
)

// What somebody with push access to tags can do to a valid, signed pin, in three
// lists by the weakest check that notices it. Each says why a weaker one can't.

// read reads a pin of the repository.
func (w *world) read(name string) *gitstore.Pin {
	w.Helper()
	refs, err := w.repo.Local().Refs(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	pins, _ := refs.Pins("production")
	for _, ref := range pins {
		if ref.Name != name {
			continue
		}
		read, err := w.repo.Local().ReadPins(context.Background(), []gitstore.PinRef{ref})
		if err != nil {
			w.Fatal(err)
		}
		return read[0]
	}
	w.Fatalf("there is no pin %s", name)
	return nil
}

// put writes a tag object as it is, and points a tag to it.
func (w *world) put(name string, raw []byte) {
	w.Helper()
	cmd := exec.Command("git", "hash-object", "-t", "tag", "-w", "--stdin", "--literally")
	cmd.Dir, cmd.Env, cmd.Stdin = w.dir, gittest.Env(), bytes.NewReader(raw)
	object, err := cmd.Output()
	if err != nil {
		w.Fatalf("git hash-object: %v", err)
	}
	w.git("update-ref", "refs/tags/"+name, strings.TrimSpace(string(object)))
}

// edit changes text of a pin, given as old and new, and keeps its signature.
func (w *world) edit(name string, edits ...string) {
	w.Helper()
	raw := string(w.read(name).Raw)
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(raw, edits[i]) {
			w.Fatalf("%s has no %q", name, edits[i])
		}
	}
	w.put(name, []byte(strings.NewReplacer(edits...).Replace(raw)))
}

// forge writes a pin anew with another record, in good form and unsigned.
func (w *world) forge(name string, change func(*gitstore.Record)) *gitstore.Pin {
	w.Helper()
	pin := w.read(name)
	return w.forgeAt(pin.Commit, pin, change)
}

func (w *world) forgeAt(commit gitstore.Hash, pin *gitstore.Pin, change func(*gitstore.Record)) *gitstore.Pin {
	w.Helper()
	rec := pin.Record
	rec.Entries = append([]gitstore.RecordEntry{}, rec.Entries...)
	change(&rec)
	forged, err := gitstore.NewPin(pin.Pins, commit, rec)
	if err != nil {
		w.Fatal(err)
	}
	w.put(forged.Name, forged.Raw)
	return forged
}

// seal makes a changed manifest consistent with itself, as a forger would: the
// manifest sha follows from the entries, and an attestation that would
// contradict it is left out.
func seal(t testing.TB, rec *gitstore.Record) {
	t.Helper()
	type entry struct {
		Policy  string `json:"policy_id"`
		Version string `json:"policy_version_id"`
		SHA     string `json:"sha"`
	}
	list := []entry{}
	for _, e := range rec.Entries {
		list = append(list, entry{e.PolicyID, e.VersionID, e.SHA})
	}
	sum, err := jcs.Sum(map[string]any{"entries": list})
	if err != nil {
		t.Fatal(err)
	}
	rec.ManifestSHA, rec.Attestation = sum.String(), nil
}

// A stage is a world with two versions of two sets of the same content, all
// pinned and signed, the second of agents being the one that is forged.
type stage struct {
	*world
	first, second, broken gitstore.Hash // commits; broken has a source that doesn't parse
}

func newStage(t testing.TB) *stage {
	t.Helper()
	w := newWorld(t)
	s := &stage{world: w}
	s.first = w.commit(project(t))
	w.publish(s.first, true)
	s.second = w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	w.publish(s.second, true)
	s.broken = w.commit(map[string]string{"policies/ops.cedar": "permit (principal"})
	return s
}

// entry finds an entry of a record by its policy.
func entry(t testing.TB, rec *gitstore.Record, policy string) *gitstore.RecordEntry {
	t.Helper()
	for i := range rec.Entries {
		if rec.Entries[i].Policy == policy {
			return &rec.Entries[i]
		}
	}
	t.Fatalf("the record has no policy %s", policy)
	return nil
}

// A forgery is one row of the lists.
type forgery struct {
	name  string
	pin   string // the pin that is damaged; "" is agents v2
	forge func(t testing.TB, s *stage)
	want  []string // the links that are then mismatches
	drift string   // the detail of drift's finding, "" for none: it checks no signature
}

func (f forgery) damaged() string {
	if f.pin == "" {
		return agentsV2
	}
	return f.pin
}

// foundOffline need nothing but the repository. There is no weaker check, except
// not to look.
var foundOffline = []forgery{
	{"a lightweight tag", "", func(t testing.TB, s *stage) {
		s.git("update-ref", "refs/tags/"+agentsV2, s.second.String())
	}, []string{verify.LinkTag}, publish.PinLightweight},
	{"a tag of a tree", "", func(t testing.TB, s *stage) {
		s.edit(agentsV2, "type commit", "type tree", "object "+s.second.String(), "object "+s.git("rev-parse", "HEAD^{tree}"))
	}, []string{verify.LinkTag}, publish.PinUnreadable},
	{"the tag object of another pin", "", func(t testing.TB, s *stage) {
		s.git("update-ref", "refs/tags/"+agentsV2, s.git("rev-parse", "refs/tags/"+agentsV1))
	}, []string{verify.LinkTag}, publish.PinUnreadable},
	{"a header without a tagger", "", func(t testing.TB, s *stage) {
		s.edit(agentsV2, "\ntagger policypin", "\nauthor policypin")
	}, []string{verify.LinkTag}, publish.PinUnreadable},
	{"a message without a record", "", func(t testing.TB, s *stage) {
		raw := s.read(agentsV2).Raw
		header, _, _ := strings.Cut(string(raw), "\n\n")
		s.put(agentsV2, []byte(header+"\n\nagents v2 in production\n\nPolicypin-Version: psv_1\n"))
	}, []string{verify.LinkRecord}, publish.PinUnreadable},
	{"a record that isn't JSON", "", func(t testing.TB, s *stage) {
		s.edit(agentsV2, `"format": 1,`, `"format": 1`)
	}, []string{verify.LinkRecord}, publish.PinUnreadable},
	{"a record of a format to come", "", func(t testing.TB, s *stage) {
		s.edit(agentsV2, `"format": 1,`, `"format": 2,`)
	}, []string{verify.LinkRecord}, publish.PinUnreadable},
	{"a member twice", "", func(t testing.TB, s *stage) {
		s.edit(agentsV2, `  "set_digest":`, `  "set_digest": "00",`+"\n"+`  "set_digest":`)
	}, []string{verify.LinkRecord}, publish.PinUnreadable},
	{"a member missing", "", func(t testing.TB, s *stage) {
		s.edit(agentsV2, `  "schema_version": "2026-06-18",`+"\n", "")
	}, []string{verify.LinkRecord}, publish.PinUnreadable},
	{"a trailer that scripts would believe", "", func(t testing.TB, s *stage) {
		v1 := s.read(agentsV1).Record.VersionID
		s.edit(agentsV2, "Policypin-Version: "+s.read(agentsV2).Record.VersionID, "Policypin-Version: "+v1)
	}, []string{verify.LinkTrailers}, publish.PinUnreadable},
	{"a subject that people would believe", "", func(t testing.TB, s *stage) {
		s.edit(agentsV2, "agents v2 in production", "agents v3 in production")
	}, []string{verify.LinkTrailers}, publish.PinUnreadable},
	{"the record of another set", "", func(t testing.TB, s *stage) {
		bots := string(s.read("policypin/production/bots/v2").Raw)
		s.put(agentsV2, []byte(strings.Replace(bots, "tag policypin/production/bots/v2", "tag "+agentsV2, 1)))
	}, []string{verify.LinkName}, publish.PinUnreadable},
	{"a name with a leading zero", "policypin/production/agents/v02", func(t testing.TB, s *stage) {
		s.git("update-ref", "refs/tags/policypin/production/agents/v02", s.git("rev-parse", "refs/tags/"+agentsV2))
	}, []string{verify.LinkName}, publish.PinMalformed},
	{"a commit that nobody merged", "", func(t testing.TB, s *stage) {
		s.git("checkout", "-q", "-b", "aside", s.second.String())
		commit := s.commit(map[string]string{"README.md": "unreviewed\n"})
		s.forgeAt(commit, s.read(agentsV2), func(*gitstore.Record) {})
	}, []string{verify.LinkCommit}, publish.PinUnreachable},
	{"a commit that isn't there", "", func(t testing.TB, s *stage) {
		s.forgeAt(gitstore.Hash{1}, s.read(agentsV2), func(*gitstore.Record) {})
	}, []string{verify.LinkCommit}, publish.PinUnreachable},
	{"another commit of the branch", "", func(t testing.TB, s *stage) {
		s.forgeAt(s.first, s.read(agentsV2), func(*gitstore.Record) {})
	}, []string{verify.LinkSetDigest}, publish.PinForgedRecord},
	{"a commit whose sources don't parse", "", func(t testing.TB, s *stage) {
		s.forgeAt(s.broken, s.read(agentsV2), func(*gitstore.Record) {})
	}, []string{verify.LinkSources}, publish.PinForgedRecord},
	{"a target with another zone", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.Target = "staging" })
	}, []string{verify.LinkProject}, publish.PinForgedRecord},
	{"a zone that the commit doesn't name", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.ZoneID, rec.Attestation = "zone_elsewhere", nil })
	}, []string{verify.LinkProject}, publish.PinOtherZone},
	{"a folder without a project", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.Project = "elsewhere" })
	}, []string{verify.LinkProject}, publish.PinForgedRecord},
	{"a set that the commit doesn't have", "policypin/production/robots/v2", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.PolicySet = "robots" })
	}, []string{verify.LinkSet}, publish.PinForgedRecord},
	{"another set digest", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.SetDigest = strings.Repeat("0", 64) })
	}, []string{verify.LinkSetDigest}, publish.PinForgedRecord},
	{"another Cedar schema", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.SchemaVersion = "2026-03-16" })
	}, []string{verify.LinkSchema}, publish.PinForgedRecord},
	{"an entry less", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.Entries = rec.Entries[1:]; seal(t, rec) })
	}, []string{verify.LinkEntries}, publish.PinForgedRecord},
	{"an entry more", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) {
			rec.Entries = append(rec.Entries, gitstore.RecordEntry{Policy: "more", PolicyID: "pol_more", VersionID: "pv_more", Version: 1, SHA: strings.Repeat("0", 64)})
			seal(t, rec)
		})
	}, []string{verify.LinkEntries}, publish.PinForgedRecord},
	{"a policy in place of another", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { entry(t, rec, "finance").Policy = "marketing" })
	}, []string{verify.LinkEntries}, publish.PinForgedRecord},
	{"another number than the manifest's", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { entry(t, rec, "default-user-grants").Version = 2 })
	}, []string{verify.LinkEntries}, publish.PinForgedRecord},
	{"the attestation of another version", "", func(t testing.TB, s *stage) {
		v1 := s.read(agentsV1).Record.Attestation
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.Attestation = v1 })
	}, []string{verify.LinkAttestation}, publish.PinForgedRecord},
	{"an attestation without an algorithm", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) {
			var envelope map[string]string
			if err := json.Unmarshal(rec.Attestation, &envelope); err != nil {
				t.Fatal(err)
			}
			envelope["protected"] = "eyJhbGciOiJub25lIiwia2lkIjoibG9jYWwtem9uZS0xIn0" // {"alg":"none","kid":"local-zone-1"}
			rec.Attestation, _ = json.Marshal(envelope)
		})
	}, []string{verify.LinkAttestation}, publish.PinForgedRecord},
}

// foundOnline need the zone. Ids, numbers, shas and times are the zone's: no file
// of the commit has them, and a forger makes them agree with each other.
var foundOnline = []forgery{
	// The id in a record is the only link from a source to a policy version. Git
	// has the source's text, and the zone alone has the version's.
	{"a source mapped to another policy version", "", func(t testing.TB, s *stage) {
		old := *entry(t, &s.read(agentsV1).Record, "finance")
		s.forge(agentsV2, func(rec *gitstore.Record) { *entry(t, rec, "finance") = old; seal(t, rec) })
	}, []string{verify.LinkVersion, verify.LinkVersionEntries, verify.LinkPolicies, verify.LinkContent, verify.LinkZoneAttestation}, publish.PinForgedRecord},
	// Everything that the zone knows about this version is right. What is wrong is
	// that the commit says something else, which takes the text of both.
	{"a version with other content than the commit's", agentsV1, func(t testing.TB, s *stage) {
		digest := s.read(agentsV2).Record.SetDigest
		s.forgeAt(s.second, s.read(agentsV1), func(rec *gitstore.Record) { rec.SetDigest = digest })
	}, []string{verify.LinkContent}, publish.PinForgedRecord},
	{"a version that the zone doesn't have", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.VersionID = "psv_invented" })
	}, []string{verify.LinkVersion}, publish.PinNotInZone},
	// A pin's number is the zone's count; the repository has no other.
	{"another number of the same version", "policypin/production/agents/v7", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.Version, rec.Attestation = 7, nil })
	}, []string{verify.LinkVersion, verify.LinkZoneAttestation}, publish.PinForgedRecord},
	// How the service computes the manifest sha isn't documented, so that offline
	// one that can't be reproduced may be right.
	{"an invented manifest sha", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.ManifestSHA, rec.Attestation = strings.Repeat("0", 64), nil })
	}, []string{verify.LinkVersion, verify.LinkZoneAttestation}, publish.PinForgedRecord},
	// The service normalizes the Cedar it stores, so that its sha of a policy can't
	// be computed from a source.
	{"an invented sha of a policy", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { entry(t, rec, "ops").SHA = strings.Repeat("0", 64); seal(t, rec) })
	}, []string{verify.LinkVersion, verify.LinkVersionEntries, verify.LinkPolicies, verify.LinkZoneAttestation}, publish.PinForgedRecord},
	// The manifest has no number for an entry by source.
	{"another number of a policy version", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { entry(t, rec, "finance").Version = 1 })
	}, []string{verify.LinkPolicies}, publish.PinForgedRecord},
	// The order of a version's entries is the zone's, and the manifest's may differ.
	{"the entries in another order", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) {
			rec.Entries[0], rec.Entries[1] = rec.Entries[1], rec.Entries[0]
			seal(t, rec)
		})
	}, []string{verify.LinkVersion, verify.LinkVersionEntries, verify.LinkZoneAttestation}, publish.PinForgedRecord},
	// An entry by number has no content in Git: a name and a number are all there
	// is to compare.
	{"an entry by number mapped to another policy", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) {
			e, other := entry(t, rec, "default-user-grants"), entry(t, rec, "ops")
			e.PolicyID, e.VersionID, other.PolicyID, other.VersionID = other.PolicyID, other.VersionID, e.PolicyID, e.VersionID
			seal(t, rec)
		})
	}, []string{verify.LinkVersion, verify.LinkVersionEntries, verify.LinkPolicies, verify.LinkContent, verify.LinkNames, verify.LinkZoneAttestation}, publish.PinForgedRecord},
	// The two sets have the same manifest, so that all digests of Git are equal.
	{"the version of another set with the same content", "", func(t testing.TB, s *stage) {
		bots := s.read("policypin/production/bots/v2").Record
		s.forge(agentsV2, func(rec *gitstore.Record) {
			rec.PolicySetID, rec.VersionID, rec.Attestation = bots.PolicySetID, bots.VersionID, bots.Attestation
		})
	}, []string{verify.LinkPolicySet}, publish.PinForgedRecord},
	// Who and when are the zone's to say; the commit's author is somebody else.
	{"another creator", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.CreatedBy = "usr_other" })
	}, []string{verify.LinkPublisher}, publish.PinForgedRecord},
	{"another time", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.CreatedAt = rec.CreatedAt.Add(time.Hour) })
	}, []string{verify.LinkPublisher}, publish.PinForgedRecord},
	// Nothing tells a repository that a version was archived after it was pinned.
	// For drift that is as it should be, unless the version was published last.
	{"a version that was archived", agentsV1, func(t testing.TB, s *stage) {
		rec := s.read(agentsV1).Record
		if _, err := s.client().ArchiveSetVersion(context.Background(), rec.PolicySetID, rec.VersionID); err != nil {
			t.Fatal(err)
		}
	}, []string{verify.LinkArchived}, ""},
}

// foundBySignature need the keys. Neither the commit nor the zone has what is
// forged here: the tag is its only source, or its signature the only proof.
var foundBySignature = []forgery{
	// Approvals are given to publish, and recorded nowhere else.
	{"an approval that nobody gave", "", func(t testing.TB, s *stage) {
		s.edit(agentsV2, `"approvals": []`, `"approvals": [{"gate":"widened","reason":"fine","by":"ada","source":"label"}]`)
	}, []string{verify.LinkTagSignature}, ""},
	// An unsigned pin is a valid pin; only whoever knows that it must be signed
	// can miss the signature.
	{"the same, and the signature cut off", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) {
			rec.Approvals = []gitstore.Approval{{Gate: "widened", Reason: "fine", By: "ada", Source: "label"}}
		})
	}, []string{verify.LinkTagSignature}, ""},
	{"the same, and signed by somebody else", "", func(t testing.TB, s *stage) {
		forged := s.forge(agentsV2, func(rec *gitstore.Record) {
			rec.Approvals = []gitstore.Approval{{Gate: "widened", Reason: "fine", By: "ada", Source: "label"}}
		})
		signed, err := s.signerOf(s.newKey("other")).Sign(context.Background(), forged)
		if err != nil {
			t.Fatal(err)
		}
		s.put(agentsV2, signed.Raw)
	}, []string{verify.LinkTagSignature}, ""},
	// The tagger is evidence: what makes two pins equal doesn't include it.
	{"another tagger", "", func(t testing.TB, s *stage) {
		s.edit(agentsV2, "tagger policypin <policypin@localhost>", "tagger Ada <ada@example.com>")
	}, []string{verify.LinkTagSignature}, ""},
	// Readers skip members that they don't know, so that old ones can read new
	// records.
	{"a member that no reader knows", "", func(t testing.TB, s *stage) {
		s.edit(agentsV2, `  "approvals":`, `  "reviewed": true,`+"\n"+`  "approvals":`)
	}, []string{verify.LinkTagSignature}, ""},
	// A digest of a format to come can't be recomputed by this build, which then
	// says that it isn't available, and not that it is wrong.
	{"a set digest of a format to come", "", func(t testing.TB, s *stage) {
		s.forge(agentsV2, func(rec *gitstore.Record) { rec.DigestFormat, rec.SetDigest = 99, strings.Repeat("0", 64) })
	}, []string{verify.LinkTagSignature}, ""},
	{"the signature of another pin", "", func(t testing.TB, s *stage) {
		payload, _, _ := s.read(agentsV2).Signature()
		_, other, _ := s.read(agentsV1).Signature()
		s.put(agentsV2, append(bytes.Clone(payload), other...))
	}, []string{verify.LinkTagSignature}, ""},
	// Git takes everything from the signature on as the signature, so that the
	// text is in the tag and in nobody's record.
	{"text after the signature", "", func(t testing.TB, s *stage) {
		s.put(agentsV2, append(bytes.Clone(s.read(agentsV2).Raw), "Approved-by: Ada\n"...))
	}, []string{verify.LinkTagSignature}, ""},
	// The zone has signed anew, so that it doesn't show the old attestation any
	// more. Who attested is in no other place, and the key has the right name.
	{"an attestation by a key of the forger", "", func(t testing.TB, s *stage) {
		pin := s.read(agentsV2)
		s.rotate()
		e, err := jws.Parse(pin.Record.Attestation)
		if err != nil {
			t.Fatal(err)
		}
		key, err := jws.NewKey(e.KeyID)
		if err != nil {
			t.Fatal(err)
		}
		payload := bytes.Replace(e.Payload, []byte(`"attested_by":"local-zone"`), []byte(`"attested_by":"ada"`), 1)
		envelope, err := key.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		forged := s.forge(agentsV2, func(rec *gitstore.Record) { rec.Attestation = envelope })
		signed, err := s.signer.Sign(context.Background(), forged) // by an allowed signer
		if err != nil {
			t.Fatal(err)
		}
		s.put(agentsV2, signed.Raw)
	}, []string{verify.LinkAttestationKey}, ""},
}

// each runs a row of a list in a world of its own.
func each(t *testing.T, list []forgery, check func(t *testing.T, s *stage, f forgery, before *stageKeys)) {
	for _, f := range list {
		t.Run(f.name, func(t *testing.T) {
			s := newStage(t)
			before := &stageKeys{s.keys()}
			wantMismatches(t, "before it is forged", s.verify(checking{zone: true, signers: s.signers})[agentsV2])
			f.forge(t, s)
			check(t, s, f, before)
			s.wantDrift(f)
		})
	}
}

// stageKeys are the zone's keys before anything was forged.
type stageKeys struct{ *jws.KeySet }

func TestForgeriesFoundOffline(t *testing.T) {
	each(t, foundOffline, func(t *testing.T, s *stage, f forgery, _ *stageKeys) {
		wantMismatches(t, "offline", s.verify(checking{})[f.damaged()], f.want...)
	})
}

func TestForgeriesFoundOnlineOnly(t *testing.T) {
	each(t, foundOnline, func(t *testing.T, s *stage, f forgery, _ *stageKeys) {
		wantMismatches(t, "offline", s.verify(checking{})[f.damaged()])
		wantMismatches(t, "online", s.verify(checking{zone: true})[f.damaged()], f.want...)
	})
}

func TestForgeriesFoundBySignatureOnly(t *testing.T) {
	each(t, foundBySignature, func(t *testing.T, s *stage, f forgery, before *stageKeys) {
		// Without a file of allowed signers and the old keys, a signature that is
		// there and valid vouches for nothing; one that isn't valid is noticed.
		r := s.verify(checking{zone: true})[f.damaged()]
		for _, link := range r.Named(verify.Mismatch) {
			if link != verify.LinkTagSignature {
				t.Errorf("without keys, %s is a mismatch already%s", link, show(r))
			}
		}
		wantMismatches(t, "with keys", s.verify(checking{keys: before.KeySet, signers: s.signers})[f.damaged()], f.want...)
	})
}

// TestForgeries counts the lists.
func TestForgeries(t *testing.T) {
	if n := len(foundOffline) + len(foundOnline) + len(foundBySignature); n < 40 {
		t.Errorf("the lists have %d rows, want 40", n)
	}
}

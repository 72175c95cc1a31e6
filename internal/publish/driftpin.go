package publish

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/jcs"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// pin judges one pin by its commit, by the zone, and by what the clone has seen.
func (j *driftJudge) pin(s *driftSet, p *driftPin) {
	f := Finding{Kind: DriftPinDamaged, Set: s.name, Tag: p.ref.Name, Version: p.ref.Number}
	damaged := func(detail string, commands []string, format string, args ...any) {
		f := f
		p.untrue = p.untrue || detail != PinMoved && detail != PinUnreachable
		f.Detail, f.Commands, f.Message = detail, commands, fmt.Sprintf(format, args...)
		if p.live != nil {
			f.created(p.live)
		}
		j.add(f)
	}
	j.seen(p, damaged)
	if p.pin == nil {
		detail := PinUnreadable
		if errors.Is(p.damage, gitstore.ErrLightweight) {
			detail = PinLightweight
		}
		commands := j.repin(s, p)
		if errors.Is(p.damage, gitstore.ErrNewerRecord) {
			commands = nil // it may well be true
		}
		damaged(detail, commands, "%v", p.damage)
		return
	}
	rec := &p.pin.Record
	f.VersionID = rec.VersionID
	if p.gone {
		damaged(PinUnreachable, j.repin(s, p), "commit %s, which pin v%d is on, is not in %s", p.pin.Commit.Short(), p.ref.Number, j.src.Origin.Name())
		p.untrue = true // nobody can say what was published
		return
	}
	if p.off {
		damaged(PinUnreachable, []string{j.command("publish", "--new-base", "history was rewritten")},
			"commit %s, which pin v%d is on, is not on %s", p.pin.Commit.Short(), p.ref.Number, j.branch)
	}
	if rec.ZoneID != j.target.ZoneID {
		damaged(PinOtherZone, nil, "pin v%d records zone %s, target %s is zone %s", p.ref.Number, rec.ZoneID, j.target.Name, j.target.ZoneID)
		return
	}
	if p.live == nil {
		what := "version " + rec.VersionID + " in policy set " + rec.PolicySetID
		if live := s.live[rec.PolicySetID]; live == nil || live.set == nil {
			what = "policy set " + rec.PolicySetID
		}
		if why, _, ok := j.anotherLocal(); ok {
			what += "; " + why
		}
		damaged(PinNotInZone, j.repin(s, p), "pin v%d records %s as %s, and the zone has no %s", p.ref.Number, rec.VersionID, rec.PolicySet, what)
		return
	}
	contradictions := againstZone(p)
	// A set that was renamed has another name in the zone, but then no other set
	// has its name.
	if other := j.named[rec.PolicySet]; other != nil && other.ID != rec.PolicySetID {
		contradictions = append(contradictions, fmt.Sprintf("policy set %s is %s in the record and %s in the zone",
			quoted(rec.PolicySet), quoted(rec.PolicySetID), quoted(other.ID)))
	}
	if p.checked {
		contradictions = append(contradictions, againstCommit(p)...)
	}
	if len(contradictions) > 0 {
		damaged(PinForgedRecord, j.repin(s, p), "the record of pin v%d is not true: %s", p.ref.Number, strings.Join(contradictions, "; "))
		return
	}
	if p.checked {
		j.attestation(s, p)
	}
}

// seen compares a pin with the one that this clone has under its name.
func (j *driftJudge) seen(p *driftPin, damaged func(detail string, commands []string, format string, args ...any)) {
	old := p.before
	switch {
	case old == nil:
	case p.pin == nil || !p.pin.Equal(old):
		now := fmt.Sprintf("object %s", p.ref.Object.Short())
		if p.pin != nil {
			now = p.pin.String()
		}
		damaged(PinMoved, []string{
			fmt.Sprintf("git push --force-with-lease=%s %s %s",
				shellWord(fmt.Sprintf("refs/tags/%s:%s", p.ref.Name, p.ref.Object)), shellWord(j.remoteName()),
				shellWord(fmt.Sprintf("%s:refs/tags/%s", old.Object, p.ref.Name))),
		}, "the tag was moved since this clone fetched it; here: %s; there: %s", old, now)
	default:
		j.add(Finding{
			Kind: DriftPinDamaged, Detail: PinRecreated, Information: true, Set: p.pin.Record.PolicySet, Tag: p.ref.Name, Version: p.ref.Number,
			VersionID: p.pin.Record.VersionID,
			Message:   fmt.Sprintf("the tag was created again since this clone fetched it (object %s, was %s), by %q; it says the same", p.ref.Object.Short(), old.Object.Short(), p.pin.Tagger),
		})
	}
}

// repin replaces a tag that says nothing true by what commit and zone say, if
// there is such a version. The tag's own commit is the best guess at what was
// published; repin refuses a wrong one.
func (j *driftJudge) repin(s *driftSet, p *driftPin) []string {
	commands := []string{j.deleteTag(p.ref.Name)}
	if p.ref.Set == s.name && s.exists(p.ref.Number) {
		rev := p.ref.Commit.String()
		switch {
		case errors.Is(p.damage, gitstore.ErrLightweight):
			rev = p.ref.Object.String()
		case p.gone, p.ref.Commit.IsZero():
			rev = someCommit
		}
		commands = append(commands, j.repinAt(rev, s, p.ref.Number))
	}
	return commands
}

// someCommit stands in a command for one that nothing points to any more.
const someCommit = "COMMIT"

func (j *driftJudge) repinAt(rev string, s *driftSet, number int) string {
	return j.command("repin", "--rev", rev, s.name, fmt.Sprintf("v%d", number))
}

// againstZone lists what the record says otherwise than the zone.
func againstZone(p *driftPin) []string {
	rec, v := &p.pin.Record, p.live
	var out []string
	differ := func(what, got, want string) {
		if got != want {
			out = append(out, fmt.Sprintf("%s is %s in the record and %s in the zone", what, quoted(got), quoted(want)))
		}
	}
	differ("the number", fmt.Sprintf("v%d", rec.Version), fmt.Sprintf("v%d", v.Version))
	differ("the manifest sha", keycard.NormalSHA(rec.ManifestSHA), keycard.NormalSHA(v.ManifestSHA))
	differ("the schema version", rec.SchemaVersion, v.SchemaVersion)
	differ("created_by", rec.CreatedBy, v.CreatedBy)
	if !rec.CreatedAt.Equal(v.CreatedAt) {
		out = append(out, fmt.Sprintf("created_at is %s in the record and %s in the zone", rec.CreatedAt, v.CreatedAt.UTC()))
	}
	if !p.checked {
		return out
	}
	if len(rec.Entries) != len(v.Entries) {
		return append(out, fmt.Sprintf("it has %s, the zone's version has %d", count(len(rec.Entries), "entry", "entries"), len(v.Entries)))
	}
	byID := map[string]*keycard.PolicyVersion{}
	for _, pv := range p.policies {
		byID[pv.ID] = pv
	}
	for i, e := range rec.Entries {
		want := v.Entries[i]
		if e.PolicyID != want.PolicyID || e.VersionID != want.VersionID {
			out = append(out, fmt.Sprintf("entry %d is %s in the record and %s in the zone", i+1, quoted(e.PolicyID+"/"+e.VersionID), quoted(want.PolicyID+"/"+want.VersionID)))
			continue
		}
		if want.SHA != "" {
			differ("the sha of entry "+quoted(e.Policy), keycard.NormalSHA(e.SHA), keycard.NormalSHA(want.SHA))
		}
		if pv := byID[e.VersionID]; pv != nil {
			differ("the number of entry "+quoted(e.Policy), fmt.Sprintf("v%d", e.Version), fmt.Sprintf("v%d", pv.Version))
		}
	}
	return out
}

// againstCommit lists what the record, or the version that it names, says
// otherwise than the commit.
func againstCommit(p *driftPin) []string {
	rec := &p.pin.Record
	if p.tree == nil {
		return []string{fmt.Sprintf("commit %s has no project in %s", p.pin.Commit.Short(), quoted(rec.Project))}
	}
	var out []string
	if t, ok := p.tree.Project.Target(rec.Target); !ok || t.ZoneID != rec.ZoneID {
		out = append(out, fmt.Sprintf("target %s is not zone %s in commit %s", quoted(rec.Target), quoted(rec.ZoneID), p.pin.Commit.Short()))
	}
	set, ok := p.tree.Set(rec.PolicySet)
	if !ok {
		return append(out, fmt.Sprintf("commit %s has no policy set %s", p.pin.Commit.Short(), quoted(rec.PolicySet)))
	}
	if digest := digestIn(p.tree, set.Name); rec.DigestFormat == cedar.DigestFormat && digest != rec.SetDigest {
		out = append(out, fmt.Sprintf("its set digest is %s, commit %s has %s", quoted(short(rec.SetDigest)), p.pin.Commit.Short(), quoted(short(digest))))
	}
	if set.SchemaVersion != rec.SchemaVersion {
		out = append(out, fmt.Sprintf("its schema version is %s, commit %s has %s", quoted(rec.SchemaVersion), p.pin.Commit.Short(), quoted(set.SchemaVersion)))
	}
	if len(set.Entries) != len(rec.Entries) {
		out = append(out, fmt.Sprintf("it has %s, commit %s declares %d", count(len(rec.Entries), "entry", "entries"), p.pin.Commit.Short(), len(set.Entries)))
	}
	for _, e := range set.Entries {
		if text := entryAgainst(p, e); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// entryAgainst compares one entry of the commit with the version that the record
// maps it to.
func entryAgainst(p *driftPin, e manifest.Entry) string {
	i := slices.IndexFunc(p.pin.Record.Entries, func(r gitstore.RecordEntry) bool {
		if e.VersionID != "" {
			return r.PolicyID == e.PolicyID && r.VersionID == e.VersionID
		}
		return r.Policy == e.Policy
	})
	if i < 0 {
		return fmt.Sprintf("it has no entry %s, which the commit declares", quoted(e.Policy+e.VersionID))
	}
	r := p.pin.Record.Entries[i]
	switch {
	case e.VersionID != "":
	case e.Source == "":
		if r.Version != e.Version {
			return fmt.Sprintf("entry %s is v%d, the commit declares v%d", quoted(e.Policy), r.Version, e.Version)
		}
	default:
		v := find(p.policies, func(v *keycard.PolicyVersion) bool { return v.ID == r.VersionID })
		source := p.tree.Sources[e.Source]
		if v != nil && (source == nil || !source.Same(v.CedarRaw)) {
			return fmt.Sprintf("it maps %s to %s, whose text in the zone is another", quoted(e.Source), quoted(r.VersionID))
		}
	}
	return ""
}

func quoted(s string) string {
	const longest = 100 // of what a hostile record can put into a message
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}

// A statement is what an attestation says, in either shape of the API reference:
// the statement itself, or a JWS (RFC 7515) with the statement as its payload.
type statement struct {
	Type       string `json:"type"`
	V          int    `json:"v"`
	ZoneID     string `json:"zone_id"`
	SetID      string `json:"policy_set_id"`
	Version    int    `json:"policy_set_version"`
	SHA        string `json:"manifest_sha"`
	Status     string `json:"status"`
	AttestedBy string `json:"attested_by"`
}

// reSigned is the status of an attestation that replaces an older one, after a
// rotation of the zone's keys.
const reSigned = "re_signed"

// content is the part that signing again doesn't change.
func (s statement) content() statement {
	return statement{Type: s.Type, V: s.V, ZoneID: s.ZoneID, SetID: s.SetID, Version: s.Version, SHA: keycard.NormalSHA(s.SHA)}
}

// readStatement reads an attestation. signed tells that it is a JWS.
func readStatement(raw json.RawMessage) (s statement, signed, ok bool) {
	var envelope struct {
		Payload string `json:"payload"`
	}
	if err := json.Unmarshal(raw, &envelope); err == nil && envelope.Payload != "" {
		payload, err := base64.RawURLEncoding.DecodeString(envelope.Payload)
		if err != nil {
			return s, true, false
		}
		raw, signed = payload, true
	}
	err := json.Unmarshal(raw, &s)
	return s, signed, err == nil
}

// attestation compares what the pin recorded with what the zone has now.
func (j *driftJudge) attestation(s *driftSet, p *driftPin) {
	was, now := canonicalJSON(p.pin.Record.Attestation), canonicalJSON(p.live.Attestation)
	if bytes.Equal(was, now) {
		return
	}
	f := Finding{
		Kind: DriftReSigned, Detail: detailAttestation, Information: true, Set: s.name, Tag: p.ref.Name,
		VersionID: p.live.ID, Version: p.live.Version,
	}
	null := []byte("null")
	before, signedBefore, okBefore := readStatement(was)
	after, signedAfter, okAfter := readStatement(now)
	switch {
	case bytes.Equal(was, null):
		f.Message = fmt.Sprintf("v%d was attested after it was pinned", p.live.Version)
	case bytes.Equal(now, null):
		f.Message = fmt.Sprintf("v%d has no attestation any more; the pin keeps the one it had", p.live.Version)
	case okBefore && okAfter && before.content() == after.content() && (after.Status == reSigned || signedBefore != signedAfter):
		f.By = after.AttestedBy
		f.Message = fmt.Sprintf("the attestation of v%d was signed again (status %s); the content is the same", p.live.Version, quoted(after.Status))
	default:
		f.Kind, f.Detail, f.Information = DriftPinDamaged, PinForgedRecord, false
		f.Message = fmt.Sprintf("the record of pin v%d is not true: its attestation is not the zone's, which was not signed again", p.ref.Number)
		p.untrue = true
		f.Commands = j.repin(s, p)
	}
	j.add(f)
}

// canonicalJSON is RFC 8785, or the text itself if it isn't JSON.
func canonicalJSON(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return []byte("null")
	}
	if c, err := jcs.Canonicalize(raw); err == nil {
		return c
	}
	return raw
}

// missing finds versions without a pin: pins that this clone has seen, and
// versions that the zone has.
func (j *driftJudge) missing(s *driftSet) {
	known := map[string]bool{}
	for _, lost := range s.lost {
		known[lost.Record.VersionID] = true
		j.add(Finding{
			Kind: DriftPinDamaged, Detail: PinMissing, Set: s.name, Tag: lost.Name, VersionID: lost.Record.VersionID, Version: lost.Number,
			By: lost.Record.CreatedBy, At: stamp(lost.Record.CreatedAt),
			Message:  fmt.Sprintf("pin v%d is in this clone, and %s has no tag of that name: it was deleted there", lost.Number, j.src.Origin.Name()),
			Commands: []string{fmt.Sprintf("git push %s %s", shellWord(j.remoteName()), shellWord("refs/tags/"+lost.Name))},
		})
	}
	last := s.last()
	if last == nil || s.live[last.pin.Record.PolicySetID] == nil {
		return
	}
	for _, p := range s.pins {
		if p.live != nil {
			known[p.live.ID] = true
		}
	}
	for _, v := range s.live[last.pin.Record.PolicySetID].versions {
		if !known[v.ID] && !s.damaged(v.Version) && v.ArchivedAt == nil && !s.isBefore(v.ID) {
			j.unknown(s, last, v, s.publishedBy(v.CreatedBy))
		}
	}
	j.older(s)
}

// unknown judges a version without a pin. ours tells whether the account that
// created it also created versions that are pinned.
func (j *driftJudge) unknown(s *driftSet, last *driftPin, v *keycard.PolicySetVersion, ours bool) {
	number := fmt.Sprintf("v%d", v.Version)
	f := Finding{Kind: DriftUnknown, Set: s.name, VersionID: v.ID, Version: v.Version}
	f.created(v)
	active := j.active != nil && j.active.ActiveVersionID == v.ID
	repin, archive := j.repinAt(someCommit, s, v.Version), j.command("versions archive", s.name, number)
	state := ""
	if active {
		state = " and decides requests"
	}
	switch newer := v.Version > last.ref.Number; {
	case newer && ours:
		f.Detail = detailNewer
		f.Message = fmt.Sprintf("%s has no pin%s; the account that publishes created it, so a publish broke off before its pin, or the pin was deleted", number, state)
		f.Commands = []string{repin}
		if s.decl != nil && last.digest != s.digest {
			f.Commands = j.publish()
		}
	case newer:
		f.Detail = detailNewer
		f.Message = fmt.Sprintf("%s has no pin%s; somebody else created it", number, state)
		f.Commands = []string{j.command("versions policies", s.name, number), archive}
	case ours:
		f.Kind, f.Detail = DriftPinDamaged, PinMissing
		f.Message = fmt.Sprintf("%s has no pin%s; the account that publishes created it, so its pin was deleted, or a publish broke off", number, state)
		if oldest := s.oldest(); oldest == nil || v.Version < oldest.ref.Number {
			f.Message = fmt.Sprintf("%s has no pin%s; the account that publishes created it, and %s may have declared %s then, so its pin was deleted, or a publish broke off", number, state, j.branch, s.name)
		}
		f.Commands = []string{repin}
	default:
		f.Detail, f.Information = detailOld, !active
		f.Message = fmt.Sprintf("%s has no pin%s; somebody else created it before v%d was published", number, state, last.ref.Number)
		f.Commands = []string{archive}
	}
	if active { // it can't be archived before another is active
		f.Commands = slices.DeleteFunc(f.Commands, func(c string) bool { return c == archive })
	}
	j.add(f)
}

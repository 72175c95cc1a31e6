package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/jcs"
	"github.com/policypin/policypin/internal/jws"
	"github.com/policypin/policypin/internal/keycard"
)

// A KeySource is where the zone's public keys come from. The zero value has
// none.
type KeySource struct {
	// Name is what messages call it: a file's name, or the zone.
	Name string
	// Read returns the keys. It is called when the first signature is checked,
	// and once more for a key that isn't among them, unless Fixed.
	Read func(context.Context) (*jws.KeySet, error)
	// Fixed says that reading again would give the same.
	Fixed bool

	keys  *jws.KeySet
	reads int
}

// errNoKeys is wrapped when there are no keys to check a signature with.
var errNoKeys = errors.New("no keys")

// verify checks an envelope's signature.
func (s *KeySource) verify(ctx context.Context, e *jws.Envelope) error {
	if s.Read == nil {
		return fmt.Errorf("%w: give the zone's key set with --jwks", errNoKeys)
	}
	for {
		if s.keys == nil {
			keys, err := s.Read(ctx)
			if err != nil {
				return fmt.Errorf("%w: %w", errNoKeys, err)
			}
			s.keys = keys
			s.reads++
		}
		err := e.Verify(s.keys)
		if !errors.Is(err, jws.ErrUnknownKey) || s.Fixed || s.reads > 1 {
			return err
		}
		s.keys = nil // it may be a new key
	}
}

// An attestation is the zone's word about a version, in one of its two shapes:
// a signed envelope with a statement in it, or the statement alone.
type attestation struct {
	envelope  *jws.Envelope // nil for a bare statement
	statement statement
}

// readAttestation reads either shape. An envelope's signature isn't checked.
func readAttestation(raw json.RawMessage) (attestation, error) {
	var a attestation
	doc, err := jcs.Canonicalize(raw)
	if err == nil {
		err = json.Unmarshal(doc, &a.statement.members)
	}
	if err != nil {
		return a, fmt.Errorf("it is neither an envelope nor a statement: %w", err)
	}
	enveloped := slices.ContainsFunc([]string{"payload", "protected", "signature"}, func(name string) bool {
		_, ok := a.statement.members[name]
		return ok
	})
	if !enveloped {
		return a, nil
	}
	if a.envelope, err = jws.Parse(raw); err != nil {
		return a, err
	}
	payload := a.envelope.Payload
	if doc, err = jcs.Canonicalize(payload); err != nil || !bytes.Equal(doc, payload) {
		return a, errors.New("its payload isn't canonical JSON (RFC 8785)")
	}
	a.statement.members = nil
	if err := json.Unmarshal(payload, &a.statement.members); err != nil {
		return a, errors.New("its payload isn't a JSON object")
	}
	return a, nil
}

// A statement is what an attestation says: members by their exact name, which
// encoding/json would not insist on.
type statement struct {
	members map[string]json.RawMessage
	bad     error // the first member that has another type than it should
}

// text is a member that must be a string, or absent and then "".
func (s *statement) text(name string) string {
	var v string
	if raw, ok := s.members[name]; ok {
		if err := json.Unmarshal(raw, &v); err != nil && s.bad == nil {
			s.bad = fmt.Errorf("%s is not a string", name)
		}
	}
	return v
}

// number is a member that must be a whole number, which in canonical JSON has
// neither a point nor an exponent.
func (s *statement) number(name string) int {
	n, err := strconv.Atoi(string(s.members[name]))
	if err != nil && s.bad == nil {
		s.bad = fmt.Errorf("%s is not a whole number", name)
	}
	return n
}

// contradiction says in what a statement isn't what the zone would say about the
// recorded version, or is "". keyID is that of the envelope, if there is one.
func (s *statement) contradiction(rec *gitstore.Record, keyID string) string {
	kind, v, status := s.text("type"), s.number("v"), s.text("status")
	zone, set, number := s.text("zone_id"), s.text("policy_set_id"), s.number("policy_set_version")
	sha, key := keycard.NormalSHA(s.text("manifest_sha")), s.text("key_id")
	switch {
	case s.bad != nil:
		return s.bad.Error()
	case kind != "policy_set_attestation":
		return fmt.Sprintf("its type is %.40q, not policy_set_attestation", kind)
	case v != 1:
		return fmt.Sprintf("its form is version %d, and this build knows version 1", v)
	case !slices.Contains([]string{"created", "committed", "re_signed"}, status):
		return fmt.Sprintf("its status %.40q is not known", status)
	case zone != rec.ZoneID:
		return fmt.Sprintf("it is about zone %.80q, the record about %q", zone, rec.ZoneID)
	case set != rec.PolicySetID:
		return fmt.Sprintf("it is about policy set %.80q, the record about %q", set, rec.PolicySetID)
	case number != rec.Version:
		return fmt.Sprintf("it is about version %d, the record about version %d", number, rec.Version)
	case sha != keycard.NormalSHA(rec.ManifestSHA):
		return fmt.Sprintf("it is about manifest sha %.64s, the record about %s", sha, keycard.NormalSHA(rec.ManifestSHA))
	case keyID != "" && key != "" && key != keyID:
		return fmt.Sprintf("it names key %.80q, and %.80q signed it", key, keyID)
	}
	if raw, ok := s.members["manifest"]; ok && !sameManifest(raw, rec.Entries) {
		return "its manifest isn't that of the record"
	}
	return ""
}

// sameManifest compares the list of entries in a statement with the record's, in
// order and content.
func sameManifest(raw json.RawMessage, entries []gitstore.RecordEntry) bool {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || len(list) != len(entries) {
		return false
	}
	for i, members := range list {
		e := statement{members: members}
		policy, version, sha := e.text("policy_id"), e.text("policy_version_id"), e.text("sha")
		if e.bad != nil || policy != entries[i].PolicyID || version != entries[i].VersionID ||
			keycard.NormalSHA(sha) != keycard.NormalSHA(entries[i].SHA) {
			return false
		}
	}
	return true
}

// String says by whom and when, for people.
func (a *attestation) String() string {
	what := "a statement"
	if a.envelope != nil {
		what = "a signed statement"
	}
	s := &a.statement
	what += fmt.Sprintf(" (%s", s.text("status"))
	if by := s.text("attested_by"); by != "" {
		what += fmt.Sprintf(" by %q", by)
	}
	if at, err := time.Parse(time.RFC3339, s.text("attested_at")); err == nil {
		what += " at " + at.UTC().Format(time.RFC3339)
	}
	return what + ")"
}

// An attested value is one attestation of a pin's version.
type attested struct {
	raw json.RawMessage
	// said and signed name the links about what it says and who signed it.
	said, signed string
	// confirmed tells whether the zone has shown it, rather than the record.
	confirmed bool
	// replaced tells whether the zone has signed the same content anew, so that
	// it is no wonder that a key has vanished.
	replaced bool
}

// attest adds the links of an attestation.
func (c *Chain) attest(ctx context.Context, r *Result, of attested) {
	if none(of.raw) {
		r.add(of.said, NotAvailable, "there is none")
		return
	}
	a, err := readAttestation(of.raw)
	if err != nil {
		r.add(of.said, Mismatch, "%v", err)
		return
	}
	key := Link{of.signed, NotAvailable, "a bare statement carries no signature"}
	keyID := ""
	if a.envelope != nil {
		keyID = a.envelope.KeyID
		key = c.keyLink(ctx, a.envelope, of)
	}
	switch why := a.statement.contradiction(&r.Pin.Record, keyID); {
	case why != "":
		r.add(of.said, Mismatch, "%s", why)
	case key.Status == OK:
		r.add(of.said, OK, "%s, consistent with the record", &a)
		r.SignedBy = append(r.SignedBy, fmt.Sprintf("%s by key %q of %s", of.said, keyID, c.Keys.Name))
	case of.confirmed:
		r.add(of.said, OK, "%s, consistent with the record", &a)
	default:
		// Without a signature, and not seen in the zone, it is a copy that the
		// publisher may have invented.
		r.add(of.said, Recorded, "%s, consistent with the record", &a)
	}
	r.Links = append(r.Links, key)
}

// keyLink checks the signature of an envelope.
func (c *Chain) keyLink(ctx context.Context, e *jws.Envelope, of attested) Link {
	switch err := c.Keys.verify(ctx, e); {
	case err == nil:
		return Link{of.signed, OK, fmt.Sprintf("%s by key %q of %s", e.Algorithm, e.KeyID, c.Keys.Name)}
	case errors.Is(err, errNoKeys):
		return Link{of.signed, NotAvailable, err.Error()}
	case errors.Is(err, jws.ErrUnknownKey) && of.replaced:
		return Link{of.signed, NotAvailable, fmt.Sprintf("%s doesn't have key %q any more, and has signed the same content with another", c.Keys.Name, e.KeyID)}
	default:
		return Link{of.signed, Mismatch, fmt.Sprintf("%v, with the keys of %s", err, c.Keys.Name)}
	}
}

// attestations adds the links of the recorded attestation and of the one that
// the zone shows now, if that is another.
func (c *Chain) attestations(ctx context.Context, r *Result, live json.RawMessage) {
	recorded := attested{raw: r.Pin.Record.Attestation, said: LinkAttestation, signed: LinkAttestationKey}
	if none(live) || sameJSON(live, recorded.raw) {
		recorded.confirmed = !none(live)
		c.attest(ctx, r, recorded)
		return
	}
	// The zone's own comes first: whether it signed anew decides what a vanished
	// key means.
	now := &Result{Pin: r.Pin}
	c.attest(ctx, now, attested{raw: live, said: LinkZoneAttestation, signed: LinkZoneKey, confirmed: true})
	recorded.replaced = len(now.SignedBy) > 0
	if why := unlike(live, recorded.raw); why != "" && !none(recorded.raw) {
		r.add(LinkAttestation, Mismatch, "%s", why)
	} else {
		c.attest(ctx, r, recorded)
	}
	r.Links = append(r.Links, now.Links...)
	r.SignedBy = append(r.SignedBy, now.SignedBy...)
}

// unlike says why the zone's attestation can't have replaced the recorded one.
// One of the same shape changes only when the zone signs anew.
func unlike(live, recorded json.RawMessage) string {
	a, err := readAttestation(live)
	if err != nil {
		return "" // its own link says so
	}
	b, err := readAttestation(recorded)
	if err == nil && (a.envelope == nil) == (b.envelope == nil) && a.statement.text("status") != "re_signed" {
		return "the zone shows another, and hasn't signed anew"
	}
	return ""
}

// none tells whether there is no attestation.
func none(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// sameJSON compares what two JSON values say.
func sameJSON(a, b json.RawMessage) bool {
	x, err := jcs.Canonicalize(a)
	if err != nil {
		return false
	}
	y, err := jcs.Canonicalize(b)
	return err == nil && bytes.Equal(x, y)
}

// Package verify recomputes what a pin claims: commit, sources, set digest,
// manifest sha, version, attestation, and the tag's own signature. Each is a
// link of a chain, and each says what it rests on: the repository, the zone, a
// key, or the word of whoever wrote the pin.
//
// It never fails because a pin is wrong, only because something can't be read.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// A Status is what became of a link.
type Status string

const (
	// OK means that the claim was recomputed, and is so.
	OK Status = "ok"
	// Mismatch means that the claim was recomputed, and is otherwise.
	Mismatch Status = "mismatch"
	// Recorded means that nothing here can confirm the claim: it is the word of
	// the publisher who wrote the pin.
	Recorded Status = "recorded"
	// NotAvailable means that what the check needs isn't there.
	NotAvailable Status = "not-available"
)

// The links of the chain, in order. Names never change once released.
const (
	LinkTag             = "tag"                        // a well-formed annotated tag of a commit
	LinkRecord          = "record"                     // the record can be read
	LinkTrailers        = "trailers"                   // subject and trailers say what the record says
	LinkName            = "name"                       // the tag's name is that of the record
	LinkCommit          = "commit"                     // the commit is on the target's branch
	LinkProject         = "project"                    // the commit declares target, zone and pins
	LinkSet             = "set"                        // the commit declares the set for the target
	LinkSources         = "sources"                    // the set's sources parse
	LinkSetDigest       = "set-digest"                 // recomputed from the commit
	LinkSchema          = "schema"                     // the Cedar schema version
	LinkEntries         = "entries"                    // manifest and record name the same policies
	LinkManifestSHA     = "manifest-sha"               // recomputed from the record
	LinkPolicySet       = "policy-set"                 // the zone has the set
	LinkVersion         = "version"                    // the zone has the version
	LinkVersionEntries  = "version-entries"            // its manifest is the record's
	LinkPolicies        = "policies"                   // its policy versions are the record's
	LinkContent         = "content"                    // their text is that of the sources
	LinkNames           = "names"                      // the zone's names of the policies
	LinkPublisher       = "publisher"                  // who created the version, and when
	LinkArchived        = "archived"                   // the version isn't
	LinkApprovals       = "approvals"                  // reasons that were given
	LinkAttestation     = "attestation"                // the recorded one says what the record says
	LinkAttestationKey  = "attestation-signature"      // and the zone's key signed it
	LinkZoneAttestation = "zone-attestation"           // the one that the zone has now
	LinkZoneKey         = "zone-attestation-signature" // and its signature
	LinkTagSignature    = "tag-signature"              // a key signed the pin
)

// A Link is one checked claim of a pin.
type Link struct {
	Name   string
	Status Status
	Detail string
}

// Words for what the chain of a pin comes to.
const (
	Consistent = "consistent" // nothing that was checked contradicts the pin
	Signed     = "signed"     // and a signature vouches for it
	Broken     = "mismatch"
)

// A Result is the chain of one pin.
type Result struct {
	Ref   gitstore.PinRef
	Pin   *gitstore.Pin // nil if it can't be read
	Links []Link
	// SignedBy says whose signature vouches for what. It is empty if no
	// signature was verified.
	SignedBy []string
	// reproducedBy is the form of the manifest whose hash is the recorded sha.
	reproducedBy string
}

// Verdict is Broken, Signed or Consistent.
func (r *Result) Verdict() string {
	switch {
	case slices.ContainsFunc(r.Links, func(l Link) bool { return l.Status == Mismatch }):
		return Broken
	case len(r.SignedBy) > 0:
		return Signed
	}
	return Consistent
}

// Named lists the links with a status.
func (r *Result) Named(status Status) []string {
	var names []string
	for _, l := range r.Links {
		if l.Status == status {
			names = append(names, l.Name)
		}
	}
	return names
}

func (r *Result) add(name string, status Status, format string, args ...any) {
	r.Links = append(r.Links, Link{name, status, fmt.Sprintf(format, args...)})
}

// A Tip is where a branch ends.
type Tip struct {
	Name   string
	Commit gitstore.Hash
}

// A Chain is what pins of one target are held against.
type Chain struct {
	Origin gitstore.Origin
	// Tips are the ends of the target's branch, as far as they are known: a
	// clone may know it by its own name and by that of a remote.
	Tips []Tip
	// Siblings reads the other pins of a set. It is asked when a commit isn't on
	// the branch, since a later pin may record a new base.
	Siblings func(ctx context.Context, set string) ([]*gitstore.Pin, error)
	// Zone is the target's zone, or nil if it can't be asked.
	Zone *keycard.Reader
	// Keys are the zone's public keys.
	Keys KeySource
	// Signatures checks the signatures of tags.
	Signatures *gitstore.SignatureChecker

	project struct { // the last one that was loaded
		commit gitstore.Hash
		dir    string
		read   bool
		tree   *manifest.Tree
		bad    map[string]string // by file: its first problem
		err    error
	}
}

// Pins verifies pins, in the order of refs.
func (c *Chain) Pins(ctx context.Context, refs []gitstore.PinRef) ([]*Result, error) {
	results := make([]*Result, len(refs))
	// Reading all at once fetches what the clone lacks with one request; which
	// of them are damaged shows below.
	if _, err := c.Origin.ReadPins(ctx, refs); err != nil && !errors.Is(err, gitstore.ErrBadPin) {
		return nil, err
	}
	for i, ref := range refs {
		results[i] = &Result{Ref: ref}
		if err := c.open(ctx, results[i]); err != nil {
			return nil, err
		}
	}
	// Pins of one commit are neighbours, so that its project is loaded once.
	order := slices.Clone(results)
	slices.SortStableFunc(order, func(a, b *Result) int { return slices.Compare(commitOf(a), commitOf(b)) })
	for _, r := range order {
		if r.Pin == nil {
			continue
		}
		if err := c.verify(ctx, r); err != nil {
			return nil, fmt.Errorf("verifying %s: %w", r.Ref.Name, err)
		}
	}
	compareForms(results)
	return results, nil
}

func commitOf(r *Result) []byte {
	if r.Pin == nil {
		return nil
	}
	return r.Pin.Commit[:]
}

// Odd is the result of a ref that lies among the pins and has no pin's name.
func Odd(ref string) *Result {
	name := strings.TrimPrefix(ref, "refs/tags/")
	r := &Result{Ref: gitstore.PinRef{Name: name}}
	r.add(LinkName, Mismatch, "it lies among the pins, and its name doesn't have the form policypin/PINS/SET/vN")
	return r
}

// brokenPart is the link that a damaged part of a pin breaks.
var brokenPart = map[string]string{
	gitstore.PartTag: LinkTag, gitstore.PartRecord: LinkRecord,
	gitstore.PartTrailers: LinkTrailers, gitstore.PartName: LinkName,
}

// open reads a pin. Its first four links are what reading it proves.
func (c *Chain) open(ctx context.Context, r *Result) error {
	pins, err := c.Origin.ReadPins(ctx, []gitstore.PinRef{r.Ref})
	broken, reason := "", ""
	switch {
	case errors.Is(err, gitstore.ErrBadPin):
		part, why := gitstore.BadPart(err)
		broken, reason = cmp.Or(brokenPart[part], LinkTag), why.Error()
	case err != nil:
		return err
	case pins[0].Object != r.Ref.Object:
		broken, reason = LinkTag, fmt.Sprintf("the tag object's content has the id %s, not %s", pins[0].Object, r.Ref.Object)
	default:
		r.Pin = pins[0]
	}
	for _, l := range []struct{ name, detail string }{
		{LinkTag, "annotated tag of a commit"},
		{LinkRecord, "a record of a format that this build reads"},
		{LinkTrailers, "subject and trailers say what the record says"},
		{LinkName, "set and number are those of the record"},
	} {
		if l.name == broken {
			r.add(l.name, Mismatch, "%s", reason)
			return nil
		}
		r.add(l.name, OK, "%s", l.detail)
	}
	return nil
}

// verify adds the links from the commit on.
func (c *Chain) verify(ctx context.Context, r *Result) error {
	if err := c.commit(ctx, r); err != nil {
		return err
	}
	set, err := c.files(ctx, r)
	if err != nil {
		return err
	}
	manifestSHA(r)
	if err := c.zone(ctx, r, set); err != nil {
		return err
	}
	c.signature(ctx, r)
	return nil
}

// signature adds the link of the tag's own signature.
func (c *Chain) signature(ctx context.Context, r *Result) {
	check := c.Signatures.Check(ctx, r.Pin)
	status, detail := NotAvailable, ""
	format := map[string]string{gitstore.FormatSSH: "SSH", gitstore.FormatOpenPGP: "OpenPGP", gitstore.FormatX509: "S/MIME"}[check.Format]
	switch check.Status {
	case gitstore.SignatureNone:
		detail = "the pin isn't signed"
	case gitstore.SignatureGood:
		status, detail = OK, fmt.Sprintf("good %s signature by %q with key %s", format, check.Signer, check.Key)
	case gitstore.SignatureBad:
		status, detail = Mismatch, fmt.Sprintf("bad %s signature: %s", format, check.Reason)
	case gitstore.SignatureUntrusted:
		detail = fmt.Sprintf("a valid %s signature with key %s, but %s", format, check.Key, check.Reason)
	default:
		detail = fmt.Sprintf("%s signature: %s", format, check.Reason)
	}
	if c.Signatures.Required() && (status != OK || check.Format != gitstore.FormatSSH) {
		status, detail = Mismatch, detail+"; an allowed signer's is asked for"
	}
	r.add(LinkTagSignature, status, "%s", detail)
	if status == OK {
		r.SignedBy = append(r.SignedBy, fmt.Sprintf("tag by %q", check.Signer))
	}
}

package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// A Pin ties a commit to a published policy set version.
type Pin struct {
	PinRef
	Tagger string // name <email>
	When   time.Time
	Record Record
	Raw    []byte // the tag object's content, once it is stored or read
	Signed bool
}

const (
	// maxTag is the largest tag object that is written or read. 10,000 entries
	// take about 2 MB.
	maxTag = 16 << 20

	defaultTagger = "policypin <policypin@localhost>"
)

// NewPin builds the tag for a published version. It is deterministic: the
// tagger is policypin <policypin@localhost>, +0000, at rec.CreatedAt.
func NewPin(pins string, commit Hash, rec Record) (*Pin, error) {
	name, err := PinName(pins, rec.PolicySet, rec.Version)
	if err != nil {
		return nil, err
	}
	if commit.IsZero() {
		return nil, fmt.Errorf("pin %s has no commit", name)
	}
	if rec.Format == 0 {
		rec.Format = RecordFormat
	}
	if rec.Format != RecordFormat {
		return nil, fmt.Errorf("pin %s: records of format %d can't be written", name, rec.Format)
	}
	rec.normalize()
	if err := rec.check(); err != nil {
		return nil, fmt.Errorf("pin %s: %w", name, err)
	}
	record, err := rec.encode()
	if err != nil {
		return nil, fmt.Errorf("pin %s: %w", name, err)
	}
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "object %s\ntype commit\ntag %s\ntagger %s %d +0000\n\n",
		commit, name, defaultTagger, rec.CreatedAt.Unix())
	fmt.Fprintf(&raw, "%s\n\n%s\n%s", rec.subject(), record, rec.trailers())

	// Reading it back makes a pin that was just built and one that was read the
	// same value, and proves that it can be read.
	return parsePin(name, raw.Bytes())
}

// subject is the line for people.
func (r *Record) subject() string {
	return fmt.Sprintf("%s v%d in %s", plain(r.PolicySet), r.Version, plain(r.Target))
}

// plain quotes a name that could change the meaning of the line it is in: with
// control or format characters, or one that starts like a comment or like
// git-interpret-trailers' divider "---".
func plain(s string) string {
	quoted := strconv.QuoteToGraphic(s)
	if quoted != `"`+s+`"` || strings.ContainsAny(s[:1], `-# "`) {
		return quoted
	}
	return s
}

// trailers is the last paragraph of the message, for git-interpret-trailers.
func (r *Record) trailers() string {
	return "Policypin-Zone: " + r.ZoneID + "\n" +
		"Policypin-Policy-Set: " + r.PolicySetID + "\n" +
		"Policypin-Version: " + r.VersionID + "\n" +
		"Policypin-Manifest-Sha: " + r.ManifestSHA + "\n" +
		"Policypin-Set-Digest: " + r.SetDigest + "\n"
}

// Equal tells whether two pins say the same: commit, target, zone, set id,
// version id and number, schema, manifest sha, set digest and entries.
// Attestation, approvals, tagger and signature are evidence, not content.
func (p *Pin) Equal(q *Pin) bool {
	a, b := &p.Record, &q.Record
	return p.Commit == q.Commit &&
		a.Target == b.Target &&
		a.ZoneID == b.ZoneID &&
		a.PolicySetID == b.PolicySetID &&
		a.VersionID == b.VersionID &&
		a.Version == b.Version &&
		a.SchemaVersion == b.SchemaVersion &&
		a.ManifestSHA == b.ManifestSHA &&
		a.SetDigest == b.SetDigest &&
		slices.Equal(a.Entries, b.Entries)
}

// String names the pin and what it says, for messages that show two of them.
func (p *Pin) String() string {
	return fmt.Sprintf("%s: commit %s, version %s, set digest %.12s, by %q at %s",
		p.Name, p.Commit.Short(), p.Record.VersionID, p.Record.SetDigest, p.Tagger, p.When.UTC().Format(time.RFC3339))
}

// Parts of a pin that can be what is wrong with it, see [BadPart].
const (
	PartName     = "name"     // the tag's name, or that it isn't the record's
	PartTag      = "tag"      // the tag object: lightweight, or malformed
	PartRecord   = "record"   // the JSON in the message
	PartTrailers = "trailers" // subject or trailers, which say something else
)

// BadPart tells which part of a pin an error that wraps [ErrBadPin] is about, and
// what is wrong with it. The part is "" for other errors.
func BadPart(err error) (part string, why error) {
	if p := (*badPart)(nil); errors.As(err, &p) {
		return p.part, p.err
	}
	return "", err
}

type badPart struct {
	part string
	err  error
}

func (p *badPart) Error() string { return p.err.Error() }
func (p *badPart) Unwrap() error { return p.err }

// parsePin reads a tag object's content as the pin of that name. Its errors
// wrap [ErrBadPin].
func parsePin(name string, raw []byte) (*Pin, error) {
	p, err := decodePin(name, raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBadPin, name, err)
	}
	return p, nil
}

func decodePin(name string, raw []byte) (*Pin, error) {
	ref, ok := parsePinName(name)
	if !ok {
		return nil, &badPart{PartName, errors.New("the name doesn't have the form policypin/PINS/SET/vN")}
	}
	if len(raw) > maxTag {
		return nil, &badPart{PartTag, fmt.Errorf("the tag has %d bytes, more than %d", len(raw), maxTag)}
	}
	p := &Pin{PinRef: ref, Raw: raw}
	header, message, ok := bytes.Cut(raw, []byte("\n\n"))
	if !ok {
		return nil, &badPart{PartTag, errors.New("the tag has no message")}
	}
	if err := p.decodeHeader(string(header)); err != nil {
		return nil, &badPart{PartTag, err}
	}
	message, p.Signed = cutSignature(message)
	if err := p.decodeMessage(message); err != nil {
		return nil, err
	}
	if own, err := PinName(p.Pins, p.Record.PolicySet, p.Record.Version); err != nil || own != name {
		return nil, &badPart{PartName, fmt.Errorf("the record is of %.80q version %d", p.Record.PolicySet, p.Record.Version)}
	}
	p.Object = toHash(plumbing.ComputeHash(plumbing.TagObject, raw))
	return p, nil
}

// decodeHeader reads the four lines that every annotated tag of a commit has,
// in Git's order. Others are refused: policypin doesn't know what they mean.
func (p *Pin) decodeHeader(header string) error {
	lines := strings.Split(header, "\n")
	if len(lines) != 4 {
		return errors.New("the tag's header doesn't have four lines")
	}
	values := make([]string, len(lines))
	for i, key := range []string{"object ", "type ", "tag ", "tagger "} {
		v, ok := strings.CutPrefix(lines[i], key)
		if !ok {
			return fmt.Errorf("the tag's header has no line %q", strings.TrimSpace(key))
		}
		values[i] = v
	}
	var err error
	if p.Commit, err = ParseHash(values[0]); err != nil {
		return err
	}
	if values[1] != "commit" {
		return fmt.Errorf("the tag points to a %.20s, not to a commit", values[1])
	}
	if values[2] != p.Name {
		return fmt.Errorf("the tag object belongs to %.200q", values[2])
	}
	p.Tagger, p.When, err = parseTagger(values[3])
	return err
}

// parseTagger splits "name <email> seconds zone".
func parseTagger(line string) (who string, when time.Time, err error) {
	end := strings.LastIndexByte(line, '>')
	seconds, zone, ok := strings.Cut(strings.TrimPrefix(line[end+1:], " "), " ")
	if end < 0 || !ok {
		return "", when, errors.New("the tagger line is malformed")
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || unix < 0 {
		return "", when, errors.New("the tagger's time is malformed")
	}
	offset, err := time.Parse("-0700", zone)
	if err != nil {
		return "", when, errors.New("the tagger's time zone is malformed")
	}
	when = time.Unix(unix, 0).UTC()
	if zone != "+0000" {
		when = when.In(offset.Location())
	}
	return line[:end+1], when, nil
}

// decodeMessage reads subject, record and trailers. What the trailers say must
// be what the record says: scripts read the one, policypin the other.
func (p *Pin) decodeMessage(message []byte) error {
	subject, rest, ok := bytes.Cut(message, []byte("\n\n"))
	if !ok || bytes.IndexByte(subject, '\n') >= 0 {
		return &badPart{PartTag, errors.New("the message doesn't start with a subject and an empty line")}
	}
	end := bytes.LastIndex(rest, []byte("\n}\n\n"))
	if !bytes.HasPrefix(rest, []byte("{")) || end < 0 {
		return &badPart{PartRecord, errors.New("the message has no record")}
	}
	record, trailers := rest[:end+len("\n}\n")], rest[end+len("\n}\n\n"):]
	var err error
	if p.Record, err = decodeRecord(record); err != nil {
		return &badPart{PartRecord, err}
	}
	if string(trailers) != p.Record.trailers() {
		return &badPart{PartTrailers, errors.New("the trailers don't say what the record says")}
	}
	if string(subject) != p.Record.subject() {
		return &badPart{PartTrailers, errors.New("the subject doesn't say what the record says")}
	}
	return nil
}

// readPin reads the tag object that a listing named from a store. The error
// wraps [plumbing.ErrObjectNotFound] if it isn't there.
func readPin(s storer.EncodedObjectStorer, ref PinRef) (*Pin, error) {
	obj, err := s.EncodedObject(plumbing.AnyObject, fromHash(ref.Object))
	if err != nil {
		return nil, fmt.Errorf("reading pin %s: %w", ref.Name, err)
	}
	if obj.Type() != plumbing.TagObject {
		return nil, fmt.Errorf("%w: %s: %w", ErrBadPin, ref.Name, &badPart{PartTag, fmt.Errorf("%w of a %s", ErrLightweight, obj.Type())})
	}
	if obj.Size() > maxTag {
		return nil, fmt.Errorf("%w: %s: %w", ErrBadPin, ref.Name, &badPart{PartTag, fmt.Errorf("the tag has %d bytes, more than %d", obj.Size(), maxTag)})
	}
	content, err := obj.Reader()
	if err != nil {
		return nil, fmt.Errorf("reading pin %s: %w", ref.Name, err)
	}
	defer content.Close()
	raw, err := io.ReadAll(content)
	if err != nil {
		return nil, fmt.Errorf("reading pin %s: %w", ref.Name, err)
	}
	return parsePin(ref.Name, raw)
}

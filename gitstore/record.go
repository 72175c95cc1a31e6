package gitstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// RecordFormat is the newest format of a pin's record that this build writes.
const RecordFormat = 1

// ErrNewerRecord is wrapped, beside [ErrBadPin], for a pin whose record has a
// format that this build doesn't know.
var ErrNewerRecord = errors.New("a newer policypin is needed")

// A Record is the JSON in a pin's message: what was published, as the service
// reported it when it was read back.
type Record struct {
	Format        int             `json:"format"`
	Target        string          `json:"target"`
	Project       string          `json:"project"` // folder of the project file in the repository, "." for the root
	ZoneID        string          `json:"zone_id"`
	PolicySetID   string          `json:"policy_set_id"`
	PolicySet     string          `json:"policy_set"`
	VersionID     string          `json:"policy_set_version_id"`
	Version       int             `json:"version"`
	SchemaVersion string          `json:"schema_version"`
	ManifestSHA   string          `json:"manifest_sha"`
	CreatedAt     time.Time       `json:"created_at"`
	CreatedBy     string          `json:"created_by"`
	SetDigest     string          `json:"set_digest"`
	DigestFormat  int             `json:"digest_format"`
	Attestation   json.RawMessage `json:"attestation"` // null if the version has none
	Approvals     []Approval      `json:"approvals"`
	Entries       []RecordEntry   `json:"entries"` // in the server's order
}

// An Approval is a reason somebody gave for passing a guard.
type Approval struct {
	Gate   string `json:"gate"`
	Reason string `json:"reason"`
	By     string `json:"by"`
	Source string `json:"source"` // flag, environment or label
}

// A RecordEntry is one policy of the published version.
type RecordEntry struct {
	Policy    string `json:"policy"`
	PolicyID  string `json:"policy_id"`
	VersionID string `json:"policy_version_id"`
	Version   int    `json:"version"`
	SHA       string `json:"sha"`
}

// fields lists the record's members in the order in which they are written,
// each with a pointer to its value. Those that are required must be present
// when a record is read.
func (r *Record) fields() []recordField {
	return []recordField{
		{"format", &r.Format, true},
		{"target", &r.Target, true},
		{"project", &r.Project, false},
		{"zone_id", &r.ZoneID, true},
		{"policy_set_id", &r.PolicySetID, true},
		{"policy_set", &r.PolicySet, true},
		{"policy_set_version_id", &r.VersionID, true},
		{"version", &r.Version, true},
		{"schema_version", &r.SchemaVersion, true},
		{"manifest_sha", &r.ManifestSHA, true},
		{"created_at", &r.CreatedAt, true},
		{"created_by", &r.CreatedBy, false},
		{"set_digest", &r.SetDigest, true},
		{"digest_format", &r.DigestFormat, true},
		{"attestation", &r.Attestation, false},
		{"approvals", &r.Approvals, false},
		{"entries", &r.Entries, true},
	}
}

type recordField struct {
	name     string
	value    any
	required bool
}

// normalize fills what may be left out, so that equal records are written as
// equal bytes.
func (r *Record) normalize() {
	if r.Project == "" {
		r.Project = "."
	}
	r.CreatedAt = r.CreatedAt.Round(0).UTC() // Round drops the monotonic clock
	if len(r.Attestation) == 0 {
		r.Attestation = json.RawMessage("null")
	}
	if r.Approvals == nil {
		r.Approvals = []Approval{}
	}
	if r.Entries == nil {
		r.Entries = []RecordEntry{}
	}
}

// check refuses what a record of format 1 can't say. The ids and digests end up
// in trailers, one a line, so they must be single words.
func (r *Record) check() error {
	words := []struct{ name, value string }{
		{"zone_id", r.ZoneID},
		{"policy_set_id", r.PolicySetID},
		{"policy_set_version_id", r.VersionID},
		{"manifest_sha", r.ManifestSHA},
		{"set_digest", r.SetDigest},
	}
	for _, w := range words {
		if !isWord(w.value) {
			return fmt.Errorf("%s %.80q is not a single word of ASCII characters", w.name, w.value)
		}
	}
	switch year := r.CreatedAt.Year(); {
	case r.Target == "":
		return errors.New("target is empty")
	case r.PolicySet == "":
		return errors.New("policy_set is empty")
	case r.SchemaVersion == "":
		return errors.New("schema_version is empty")
	case r.Version < 1:
		return fmt.Errorf("version is %d", r.Version)
	case r.DigestFormat < 1:
		return fmt.Errorf("digest_format is %d", r.DigestFormat)
	case year < 1970 || year > 9999:
		return fmt.Errorf("created_at is in the year %d", year)
	case r.Project != "." && (path.Clean(r.Project) != r.Project || path.IsAbs(r.Project) || strings.HasPrefix(r.Project, "..")):
		return fmt.Errorf("project %.80q is not a folder of the repository", r.Project)
	}
	for i, e := range r.Entries {
		if e.PolicyID == "" || e.VersionID == "" {
			return fmt.Errorf("entry %d has no policy_id or no policy_version_id", i+1)
		}
	}
	return nil
}

// maxWord is far above any id of the service, and keeps a trailer on a line
// that people can read.
const maxWord = 200

func isWord(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxWord
}

// encode writes the record as JSON, each member on a line of its own and each
// entry too, so that git diff and grep work on it.
func (r *Record) encode() ([]byte, error) {
	var out bytes.Buffer
	sep := "{\n"
	for _, f := range r.fields() {
		fmt.Fprintf(&out, "%s  %q: ", sep, f.name)
		sep = ",\n"
		var err error
		if f.name == "entries" {
			err = encodeEntries(&out, r.Entries)
		} else {
			err = encodeValue(&out, f.value)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	out.WriteString("\n}\n")
	return out.Bytes(), nil
}

func encodeEntries(out *bytes.Buffer, entries []RecordEntry) error {
	sep := "[\n    "
	for i := range entries {
		out.WriteString(sep)
		sep = ",\n    "
		if err := encodeValue(out, &entries[i]); err != nil {
			return err
		}
	}
	if len(entries) == 0 {
		out.WriteString("[]")
	} else {
		out.WriteString("\n  ]")
	}
	return nil
}

// encodeValue writes v on one line. Unlike [json.Marshal], it leaves <, > and &
// as they are, and refuses text that is not UTF-8 rather than replacing it.
func encodeValue(out *bytes.Buffer, v any) error {
	if !validText(v) {
		return errors.New("text is not valid UTF-8")
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	out.Truncate(out.Len() - 1) // the encoder ends a value with a newline
	return nil
}

func validText(v any) bool {
	switch v := v.(type) {
	case *string:
		return utf8.ValidString(*v)
	case *json.RawMessage:
		return utf8.Valid(*v)
	case *[]Approval:
		for _, a := range *v {
			if !utf8.ValidString(a.Gate + a.Reason + a.By + a.Source) {
				return false
			}
		}
	case *RecordEntry:
		return utf8.ValidString(v.Policy + v.PolicyID + v.VersionID + v.SHA)
	}
	return true
}

// decodeRecord reads a record. Members that this format doesn't know are
// skipped; known ones must be there, once, with the right type. Names are
// compared exactly: encoding/json alone would let a forged "ZONE_ID" override
// the zone_id that other readers see.
func decodeRecord(data []byte) (Record, error) {
	var r Record
	if !utf8.Valid(data) {
		return r, errors.New("record is not valid UTF-8")
	}
	// The format decides about everything else, so it is looked at first: a
	// newer record need not make sense to this build.
	var newer struct {
		Format json.Number `json:"format"`
	}
	if err := json.Unmarshal(data, &newer); err != nil {
		return r, fmt.Errorf("record is not JSON: %w", err)
	}
	if n, err := newer.Format.Int64(); err == nil && n > RecordFormat {
		return r, fmt.Errorf("record has format %d, this policypin reads up to %d: %w", n, RecordFormat, ErrNewerRecord)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := decodeFields(dec, r.fields()); err != nil {
		return r, fmt.Errorf("record: %w", err)
	}
	if r.Format != RecordFormat {
		return r, fmt.Errorf("record has the unknown format %d", r.Format)
	}
	r.normalize()
	var compact bytes.Buffer
	if err := json.Compact(&compact, r.Attestation); err != nil {
		return r, fmt.Errorf("record: attestation: %w", err)
	}
	r.Attestation = compact.Bytes()
	if err := r.check(); err != nil {
		return r, fmt.Errorf("record: %w", err)
	}
	return r, nil
}

// decodeFields reads one JSON object into fields.
func decodeFields(dec *json.Decoder, fields []recordField) error {
	if t, err := dec.Token(); err != nil {
		return err
	} else if t != json.Delim('{') {
		return errors.New("a JSON object is expected")
	}
	seen := make(map[string]bool, len(fields))
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		name := t.(string) // a decoder gives nothing else for a member's name
		if seen[name] {
			return fmt.Errorf("%.80q is there twice", name)
		}
		seen[name] = true
		if err := decodeField(dec, name, fields); err != nil {
			return fmt.Errorf("%.80q: %w", name, err)
		}
	}
	for _, f := range fields {
		if f.required && !seen[f.name] {
			return fmt.Errorf("%q is missing", f.name)
		}
	}
	_, err := dec.Token()
	return err
}

func decodeField(dec *json.Decoder, name string, fields []recordField) error {
	for _, f := range fields {
		if f.name != name {
			continue
		}
		switch v := f.value.(type) {
		case *[]RecordEntry:
			return decodeList(dec, func() error {
				var e RecordEntry
				err := decodeFields(dec, []recordField{
					{"policy", &e.Policy, true},
					{"policy_id", &e.PolicyID, true},
					{"policy_version_id", &e.VersionID, true},
					{"version", &e.Version, true},
					{"sha", &e.SHA, true},
				})
				*v = append(*v, e)
				return err
			})
		case *[]Approval:
			return decodeList(dec, func() error {
				var a Approval
				err := decodeFields(dec, []recordField{
					{"gate", &a.Gate, true},
					{"reason", &a.Reason, true},
					{"by", &a.By, false},
					{"source", &a.Source, false},
				})
				*v = append(*v, a)
				return err
			})
		default:
			return dec.Decode(f.value)
		}
	}
	var skipped json.RawMessage
	return dec.Decode(&skipped)
}

func decodeList(dec *json.Decoder, element func() error) error {
	if t, err := dec.Token(); err != nil {
		return err
	} else if t != json.Delim('[') {
		return errors.New("a JSON array is expected")
	}
	for i := 1; dec.More(); i++ {
		if err := element(); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	_, err := dec.Token()
	return err
}

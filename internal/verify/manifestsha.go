package verify

import (
	"cmp"
	"errors"
	"slices"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/jcs"
	"github.com/policypin/policypin/internal/keycard"
)

// The service's documentation calls the manifest sha the SHA-256 of the
// canonicalized manifest, and doesn't say of which object. These are the forms
// that it may have, the likeliest first.
var forms = []form{
	{"M1", true, true, false},
	{"M2", false, true, false},
	{"M3", true, false, false},
	{"M4", false, false, false},
	{"M5", true, true, true},
	{"M6", false, true, true},
	{"M7", true, false, true},
	{"M8", false, false, true},
}

// A form is one way to write a manifest before it is hashed.
type form struct {
	name    string
	wrapped bool // {"entries":[…]} rather than the bare array
	shas    bool // entries have their sha
	sorted  bool // by policy id, rather than in the manifest's order
}

// String describes the form.
func (f form) String() string {
	s := f.name + ": "
	if f.wrapped {
		s += `{"entries":[…]}`
	} else {
		s += "the bare list"
	}
	if f.sorted {
		s += ", sorted by policy id"
	}
	if !f.shas {
		s += ", without the shas, which it says nothing about"
	}
	return s
}

// errNoSHA is why a manifest can't be written with shas.
var errNoSHA = errors.New("an entry has no sha")

// sum hashes a manifest in this form.
func (f form) sum(entries []gitstore.RecordEntry) (jcs.Digest, error) {
	list := make([]keycard.ManifestEntry, len(entries))
	for i, e := range entries {
		list[i] = keycard.ManifestEntry{PolicyID: e.PolicyID, VersionID: e.VersionID}
		if f.shas {
			if e.SHA == "" {
				return jcs.Digest{}, errNoSHA
			}
			list[i].SHA = e.SHA
		}
	}
	if f.sorted {
		slices.SortStableFunc(list, func(a, b keycard.ManifestEntry) int { return cmp.Compare(a.PolicyID, b.PolicyID) })
	}
	if f.wrapped {
		return jcs.Sum(map[string]any{"entries": list})
	}
	return jcs.Sum(list)
}

// reproduce finds the form whose hash is the sha, or returns false.
func reproduce(entries []gitstore.RecordEntry, sha string) (form, bool) {
	want := keycard.NormalSHA(sha)
	for _, f := range forms {
		if sum, err := f.sum(entries); err == nil && sum.String() == want {
			return f, true
		}
	}
	return form{}, false
}

// manifestSHA recomputes the manifest sha. That none of the forms gives it
// doesn't mean that it is wrong: the form isn't documented.
func manifestSHA(r *Result) {
	rec := &r.Pin.Record
	f, ok := reproduce(rec.Entries, rec.ManifestSHA)
	if !ok {
		r.add(LinkManifestSHA, NotAvailable, "%.12s is not reproducible from the record's entries", keycard.NormalSHA(rec.ManifestSHA))
		return
	}
	r.reproducedBy = f.name
	r.add(LinkManifestSHA, OK, "%.12s, from the record's entries as %s", keycard.NormalSHA(rec.ManifestSHA), f)
}

// compareForms says of a sha that isn't reproducible whether those of other pins
// of the zone are: the service has one form.
func compareForms(results []*Result) {
	by := map[string]string{}
	for _, r := range results {
		if r.reproducedBy != "" {
			by[r.Pin.Record.ZoneID] = r.reproducedBy
		}
	}
	for _, r := range results {
		if r.Pin == nil || r.reproducedBy != "" || by[r.Pin.Record.ZoneID] == "" {
			continue
		}
		for i := range r.Links {
			if l := &r.Links[i]; l.Name == LinkManifestSHA {
				l.Detail += ", though that of other pins of this zone is, as " + by[r.Pin.Record.ZoneID]
			}
		}
	}
}

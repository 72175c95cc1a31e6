package zone

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A kind of named object; it is part of keys in the store and starts the ids.
type kind string

const (
	kindPolicy kind = "pol"
	kindSet    kind = "ps"
)

// maxNameLength in characters. The API reference has no limit; this one keeps
// ids and keys short.
const maxNameLength = 255

// maxSlug is how many bytes of a name an id shows.
const maxSlug = 64

// newID makes the id of a policy or a policy set. Sequential ids follow from the
// name and from how many objects were created with it, so the order in which
// requests for different names arrive doesn't matter.
func (s *Server) newID(w *writer, zone string, k kind, name string) string {
	if !s.opts.SequentialIDs {
		return string(k) + "_" + randomID()
	}
	return sequentialID(w, zone, k, name)
}

func sequentialID(w *writer, zone string, k kind, name string) string {
	slug := slugOf(name)
	at := key(zone, string(k), slug)
	n, _ := strconv.Atoi(string(w.get(tableCounters, at)))
	n++
	w.put(tableCounters, at, []byte(strconv.Itoa(n)))
	return fmt.Sprintf("%s_%s_%d", k, slug, n)
}

// versionID is the id of a version: it says whose, and which number.
func (s *Server) versionID(k kind, parent string, number int) string {
	if !s.opts.SequentialIDs {
		return versionPrefix(k) + "_" + randomID()
	}
	return sequentialVersionID(k, parent, number)
}

func sequentialVersionID(k kind, parent string, number int) string {
	return fmt.Sprintf("%s_%s_%d", versionPrefix(k), strings.TrimPrefix(parent, string(k)+"_"), number)
}

func versionPrefix(k kind) string {
	if k == kindPolicy {
		return "pv"
	}
	return "psv"
}

// randomID has 130 bits in 26 characters of a-z2-7.
func randomID() string { return strings.ToLower(rand.Text()) }

// slugOf keeps a name that fits into an id, and otherwise adds a hash of it, so
// that different names have different slugs.
func slugOf(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else {
			b.WriteByte('-')
		}
	}
	slug := b.String()
	if slug == name && len(slug) <= maxSlug {
		return slug
	}
	sum := sha256.Sum256([]byte(name))
	slug = strings.Trim(slug[:min(len(slug), maxSlug)], "-")
	return strings.TrimPrefix(slug+"-"+hex.EncodeToString(sum[:4]), "-")
}

// checkName says why a name can't be one, or returns "".
func checkName(name string) string {
	switch {
	case name == "":
		return "name must not be empty"
	case !utf8.ValidString(name):
		return "name must be UTF-8"
	case utf8.RuneCountInString(name) > maxNameLength:
		return fmt.Sprintf("name must have at most %d characters", maxNameLength)
	case hasControl(name):
		return "name must not contain control characters"
	}
	return ""
}

func checkZoneID(id string) error {
	if id == "" || len(id) > 200 || !utf8.ValidString(id) || hasControl(id) {
		return fmt.Errorf("%q can't be a zone's id: it must have 1 to 200 bytes and no control characters", id)
	}
	return nil
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

package zone

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A zoneRecord is what a zone has once.
type zoneRecord struct {
	DefaultSchema string `json:"default_schema"`
	Places        uint64 `json:"places"` // handed out so far
	// The one active binding. Its target is the zone.
	ActiveSet     string `json:"active_set"`
	ActiveVersion string `json:"active_version"`
	ActiveSince   string `json:"active_since"`
	// The key that signs attestations: its number, from 1, and since when.
	KeyNumber int    `json:"key_number,omitempty"`
	KeySince  string `json:"key_since,omitempty"`
}

func loadZone(g getter, zone string) (*zoneRecord, error) {
	z, err := load[zoneRecord](g, tableZones, zone)
	if err == nil && z == nil {
		err = notFound("zone", zone)
	}
	return z, err
}

// nextPlace hands out the next place in the zone's order of creation.
func nextPlace(w *writer, zone string) (uint64, error) {
	z, err := loadZone(w, zone)
	if err != nil {
		return 0, err
	}
	z.Places++
	return z.Places, save(w, tableZones, zone, z)
}

func (p placed) compare(q placed) int { return cmp.Compare(p.place, q.place) }

// errUnchanged ends a change that has nothing to do.
var errUnchanged = errors.New("unchanged")

func ignoreUnchanged(err error) error {
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// rename moves an object's name. The old name is free from now on.
func rename(w *writer, zone string, k kind, id, from, to string) error {
	if from == to {
		return nil
	}
	at := key(zone, string(k), to)
	if other := w.get(tableNames, at); other != nil {
		code, what := "policy_name_conflict", "policy"
		if k == kindSet {
			code, what = "policy_set_name_conflict", "policy set"
		}
		return conflict(code, "a %s named %q exists already (%s)", what, to, other)
	}
	w.delete(tableNames, key(zone, string(k), from))
	w.put(tableNames, at, []byte(id))
	return nil
}

// retire takes an archived object out of the lists and frees its name.
func retire(w *writer, zone string, k kind, name string, place uint64) {
	w.delete(tableNames, key(zone, string(k), name))
	w.delete(tableLive, rowKey(rowPrefix(zone, string(k)), place))
}

// etag is strong (RFC 9110, section 8.8.3): equal revisions are equal bytes.
func etag(revision uint64) string { return `"r` + strconv.FormatUint(revision, 10) + `"` }

func (c *call) tag(revision uint64) { c.header.Set("ETag", etag(revision)) }

// checkMatch is the precondition If-Match (RFC 9110, section 13.1.1).
func (c *call) checkMatch(revision uint64) error {
	values := c.r.Header.Values("If-Match")
	if len(values) == 0 {
		return nil
	}
	for tag := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == etag(revision) {
			return nil
		}
	}
	return &apiError{status: http.StatusPreconditionFailed, message: "If-Match: the object has changed since"}
}

// expandable is what lists can expand.
func (c *call) expandable() []string {
	if c.s.opts.Generation >= 3 {
		return []string{"total_count", "user"}
	}
	return []string{"total_count"}
}

// expandUser reads the parameters of a single read. Generation 2 has none, and
// ignores them.
func (c *call) expandUser() (bool, error) {
	if c.s.opts.Generation < 3 {
		return false, nil
	}
	fields := c.params.expand("user")
	return slices.Contains(fields, "user"), c.params.err()
}

// lags tells whether a lag fault still hides a new object from this list.
func (c *call) lags(id string) bool {
	return c.s.lag.hides(c.r.URL.Path + "/" + id)
}

// Package zone is the local zone: the service's rules for policies, policy sets
// and their versions, with a store in one file. It backs the local target in
// process and policypin serve over HTTP. It is written from the documented rules
// alone and shares no wire types with the client.
//
// Where the API reference is silent, the local zone takes the stricter reading:
// unknown properties and filters, empty manifests, duplicate policies, wrong
// hashes and empty Cedar content are refused with 400. Archived policies, sets
// and versions can still be read by id, and archived versions stay in the lists
// of versions. Shadow bindings can be read and are always empty: no documented
// operation makes one.
package zone

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/policypin/policypin/internal/jws"
)

// LocalZoneID is the zone of the built-in local target.
const LocalZoneID = "zone_local"

// ErrBusy is wrapped, with the file's name, when another process has the store
// open and doesn't let go of it within [Options.LockWait].
var ErrBusy = errors.New("the local zone's store is in use by another process")

// ErrNewerFormat is wrapped, with the file's name, when a newer policypin wrote
// the store.
var ErrNewerFormat = errors.New("the local zone's store was written by a newer policypin")

// ErrNotEmpty is returned for [Options.Seed] and a store that has zones already.
var ErrNotEmpty = errors.New("the local zone's store isn't empty, so it can't be seeded")

// Options configure a zone server.
type Options struct {
	Path  string   // the store's file; "" keeps everything in memory
	Zones []string // ids that exist; nil is LocalZoneID alone
	// ReadOnly opens the store without the right to write, and without creating
	// it: a store that doesn't exist answers from the seed.
	ReadOnly bool
	// LockWait is how long to wait for another process that has the store open;
	// 0 fails at once with ErrBusy.
	LockWait time.Duration
	NoAuth   bool // in process: no bearer needed
	// Tokens that are accepted as bearers, and client credentials.
	Tokens                 []string
	ClientID, ClientSecret string
	TokenLifetime          time.Duration // 0: one hour; negative: leave expires_in out
	FixedClock             bool          // every time is 2026-01-01T00:00:00Z
	SequentialIDs          bool          // ids follow from names and numbers, not from chance or order
	Generation             int           // 2 or 3; 0 is 3
	ManifestsInLists       bool
	Attestation            string // AttestStatement, AttestEnvelope or AttestNone; "" is AttestStatement
	// Seed is what a new store starts with besides its platform set. It is
	// refused for a store that has any of the zones already.
	Seed   *Seed
	Faults []Fault
}

// Open opens a store and returns the server. A store that doesn't exist is
// created with its seed, unless opts.ReadOnly is set. The error wraps [ErrBusy]
// or [ErrNewerFormat] where that is the reason.
func Open(opts Options) (*Server, error) {
	if opts.Generation == 0 {
		opts.Generation = 3
	}
	if opts.Generation != 2 && opts.Generation != 3 {
		return nil, fmt.Errorf("API generation %d: the local zone speaks 2 and 3", opts.Generation)
	}
	switch opts.Attestation {
	case "":
		opts.Attestation = AttestStatement
	case AttestStatement, AttestEnvelope, AttestNone:
	default:
		return nil, fmt.Errorf("attestation %q: it is %s, %s or %s", opts.Attestation, AttestStatement, AttestEnvelope, AttestNone)
	}
	if opts.Zones == nil {
		opts.Zones = []string{LocalZoneID}
	}
	opts.Zones = slices.Compact(slices.Sorted(slices.Values(opts.Zones)))
	s := &Server{opts: opts, zones: make(map[string]store, len(opts.Zones)), lag: lagging{until: make(map[string]time.Time)}}
	s.signing.keys = make(map[string]*jws.Key)
	for _, f := range opts.Faults {
		s.faults = append(s.faults, newArmedFault(f))
	}
	if _, err := rand.Read(s.tokenKey[:]); err != nil {
		return nil, err
	}
	for _, id := range opts.Zones {
		if err := checkZoneID(id); err != nil {
			return nil, err
		}
	}
	if err := s.openStores(); err != nil {
		return nil, err
	}
	return s, nil
}

// A Server is the local zone as an http.Handler. It is safe for concurrent use.
type Server struct {
	opts     Options
	main     store            // nil when a read-only store doesn't exist
	zones    map[string]store // by zone id; a zone that the file lacks has a seeded one in memory
	tokenKey [32]byte         // signs the tokens of this process
	faults   []*armedFault
	lag      lagging
	signing  signing
	// lastPinned speeds up the pages of one set version.
	lastPinned atomic.Pointer[pinnedRows]
	closing    sync.Once
	closeErr   error
}

// Close closes the store. Every acknowledged write is on disk already. Requests
// that come later are answered with 503.
func (s *Server) Close() error {
	s.closing.Do(func() {
		if s.main != nil {
			s.closeErr = s.main.close()
		}
	})
	return s.closeErr
}

// openStores opens the file and sees to it that every zone has its seed, in the
// file or, where nothing may be written, in memory.
func (s *Server) openStores() error {
	if s.opts.Path == "" {
		s.main = newMemory()
	} else {
		file, err := openFile(s.opts.Path, s.opts.ReadOnly, s.opts.LockWait)
		if err != nil {
			return err
		}
		if file != nil { // nil: read-only and not there
			s.main = file
		}
	}
	err := s.seedStores()
	if err != nil {
		s.Close()
	}
	return err
}

func (s *Server) seedStores() error {
	var missing []string
	for _, id := range s.opts.Zones {
		s.zones[id] = s.main
		if s.main == nil {
			missing = append(missing, id)
			continue
		}
		err := s.main.view(func(r reader) error {
			if r.get(tableZones, id) == nil {
				missing = append(missing, id)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if s.opts.Seed != nil && (len(missing) < len(s.opts.Zones) || s.opts.ReadOnly) {
		return ErrNotEmpty
	}
	if len(missing) == 0 {
		return nil
	}
	into := s.main
	if s.opts.ReadOnly {
		into = newMemory()
	}
	for _, id := range missing {
		s.zones[id] = into
	}
	return into.update(func(w *writer) error {
		for _, id := range missing {
			if err := seed(w, id); err != nil {
				return fmt.Errorf("seeding zone %q: %w", id, err)
			}
			if s.opts.Seed == nil {
				continue
			}
			if err := s.opts.Seed.apply(s, w, id); err != nil {
				return fmt.Errorf("the seed: %w", err)
			}
		}
		return nil
	})
}

// clockStart is the time of the seed and of [Options.FixedClock].
var clockStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// now is the server's time as the API writes it: RFC 3339 in UTC.
func (s *Server) now() string {
	if s.opts.FixedClock {
		return formatTime(clockStart)
	}
	return formatTime(time.Now())
}

func formatTime(t time.Time) string {
	return t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)
}

var _ http.Handler = (*Server)(nil)

// Package zone is the local zone: the service's rules for policies, policy sets
// and their versions, with a store in one file. It backs the local target in
// process and policypin serve over HTTP. It is written from the documented rules
// alone and shares no wire types with the client.
package zone

import (
	"net/http"
	"time"
)

// LocalZoneID is the zone of the built-in local target.
const LocalZoneID = "zone_local"

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
	Faults                 []Fault
}

// Open opens a store and returns the server.
func Open(opts Options) (*Server, error) { panic("unwritten") }

// A Server is the local zone as an http.Handler.
type Server struct{ _ int }

// ServeHTTP answers one request of the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("unwritten") }

// Transport lets a client talk to the server in process.
func (s *Server) Transport() http.RoundTripper { panic("unwritten") }

// Close closes the store. Every acknowledged write is on disk already.
func (s *Server) Close() error { panic("unwritten") }

// A Fault makes some requests fail. See ParseFault.
type Fault struct{ _ int }

// ParseFault reads a rule such as 'POST /…/versions:503@0.1'.
func ParseFault(rule string) (Fault, error) { panic("unwritten") }

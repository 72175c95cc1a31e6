// Package keycard is a client for the policy operations of the Keycard API.
//
// It reads all three generations of the API and sends the newest by default.
// Types without write methods are what commands that only look are built on.
package keycard

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"time"
)

// DefaultBaseURL is the production API.
const DefaultBaseURL = "https://api.keycard.ai"

// A Config says where the API is and how to authenticate.
type Config struct {
	BaseURL   string // "" is DefaultBaseURL; plain http only to loopback
	TokenURL  string // "" is derived from BaseURL
	UserAgent string

	// Exactly one of these: client credentials, a ready bearer, or a command
	// that prints one. All empty is an error, unless Transport is set.
	ClientID, ClientSecret string
	Token                  string
	TokenCommand           string

	// Transport is used instead of the network, for the embedded local zone; no
	// credential is needed then.
	Transport http.RoundTripper

	// Timing, for tests; zero values are the defaults in brackets.
	Timeout    time.Duration // of one request [30 s]
	RetryBase  time.Duration // first backoff [500 ms]
	RetryMax   time.Duration // cap of a backoff and of Retry-After [60 s]
	LookupFor  time.Duration // how long a lost create is looked up [10 s]
	MaxRetries int           // of one request [4]

	ScopeType bool // send G2's scope_type instead of target_type

	// Trace, if set, is called after every request attempt, tokens excluded.
	Trace func(Trace)
}

// A Trace tells about one request attempt.
type Trace struct {
	Method, Path string // path with query
	Status       int    // 0: no answer
	RequestID    string
	Duration     time.Duration
	Attempt      int // from 1
	Err          error
}

// NewReader returns a client that can only read.
func NewReader(cfg Config, zoneID string) (*Reader, error) { panic("unwritten") }

// New returns a client that can write.
func New(cfg Config, zoneID string) (*Client, error) { panic("unwritten") }

// A Reader reads one zone. It has no method that writes.
type Reader struct{ _ int }

// A Client reads and writes one zone.
type Client struct {
	*Reader
}

// ZoneID is the zone of this client.
func (r *Reader) ZoneID() string { panic("unwritten") }

// An Error is an answer of the service that is not a success.
type Error struct {
	Op        string // "POST /zones/z/policies"
	Status    int
	Code      string // "" when the answer had none
	Message   string
	RequestID string
	Raw       []byte // the body, at most 64 KiB; may hold anything, never print it
}

// Error gives operation, status, code, message and request id, with control
// characters made visible and known secrets removed.
func (e *Error) Error() string { panic("unwritten") }

var (
	ErrNotFound     = errors.New("not found")               // 404
	ErrUnauthorized = errors.New("not authenticated")       // 401
	ErrForbidden    = errors.New("not allowed")             // 403
	ErrConflict     = errors.New("conflict")                // 409, and 400 that says so
	ErrPrecondition = errors.New("changed in the meantime") // 412
)

// Is makes errors.Is(err, ErrNotFound) and the like work.
func (e *Error) Is(target error) bool { panic("unwritten") }

// OwnerPlatform is the owner_type of objects that Keycard manages.
const OwnerPlatform = "platform"

// A Policy is the container of policy versions.
type Policy struct {
	ID                  string     `json:"id"`
	Name                string     `json:"name"`
	Description         string     `json:"description"`
	OwnerType           string     `json:"owner_type"` // "" in the first generation
	LatestVersion       int        `json:"latest_version"`
	LatestVersionID     string     `json:"latest_version_id"`
	LatestSchemaVersion string     `json:"latest_schema_version"`
	CreatedAt           time.Time  `json:"created_at"`
	CreatedBy           string     `json:"created_by"`
	UpdatedAt           time.Time  `json:"updated_at"`
	ArchivedAt          *time.Time `json:"archived_at"`
	ETag                string     `json:"-"`
}

// A PolicyVersion is immutable Cedar content.
type PolicyVersion struct {
	ID            string          `json:"id"`
	PolicyID      string          `json:"policy_id"`
	Version       int             `json:"version"`
	SchemaVersion string          `json:"schema_version"`
	SHA           string          `json:"sha"` // as the server sent it; see NormalSHA
	CedarRaw      string          `json:"cedar_raw"`
	CedarJSON     json.RawMessage `json:"cedar_json"`
	OwnerType     string          `json:"owner_type"`
	CreatedAt     time.Time       `json:"created_at"`
	CreatedBy     string          `json:"created_by"`
	ArchivedAt    *time.Time      `json:"archived_at"`
}

// A PolicySet carries versions and the binding information.
type PolicySet struct {
	ID              string     `json:"id"`
	Name            string     `json:"name"`
	OwnerType       string     `json:"owner_type"`
	TargetType      string     `json:"target_type"` // from either generation's field
	LatestVersion   int        `json:"latest_version"`
	LatestVersionID string     `json:"latest_version_id"`
	ActiveVersion   int        `json:"active_version"`
	ActiveVersionID string     `json:"active_version_id"` // "" when unbound
	ShadowVersionID string     `json:"shadow_version_id"`
	CreatedAt       time.Time  `json:"created_at"`
	CreatedBy       string     `json:"created_by"`
	UpdatedAt       time.Time  `json:"updated_at"`
	ArchivedAt      *time.Time `json:"archived_at"`
	ETag            string     `json:"-"`
}

// A ManifestEntry is one entry of a policy set version's manifest.
type ManifestEntry struct {
	PolicyID  string `json:"policy_id"`
	VersionID string `json:"policy_version_id"`
	SHA       string `json:"sha,omitempty"`
}

// A PolicySetVersion is an immutable snapshot of a manifest.
type PolicySetVersion struct {
	ID            string          `json:"id"`
	PolicySetID   string          `json:"policy_set_id"`
	Version       int             `json:"version"`
	SchemaVersion string          `json:"schema_version"`
	Entries       []ManifestEntry `json:"entries"` // nil when the answer left the manifest out, as lists do
	ManifestSHA   string          `json:"manifest_sha"`
	Active        *bool           `json:"active"` // nil: unknown
	Attestation   json.RawMessage `json:"attestation"`
	OwnerType     string          `json:"owner_type"`
	CreatedAt     time.Time       `json:"created_at"`
	CreatedBy     string          `json:"created_by"`
	ArchivedAt    *time.Time      `json:"archived_at"`
}

// A SchemaVersion is a dated Cedar schema of the platform.
type SchemaVersion struct {
	Version         string          `json:"version"`
	Status          string          `json:"status"` // active, deprecated or archived
	IsDefault       bool            `json:"is_default"`
	CedarSchema     string          `json:"cedar_schema"`
	CedarSchemaJSON json.RawMessage `json:"cedar_schema_json"`
	DeprecatedAt    *time.Time      `json:"deprecated_at"`
	ArchivedAt      *time.Time      `json:"archived_at"`
}

// NormalSHA strips an optional "sha256:" and lower-cases, so that hashes of
// all generations compare.
func NormalSHA(s string) string { panic("unwritten") }

// ListOptions narrow and order a list. Zero values are the service's defaults,
// except Limit, which is sent as 100 then.
type ListOptions struct {
	Limit         int
	Order         string // asc or desc
	After, Before string
	Total         bool     // ask for the total count
	IDs           []string // filter[id], policies only, at most 100 a call
	Owner         string   // filter[owner_type]
	Query         string   // substring of the name
	Active        *bool    // filter[active], sets only
	Format        string   // cedar or json, where there is Cedar
	Default       *bool    // filter[default], schemas only
}

// A Page is one answer of a list.
type Page[T any] struct {
	Items         []T
	After, Before string // cursors, "" at the end
	Total         int    // -1 when not asked for
}

// Reads. Lists come as sequences over all pages, de-duplicated by id, with a
// guard against cursors that repeat; the error ends the sequence. The …Page
// methods give one page for commands that show cursors.

func (r *Reader) Policy(ctx context.Context, id string) (*Policy, error) { panic("unwritten") }
func (r *Reader) Policies(ctx context.Context, opts ListOptions) iter.Seq2[*Policy, error] {
	panic("unwritten")
}
func (r *Reader) PolicyVersion(ctx context.Context, policyID, versionID, format string) (*PolicyVersion, error) {
	panic("unwritten")
}
func (r *Reader) PolicyVersions(ctx context.Context, policyID string, opts ListOptions) iter.Seq2[*PolicyVersion, error] {
	panic("unwritten")
}
func (r *Reader) PolicySet(ctx context.Context, id string) (*PolicySet, error) { panic("unwritten") }
func (r *Reader) PolicySets(ctx context.Context, opts ListOptions) iter.Seq2[*PolicySet, error] {
	panic("unwritten")
}
func (r *Reader) SetVersion(ctx context.Context, setID, versionID string) (*PolicySetVersion, error) {
	panic("unwritten")
}
func (r *Reader) SetVersions(ctx context.Context, setID string, opts ListOptions) iter.Seq2[*PolicySetVersion, error] {
	panic("unwritten")
}
func (r *Reader) SetVersionsPage(ctx context.Context, setID string, opts ListOptions) (*Page[*PolicySetVersion], error) {
	panic("unwritten")
}
func (r *Reader) SetVersionPolicies(ctx context.Context, setID, versionID string, opts ListOptions) iter.Seq2[*PolicyVersion, error] {
	panic("unwritten")
}
func (r *Reader) SetVersionPoliciesPage(ctx context.Context, setID, versionID string, opts ListOptions) (*Page[*PolicyVersion], error) {
	panic("unwritten")
}
func (r *Reader) Schema(ctx context.Context, version, format string) (*SchemaVersion, error) {
	panic("unwritten")
}
func (r *Reader) Schemas(ctx context.Context, opts ListOptions) iter.Seq2[*SchemaVersion, error] {
	panic("unwritten")
}

// ErrAmbiguous is wrapped when a create may or may not have happened: no answer
// came, or a 5xx. The caller looks the object up before it repeats the call;
// the client never does by itself. 429 and connection refused are retried by
// the client, since nothing happened then.
var ErrAmbiguous = errors.New("the answer was lost")

// Writes. Creates are sent once, see ErrAmbiguous.

func (c *Client) CreatePolicy(ctx context.Context, name, description string) (*Policy, error) {
	panic("unwritten")
}

// RenamePolicy sends If-Match when p has an ETag, and is safe to repeat.
func (c *Client) RenamePolicy(ctx context.Context, p *Policy, name string) (*Policy, error) {
	panic("unwritten")
}
func (c *Client) ArchivePolicy(ctx context.Context, id string) (*Policy, error) { panic("unwritten") }

// CreatePolicyVersion sends Cedar text.
func (c *Client) CreatePolicyVersion(ctx context.Context, policyID, schemaVersion, cedarRaw string) (*PolicyVersion, error) {
	panic("unwritten")
}
func (c *Client) ArchivePolicyVersion(ctx context.Context, policyID, versionID string) (*PolicyVersion, error) {
	panic("unwritten")
}
func (c *Client) CreatePolicySet(ctx context.Context, name, targetType string) (*PolicySet, error) {
	panic("unwritten")
}
func (c *Client) RenamePolicySet(ctx context.Context, s *PolicySet, name string) (*PolicySet, error) {
	panic("unwritten")
}
func (c *Client) ArchivePolicySet(ctx context.Context, s *PolicySet) (*PolicySet, error) {
	panic("unwritten")
}

// CreateSetVersion sends policy and version ids only; the server fills in sha.
func (c *Client) CreateSetVersion(ctx context.Context, setID, schemaVersion string, entries []ManifestEntry) (*PolicySetVersion, error) {
	panic("unwritten")
}

// Activate binds a version. It is safe to repeat.
func (c *Client) Activate(ctx context.Context, setID, versionID string) (*PolicySetVersion, error) {
	panic("unwritten")
}
func (c *Client) ArchiveSetVersion(ctx context.Context, setID, versionID string) (*PolicySetVersion, error) {
	panic("unwritten")
}
func (c *Client) SetDefaultSchema(ctx context.Context, version string) (*SchemaVersion, error) {
	panic("unwritten")
}

package keycard

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"
)

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
	UpdatedBy           string     `json:"updated_by"`
	ArchivedAt          *time.Time `json:"archived_at"`
	ETag                string     `json:"-"` // not from lists
}

func (p *Policy) check() error { return required("id", p.ID, "name", p.Name) }
func (p *Policy) key() string  { return p.ID }

func readPolicy(body []byte) (*Policy, error) {
	p := new(Policy)
	return p, unmarshal(body, p)
}

// policy sends q, whose answer is a policy.
func (r *Reader) policy(ctx context.Context, q *request) (p *Policy, attempts int, err error) {
	q.decode = func(body []byte, header http.Header) (err error) {
		if p, err = decodeOne(body, r.zone, readPolicy); err != nil {
			return err
		}
		p.ETag = header.Get("ETag")
		return q.answers(p.ID)
	}
	if attempts, err = r.c.do(ctx, q); err != nil {
		return nil, attempts, err
	}
	return p, attempts, nil
}

// Policy reads one policy, archived ones too. The error is [ErrNotFound] when
// the zone has none with this id.
func (r *Reader) Policy(ctx context.Context, id string) (*Policy, error) {
	q, err := r.request(http.MethodGet, "policies", id)
	if err != nil {
		return nil, err
	}
	p, _, err := r.policy(ctx, &q)
	return p, err
}

func (r *Reader) policies() *listing[*Policy] {
	return &listing[*Policy]{r: r, parts: []string{"policies"}, filters: []string{"ids", "owner", "query"}, read: readPolicy}
}

// Policies lists the policies that aren't archived. Query matches any part of a
// name, so an exact look-up compares the names itself.
func (r *Reader) Policies(ctx context.Context, opts ListOptions) iter.Seq2[*Policy, error] {
	return r.policies().all(ctx, opts)
}

// CreatePolicy creates a policy without versions. An empty description isn't
// sent. Names are unique among the policies of a zone that aren't archived:
// the error is [ErrConflict] when it is taken.
func (c *Client) CreatePolicy(ctx context.Context, name, description string) (*Policy, error) {
	more := map[string]string{}
	if description != "" {
		more["description"] = description
	}
	q, err := c.creation("policies", name, more)
	if err != nil {
		return nil, err
	}
	p, _, err := c.policy(ctx, &q)
	if err != nil {
		return nil, err
	}
	c.c.remember(p.ID)
	return p, nil
}

// RenamePolicy sends If-Match when p has an ETag, and is safe to repeat. The
// error is [ErrPrecondition] when somebody else changed the policy since p was
// read.
func (c *Client) RenamePolicy(ctx context.Context, p *Policy, name string) (*Policy, error) {
	q, err := c.renaming("policies", p.ID, p.ETag, name)
	if err != nil {
		return nil, err
	}
	out, attempts, err := c.policy(ctx, &q)
	if overtaken(attempts, err) {
		if now, err := c.Policy(ctx, p.ID); err == nil && now.Name == name {
			return now, nil
		}
	}
	return out, err
}

// ArchivePolicy closes a policy to new versions and frees its name. It is safe
// to repeat.
func (c *Client) ArchivePolicy(ctx context.Context, id string) (*Policy, error) {
	q, err := c.request(http.MethodDelete, "policies", id)
	if err != nil {
		return nil, err
	}
	p, attempts, err := c.policy(ctx, &q)
	if attempts > 1 && refused(err) {
		if now, err := c.Policy(ctx, id); err == nil && now.ArchivedAt != nil {
			return now, nil
		}
	}
	return p, err
}

// refused tells whether the service answered, and said no. After a repeated
// write it can mean that an earlier attempt has done the work.
func refused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status >= 400 && e.Status < 500
}

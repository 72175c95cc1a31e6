package keycard

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"
	"time"
)

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
	UpdatedBy       string     `json:"updated_by"`
	ArchivedAt      *time.Time `json:"archived_at"`
	ETag            string     `json:"-"` // not from lists
}

func (s *PolicySet) check() error { return required("id", s.ID, "name", s.Name) }
func (s *PolicySet) key() string  { return s.ID }

// readPolicySet takes the type from the newest generation's field, or from the
// one that it replaced.
func readPolicySet(body []byte) (*PolicySet, error) {
	var w struct {
		PolicySet
		ScopeType string `json:"scope_type"`
	}
	if err := unmarshal(body, &w); err != nil {
		return nil, err
	}
	w.TargetType = cmp.Or(w.TargetType, w.ScopeType)
	return &w.PolicySet, nil
}

// policySet sends q, whose answer is a policy set.
func (r *Reader) policySet(ctx context.Context, q *request) (s *PolicySet, attempts int, err error) {
	q.decode = func(body []byte, header http.Header) (err error) {
		if s, err = decodeOne(body, r.zone, readPolicySet); err != nil {
			return err
		}
		s.ETag = header.Get("ETag")
		return q.answers(s.ID)
	}
	if attempts, err = r.c.do(ctx, q); err != nil {
		return nil, attempts, err
	}
	return s, attempts, nil
}

// PolicySet reads one policy set. An archived one may be [ErrNotFound].
func (r *Reader) PolicySet(ctx context.Context, id string) (*PolicySet, error) {
	q, err := r.request(http.MethodGet, "policy-sets", id)
	if err != nil {
		return nil, err
	}
	s, _, err := r.policySet(ctx, &q)
	return s, err
}

// PolicySets lists the sets that aren't archived. The newest generation leaves
// out those that target users.
func (r *Reader) PolicySets(ctx context.Context, opts ListOptions) iter.Seq2[*PolicySet, error] {
	l := &listing[*PolicySet]{
		r: r, parts: []string{"policy-sets"}, filters: []string{"owner", "target", "query", "active"}, read: readPolicySet,
	}
	return l.all(ctx, opts)
}

// targetZone is the default target type in every generation, so it isn't sent.
const targetZone = "zone"

// CreatePolicySet creates a set without versions. targetType "" is "zone"; it
// can't be changed later. The error is [ErrConflict] when the name is taken.
func (c *Client) CreatePolicySet(ctx context.Context, name, targetType string) (*PolicySet, error) {
	more := map[string]string{}
	if targetType != "" && targetType != targetZone {
		more[c.c.targetField] = targetType
	}
	q, err := c.creation("policy-sets", name, more)
	if err != nil {
		return nil, err
	}
	s, _, err := c.policySet(ctx, &q)
	if err != nil {
		return nil, err
	}
	c.c.remember(s.ID)
	return s, nil
}

// RenamePolicySet sends If-Match when s has an ETag, and is safe to repeat. The
// error is [ErrPrecondition] when somebody else changed the set since s was read.
func (c *Client) RenamePolicySet(ctx context.Context, s *PolicySet, name string) (*PolicySet, error) {
	q, err := c.renaming("policy-sets", s.ID, s.ETag, name)
	if err != nil {
		return nil, err
	}
	out, attempts, err := c.policySet(ctx, &q)
	if overtaken(attempts, err) {
		if now, err := c.PolicySet(ctx, s.ID); err == nil && now.Name == name {
			return now, nil
		}
	}
	return out, err
}

// ArchivePolicySet sends If-Match when s has an ETag, and is safe to repeat. The
// error is [ErrConflict] while a version of the set is bound.
func (c *Client) ArchivePolicySet(ctx context.Context, s *PolicySet) (*PolicySet, error) {
	q, err := c.request(http.MethodDelete, "policy-sets", s.ID)
	if err != nil {
		return nil, err
	}
	q.ifMatch = s.ETag
	out, attempts, err := c.policySet(ctx, &q)
	if err == nil {
		c.c.forget(s.ID)
	}
	if attempts == 1 || !refused(err) {
		return out, err
	}
	now, readErr := c.PolicySet(ctx, s.ID)
	switch {
	case readErr == nil && now.ArchivedAt != nil:
		return now, nil
	case errors.Is(err, ErrNotFound) && errors.Is(readErr, ErrNotFound):
		// An earlier attempt found the set, and an archived set may be hidden.
		gone := *s
		at := time.Now().UTC()
		gone.ArchivedAt = &at
		return &gone, nil
	}
	return nil, err
}

package ghaction

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// MaxComment is how long a comment may be, in characters. GitHub answers 422 to
// a longer one.
const MaxComment = 65536

// What became of a comment.
const (
	Created   = "created"
	Updated   = "updated"
	Unchanged = "unchanged" // it says the same already
	Absent    = "absent"    // there is none, and none was wanted
)

// A Posted is the comment as it is now.
type Posted struct {
	Did string
	URL string // its page; "" if there is no comment
}

type comment struct {
	ID      int64  `json:"id"`
	NodeID  string `json:"node_id"`
	Body    string `json:"body"`
	HTMLURL string `json:"html_url"`
	User    struct {
		Login string `json:"login"`
	} `json:"user"`
	hidden bool // by somebody, as outdated for instance
}

// maxPages is more than a pull request can have comments for (2,500).
const maxPages = 100

// Comment makes a pull request have one comment that begins with the marker and
// has this body, whose first line the marker is.
//
// A comment that says so already isn't written. Where there is none, one is
// created only if create is set: nobody needs to be told that there is nothing
// to say.
//
// Only comments of the token's own account count, since anybody can paste a
// marker. If two runs at once have created two, the older one is kept and the
// other says where it is.
//
// A comment that somebody hid stays as it is while it says the same. What is new
// gets a comment that is seen.
//
// The error wraps [ErrReadOnly] or [ErrRateLimited] where that is the reason.
func (c *Client) Comment(ctx context.Context, number int, marker, body string, create bool) (Posted, error) {
	if !strings.HasPrefix(body, marker) {
		return Posted{}, errors.New("the comment doesn't begin with its marker")
	}
	for try := 1; ; try++ {
		posted, err := c.place(ctx, number, marker, body, create)
		if lost := (*lostError)(nil); !errors.As(err, &lost) || try == 2 {
			return posted, err
		}
		// It may have been created: look before it is sent again.
		if err := c.sleep(ctx, time.Second); err != nil {
			return posted, err
		}
	}
}

func (c *Client) place(ctx context.Context, number int, marker, text string, create bool) (Posted, error) {
	own, err := c.own(ctx, number, marker)
	switch {
	case err != nil:
		return Posted{}, err
	case len(own) == 0 && !create:
		return Posted{Did: Absent}, nil
	case len(own) == 0:
		return c.create(ctx, number, text)
	}
	seen := slices.DeleteFunc(slices.Clone(own), func(one comment) bool { return one.hidden })
	same := func(one comment) bool { return sameText(one.Body, text) }
	switch {
	case len(seen) > 0:
		own = seen
	case create && !slices.ContainsFunc(own, same):
		return c.create(ctx, number, text)
	case create:
		own = own[slices.IndexFunc(own, same):][:1]
	}
	posted := Posted{Unchanged, own[0].HTMLURL}
	if !sameText(own[0].Body, text) {
		posted.Did = Updated
		err := c.update(ctx, own[0].ID, text)
		if failed := (*APIError)(nil); errors.As(err, &failed) && failed.Status == http.StatusNotFound {
			return c.create(ctx, number, text) // it was deleted in between
		}
		if err != nil {
			return Posted{}, err
		}
	}
	for _, second := range own[1:] {
		pointer := marker + "\nSee " + own[0].HTMLURL
		if sameText(second.Body, pointer) {
			continue
		}
		if err := c.update(ctx, second.ID, pointer); err != nil {
			return posted, err
		}
	}
	return posted, nil
}

// own lists the comments that have the marker and that the token's account has
// written, the oldest first.
func (c *Client) own(ctx context.Context, number int, marker string) ([]comment, error) {
	var marked []comment
	page := c.endpoint("issues/%d/comments?per_page=100", number)
	for range maxPages {
		var list []comment
		header, err := c.call(ctx, http.MethodGet, page, nil, &list)
		if err != nil {
			return nil, fmt.Errorf("listing comments: %w", err)
		}
		for _, one := range list {
			if strings.HasPrefix(one.Body, marker) {
				marked = append(marked, one)
			}
		}
		if page = c.nextPage(header); page == "" {
			break
		}
	}
	if len(marked) == 0 {
		return nil, nil
	}
	me, hidden := c.ask(ctx, marked)
	own := slices.DeleteFunc(marked, func(one comment) bool { return !strings.EqualFold(one.User.Login, me) })
	for i := range own {
		own[i].hidden = hidden[own[i].NodeID]
	}
	return own, nil
}

// botAccount is whom the token of a job belongs to.
const botAccount = "github-actions[bot]"

// maxNodes is how many nodes GraphQL takes in one question.
const maxNodes = 100

// ask finds the login of the token's account, and which comments are hidden, by
// node id. REST tells neither to the token of a job or an app, GraphQL does. A
// server without an answer leaves the usual: the job's account, and none hidden.
func (c *Client) ask(ctx context.Context, list []comment) (login string, hidden map[string]bool) {
	if c.graphQL == "" {
		return botAccount, nil
	}
	ids := []string{}
	for _, one := range list[:min(len(list), maxNodes)] {
		if one.NodeID != "" {
			ids = append(ids, one.NodeID)
		}
	}
	var answer struct {
		Data struct {
			Viewer struct {
				Login string `json:"login"`
			} `json:"viewer"`
			Nodes []struct { // null for what isn't there any more
				ID     string `json:"id"`
				Hidden bool   `json:"isMinimized"`
			} `json:"nodes"`
		} `json:"data"`
	}
	query := map[string]any{
		"query":     "query($ids: [ID!]!) { viewer { login } nodes(ids: $ids) { ... on IssueComment { id isMinimized } } }",
		"variables": map[string]any{"ids": ids},
	}
	if _, err := c.call(ctx, http.MethodPost, c.graphQL, query, &answer); err != nil || answer.Data.Viewer.Login == "" {
		return botAccount, nil
	}
	hidden = map[string]bool{}
	for _, one := range answer.Data.Nodes {
		hidden[one.ID] = one.Hidden
	}
	return answer.Data.Viewer.Login, hidden
}

// A lostError is a request that may have been carried out.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

func (c *Client) create(ctx context.Context, number int, text string) (Posted, error) {
	var now comment
	_, err := c.call(ctx, http.MethodPost, c.endpoint("issues/%d/comments", number), map[string]string{"body": text}, &now)
	if err != nil {
		err = fmt.Errorf("creating a comment: %w", err)
		if failed := (*APIError)(nil); ctx.Err() == nil && (!errors.As(err, &failed) || failed.Status >= 500) {
			err = &lostError{err}
		}
		return Posted{}, err
	}
	return Posted{Created, now.HTMLURL}, nil
}

func (c *Client) update(ctx context.Context, id int64, text string) error {
	_, err := c.call(ctx, http.MethodPatch, c.endpoint("issues/comments/%d", id), map[string]string{"body": text}, nil)
	if err != nil {
		return fmt.Errorf("updating a comment: %w", err)
	}
	return nil
}

// endpoint is the address of something of the repository.
func (c *Client) endpoint(format string, args ...any) string {
	return strings.TrimSuffix(c.api.String(), "/") + "/repos/" + c.repo + "/" + fmt.Sprintf(format, args...)
}

// sameText compares bodies as GitHub keeps them: line ends and blanks at the end
// may differ.
func sameText(a, b string) bool {
	clean := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return clean(a) == clean(b)
}

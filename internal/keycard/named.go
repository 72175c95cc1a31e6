package keycard

import (
	"errors"
	"maps"
	"net/http"
)

var errNoName = errors.New("the name is empty")

// creation asks for a new policy or policy set. What else is sent with the name
// is in more.
func (c *Client) creation(kind, name string, more map[string]string) (request, error) {
	body := map[string]string{"name": name}
	maps.Copy(body, more)
	return c.naming(http.MethodPost, name, body, kind)
}

// renaming asks for another name of a policy or policy set, as long as it is the
// one that has the ETag, if there is one.
func (c *Client) renaming(kind, id, etag, name string) (request, error) {
	q, err := c.naming(http.MethodPatch, name, map[string]string{"name": name}, kind, id)
	q.ifMatch = etag
	return q, err
}

func (c *Client) naming(method, name string, body map[string]string, parts ...string) (request, error) {
	if name == "" {
		return request{}, errNoName
	}
	q, err := c.request(method, parts...)
	if err != nil {
		return q, err
	}
	return q, q.setBody(body)
}

// overtaken tells whether a repeated write was refused because an earlier attempt
// may have done it, which made the ETag old.
func overtaken(attempts int, err error) bool { return attempts > 1 && errors.Is(err, ErrPrecondition) }

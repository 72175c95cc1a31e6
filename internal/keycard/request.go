package keycard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A request is one operation of the API. Sending it may take several attempts.
type request struct {
	method  string
	path    string   // below the base URL, escaped, without query
	query   string   // encoded
	body    []byte   // JSON, or nil
	ifMatch string   // ETag, verbatim; "" sends none
	ids     []string // in the path
	refs    []string // in the body
	// decode reads the body of a success.
	decode func(body []byte, header http.Header) error
}

// creates tells whether repeating the request could make a second object. The
// API has no idempotency key; PATCH and DELETE of it can be repeated.
func (q *request) creates() bool { return q.method == http.MethodPost }

// op is method and path.
func (q *request) op() string { return q.method + " " + q.path }

// names is what the ids after these words are called in errors.
var names = map[string]string{
	"policies": "policy", "policy-sets": "policy set", "versions": "version", "policy-schemas": "schema version",
}

// request builds a request below the zone from alternating words and ids,
// "policies", policyID, "versions", versionID. Every id is opaque, and escaped
// as one path segment.
func (r *Reader) request(method string, parts ...string) (request, error) {
	q := request{method: method}
	var path strings.Builder
	path.WriteString("/zones/" + url.PathEscape(r.zone))
	for i, part := range parts {
		if i%2 == 1 {
			if err := checkID(names[parts[i-1]], part); err != nil {
				return q, err
			}
			q.ids = append(q.ids, part)
			part = url.PathEscape(part)
		}
		path.WriteString("/" + part)
	}
	q.path = path.String()
	return q, nil
}

// setBody encodes v as the body.
func (q *request) setBody(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: encoding the request: %w", q.op(), err)
	}
	q.body = body
	return nil
}

// setFormat asks for one representation of Cedar.
func (q *request) setFormat(format string) {
	if format != "" {
		q.query = url.Values{"format": {format}}.Encode()
	}
}

// answers refuses an answer about another object than the last id of the path.
func (q *request) answers(id string) error {
	if q.creates() {
		return nil
	}
	return same("id", id, q.ids[len(q.ids)-1])
}

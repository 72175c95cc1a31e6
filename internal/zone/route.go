package zone

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/jws"
)

// A call is one request to a zone, on its way to a handler.
type call struct {
	s       *Server
	ctx     context.Context
	r       *http.Request
	store   store
	zone    string
	ids     []string // the path's ids after the zone's
	params  *params
	subject string   // who asks
	key     *jws.Key // signs envelopes; nil where attestations aren't signed
	header  http.Header
}

// A handler returns the status and the object to answer with, or an error.
type handler func(*call) (status int, body any, err error)

// route is a method and a path below /zones/{zone_id}; "*" is an id.
type route struct {
	method  string
	path    []string
	handler handler
}

var routes = []route{
	{"GET", nil, (*call).showZone},
	{"GET", keysPath, (*call).showKeys},

	{"GET", []string{"policies"}, (*call).listPolicies},
	{"POST", []string{"policies"}, (*call).createPolicy},
	{"GET", []string{"policies", "*"}, (*call).showPolicy},
	{"PATCH", []string{"policies", "*"}, (*call).updatePolicy},
	{"DELETE", []string{"policies", "*"}, (*call).archivePolicy},
	{"GET", []string{"policies", "*", "versions"}, (*call).listPolicyVersions},
	{"POST", []string{"policies", "*", "versions"}, (*call).createPolicyVersion},
	{"GET", []string{"policies", "*", "versions", "*"}, (*call).showPolicyVersion},
	{"DELETE", []string{"policies", "*", "versions", "*"}, (*call).archivePolicyVersion},

	{"GET", []string{"policy-sets"}, (*call).listSets},
	{"POST", []string{"policy-sets"}, (*call).createSet},
	{"GET", []string{"policy-sets", "*"}, (*call).showSet},
	{"PATCH", []string{"policy-sets", "*"}, (*call).updateSet},
	{"DELETE", []string{"policy-sets", "*"}, (*call).archiveSet},
	{"GET", []string{"policy-sets", "*", "versions"}, (*call).listSetVersions},
	{"POST", []string{"policy-sets", "*", "versions"}, (*call).createSetVersion},
	{"GET", []string{"policy-sets", "*", "versions", "*"}, (*call).showSetVersion},
	{"PATCH", []string{"policy-sets", "*", "versions", "*"}, (*call).activateSetVersion},
	{"DELETE", []string{"policy-sets", "*", "versions", "*"}, (*call).archiveSetVersion},
	{"GET", []string{"policy-sets", "*", "versions", "*", "policies"}, (*call).listPinnedPolicies},

	{"GET", []string{"policy-schemas"}, (*call).listSchemas},
	{"GET", []string{"policy-schemas", "*"}, (*call).showSchema},
	{"PATCH", []string{"policy-schemas", "*"}, (*call).makeSchemaDefault},
}

// keysPath is the one path below a zone that needs no bearer: keys are public.
var keysPath = []string{"openidconnect", "jwks"}

// route finds the handler of a request and runs it.
func (s *Server) route(r *http.Request) (*response, error) {
	segments, err := pathSegments(r.URL)
	if err != nil {
		return nil, err
	}
	path := strings.Join(segments, "/")
	if path == "service-account-token" {
		if r.Method != http.MethodPost {
			return nil, methodNotAllowed(r.Method, "POST")
		}
		return s.issueToken(r), nil
	}
	var subject string
	if len(segments) < 2 || !slices.Equal(segments[2:], keysPath) {
		if subject, err = s.authenticate(r); err != nil {
			return nil, err
		}
	}
	switch {
	case path == "zones" && r.Method != http.MethodGet:
		return nil, methodNotAllowed(r.Method, "GET")
	case path == "zones":
		return s.listZones(r)
	case path == "_local/rotate-keys" && r.Method != http.MethodPost:
		return nil, methodNotAllowed(r.Method, "POST")
	case path == "_local/rotate-keys":
		return s.answerRotation(r)
	case segments[0] != "zones" || len(segments) < 2:
		return nil, notFound("path", clip(r.URL.Path))
	}
	zoneStore, ok := s.zones[segments[1]]
	if !ok {
		return nil, notFound("zone", clip(segments[1]))
	}
	rt, ids, err := findRoute(r, segments[2:])
	if err != nil {
		return nil, err
	}
	if s.opts.ReadOnly && rt.method != http.MethodGet {
		return nil, readOnly()
	}
	params, err := parseParams(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if rt.method == http.MethodGet && s.lag.hides(r.URL.Path) {
		return nil, notFound("object", clip(ids[len(ids)-1]))
	}
	return rt.run(&call{s: s, ctx: r.Context(), r: r, store: zoneStore, zone: segments[1], ids: ids,
		params: params, subject: subject, header: make(http.Header)})
}

func readOnly() *apiError { return forbidden("the store is open for reading only") }

// findRoute finds the route for a path below a zone.
func findRoute(r *http.Request, path []string) (route, []string, error) {
	var allow []string
	for _, rt := range routes {
		ids, ok := matchPath(rt.path, path)
		switch {
		case ok && rt.method == r.Method:
			return rt, ids, nil
		case ok:
			allow = append(allow, rt.method)
		}
	}
	if allow != nil {
		return route{}, nil, methodNotAllowed(r.Method, allow...)
	}
	return route{}, nil, notFound("path", clip(r.URL.Path))
}

// run calls the handler and makes its answer.
func (rt route) run(c *call) (*response, error) {
	if c.s.opts.Attestation == AttestEnvelope && len(rt.path) > 0 && rt.path[0] == "policy-sets" {
		c.s.signing.rotation.RLock()
		defer c.s.signing.rotation.RUnlock()
		var err error
		if c.key, err = c.s.signingKey(c.store, c.zone); err != nil { // not in a transaction: it may need its own
			return nil, err
		}
	}
	status, body, err := rt.handler(c)
	if err != nil {
		return nil, err
	}
	resp := jsonResponse(status, body)
	for name, values := range c.header {
		resp.header[name] = values
	}
	return resp, nil
}

func methodNotAllowed(method string, allowed ...string) *apiError {
	list := strings.Join(allowed, ", ")
	return &apiError{
		status:  http.StatusMethodNotAllowed,
		message: fmt.Sprintf("%s is not allowed here (allowed: %s)", clip(method), list),
		header:  http.Header{"Allow": {list}},
	}
}

// pathSegments splits the path as it was sent, so that an encoded slash stays
// within its segment.
func pathSegments(u *url.URL) ([]string, error) {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, p := range parts {
		s, err := url.PathUnescape(p)
		if err != nil || hasControl(s) {
			return nil, notFound("path", clip(u.Path))
		}
		parts[i] = s
	}
	return parts, nil
}

// matchPath returns the ids in path if it has the pattern's form.
func matchPath(pattern, path []string) (ids []string, ok bool) {
	if len(pattern) != len(path) {
		return nil, false
	}
	ids = slices.Clone(path)[:0]
	for i, p := range pattern {
		switch {
		case p == "*" && path[i] != "":
			ids = append(ids, path[i])
		case p != path[i]:
			return nil, false
		}
	}
	return ids, true
}

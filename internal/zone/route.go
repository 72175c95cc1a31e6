package zone

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
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
	subject string // who asks
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
	{"GET", []string{"openidconnect", "jwks"}, (*call).showKeys},

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

// route finds the handler of a request and runs it.
func (s *Server) route(r *http.Request) (*response, error) {
	segments, err := pathSegments(r.URL)
	if err != nil {
		return nil, err
	}
	if len(segments) == 1 && segments[0] == "service-account-token" {
		if r.Method != http.MethodPost {
			return nil, methodNotAllowed(r.Method, "POST")
		}
		return s.issueToken(r), nil
	}
	subject, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	if len(segments) < 2 || segments[0] != "zones" {
		return nil, notFound("path", clip(r.URL.Path))
	}
	zoneStore, ok := s.zones[segments[1]]
	if !ok {
		return nil, notFound("zone", clip(segments[1]))
	}
	var allow []string
	for _, rt := range routes {
		ids, ok := matchPath(rt.path, segments[2:])
		if !ok {
			continue
		}
		if rt.method != r.Method {
			allow = append(allow, rt.method)
			continue
		}
		if s.opts.ReadOnly && rt.method != http.MethodGet {
			return nil, forbidden("the store is open for reading only")
		}
		params, err := parseParams(r.URL.RawQuery)
		if err != nil {
			return nil, err
		}
		if rt.method == http.MethodGet && s.lag.hides(r.URL.Path) {
			return nil, notFound("object", clip(ids[len(ids)-1]))
		}
		c := &call{s: s, ctx: r.Context(), r: r, store: zoneStore, zone: segments[1], ids: ids,
			params: params, subject: subject, header: make(http.Header)}
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
	if allow != nil {
		return nil, methodNotAllowed(r.Method, allow...)
	}
	return nil, notFound("path", clip(r.URL.Path))
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

// showZone is the part of a zone that a policy tool reads: where its keys are.
func (c *call) showZone() (int, any, error) {
	issuer := c.address()
	return http.StatusOK, map[string]any{
		"id": c.zone, "name": c.zone, "slug": c.zone, "organization_id": "org_local",
		"created_at": formatTime(clockStart), "updated_at": formatTime(clockStart),
		"protocols": map[string]any{"oauth2": map[string]any{
			"issuer":   issuer,
			"jwks_uri": issuer + "/openidconnect/jwks",
		}},
	}, nil
}

// showKeys is the zone's JWKS (RFC 7517). It is empty: attestations of these
// generations are statements without a signature.
func (c *call) showKeys() (int, any, error) {
	return http.StatusOK, map[string]any{"keys": []any{}}, nil
}

// address is the zone's URL as the client reached it.
func (c *call) address() string {
	scheme := "http"
	if c.r.TLS != nil || c.r.URL.Scheme == "https" {
		scheme = "https"
	}
	host := c.r.Host
	if host == "" {
		host = c.r.URL.Host
	}
	return scheme + "://" + host + "/zones/" + url.PathEscape(c.zone)
}

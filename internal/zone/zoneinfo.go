package zone

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
)

// A zoneInfo is the part of a zone that a policy tool reads: where its keys are.
type zoneInfo struct {
	ID             string    `json:"id"`
	Name           string    `json:"name"`
	Slug           string    `json:"slug"`
	OrganizationID string    `json:"organization_id"`
	CreatedAt      string    `json:"created_at"`
	UpdatedAt      string    `json:"updated_at"`
	Protocols      protocols `json:"protocols"`
}

type protocols struct {
	OAuth2 oauth2 `json:"oauth2"`
}

type oauth2 struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri"`
}

// infoOf describes a zone as the client of r reaches it.
func infoOf(r *http.Request, zone string) zoneInfo {
	scheme := "http"
	if r.TLS != nil || r.URL.Scheme == "https" {
		scheme = "https"
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	issuer := scheme + "://" + host + "/zones/" + url.PathEscape(zone)
	return zoneInfo{
		ID: zone, Name: zone, Slug: zone, OrganizationID: "org_local",
		CreatedAt: formatTime(clockStart), UpdatedAt: formatTime(clockStart),
		Protocols: protocols{oauth2{Issuer: issuer, JWKSURI: issuer + "/openidconnect/jwks"}},
	}
}

func (c *call) showZone() (int, any, error) { return http.StatusOK, infoOf(c.r, c.zone), nil }

// Limits of the list of zones, which are not those of other lists.
const (
	defaultZonesPage = 100
	maxZonesPage     = 1000
)

// A zonePage is the list of zones. It has another envelope than other lists.
type zonePage struct {
	Items    []zoneInfo `json:"items"`
	PageInfo pageInfo   `json:"page_info"`
}

type pageInfo struct {
	HasNextPage     bool    `json:"has_next_page"`
	HasPreviousPage bool    `json:"has_previous_page"`
	StartCursor     *string `json:"start_cursor"`
	EndCursor       *string `json:"end_cursor"`
}

// listZones is GET /zones: the zones that the server was started with, by id.
func (s *Server) listZones(r *http.Request) (*response, error) {
	q, err := parseParams(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	limit := defaultZonesPage
	if q.values.Has("limit") {
		if limit, err = strconv.Atoi(q.one("limit")); err != nil || limit < 1 || limit > maxZonesPage {
			q.fail("limit must be a number from 1 to %d", maxZonesPage)
		}
	}
	after := ""
	if q.values.Has("cursor") {
		text, err := base64.RawURLEncoding.DecodeString(q.one("cursor"))
		if after = string(text); err != nil || after == "" {
			q.fail("cursor is not a cursor")
		}
	}
	slug, bySlug := q.one("slug"), q.values.Has("slug")
	if err := q.err(); err != nil {
		return nil, err
	}
	var out zonePage
	out.Items = []zoneInfo{}
	for _, zone := range s.opts.Zones { // sorted
		switch {
		case bySlug && zone != slug:
		case zone <= after:
			out.PageInfo.HasPreviousPage = true
		case len(out.Items) == limit:
			out.PageInfo.HasNextPage = true
		default:
			out.Items = append(out.Items, infoOf(r, zone))
		}
	}
	if n := len(out.Items); n > 0 {
		out.PageInfo.StartCursor, out.PageInfo.EndCursor = zoneCursor(out.Items[0].ID), zoneCursor(out.Items[n-1].ID)
	}
	return jsonResponse(http.StatusOK, out), nil
}

func zoneCursor(id string) *string {
	s := base64.RawURLEncoding.EncodeToString([]byte(id))
	return &s
}

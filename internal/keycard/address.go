package keycard

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"unicode"
)

// tokenPath is the token endpoint below the base URL. Some clients have it as an
// absolute production URL, and so send real secrets there when pointed at a
// test server; it is derived here.
const tokenPath = "/service-account-token"

// maxID keeps a hostile id out of a URL; cursors are the longest at 255.
const maxID = 1024

// parseAddress checks a configured URL and returns it without a trailing slash.
// The URL itself is in no error, since it may hold a password.
func parseAddress(what, raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s is not a valid URL, such as %s", what, DefaultBaseURL)
	case u.User != nil:
		return "", fmt.Errorf("%s must not contain a user name or password", what)
	case strings.ContainsAny(raw, "?#"):
		return "", fmt.Errorf("%s must not contain a query or a fragment", what)
	case u.Opaque != "" || u.Hostname() == "":
		return "", fmt.Errorf("%s must be an absolute URL, such as %s", what, DefaultBaseURL)
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	case u.Scheme == "http":
		return "", fmt.Errorf("%s must use https: credentials don't go over plain http except to loopback", what)
	default:
		return "", fmt.Errorf("%s must use https", what)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// isLoopback tells whether host is this machine: localhost, 127.0.0.0/8 or ::1.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// checkID refuses ids that would make another path than the one meant. Beyond
// that an id is opaque.
func checkID(what, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%s id is empty", what)
	case id == "." || id == "..":
		return fmt.Errorf("%s id %q can't be part of a path", what, id)
	case len(id) > maxID:
		return fmt.Errorf("%s id is longer than %d bytes", what, maxID)
	case strings.ContainsFunc(id, unicode.IsControl):
		return fmt.Errorf("%s id %q has control characters", what, id)
	}
	return nil
}

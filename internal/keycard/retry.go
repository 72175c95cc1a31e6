package keycard

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A reply is what came of one attempt.
type reply struct {
	status    int // 0: no answer
	header    http.Header
	body      []byte
	requestID string

	// err says why there is no usable answer. unsent is sure knowledge that the
	// server has seen nothing; stopped means that the caller's context ended.
	err             error
	unsent, stopped bool
}

// A verdict says what to do after an attempt.
type verdict int

const (
	succeeded verdict = iota
	again             // repeat it, after a pause
	final             // it failed, and that is the answer
	lost              // a create that may have happened
)

// judge decides about a reply. Creates can't be repeated once the server may
// have acted: they are repeated after 429, and when nothing was sent. Known 409s
// of this API are permanent, unlike what official clients assume.
func (a *reply) judge(create bool) verdict {
	unknown := again
	if create {
		unknown = lost
	}
	if a.err != nil {
		switch {
		case a.unsent:
			if a.stopped || permanent(a.err) {
				return final
			}
			return again
		case create:
			return lost
		case a.stopped, a.status == 0 && permanent(a.err), errors.Is(a.err, errTooLarge), errors.Is(a.err, errShape):
			return final
		}
		return again
	}
	switch {
	case a.status == http.StatusOK, a.status == http.StatusCreated:
		return succeeded
	case a.status == http.StatusRequestTimeout, a.status >= 500:
		if a.header.Get("X-Should-Retry") == "false" && !create {
			return final
		}
		return unknown
	case a.status >= 200 && a.status < 300:
		// A 202 or 204 says it was done, but not what.
		if create {
			return lost
		}
		return final
	}
	switch a.header.Get("X-Should-Retry") {
	case "true":
		return again
	case "false":
		return final
	}
	if a.status == http.StatusTooManyRequests {
		return again
	}
	return final
}

// dialFailed tells whether no connection came about.
func dialFailed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// permanent tells whether a network error would only come again: a name that
// doesn't exist, a certificate that isn't trusted, a server without TLS.
func permanent(err error) bool {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	return errors.As(err, &dns) && dns.IsNotFound ||
		errors.As(err, &cert) || errors.As(err, &host) || errors.As(err, &record)
}

// backoff is the pause before retry n, from 0: it doubles, with up to a quarter
// taken off at random, so that many clients don't come back at once.
func (c *caller) backoff(n int) time.Duration {
	d := c.retryBase << min(n, 20)
	if d <= 0 || d > c.retryMax {
		d = c.retryMax
	}
	return d - time.Duration(rand.Int64N(int64(d)/4+1))
}

// retryAfter is the pause that the server asks for: Retry-After-Ms in
// milliseconds, or Retry-After in seconds or as a date. A date counts from the
// server's own Date, so that a wrong clock here doesn't matter.
func (a *reply) retryAfter(now time.Time) (time.Duration, bool) {
	if ms, err := strconv.ParseFloat(a.header.Get("Retry-After-Ms"), 64); err == nil {
		return asDuration(ms, time.Millisecond)
	}
	after := strings.TrimSpace(a.header.Get("Retry-After"))
	if after == "" {
		return 0, false
	}
	if s, err := strconv.ParseFloat(after, 64); err == nil {
		return asDuration(s, time.Second)
	}
	at, err := http.ParseTime(after)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(a.header.Get("Date")); err == nil {
		now = date
	}
	if d := at.Sub(now); d > 0 {
		return d, true
	}
	return 0, false
}

// asDuration refuses what isn't a sensible pause; anything above a day is cut,
// and capped further by the caller.
func asDuration(n float64, unit time.Duration) (time.Duration, bool) {
	if math.IsNaN(n) || n <= 0 {
		return 0, false
	}
	return time.Duration(min(n*float64(unit), float64(24*time.Hour))), true
}

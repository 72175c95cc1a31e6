package keycard

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// A zoneRecord is the part of a zone that is read here.
type zoneRecord struct {
	ID        string `json:"id"`
	Protocols struct {
		OAuth2 struct {
			JWKSURI string `json:"jwks_uri"`
		} `json:"oauth2"`
	} `json:"protocols"`
}

func (z *zoneRecord) check() error { return required("id", z.ID) }
func (z *zoneRecord) key() string  { return z.ID }

// KeySetURL reads from the zone where its public signing keys are. The error
// says so if that is nowhere, or an address that can't be trusted to be
// Keycard's: keys come over https, or from loopback.
func (r *Reader) KeySetURL(ctx context.Context) (string, error) {
	q, err := r.request(http.MethodGet)
	if err != nil {
		return "", err
	}
	var z *zoneRecord
	q.decode = func(body []byte, _ http.Header) (err error) {
		z, err = decodeOne(body, r.zone, func(body []byte) (*zoneRecord, error) {
			z := new(zoneRecord)
			return z, unmarshal(body, z)
		})
		if err != nil {
			return err
		}
		return same("id", z.ID, r.zone)
	}
	if _, err := r.c.do(ctx, &q); err != nil {
		return "", err
	}
	if z.Protocols.OAuth2.JWKSURI == "" {
		return "", fmt.Errorf("zone %s doesn't say where its keys are (jwks_uri)", r.zone)
	}
	return parseAddress("the zone's jwks_uri", z.Protocols.OAuth2.JWKSURI)
}

// KeySet reads the zone's JSON Web Key Set (RFC 7517), undecoded. No credential
// is sent along: the address is the zone's word, and may be another origin.
func (r *Reader) KeySet(ctx context.Context) ([]byte, error) {
	address, err := r.KeySetURL(ctx)
	if err != nil {
		return nil, err
	}
	for retries := 0; ; retries++ {
		a := r.c.send(ctx, http.MethodGet, address, "jwks_uri", http.Header{}, nil, retries+1)
		verdict := a.judge(false)
		switch {
		case verdict == succeeded:
			return a.body, nil
		case verdict != again || retries >= r.c.maxRetries:
			return nil, r.c.failure(&request{method: http.MethodGet, path: "the zone's jwks_uri"}, a, verdict)
		}
		wait := r.c.backoff(retries)
		if d, ok := a.retryAfter(time.Now()); ok {
			wait = min(d, r.c.retryMax)
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, fmt.Errorf("%w, while waiting to repeat reading the zone's jwks_uri", err)
		}
	}
}

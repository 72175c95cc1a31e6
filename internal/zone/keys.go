package zone

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/policypin/policypin/internal/jws"
)

// signing holds the keys that zones sign attestations with. A zone's key is made
// when it is first needed, which is when its key set is read or an envelope is
// made: making one takes longer than anything else here, and most servers never
// need it. It is kept next to the zone, or in memory where nothing may be written.
type signing struct {
	// rotation is held by requests that sign, so that none of them sees half of
	// a rotation.
	rotation sync.RWMutex
	mu       sync.Mutex
	keys     map[string]*jws.Key // by zone
}

// keyID is the same in every run, since statements name it and pins record them.
func keyID(number int) string { return "local-zone-" + strconv.Itoa(number) }

// keyNumber counts the zone's keys from 1.
func (z *zoneRecord) keyNumber() int { return max(1, z.KeyNumber) }

// keyNumber is that of the key which the zone had when the version was made.
func (rec *setVersionRecord) keyNumber() int { return max(1, rec.KeyNumber) }

// keyAt is where a zone's key is stored, beside its record. Zone ids have no NUL.
func keyAt(zone string) string { return key(zone, "signing_key") }

// signingKey returns the zone's current key.
func (s *Server) signingKey(st store, zone string) (*jws.Key, error) {
	s.signing.mu.Lock()
	defer s.signing.mu.Unlock()
	if k := s.signing.keys[zone]; k != nil {
		return k, nil
	}
	var k *jws.Key
	var number int
	err := st.view(func(r reader) error {
		z, err := loadZone(r, zone)
		if err != nil {
			return err
		}
		number = z.keyNumber()
		if stored := r.get(tableZones, keyAt(zone)); stored != nil {
			k, err = jws.ParseKey(stored)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if k == nil || k.ID() != keyID(number) {
		if k, err = s.makeKey(st, zone, number); err != nil {
			return nil, err
		}
	}
	s.signing.keys[zone] = k
	return k, nil
}

func (s *Server) makeKey(st store, zone string, number int) (*jws.Key, error) {
	k, err := jws.NewKey(keyID(number))
	if err != nil || s.opts.ReadOnly {
		return k, err
	}
	return k, st.update(func(w *writer) error { return save(w, tableZones, keyAt(zone), k) })
}

// showKeys is the zone's JWKS (RFC 7517). Anyone may read it. After a rotation
// the old key is gone: nothing is signed with it any more.
func (c *call) showKeys() (int, any, error) {
	c.s.signing.rotation.RLock()
	defer c.s.signing.rotation.RUnlock()
	k, err := c.s.signingKey(c.store, c.zone)
	if err != nil {
		return 0, nil, err
	}
	c.header.Set("Cache-Control", "max-age=300")
	return http.StatusOK, jws.Public(k), nil
}

// A rotatedZone is what a rotation answers for each zone.
type rotatedZone struct {
	ID    string `json:"id"`
	KeyID string `json:"key_id"`
}

// answerRotation is POST /_local/rotate-keys. The service has no such operation;
// it is for trying what a client does then, so only those may ask who have the
// bearer that the server was started with.
func (s *Server) answerRotation(r *http.Request) (*response, error) {
	if !s.opts.NoAuth && !s.ready(bearer(r)) {
		return nil, forbidden("only the bearer that the server was started with may rotate keys")
	}
	if s.opts.ReadOnly {
		return nil, readOnly()
	}
	rotated, err := s.rotateKeys()
	if err != nil {
		return nil, err
	}
	return jsonResponse(http.StatusOK, map[string]any{"zones": rotated}), nil
}

// rotateKeys gives every zone a new key and issues all attestations anew, as
// re_signed.
func (s *Server) rotateKeys() ([]rotatedZone, error) {
	s.signing.rotation.Lock()
	defer s.signing.rotation.Unlock()
	out := []rotatedZone{}
	for _, zone := range s.opts.Zones {
		number := 0
		err := s.zones[zone].update(func(w *writer) error {
			z, err := loadZone(w, zone)
			if err != nil {
				return err
			}
			number = z.keyNumber() + 1
			z.KeyNumber, z.KeySince = number, s.now()
			w.delete(tableZones, keyAt(zone))
			return save(w, tableZones, zone, z)
		})
		if err != nil {
			return nil, err
		}
		out = append(out, rotatedZone{zone, keyID(number)})
		s.signing.mu.Lock()
		delete(s.signing.keys, zone)
		s.signing.mu.Unlock()
	}
	return out, nil
}

package zone

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// localUser is who acts when the token doesn't say: in process, or with a ready
// bearer.
const localUser = "usr_local"

// defaultLifetime of tokens, also of those that don't tell theirs.
const defaultLifetime = time.Hour

// tokenClaims are the signed content of a token. Tokens are checked by their
// signature, so that issuing any number of them takes no memory.
type tokenClaims struct {
	Subject string `json:"sub"`
	Expires int64  `json:"exp"` // Unix time in milliseconds
}

type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   *int   `json:"expires_in,omitempty"` // seconds
}

type tokenError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// issueToken is POST /service-account-token: client credentials (RFC 6749,
// section 4.4) with either way of client authentication, but not both.
func (s *Server) issueToken(r *http.Request) *response {
	fail := func(status int, code, description string) *response {
		resp := jsonResponse(status, tokenError{code, description})
		if status == http.StatusUnauthorized {
			resp.header.Set("WWW-Authenticate", `Basic realm="local zone"`)
		}
		return resp
	}
	body, err := readBody(r)
	if err != nil {
		return fail(http.StatusBadRequest, "invalid_request", "the body can't be read, or is too large")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return fail(http.StatusBadRequest, "invalid_request", "the body is not a form")
	}
	id, secret, basic := r.BasicAuth()
	inForm := form.Has("client_id") || form.Has("client_secret")
	switch {
	case basic && inForm:
		return fail(http.StatusBadRequest, "invalid_request", "use either HTTP Basic or form fields, not both")
	case form.Get("grant_type") == "":
		return fail(http.StatusBadRequest, "invalid_request", "grant_type is required")
	case form.Get("grant_type") != "client_credentials":
		return fail(http.StatusBadRequest, "unsupported_grant_type", "grant_type must be client_credentials")
	case inForm:
		id, secret = form.Get("client_id"), form.Get("client_secret")
	case !basic:
		return fail(http.StatusUnauthorized, "invalid_client", "client authentication is missing")
	}
	if !s.knows(id, secret) {
		// RFC 6749, section 2.3.1, form-encodes both parts of HTTP Basic; the
		// official clients don't, and other OAuth libraries do.
		decodedID, errID := url.QueryUnescape(id)
		decodedSecret, errSecret := url.QueryUnescape(secret)
		if !basic || errID != nil || errSecret != nil || !s.knows(decodedID, decodedSecret) {
			return fail(http.StatusUnauthorized, "invalid_client", "unknown client or wrong secret")
		}
		id = decodedID
	}
	lifetime := s.opts.TokenLifetime
	if lifetime <= 0 {
		lifetime = defaultLifetime
	}
	answer := tokenAnswer{AccessToken: s.sign(tokenClaims{id, time.Now().Add(lifetime).UnixMilli()}), TokenType: "Bearer"}
	if s.opts.TokenLifetime >= 0 {
		seconds := int(lifetime / time.Second)
		answer.ExpiresIn = &seconds
	}
	resp := jsonResponse(http.StatusOK, answer)
	resp.header.Set("Cache-Control", "no-store")
	return resp
}

// knows compares both parts always, so that time tells nothing about either.
func (s *Server) knows(id, secret string) bool {
	known := equalSecret(id, s.opts.ClientID)
	return equalSecret(secret, s.opts.ClientSecret) && known && s.opts.ClientID != ""
}

// authenticate returns who a request comes from.
func (s *Server) authenticate(r *http.Request) (subject string, err error) {
	if s.opts.NoAuth {
		return localUser, nil
	}
	fail := func(message string) error {
		return &apiError{status: http.StatusUnauthorized, message: message,
			header: http.Header{"Www-Authenticate": {`Bearer realm="local zone"`}}}
	}
	token := bearer(r)
	if token == "" {
		return "", fail("a bearer token is required")
	}
	if s.ready(token) {
		return localUser, nil
	}
	claims, ok := s.verify(token)
	switch {
	case !ok:
		return "", fail("the token is not valid")
	case time.Now().UnixMilli() >= claims.Expires:
		return "", fail("the token has expired")
	}
	return claims.Subject, nil
}

// bearer is the token of a request; "" if it has none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// ready tells whether a token is one that the server was started with.
func (s *Server) ready(token string) bool {
	for _, t := range s.opts.Tokens {
		if t != "" && equalSecret(token, t) {
			return true
		}
	}
	return false
}

func (s *Server) sign(c tokenClaims) string {
	payload, err := json.Marshal(c)
	if err != nil {
		panic(err) // two plain fields
	}
	text := base64.RawURLEncoding.EncodeToString(payload)
	return text + "." + base64.RawURLEncoding.EncodeToString(s.mac(text))
}

func (s *Server) verify(token string) (c tokenClaims, ok bool) {
	text, sum, _ := strings.Cut(token, ".")
	got, err := base64.RawURLEncoding.DecodeString(sum)
	if err != nil || !hmac.Equal(got, s.mac(text)) {
		return c, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return c, false
	}
	return c, json.Unmarshal(payload, &c) == nil
}

func (s *Server) mac(text string) []byte {
	h := hmac.New(sha256.New, s.tokenKey[:])
	h.Write([]byte(text))
	return h.Sum(nil)
}

// equalSecret compares in a time that depends on neither text.
func equalSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

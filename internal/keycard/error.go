package keycard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

const (
	// maxRaw bounds what an Error keeps of a body, maxMessage what it says of it.
	maxRaw     = 64 << 10
	maxMessage = 2 << 10
)

// An Error is an answer of the service that is not a success.
type Error struct {
	Op        string // "POST /zones/z/policies"
	Status    int
	Code      string // "" when the answer had none
	Message   string // secrets removed; may hold control characters
	RequestID string // the service's, else the one that was sent
	Raw       []byte // the body, at most 64 KiB; may hold anything, never print it
}

// Error gives operation, status, code, message and request id, with control
// characters made visible and known secrets removed.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d", e.Op, e.Status)
	if text := http.StatusText(e.Status); text != "" {
		b.WriteString(" " + text)
	}
	if e.Code != "" {
		b.WriteString(" (" + e.Code + ")")
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.RequestID != "" {
		b.WriteString(" [request id " + e.RequestID + "]")
	}
	return visible(b.String())
}

var (
	ErrNotFound     = errors.New("not found")               // 404
	ErrUnauthorized = errors.New("not authenticated")       // 401
	ErrForbidden    = errors.New("not allowed")             // 403
	ErrConflict     = errors.New("conflict")                // 409, and 400 that says so
	ErrPrecondition = errors.New("changed in the meantime") // 412
)

// ErrAddress is wrapped when credentials would not be sent to the configured
// address, or when it is none.
var ErrAddress = errors.New("the API's address can't be used")

// ErrAmbiguous is wrapped when a create may or may not have happened: no answer
// came, or a 5xx. The caller looks the object up before it repeats the call;
// the client never does by itself. 429 and connection refused are retried by
// the client, since nothing happened then.
var ErrAmbiguous = errors.New("the answer was lost")

// Is makes errors.Is(err, ErrNotFound) and the like work.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized || e.Code == "invalid_client"
	case ErrForbidden:
		return e.Status == http.StatusForbidden
	case ErrConflict:
		return e.Status == http.StatusConflict || e.Status == http.StatusBadRequest && e.saysConflict()
	case ErrPrecondition:
		return e.Status == http.StatusPreconditionFailed
	}
	return false
}

// saysConflict reads a 400 of the API's earlier days, when a taken name wasn't
// answered with 409. The word "conflicting" alone is used for query parameters.
func (e *Error) saysConflict() bool {
	if strings.HasSuffix(e.Code, "conflict") {
		return true
	}
	m := strings.ToLower(e.Message)
	for _, phrase := range []string{"already exists", "already in use", "already taken", "must be unique"} {
		if strings.Contains(m, phrase) {
			return true
		}
	}
	return false
}

// answerError reads an answer that isn't a success.
func (c *caller) answerError(op string, a *reply) *Error {
	e := &Error{Op: op, Status: a.status, RequestID: a.requestID, Raw: a.body}
	if len(e.Raw) > maxRaw {
		e.Raw = e.Raw[:maxRaw:maxRaw]
	}
	switch d := readError(e.Raw); {
	case a.status >= 300 && a.status < 400:
		e.Message = "redirected" + c.redirectTarget(a) + "; redirects are never followed"
	case a.status < 300:
		e.Message = "this status is not expected for a success"
	default:
		e.Code, e.Message = c.secrets.redact(d.code), clip(c.secrets.redact(d.message))
		if d.requestID != "" {
			e.RequestID = c.secrets.redact(d.requestID)
		}
	}
	return e
}

// redirectTarget names the origin alone: the rest of a Location can be anything.
func (c *caller) redirectTarget(a *reply) string {
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || u.Host == "" {
		return ""
	}
	return " to " + clip(c.secrets.redact(u.Scheme+"://"+u.Host))
}

// An errorBody is what the forms of error bodies have in common.
type errorBody struct{ code, message, requestID string }

// readError accepts the service's full form, its three-field form, OAuth's
// error and error_description (RFC 6749, section 5.2), a message alone, an error
// object of a gateway, plain text, and nothing.
func readError(body []byte) errorBody {
	var f map[string]json.RawMessage
	if json.Unmarshal(body, &f) != nil || f == nil {
		return errorBody{message: strings.Join(strings.Fields(string(body)), " ")}
	}
	str := func(key string) string {
		var s string
		if json.Unmarshal(f[key], &s) != nil {
			return ""
		}
		return s
	}
	d := errorBody{code: str("code"), message: str("message"), requestID: str("request_id")}
	if d.code == "" {
		d.code = str("error")
	}
	if d.message == "" {
		d.message = str("error_description")
	}
	var inner map[string]json.RawMessage
	if d.code == "" && d.message == "" && json.Unmarshal(f["error"], &inner) == nil && inner != nil {
		f = inner
		d.code, d.message = str("code"), str("message")
	}
	if more := details(f["details"]); more != "" {
		d.message = strings.TrimPrefix(d.message+" ("+more+")", " ")
	}
	if d.code == "" && d.message == "" {
		d.message = string(body)
	}
	return d
}

// details joins what a list of details says; their form isn't documented.
func details(raw json.RawMessage) string {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return ""
	}
	var out []string
	for _, item := range list {
		var s string
		var o struct{ Code, Message, Path string }
		switch {
		case json.Unmarshal(item, &s) == nil && s != "":
			out = append(out, s)
		case json.Unmarshal(item, &o) == nil && o.Code+o.Message+o.Path != "":
			out = append(out, strings.TrimSpace(strings.Join(strings.Fields(o.Code+" "+o.Path+" "+o.Message), " ")))
		}
	}
	return strings.Join(out, "; ")
}

// clip shortens a text that a stranger wrote.
func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}

// visible escapes control, format and other unprintable characters, so that a
// message of the server can't steer a terminal or the log of a runner.
func visible(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return s
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRune(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

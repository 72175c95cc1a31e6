package zone

import (
	"errors"
	"fmt"
	"net/http"
)

// An apiError is an answer of the API that isn't a success.
type apiError struct {
	status int
	// code is a domain code of generation 3, or "" for the general code of the
	// status, which is all that generation 2 has.
	code    string
	message string
	header  http.Header
}

func (e *apiError) Error() string { return e.message }

func badRequest(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

func forbidden(format string, args ...any) *apiError {
	return &apiError{status: http.StatusForbidden, message: fmt.Sprintf(format, args...)}
}

func notFound(what, id string) *apiError {
	return &apiError{status: http.StatusNotFound, message: fmt.Sprintf("%s %q not found", what, id)}
}

func conflict(code, format string, args ...any) *apiError {
	return &apiError{status: http.StatusConflict, code: code, message: fmt.Sprintf(format, args...)}
}

// with gives the error a domain code.
func (e *apiError) with(code string) *apiError {
	e.code = code
	return e
}

// generalCodes are the codes of the error body by status.
var generalCodes = map[int]string{
	http.StatusBadRequest:            "bad_request",
	http.StatusUnauthorized:          "unauthorized",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "not_found",
	http.StatusMethodNotAllowed:      "method_not_allowed",
	http.StatusConflict:              "conflict",
	http.StatusPreconditionFailed:    "precondition_failed",
	http.StatusRequestEntityTooLarge: "payload_too_large",
	http.StatusTooManyRequests:       "too_many_requests",
	http.StatusInternalServerError:   "internal_error",
	http.StatusServiceUnavailable:    "service_unavailable",
}

// errorBody is the full form of the API's errors.
type errorBody struct {
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
	Timestamp string `json:"timestamp"`
	Details   []any  `json:"details"`
	Path      string `json:"path"`
}

// errorResponse turns any error into an answer. What isn't an apiError is the
// server's own fault: 500, or 503 after Close.
func (s *Server) errorResponse(r *http.Request, requestID string, err error) *response {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{status: http.StatusInternalServerError, message: err.Error()}
		if errors.Is(err, errClosed) {
			e.status = http.StatusServiceUnavailable
		}
	}
	code := generalCodes[e.status]
	if e.code != "" && s.opts.Generation >= 3 {
		code = e.code
	}
	if code == "" {
		code = "error"
	}
	resp := jsonResponse(e.status, errorBody{
		Status: e.status, Code: code, Message: e.message, RequestID: requestID,
		Timestamp: s.now(), Details: []any{}, Path: r.URL.Path,
	})
	for name, values := range e.header {
		resp.header[name] = values
	}
	return resp
}

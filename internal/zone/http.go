package zone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// A response is a complete answer, before any fault damages it.
type response struct {
	status int
	header http.Header
	body   []byte
	ending ending
}

// An ending is what a fault makes of an answer on its way out.
type ending int

const (
	complete  ending = iota
	truncated        // half of the body, then the connection ends
	dropped          // the connection ends without an answer
)

func jsonResponse(status int, v any) *response {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // answers are made of our own types
	}
	return &response{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: b.Bytes()}
}

// answer runs one request to its complete answer. It never panics: a panic in a
// handler is a 500.
func (s *Server) answer(r *http.Request) (resp *response) {
	requestID := "req_" + randomID()
	defer func() {
		if v := recover(); v != nil {
			resp = s.errorResponse(r, requestID, fmt.Errorf("panic: %v", v))
		}
		resp.header.Set("X-Request-Id", requestID)
	}()
	effect := s.firing(r)
	if err := sleep(r.Context(), effect.delay); err != nil {
		return &response{header: http.Header{}, ending: dropped}
	}
	if effect.refuse {
		return &response{header: http.Header{}, ending: dropped}
	}
	if effect.failure != nil {
		return s.errorResponse(r, requestID, effect.failure)
	}
	resp, err := s.route(r)
	if err != nil {
		resp = s.errorResponse(r, requestID, err)
	}
	resp.ending = effect.ending
	s.noteLag(r, resp, effect.lag)
	return resp
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// ServeHTTP answers one request of the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp := s.answer(r)
	if resp.ending == dropped {
		panic(http.ErrAbortHandler) // net/http's way to close the connection
	}
	h := w.Header()
	for name, values := range resp.header {
		h[name] = values
	}
	h.Set("Content-Length", strconv.Itoa(len(resp.body)))
	w.WriteHeader(resp.status)
	if resp.ending == truncated {
		_, _ = w.Write(resp.body[:len(resp.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(resp.body) // a client that went away is no concern of ours
}

// Transport lets a client talk to the server in process. Bodies are complete,
// a request whose context has ended gets its error, and faults that close the
// connection show as io.ErrUnexpectedEOF.
func (s *Server) Transport() http.RoundTripper { return inProcess{s} }

type inProcess struct{ s *Server }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp := t.s.answer(r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if resp.ending == dropped {
		return nil, io.ErrUnexpectedEOF
	}
	var body io.Reader = bytes.NewReader(resp.body)
	if resp.ending == truncated {
		body = io.MultiReader(bytes.NewReader(resp.body[:len(resp.body)/2]), brokenReader{})
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", resp.status, http.StatusText(resp.status)),
		StatusCode: resp.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        resp.header,
		Body:          io.NopCloser(body),
		ContentLength: int64(len(resp.body)),
		Request:       r,
	}, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Timeouts of [Server.Serve]. No honest request takes seconds, except one that a
// delay fault holds up.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 2 * time.Minute
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 5 * time.Second
)

// Serve answers requests on l until ctx ends, then finishes the ones that are
// running, for at most five seconds. It returns nil after such a stop. It closes
// l, but not the server.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    64 << 10, // filter[id] takes up to 100 ids
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err := server.Shutdown(grace)
		if err != nil {
			server.Close()
		}
		stopped <- err
	})
	err := server.Serve(l)
	if !stop() { // the stop has begun; let it end
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

package faultproxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// A Proxy forwards every request to one upstream server and numbers them.
// Bodies stream in both directions. Its methods are safe for concurrent use.
type Proxy struct {
	URL string // where clients reach it: http://127.0.0.1:port

	upstream *url.URL
	server   *http.Server
	client   http.RoundTripper
	forward  *httputil.ReverseProxy

	mu       sync.Mutex
	fault    Fault
	requests []Request
	fired    bool
	dead     bool // the client was killed: nothing more of it is forwarded
	kill     func()
	killable chan struct{} // closed when kill is set
}

// A Request is one request as it arrived.
type Request struct {
	Method string
	Path   string // with query
}

// String gives method and path.
func (r Request) String() string { return r.Method + " " + r.Path }

// Start listens on loopback before upstream, which is a scheme and a host such
// as http://127.0.0.1:8080.
func Start(upstream string) (*Proxy, error) {
	u, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "" || u.Host == "" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("upstream %q is not a scheme and a host", upstream)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	quiet := log.New(io.Discard, "", 0) // broken connections are this package's trade
	p := &Proxy{
		URL:      "http://" + listener.Addr().String(),
		upstream: u,
		// Bodies pass as they are; a transport of our own, so that Close can
		// end its connections.
		client:   &http.Transport{DisableCompression: true},
		killable: make(chan struct{}),
	}
	p.forward = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(u); r.Out.Host = r.In.Host },
		Transport:     p.client,
		FlushInterval: -1, // pass on every read at once
		ErrorLog:      quiet,
	}
	p.server = &http.Server{Handler: p, ErrorLog: quiet}
	go p.server.Serve(listener)
	return p, nil
}

// Close ends all connections.
func (p *Proxy) Close() error {
	err := p.server.Close()
	p.client.(*http.Transport).CloseIdleConnections()
	return err
}

// Arm sets what goes wrong next, forgets the requests so far, and counts from 1
// again. A kill aims at the next client; see [Proxy.Aim].
func (p *Proxy) Arm(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.requests, p.fired, p.dead = f, nil, false, false
	p.kill, p.killable = nil, make(chan struct{})
}

// Aim says how to kill the client. It is called once after Arm, when the
// client's process has started; a kill that is due earlier waits for it.
// kill should return when the process is gone or sure to go.
func (p *Proxy) Aim(kill func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kill == nil {
		close(p.killable)
	}
	p.kill = kill
}

// Requests returns the requests since Arm in the order of their numbers,
// request 1 first. What a killed client still had under way when it died isn't
// among them.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Request(nil), p.requests...)
}

// Fired tells whether the fault has happened.
func (p *Proxy) Fired() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fired
}

// ServeHTTP forwards one request, or fails it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	p.requests = append(p.requests, Request{Method: r.Method, Path: r.URL.RequestURI()})
	fault, hit := p.fault, p.fault.hits(len(p.requests))
	if hit {
		p.fired = true
		// From here on nothing that the client says may reach the server, even
		// if it gets another word out before it dies.
		p.dead = fault.Action.Kills()
	}
	p.mu.Unlock()

	if !hit {
		// Not every server reads its request before it answers.
		http.NewResponseController(w).EnableFullDuplex()
		p.forward.ServeHTTP(w, r)
		return
	}
	switch fault.Action {
	case KillBefore:
		p.killClient(r.Context())
		panic(http.ErrAbortHandler)
	case Refuse:
		panic(http.ErrAbortHandler)
	case TooManyRequests:
		w.Header().Set("Retry-After", strconv.Itoa(int(fault.RetryAfter/time.Second)))
		refuse(w, http.StatusTooManyRequests)
	case Unavailable:
		refuse(w, http.StatusServiceUnavailable)
	case KillAfterForward, KillAfterAnswer, Drop, Truncate:
		p.cut(w, r, fault)
	default:
		panic("faultproxy: unknown action " + string(fault.Action))
	}
}

// cut has the server do its work, and then spoils the answer.
func (p *Proxy) cut(w http.ResponseWriter, r *http.Request, fault Fault) {
	head, body, err := p.ask(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if fault.Action == KillAfterForward {
		p.killClient(r.Context())
	}
	// The connection is taken over, because only then is it known when the
	// last byte was written, and where it can stop early.
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	switch fault.Action {
	case Truncate:
		if len(body) > 1 {
			conn.Write(append(head, body[:len(body)/2]...))
		} else {
			conn.Write(head[:len(head)/2])
		}
	case KillAfterAnswer:
		conn.Write(append(head, body...))
		time.Sleep(fault.Grace)
		p.killClient(context.Background())
	}
}

// ask forwards a request in full, whatever becomes of its client, and returns
// the answer as it goes over the wire, closing the connection.
func (p *Proxy) ask(r *http.Request) (head, body []byte, err error) {
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.URL.Scheme, out.URL.Host = p.upstream.Scheme, p.upstream.Host
	out.RequestURI = ""
	out.Header.Del("Connection")
	out.Header.Del("Expect") // answered by our server when the body is read
	resp, err := p.client.RoundTrip(out)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return nil, nil, err
	}
	// A server may answer early; a client that is still sending would see its
	// connection reset rather than the answer.
	io.Copy(io.Discard, r.Body)

	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %s\r\n", resp.Status)
	resp.Header.Set("Connection", "close")
	resp.Header.Del("Content-Length")
	if r.Method != http.MethodHead && resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusNotModified {
		resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	resp.Header.Write(&b)
	b.WriteString("\r\n")
	return b.Bytes(), body, nil
}

// killClient ends the client's process, as soon as it is known.
func (p *Proxy) killClient(ctx context.Context) {
	p.mu.Lock()
	killable := p.killable
	p.mu.Unlock()
	select {
	case <-killable:
	case <-ctx.Done():
		return // it died by itself
	}
	p.mu.Lock()
	kill := p.kill
	p.mu.Unlock()
	kill()
}

// refuse answers as a gateway before the service would.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":%q}`, http.StatusText(status))
}

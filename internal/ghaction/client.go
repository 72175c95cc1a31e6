package ghaction

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrReadOnly is wrapped when the token may not do what was asked: that of a
// pull request from a fork or by Dependabot, or of a job without the permission.
var ErrReadOnly = errors.New("the token may not write here")

// ErrRateLimited is wrapped when GitHub asked for a longer pause than a check
// should take.
var ErrRateLimited = errors.New("GitHub's rate limit is used up")

// A Client speaks to GitHub's REST API about one repository.
type Client struct {
	api     *url.URL
	graphQL string
	token   string
	repo    string // owner/name
	agent   string
	http    *http.Client
	sleep   func(context.Context, time.Duration) error
	now     func() time.Time
}

const (
	// apiVersion is a version that servers of customers know as well
	// (docs.github.com, API versions).
	apiVersion = "2022-11-28"
	// requestTimeout bounds one request, its answer included.
	requestTimeout = 30 * time.Second
	// maxAnswer bounds an answer: a page has 100 comments of 65,536 characters,
	// each at most twelve bytes as escaped JSON.
	maxAnswer = 96 << 20
	// attempts is how often a request is sent at most.
	attempts = 4
	// maxPause is the longest pause that a server may ask for. A check that waits
	// longer only to write a comment is worse than one without.
	maxPause = time.Minute
)

var repositoryName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$`)

// NewClient returns a client for the repository of the job. The token goes to
// the API that the runner names and nowhere else, and never over plain http but
// to this machine.
func (r *Runner) NewClient(token, agent string) (*Client, error) {
	if token == "" {
		return nil, fmt.Errorf("%w: there is no token", ErrReadOnly)
	}
	if strings.ContainsAny(token, "\r\n") {
		return nil, errors.New("the token has line ends")
	}
	if !repositoryName.MatchString(r.Repository) {
		return nil, fmt.Errorf("GITHUB_REPOSITORY is %q, not owner/name", r.Repository)
	}
	api, err := url.Parse(r.APIURL)
	if err != nil || api.Host == "" || api.User != nil || api.RawQuery != "" {
		return nil, fmt.Errorf("GITHUB_API_URL is %q, not an address", r.APIURL)
	}
	if api.Scheme != "https" && !(api.Scheme == "http" && isLoopback(api.Hostname())) {
		return nil, fmt.Errorf("GITHUB_API_URL is %q: tokens are sent over https only", r.APIURL)
	}
	c := &Client{api: api, token: token, repo: r.Repository, agent: agent, sleep: pause, now: time.Now}
	if g, err := url.Parse(r.GraphQLURL); err == nil && sameOrigin(g, api) {
		c.graphQL = r.GraphQLURL
	}
	c.http = &http.Client{
		Timeout: requestTimeout,
		// A repository that was renamed answers with a redirect to the same host.
		// Any other place gets no request at all. Nor is a write followed that net/http
		// would repeat as a GET (301, 302 and 303): its success would be no write.
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= 5 || !sameOrigin(req.URL, api) || req.Method != via[0].Method {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	return c, nil
}

// An APIError is an answer of GitHub that isn't a success.
type APIError struct {
	Status  int
	Message string // GitHub's words
	// Needs is the permission that would have been enough, where GitHub says so.
	Needs     string
	RequestID string
	kind      error
}

func (e *APIError) Error() string {
	text := fmt.Sprintf("GitHub answered %d: %s", e.Status, e.Message)
	if e.Needs != "" {
		text += " (it needs " + e.Needs + ")"
	}
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// Locked tells whether a conversation is closed to whom the token belongs to.
// Only the text of the answer tells it from a permission that is missing.
func (e *APIError) Locked() bool {
	return e.Status == http.StatusForbidden && strings.Contains(strings.ToLower(e.Message), "is locked")
}

func (e *APIError) Unwrap() error { return e.kind }

// call sends a request and decodes the answer into out. Only a request that can
// be repeated without harm is sent again after an answer that may have been
// lost; POST isn't, but for GraphQL, which is only asked here. It returns the
// header for paging.
func (c *Client) call(ctx context.Context, method, address string, in, out any) (http.Header, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, err
		}
	}
	wait := time.Second
	for try := 1; ; try++ {
		header, again, err := c.once(ctx, method, address, body, out)
		var after time.Duration
		switch {
		case err == nil:
			return header, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case again > 0: // GitHub said when; nothing was done
			after = again
		case again == 0 || method == http.MethodPost && address != c.graphQL:
			return nil, err
		default:
			after, wait = wait, 2*wait
		}
		if after > maxPause {
			return nil, fmt.Errorf("%w; the rate limit asks for a pause of %s", err, after.Round(time.Second))
		}
		if try == attempts {
			return nil, err
		}
		if err := c.sleep(ctx, after); err != nil {
			return nil, err
		}
	}
}

// once sends one request. again says what can be done about an error: 0 nothing,
// a pause after which to try again, or -1 to try again where that is harmless.
func (c *Client) once(ctx context.Context, method, address string, body []byte, out any) (header http.Header, again time.Duration, err error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, reader)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", apiVersion)
	req.Header.Set("User-Agent", c.agent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, -1, fmt.Errorf("asking GitHub: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		if out == nil {
			return res.Header, 0, nil
		}
		text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
		if err != nil {
			return nil, -1, fmt.Errorf("reading GitHub's answer: %w", err)
		}
		if len(text) > maxAnswer {
			return nil, 0, fmt.Errorf("GitHub's answer has over %d bytes", maxAnswer)
		}
		if !json.Valid(text) { // such as the page of a proxy that asks for a login
			return nil, -1, fmt.Errorf("reading GitHub's answer: %d with %d bytes that are no JSON, as a proxy may give", res.StatusCode, len(text))
		}
		if err := json.Unmarshal(text, out); err != nil {
			return nil, -1, fmt.Errorf("reading GitHub's answer: %w", err)
		}
		return res.Header, 0, nil
	}
	failed := readError(res)
	return nil, c.retry(res, failed), failed
}

// maxErrorBody is how much of an error is read, and maxErrorText how much shown.
const (
	maxErrorBody = 64 << 10
	maxErrorText = 500
)

func readError(res *http.Response) *APIError {
	e := &APIError{Status: res.StatusCode, Needs: res.Header.Get("X-Accepted-GitHub-Permissions"), RequestID: res.Header.Get("X-GitHub-Request-Id")}
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxErrorBody)) // what came says enough
	var doc struct {
		Message string `json:"message"`
		Errors  []struct {
			Message string `json:"message"`
			Code    string `json:"code"`
		} `json:"errors"`
	}
	if json.Unmarshal(text, &doc) == nil && doc.Message != "" {
		e.Message = doc.Message
		for _, one := range doc.Errors {
			e.Message += "; " + one.Message + one.Code
		}
	} else {
		e.Message = http.StatusText(res.StatusCode)
	}
	if len(e.Message) > maxErrorText {
		e.Message = strings.ToValidUTF8(e.Message[:maxErrorText], "") + "…"
	}
	switch {
	case limited(res, e.Message):
		e.kind = ErrRateLimited
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden, res.StatusCode == http.StatusNotFound:
		// A token without access to a private repository gets 404.
		e.kind = ErrReadOnly
	}
	return e
}

// limited tells a rate limit from a permission that is missing: both may be 403
// (docs.github.com, rate limits for the REST API).
func limited(res *http.Response, message string) bool {
	switch res.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		return res.Header.Get("Retry-After") != "" || res.Header.Get("X-RateLimit-Remaining") == "0" ||
			strings.Contains(strings.ToLower(message), "rate limit")
	}
	return false
}

// retry is what [Client.once] says about an error.
func (c *Client) retry(res *http.Response, failed *APIError) time.Duration {
	switch {
	case errors.Is(failed, ErrRateLimited):
		if after, ok := retryAfter(res.Header.Get("Retry-After"), c.now()); ok {
			return max(after, time.Second)
		}
		if reset, err := strconv.ParseInt(res.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil && res.Header.Get("X-RateLimit-Remaining") == "0" {
			return max(time.Unix(reset, 0).Sub(c.now()), time.Second)
		}
		return time.Minute // a secondary limit without a word
	case res.StatusCode >= 500:
		return -1
	}
	return 0
}

// retryAfter reads the header of that name: seconds, as GitHub sends it, or
// a date, as something in between may (RFC 9110, 10.2.3).
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	const most = 1 << 30 // seconds, so that no number overflows
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, most)) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return at.Sub(now), true
	}
	return 0, false
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// nextPage finds the next page in a Link header (RFC 8288). Another origin isn't
// followed.
func (c *Client) nextPage(header http.Header) string {
	for _, link := range strings.Split(header.Get("Link"), ",") {
		target, params, ok := strings.Cut(link, ">")
		target, open := strings.CutPrefix(strings.TrimSpace(target), "<")
		if !ok || !open || !strings.Contains(params, `rel="next"`) {
			continue
		}
		if u, err := url.Parse(target); err == nil && sameOrigin(u, c.api) {
			return target
		}
	}
	return ""
}

func sameOrigin(a, b *url.URL) bool {
	return a.Host != "" && a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host)
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

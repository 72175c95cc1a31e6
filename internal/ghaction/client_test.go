package ghaction

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

const testToken = "not-a-real-token"

// A script answers the n-th request with its n-th answer.
type script struct {
	*httptest.Server
	asked []string
	slept []time.Duration
}

type reply struct {
	status int
	header map[string]string
	body   any
}

// A page is a body that is no JSON.
type page string

// play serves replies and returns a client for them, whose pauses only count.
func play(t *testing.T, replies ...reply) (*script, *Client) {
	t.Helper()
	s := &script{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
		if got := r.Header.Get("Authorization"); got != "Bearer "+testToken {
			t.Errorf("%s came with %q", r.URL, got)
		}
		if len(replies) == 0 {
			t.Errorf("unexpected %s %s", r.Method, r.URL)
			w.WriteHeader(500)
			return
		}
		next := replies[0]
		replies = replies[1:]
		for k, v := range next.header {
			w.Header().Set(k, strings.ReplaceAll(v, "SELF", s.URL))
		}
		w.WriteHeader(next.status)
		if text, ok := next.body.(page); ok {
			io.WriteString(w, string(text))
			return
		}
		json.NewEncoder(w).Encode(next.body)
	}))
	t.Cleanup(s.Close)
	// As on GitHub Enterprise Server, where the API has a path.
	r := &Runner{Repository: "acme/policies", APIURL: s.URL + "/api/v3", GraphQLURL: s.URL + "/api/graphql"}
	c, err := r.NewClient(testToken, "policypin/test")
	if err != nil {
		t.Fatal(err)
	}
	c.now = func() time.Time { return time.Unix(1000, 0) }
	c.sleep = func(_ context.Context, d time.Duration) error { s.slept = append(s.slept, d); return nil }
	return s, c
}

const marker = "<!-- policypin:project=. -->"

func someone(id int, login, body string) map[string]any {
	return map[string]any{"id": id, "node_id": fmt.Sprint("IC_", id), "body": body, "html_url": fmt.Sprint("https://example.com/", id), "user": map[string]any{"login": login}}
}

func viewer(login string, hidden ...string) reply {
	nodes := []any{nil} // null for what is gone
	for _, id := range hidden {
		nodes = append(nodes, map[string]any{"id": id, "isMinimized": true})
	}
	return reply{200, nil, map[string]any{"data": map[string]any{"viewer": map[string]any{"login": login}, "nodes": nodes}}}
}

var (
	list   = "GET /api/v3/repos/acme/policies/issues/7/comments?per_page=100"
	post   = "POST /api/v3/repos/acme/policies/issues/7/comments"
	ask    = "POST /api/graphql"
	failed = map[string]any{"message": "Validation Failed", "errors": []any{map[string]any{"message": "body is too long"}}}
)

func TestComment(t *testing.T) {
	tests := []struct {
		name    string
		replies []reply
		create  bool
		want    Posted
		asked   []string
		slept   []time.Duration
		fails   string
		kind    error
	}{
		{
			name:    "none is there and none is wanted",
			replies: []reply{{200, nil, []any{}}},
			want:    Posted{Did: Absent}, asked: []string{list},
		},
		{
			name:    "the first",
			replies: []reply{{200, nil, []any{}}, {201, nil, someone(1, "app[bot]", "")}}, create: true,
			want: Posted{Created, "https://example.com/1"}, asked: []string{list, post},
		},
		{
			name:    "an app's own comment, on the second page, with other line ends",
			replies: []reply{{200, map[string]string{"Link": `<SELF/next>; rel="next"`}, []any{someone(1, "ada", marker+"\nbody")}}, {200, nil, []any{someone(2, "app[bot]", marker+"\r\nbody\n")}}, viewer("app[bot]")},
			want:    Posted{Unchanged, "https://example.com/2"}, asked: []string{list, "GET /next", ask},
		},
		{
			name:    "a server without GraphQL",
			replies: []reply{{200, nil, []any{someone(1, "ada", marker), someone(2, "github-actions[bot]", marker)}}, {404, nil, failed}, {200, nil, someone(2, "", "")}},
			want:    Posted{Updated, "https://example.com/2"}, asked: []string{list, ask, "PATCH /api/v3/repos/acme/policies/issues/comments/2"},
		},
		{
			name:    "a marker that doesn't begin the comment",
			replies: []reply{{200, nil, []any{someone(2, "github-actions[bot]", "> "+marker)}}},
			want:    Posted{Did: Absent}, asked: []string{list},
		},
		{
			name:    "it was deleted in between",
			replies: []reply{{200, nil, []any{someone(2, "app[bot]", marker)}}, viewer("app[bot]"), {404, nil, failed}, {201, nil, someone(3, "app[bot]", "")}},
			want:    Posted{Created, "https://example.com/3"}, asked: []string{list, ask, "PATCH /api/v3/repos/acme/policies/issues/comments/2", post},
		},
		{
			name:    "it was hidden, and says the same",
			replies: []reply{{200, nil, []any{someone(2, "app[bot]", marker+"\nbody")}}, viewer("app[bot]", "IC_2")}, create: true,
			want: Posted{Unchanged, "https://example.com/2"}, asked: []string{list, ask},
		},
		{
			name:    "it was hidden, and there is news",
			replies: []reply{{200, nil, []any{someone(2, "app[bot]", marker+"\nold")}}, viewer("app[bot]", "IC_2"), {201, nil, someone(3, "app[bot]", "")}}, create: true,
			want: Posted{Created, "https://example.com/3"}, asked: []string{list, ask, post},
		},
		{
			name:    "it was hidden, and there is nothing to say any more",
			replies: []reply{{200, nil, []any{someone(2, "app[bot]", marker+"\nold")}}, viewer("app[bot]", "IC_2"), {200, nil, nil}},
			want:    Posted{Updated, "https://example.com/2"}, asked: []string{list, ask, "PATCH /api/v3/repos/acme/policies/issues/comments/2"},
		},
		{
			name:    "the older one was hidden",
			replies: []reply{{200, nil, []any{someone(2, "app[bot]", marker+"\nold"), someone(4, "app[bot]", marker+"\nbody")}}, viewer("app[bot]", "IC_2")}, create: true,
			want: Posted{Unchanged, "https://example.com/4"}, asked: []string{list, ask},
		},
		{
			name:    "who asks isn't known at once", // else there would be a second comment
			replies: []reply{{200, nil, []any{someone(2, "app[bot]", marker+"\nbody")}}, {502, nil, nil}, viewer("app[bot]")}, create: true,
			want: Posted{Unchanged, "https://example.com/2"}, asked: []string{list, ask, ask}, slept: []time.Duration{time.Second},
		},
		{
			name:    "the next page is elsewhere",
			replies: []reply{{200, map[string]string{"Link": `<https://evil.example/next>; rel="next"`}, []any{}}},
			want:    Posted{Did: Absent}, asked: []string{list},
		},
		{
			name:    "GitHub stumbles",
			replies: []reply{{502, nil, nil}, {503, nil, nil}, {200, nil, []any{}}},
			want:    Posted{Did: Absent}, asked: []string{list, list, list}, slept: []time.Duration{time.Second, 2 * time.Second},
		},
		{
			name:    "GitHub is down",
			replies: []reply{{502, nil, nil}, {502, nil, nil}, {502, nil, nil}, {502, nil, nil}},
			asked:   []string{list, list, list, list}, slept: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, fails: "502",
		},
		{
			name:    "a lost answer is looked up",
			replies: []reply{{200, nil, []any{}}, {502, nil, nil}, {200, nil, []any{someone(1, "app[bot]", marker+"\nbody")}}, viewer("app[bot]")}, create: true,
			want: Posted{Unchanged, "https://example.com/1"}, asked: []string{list, post, list, ask}, slept: []time.Duration{time.Second},
		},
		{
			name:    "a secondary limit without a word is waited for, once",
			replies: []reply{{200, nil, []any{}}, {429, nil, nil}, {201, nil, someone(1, "", "")}}, create: true,
			want: Posted{Created, "https://example.com/1"}, asked: []string{list, post, post}, slept: []time.Duration{time.Minute},
		},
		{
			name:    "a secondary limit until a date",
			replies: []reply{{200, nil, []any{}}, {403, map[string]string{"Retry-After": "Thu, 01 Jan 1970 00:16:50 GMT"}, nil}, {201, nil, someone(1, "", "")}}, create: true,
			want: Posted{Created, "https://example.com/1"}, asked: []string{list, post, post}, slept: []time.Duration{10 * time.Second},
		},
		{
			name:    "a secondary limit until a date in the past",
			replies: []reply{{200, nil, []any{}}, {403, map[string]string{"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, nil}, {201, nil, someone(1, "", "")}}, create: true,
			want: Posted{Created, "https://example.com/1"}, asked: []string{list, post, post}, slept: []time.Duration{time.Second},
		},
		{
			name:    "a pause of ages",
			replies: []reply{{429, map[string]string{"Retry-After": "9223372036854775807"}, nil}},
			asked:   []string{list}, fails: "a pause of", kind: ErrRateLimited,
		},
		{
			name:    "the primary limit until a time",
			replies: []reply{{403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1030"}, nil}, {200, nil, []any{}}},
			want:    Posted{Did: Absent}, asked: []string{list, list}, slept: []time.Duration{30 * time.Second},
		},
		{
			name:    "the primary limit for too long",
			replies: []reply{{403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4000"}, nil}},
			asked:   []string{list}, fails: "50m0s", kind: ErrRateLimited,
		},
		{
			name:    "too long for GitHub",
			replies: []reply{{200, nil, []any{}}, {422, nil, failed}}, create: true,
			asked: []string{list, post}, fails: "body is too long",
		},
		{
			name:    "no permission, and which one it would take",
			replies: []reply{{200, nil, []any{}}, {403, map[string]string{"X-Accepted-GitHub-Permissions": "issues=write"}, map[string]any{"message": "Resource not accessible by integration"}}}, create: true,
			asked: []string{list, post}, fails: "issues=write", kind: ErrReadOnly,
		},
		{
			name:    "a renamed repository",
			replies: []reply{{301, map[string]string{"Location": "SELF/api/v3/repositories/1/issues/7/comments?per_page=100"}, nil}, {200, nil, []any{}}},
			want:    Posted{Did: Absent}, asked: []string{list, "GET /api/v3/repositories/1/issues/7/comments?per_page=100"},
		},
		{
			name: "a renamed repository, and a write that net/http would make a read",
			replies: []reply{
				{200, nil, []any{someone(2, "app[bot]", marker+"\nold")}}, viewer("app[bot]"),
				{301, map[string]string{"Location": "SELF/api/v3/repositories/1/issues/comments/2"}, nil},
			},
			asked: []string{list, ask, "PATCH /api/v3/repos/acme/policies/issues/comments/2"}, fails: "301",
		},
		{
			name: "a renamed repository, and a write that stays one",
			replies: []reply{
				{200, nil, []any{someone(2, "app[bot]", marker+"\nold")}}, viewer("app[bot]"),
				{307, map[string]string{"Location": "SELF/api/v3/repositories/1/issues/comments/2"}, nil}, {200, nil, someone(2, "", "")},
			},
			want:  Posted{Updated, "https://example.com/2"},
			asked: []string{list, ask, "PATCH /api/v3/repos/acme/policies/issues/comments/2", "PATCH /api/v3/repositories/1/issues/comments/2"},
		},
		{
			name:    "a redirect elsewhere",
			replies: []reply{{301, map[string]string{"Location": "https://evil.example/"}, nil}},
			asked:   []string{list}, fails: "301",
		},
		{
			name:    "other JSON",
			replies: []reply{{200, nil, "x"}, {200, nil, "x"}, {200, nil, "x"}, {200, nil, "x"}},
			asked:   []string{list, list, list, list}, slept: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, fails: "reading GitHub's answer",
		},
		{
			name:    "no JSON",
			replies: []reply{{200, nil, page("<html>")}, {200, nil, page("<html>")}, {200, nil, page("<html>")}, {200, nil, page("<html>")}},
			asked:   []string{list, list, list, list}, slept: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, fails: "200 with 6 bytes that are no JSON",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, c := play(t, tt.replies...)
			got, err := c.Comment(t.Context(), 7, marker, marker+"\nbody", tt.create)
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Fatalf("got %v, want %q", err, tt.fails)
			}
			if tt.kind != nil && !errors.Is(err, tt.kind) {
				t.Errorf("got %v, want it to be %v", err, tt.kind)
			}
			if got != tt.want || !slices.Equal(s.asked, tt.asked) || !slices.Equal(s.slept, tt.slept) {
				t.Errorf("got %+v, requests %q, pauses %v", got, s.asked, s.slept)
			}
			if err != nil && strings.Contains(err.Error(), testToken) {
				t.Errorf("the error has the token: %v", err)
			}
		})
	}
}

func TestCommentNeedsItsMarker(t *testing.T) {
	_, c := play(t)
	if _, err := c.Comment(t.Context(), 7, marker, "body", true); err == nil {
		t.Error("a comment without its marker was written")
	}
}

func TestClientAddresses(t *testing.T) {
	good := Runner{Repository: "acme/policies", APIURL: "https://api.github.com", GraphQLURL: "https://api.github.com/graphql"}
	for _, tt := range []struct {
		name  string
		set   func(*Runner)
		token string
		want  string
	}{
		{"github.com", func(*Runner) {}, testToken, ""},
		{"a server of one's own", func(r *Runner) { r.APIURL = "https://github.example.com/api/v3" }, testToken, ""},
		{"loopback may be plain", func(r *Runner) { r.APIURL = "http://127.0.0.1:8080" }, testToken, ""},
		{"others may not", func(r *Runner) { r.APIURL = "http://github.example.com/api/v3" }, testToken, "https only"},
		{"no address", func(r *Runner) { r.APIURL = "" }, testToken, "not an address"},
		{"a user in the address", func(r *Runner) { r.APIURL = "https://a:b@api.github.com" }, testToken, "not an address"},
		{"a repository that leads elsewhere", func(r *Runner) { r.Repository = "acme/../../x" }, testToken, "not owner/name"},
		{"no token", func(*Runner) {}, "", "no token"},
		{"a token with a header in it", func(*Runner) {}, "x\r\nHost: evil", "line ends"},
	} {
		r := good
		tt.set(&r)
		_, err := r.NewClient(tt.token, "x")
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	r := good
	r.GraphQLURL = "https://evil.example/graphql"
	if c, err := r.NewClient(testToken, "x"); err != nil || c.graphQL != "" {
		t.Errorf("another origin is asked who we are: %v, %v", c.graphQL, err)
	}
}

func TestInterruptedPause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pause(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

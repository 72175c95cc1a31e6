package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"
)

// A github is GitHub's REST API as far as comments of one pull request go.
type github struct {
	testing.TB
	*httptest.Server

	token string // that of the job

	mu       sync.Mutex
	comments []*ghComment
	writes   []string // method and path of every write
	bodies   []string // what was written
	head     string   // the commit that the pull request is at; "" and nothing is said of it
	base     string   // the branch that it is for
	status   string   // of that branch, seen from a commit
	compared []string // which commits and branches
	pages    int
	// fail may answer instead, before or after the work; it returns whether it did.
	before, after func(w http.ResponseWriter, r *http.Request) bool
}

type ghComment struct {
	ID      int64          `json:"id"`
	Body    string         `json:"body"`
	NodeID  string         `json:"node_id"`
	HTMLURL string         `json:"html_url"`
	User    map[string]any `json:"user"`
	hidden  bool
}

const bot = "github-actions[bot]"

func newGitHub(t testing.TB) *github {
	g := &github{TB: t, token: jobToken}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

// add puts a comment there, as somebody.
func (g *github) add(login, body string) *ghComment {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.append(login, body)
}

func (g *github) append(login, body string) *ghComment {
	c := &ghComment{ID: int64(1000 + len(g.comments)), Body: body, User: map[string]any{"login": login, "type": "Bot"}}
	c.NodeID = fmt.Sprintf("IC_%d", c.ID)
	c.HTMLURL = fmt.Sprintf("https://github.com/acme/policies/pull/7#issuecomment-%d", c.ID)
	g.comments = append(g.comments, c)
	return c
}

// ours lists what the bot has written.
func (g *github) ours() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []string
	for _, c := range g.comments {
		if c.User["login"] == bot {
			all = append(all, c.Body)
		}
	}
	return all
}

func (g *github) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if got := r.Header.Get("Authorization"); got != "Bearer "+g.token {
		g.Errorf("%s %s came with %q", r.Method, r.URL, got)
	}
	if r.Header.Get("X-GitHub-Api-Version") == "" || r.Header.Get("User-Agent") == "" {
		g.Errorf("%s %s lacks headers: %v", r.Method, r.URL, r.Header)
	}
	write := r.Method != "GET" && r.URL.Path != "/graphql"
	if write {
		g.writes = append(g.writes, r.Method+" "+r.URL.Path)
	}
	if g.before != nil && g.before(w, r) {
		return
	}
	const repo = "/repos/acme/policies/"
	switch path := strings.TrimPrefix(r.URL.Path, repo); {
	case r.URL.Path == "/graphql":
		g.graphQL(w, r)
	case r.Method == "GET" && path == "issues/7/comments":
		g.list(w, r)
	case r.Method == "GET" && path == "pulls/7" && g.head != "":
		answer(w, 200, map[string]any{"number": 7, "head": map[string]any{"sha": g.head}, "base": map[string]any{"ref": g.base}})
	case r.Method == "GET" && strings.HasPrefix(path, "compare/") && g.status != "":
		g.compared = append(g.compared, path)
		answer(w, 200, map[string]any{"status": g.status})
	case r.Method == "POST" && path == "issues/7/comments":
		body, ok := g.body(w, r)
		if !ok {
			return
		}
		c := g.append(bot, body)
		if g.after == nil || !g.after(w, r) {
			answer(w, 201, c)
		}
	case r.Method == "PATCH" && strings.HasPrefix(path, "issues/comments/"):
		body, ok := g.body(w, r)
		if !ok {
			return
		}
		for _, c := range g.comments {
			if fmt.Sprint(c.ID) == strings.TrimPrefix(path, "issues/comments/") {
				if c.User["login"] != bot {
					answer(w, 403, message("Resource not accessible by integration"))
					return
				}
				c.Body = body
				answer(w, 200, c)
				return
			}
		}
		answer(w, 404, message("Not Found"))
	default:
		answer(w, 404, message("Not Found"))
	}
}

// graphQL tells who the token is, and which comments are hidden.
func (g *github) graphQL(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Variables struct {
			IDs []string `json:"ids"`
		} `json:"variables"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Variables.IDs) > 100 {
		answer(w, 400, message("Problems parsing JSON"))
		return
	}
	nodes := []any{}
	for _, id := range in.Variables.IDs {
		var node any
		for _, c := range g.comments {
			if c.NodeID == id {
				node = map[string]any{"id": id, "isMinimized": c.hidden}
			}
		}
		nodes = append(nodes, node)
	}
	answer(w, 200, map[string]any{"data": map[string]any{"viewer": map[string]any{"login": bot}, "nodes": nodes}})
}

// body reads what is to be written, and refuses what GitHub refuses.
func (g *github) body(w http.ResponseWriter, r *http.Request) (string, bool) {
	var in struct {
		Body string `json:"body"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		answer(w, 400, message("Problems parsing JSON"))
		return "", false
	}
	if len(utf16.Encode([]rune(in.Body))) > 65536 {
		answer(w, 422, map[string]any{"message": "Validation Failed", "errors": []any{map[string]any{"field": "body", "code": "custom", "message": "body is too long (maximum is 65536 characters)"}}})
		return "", false
	}
	g.bodies = append(g.bodies, in.Body)
	return in.Body, true
}

// list gives a page, the oldest first, at most 100 and 30 if not asked.
func (g *github) list(w http.ResponseWriter, r *http.Request) {
	number := func(name string, def int) int {
		if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil && n > 0 {
			return n
		}
		return def
	}
	size, page := min(number("per_page", 30), 100), number("page", 1)
	g.pages++
	from, to := min((page-1)*size, len(g.comments)), min(page*size, len(g.comments))
	if to < len(g.comments) {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?per_page=%d&page=%d>; rel="next", <%s%s?per_page=%d&page=9>; rel="last"`,
			g.URL, r.URL.Path, size, page+1, g.URL, r.URL.Path, size))
	}
	answer(w, 200, g.comments[from:to])
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-GitHub-Request-Id", "0400:1:2:3")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func message(text string) map[string]any {
	return map[string]any{"message": text, "documentation_url": "https://docs.github.com/rest"}
}

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// readOnly is the answer to a token that may not write.
func readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == "GET" || r.URL.Path == "/graphql" {
		return false
	}
	w.Header().Set("X-Accepted-GitHub-Permissions", "issues=write; pull_requests=write")
	answer(w, 403, message("Resource not accessible by integration"))
	return true
}

// once makes an answer happen at the first write only.
func once(f func(w http.ResponseWriter, r *http.Request)) func(http.ResponseWriter, *http.Request) bool {
	done := false
	return func(w http.ResponseWriter, r *http.Request) bool {
		if done || r.Method == "GET" || r.URL.Path == "/graphql" {
			return false
		}
		done = true
		f(w, r)
		return true
	}
}

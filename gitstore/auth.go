package gitstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// helperTimeout bounds git config and git credential. A helper may have to
// unlock a keyring, but in a job nobody is there to do it.
const helperTimeout = 30 * time.Second

// credentials find what authenticates requests to one http or https remote, in
// this order: POLICYPIN_GIT_TOKEN, GITHUB_TOKEN, the user in the URL, the header
// that actions/checkout leaves in Git's configuration, and, once the server has
// asked for it, Git's credential helpers.
//
// Nothing is sent over plain http, except to this machine, and GITHUB_TOKEN goes
// only to the server that issued it.
type credentials struct {
	repo   *Repo
	getenv func(string) string
	url    *url.URL // scheme, host and path
	user   *url.Userinfo

	mu      sync.Mutex
	decided bool
	asked   bool // the helpers, too
	chosen  *httpAuth
	secrets []string
}

// httpAuth is one request header, for one origin.
type httpAuth struct {
	source        string // for messages: GITHUB_TOKEN
	origin        *url.URL
	header, value string
}

// Name and String are go-git's; they say where the credential is from.
func (a *httpAuth) Name() string   { return a.source }
func (a *httpAuth) String() string { return a.source }

// SetAuth adds the header. go-git drops it when a redirect leaves the origin;
// this looks again, so that no change there can leak it.
func (a *httpAuth) SetAuth(r *http.Request) {
	if sameOrigin(r.URL, a.origin) {
		r.Header.Set(a.header, a.value)
	}
}

// method returns what to send, or nil for nothing.
func (c *credentials) method(ctx context.Context) transport.AuthMethod {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.decided {
		c.decided = true
		c.chosen = c.choose(ctx)
	}
	if c.chosen == nil {
		return nil
	}
	return c.chosen
}

// source says what method returned, for messages.
func (c *credentials) source() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.chosen != nil:
		return "with " + c.chosen.source
	case !mayAuthenticate(c.url):
		return "without credentials, which are never sent over plain http"
	}
	return "without credentials"
}

func (c *credentials) choose(ctx context.Context) *httpAuth {
	if !mayAuthenticate(c.url) {
		return nil
	}
	if token := c.getenv("POLICYPIN_GIT_TOKEN"); token != "" {
		return c.basic("POLICYPIN_GIT_TOKEN", "x-access-token", token)
	}
	if token := c.getenv("GITHUB_TOKEN"); token != "" && c.isGitHub() {
		return c.basic("GITHUB_TOKEN", "x-access-token", token)
	}
	if c.user != nil {
		password, _ := c.user.Password()
		return c.basic("the user in the URL", c.user.Username(), password)
	}
	return c.extraHeader(ctx)
}

func (c *credentials) basic(source, user, password string) *httpAuth {
	pair := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	c.secrets = append(c.secrets, pair, password, url.QueryEscape(password), url.PathEscape(password))
	return &httpAuth{source, c.url, "Authorization", "Basic " + pair}
}

// isGitHub tells whether the remote is the server that GITHUB_TOKEN is for.
func (c *credentials) isGitHub() bool {
	if isLoopback(c.url.Hostname()) {
		return true
	}
	server := c.getenv("GITHUB_SERVER_URL")
	if server == "" {
		server = "https://github.com"
	}
	u, err := url.Parse(server)
	return err == nil && sameOrigin(u, c.url)
}

// extraHeader asks git for http.<url>.extraheader. go-git reads neither that
// key nor includeIf, which is how actions/checkout 6 and later keeps the token
// out of .git/config.
func (c *credentials) extraHeader(ctx context.Context) *httpAuth {
	out, err := c.git(ctx, nil, "config", "--get-urlmatch", "http.extraheader", c.url.String())
	if err != nil {
		return nil
	}
	name, value, ok := strings.Cut(strings.TrimSpace(string(out)), ":")
	value = strings.TrimSpace(value)
	if !ok || !isWord(name) || value == "" || strings.ContainsFunc(value, unicode.IsControl) {
		return nil
	}
	secret := value[strings.LastIndexByte(value, ' ')+1:]
	c.secrets = append(c.secrets, value, secret)
	if pair, err := base64.StdEncoding.DecodeString(secret); err == nil {
		if _, password, ok := strings.Cut(string(pair), ":"); ok {
			c.secrets = append(c.secrets, password)
		}
	}
	return &httpAuth{"http.extraheader of Git's configuration", c.url, name, value}
}

// ask tries Git's credential helpers, once. It tells whether there is something
// new to send.
func (c *credentials) ask(ctx context.Context) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked || c.chosen != nil || !mayAuthenticate(c.url) {
		return false
	}
	c.asked = true
	request := "protocol=" + c.url.Scheme + "\nhost=" + c.url.Host + "\n"
	if path := strings.TrimPrefix(c.url.Path, "/"); !strings.ContainsFunc(path, unicode.IsControl) {
		request += "path=" + path + "\n"
	}
	out, err := c.git(ctx, []byte(request+"\n"), "credential", "fill")
	if err != nil {
		return false
	}
	var user, password string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		switch key, value, _ := strings.Cut(lines.Text(), "="); key {
		case "username":
			user = value
		case "password":
			password = value
		}
	}
	if password == "" {
		return false
	}
	c.chosen = c.basic("Git's credential helper", user, password)
	return true
}

// git runs the git binary for this repository. A machine without one gives an
// error like any other.
func (c *credentials) git(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = c.repo.gitDir
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.WaitDelay = time.Second // for a helper that holds on to our pipe
	cmd.Env = append(unplaced(), "GIT_TERMINAL_PROMPT=0", "GCM_INTERACTIVE=never")
	// includeIf.gitdir is matched against GIT_DIR. With it set, Git also doesn't
	// ask who owns the folder, which in a container is another user. A helper
	// that such a repository names isn't run, though: git asks those of the user.
	if args[0] != "credential" || (gitProcess{c.repo.gitDir, c.repo.root}).trusted() == nil {
		cmd.Env = append(cmd.Env, "GIT_DIR="+c.repo.gitDir)
	}
	return cmd.Output()
}

// mayAuthenticate tells whether credentials may be sent to u.
func mayAuthenticate(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}

func sameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		return map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return a.Scheme == b.Scheme && a.Hostname() != "" && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// A remoteError is what a remote or the way to it reported, without secrets and
// control characters. It doesn't wrap the original error, whose text has both.
type remoteError struct {
	text  string
	kinds []error // sentinels that errors.Is finds
}

func (e *remoteError) Error() string   { return e.text }
func (e *remoteError) Unwrap() []error { return e.kinds }

// explain makes a remoteError of err.
func (e *endpoint) explain(ctx context.Context, doing string, err error) error {
	re := &remoteError{text: doing + ": " + e.clean(err.Error())}
	switch {
	case ctx.Err() != nil:
		re.kinds = []error{context.Cause(ctx)}
		re.text = doing + ": " + context.Cause(ctx).Error()
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		re.kinds = []error{ErrAccess}
		if e.auth != nil {
			re.text = doing + " " + e.auth.source() + ": " + e.clean(err.Error())
		}
	case strings.Contains(err.Error(), "no space after hash"): // go-git 5.19, of ids that are longer
		re.kinds = []error{ErrUnsupported}
		re.text = doing + ": its object format isn't sha1, and policypin reads no other"
	case strings.Contains(err.Error(), "dubious ownership"):
		re.text += "; git config --global --add safe.directory PATH trusts it"
	case strings.Contains(err.Error(), "not our ref"):
		re.kinds = []error{ErrNoRevision}
	case errors.Is(err, transport.ErrRepositoryNotFound) && e.at.Protocol != "file":
		// GitHub also answers this where the credentials don't reach.
		re.kinds = []error{ErrAccess}
	case errors.Is(err, transport.ErrRepositoryNotFound), errors.As(err, new(*net.OpError)):
		re.kinds = []error{ErrUnreachable}
	}
	return re
}

// maxWords bounds what an error repeats of a server's text.
const maxWords = 4000

var userinfo = regexp.MustCompile(`://[^/@\s]*@`)

// clean makes foreign text fit for an error message: no credentials, no control
// characters but newlines, no more than a screenful.
func (e *endpoint) clean(text string) string {
	if e.auth != nil {
		e.auth.mu.Lock()
		for _, s := range e.auth.secrets {
			if len(s) >= 4 { // shorter ones would only garble the text
				text = strings.ReplaceAll(text, s, "***")
			}
		}
		e.auth.mu.Unlock()
	}
	text = userinfo.ReplaceAllString(text, "://")
	text = strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) > maxWords {
		text = strings.ToValidUTF8(text[:maxWords], "") + "…"
	}
	return strings.TrimRight(text, "\n ")
}

package gitstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/file"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// RemoteOptions tell how to reach a remote.
type RemoteOptions struct {
	Name     string // remote name or URL; "" is origin, or the only remote
	Getenv   func(string) string
	Progress func(string) // told what is fetched and why; may be nil
	// TempDir holds the temporary object store; "" is the system's.
	TempDir string
	// TempMade is told the folder of that store when it is made. Whoever ends without
	// [Origin].Close has it to remove. May be nil.
	TempMade func(dir string)
}

// ErrNoRemote is returned when the repository has no remote of that name.
var ErrNoRemote = errors.New("no such remote")

// Remote opens a remote. No request is made yet. The error wraps
// [ErrNoRemote] if there is none.
//
// The URL may be https, http, ssh, file, or a path. Requests over http are
// authenticated by the first of POLICYPIN_GIT_TOKEN, GITHUB_TOKEN (only to
// GITHUB_SERVER_URL, by default github.com), the user in the URL, and Git's
// http.extraheader; if there is none and the server asks, by Git's credential
// helpers. Credentials are never sent over plain http, except to this machine.
// ssh takes keys from the agent and from the default files, and knows hosts by
// known_hosts; GIT_SSH_COMMAND is not used.
func (r *Repo) Remote(opts RemoteOptions) (Origin, error) {
	if opts.Getenv == nil {
		opts.Getenv = func(string) string { return "" }
	}
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	name, fetchURL, pushURL, err := r.remoteURLs(opts.Name)
	if err != nil {
		return nil, err
	}
	o := &remote{repo: r, opts: opts, objects: &overlay{base: r.store, parent: opts.TempDir, made: opts.TempMade}}
	if o.fetchAt, err = r.endpoint(fetchURL, opts.Getenv); err != nil {
		return nil, err
	}
	o.pushAt = o.fetchAt
	if pushURL != fetchURL {
		if o.pushAt, err = r.endpoint(pushURL, opts.Getenv); err != nil {
			return nil, err
		}
	}
	o.name = o.fetchAt.shown
	if name != "" {
		o.name = name + " (" + o.fetchAt.shown + ")"
	}
	return o, nil
}

// An endpoint is one URL of a remote, and how to speak to it.
type endpoint struct {
	at     transport.Endpoint
	client transport.Transport
	auth   *credentials // http and https only
	shown  string       // the URL without credentials
}

// helperURL is a URL that a remote helper of git understands (gitremote-helpers(7)).
var helperURL = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9+.-]*)::`)

func (r *Repo) endpoint(raw string, getenv func(string) string) (*endpoint, error) {
	if helper := helperURL.FindString(raw); helper != "" {
		return nil, fmt.Errorf("%w: remotes with %s URLs, which need a helper of git; use https, ssh or file", ErrUnsupported, helper)
	}
	ep, err := transport.NewEndpoint(raw)
	if err != nil {
		// The text of the error repeats the URL, and with it a password.
		return nil, fmt.Errorf("the remote's URL %s can't be parsed", userinfo.ReplaceAllString(raw, "://"))
	}
	e := &endpoint{at: *ep}
	e.at.Protocol = strings.ToLower(ep.Protocol)
	switch e.at.Protocol {
	case "http", "https":
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("the remote's URL %s can't be parsed", userinfo.ReplaceAllString(raw, "://"))
		}
		e.auth = &credentials{repo: r, getenv: getenv, user: u.User, url: &url.URL{Scheme: e.at.Protocol, Host: u.Host, Path: u.Path}}
		e.at.User, e.at.Password = "", "" // credentials decides whether they are sent
		e.client = githttp.NewClientWithOptions(&http.Client{Transport: newLimitedTransport()},
			&githttp.ClientOptions{RedirectPolicy: githttp.FollowInitialRedirects})
	case "ssh":
		e.at.Password = ""
		e.client = newSSHClient(getenv)
	case "file":
		e.client = file.DefaultClient
	default:
		return nil, fmt.Errorf("%w: remotes with %s:// URLs; use https, ssh or file", ErrUnsupported, ep.Protocol)
	}
	shown := e.at
	if e.at.Protocol == "file" && !strings.HasPrefix(raw, "file:") {
		e.shown = e.at.Path
	} else {
		e.shown = shown.String()
	}
	return e, nil
}

const (
	// connectTimeout bounds connecting, authenticating and one listing. Servers
	// with a hundred thousand refs take a few seconds.
	connectTimeout = time.Minute
	// transferTimeout bounds one fetch or push, hooks of the server included.
	transferTimeout = 10 * time.Minute
)

// connect opens a session and reads the refs that the server advertises. If the
// server wants credentials and there were none, Git's helpers are asked.
func connect[S transport.Session](ctx context.Context, e *endpoint, open func(*transport.Endpoint, transport.AuthMethod) (S, error)) (S, *packp.AdvRefs, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, errors.New("the remote didn't answer within a minute"))
	defer cancel()
	type opened struct {
		session S
		refs    *packp.AdvRefs
		err     error
	}
	try := func() opened {
		var auth transport.AuthMethod
		if e.auth != nil {
			auth = e.auth.method(ctx)
		}
		at := e.at // a redirect changes it
		done := make(chan opened, 1)
		// Dialling ssh takes no context, so it is left behind when ctx ends.
		go func() {
			s, err := open(&at, auth)
			if err != nil {
				done <- opened{err: err}
				return
			}
			refs, err := s.AdvertisedReferencesContext(ctx)
			if errors.Is(err, transport.ErrEmptyRemoteRepository) {
				refs, err = packp.NewAdvRefs(), nil
			}
			if err != nil {
				s.Close()
			}
			done <- opened{s, refs, err}
		}()
		select {
		case o := <-done:
			return o
		case <-ctx.Done():
			go func() {
				if o := <-done; o.err == nil {
					o.session.Close()
				}
			}()
			return opened{err: ctx.Err()}
		}
	}
	o := try()
	if errors.Is(o.err, transport.ErrAuthenticationRequired) && e.auth != nil && e.auth.ask(ctx) {
		o = try()
	}
	if o.err != nil {
		var none S
		return none, nil, e.explain(ctx, "connecting to "+e.shown, o.err)
	}
	return o.session, o.refs, nil
}

// remote is the origin at the other end of a URL.
type remote struct {
	repo            *Repo
	opts            RemoteOptions
	name            string
	fetchAt, pushAt *endpoint
	objects         *overlay
}

func (r *remote) Name() string { return r.name }

func (r *remote) Close() error { return r.objects.close() }

func (r *remote) Refs(ctx context.Context) (*Refs, error) {
	s, adv, err := connect(ctx, r.fetchAt, r.fetchAt.client.NewUploadPackSession)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return readAdvertised(adv), nil
}

// readAdvertised reads the listing that a server sends when a session starts.
func readAdvertised(adv *packp.AdvRefs) *Refs {
	refs := &Refs{All: make(map[string]Hash, len(adv.References)+1), Peeled: make(map[string]Hash, len(adv.Peeled))}
	for name, h := range adv.References {
		refs.All[name] = toHash(h)
	}
	for name, h := range adv.Peeled {
		refs.Peeled[name] = toHash(h)
	}
	if adv.Head != nil {
		refs.All["HEAD"] = toHash(*adv.Head)
	}
	for _, symref := range adv.Capabilities.Get(capability.SymRef) {
		if branch, ok := strings.CutPrefix(symref, "HEAD:"+branchPrefix); ok {
			refs.Head = branch
		}
	}
	return refs
}

func (r *remote) ReadPins(ctx context.Context, refs []PinRef) ([]*Pin, error) {
	var missing []plumbing.Hash
	for _, ref := range refs {
		if h := fromHash(ref.Object); r.objects.HasEncodedObject(h) != nil {
			missing = append(missing, h)
		}
	}
	if len(missing) > 0 {
		r.opts.Progress(fmt.Sprintf("fetching pins from %s: %d of %d", r.name, len(missing), len(refs)))
		err := r.fetchBy(ctx, func(adv *packp.AdvRefs) (fetchRequest, error) {
			req := fetchRequest{wants: missing, depth: 1, commitsOnly: true}
			if adv.Capabilities.Supports(capability.Filter) {
				return req, nil
			}
			return r.withFiles(req) // else every tag brings all files of its commit
		})
		if err != nil {
			return nil, fmt.Errorf("fetching pins: %w", err)
		}
	}
	pins := make([]*Pin, 0, len(refs))
	for _, ref := range refs {
		p, err := readPin(r.objects, ref)
		if err != nil {
			return nil, err
		}
		pins = append(pins, p)
	}
	return pins, nil
}

package gitstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

// A fetchRequest says what to bring into the temporary store.
type fetchRequest struct {
	wants       []plumbing.Hash
	depth       int  // commits from each want; 0 for all
	commitsOnly bool // leave trees and blobs out, if the server can
	// haves are commits whose history is here up to shallow, and, unless
	// commitsOnly, whose trees are here as well.
	haves   []plumbing.Hash
	shallow []plumbing.Hash
}

// fetchBy fetches what choose picks when it sees the refs of the session.
func (r *remote) fetchBy(ctx context.Context, choose func(*packp.AdvRefs) (fetchRequest, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, transferTimeout, errors.New("the fetch took more than ten minutes"))
	defer cancel()
	session, adv, err := connect(ctx, r.fetchAt, r.fetchAt.client.NewUploadPackSession)
	if err != nil {
		return err
	}
	defer session.Close()
	want, err := choose(adv)
	if err != nil || len(want.wants) == 0 {
		return err
	}
	temp, err := r.objects.store()
	if err != nil {
		return err
	}
	doing := "fetching from " + r.fetchAt.shown
	res, err := session.UploadPack(ctx, want.request(adv.Capabilities))
	if err != nil {
		return r.fetchAt.explain(ctx, doing, err)
	}
	defer res.Close()
	if err := packfile.UpdateObjectStorage(temp, packReader(adv.Capabilities, res)); err != nil && !errors.Is(err, packfile.ErrEmptyPackfile) {
		return r.fetchAt.explain(ctx, doing, err)
	}
	for _, h := range want.wants {
		if err := r.objects.HasEncodedObject(h); err != nil {
			return fmt.Errorf("%s: the server didn't send %s", doing, h)
		}
	}
	r.objects.mu.Lock()
	for _, h := range res.Shallows {
		r.objects.bounds[h] = true
	}
	r.objects.mu.Unlock()
	return nil
}

func (f fetchRequest) request(server *capability.List) *packp.UploadPackRequest {
	req := packp.NewUploadPackRequestFromCapabilities(server)
	// Set fails only for capabilities with arguments.
	if server.Supports(capability.NoProgress) {
		_ = req.Capabilities.Set(capability.NoProgress)
	}
	if server.Supports(capability.Shallow) && (f.depth > 0 || len(f.shallow) > 0) {
		_ = req.Capabilities.Set(capability.Shallow)
		req.Shallows, req.Depth = f.shallow, packp.DepthCommits(f.depth)
	}
	if f.commitsOnly && server.Supports(capability.Filter) {
		_ = req.Capabilities.Set(capability.Filter)
		req.Filter = packp.FilterTreeDepth(0)
	}
	req.Wants, req.Haves = f.wants, f.haves
	return req
}

// packReader unpacks the pack from the side-band channels, if those are used,
// and bounds it for transports other than http.
func packReader(server *capability.List, res io.ReadCloser) io.Reader {
	bounded := &boundedBody{res, maxPack}
	switch {
	case server.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, bounded)
	case server.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, bounded)
	}
	return bounded
}

// tipOf finds what to ask the server for to get a commit: a ref that points to
// it, also through a tag, or the commit itself where any id may be asked for.
func tipOf(adv *packp.AdvRefs, commit plumbing.Hash) (plumbing.Hash, bool) {
	for _, h := range adv.References {
		if h == commit {
			return h, true
		}
	}
	for name, h := range adv.Peeled {
		if h == commit {
			return adv.References[name], true
		}
	}
	c := adv.Capabilities
	return commit, c.Supports(capability.AllowReachableSHA1InWant) || adv.Head != nil && *adv.Head == commit
}

func branchTips(adv *packp.AdvRefs) []plumbing.Hash {
	var tips []plumbing.Hash
	for name, h := range adv.References {
		if strings.HasPrefix(name, branchPrefix) {
			tips = append(tips, h)
		}
	}
	return tips
}

// depths are tried in turn until a question about history can be answered. The
// last is what git fetch --unshallow asks for.
var depths = []int{32, 128, 512, 2048, 8192, math.MaxInt32}

func (r *remote) Descends(ctx context.Context, desc, anc Hash) (ok bool, err error) {
	err = r.deepening(ctx, desc, func(shallow map[plumbing.Hash]bool) (err error) {
		ok, err = descends(r.objects, shallow, desc, anc)
		return err
	})
	return ok, err
}

func (r *remote) AsOf(ctx context.Context, from Hash, moment time.Time) (ends []Hash, err error) {
	err = r.deepening(ctx, from, func(shallow map[plumbing.Hash]bool) (err error) {
		ends, err = asOf(r.objects, shallow, from, moment)
		return err
	})
	return ends, err
}

// deepening asks a question about the history below a commit, and again with
// more of it as long as what is here doesn't answer it.
func (r *remote) deepening(ctx context.Context, commit Hash, ask func(shallow map[plumbing.Hash]bool) error) error {
	try := func() error {
		shallow, err := r.objects.shallow()
		if err != nil {
			return err
		}
		return ask(shallow)
	}
	err := try()
	for _, depth := range depths {
		if !errors.Is(err, ErrShallow) && !errors.Is(err, ErrNoRevision) {
			break
		}
		more, derr := r.deepen(ctx, commit, depth, true)
		if derr != nil {
			return derr
		}
		if err = try(); !more {
			break
		}
	}
	return err
}

// deepen brings more of the history below commit. What the clone has of it isn't
// sent again. more tells whether a greater depth could bring more.
func (r *remote) deepen(ctx context.Context, commit Hash, depth int, commitsOnly bool) (more bool, err error) {
	boundary, err := r.objects.shallow()
	if err != nil {
		return false, err
	}
	more = len(boundary) > 0 && depth != math.MaxInt32
	switch {
	case len(boundary) == 0 && commitsOnly:
		r.opts.Progress(fmt.Sprintf("fetching %s from %s", commit.Short(), r.name))
	case depth == math.MaxInt32:
		r.opts.Progress(fmt.Sprintf("fetching the whole history of %s from %s", commit.Short(), r.name))
	default:
		r.opts.Progress(fmt.Sprintf("fetching %d commits of history below %s from %s", depth, commit.Short(), r.name))
	}
	return more, r.fetchBy(ctx, func(adv *packp.AdvRefs) (fetchRequest, error) {
		want := fetchRequest{depth: depth, commitsOnly: commitsOnly}
		tip, ok := tipOf(adv, fromHash(commit))
		if ok {
			want.wants = []plumbing.Hash{tip}
		} else if want.wants = branchTips(adv); len(want.wants) == 0 {
			return want, fmt.Errorf("%w: commit %s: %s has no branches", ErrNoRevision, commit.Short(), r.name)
		}
		if commitsOnly {
			if len(boundary) == 0 {
				want.depth = 0 // a full clone: everything that is new is needed
			}
			for h := range boundary {
				want.shallow = append(want.shallow, h)
			}
			for _, h := range want.wants {
				if r.objects.HasEncodedObject(h) == nil && len(want.shallow) > 0 {
					want.haves = append(want.haves, h)
				}
			}
			want.haves = append(want.haves, r.haves()...)
		}
		return want, nil
	})
}

// maxHaves bounds what is told to the server about the clone.
const maxHaves = 64

// haves lists commits whose history the clone has, up to its shallow boundary.
func (r *remote) haves() []plumbing.Hash {
	var haves []plumbing.Hash
	add := func(h plumbing.Hash) {
		if _, err := readCommit(stored{r.repo.store}, toHash(h)); err == nil && len(haves) < maxHaves {
			haves = append(haves, h)
		}
	}
	if head, err := r.repo.git.Head(); err == nil {
		add(head.Hash())
	}
	if list, err := r.repo.store.IterReferences(); err == nil {
		_ = list.ForEach(func(ref *plumbing.Reference) error {
			if ref.Type() == plumbing.HashReference && (ref.Name().IsBranch() || ref.Name().IsRemote()) {
				add(ref.Hash())
			}
			return nil
		})
	}
	return haves
}

// withFiles adds to a request what the clone has, files included.
func (r *remote) withFiles(req fetchRequest) (fetchRequest, error) {
	if r.repo.store.promisor != nil {
		return req, nil // a partial clone lacks files of its commits
	}
	shallow, err := r.repo.store.Shallow()
	if err != nil {
		return req, fmt.Errorf("reading the shallow boundary: %w", err)
	}
	req.haves, req.shallow = r.haves(), shallow
	return req, nil
}

func (r *remote) TreeAt(ctx context.Context, commit Hash, dir string) (fs.FS, error) {
	if !r.hasTree(commit) {
		r.opts.Progress(fmt.Sprintf("fetching the files of %s from %s", commit.Short(), r.name))
		if err := r.fetchTree(ctx, commit); err != nil {
			return nil, err
		}
	}
	return treeAt(r.objects, commit, dir)
}

// hasTree tells whether the files of a commit are here. Every fetch brings
// either no tree or all below it, so looking for the root is enough. A partial
// clone can have a tree without its files, and there may be no git to bring them.
func (r *remote) hasTree(commit Hash) bool {
	c, err := readCommit(stored{r.objects}, commit)
	if err == nil && r.repo.store.promisor != nil {
		return r.objects.fetched(fromHash(c.Tree))
	}
	return err == nil && r.objects.HasEncodedObject(fromHash(c.Tree)) == nil
}

func (r *remote) fetchTree(ctx context.Context, commit Hash) error {
	direct := false
	err := r.fetchBy(ctx, func(adv *packp.AdvRefs) (fetchRequest, error) {
		var want plumbing.Hash
		if want, direct = tipOf(adv, fromHash(commit)); !direct {
			return fetchRequest{}, nil
		}
		return r.withFiles(fetchRequest{wants: []plumbing.Hash{want}, depth: 1})
	})
	if err != nil {
		return err
	}
	if direct {
		return nil
	}
	// The server gives commits only by ref: look below its branches.
	for _, depth := range depths {
		if _, err := r.deepen(ctx, commit, depth, false); err != nil {
			return err
		}
		if r.hasTree(commit) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s isn't on a branch of %s", ErrNoRevision, commit.Short(), r.name)
}

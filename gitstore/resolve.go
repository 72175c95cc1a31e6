package gitstore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	// minAbbrev is git's shortest abbreviation of a hash.
	minAbbrev = 4
	// maxSymbolic and maxPeel are far above what git makes; a chain can't be
	// endless, but it can be long.
	maxSymbolic = 5
	maxPeel     = 100
)

// Resolve returns the commit that a revision names: HEAD, @, a branch, a remote
// branch, a tag, a full or abbreviated commit hash, or a full ref name, each
// optionally followed by ^, ^n, ~ or ~n, any number of times. A name is looked
// up in git's order (gitrevisions(7)); one that is both a tag and a branch of
// different commits is refused, where git would warn and take the tag.
//
// The error wraps [ErrRevisionSyntax], or [ErrNoRevision] and then names the
// revision; [ErrShallow] as well where a step leads over a shallow boundary, and
// [ErrNoCommit] where HEAD has none.
func (r *Repo) Resolve(rev string) (Hash, error) {
	parsed, err := parseRevision(rev)
	if err != nil {
		return Hash{}, err
	}
	shallow, err := r.shallow()
	if err != nil {
		return Hash{}, err
	}
	at, err := r.resolveBase(parsed.base)
	if err != nil {
		return Hash{}, err
	}
	for _, st := range parsed.steps {
		if at, err = r.walk(at, st, shallow); err != nil {
			return Hash{}, fmt.Errorf("%q: %w", clip(rev), err)
		}
	}
	return at, nil
}

func (r *Repo) resolveBase(name string) (Hash, error) {
	if h, err := ParseHash(strings.ToLower(name)); err == nil {
		return r.peel(name, h)
	}
	found := map[plumbing.ReferenceName]Hash{}
	var first plumbing.ReferenceName
	for _, rule := range []string{"%s", "refs/%s", "refs/tags/%s", "refs/heads/%s", "refs/remotes/%s", "refs/remotes/%s/HEAD"} {
		full := plumbing.ReferenceName(fmt.Sprintf(rule, name))
		if rule == "%s" && name != "HEAD" && !strings.HasPrefix(name, "refs/") {
			continue // other files of the Git directory are no revisions
		}
		h, ok, err := r.ref(full)
		if err != nil {
			return Hash{}, err
		}
		if !ok {
			continue
		}
		commit, err := r.peel(string(full), h)
		if err != nil {
			return Hash{}, err
		}
		found[full] = commit
		if first == "" {
			first = full
		}
		tag, branch := plumbing.NewTagReferenceName(name), plumbing.NewBranchReferenceName(name)
		if a, isTag := found[tag]; isTag && full == branch && a != commit {
			return Hash{}, fmt.Errorf("%w: %q is both a tag (%s) and a branch (%s); write %s or %s",
				ErrNoRevision, name, a.Short(), commit.Short(), tag, branch)
		}
	}
	if first != "" {
		return found[first], nil
	}
	if h, err := r.expand(name); err != nil || !h.IsZero() {
		return h, err
	}
	if name == "HEAD" {
		return Hash{}, fmt.Errorf("%w: %q: %w", ErrNoRevision, name, ErrNoCommit)
	}
	return Hash{}, fmt.Errorf("%w: %q", ErrNoRevision, clip(name))
}

// ref reads a ref, following symbolic ones.
func (r *Repo) ref(name plumbing.ReferenceName) (h Hash, ok bool, err error) {
	for range maxSymbolic {
		ref, err := r.store.Reference(name)
		if errors.Is(err, ErrDamagedRef) {
			return Hash{}, false, err
		}
		if err != nil {
			// go-git answers a name that is a folder, or that it finds unsafe,
			// with other errors; either way there is no such ref.
			if errors.Is(err, plumbing.ErrReferenceNotFound) || name != plumbing.HEAD {
				return Hash{}, false, nil
			}
			return Hash{}, false, fmt.Errorf("reading %s: %w", name, err)
		}
		if ref.Type() == plumbing.HashReference {
			return toHash(ref.Hash()), true, nil
		}
		name = ref.Target()
	}
	return Hash{}, false, fmt.Errorf("%s: too many symbolic refs", name)
}

// peel returns the commit that an object is or, for annotated tags, points to.
// name is for messages.
func (r *Repo) peel(name string, h Hash) (Hash, error) {
	for range maxPeel {
		obj, err := r.store.EncodedObject(plumbing.AnyObject, fromHash(h))
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			return Hash{}, fmt.Errorf("%w: %q: the clone has no object %s", ErrNoRevision, clip(name), h)
		}
		if err != nil {
			return Hash{}, unreadable(fmt.Errorf("reading object %s: %w", h, err))
		}
		switch obj.Type() {
		case plumbing.CommitObject:
			return h, nil
		case plumbing.TagObject:
			if h, err = tagTarget(stored{r.store}, h); err != nil {
				return Hash{}, err
			}
		default:
			return Hash{}, fmt.Errorf("%w: %q is a %s, not a commit", ErrNoRevision, clip(name), obj.Type())
		}
	}
	return Hash{}, fmt.Errorf("%w: %q is a tag of a tag, more than %d deep", ErrNoRevision, clip(name), maxPeel)
}

// tagTarget returns what an annotated tag points to.
func tagTarget(o objects, tag Hash) (Hash, error) {
	content, err := o.read(plumbing.TagObject, tag)
	if err != nil {
		return Hash{}, err
	}
	line, _, _ := strings.Cut(string(content), "\n")
	id, ok := strings.CutPrefix(line, "object ")
	if !ok {
		return Hash{}, fmt.Errorf("tag %s is malformed: it names no object", tag)
	}
	target, err := ParseHash(id)
	if err != nil {
		return Hash{}, fmt.Errorf("tag %s is malformed: %w", tag, err)
	}
	return target, nil
}

// expand finds the commit that an abbreviated hash stands for, the zero hash
// if name can't be one or nothing matches. As in git, other objects that begin
// alike don't count.
func (r *Repo) expand(name string) (Hash, error) {
	if len(name) < minAbbrev || len(name) >= hex.EncodedLen(len(Hash{})) {
		return Hash{}, nil
	}
	name = strings.ToLower(name)
	prefix, err := hex.DecodeString(name[:len(name)&^1])
	if err != nil || strings.Trim(name, "0123456789abcdef") != "" {
		return Hash{}, nil
	}
	candidates, err := r.store.HashesWithPrefix(prefix)
	if err != nil {
		return Hash{}, fmt.Errorf("looking for %s: %w", name, err)
	}
	var commits []Hash
	for _, c := range candidates {
		h := toHash(c)
		if !strings.HasPrefix(h.String(), name) {
			continue
		}
		switch commit, err := r.peel(name, h); {
		case err == nil && commit == h:
			commits = append(commits, h)
		case err == nil: // an annotated tag's own id
			commits = append(commits, commit)
		case !errors.Is(err, ErrNoRevision):
			return Hash{}, err
		}
	}
	switch len(commits) {
	case 0:
		return Hash{}, nil
	case 1:
		return commits[0], nil
	}
	return Hash{}, fmt.Errorf("%w: %q is ambiguous: %s and %s begin so; write more digits",
		ErrNoRevision, name, commits[0], commits[1])
}

// walk takes one step up the history.
func (r *Repo) walk(at Hash, st step, shallow map[plumbing.Hash]bool) (Hash, error) {
	times, parent := st.n, 1
	if st.parent {
		times, parent = 1, st.n
	}
	if parent == 0 {
		return at, nil
	}
	for range times {
		if shallow[fromHash(at)] {
			return Hash{}, fmt.Errorf("%w: %w at %s", ErrNoRevision, ErrShallow, at.Short())
		}
		c, err := readCommit(stored{r.store}, at)
		if err != nil {
			return Hash{}, err
		}
		if parent > len(c.Parents) {
			return Hash{}, fmt.Errorf("%w: %s has no parent %d", ErrNoRevision, at.Short(), parent)
		}
		at = c.Parents[parent-1]
	}
	return at, nil
}

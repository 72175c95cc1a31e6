package gitstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Local returns the origin that is the clone itself: its tip is HEAD, its pins
// are its own tags, and its lock is a no-op (the local zone's store is locked).
// Its listing peels only the tags below policypin/, since each is a read.
func (r *Repo) Local() Origin { return local{r} }

type local struct{ repo *Repo }

func (l local) Name() string { return "this clone" }

func (l local) Close() error { return nil }

func (l local) CheckPush(context.Context) error { return nil }

func (l local) Lock(context.Context, string, LockOptions) (*Lock, error) { return &Lock{}, nil }

func (l local) TreeAt(_ context.Context, commit Hash, dir string) (fs.FS, error) {
	return l.repo.TreeAt(commit, dir)
}

func (l local) Descends(_ context.Context, desc, anc Hash) (bool, error) {
	return l.repo.Descends(desc, anc)
}

func (l local) AsOf(_ context.Context, from Hash, moment time.Time) ([]Hash, error) {
	return l.repo.AsOf(from, moment)
}

func (l local) Refs(context.Context) (*Refs, error) {
	refs := &Refs{All: map[string]Hash{}, Peeled: map[string]Hash{}}
	list, err := l.repo.store.listRefs()
	if err != nil {
		return nil, fmt.Errorf("listing the refs of this clone: %w", err)
	}
	for name, err := range list.damaged {
		// git passes a damaged ref by; a pin that is missed would be written anew.
		if strings.HasPrefix(name.String(), tagPrefix+"policypin/") {
			return nil, err
		}
	}
	for _, ref := range list.refs {
		if ref.Type() != plumbing.HashReference {
			continue // HEAD is looked at below; other symbolic refs repeat a branch
		}
		name := ref.Name().String()
		refs.All[name] = toHash(ref.Hash())
		if strings.HasPrefix(name, tagPrefix+"policypin/") {
			if tag, err := object.GetTag(l.repo.store, ref.Hash()); err == nil && tag.TargetType == plumbing.CommitObject {
				refs.Peeled[name] = toHash(tag.Target)
			}
		}
	}
	head, err := l.repo.store.Reference(plumbing.HEAD)
	if err != nil {
		return nil, fmt.Errorf("reading HEAD: %w", err)
	}
	switch {
	case head.Type() == plumbing.HashReference:
		refs.All["HEAD"] = toHash(head.Hash())
	case head.Target().IsBranch():
		if err := list.damaged[head.Target()]; err != nil {
			return nil, err
		}
		refs.Head = head.Target().Short()
		if tip, ok := refs.All[head.Target().String()]; ok {
			refs.All["HEAD"] = tip
		}
	}
	return refs, nil
}

func (l local) ReadPins(_ context.Context, refs []PinRef) ([]*Pin, error) {
	pins := make([]*Pin, 0, len(refs))
	for _, ref := range refs {
		p, err := readPin(l.repo.store, ref)
		if err != nil {
			return nil, err
		}
		pins = append(pins, p)
	}
	return pins, nil
}

// PushPins writes the tags here. A tag that exists is never moved.
func (l local) PushPins(ctx context.Context, pins []*Pin) ([]PushResult, error) {
	results := make([]PushResult, len(pins))
	for i, p := range pins {
		if err := ctx.Err(); err != nil {
			return results, err
		}
		if err := l.repo.store.HasEncodedObject(fromHash(p.Commit)); err != nil {
			results[i].Err = fmt.Errorf("pin %s: commit %s: %w", p.Name, p.Commit.Short(), ErrNoRevision)
			continue
		}
		results[i] = l.repo.keepPin(p)
	}
	return results, nil
}

// keepPin writes a tag object and its ref into the clone. A tag that exists is
// never moved: an equal one is kept, another is an error.
func (r *Repo) keepPin(p *Pin) PushResult {
	name := plumbing.ReferenceName(tagPrefix + p.Name)
	there, err := r.store.Reference(name)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		if _, err = r.store.SetEncodedObject(tagObject(p)); err == nil {
			err = r.createRef(name.String(), p.Object)
		}
		if err == nil {
			return PushResult{Pin: p, New: true}
		}
		if errors.Is(err, fs.ErrExist) { // made by another process just now
			there, err = r.store.Reference(name)
		}
	}
	if err != nil {
		return PushResult{Err: fmt.Errorf("writing pin %s: %w", p.Name, err)}
	}
	ref := p.PinRef
	ref.Object = toHash(there.Hash())
	return settle(p, ref, func() (*Pin, error) { return readPin(r.store, ref) })
}

// settle decides about a pin whose name is taken: the one that is there wins if
// it says the same.
func settle(p *Pin, there PinRef, read func() (*Pin, error)) PushResult {
	if there.Object == p.Object {
		return PushResult{Pin: p}
	}
	other, err := read()
	switch {
	case errors.Is(err, ErrBadPin):
		return PushResult{Err: fmt.Errorf("%w: there: object %s, %w; ours: %s", ErrPinExists, there.Object.Short(), err, p)}
	case err != nil:
		return PushResult{Err: err}
	case !other.Equal(p):
		return PushResult{Err: fmt.Errorf("%w: there: %s; ours: %s", ErrPinExists, other, p)}
	}
	return PushResult{Pin: other}
}

const (
	refLockTries = 20
	refLockPause = 50 * time.Millisecond
	// refFolderTries is how often the folder of a ref is made again at once. One
	// git pack-refs removes it once; so many take a moment.
	refFolderTries = 1000
)

// createRef creates a ref that must not exist, or returns an error wrapping
// [fs.ErrExist]. It follows the protocol of Git's files backend: hold NAME.lock,
// look, rename. go-git 5.19 can't do it: its SetReference without an old value
// overwrites, and none of it takes Git's lock.
func (r *Repo) createRef(name string, value Hash) error {
	if err := r.refAbove(name); err != nil {
		return err
	}
	file := filepath.Join(r.commonDir, filepath.FromSlash(name))
	lock, err := takeRefLock(file)
	if err != nil {
		return err
	}
	held := true
	defer func() {
		if held {
			os.Remove(file + ".lock")
		}
	}()
	_, werr := fmt.Fprintln(lock, value)
	if err := errors.Join(werr, lock.Close()); err != nil {
		return err
	}
	switch _, err := r.store.Reference(plumbing.ReferenceName(name)); {
	case err == nil:
		return fmt.Errorf("%s: %w", name, fs.ErrExist)
	case !errors.Is(err, plumbing.ErrReferenceNotFound):
		return err
	}
	if err := r.refAbove(name); err != nil { // one that was packed meanwhile
		return err
	}
	if err := os.Rename(file+".lock", file); err != nil {
		return err
	}
	held = false
	return nil
}

// takeRefLock creates the lock of a ref's file, and the folders above it. It waits
// for another git process, but not for long.
func takeRefLock(file string) (*os.File, error) {
	for waited, made := 1, 1; ; {
		err := os.MkdirAll(filepath.Dir(file), 0o777)
		if err == nil {
			var lock *os.File
			if lock, err = os.OpenFile(file+".lock", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666); err == nil {
				return lock, nil
			}
		}
		switch {
		case errors.Is(err, fs.ErrNotExist) && made < refFolderTries: // git pack-refs removes the folders that it empties
			made++
		case errors.Is(err, fs.ErrExist) && waited < refLockTries:
			waited++
			time.Sleep(refLockPause)
		case errors.Is(err, fs.ErrExist):
			return nil, fmt.Errorf("%s.lock exists: another git process is writing, or one died", file)
		default:
			return nil, err
		}
	}
}

// refAbove returns an error if a ref has the name of a folder of another. The file
// system doesn't keep a packed "a" from having "a/b".
func (r *Repo) refAbove(name string) error {
	for above := path.Dir(name); above != "refs"; above = path.Dir(above) {
		if _, err := r.store.Reference(plumbing.ReferenceName(above)); err == nil {
			return fmt.Errorf("%s is a ref, so %s can't be one; rename or delete the former", above, name)
		}
	}
	return nil
}

func tagObject(p *Pin) plumbing.EncodedObject {
	obj := &plumbing.MemoryObject{}
	obj.SetType(plumbing.TagObject)
	obj.Write(p.Raw) // a MemoryObject takes everything
	return obj
}

package gitstore

import (
	"container/heap"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// ErrShallow is returned when history ends at a shallow boundary before the
// question is answered.
var ErrShallow = errors.New("history is shallow")

// History lists commits from one on, newest first, along first parents: at
// most n, or all if n is negative. If the clone's shallow boundary ends the
// walk, the error wraps [ErrShallow] and the list is what there is.
func (r *Repo) History(from Hash, n int) ([]Commit, error) {
	shallow, err := r.shallow()
	if err != nil {
		return nil, err
	}
	var list []Commit
	for at := from; n < 0 || len(list) < n; {
		c, err := r.Commit(at)
		if err != nil {
			return list, err
		}
		list = append(list, c)
		if shallow[fromHash(at)] {
			if n < 0 || len(list) < n {
				return list, fmt.Errorf("%w at %s", ErrShallow, at.Short())
			}
			break
		}
		if len(c.Parents) == 0 {
			break
		}
		at = c.Parents[0]
	}
	return list, nil
}

// Descends tells whether desc is anc or has it as an ancestor. The error wraps
// [ErrShallow] when a shallow boundary hides the answer, and [ErrNoRevision]
// if desc isn't here.
func (r *Repo) Descends(desc, anc Hash) (bool, error) {
	shallow, err := r.shallow()
	if err != nil {
		return false, err
	}
	return descends(r.store, shallow, desc, anc)
}

// descends is Descends for any store, with the commits at its boundary.
//
// It visits newer commits first, which finds most ancestors early, but looks
// at all of them before it says no: commit times lie, so they can't cut the
// walk short.
func descends(s storer.EncodedObjectStorer, shallow map[plumbing.Hash]bool, desc, anc Hash) (bool, error) {
	o := stored{s}
	if desc == anc {
		_, err := commitTree(o, desc)
		return err == nil, err
	}
	seen := map[Hash]bool{desc: true}
	first, err := readWalked(o, desc)
	if err != nil {
		return false, err
	}
	queue := walkQueue{first}
	hidden := Hash{}
	for len(queue) > 0 {
		c := heap.Pop(&queue).(walked)
		if slices.Contains(c.parents, anc) {
			return true, nil
		}
		if shallow[fromHash(c.hash)] {
			hidden = c.hash // the commit still names its parents, but they aren't here
			continue
		}
		for _, p := range c.parents {
			if seen[p] {
				continue
			}
			seen[p] = true
			next, err := readWalked(o, p)
			if err != nil {
				return false, fmt.Errorf("parent of %s: %w", c.hash.Short(), err)
			}
			heap.Push(&queue, next)
		}
	}
	if !hidden.IsZero() {
		return false, fmt.Errorf("%w: whether %s descends from %s lies beyond %s",
			ErrShallow, desc.Short(), anc.Short(), hidden.Short())
	}
	return false, nil
}

// AsOf lists the commits that history from one on had at its ends at a moment:
// the newest ones, or from itself, that were committed no later. There are
// several where branches were open then, and none if all is younger. The errors
// are those of [Repo.Descends]. Commit times are what those who commit say.
func (r *Repo) AsOf(from Hash, moment time.Time) ([]Hash, error) {
	shallow, err := r.shallow()
	if err != nil {
		return nil, err
	}
	return asOf(r.store, shallow, from, moment)
}

func asOf(s storer.EncodedObjectStorer, shallow map[plumbing.Hash]bool, from Hash, moment time.Time) ([]Hash, error) {
	o := stored{s}
	seen := map[Hash]bool{from: true}
	var ends []Hash
	for queue := []Hash{from}; len(queue) > 0; {
		at := queue[0]
		queue = queue[1:]
		c, err := readCommit(o, at)
		if err != nil {
			return nil, err
		}
		if !c.Committed.After(moment) {
			ends = append(ends, at)
			continue
		}
		if shallow[fromHash(at)] && len(c.Parents) > 0 {
			return nil, fmt.Errorf("%w: what it was at %s lies beyond %s", ErrShallow, moment.UTC().Format(time.RFC3339), at.Short())
		}
		for _, p := range c.Parents {
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
	}
	return ends, nil
}

// A walked is what a walk over history keeps of a commit.
type walked struct {
	hash    Hash
	parents []Hash
	when    time.Time
}

func readWalked(o objects, h Hash) (walked, error) {
	c, err := readCommit(o, h)
	return walked{c.Hash, c.Parents, c.When}, err
}

// A walkQueue is a heap of commits, newest first.
type walkQueue []walked

func (q walkQueue) Len() int           { return len(q) }
func (q walkQueue) Less(i, j int) bool { return q[i].when.After(q[j].when) }
func (q walkQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *walkQueue) Push(c any)        { *q = append(*q, c.(walked)) }
func (q *walkQueue) Pop() any {
	old := *q
	c := old[len(old)-1]
	*q = old[:len(old)-1]
	return c
}

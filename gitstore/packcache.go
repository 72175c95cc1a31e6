package gitstore

import (
	"sync"
	"time"
)

const (
	// maxCachedBytes bounds the contents that are kept as bases of deltas. git
	// keeps 96 MB (core.deltaBaseCacheLimit). For 13,000 versions of policies
	// that are much alike, 8 MB took twice the time of 32, and 64 a tenth less.
	maxCachedBytes = 32 << 20
	// maxCachedObject keeps one large file from driving all others out.
	maxCachedObject = maxCachedBytes / 32
	// cacheIdle is how long the cache outlives the last read: a publish reads a
	// commit at once, and then talks to the service for minutes.
	cacheIdle = 500 * time.Millisecond
)

// A baseCache keeps contents by where they are in a pack, since the next object
// is often a delta against the one before. It has two generations: when the
// young one is full it becomes the old one, and what isn't asked for until the
// next time is dropped. The zero value is an empty cache.
type baseCache struct {
	mu         sync.Mutex
	young, old map[packPlace]rawObject
	bytes      int         // of the young generation
	idle       *time.Timer // runs while there is anything
	used       bool        // since the timer was set
}

type packPlace struct {
	pack   *pack
	offset int64
}

func (c *baseCache) get(p *pack, offset int64) (rawObject, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = true
	place := packPlace{p, offset}
	o, ok := c.young[place]
	if !ok {
		if o, ok = c.old[place]; ok {
			c.add(place, o)
		}
	}
	return o, ok
}

// put keeps an object. Nobody may change its content any more.
func (c *baseCache) put(p *pack, offset int64, o rawObject) {
	if len(o.content) > maxCachedObject {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(packPlace{p, offset}, o)
}

func (c *baseCache) add(place packPlace, o rawObject) {
	if _, ok := c.young[place]; ok {
		return
	}
	if c.bytes > maxCachedBytes/2 {
		c.young, c.old, c.bytes = nil, c.young, 0
	}
	if c.young == nil {
		c.young = map[packPlace]rawObject{}
	}
	if c.used = true; c.idle == nil {
		c.idle = time.AfterFunc(cacheIdle, c.expire)
	}
	c.young[place] = o
	c.bytes += len(o.content) + 100 // what a place in the map takes
}

// expire empties a cache that isn't used any more.
func (c *baseCache) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.idle == nil: // cleared meanwhile
	case c.used:
		c.used = false
		c.idle.Reset(cacheIdle)
	default:
		c.drop()
	}
}

// clear empties the cache.
func (c *baseCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop()
}

func (c *baseCache) drop() {
	if c.idle != nil {
		c.idle.Stop()
	}
	c.young, c.old, c.bytes, c.idle = nil, nil, 0, nil
}

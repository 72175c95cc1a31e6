package gitstore

import "sync"

const (
	// maxCachedBytes bounds the contents that are kept as bases of deltas. git
	// keeps 96 MB (core.deltaBaseCacheLimit); policies and trees are small.
	maxCachedBytes = 16 << 20
	// maxCachedObject keeps one large file from driving all others out.
	maxCachedObject = maxCachedBytes / 16
)

// A baseCache keeps contents by where they are in a pack, since the next object
// is often a delta against the one before. It has two generations: when the
// young one is full it becomes the old one, and what isn't asked for until the
// next time is dropped. The zero value is an empty cache.
type baseCache struct {
	mu         sync.Mutex
	young, old map[packPlace]rawObject
	bytes      int // of the young generation
}

type packPlace struct {
	pack   *pack
	offset int64
}

func (c *baseCache) get(p *pack, offset int64) (rawObject, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
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
	c.young[place] = o
	c.bytes += len(o.content) + 100 // what a place in the map takes
}

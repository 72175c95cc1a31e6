package gitstore

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

func TestTheCacheForgets(t *testing.T) {
	var c baseCache
	p := &pack{}
	content := make([]byte, 64<<10)
	for i := range 4 * maxCachedBytes / len(content) {
		c.put(p, int64(i), rawObject{plumbing.BlobObject, content})
		if _, ok := c.get(p, int64(i)); !ok {
			t.Fatalf("object %d isn't kept", i)
		}
		if n := (len(c.young) + len(c.old)) * len(content); n > maxCachedBytes+2*len(content) {
			t.Fatalf("%d bytes are kept", n)
		}
		if _, ok := c.get(p, 0); !ok {
			t.Fatalf("object 0, which is asked for all the time, is gone after %d", i)
		}
	}
	if _, ok := c.get(p, 1); ok {
		t.Error("object 1 is still there")
	}
	c.put(p, -1, rawObject{plumbing.BlobObject, make([]byte, maxCachedObject+1)})
	if _, ok := c.get(p, -1); ok {
		t.Error("an object that is too large is kept")
	}
}

func TestTheCacheIsDroppedWhenItIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c baseCache
		p := &pack{}
		for round := range 2 {
			c.put(p, 1, rawObject{plumbing.BlobObject, []byte("x")})
			for range 5 {
				time.Sleep(cacheIdle * 9 / 10)
				if _, ok := c.get(p, 1); !ok {
					t.Fatalf("round %d: an object in use is gone", round)
				}
			}
			time.Sleep(3 * cacheIdle)
			if _, ok := c.get(p, 1); ok {
				t.Errorf("round %d: the object is still there", round)
			}
		}
	})
}

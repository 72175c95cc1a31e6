package zone

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// storeFormat numbers the layout of the file. A newer one is refused.
const storeFormat = 1

// maxBatch is how many requests share one commit, at most: enough to spread the
// cost of a slow fsync over every writer that waits, and few enough that the
// first of them doesn't wait long.
const maxBatch = 64

// A file is a store in one bbolt file. One goroutine writes: it takes every
// request that is waiting, runs them one after the other in one transaction, and
// answers them after the fsync. A lone writer never waits for company, which it
// does with bbolt's own Batch.
type file struct {
	db       *bbolt.DB
	requests chan *writeRequest
	done     chan struct{} // closed when the writing goroutine has ended

	mu     sync.RWMutex // guards closed, and requests against being closed in use
	closed bool
}

type writeRequest struct {
	fn     func(*writer) error
	result chan error
}

// openFile opens or creates the file. It returns nil for a read-only store that
// doesn't exist yet.
func openFile(path string, readOnly bool, wait time.Duration) (*file, error) {
	fresh := false
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		fresh = true
	} else if err != nil {
		return nil, fmt.Errorf("opening the local zone's store: %w", err)
	} else {
		fresh = info.Size() == 0 // another process is just creating it, or died doing so
	}
	if fresh && readOnly {
		return nil, nil
	}
	if fresh {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("creating the local zone's store: %w", err)
		}
	}
	f := &file{requests: make(chan *writeRequest), done: make(chan struct{})}
	if err := f.open(path, readOnly, wait); err != nil {
		if f.db != nil {
			f.db.Close()
		}
		return nil, err
	}
	if fresh {
		syncDir(filepath.Dir(path))
	}
	go f.write()
	return f, nil
}

// open opens the file and checks it. bbolt reads a file through memory, and
// trusts it: a damaged one shows as a panic, or as a fault beyond its end.
func (f *file) open(path string, readOnly bool, wait time.Duration) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the local zone's store %s is damaged: %v", path, v)
		}
	}()
	f.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		// bbolt waits for ever with 0, and tries exactly once with a nanosecond.
		Timeout:      max(wait, time.Nanosecond),
		ReadOnly:     readOnly,
		FreelistType: bbolt.FreelistMapType,
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return fmt.Errorf("%w: %s", ErrBusy, path)
	}
	if err != nil {
		return fmt.Errorf("opening the local zone's store %s: %w", path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("opening the local zone's store: %w", err)
	}
	err = f.db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("the local zone's store %s is damaged: its end is missing", path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return f.checkFormat(path, readOnly)
}

// checkFormat refuses a newer file, and gives a new one its format and tables.
func (f *file) checkFormat(path string, readOnly bool) error {
	var format string
	err := f.db.View(func(tx *bbolt.Tx) error {
		format = string(boltReader{tx}.get(tableMeta, "format"))
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the local zone's store %s: %w", path, err)
	}
	if format == "" { // new, or its creator died before the first commit
		if readOnly {
			return nil
		}
		return f.db.Update(func(tx *bbolt.Tx) error {
			for _, t := range allTables {
				if _, err := tx.CreateBucketIfNotExists([]byte(t)); err != nil {
					return err
				}
			}
			return tx.Bucket([]byte(tableMeta)).Put([]byte("format"), []byte(strconv.Itoa(storeFormat)))
		})
	}
	n, err := strconv.Atoi(format)
	if err != nil || n < 1 {
		return fmt.Errorf("the local zone's store %s is damaged: format %q", path, format)
	}
	if n > storeFormat {
		return fmt.Errorf("%w: %s has format %d, and this one knows %d", ErrNewerFormat, path, n, storeFormat)
	}
	return nil
}

// syncDir makes a new file's name durable. Not every system can; the file's
// content is safe without it.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

func (f *file) view(fn func(reader) error) error {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	err := f.db.View(func(tx *bbolt.Tx) error { return fn(boltReader{tx}) })
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return errClosed
	}
	return err
}

func (f *file) update(fn func(*writer) error) error {
	req := &writeRequest{fn: fn, result: make(chan error, 1)}
	f.mu.RLock()
	if f.closed {
		f.mu.RUnlock()
		return errClosed
	}
	f.requests <- req
	f.mu.RUnlock()
	return <-req.result
}

func (f *file) close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	close(f.requests)
	f.mu.Unlock()
	<-f.done
	return f.db.Close()
}

// write is the goroutine that commits.
func (f *file) write() {
	defer close(f.done)
	debug.SetPanicOnFault(true)
	for first := range f.requests {
		batch := append(make([]*writeRequest, 0, maxBatch), first)
	waiting:
		for len(batch) < maxBatch {
			select {
			case req, open := <-f.requests:
				if !open {
					break waiting
				}
				batch = append(batch, req)
			default:
				break waiting
			}
		}
		results, err := f.commit(batch)
		for i, req := range batch {
			if err != nil {
				req.result <- err // nothing of the batch was written
				continue
			}
			req.result <- results[i]
		}
	}
}

// commit runs a batch in one transaction. A request that fails changes nothing;
// an error of the whole undoes all of them.
func (f *file) commit(batch []*writeRequest) (results []error, err error) {
	defer func() {
		if v := recover(); v != nil { // see open
			err = fmt.Errorf("writing to the store: panic: %v", v)
		}
	}()
	tx, err := f.db.Begin(true)
	if err != nil {
		return nil, fmt.Errorf("writing to the store: %w", err)
	}
	defer tx.Rollback() // does nothing after a commit
	results = make([]error, len(batch))
	changed := false
	for i, req := range batch {
		w := newWriter(boltReader{tx})
		if results[i] = w.run(req.fn); results[i] != nil {
			continue
		}
		for c, v := range w.changes {
			changed = true
			if err := setBolt(tx, c, v); err != nil {
				return nil, fmt.Errorf("writing to the store: %w", err)
			}
		}
	}
	if !changed {
		return results, nil
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("writing to the store: %w", err)
	}
	return results, nil
}

func setBolt(tx *bbolt.Tx, c cell, v []byte) error {
	bucket := tx.Bucket([]byte(c.table))
	if bucket == nil {
		return fmt.Errorf("damaged: there is no table %s", c.table)
	}
	if v == nil {
		return bucket.Delete([]byte(c.key))
	}
	return bucket.Put([]byte(c.key), v)
}

type boltReader struct{ tx *bbolt.Tx }

func (r boltReader) get(t table, key string) []byte {
	bucket := r.tx.Bucket([]byte(t))
	if bucket == nil { // the creator died before the first commit
		return nil
	}
	return bucket.Get([]byte(key))
}

func (r boltReader) rows(t table, prefix string, from uint64, down bool) iter.Seq2[uint64, string] {
	return func(yield func(uint64, string) bool) {
		bucket := r.tx.Bucket([]byte(t))
		if bucket == nil {
			return
		}
		c := bucket.Cursor()
		start := []byte(rowKey(prefix, from))
		step := c.Next
		k, v := c.Seek(start)
		if down {
			step = c.Prev
			switch {
			case k == nil:
				k, v = c.Last()
			case !bytes.Equal(k, start):
				k, v = c.Prev()
			}
		}
		for ; k != nil; k, v = step() {
			n, ok := rowNumber(prefix, string(k))
			if !ok || !yield(n, string(v)) {
				return
			}
		}
	}
}

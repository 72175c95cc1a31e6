package zone

import (
	"iter"
	"slices"
	"sync"
)

// A memory is a store without a file.
type memory struct {
	mu     sync.RWMutex
	closed bool
	values map[cell][]byte
	order  map[table][]string // the sorted keys of tableLive and tableVersions
}

func newMemory() *memory {
	return &memory{values: make(map[cell][]byte), order: make(map[table][]string)}
}

func (m *memory) view(fn func(reader) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return errClosed
	}
	return fn(m)
}

func (m *memory) update(fn func(*writer) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errClosed
	}
	w := newWriter(m)
	if err := w.run(fn); err != nil {
		return err
	}
	for c, v := range w.changes {
		m.set(c, v)
	}
	return nil
}

func (m *memory) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func (m *memory) set(c cell, v []byte) {
	if c.table == tableLive || c.table == tableVersions {
		keys := m.order[c.table]
		i, found := slices.BinarySearch(keys, c.key)
		switch {
		case v != nil && !found:
			m.order[c.table] = slices.Insert(keys, i, c.key)
		case v == nil && found:
			m.order[c.table] = slices.Delete(keys, i, i+1)
		}
	}
	if v == nil {
		delete(m.values, c)
		return
	}
	m.values[c] = v
}

func (m *memory) get(t table, key string) []byte { return m.values[cell{t, key}] }

func (m *memory) rows(t table, prefix string, from uint64, down bool) iter.Seq2[uint64, string] {
	return func(yield func(uint64, string) bool) {
		keys := m.order[t]
		i, found := slices.BinarySearch(keys, rowKey(prefix, from))
		step := 1
		if down {
			step = -1
			if !found {
				i--
			}
		}
		for ; i >= 0 && i < len(keys); i += step {
			n, ok := rowNumber(prefix, keys[i])
			if !ok || !yield(n, string(m.values[cell{t, keys[i]}])) {
				return
			}
		}
	}
}

package zone

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
)

// A table is a named collection of keys and values. Every key starts with a
// zone's id, except in tableMeta.
type table string

const (
	tableMeta           table = "meta"            // the store's format
	tableZones          table = "zones"           // zone → zoneRecord
	tablePolicies       table = "policies"        // zone, policy id → policyRecord
	tablePolicyVersions table = "policy_versions" // zone, version id → policyVersionRecord
	tableContents       table = "contents"        // zone, policy version id → content
	tableSets           table = "sets"            // zone, set id → setRecord
	tableSetVersions    table = "set_versions"    // zone, version id → setVersionRecord
	tableManifests      table = "manifests"       // zone, set version id → []entry
	tableNames          table = "names"           // zone, kind, name → id of the live object with that name
	tableCounters       table = "counters"        // zone, kind, slug → objects ever created with it
	tableLive           table = "live"            // zone, kind, place in creation order → id; archived ones leave
	tableVersions       table = "versions"        // zone, parent id, version number → version id
)

var allTables = []table{
	tableMeta, tableZones, tablePolicies, tablePolicyVersions, tableContents, tableSets,
	tableSetVersions, tableManifests, tableNames, tableCounters, tableLive, tableVersions,
}

// errClosed is returned by a store after its close.
var errClosed = errors.New("the store is closed")

// A store runs transactions. Readers see a state between two writers, and a
// writer's changes are kept, all of them, if and only if update returns nil.
type store interface {
	view(func(reader) error) error
	update(func(*writer) error) error
	close() error
}

// A getter finds values. They may not be changed, or used after the transaction.
type getter interface {
	get(t table, key string) []byte // nil if there is none
}

// A reader also lists the rows of tableLive and tableVersions.
type reader interface {
	getter
	// rows goes through the keys prefix+number, from the given number on,
	// upwards or downwards.
	rows(t table, prefix string, from uint64, down bool) iter.Seq2[uint64, string]
}

// A writer keeps the changes of one request aside, so that a request that fails
// halfway leaves nothing behind even when it shares a commit with others.
type writer struct {
	base    getter
	changes map[cell][]byte // nil deletes
}

type cell struct {
	table table
	key   string
}

func newWriter(base getter) *writer {
	return &writer{base: base, changes: make(map[cell][]byte)}
}

func (w *writer) get(t table, key string) []byte {
	if v, ok := w.changes[cell{t, key}]; ok {
		return v
	}
	return w.base.get(t, key)
}

func (w *writer) put(t table, key string, value []byte) { w.changes[cell{t, key}] = value }

func (w *writer) delete(t table, key string) { w.changes[cell{t, key}] = nil }

// run calls a request's function; a panic in it is an error of that request.
func (w *writer) run(fn func(*writer) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return fn(w)
}

// load reads and decodes a value; it is nil if there is none.
func load[T any](g getter, t table, key string) (*T, error) {
	b := g.get(t, key)
	if b == nil {
		return nil, nil
	}
	v := new(T)
	if err := json.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("damaged store: table %s, key %q: %w", t, key, err)
	}
	return v, nil
}

func save(w *writer, t table, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.put(t, key, b)
	return nil
}

// key joins the parts of a key. No part holds a NUL: ids are ours, names and
// zone ids are checked, and ids from a request's path are checked too.
func key(parts ...string) string { return strings.Join(parts, "\x00") }

// rowPrefix starts the keys of one list in tableLive or tableVersions.
func rowPrefix(parts ...string) string { return key(parts...) + "\x00" }

func rowKey(prefix string, n uint64) string {
	return prefix + string(binary.BigEndian.AppendUint64(nil, n))
}

// rowNumber is the number in a key with the given prefix.
func rowNumber(prefix, key string) (n uint64, ok bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	if !ok || len(rest) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64([]byte(rest)), true
}

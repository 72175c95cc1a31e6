package zone

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// stores runs a test on both kinds of store.
func stores(t *testing.T, test func(*testing.T, store)) {
	t.Run("memory", func(t *testing.T) { test(t, newMemory()) })
	t.Run("file", func(t *testing.T) {
		f, err := openFile(filepath.Join(t.TempDir(), "zone.db"), false, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.close()
		test(t, f)
	})
}

func TestAWriterSeesItsChangesAndOthersDont(t *testing.T) {
	stores(t, func(t *testing.T, s store) {
		failed := errors.New("no")
		err := s.update(func(w *writer) error {
			w.put(tableMeta, "a", []byte("1"))
			if string(w.get(tableMeta, "a")) != "1" {
				t.Error("a writer doesn't see its change")
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Errorf("got %v, want the function's error", err)
		}
		s.update(func(w *writer) error {
			if got := w.get(tableMeta, "a"); got != nil {
				t.Errorf("a failed change is there: %q", got)
			}
			w.put(tableMeta, "a", []byte("2"))
			w.put(tableMeta, "b", []byte("2"))
			w.delete(tableMeta, "b")
			return nil
		})
		s.view(func(r reader) error {
			if got := string(r.get(tableMeta, "a")); got != "2" {
				t.Errorf("a: got %q, want 2", got)
			}
			if got := r.get(tableMeta, "b"); got != nil {
				t.Errorf("b: got %q, want nothing", got)
			}
			return nil
		})
	})
}

func TestRows(t *testing.T) {
	stores(t, func(t *testing.T, s store) {
		// Neighbours before, after and with the same start.
		s.update(func(w *writer) error {
			for _, prefix := range []string{rowPrefix("y", "k"), rowPrefix("z", "k"), rowPrefix("z", "k\x01"), rowPrefix("z0", "k")} {
				for _, n := range []uint64{1, 5, 1 << 40} {
					w.put(tableLive, rowKey(prefix, n), fmt.Append(nil, prefix[:1], n))
				}
			}
			return nil
		})
		for _, test := range []struct {
			from uint64
			down bool
			want string
		}{
			{0, false, "1 5 1099511627776"}, {1, false, "1 5 1099511627776"}, {2, false, "5 1099511627776"}, {1 << 41, false, ""},
			{1 << 63, true, "1099511627776 5 1"}, {5, true, "5 1"}, {4, true, "1"}, {0, true, ""},
		} {
			var got []string
			s.view(func(r reader) error {
				for n, id := range r.rows(tableLive, rowPrefix("z", "k"), test.from, test.down) {
					if id != fmt.Sprint("z", n) {
						t.Errorf("row %d is %q", n, id)
					}
					got = append(got, fmt.Sprint(n))
				}
				return nil
			})
			if strings.Join(got, " ") != test.want {
				t.Errorf("from %d, down %v: got %v, want %s", test.from, test.down, got, test.want)
			}
		}
	})
}

// TestWritersShareCommits: many writers, one of which fails in each batch.
func TestWritersShareCommits(t *testing.T) {
	stores(t, func(t *testing.T, s store) {
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				err := s.update(func(w *writer) error {
					w.put(tableMeta, fmt.Sprint("k", i), []byte("x"))
					switch i % 4 {
					case 1:
						return errors.New("no")
					case 2:
						panic("no")
					}
					return nil
				})
				if (err != nil) != (i%4 == 1 || i%4 == 2) {
					t.Errorf("writer %d: got %v", i, err)
				}
			})
		}
		wg.Wait()
		s.view(func(r reader) error {
			for i := range 200 {
				if got, want := r.get(tableMeta, fmt.Sprint("k", i)) != nil, i%4 == 0 || i%4 == 3; got != want {
					t.Errorf("writer %d: kept is %v, want %v", i, got, want)
				}
			}
			return nil
		})
	})
}

func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zone.db")
	s := open(t, inFile(path))
	for _, readOnly := range []bool{false, true} {
		start := time.Now()
		_, err := Open(Options{Path: path, ReadOnly: readOnly})
		if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), path) {
			t.Errorf("read-only %v: got %v, want ErrBusy with the file's name", readOnly, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("without a wait it took %v", took)
		}
	}
	time.AfterFunc(100*time.Millisecond, func() { s.Close() })
	other, err := Open(Options{Path: path, LockWait: 10 * time.Second})
	if err != nil {
		t.Fatalf("after a wait: %v", err)
	}
	other.Close()

	// Readers share.
	a := open(t, inFile(path), func(o *Options) { o.ReadOnly = true })
	b := open(t, inFile(path), func(o *Options) { o.ReadOnly = true })
	must(t, a, "GET", "policies", "")
	must(t, b, "GET", "policies", "")
	if _, err := Open(Options{Path: path}); !errors.Is(err, ErrBusy) {
		t.Errorf("a writer beside readers: got %v, want ErrBusy", err)
	}
}

// TestReadOnly: a store that isn't there answers as one that was just created,
// and nothing is written.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "deep", "zone.db")
	missing := open(t, inFile(path), func(o *Options) { o.ReadOnly = true })
	writable := open(t, inFile(filepath.Join(dir, "other.db")))
	paths := []string{
		"policies?limit=100", "policy-sets", "policy-schemas", "policies/pol_default-user-grants_1/versions",
		"policy-sets/ps_default-zone-policies_1/versions/psv_default-zone-policies_1_1",
		"policy-sets/ps_default-zone-policies_1/versions/psv_default-zone-policies_1_1/policies",
	}
	for _, p := range paths {
		if got, want := must(t, missing, "GET", p, "").raw, must(t, writable, "GET", p, "").raw; got != want {
			t.Errorf("GET %s: got %s, want %s", p, got, want)
		}
	}
	refused := func(s *Server) {
		t.Helper()
		for _, method := range []string{"POST policies", "PATCH policies/x", "DELETE policies/x", "PATCH policy-schemas/2026-06-18"} {
			method, p, _ := strings.Cut(method, " ")
			if a := do(t, s, method, p, `{"name":"x"}`); a.status != 403 || !strings.Contains(a.raw, "reading only") {
				t.Errorf("%s %s: got %d %s, want 403", method, p, a.status, a.raw)
			}
		}
	}
	refused(missing)
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading created something: %v", err)
	}

	must(t, writable, "POST", "policies", `{"name":"mine"}`)
	writable.Close()
	before, err := os.ReadFile(filepath.Join(dir, "other.db"))
	if err != nil {
		t.Fatal(err)
	}
	existing := open(t, inFile(filepath.Join(dir, "other.db")), func(o *Options) {
		o.ReadOnly, o.Zones = true, []string{LocalZoneID, "zone_new"}
	})
	refused(existing)
	if got := must(t, existing, "GET", "policies/pol_mine_1", "").text("name"); got != "mine" {
		t.Errorf("what was written: got %q", got)
	}
	if got := len(must(t, existing, "GET", "/zones/zone_new/policies", "").items("id")); got != len(seedPolicies) {
		t.Errorf("a zone that the file lacks: got %d policies, want the seed", got)
	}
	existing.Close()
	if after, _ := os.ReadFile(filepath.Join(dir, "other.db")); string(after) != string(before) {
		t.Error("reading changed the file")
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "zone.db")
	s := fixture(t, inFile(path))
	read := func(s *Server) (all []string) {
		for _, p := range []string{"policies", "policy-sets", "policy-sets/ps_active_1/versions", "policy-sets/ps_active_1/versions/psv_active_1_1"} {
			all = append(all, must(t, s, "GET", p, "").raw)
		}
		return all
	}
	want := read(s)
	s.Close()
	s = open(t, inFile(path), func(o *Options) { o.Zones = []string{LocalZoneID, "zone_second"} })
	if got := read(s); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %s, want %s", got, want)
	}
	// Counting goes on.
	if got := must(t, s, "POST", "policies/pol_kept_1/versions", raw(permitAll)).text("version"); got != "3" {
		t.Errorf("next version: got %s, want 3", got)
	}
	must(t, s, "POST", "/zones/zone_second/policies", `{"name":"kept"}`)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode: got %v, %v, want 0600", info.Mode(), err)
	}
}

func TestFilesThatAreNoStore(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	fixture(t, inFile(good)).Close()
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	scrambled := append([]byte(nil), content...)
	for i := 2 * os.Getpagesize(); i < len(scrambled); i++ {
		scrambled[i] = byte(i * 31)
	}
	for name, b := range map[string][]byte{
		"text":      []byte(strings.Repeat("not a store\n", 10_000)),
		"short":     []byte("x"),
		"truncated": content[:3*os.Getpagesize()],
		"scrambled": scrambled,
	} {
		for _, readOnly := range []bool{true, false} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(Options{Path: path, ReadOnly: readOnly})
			if err == nil {
				s.Close()
				t.Errorf("%s, read-only %v: got no error", name, readOnly)
			} else if !strings.Contains(err.Error(), path) {
				t.Errorf("%s, read-only %v: %v doesn't name the file", name, readOnly, err)
			}
		}
	}
	empty := filepath.Join(dir, "empty")
	for _, readOnly := range []bool{true, false} { // a creator that died at once
		if err := os.WriteFile(empty, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Options{Path: empty, ReadOnly: readOnly, NoAuth: true})
		if err != nil {
			t.Fatalf("an empty file, read-only %v: %v", readOnly, err)
		}
		must(t, s, "GET", "policies/pol_default-user-grants_1", "")
		s.Close()
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zone.db")
	open(t, inFile(path)).Close()
	set := func(format string) {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte(tableMeta)).Put([]byte("format"), []byte(format))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set("2")
	for _, readOnly := range []bool{true, false} {
		_, err := Open(Options{Path: path, ReadOnly: readOnly})
		if !errors.Is(err, ErrNewerFormat) || !strings.Contains(err.Error(), path) {
			t.Errorf("read-only %v: got %v, want ErrNewerFormat with the file's name", readOnly, err)
		}
	}
	set("banana")
	if _, err := Open(Options{Path: path}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a format that is no number: got %v", err)
	}
	set("1")
	open(t, inFile(path))
}

package report

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/manifest"
)

func TestInOrder(t *testing.T) {
	for _, n := range []int{0, 1, 7, 1000} {
		for _, stop := range []int{n, n / 2, 0} {
			var got []int
			inOrder(n, func(i int) int { return i * i }, func(v int) bool {
				got = append(got, v)
				return len(got) <= stop
			})
			var want []int
			for i := range min(n, stop+1) {
				want = append(want, i*i)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d values, stopped after %d: got %v, want %v", n, stop, got, want)
			}
		}
	}
}

// A diff of many sets comes out in order, and stops when nobody listens.
func TestDiffTextOfManySets(t *testing.T) {
	var d Diff
	var want strings.Builder
	want.WriteString("from A to B\n")
	for i := range 200 {
		name := fmt.Sprintf("set-%03d", i)
		d.Sets = append(d.Sets, manifest.SetDiff{Name: name, Kind: manifest.Changed, Entries: []manifest.EntryDiff{
			{Policy: "p", Kind: manifest.Changed, FromText: "a\n", ToText: "b\n", FromFile: "p", ToFile: "p"},
		}})
		fmt.Fprintf(&want, "\n~ policy set %s\n  ~ p: changed\n      --- p\n      +++ p\n      @@ -1 +1 @@\n      -a\n      +b\n", name)
	}
	d.From, d.To = Side{Name: "A"}, Side{Name: "B"}
	var got bytes.Buffer
	if err := DiffText(&got, Style{}, d); err != nil || got.String() != want.String() {
		t.Errorf("got %v\n%s\nwant\n%s", err, got.String(), want.String())
	}
	broken := errors.New("nobody listens")
	if err := DiffText(writerFunc(func([]byte) (int, error) { return 0, broken }), Style{}, d); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// Of a manifest that can't be understood nothing is said but that.
func TestDiffOfUnreadManifests(t *testing.T) {
	d := Diff{From: Side{Name: "A"}, To: Side{Name: "B"}, Diff: manifest.Diff{Sets: []manifest.SetDiff{
		{Kind: manifest.Unread, Unread: "sets/a\x1b.yaml"}, {Name: "b", Kind: manifest.Unread, Unread: "sets/b.yaml"},
	}}}
	want := `from A to B

? sets/a\x1b.yaml can't be understood, so what changed isn't known

? policy set b: sets/b.yaml can't be understood, so what changed isn't known
`
	var text, doc bytes.Buffer
	if err := DiffText(&text, Style{}, d); err != nil || text.String() != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, text.String(), want)
	}
	if err := DiffJSON(&doc, d); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"changed": true`, `"set": ""`, `"kind": "unread"`, `"unread": "sets/b.yaml"`, `"entries": []`} {
		if !strings.Contains(doc.String(), want) {
			t.Errorf("no %s in\n%s", want, doc.String())
		}
	}
}

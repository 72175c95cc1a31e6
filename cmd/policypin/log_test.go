package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/policypin/policypin/gitstore"
)

func TestNewestPinsOfEachSet(t *testing.T) {
	var refs []gitstore.PinRef
	for _, set := range []struct {
		name string
		n    int
	}{{"a", 5}, {"b", 1}, {"c", 2}} {
		for number := range set.n {
			refs = append(refs, gitstore.PinRef{Set: set.name, Number: number + 1})
		}
	}
	for n, want := range map[int][]string{
		1:  {"a5", "b1", "c2"},
		2:  {"a4", "a5", "b1", "c1", "c2"},
		10: {"a1", "a2", "a3", "a4", "a5", "b1", "c1", "c2"},
	} {
		var got []string
		for _, ref := range newest(refs, n) {
			got = append(got, fmt.Sprint(ref.Set, ref.Number))
		}
		if !slices.Equal(got, want) {
			t.Errorf("newest %d: got %v, want %v", n, got, want)
		}
	}
}

func TestCountChanges(t *testing.T) {
	entry := func(policy, version string) gitstore.RecordEntry {
		return gitstore.RecordEntry{Policy: "renamed", PolicyID: policy, VersionID: version}
	}
	before := []gitstore.RecordEntry{entry("p1", "v1"), entry("p2", "v1"), entry("p3", "v1")}
	after := []gitstore.RecordEntry{entry("p1", "v1"), entry("p2", "v2"), entry("p4", "v1"), entry("p5", "v1")}
	added, removed, changed := countChanges(before, after)
	if added != 2 || removed != 1 || changed != 1 {
		t.Errorf("got +%d -%d ~%d, want +2 -1 ~1", added, removed, changed)
	}
}

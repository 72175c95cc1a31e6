package jcs

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// The SHA-256 of "{}".
const emptyObject = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

func TestSum(t *testing.T) {
	d, err := Sum(map[string]int{})
	if err != nil || d.String() != emptyObject || d.Short() != emptyObject[:12] || d.IsZero() {
		t.Errorf("got %s %s, %v", d, d.Short(), err)
	}
	if d, err := Sum(int64(1<<53 + 1)); !errors.Is(err, ErrNumber) || !d.IsZero() {
		t.Errorf("got %s, %v", d, err)
	}
}

func TestDigestAsText(t *testing.T) {
	var d Digest
	if err := json.Unmarshal([]byte(`"`+strings.ToUpper(emptyObject)+`"`), &d); err != nil || d.String() != emptyObject {
		t.Fatalf("got %s, %v", d, err)
	}
	b, err := json.Marshal(map[Digest]Digest{d: d})
	if want := `{"` + emptyObject + `":"` + emptyObject + `"}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v want %s", b, err, want)
	}
	for _, bad := range []string{"", emptyObject[1:], emptyObject + "0", "x" + emptyObject[1:]} {
		kept := d
		if err := kept.UnmarshalText([]byte(bad)); err == nil || kept != d {
			t.Errorf("%q: got %v and %s", bad, err, kept)
		}
	}
}

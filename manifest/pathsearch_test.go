package manifest

import (
	"fmt"
	"strings"
	"testing"
)

func TestNamesAny(t *testing.T) {
	paths := []string{"a.cedar", "policies/a.cedar", "policies/long/b.cedar", ".cedar", "a.cedar.cedar"}
	for _, text := range []string{
		"", "a", ".cedar", "x.cedar", "a.ceda", "source: a.cedar\n", "source: policies/a.cedar", "policies/b.cedar", "policies/b.cedar policies/long/b.cedar",
		"a.cedar.cedar", "a.cedarx", "x.cedar\n.cedar\nlong/b.cedar",
	} {
		for n := range 1 << len(paths) {
			set, want := map[string]bool{}, false
			for i, path := range paths {
				if n>>i&1 == 1 {
					set[path] = true
					want = want || strings.Contains(text, path)
				}
			}
			if got := namesAny(set)([]byte(text)); got != want {
				t.Errorf("%q in %q: got %v, want %v", fmt.Sprint(set), text, got, want)
			}
		}
	}
}

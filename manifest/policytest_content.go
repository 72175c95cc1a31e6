package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/cedar"
)

// contentOf is what a test file says, without its layout: two files with the
// same content expect the same. It is for comparing, not for reading.
func contentOf(f *TestFile) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "set %q\n", f.Set)
	for _, e := range f.Entities {
		fmt.Fprintf(&b, "entity %q", e.UID.String())
		for _, p := range e.Parents {
			fmt.Fprintf(&b, " in %q", p.UID.String())
		}
		writeDatum(&b, e.Attrs)
		writeDatum(&b, e.Tags)
		b.WriteByte('\n')
	}
	for i := range f.Cases {
		c := &f.Cases[i]
		fmt.Fprintf(&b, "case %q %q %q %q %q", c.Name, c.Set, c.Principal.UID.String(), c.Action.UID.String(), c.Resource.UID.String())
		writeDatum(&b, c.Context)
		fmt.Fprintf(&b, " %q %q %t %q\n", c.Expect, c.Determining, c.Stated, c.Errors)
	}
	return b.Bytes()
}

// writeDatum writes a value. The order of a mapping's keys says nothing.
func writeDatum(b *bytes.Buffer, d cedar.Datum) {
	switch d.Kind {
	case cedar.List:
		b.WriteString(" [")
		for _, item := range d.Items {
			writeDatum(b, item)
		}
		b.WriteString(" ]")
	case cedar.Map:
		b.WriteString(" {")
		members := slices.SortedFunc(slices.Values(d.Keys), func(x, y cedar.Member) int { return strings.Compare(x.Name, y.Name) })
		for _, m := range members {
			fmt.Fprintf(b, " %q", m.Name)
			writeDatum(b, m.Value)
		}
		b.WriteString(" }")
	case cedar.Null: // ~, null and nothing at all
		b.WriteString(" null")
	default:
		fmt.Fprintf(b, " %d %q", d.Kind, d.Text)
	}
}

package impact

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// benchPolicies are 200 policies of the usual shapes, the last of which changes.
func benchPolicies(last string) []string {
	var list []string
	for i := range 199 {
		switch i % 4 {
		case 0:
			list = append(list, fmt.Sprintf(`permit (principal in Team::"t%d", action == Action::"read", resource);`, i))
		case 1:
			list = append(list, fmt.Sprintf(`permit (principal == User::"u%d", action, resource in Folder::"f%d");`, i, i))
		case 2:
			list = append(list, fmt.Sprintf(`forbid (principal in Team::"t%d", action, resource) when { context has n && context.n > %d };`, i, i))
		default:
			list = append(list, fmt.Sprintf(`permit (principal, action == Action::"write", resource == Doc::"d%d") when { principal.dept == "x%d" };`, i, i))
		}
	}
	return append(list, last)
}

// benchLog is a log of n lines about 1,000 users and 1,000 documents, and the
// entities file for it.
func benchLog(n int) (entities, log string) {
	var e, b strings.Builder
	for i := range 1000 {
		sep := ","
		if i == 0 {
			sep = "["
		}
		fmt.Fprintf(&e, `%s{"uid":{"type":"User","id":"u%d"},"attrs":{"dept":"x%d","vip":false},"parents":[{"type":"Team","id":"t%d"}]}`, sep, i, i%50, i%200)
		fmt.Fprintf(&e, `,{"uid":{"type":"Doc","id":"d%d"},"attrs":{"owner":{"__entity":{"type":"User","id":"u%d"}}},"parents":[{"type":"Folder","id":"f%d"}]}`, i, i, i%200)
	}
	e.WriteString("]")
	for i := range n {
		fmt.Fprintf(&b, `{"time":"2026-06-01T09:30:00.%06dZ","id":"req_%08d","decision":"Allow","principal":{"type":"User","id":"u%d"},"action":{"type":"Action","id":"read"},"resource":{"type":"Doc","id":"d%d"},"context":{"n":%d,"tags":["a","b"]}}`+"\n",
			i%1_000_000, i, i*7%1000, i*13%1000, i%300)
	}
	return e.String(), b.String()
}

// BenchmarkGiven is one changed policy among 200, with 400,000 requests of a log.
func BenchmarkGiven(b *testing.B) {
	entities, log := benchLog(400_000)
	files := fstest.MapFS{"r": {Data: []byte(log)}}
	for _, bench := range []struct{ name, from, to string }{
		{"scope", `permit (principal in Team::"t7", action, resource);`, `permit (principal in Team::"t8", action, resource);`},
		{"context", `permit (principal, action, resource) when { context has n && context.n == 1 };`, `permit (principal, action, resource) when { context has n && context.n == 2 };`},
	} {
		from, to := tree(b, benchPolicies(bench.from)...), tree(b, benchPolicies(bench.to)...)
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(log)))
			for b.Loop() {
				given := &Given{}
				file, err := files.Open("r")
				if err != nil {
					b.Fatal(err)
				}
				for _, add := range []func() error{
					func() error { _, err := given.AddEntities("e", strings.NewReader(entities)); return err },
					func() error {
						_, err := given.AddRequests("r", file)
						return err
					},
				} {
					if err := add(); err != nil {
						b.Fatal(err)
					}
				}
				r := Compare(from, to, Options{Given: given})
				if s := r.Sets[0]; s.Sources.Logs != 400_000 || len(s.Findings) == 0 || r.Problems != nil {
					b.Fatalf("got %+v, %v", s.Sources, r.Problems)
				}
			}
		})
	}
}
